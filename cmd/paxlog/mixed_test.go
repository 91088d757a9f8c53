package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// old is the program of the release that testdata/old-version names, of which processes may
// still run beside those of this one. It is built once.
var old struct {
	once sync.Once
	dir  string
	why  string // it cannot be built here
}

// oldBinary is its path. Where it cannot be built, the test is skipped.
func oldBinary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds an older release")
	}
	named, err := os.ReadFile("testdata/old-version")
	if err != nil {
		t.Fatal(err)
	}
	commit := strings.TrimSpace(string(named))
	old.once.Do(func() {
		if old.dir, err = os.MkdirTemp("", "paxlog-old-"); err != nil {
			old.why = err.Error()
			return
		}
		tar := filepath.Join(old.dir, "old.tar")
		for _, c := range [][]string{
			{"git", "-C", "../..", "archive", "--output", tar, commit},
			{"tar", "-x", "-f", tar, "-C", old.dir},
			{"go", "build", "-C", old.dir, "-o", filepath.Join(old.dir, "paxlog"), "./cmd/paxlog"},
		} {
			if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
				old.why = fmt.Sprintf("%v: %v\n%s", c, err, out)
				return
			}
		}
	})
	if old.why != "" {
		t.Skipf("%s cannot be built here, so old and new are not tried together: %s", commit, old.why)
	}
	return filepath.Join(old.dir, "paxlog")
}

// removeOldBinary removes what oldBinary built.
func removeOldBinary() {
	if old.dir != "" {
		_ = os.RemoveAll(old.dir)
	}
}

// mixed is a cluster of which each process runs this release's program or the older one's.
type mixed struct {
	*cluster.Cluster
	t      *testing.T
	binary string // of the older release

	mu    sync.Mutex
	older map[paxos.NodeID]bool
}

// newMixed starts one of 3 acceptors, 2 proposers and 2 learners. Those of older run the older
// program, with directories that it has made.
func newMixed(t *testing.T, older ...paxos.NodeID) *mixed {
	t.Helper()
	m := &mixed{t: t, binary: oldBinary(t), older: map[paxos.NodeID]bool{}}
	// The older release takes the place of this one's program.
	instead := filepath.Join(t.TempDir(), "instead")
	if err := os.WriteFile(instead, fmt.Appendf(nil, "#!/bin/sh\nshift\nexec %s \"$@\"\n", m.binary), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, id := range older {
		m.older[id] = true
	}
	m.Cluster = cluster.New(t, 3, 2, 2, cluster.InitBy(m.binary), cluster.Under(func(id paxos.NodeID) []string {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.older[id] {
			return []string{instead}
		}
		return nil
	}))
	return m
}

// install says which program a process runs from its next start on.
func (m *mixed) install(id paxos.NodeID, older bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.older[id] = older
}

// replace stops a process in good order, and starts it with the other program.
func (m *mixed) replace(id paxos.NodeID, older bool) {
	m.t.Helper()
	m.stop(id)
	m.install(id, older)
	m.Start(id)
}

// stop stops a process in good order.
func (m *mixed) stop(id paxos.NodeID) {
	m.t.Helper()
	p := m.Process(id)
	m.Signal(id, syscall.SIGTERM)
	if code, err := p.Exit(); code != 0 || err != nil {
		m.t.Fatalf("%s: exit code %d, %v: %s", id, code, err, p.Stderr())
	}
}

// byOld runs the older program to its end.
func (m *mixed) byOld(args ...string) (out string, code int) {
	cmd := exec.Command(m.binary, args...)
	text, _ := cmd.CombinedOutput()
	return string(text), cmd.ProcessState.ExitCode()
}

// TestOldAndNew: a cluster in which some processes are of the older release takes appends
// and answers reads of both, while processes of each kind are replaced and one goes back.
func TestOldAndNew(t *testing.T) {
	k := newMixed(t, "a1", "a2", "p1", "l1")
	var want strings.Builder
	both := func(step string) {
		t.Helper()
		k.Must("append", step+", by the new one")
		if out, code := k.byOld("append", "--config", k.File, step+", by the old one"); code != 0 {
			t.Fatalf("%s: exit %d: %s", step, code, out)
		}
		fmt.Fprintf(&want, "%s, by the new one\n%s, by the old one\n", step, step)
		if got := k.Must("tail"); got != want.String() {
			t.Fatalf("%s: the new one reads %q", step, got)
		}
		if got, code := k.byOld("tail", "--config", k.File); code != 0 || got != want.String() {
			t.Fatalf("%s: the old one reads %q, exit %d", step, got, code)
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
		k.install(id, id == "a3")
		k.Start(id)
		both(string(id) + " replaced")
	}
}
