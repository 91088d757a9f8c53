package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/internal/cluster"
)

// TestRefusedProposer: a proposer with the file of another cluster is refused by every
// acceptor that it reaches, and does not say that it serves.
func TestRefusedProposer(t *testing.T) {
	k := cluster.New(t, 3, 1, 1)
	k.Leader(k.Client()) // all of it is up
	other := *k.Config
	other.Acceptors = other.Acceptors[:2]
	yaml, err := other.YAML()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "two.yaml")
	if err := os.WriteFile(file, yaml, 0o600); err != nil {
		t.Fatal(err)
	}
	p := k.StartWith("proposer", "--config", file, "--id", "p1", "--listen", "127.0.0.1:0")
	k.Await("both acceptors refuse it", func() bool {
		return strings.Count(p.Stderr(), "peer refuses this process") >= 2 || strings.Contains(p.Stderr(), `"ready"`)
	})
	if strings.Contains(p.Stderr(), `"ready"`) {
		t.Errorf("it says that it serves:\n%s", p.Stderr())
	}
}
