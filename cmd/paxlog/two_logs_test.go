package main

import (
	"encoding/json"
	"errors"
	"iter"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// twoLogs are two clusters of one name and of the same ids.
func twoLogs(t *testing.T) (a, b *cluster.Cluster) {
	t.Helper()
	a, b = cluster.New(t, 3, 1, 1), cluster.New(t, 3, 1, 2)
	a.Must("append", "of A")
	b.Must("append", "of B")
	return a, b
}

// takesOver has a process of a listen at the address that b's file has for its id.
func takesOver(t *testing.T, a, b *cluster.Cluster, id paxos.NodeID) *cluster.Process {
	t.Helper()
	a.Kill(id)
	b.Kill(id)
	role, node, _ := b.Config.Lookup(id)
	return a.StartWith(role.String(), "--config", a.File, "--id", string(id), "--data", a.Data(id), "--listen", node.Addr)
}

// stayUp checks that processes run.
func stayUp(t *testing.T, k *cluster.Cluster, ids ...paxos.NodeID) {
	t.Helper()
	for _, id := range ids {
		select {
		case <-k.Process(id).Done():
			t.Errorf("%s ended: %s", id, k.Process(id).Stderr())
		default:
		}
	}
}

// TestLearnerOfAnotherLogAtAnOldAddress: nobody ends, both sides say what they know, and
// who tails B sees B.
func TestLearnerOfAnotherLogAtAnOldAddress(t *testing.T) {
	a, b := twoLogs(t)
	stranger := takesOver(t, a, b, "l1")
	for _, id := range []paxos.NodeID{"a1", "a2", "a3"} {
		b.Await(string(id)+" refuses it", func() bool { return strings.Contains(b.Process(id).Stderr(), "is of another log") })
	}
	b.Await("it says the same", func() bool { return strings.Contains(stranger.Stderr(), "is of another log") })
	b.Must("append", "of B, too")
	if out := b.Must("tail"); out != "of B\nof B, too\n" {
		t.Errorf("B's log is %q", out)
	}
	stayUp(t, b, "a1", "a2", "a3", "p1", "l2")
}

// TestAcceptorOfAnotherLogInTheFile: it votes in its own log only, and B goes on with two.
func TestAcceptorOfAnotherLogInTheFile(t *testing.T) {
	a, b := twoLogs(t)
	stranger := takesOver(t, a, b, "a3")
	for _, id := range []paxos.NodeID{"a1", "p1", "l2"} {
		b.Await(string(id)+" refuses it", func() bool { return strings.Contains(b.Process(id).Stderr(), "is of another log") })
	}
	b.Await("it says the same", func() bool { return strings.Contains(stranger.Stderr(), "is of another log") })
	b.Kill("p1") // the next one knows nothing yet
	b.Start("p1")
	b.Must("append", "of B, too")
	a.Must("append", "of A, too")
	if outA, outB := a.Must("tail"), b.Must("tail"); outA != "of A\nof A, too\n" || outB != "of B\nof B, too\n" {
		t.Errorf("A's log is %q, B's is %q", outA, outB)
	}
	stayUp(t, b, "a1", "a2", "p1", "l1", "l2")
	stayUp(t, a, "a1", "a2", "p1", "l1")
}

// TestNewLearnerAtAnOldAddress: a new learner of B listens where one of A did, while nobody
// of B is up. A's acceptors dial it and are not let in, so that it neither copies what they
// hold nor remembers them. It knows B when that is back, and refuses A.
func TestNewLearnerAtAnOldAddress(t *testing.T) {
	a, b := twoLogs(t)
	a.Kill("l1")
	for _, id := range b.IDs() {
		b.Kill(id)
	}
	data := filepath.Join(t.TempDir(), "new")
	b.Must("init", "--config", b.File, "--id", "l1", "--data", data)
	_, node, _ := a.Config.Lookup("l1")
	l := b.StartWith("learner", "--config", b.File, "--id", "l1", "--data", data, "--listen", node.Addr)
	b.Await("A's acceptors have dialled it", func() bool { return strings.Contains(l.Stderr(), "has to come again") })
	if strings.Contains(l.Stderr(), "peer connected") {
		t.Errorf("it let somebody in: %s", l.Stderr())
	}
	for _, id := range []paxos.NodeID{"a1", "a2", "a3", "p1", "l2"} {
		b.Start(id)
	}
	b.Await("it refuses A", func() bool { return strings.Contains(l.Stderr(), "is of another log") })
	b.Must("append", "of B, too")
	if out := b.Must("tail"); out != "of B\nof B, too\n" {
		t.Errorf("B's log is %q", out)
	}
	stayUp(t, b, "a1", "a2", "a3", "p1", "l2")
	stayUp(t, a, "a1", "a2", "a3", "p1")
}

// TestTwins: two processes of one id are told so, and say it; so do their peers, once.
func TestTwins(t *testing.T) {
	k := cluster.New(t, 1, 2, 1)
	k.Must("append", "one")
	twin := k.StartWith("proposer", "--config", k.File, "--id", "p2", "--listen", "127.0.0.1:0")
	says := func(p *cluster.Process, what string) int { return strings.Count(p.Stderr(), what) }
	const told = "another process runs under the id of this one"
	k.Await("both twins say so", func() bool { return says(twin, told) > 0 && says(k.Process("p2"), told) > 0 })
	k.Must("append", "two")
	if n := says(k.Process("a1"), "peer connected twice"); n == 0 || n > 2 { // once a minute
		t.Errorf("a1 says %d times that p2 connected twice", n)
	}
	if a, b := says(twin, told), says(k.Process("p2"), told); a > 2 || b > 2 {
		t.Errorf("the twins say so %d and %d times", a, b)
	}
}

// TestTailOfAnotherLog: who tails B where only a learner of A listens any more is told so,
// and never sees A's log.
func TestTailOfAnotherLog(t *testing.T) {
	a, b := twoLogs(t)
	b.Kill("l2")
	stranger := takesOver(t, a, b, "l1")
	b.Await("it serves", func() bool { return strings.Contains(stranger.Stderr(), `"ready"`) })
	out, errs, code := b.Run("tail", "--timeout", "2s")
	if out != "" || code == 0 || !strings.Contains(errs, "another log") {
		t.Errorf("exit %d, it printed %q and said %q", code, out, errs)
	}
}

// logOf is the id of a cluster's log.
func logOf(t *testing.T, k *cluster.Cluster) string {
	t.Helper()
	var s struct{ Log string }
	if err := json.Unmarshal([]byte(k.Must("status", "-o", "json")), &s); err != nil || s.Log == "" {
		t.Fatalf("status shows log %q, %v", s.Log, err)
	}
	return s.Log
}

// TestLogIsNamed: who says which log is meant is refused by another one, in a sentence with
// both ids; and what is printed as JSON says which log it is of.
func TestLogIsNamed(t *testing.T) {
	a, b := cluster.New(t, 1, 1, 1), cluster.New(t, 1, 1, 1)
	receipt := a.Must("append", "-o", "json", "of A")
	b.Must("append", "of B")
	logA, logB := logOf(t, a), logOf(t, b)
	if want := `"log":"` + logA + `"`; !strings.Contains(receipt, want) || !strings.Contains(a.Must("tail", "-o", "json"), want) {
		t.Errorf("no %s in %s", want, receipt)
	}
	id, _, _ := strings.Cut(receipt[strings.Index(receipt, `"append_id":"`)+len(`"append_id":"`):], `"`)
	a.Must("append", "--log", logA, "of A, too")
	for _, args := range [][]string{{"append", "x"}, {"tail"}, {"tail", "--stale"}, {"read", "1"}, {"resolve", id}, {"status"}} {
		if _, errs, code := a.Run(append(args, "--log", logB)...); code != 1 || !strings.Contains(errs, logA) || !strings.Contains(errs, logB) {
			t.Errorf("%v of another log: exit %d, it said %q", args, code, errs)
		}
		if args[0] != "append" {
			a.Must(append(args, "--log", logA)...)
		}
	}
	if out := a.Must("tail"); out != "of A\nof A, too\n" {
		t.Errorf("A's log is %q", out)
	}
	if _, errs, code := a.Run("tail", "--log", "x"); code != 2 || !strings.Contains(errs, "is no log id") {
		t.Errorf("exit %d, it said %q", code, errs)
	}
}

// TestPartOfAnotherLog: a part of the processes is down, and those that are up are of another log: no
// outage ends there, so the exit code is not that of one.
func TestPartOfAnotherLog(t *testing.T) {
	a, b := cluster.New(t, 1, 2, 1), cluster.New(t, 1, 1, 1)
	a.Must("append", "of A")
	b.Must("append", "of B")
	a.Kill("p2")
	out, errs, code := a.Run("append", "--log", logOf(t, b), "--timeout", "2s", "x")
	if code != command.ExitFailed || out != "" || !strings.Contains(errs, "another log") || strings.Contains(errs, "unknown") {
		t.Errorf("exit %d, it printed %q and said %q", code, out, errs)
	}
	if out := a.Must("tail"); out != "of A\n" {
		t.Errorf("A's log is %q", out)
	}
}

// TestTailMeetsAnotherLog: who follows B, and finds A where B was, is told and does not go on.
func TestTailMeetsAnotherLog(t *testing.T) {
	a, b := cluster.New(t, 1, 1, 1), cluster.New(t, 1, 1, 1)
	a.Must("append", "of A")
	b.Must("append", "of B")
	next, stop := iter.Pull2(b.Client().Tail(t.Context(), client.TailOptions{Follow: true}))
	defer stop()
	if e, err, _ := next(); err != nil || string(e.Value) != "of B" {
		t.Fatalf("%q, %v", e.Value, err)
	}
	follows := b.StartWith("tail", "-f", "--config", b.File)
	takesOver(t, a, b, "l1")
	if e, err, _ := next(); !errors.Is(err, client.ErrOtherLog) {
		t.Errorf("%q, %v", e.Value, err)
	}
	if code, err := follows.Exit(); code != 1 || err != nil || !strings.Contains(follows.Stderr(), "of another log") {
		t.Errorf("exit %d, %v: it said %q", code, err, follows.Stderr())
	}
}
