package main

import (
	"os"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// TestTrim: entries are appended, the oldest deleted, and asked for in every way; a learner that
// has lost its directory begins with the checkpoint and has what is kept; and an acceptor that
// was away over the trim goes on behind it.
func TestTrim(t *testing.T) {
	k := cluster.New(t, 3, 1, 2)
	c := k.Client()
	k.Leader(c)
	k.Kill("a3")
	first := k.Must("append", "-o", "json", "one")
	id := strings.Split(strings.SplitAfter(first, `"append_id":"`)[1], `"`)[0]
	for _, text := range []string{"two", "three", "four", "five"} {
		k.Must("append", text)
	}
	if got := k.Must("trim", "--to", "4"); got != "the first index was 1 and is 4\n" {
		t.Fatal(got)
	}
	// A digit too many deletes nothing, whatever is asked on the way.
	const slip = "paxlog: 50 is ahead of the log, which ends at 5: nothing was deleted; --to 6 deletes all of it\n"
	if out, text, code := k.Run("trim", "--to", "50", "--yes"); code != command.ExitNoIndex || out != "" || text != slip {
		t.Fatalf("%q %q %d", out, text, code)
	}
	if got := k.Must("trim", "--to", "2", "-o", "json"); !strings.Contains(got, `"before":4,"after":4,"asked":2`) {
		t.Fatal(got)
	}
	k.Must("append", "six")
	check := func() {
		t.Helper()
		if out, errors, code := k.Run("read", "3"); code != command.ExitNoIndex || !strings.Contains(errors, "the first index kept is 4") {
			t.Fatalf("%q %q %d", out, errors, code)
		}
		if got := k.Must("tail"); got != "four\nfive\nsix\n" {
			t.Fatal(got)
		}
		if _, errors, code := k.Run("tail", "--from", "1"); code != command.ExitNoIndex || !strings.Contains(errors, "the first index kept is 4") {
			t.Fatalf("%q %d", errors, code)
		}
	}
	check()
	if got := k.Must("resolve", id); got != "chosen below 4\n" {
		t.Fatal(got)
	}
	k.Kill("l1")
	k.Kill("l2")
	dir := k.Data("l1")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	k.Must("init", "--config", k.File, "--id", "l1", "--data", dir)
	k.Start("l1")
	check()
	if got := k.Must("resolve", "-o", "json", id); !strings.Contains(got, `"result":"chosen","index":null,"below":4`) {
		t.Fatal(got)
	}
	k.Start("a3")
	k.Await("a3 goes on behind the trim", func() bool {
		held := map[string]client.Instance{}
		for _, p := range k.Status(c).Processes {
			held[p.ID] = p.Held
		}
		return held["a3"] > 0 && held["a3"] == held["a1"]
	})
	for _, id := range []paxos.NodeID{"a1", "a3", "l1"} {
		k.Kill(id)
		k.Must("inspect", "--verify", k.Data(id))
	}
}

// TestTrimHeldBack: a trim for which no checkpoint can be completed has done nothing, and says so, with
// the learner that is missing.
func TestTrimHeldBack(t *testing.T) {
	k := cluster.New(t, 1, 1, 2)
	k.Must("append", "one", "two")
	k.Kill("l2")
	out, text, code := k.Run("trim", "--to", "2", "--timeout", "30s")
	if code != command.ExitFailed || out != "" || !strings.Contains(text, "nothing was deleted: ") || !strings.Contains(text, "that takes two learners, and l2 is not up") {
		t.Fatalf("%q %q %d", out, text, code)
	}
	k.Start("l2")
	k.Await("it trims", func() bool { _, _, code := k.Run("trim", "--to", "2"); return code == command.ExitDone })
}
