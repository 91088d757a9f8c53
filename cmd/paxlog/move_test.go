package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// TestMove: under a load, with somebody who follows the log, all acceptors, proposers and learners
// are moved one after the other to new addresses and new directories, until none of the first
// processes is left. Nothing is lost, repeated or reordered. Who began with the first cluster file
// goes on, and who begins now needs a file that names one living process.
//
// PAXLOG_MOVES=N moves everything N times.
func TestMove(t *testing.T) {
	k := cluster.New(t, 3, 2, 2)
	c := k.Client()
	k.Leader(c)
	load := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 4, Pace: 5 * time.Millisecond})
	seen := following(t, k)
	load.Await(100, "before anything moves")

	now := k.IDs()
	first := slices.Clone(now)
	var longest time.Duration
	for round := range cluster.Number(t, "PAXLOG_MOVES", 1) {
		if round > 0 {
			refile(t, k, now)
		}
		for i, id := range now {
			with := paxos.NodeID(fmt.Sprintf("%c%d%s", id[0], round+2, id[len(id)-1:]))
			began := time.Now()
			k.Join(with)
			move(t, k, id, with)
			k.Kill(id)
			now[i] = with
			load.Await(50, fmt.Sprintf("after %s has taken the place of %s", with, id))
			waited := load.Waited()
			t.Logf("%s moved to %s in %v: no append waited more than %v", id, with, time.Since(began).Round(time.Millisecond), waited.Round(time.Millisecond))
			longest = max(longest, waited)
		}
	}
	t.Logf("no append waited more than %v", longest.Round(time.Millisecond))
	for _, id := range first {
		if k.Process(id) != nil {
			t.Fatalf("%s runs", id)
		}
	}
	if err := load.Append(); err != nil {
		t.Fatalf("with the first cluster file: %v", err)
	}
	end := load.Highest()
	k.Await("who followed from the beginning has all", func() bool { return seen.Load() >= end })
	whoBegins(t, k, now)
	whoJoins(t, k, now)
	k.Config.Acceptors, k.Config.Proposers, k.Config.Learners = nodes(k, now, 'a'), nodes(k, now, 'p'), nodes(k, now, 'l')
	k.Check(load)
}

// refile writes the cluster file anew, for what is started next: it names the proposers and learners
// that live. Its acceptors are those with which the log began.
func refile(t *testing.T, k *cluster.Cluster, now []paxos.NodeID) {
	t.Helper()
	c := *k.Config
	c.Proposers, c.Learners = nodes(k, now, 'p'), nodes(k, now, 'l')
	yaml, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(k.File, yaml, 0o644); err != nil {
		t.Fatal(err)
	}
}

// following follows the log with a client that knows the first cluster file. It returns the index up
// to which it has seen every entry.
func following(t *testing.T, k *cluster.Cluster) *atomic.Uint64 {
	var seen atomic.Uint64
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	c := k.Client()
	go func() {
		defer close(ended)
		for e, err := range c.Tail(ctx, client.TailOptions{Follow: true}) {
			if err != nil || uint64(e.Index) != seen.Load()+1 {
				if ctx.Err() == nil {
					t.Errorf("who follows the log is told index %d after %d: %v", e.Index, seen.Load(), err)
				}
				return
			}
			seen.Store(uint64(e.Index))
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return &seen
}

// move puts a process into the place of another one.
func move(t *testing.T, k *cluster.Cluster, id, with paxos.NodeID) {
	t.Helper()
	// What passes by itself: the newcomer is not there yet, or has not caught up; nobody leads.
	passes := []string{"try again", "has joined", "answers at", "no proposer leads"}
	again := func(args ...string) {
		t.Helper()
		args = append([]string{"member"}, append(args, "--timeout", "30s")...)
		var out, errs string
		var code int
		k.Await(strings.Join(args, " "), func() bool {
			out, errs, code = k.Run(args...)
			return code == 0 || !slices.ContainsFunc(passes, func(s string) bool { return strings.Contains(errs, s) })
		})
		if code != 0 {
			t.Fatalf("%v: exit %d: %s%s", args, code, out, errs)
		}
	}
	if id[0] == 'a' {
		again("add", string(with))
		again("remove", string(id))
		return
	}
	again("replace", string(id), "--with", string(with), "--addr", k.Address(with))
}

func nodes(k *cluster.Cluster, ids []paxos.NodeID, role byte) (out []config.Node) {
	for _, id := range ids {
		if id[0] == role {
			out = append(out, config.Node{ID: id, Addr: k.Address(id)})
		}
	}
	return out
}

// whoBegins: a client whose file names one process that lives, of whichever role, finds the others.
func whoBegins(t *testing.T, k *cluster.Cluster, now []paxos.NodeID) {
	t.Helper()
	for _, role := range []byte{'a', 'p', 'l'} {
		c := *k.Config
		living := nodes(k, now, role)[0]
		list := map[byte]*[]config.Node{'a': &c.Acceptors, 'p': &c.Proposers, 'l': &c.Learners}[role]
		*list = append(slices.Clone(*list)[1:], living)
		file := write(t, &c)
		for _, args := range [][]string{{"status"}, {"tail", "-n", "1", "--timeout", "20s"}, {"member", "list"}} {
			out, errs, code := k.Run(append(args, "--config", file)...)
			if code != 0 || out == "" {
				t.Errorf("a file that names %s alone: %v exits with %d: %s%s", living.ID, args, code, out, errs)
			}
		}
	}
}

// write writes a cluster file, and returns its name.
func write(t *testing.T, c *config.Cluster) string {
	t.Helper()
	yaml, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "paxlog.yaml")
	if err := os.WriteFile(file, yaml, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// whoJoins: a newcomer whose cluster file names nobody who lives is told where any process of the log is,
// of whichever role, and finds the others by that.
func whoJoins(t *testing.T, k *cluster.Cluster, now []paxos.NodeID) {
	t.Helper()
	initialise := func(id paxos.NodeID, role, from string) (string, int) {
		_, errs, code := k.Run("init", "--join", "--role", role, "--id", string(id), "--addr", k.Address(id), "--data", k.Data(id), "--from", from)
		return errs, code
	}
	if errs, code := initialise("a9", "acceptor", k.Address("nobody")); code != command.ExitUnavailable || !strings.Contains(errs, "says who the processes of this log are") {
		t.Errorf("nobody is there: %d %s", code, errs)
	}
	if _, err := os.Stat(k.Data("a9")); !os.IsNotExist(err) {
		t.Errorf("a directory was made: %v", err)
	}
	c := *k.Config // of who asks for the changes
	c.Learners = append(slices.Clone(c.Learners)[1:], nodes(k, now, 'l')[0])
	file := write(t, &c)
	knows := func(role byte) string { return nodes(k, now, role)[0].Addr }
	for id, from := range map[paxos.NodeID]string{"a9": knows('l'), "l9": knows('a'), "p9": knows('p')} {
		role := map[byte]string{'a': "acceptor", 'l': "learner", 'p': "proposer"}[id[0]]
		args := []string{role, "--config", k.File, "--id", string(id)}
		if role == "proposer" {
			args = append(args, "--join", "--addr", k.Address(id), "--from", from)
		} else if errs, code := initialise(id, role, from); code != command.ExitDone {
			t.Fatal(errs)
		} else {
			args = append(args, "--data", k.Data(id))
		}
		started, why := k.StartWith(args...), ""
		t.Cleanup(func() {
			_ = syscall.Kill(started.PID(), syscall.SIGKILL)
			if t.Failed() {
				t.Logf("%s: %s\n%s", id, why, started.Stderr())
			}
		})
		k.Await(string(id)+" is added", func() bool {
			var code int
			_, why, code = k.Run("member", "add", string(id), "--config", file, "--role", role, "--addr", k.Address(id), "--timeout", "20s")
			return code == command.ExitDone
		})
	}
}
