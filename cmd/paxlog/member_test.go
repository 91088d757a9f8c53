package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
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

// neverArrives has a newcomer made a member by a change, and its machine die before it has arrived:
// it is stopped before the change, so it does not get what it would take.
func neverArrives(t *testing.T, k *cluster.Cluster, id paxos.NodeID, change ...string) {
	t.Helper()
	k.Join(id)
	k.Await(string(id)+" copies", func() bool {
		out, _, _ := k.Run("member", "list")
		return strings.Contains(out, "copies the log and does not vote")
	})
	k.Signal(id, syscall.SIGSTOP)
	args := slices.Concat([]string{"member"}, change, []string{"--config", k.File, "--timeout", "20s"})
	made, declined, list := k.StartWith(args...), "", ""
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%v: %s; %s%s", args, declined, list, made.Stderr())
		}
	})
	k.Await("the change is made", func() bool {
		select {
		case <-made.Done(): // it was declined: a leader is new, or counts one that was just lost
			declined = made.Stderr()
			made = k.StartWith(args...)
		default:
		}
		list, _, _ = k.Run("member", "list", "-o", "json")
		return strings.Contains(list, `"coming":"`+string(id)+`"`)
	})
	k.Kill(id)
	_ = syscall.Kill(made.PID(), syscall.SIGKILL)
	<-made.Done()
}

// TestMemberCancel: under a load an acceptor is added whose machine dies before it has arrived. That
// is cancelled, and then another one is added. An addition is declined that would stop the log until
// the newcomer has arrived.
func TestMemberCancel(t *testing.T) {
	k := cluster.New(t, 3, 2, 1)
	c := k.Client()
	k.Leader(c)
	load := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 1, Pace: 50 * time.Millisecond})
	load.Await(3, "at the beginning")
	if out := k.Must("member", "cancel"); !strings.Contains(out, "nothing is to be cancelled") {
		t.Error(out)
	}
	neverArrives(t, k, "a4", "add", "a4")
	load.Await(10, "without a4")
	k.Await("the list says so", func() bool { return strings.Contains(k.Must("member", "list"), "down, and has not arrived") })
	var out string
	k.Await("it is cancelled", func() bool {
		var code int
		out, _, code = k.Run("member", "cancel", "--timeout", "30s")
		return code == command.ExitDone
	})
	if !strings.Contains(out, "the acceptors are a1, a2, a3 since epoch 3 (phase1 2, phase2 2)") || !strings.Contains(out, "a4 may be switched off") {
		t.Error(out)
	}
	if again := k.Must("member", "cancel"); !strings.Contains(again, "nothing is to be cancelled") {
		t.Error(again)
	}
	old := k.StartJoined("a4")
	k.Await("a4 is refused from now on", func() bool { return strings.Contains(old.Stderr(), "is an acceptor of this log no more") })
	k.Join("a5")
	k.Kill("a2")
	k.Await("an addition is declined on which the log would hang", func() bool {
		_, errs, code := k.Run("member", "add", "a5")
		return code == command.ExitFailed && strings.Contains(errs, "until a5 has arrived, 3 acceptors that vote would be needed and there are 2")
	})
	k.Start("a2")
	k.Await("a5 is added", func() bool {
		_, _, code := k.Run("member", "add", "a5", "--timeout", "30s")
		return code == command.ExitDone
	})
	load.Await(10, "with a5")
	load.Stop()
	k.Check(load)
}

// TestMemberWiped: a second a2 is begun by mistake: it takes nothing from the first, whatever it is
// ordered. Then a2 dies, its disk is gone, and it comes back with an empty directory, in the place of
// itself, twice.
func TestMemberWiped(t *testing.T) {
	k := cluster.New(t, 3, 2, 1)
	c := k.Client()
	k.Leader(c)
	load := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 2, Pace: 5 * time.Millisecond})
	load.Await(50, "at the beginning")
	replace := []string{"member", "replace", "a2", "--with", "a2", "--timeout", "30s"}
	k.Await("nobody has joined as a2", func() bool {
		_, errs, code := k.Run(replace...)
		return code == command.ExitFailed && strings.Contains(errs, "paxlog init --join --id a2")
	})
	second := filepath.Join(t.TempDir(), "a2")
	out := k.Must("init", "--config", k.File, "--join", "--id", "a2", "--addr", k.Address("a2x"), "--data", second)
	if !strings.Contains(out, "start it with --id a2") {
		t.Error(out)
	}
	mistaken := k.StartWith("acceptor", "--config", k.File, "--id", "a2", "--data", second)
	for _, args := range [][]string{replace, append(slices.Clone(replace), "--force")} {
		k.Await("it is refused", func() bool {
			_, errs, code := k.Run(args...)
			return code == command.ExitFailed && strings.Contains(errs, "a2 lives and votes, so its disk is not gone")
		})
	}
	load.Await(50, "beside a second a2")
	if list := k.Must("member", "list", "-o", "json"); !strings.Contains(list, `"epoch":1`) {
		t.Error(list)
	}
	_ = syscall.Kill(mistaken.PID(), syscall.SIGKILL)
	<-mistaken.Done()
	for _, epoch := range []string{"since epoch 2", "since epoch 3"} {
		k.Kill("a2")
		if err := os.RemoveAll(k.Data("a2")); err != nil {
			t.Fatal(err)
		}
		k.Must("init", "--config", k.File, "--join", "--id", "a2", "--data", k.Data("a2"))
		k.Start("a2")
		var out, errs string
		k.Await("a2 comes back", func() bool {
			var code int
			out, errs, code = k.Run(replace...)
			return code == command.ExitDone
		})
		if !strings.Contains(out, epoch) || !strings.Contains(out, "the acceptors are a1, a2-") {
			t.Fatal(out, errs)
		}
		if again := k.Must(replace...); !strings.Contains(again, epoch) {
			t.Fatal(again)
		}
	}
	k.Kill("a1")
	load.Await(50, "with the empty directory that a2 came back with")
	load.Stop()
	k.Check(load)
}
