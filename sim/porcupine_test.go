package sim

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim/check"
)

// logModel is an append-only log: its state is its length. An append takes effect
// exactly when it makes the log as long as the index that it has; a resolve that
// told an index comes after that; a read of the end sees just that length.
var logModel = porcupine.Model{
	Init: func() any { return 0 },
	Step: func(state, input, output any) (bool, any) {
		length, o := state.(int), input.(check.Operation)
		switch o.Kind {
		case check.Append:
			return int(o.Index) == length+1, length + 1
		case check.Resolve:
			return int(o.Index) <= length, length
		}
		return int(o.Index) == length, length
	},
	DescribeOperation: func(input, _ any) string {
		o := input.(check.Operation)
		return fmt.Sprintf("%s %v %q -> %d, never %v", o.Client, o.Kind, o.Value, o.Index, o.Never)
	},
}

// linearizable judges a history by porcupine, independently of Checker.End. An
// append that never returned takes effect where the log has it, at any time after
// its call. What was told never to be is left out: it has no effect at any time, so
// it says nothing about the order, and that it is not in the log is checked anyway.
func linearizable(h *check.History, where map[string]paxos.Index) porcupine.CheckResult {
	var ops []porcupine.Operation
	for k, o := range h.Ops {
		if o.Never {
			continue
		}
		ret := int64(o.Ret)
		if o.Ret < 0 {
			if o.Kind != check.Append || where[o.Value] == 0 {
				continue // it had no effect, and nobody was told of one
			}
			o.Index, ret = where[o.Value], math.MaxInt64
		}
		ops = append(ops, porcupine.Operation{ClientId: k, Input: o, Call: int64(o.Call), Output: nil, Return: ret})
	}
	return porcupine.CheckOperationsTimeout(logModel, ops, patience)
}

// patience is how long porcupine may look for an order. Where many reads wait at
// once, it would take it for ever; Checker.End, which knows that the index
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
			operations += len(r.history.Ops)
		case porcupine.Illegal:
			t.Errorf("seed %d: porcupine finds no order for %d operations", seed, len(r.history.Ops))
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
	for name, spoil := range map[string]func(h *check.History, answered []int){
		"two appends answered with each other's index": func(h *check.History, a []int) {
			first, last := &h.Ops[a[0]], &h.Ops[a[len(a)-1]]
			first.Index, last.Index = last.Index, first.Index
		},
		"an append answered that is not in the log": func(h *check.History, a []int) { h.Ops[a[4]].Index = 1 << 20 },
		"a read that misses what was answered before it": func(h *check.History, a []int) {
			for k := range h.Ops {
				if o := &h.Ops[k]; o.Kind == check.ReadEnd && o.Ret >= 0 && o.Call > h.Ops[a[10]].Ret {
					o.Index = 0
					return
				}
			}
			panic("no read after the tenth answer")
		},
		"an append that came before another was issued, and is behind it": func(h *check.History, a []int) {
			first, last := &h.Ops[a[0]], &h.Ops[a[len(a)-1]]
			h.Events[first.Call], h.Events[last.Call] = h.Events[last.Call], h.Events[first.Call]
			h.Events[first.Ret], h.Events[last.Ret] = h.Events[last.Ret], h.Events[first.Ret]
			first.Call, first.Ret, last.Call, last.Ret = last.Call, last.Ret, first.Call, first.Ret
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := calm(t, 3)
			var answered []int
			for k, o := range c.Check.History.Ops {
				if o.Kind == check.Append && o.Ret >= 0 {
					answered = append(answered, k)
				}
			}
			c.Check.End()
			spoil(c.Check.History, answered)
			if got := linearizable(c.Check.History, c.Check.Where); got != porcupine.Illegal {
				t.Errorf("porcupine says %s", got)
			}
			defer func() {
				if _, ok := recover().(*check.Violation); !ok {
					t.Error("the history check noticed nothing")
				}
			}()
			c.Check.End()
		})
	}
}
