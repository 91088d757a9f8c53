package faults

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/cluster"
)

// TestForgottenTail damages the log and the MANIFEST of an acceptor, whose ends
// Pebble may lose without a word. The acceptor refuses, or its peers tell it that it
// has forgotten, and it votes again only when that is safe.
func TestForgottenTail(t *testing.T) {
	needs(t)
	rng := cluster.Seed(t, "./faults")
	k := cluster.New(t, 3, 2, 2)
	c := k.Client(client.WithTimeout(20 * time.Second))
	l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 3, Pace: pace, Bytes: 500})
	l.Await(300, "at the start")
	k.Kill("a1") // its next start makes tables of its log
	k.Start("a1")
	caughtUp(k, c, "a1")
	l.Await(100, "for the log")
	l.Stop()
	p := newPatient(t, k, c, l, "a1")
	p.sufferAll(rng, "log", "MANIFEST")
	got := p.suffer("a1, the newest log removed", func(dir string) error {
		return os.Remove(slices.Max(logFiles(t, dir)))
	})
	t.Logf("the newest log removed: %s", got)
	k.Kill("a3") // a1 is needed
	l.Start()
	l.Await(100, "with an acceptor that had forgotten")
	k.Check(l)
}

// TestOldCopy puts an old copy of an acceptor's whole directory back, after its
// peers have moved on under another leader.
func TestOldCopy(t *testing.T) {
	needs(t)
	k := cluster.New(t, 3, 2, 2)
	c := k.Client(client.WithTimeout(20 * time.Second))
	l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 3, Pace: pace})
	l.Await(100, "at the start")
	copied := filepath.Join(k.Dir, "copy")
	k.Kill("a1")
	restore(t, copied, k.Data("a1"))
	k.Start("a1")
	caughtUp(k, c, "a1")
	leader := k.Leader(c)
	k.Kill(leader) // a1 promises another ballot
	l.Await(100, "under another leader")
	k.Start(leader)
	k.Kill("a3") // a1's votes are needed, and are given
	l.Await(100, "with the votes of a1")
	k.Kill("a1")
	k.Start("a3")
	restore(t, k.Data("a1"), copied)
	p := k.Start("a1")
	k.Await("a1 learns what it has forgotten", func() bool { return strings.Contains(p.Stderr(), "has forgotten") })
	l.Await(100, "with an old copy")
	caughtUp(k, c, "a1")
	k.Kill("a3")
	l.Await(100, "with an acceptor that had forgotten")
	k.Check(l)
}

// TestForgottenAndAlone: an acceptor loses its newest log while the only other one
// that voted for the last entries is down, and the third never had them. It must not
// vote with the third, or answered entries would be lost; only learners and
// proposers remember how far it had come.
func TestForgottenAndAlone(t *testing.T) {
	needs(t)
	k := cluster.New(t, 3, 2, 2)
	c := k.Client(client.WithTimeout(20 * time.Second))
	l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 3, Pace: pace})
	l.Await(100, "at the start")
	k.Kill("a3")
	l.Await(300, "without a3")
	l.Stop()
	k.Kill("a1")
	k.Kill("a2")
	if err := os.Remove(slices.Max(logFiles(t, k.Data("a1")))); err != nil {
		t.Fatal(err)
	}
	k.Start("a3")
	p := k.Start("a1")
	k.Await("a1 learns what it has forgotten", func() bool { return strings.Contains(p.Stderr(), "has forgotten") })
	k.Await("nobody leads", func() bool { return k.Status(c).Leader == "" })
	if out, errs, code := k.Run("append", "--timeout", "2s", "x"); code != 3 {
		t.Errorf("with an acceptor that has forgotten and one that never knew: exit %d, %s%s", code, out, errs)
	}
	if _, errs, code := k.Run("status"); code != 3 || !strings.Contains(errs, "forgotten votes") || !strings.Contains(errs, "start a2") || !strings.Contains(errs, "rejoin") {
		t.Errorf("status: exit %d, %s", code, errs)
	}
	k.Start("a2")
	l.Start()
	l.Await(100, "with a2")
	caughtUp(k, c, "a1")
	k.Kill("a2")
	l.Await(100, "with the votes of a1")
	k.Check(l)
}
