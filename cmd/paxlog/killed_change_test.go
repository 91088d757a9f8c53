package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// TestKilledAmidChange: while acceptors are added and removed, somebody is killed at a random time:
// the command, the leader, the newcomer, or any acceptor. The log ends in the configuration before or
// in the one after, the command run again ends in the one after, and the load goes on.
//
// PAXLOG_ROUNDS is how many acceptors are exchanged, 2 by default.
func TestKilledAmidChange(t *testing.T) {
	k := cluster.New(t, 3, 2, 1)
	r := cluster.Seed(t, "./cmd/paxlog")
	c := k.Client()
	k.Leader(c)
	load := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 2, Pace: 10 * time.Millisecond})
	h := harmed{t: t, k: k, r: r, now: []paxos.NodeID{"a1", "a2", "a3"}, kills: map[string]int{}}
	for round := range cluster.Number(t, "PAXLOG_ROUNDS", 2) {
		with, old := paxos.NodeID(fmt.Sprintf("a%d", round+4)), h.now[r.IntN(len(h.now))]
		k.Join(with)
		h.await("it has joined", func() bool {
			out, _, _ := k.Run("member", "list") // nobody may lead yet
			return strings.Contains(out, string(with)+" ")
		})
		h.change(with, with, "add", string(with))
		h.change(with, "", "remove", string(old))
		k.Kill(old)
		if err := os.RemoveAll(k.Data(old)); err != nil {
			t.Fatal(err)
		}
		load.Await(20, fmt.Sprintf("round %d", round))
	}
	t.Logf("killed: %v; before the command was run again the change was made %d times, and not %d times", h.kills, h.made, h.unmade)
	k.Check(load)
}

// harmed is a cluster whose acceptors change while somebody is killed.
type harmed struct {
	t            *testing.T
	k            *cluster.Cluster
	r            *rand.Rand
	now          []paxos.NodeID // the acceptors
	kills        map[string]int
	made, unmade int
}

func (h *harmed) await(what string, holds func() bool) {
	h.t.Helper()
	h.k.Await(fmt.Sprintf("%v: %s", h.now, what), holds)
}

// change has a change made amid which somebody is killed.
func (h *harmed) change(newcomer, comes paxos.NodeID, args ...string) {
	h.t.Helper()
	k := h.k
	after := slices.DeleteFunc(append(slices.Clone(h.now), comes), func(id paxos.NodeID) bool { return id == "" || args[0] == "remove" && string(id) == args[1] })
	args = append([]string{"member"}, append(args, "--config", k.File, "--timeout", "20s")...)
	command := k.StartWith(args...)
	time.Sleep(time.Duration(h.r.IntN(400)) * time.Millisecond)
	kinds := []string{"the command", "the leader", "the newcomer", "an acceptor"}
	kind := kinds[h.r.IntN(len(kinds))]
	h.kills[kind]++
	var victim paxos.NodeID
	switch kind {
	case "the command":
		_ = syscall.Kill(command.PID(), syscall.SIGKILL)
	case "the leader":
		if victim = paxos.NodeID(h.k.Status(k.Client()).Leader); victim == "" {
			victim = "p1"
		}
	case "the newcomer":
		victim = newcomer
	default:
		victim = h.now[h.r.IntN(len(h.now))]
	}
	if victim != "" {
		k.Kill(victim)
		if _, _, named := k.Config.Lookup(victim); named {
			k.Start(victim)
		} else {
			k.StartJoined(victim)
		}
	}
	if _, err := command.Exit(); err != nil {
		h.t.Fatalf("%v: %v", args, err)
	}
	h.await("somebody leads, in one of the two configurations", func() bool {
		list, is := h.acceptors()
		switch {
		case slices.Equal(list, after):
			h.made++
		case slices.Equal(list, h.now):
			h.unmade++
		case is:
			h.t.Fatalf("the acceptors are %v: neither %v nor %v", list, h.now, after)
		}
		return is
	})
	var out, errs string
	h.await(strings.Join(args, " "), func() bool {
		var code int
		out, errs, code = k.Run(args...)
		return code == 0
	})
	if list, is := h.acceptors(); is && !slices.Equal(list, after) {
		h.t.Fatalf("%v: the acceptors are %v: %s%s", args, list, out, errs)
	}
	h.now = after
}

// acceptors are those of the newest configuration, if somebody leads.
func (h *harmed) acceptors() (ids []paxos.NodeID, is bool) {
	out, _, code := h.k.Run("member", "list", "-o", "json")
	var m shapes.Members
	if code != 0 || json.Unmarshal([]byte(out), &m) != nil {
		return nil, false
	}
	for _, a := range m.Acceptors {
		if a.Member {
			ids = append(ids, paxos.NodeID(a.ID))
		}
	}
	slices.SortFunc(ids, func(a, b paxos.NodeID) int { return cmp.Or(len(a)-len(b), cmp.Compare(a, b)) }) // a9 comes before a10
	return ids, true
}
