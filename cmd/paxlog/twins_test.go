package main

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/paxlog/paxlog/internal/cluster"
)

// TestTwinAcceptor: the directory of an acceptor is copied, and both copies are started, under load. Each is told by
// those that hear the other one, and says what to do; nobody waits for them, nothing is lost or repeated; and
// when one is stopped the other one votes again.
func TestTwinAcceptor(t *testing.T) {
	k := cluster.New(t, 3, 2, 1)
	c := k.Client()
	k.Leader(c)
	l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 3})
	l.Await(100, "with all")
	k.Kill("a1")
	dir := t.TempDir() + "/a1"
	if err := os.CopyFS(dir, os.DirFS(k.Data("a1"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	first := k.Start("a1")
	twin := k.StartWith("acceptor", "--config", k.File, "--id", "a1", "--data", dir, "--listen", "127.0.0.1:0")
	for name, p := range map[string]*cluster.Process{"the first": first, "its twin": twin} {
		k.Await(name+" is told, and says what to do", func() bool {
			text := p.Stderr()
			return strings.Contains(text, "another process runs under the id of this one") &&
				strings.Contains(text, "has heard another process under the id a1, of a copy of this data directory") && strings.Contains(text, "Stop the one that is not wanted")
		})
	}
	l.Await(300, "with two processes of one directory")
	if err := syscall.Kill(twin.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-twin.Done()
	k.Await("a1 votes, and holds what was chosen", func() bool {
		for _, p := range k.Status(c).Processes {
			if p.ID == "a1" && p.Err == nil && p.Voting && p.Missing < 100 {
				return true
			}
		}
		return false
	})
	l.Await(300, "with one of them")
	k.Kill("a3") // so a1 is needed
	l.Await(300, "with a1, without a3")
	l.Stop()
	k.Check(l)
}
