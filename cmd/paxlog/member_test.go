package main

import (
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
)

// TestMemberReplace: under a load the machine of an acceptor dies for good. A newcomer is
// refused until it has joined, copies, takes its place, and then another one may die. The old
// directory is started again, and refused. Clients and processes with the first cluster file
// go on all the while.
func TestMemberReplace(t *testing.T) {
	k := cluster.New(t, 3, 2, 1)
	c := k.Client()
	k.Leader(c)
	load := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 2, Pace: 5 * time.Millisecond})
	refused := func(says string, args ...string) {
		t.Helper()
		k.Await("it is refused: "+says, func() bool {
			_, errs, code := k.Run(args...)
			return code == command.ExitFailed && strings.Contains(errs, says)
		})
	}
	refused("no acceptor a4 has joined", "member", "replace", "a2", "--with", "a4")
	k.Join("a4")
	k.Await("a4 copies", func() bool { return strings.Contains(k.Must("member", "list"), "copies the log") })
	refused("a2 lives and votes", "member", "replace", "a2", "--with", "a4")
	refused("a9 is no acceptor of this log", "member", "replace", "a9", "--with", "a4")
	refused("phase1", "member", "add", "a4", "--quorum", "phase1=2,phase2=2")
	if _, errs, code := k.Run("member", "add", "a4", "--quorum", "3"); code != command.ExitUsage || !strings.Contains(errs, "phase1=N,phase2=N") {
		t.Errorf("quorums that are none: %d %s", code, errs)
	}
	k.Kill("a2")
	var done string
	k.Await("a4 takes the place of a2", func() bool {
		out, errs, code := k.Run("member", "replace", "a2", "--with", "a4", "--timeout", "30s")
		done = out + errs
		return code == 0
	})
	if !strings.Contains(done, "the acceptors are a1, a3, a4 since epoch 2") || !strings.Contains(done, "a2 may be switched off") {
		t.Fatal(done)
	}
	if again := k.Must("member", "replace", "a2", "--with", "a4"); !strings.Contains(again, "since epoch 2") {
		t.Fatal(again)
	}
	k.Await("status shows who votes now", func() bool {
		out := k.Must("status", "-o", "json")
		return strings.Count(out, `"voting":true`) == 3 && strings.Contains(out, `"id":"a4"`) && strings.Contains(out, `"member":false`)
	})
	if out := k.Must("can-i-stop", "a4"); !strings.Contains(out, "acceptors left: 2 of 3 (a1, a3), 2 needed") {
		t.Error(out)
	}
	k.Kill("a1")
	load.Await(50, "a3 and a4 alone")
	if out, _, code := k.Run("can-i-stop", "a4"); code != command.ExitFailed || !strings.Contains(out, "1 of 3 acceptors would be left, and 2 are needed: a1 is not up") {
		t.Errorf("%d %s", code, out)
	}
	old := k.Start("a2")
	k.Await("the old directory is refused", func() bool { return strings.Contains(old.Stderr(), "is an acceptor of this log no more") })
	k.Kill("p1")
	k.Start("p1") // it knows the first cluster file, and nothing else
	k.Kill("p2")
	k.Await("p1 leads", func() bool { return k.Leader(c) == "p1" })
	load.Await(50, "a leader that was started since")
	load.Stop()
	k.Check(load)
	k.Kill("a4")
	k.StartJoined("a4")
	k.Must("append", "--timeout", "30s", "after a4 was started again")
	if list := k.Must("member", "list", "-o", "json"); !strings.Contains(list, `"id":"a4"`) || !strings.Contains(list, `"epoch":2`) {
		t.Fatal(list)
	}
}
