package main

import (
	"os"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// TestDirectoriesAreTheirOwners: init makes a data directory for its owner only, and one
// that others can read is told when it is used, with what to do.
func TestDirectoriesAreTheirOwners(t *testing.T) {
	k := cluster.New(t, 1, 1, 1)
	const told = "others on this host can read this directory"
	for _, id := range k.IDs() {
		if strings.Contains(k.Process(id).Stderr(), told) {
			t.Errorf("%s: %s", id, k.Process(id).Stderr())
		}
	}
	for _, id := range []paxos.NodeID{"a1", "l1"} {
		info, err := os.Stat(k.Data(id))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v", id, info.Mode())
		}
	}
	k.Kill("a1")
	if err := os.Chmod(k.Data("a1"), 0o750); err != nil {
		t.Fatal(err)
	}
	p := k.Start("a1")
	k.Await("a line that tells it", func() bool {
		errs := p.Stderr()
		return strings.Contains(errs, told) && strings.Contains(errs, "-rwxr-x---") && strings.Contains(errs, "chmod go= "+k.Data("a1"))
	})
	k.Must("append", "x")
}
