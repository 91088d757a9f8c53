package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// oldBinary builds the release that testdata/old-version names, of which processes may
// still run beside those of this one.
func oldBinary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds an older release")
	}
	named, err := os.ReadFile("testdata/old-version")
	if err != nil {
		t.Fatal(err)
	}
	commit, dir := strings.TrimSpace(string(named)), t.TempDir()
	tar := filepath.Join(dir, "old.tar")
	for _, c := range [][]string{
		{"git", "-C", "../..", "archive", "--output", tar, commit},
		{"tar", "-x", "-f", tar, "-C", dir},
		{"go", "build", "-C", dir, "-o", filepath.Join(dir, "paxlog"), "./cmd/paxlog"},
	} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%s cannot be built here, so old and new are not tried together: %v: %v\n%s", commit, c, err, out)
		}
	}
	return filepath.Join(dir, "paxlog")
}

// TestOldAndNew: a cluster in which some processes are of the older release takes appends
// and answers reads of both, while processes of each kind are replaced and one goes back.
func TestOldAndNew(t *testing.T) {
	binary := oldBinary(t)
	// The older release takes the place of this one's program.
	instead := filepath.Join(t.TempDir(), "instead")
	if err := os.WriteFile(instead, fmt.Appendf(nil, "#!/bin/sh\nshift\nexec %s \"$@\"\n", binary), 0o755); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	old := map[paxos.NodeID]bool{"a1": true, "a2": true, "p1": true, "l1": true}
	k := cluster.New(t, 3, 2, 2, cluster.Under(func(id paxos.NodeID) []string {
		mu.Lock()
		defer mu.Unlock()
		if old[id] {
			return []string{instead}
		}
		return nil
	}))
	var want strings.Builder
	both := func(step string) {
		t.Helper()
		k.Must("append", step+", by the new one")
		out, err := exec.Command(binary, "append", "--config", k.File, step+", by the old one").CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", step, err, out)
		}
		fmt.Fprintf(&want, "%s, by the new one\n%s, by the old one\n", step, step)
		if got := k.Must("tail"); got != want.String() {
			t.Fatalf("%s: the new one reads %q", step, got)
		}
		got, err := exec.Command(binary, "tail", "--config", k.File).Output()
		if err != nil || string(got) != want.String() {
			t.Fatalf("%s: the old one reads %q, %v", step, got, err)
		}
	}
	both("mixed")
	// What the older release does not know is told in a sentence, at once.
	oldIsTold := func(want string, args ...string) {
		t.Helper()
		if out, errs, code := k.Run(args...); code != command.ExitFailed || !strings.Contains(errs, want) {
			t.Errorf("paxlog %v: exit %d, %s%s", args, code, out, errs)
		}
	}
	oldIsTold("p1: it runs an older release, which does not know this", "drain", "p1")
	if k.Leader(k.Client()) == "p1" {
		oldIsTold("p1: it runs an older release, which does not know this", "leader", "transfer")
	} else {
		oldIsTold("p1 has not answered within 100 ms: it hangs, or is of a release that cannot take over", "leader", "transfer")
	}
	for _, id := range []paxos.NodeID{"a1", "p1", "l1", "a3"} {
		k.Kill(id)
		mu.Lock()
		old[id] = !old[id]
		mu.Unlock()
		k.Start(id)
		both(string(id) + " replaced")
	}
}
