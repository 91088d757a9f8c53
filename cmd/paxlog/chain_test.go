package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

// stopped ends a process as an operator does, so that all it wrote is on disk.
func stopped(k *cluster.Cluster, id paxos.NodeID) {
	p := k.Process(id)
	k.Signal(id, syscall.SIGTERM)
	<-p.Done()
	k.Kill(id)
}

// silent is a logger of Pebble that says nothing.
type silent struct{}

func (silent) Infof(string, ...any)              {}
func (silent) Errorf(string, ...any)             {}
func (silent) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// edit changes the records of a data directory, as somebody might by hand: a record becomes
// what change returns, unless that is nil.
func edit(t *testing.T, dir string, change func(key, value []byte) []byte) {
	t.Helper()
	db, err := pebble.Open(filepath.Join(dir, "db"), &pebble.Options{ErrorIfNotExists: true, Logger: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	changed := map[string][]byte{}
	for ok := it.First(); ok; ok = it.Next() {
		if v := change(slices.Clone(it.Key()), slices.Clone(it.Value())); v != nil {
			changed[string(it.Key())] = v
		}
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	if len(changed) == 0 {
		t.Fatal("there is nothing to change")
	}
	for k, v := range changed {
		if err := db.Set([]byte(k), v, pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
}

// learners are the learners as `status -o json` shows them.
func learners(t *testing.T, k *cluster.Cluster) map[string]map[string]any {
	t.Helper()
	out, _, _ := k.Run("status", "-o", "json")
	var s struct{ Learners []map[string]any }
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	byID := map[string]map[string]any{}
	for _, l := range s.Learners {
		byID[l["id"].(string)] = l
	}
	return byID
}

// isWrong waits until l2 says that it is wrong, checks that it serves nobody, also after a
// restart, and that the cluster goes on with l1.
func isWrong(t *testing.T, k *cluster.Cluster) {
	t.Helper()
	for range 2 {
		k.Await("l2 finds out that it is wrong", func() bool { return learners(t, k)["l2"]["reason"] != nil })
		k.Await("it says so", func() bool { return strings.Contains(k.Process("l2").Stderr(), "this learner is wrong: ") })
		if table := k.Must("status"); !strings.Contains(table, "wrong") || !strings.Contains(table, "l2 serves nobody: ") || !strings.Contains(table, "paxlog init") {
			t.Error(table)
		}
		for _, flags := range [][]string{{"--stale"}, {}} {
			if out, errors, code := k.Run(append([]string{"tail", "--learner", "l2", "--timeout", "1s"}, flags...)...); code == 0 || out != "" {
				t.Errorf("it serves %q, exit %d: %s", out, code, errors)
			}
		}
		k.Must("append", "goes on")
		if out, _, code := k.Run("can-i-stop", "l1"); code != 1 || !strings.Contains(out, "l2 is wrong") {
			t.Errorf("%d, %s", code, out)
		}
		stopped(k, "l2")
		if out := k.Must("inspect", "-o", "json", k.Data("l2")); !strings.Contains(out, `"wrong":"`) {
			t.Error(out)
		}
		k.Start("l2")
	}
	if l1 := learners(t, k)["l1"]; l1["reason"] != nil || l1["chain"] == nil {
		t.Errorf("%v", l1)
	}
	if out := k.Must("tail", "-n", "3"); out != "one\ntwo\nthree\n" {
		t.Errorf("%q", out)
	}
	stopped(k, "l1")
	k.Must("inspect", "--verify", k.Data("l1"))
	if _, errors, code := k.Run("status"); code != 3 || !strings.Contains(errors, "no learner serves") || !strings.Contains(errors, "l2 has another log than was chosen") {
		t.Errorf("%d, %s", code, errors)
	}
}

// threeEntries is a cluster with two learners that have three entries, of which l2 is stopped.
func threeEntries(t *testing.T) *cluster.Cluster {
	t.Helper()
	k := cluster.New(t, 3, 1, 2)
	for _, text := range []string{"one", "two", "three"} {
		k.Must("append", text)
	}
	c := k.Client()
	k.Await("both learners have them, and the same chain", func() bool {
		chains := map[client.Chain]int{}
		for _, p := range k.Status(c).Processes {
			if p.Role == client.RoleLearner && p.Last == 3 && !p.Chain.IsZero() {
				chains[p.Chain]++
			}
		}
		return len(chains) == 1 && chains[chainOf(chains)] == 2
	})
	stopped(k, "l2")
	k.Must("inspect", "--verify", k.Data("l2"))
	return k
}

func chainOf(chains map[client.Chain]int) (one client.Chain) {
	for one = range chains {
	}
	return one
}

// TestChangedValue: a value that a learner stored is changed by hand.
func TestChangedValue(t *testing.T) {
	k := threeEntries(t)
	at := uint64(0)
	edit(t, k.Data("l2"), func(key, value []byte) []byte {
		if key[0] != 'c' || !bytes.Contains(value, []byte("two")) {
			return nil
		}
		at = binary.BigEndian.Uint64(key[1:])
		return bytes.ReplaceAll(value, []byte("two"), []byte("TWO"))
	})
	_, errors, code := k.Run("inspect", "--verify", k.Data("l2"))
	if want := "instance " + fmt.Sprint(at) + " is the first that does not fit the chain"; code != 1 || !strings.Contains(errors, want) {
		t.Errorf("%d, %q is not in %s", code, want, errors)
	}
	k.Start("l2")
	isWrong(t, k)
}

// TestOtherValue: a learner has another value, and the chain that goes with it: as if it had
// applied that by a bug. Only another learner's chain, and acceptors, tell.
func TestOtherValue(t *testing.T) {
	k := threeEntries(t)
	dir := k.Data("l2")
	edit(t, dir, func(key, value []byte) []byte {
		if key[0] != 'c' || !bytes.Contains(value, []byte("two")) {
			return nil
		}
		return bytes.ReplaceAll(value, []byte("two"), []byte("TWO"))
	})
	store, err := wal.Inspect(vfs.Default, dir)
	if err != nil {
		t.Fatal(err)
	}
	all, err := store.Load(paxos.Load{Kind: paxos.LoadVotes, From: 1, To: 1 << 40, MaxBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	var chain paxos.Chain
	chains := map[paxos.Instance]paxos.Chain{}
	for _, v := range all.Votes {
		chain = chain.Next(v.Instance, &v.Value)
		chains[v.Instance] = chain
	}
	edit(t, dir, func(key, value []byte) []byte {
		switch key[0] {
		case 'c':
			own := chains[paxos.Instance(binary.BigEndian.Uint64(key[1:]))]
			copy(value[1:], own[:])
		case 'l':
			copy(value[len(value)-len(chain):], chain[:])
		default:
			return nil
		}
		return value
	})
	k.Must("inspect", "--verify", dir)
	k.Start("l2")
	k.Await("l2 is wrong by what acceptors hold", func() bool {
		return strings.Contains(k.Process("l2").Stderr(), "on at the latest its log is not what was chosen")
	})
	isWrong(t, k)
}

// TestChangedSession: what a learner stored of a session is changed by hand. It is found out
// at the next checkpoint.
func TestChangedSession(t *testing.T) {
	k := threeEntries(t)
	var newest string
	edit(t, k.Data("l2"), func(key, value []byte) []byte {
		if key[0] != 'd' {
			return nil
		}
		newest = string(key)
		return value
	})
	edit(t, k.Data("l2"), func(key, value []byte) []byte {
		if string(key) != newest {
			return nil
		}
		value[len(value)-1] ^= 1 // whether the session is closed
		return value
	})
	k.Start("l2")
	k.Run("trim", "--to", "1") // for which a checkpoint is made
	isWrong(t, k)
}
