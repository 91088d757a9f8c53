package clusterfile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
)

// TestFindDev: without a cluster file it is the cluster of `paxlog dev`, on the ports that
// it was given in this directory, else on the usual ones.
func TestFindDev(t *testing.T) {
	t.Chdir(t.TempDir())
	port := func() string {
		t.Helper()
		found, err := Find(&command.Environment{})
		if err != nil || !found.Assumed() {
			t.Fatalf("%+v, %v", found, err)
		}
		return found.Acceptors[0].Addr
	}
	if got := port(); got != "127.0.0.1:7101" {
		t.Errorf("a1 is at %s", got)
	}
	yaml, err := config.Dev(9100).YAML()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(DevData, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(DevData, DefaultName), yaml, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := port(); got != "127.0.0.1:9101" {
		t.Errorf("a1 is at %s", got)
	}
}

// TestWaitsForEver: who waits for ever waits for a cluster that is not there yet; others
// are told at once.
func TestWaitsForEver(t *testing.T) {
	nobody := Found{Cluster: config.Dev(1)}
	if _, err := nobody.Connect(context.Background(), time.Second); !errors.Is(err, ErrNone) {
		t.Errorf("%v", err)
	}
	c, err := nobody.Connect(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
