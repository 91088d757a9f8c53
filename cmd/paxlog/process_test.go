package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// These tests run the real binary as separate processes on loopback, and kill,
// stop and restart them.

// TestKilledAndStopped kills -9, stops (SIGSTOP) and restarts every process of a
// cluster in turn and all at once, under load. Afterwards every answered append
// is in both learners' logs, once, at its index; sessions keep their order;
// unknown outcomes are there at most once; there is no gap.
func TestKilledAndStopped(t *testing.T) {
	rng := cluster.Seed(t, "./cmd/paxlog")
	k := cluster.New(t, 3, 2, 2)
	c := k.Client(client.WithTimeout(20 * time.Second))
	l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 3})
	l.Await(100, "at the start")
	for round := range cluster.Number(t, "PAXLOG_ROUNDS", 16) {
		harm(t, k, rng, round, l, c)
	}
	k.Check(l)
}

// harm does one harm, waits for progress, and undoes it.
func harm(t *testing.T, k *cluster.Cluster, rng *rand.Rand, round int, l *cluster.Load, c *client.Client) {
	t.Helper()
	ids := k.IDs()
	victims := []paxos.NodeID{ids[rng.IntN(len(ids))]}
	what := "kill"
	switch round % 4 {
	case 1:
		victims = []paxos.NodeID{k.Leader(c)}
	case 2:
		what = "stop"
	case 3:
		if round%8 == 3 {
			victims = ids
		} else {
			victims, what = []paxos.NodeID{k.Leader(c)}, "stop"
		}
	}
	name := fmt.Sprintf("round %d: %s %v", round, what, victims)
	for _, id := range victims {
		if what == "kill" {
			if log := k.Kill(id); strings.Contains(log, "panic") {
				t.Fatalf("%s: it had panicked:\n%s", name, log)
			}
		} else {
			k.Signal(id, syscall.SIGSTOP)
		}
	}
	if len(victims) == 1 {
		l.Await(50, name+", without it")
	}
	for _, id := range victims {
		if what == "kill" {
			k.Start(id)
		} else {
			k.Signal(id, syscall.SIGCONT)
		}
	}
	l.Await(50, name+", after it returned")
}

// TestFiveProposersSettle: of five that start at once one leads, and its ballot
// stays.
func TestFiveProposersSettle(t *testing.T) {
	k := cluster.New(t, 3, 5, 1)
	c := k.Client(client.WithTimeout(20 * time.Second))
	// Two that campaign at once may leave the loser's promise at one acceptor, above which
	// the winner renews its ballot once; one that missed the campaign promises with a vote.
	var ballot client.Ballot
	k.Await("all acceptors follow one leader", func() bool {
		r, err := c.Append(context.Background(), []byte("first"))
		if err != nil {
			t.Fatal(err)
		}
		ballot = r.Ballot
		return !slices.ContainsFunc(k.Status(c).Processes, func(p client.ProcessStatus) bool {
			return p.Role == paxos.RoleAcceptor && (p.Err != nil || p.Promised != ballot)
		})
	})
	for range 200 {
		r, err := c.Append(context.Background(), []byte("next"))
		if err != nil {
			t.Fatal(err)
		}
		if r.Ballot != ballot {
			t.Fatalf("the ballot went from %s to %s", ballot, r.Ballot)
		}
	}
}

// TestWithoutProposers: while no proposer lives, what was chosen can be read and
// tailed, linearizably.
func TestWithoutProposers(t *testing.T) {
	k := cluster.New(t, 3, 2, 2)
	for _, n := range []string{"one", "two", "three"} {
		k.Must("append", n)
	}
	k.Kill("p1")
	k.Kill("p2")
	if out := k.Must("tail"); out != "one\ntwo\nthree\n" {
		t.Fatalf("tail: %q", out)
	}
	if out := k.Must("read", "2"); out != "two\n" {
		t.Fatalf("read: %q", out)
	}
	if _, errs, code := k.Run("read", "4"); code != command.ExitNoIndex {
		t.Fatalf("reading past the end: exit %d, %s", code, errs)
	}
	if _, errs, code := k.Run("append", "--timeout", "300ms", "four"); code != command.ExitUnavailable {
		t.Fatalf("append without proposers: exit %d, %s", code, errs)
	}
	if _, errs, code := k.Run("status"); code != command.ExitUnavailable {
		t.Fatalf("status: exit %d, %s", code, errs)
	}
}

// TestWipedAcceptorIsRefused: a directory initialised anew under its old id does not vote,
// says so and why, and the cluster goes on without it.
func TestWipedAcceptorIsRefused(t *testing.T) {
	k := cluster.New(t, 3, 1, 1)
	k.Must("append", "one")
	k.Kill("a1")
	if err := os.RemoveAll(k.Data("a1")); err != nil {
		t.Fatal(err)
	}
	_, errs, code := k.Run("acceptor", "--config", k.File, "--id", "a1", "--data", k.Data("a1"))
	if code != command.ExitFailed || !strings.Contains(errs, "may have voted") || strings.Count(errs, "\n") != 1 {
		t.Fatalf("on an empty directory: exit %d, %s", code, errs)
	}
	k.Must("init", "--config", k.File, "--id", "a1", "--data", k.Data("a1"))
	p := k.Start("a1")
	k.Await("a1 says why it does not vote", func() bool {
		return strings.Contains(p.Stderr(), "this acceptor does not vote") && strings.Contains(p.Stderr(), "initialised anew")
	})
	k.Must("append", "two")
	select {
	case <-p.Done():
		t.Errorf("a1 ended: %s", p.Stderr())
	default:
	}
}

// TestStopsInGoodOrder: SIGTERM ends every role with exit code 0, and what was
// accepted is finished.
func TestStopsInGoodOrder(t *testing.T) {
	k := cluster.New(t, 1, 1, 1)
	k.Must("append", "one")
	for _, id := range []paxos.NodeID{"p1", "l1", "a1"} {
		p := k.Process(id)
		k.Signal(id, syscall.SIGTERM)
		if code, err := p.Exit(); code != 0 || err != nil {
			t.Fatalf("%s: exit %d %v\n%s", id, code, err, p.Stderr())
		}
	}
}

// BenchmarkFailover kills -9 the leader and measures until a waiting client's
// append is answered. Run it with -benchtime 20x.
func BenchmarkFailover(b *testing.B) {
	k := cluster.New(b, 3, 2, 1)
	c := k.Client(client.WithTimeout(30 * time.Second))
	var took []time.Duration
	for range b.N {
		leader := k.Leader(c)
		if _, err := c.Append(context.Background(), []byte("before")); err != nil {
			b.Fatal(err)
		}
		k.Kill(leader)
		start := time.Now()
		if _, err := c.Append(context.Background(), []byte("after")); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
		k.Start(leader)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms-max")
}

// BenchmarkAppend is one client with one append outstanding, beside a bare write
// and fdatasync of 256 bytes on the same disk, in turn.
func BenchmarkAppend(b *testing.B) {
	k := cluster.New(b, 3, 2, 1)
	c := k.Client(client.WithTimeout(30 * time.Second))
	f, err := os.Create(filepath.Join(k.Dir, "bare"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	value := bytes.Repeat([]byte("x"), 256)
	var appends, bare []time.Duration
	for range b.N {
		start := time.Now()
		if _, err := c.Append(context.Background(), value); err != nil {
			b.Fatal(err)
		}
		appends = append(appends, time.Since(start))
		start = time.Now()
		if _, err := f.Write(value); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
		bare = append(bare, time.Since(start))
	}
	slices.Sort(appends)
	slices.Sort(bare)
	p50a, p50b := appends[len(appends)/2], bare[len(bare)/2]
	b.ReportMetric(float64(p50a.Nanoseconds())/1e6, "ms-append-p50")
	b.ReportMetric(float64(p50b.Nanoseconds())/1e6, "ms-fdatasync-p50")
	b.ReportMetric(float64(p50a)/float64(p50b), "ratio")
}

// TestImpostor: an acceptor initialised anew while the one whose id it took is alive is
// told so by all, and nobody else is disturbed.
func TestImpostor(t *testing.T) {
	k := cluster.New(t, 3, 1, 1)
	k.Must("append", "one")
	other := filepath.Join(k.Dir, "impostor")
	k.Must("init", "--config", k.File, "--id", "a1", "--data", other)
	p := k.StartWith("acceptor", "--config", k.File, "--id", "a1", "--data", other, "--listen", "127.0.0.1:0")
	k.Await("all refuse the impostor", func() bool {
		return strings.Count(p.Stderr(), "by another incarnation than") >= 3 && strings.Contains(p.Stderr(), "initialised anew")
	})
	if errs := k.Process("a2").Stderr(); strings.Contains(errs, "connected twice") {
		t.Errorf("the impostor took a connection over: %s", errs)
	}
	k.Must("append", "two")
	if out := k.Must("tail"); out != "one\ntwo\n" {
		t.Fatalf("%q", out)
	}
}
