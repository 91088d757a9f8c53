package sim

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/paxlog/paxlog/paxos"
)

// logModel is an append-only log: its state is its length. An append takes effect
// exactly when it makes the log as long as the index that it has; a resolve that
// told an index comes after that; a read of the end sees just that length.
var logModel = porcupine.Model{
	Init: func() any { return 0 },
	Step: func(state, input, output any) (bool, any) {
		length, o := state.(int), input.(operation)
		switch o.kind {
		case opAppend:
			return int(o.index) == length+1, length + 1
		case opResolve:
			return int(o.index) <= length, length
		}
		return int(o.index) == length, length
	},
	DescribeOperation: func(input, _ any) string {
		o := input.(operation)
		return fmt.Sprintf("%s %v %q -> %d, never %v", o.client, o.kind, o.value, o.index, o.never)
	},
}

// linearizable judges a history by porcupine, independently of history.check. An
// append that never returned takes effect where the log has it, at any time after
// its call. What was told never to be is left out: it has no effect at any time, so
// it says nothing about the order, and that it is not in the log is checked anyway.
func linearizable(h *history, where map[string]paxos.Index) porcupine.CheckResult {
	var ops []porcupine.Operation
	for k, o := range h.ops {
		if o.never {
			continue
		}
		ret := int64(o.ret)
		if o.ret < 0 {
			if o.kind != opAppend || where[o.value] == 0 {
				continue // it had no effect, and nobody was told of one
			}
			o.index, ret = where[o.value], math.MaxInt64
		}
		ops = append(ops, porcupine.Operation{ClientId: k, Input: o, Call: int64(o.call), Output: nil, Return: ret})
	}
	return porcupine.CheckOperationsTimeout(logModel, ops, patience)
}

// patience is how long porcupine may look for an order. Where many reads wait at
// once, it would take it for ever; history.check, which knows that the index
// decides the order of appends, does not search.
const patience = time.Second

// TestLinearizable gives the histories of a part of the runs to porcupine.
func TestLinearizable(t *testing.T) {
	judged, operations := 0, 0
	for seed := uint64(1); seed <= 60; seed++ {
		r := RunSeed(seed, nil, nil)
		if r.Err != nil {
			t.Fatalf("seed %d: %v", seed, r.Err)
		}
		switch linearizable(r.history, r.where) {
		case porcupine.Ok:
			judged++
			operations += len(r.history.ops)
		case porcupine.Illegal:
			t.Errorf("seed %d: porcupine finds no order for %d operations", seed, len(r.history.ops))
		}
	}
	t.Logf("%d histories of %d operations are linearizable", judged, operations)
	if judged < 40 {
		t.Errorf("only %d of 60 histories could be judged", judged)
	}
}

// calm runs a small cluster in which nothing breaks until its clients are done.
func calm(t *testing.T, seed uint64) *Cluster {
	t.Helper()
	c := NewCluster(seed, Topology{Acceptors: 3, Proposers: 2, Learners: 2, Clients: 2, Sessions: 100, Entries: 100, PageBytes: 1000})
	for _, k := range c.Clients {
		k.Think = 5
	}
	c.StartAll()
	if !c.RunUntil(20*Second, c.Done) {
		t.Fatal("the clients wait")
	}
	return c
}

// TestHistoryNoticed: what is wrong in a history is found by both judges.
func TestHistoryNoticed(t *testing.T) {
	for name, spoil := range map[string]func(h *history, answered []int){
		"two appends answered with each other's index": func(h *history, a []int) {
			first, last := &h.ops[a[0]], &h.ops[a[len(a)-1]]
			first.index, last.index = last.index, first.index
		},
		"an append answered that is not in the log": func(h *history, a []int) { h.ops[a[4]].index = 1 << 20 },
		"a read that misses what was answered before it": func(h *history, a []int) {
			for k := range h.ops {
				if o := &h.ops[k]; o.kind == opEnd && o.ret >= 0 && o.call > h.ops[a[10]].ret {
					o.index = 0
					return
				}
			}
			panic("no read after the tenth answer")
		},
		"an append that came before another was issued, and is behind it": func(h *history, a []int) {
			first, last := &h.ops[a[0]], &h.ops[a[len(a)-1]]
			h.events[first.call], h.events[last.call] = h.events[last.call], h.events[first.call]
			h.events[first.ret], h.events[last.ret] = h.events[last.ret], h.events[first.ret]
			first.call, first.ret, last.call, last.ret = last.call, last.ret, first.call, first.ret
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := calm(t, 3)
			var answered []int
			for k, o := range c.Check.history.ops {
				if o.kind == opAppend && o.ret >= 0 {
					answered = append(answered, k)
				}
			}
			c.Check.history.check(c.Check)
			spoil(c.Check.history, answered)
			if got := linearizable(c.Check.history, c.Check.where); got != porcupine.Illegal {
				t.Errorf("porcupine says %s", got)
			}
			defer func() {
				if _, ok := recover().(*Violation); !ok {
					t.Error("the history check noticed nothing")
				}
			}()
			c.Check.history.check(c.Check)
		})
	}
}
