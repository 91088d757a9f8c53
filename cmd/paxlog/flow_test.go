package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/internal/load"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

const (
	flowEntry = 64 << 10
	flowKept  = 20 // a twentieth of what flows is kept, in the long run
)

// TestFlow lets much more flow through a log than it keeps, while a learner and an acceptor join. Disks hold a
// part of it, and who tails sees all of it, or is told what was trimmed. PAXLOG_FLOW is how many MiB: 20480, of
// which 1 GiB is kept, is the long run. In it the two join while a third of the highest rate flows, for all processes
// share one machine, and serve within 30 s; and it compares the rates with and without retention, in pairs.
func TestFlow(t *testing.T) {
	if testing.Short() {
		t.Skip("it puts a load on a cluster")
	}
	mib := cluster.Number(t, "PAXLOG_FLOW", 40)
	long := mib >= 20<<10
	keep, most := 6, uint64(600e6+3*6<<20) // what README says beside the entries
	if long {
		keep, most = mib/flowKept, 3<<30
	}
	k := cluster.New(t, 3, 2, 2)
	c := k.Client(client.WithTimeout(time.Minute))
	k.Leader(c)
	k.Must("retention", "set", "--bytes", fmt.Sprintf("%dMiB", keep))
	disks := watchDisks(t, k, "a1", "a2", "a3", "a4", "l1", "l2", "l3")
	tail := tailFlow(t, c)

	total := mib << 20 / flowEntry
	more := []string{"--total", fmt.Sprint(total)}
	if long {
		last := 2 << 30 / flowEntry
		r, err := flowOf(k, "--total", fmt.Sprint(total-last))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d MiB at %.0f MB/s; p99 %.1f ms, max %.0f ms, %d errors", mib-2<<10, r.MBPerS, *r.P99, *r.Max, r.Errors)
		k.Await("the tail has caught up", func() bool { return int(tail.at()) == total-last })
		more = []string{"--total", fmt.Sprint(last), "--rate", fmt.Sprint(int(r.MBPerS * 1e6 / flowEntry / 3))}
	}
	flowing := make(chan flowed, 1)
	go func() { r, err := flowOf(k, more...); flowing <- flowed{r, err} }()
	k.Await("the log is trimmed", func() bool {
		first, _, err := c.End(context.Background())
		return err == nil && first > 1
	})
	for _, id := range []paxos.NodeID{"l3", "a4"} {
		began := time.Now()
		k.Join(id)
		add := []string{"member", "add", string(id), "--yes"}
		if id == "l3" {
			add = append(add, "--role", "learner", "--addr", k.Address(id))
		}
		k.Await(string(id)+" is a member", func() bool { _, _, code := k.Run(add...); return code == 0 })
		k.Await(string(id)+" serves", func() bool { return serves(k.Status(c), string(id)) })
		took := time.Since(began)
		t.Logf("%s serves %v after it was begun", id, took.Round(100*time.Millisecond))
		if long && took > 30*time.Second {
			t.Errorf("%s took %v", id, took)
		}
	}
	f := <-flowing
	if f.err != nil {
		t.Fatal(f.err)
	}
	r := f.Result
	t.Logf("%d MiB at %.0f MB/s; p99 %.1f ms, max %.0f ms, %d errors", mib, r.MBPerS, *r.P99, *r.Max, r.Errors)
	first, last, err := c.End(context.Background())
	if err != nil || r.Errors > 0 || int(last) != total || first <= 1 {
		t.Fatalf("the log has %d to %d of %d, %d errors; %v", first, last, total, r.Errors, err)
	}
	if _, err := c.Append(context.Background(), make([]byte, flowEntry)); err != nil { // all before may be trimmed by now
		t.Fatal(err)
	}
	k.Await("the tail is at the end", func() bool { return tail.at() == last+1 })
	tail.tell()
	if used := disks(); used > most {
		t.Errorf("a process took %.1f MB of disk", float64(used)/1e6)
	}
	if long {
		compareFlows(t, k)
	}
}

// flowed is what came of a bench.
type flowed struct {
	load.Result
	err error
}

// flowOf runs bench.
func flowOf(k *cluster.Cluster, more ...string) (r load.Result, err error) {
	out, errs, code := k.Run(append([]string{"bench", "--clients", "8", "--inflight", "4", "--size", fmt.Sprint(flowEntry), "-o", "json", "--timeout", "1m"}, more...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || r.P99 == nil {
		return r, fmt.Errorf("bench: exit code %d, %v: %s%s", code, err, out, errs)
	}
	return r, nil
}

// serves reports whether a process votes, or answers, and is not far behind.
func serves(s client.Status, id string) bool {
	var far paxos.Instance
	for _, p := range s.Processes {
		far = max(far, p.Chosen)
	}
	for _, p := range s.Processes {
		if p.ID == id && p.Err == nil {
			return p.Role == client.RoleAcceptor && p.Voting && p.Missing < 1000 || p.Role == client.RoleLearner && p.Applied+1000 > far
		}
	}
	return false
}

// watchDisks measures what data directories take, several times a second, until most is asked for.
func watchDisks(t *testing.T, k *cluster.Cluster, ids ...paxos.NodeID) (most func() uint64) {
	seen := map[paxos.NodeID]uint64{}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			for _, id := range ids {
				if u, err := wal.UsageOf(k.Data(id)); err == nil { // else it has not joined yet
					seen[id] = max(seen[id], u.Bytes)
				}
			}
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	end := sync.OnceFunc(func() { close(stop); <-done })
	t.Cleanup(end)
	return func() (n uint64) {
		end()
		for _, id := range ids {
			t.Logf("%s took at most %.0f MB of disk", id, float64(seen[id])/1e6)
			n = max(n, seen[id])
		}
		return n
	}
}

// flowTail is a tail that goes on behind what was trimmed, as its user would.
type flowTail struct {
	t      *testing.T
	mu     sync.Mutex
	next   client.Index
	missed client.Index // so many
	told   []string
	done   chan struct{}
}

func tailFlow(t *testing.T, c *client.Client) *flowTail {
	ctx, cancel := context.WithCancel(context.Background())
	f := &flowTail{t: t, next: 1, done: make(chan struct{})}
	t.Cleanup(func() { cancel(); <-f.done })
	go func() {
		defer close(f.done)
		from := client.FromStart()
		for ctx.Err() == nil {
			for e, err := range c.Tail(ctx, client.TailOptions{From: from, Follow: true}) {
				switch {
				case errors.Is(err, client.ErrTrimmed):
					f.mu.Lock()
					f.told = append(f.told, err.Error())
					f.mu.Unlock()
				case err != nil && ctx.Err() == nil:
					t.Errorf("the tail ends: %v", err)
					return
				case err == nil:
					f.take(e)
				}
			}
		}
	}()
	return f
}

func (f *flowTail) take(e client.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Index < f.next || e.Index > f.next && len(f.told) == 0 || len(e.Value) != flowEntry {
		f.t.Errorf("after %d comes %d, of %d bytes", f.next-1, e.Index, len(e.Value))
	}
	f.missed += e.Index - f.next
	f.next = e.Index + 1
}

func (f *flowTail) at() client.Index {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next - 1
}

// tell logs what it has seen.
func (f *flowTail) tell() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.t.Logf("tailed: %d entries, %d were trimmed before; told %d times: %s", f.next-1-f.missed, f.missed, len(f.told), strings.Join(f.told[:min(1, len(f.told))], ""))
}

// compareFlows measures rates with retention and without it, in turns.
func compareFlows(t *testing.T, k *cluster.Cluster) {
	var ratios []float64
	for range 5 {
		k.Must("retention", "set", "--bytes", "1GiB")
		with, errWith := flowOf(k, "--duration", "8s")
		k.Must("retention", "set", "--bytes", "0")
		without, err := flowOf(k, "--duration", "8s")
		if err := errors.Join(errWith, err); err != nil {
			t.Fatal(err)
		}
		ratios = append(ratios, with.PerSecond/without.PerSecond)
		t.Logf("with retention %.0f MB/s, without %.0f", with.MBPerS, without.MBPerS)
	}
	slices.Sort(ratios)
	t.Logf("the rate with retention is %.2f of that without (median of 5 pairs, %.2f to %.2f)", ratios[2], ratios[0], ratios[4])
}
