package faults

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// TestRandomFaults cuts the network of a cluster at random, and meanwhile kills -9
// and stops processes, in rounds; after each, appends must be answered again.
// PAXLOG_ROUNDS says how many.
func TestRandomFaults(t *testing.T) {
	rng := cluster.Seed(t, "./faults")
	w := newNetwork(t, 3+2*rng.IntN(2))
	k, c := onHosts(w)
	l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 3, Pace: pace})
	l.Await(100, "at the start")
	rounds := cluster.Number(t, "PAXLOG_ROUNDS", 8)
	for n := range rounds {
		r := randomRound(rng, w, k.IDs())
		r.name = fmt.Sprintf("round %d: %s", n, r.name)
		l.Silence()
		r.run(t, k, w, l)
		if testing.Verbose() {
			t.Logf("%s: at most %v without an answer", r.name, l.Silence().Round(time.Millisecond))
		}
	}
	k.Check(l)
	t.Logf("%d rounds on %d hosts", rounds, len(w.hosts))
}

// round is what goes wrong at once, for a while.
type round struct {
	name      string
	cuts      map[int][]int
	kill      []paxos.NodeID
	stop      []paxos.NodeID
	lasts     time.Duration
	healFirst bool // before the killed and the stopped return
}

func randomRound(rng *rand.Rand, w *network, ids []paxos.NodeID) round {
	r := round{cuts: map[int][]int{}, lasts: time.Duration(50+rng.IntN(1500)) * time.Millisecond, healFirst: rng.IntN(2) == 0}
	all := append([]int{clientHost}, w.hosts...)
	one := w.hosts[rng.IntN(len(w.hosts))]
	switch rng.IntN(5) {
	case 0: // one host is alone
		r.cuts[one] = all
		for _, h := range all {
			r.cuts[h] = append(r.cuts[h], one)
		}
	case 1: // one cannot send
		r.cuts[one] = all
	case 2: // one cannot hear
		for _, h := range all {
			r.cuts[h] = []int{one}
		}
	case 3: // each direction of each link may be cut
		for _, a := range w.hosts {
			for _, b := range w.hosts {
				if a != b && rng.IntN(3) == 0 {
					r.cuts[a] = append(r.cuts[a], b)
				}
			}
		}
	}
	some := func(most int) []paxos.NodeID {
		var out []paxos.NodeID
		for _, i := range rng.Perm(len(ids))[:rng.IntN(most+1)] {
			out = append(out, ids[i])
		}
		return out
	}
	r.kill, r.stop = some(3), some(2)
	if rng.IntN(8) == 0 {
		r.kill = ids
	}
	var parts []string
	for _, h := range all {
		if to := r.cuts[h]; len(to) > 0 {
			parts = append(parts, fmt.Sprintf("%d cannot send to %v", h, to))
		}
	}
	r.name = fmt.Sprintf("%s; kill %v, stop %v, for %v", strings.Join(parts, ", "), r.kill, r.stop, r.lasts)
	return r
}

// run does a round and waits until all is well again.
func (r round) run(t *testing.T, k *cluster.Cluster, w *network, l *cluster.Load) {
	t.Helper()
	for from, to := range r.cuts {
		w.cut(from, to...)
	}
	for _, id := range r.stop {
		k.Signal(id, syscall.SIGSTOP)
	}
	for _, id := range r.kill {
		if log := k.Kill(id); strings.Contains(log, "panic") {
			t.Fatalf("%s: %s had panicked:\n%s", r.name, id, log)
		}
	}
	time.Sleep(r.lasts) // the length of the fault; nothing is expected of it
	if r.healFirst {
		w.heal()
	}
	for _, id := range r.kill {
		k.Start(id)
	}
	for _, id := range r.stop {
		k.Signal(id, syscall.SIGCONT)
	}
	w.heal()
	l.Await(50, r.name)
}
