package faults

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// pace is that of the load: enough to be in the way of every fault, and little
// enough for the machine to have time for the rest.
const pace = 2 * time.Millisecond

// harm is a way to cut a network in which a host leads, such that a majority of
// acceptors can still be reached by some proposer.
type harm struct {
	name string
	cut  func(w *network, leader, other int)
}

// harms are cuts of five hosts. The last two are the first two partial
// partitions of the Omni-Paxos paper; the third needs three hosts.
var harms = []harm{
	{"the leader is cut off from its peers", func(w *network, leader, _ int) {
		w.part([]int{leader}, w.but(leader))
	}},
	{"the leader is cut off from everybody", func(w *network, leader, _ int) {
		w.part([]int{leader}, append(w.but(leader), clientHost))
	}},
	{"the leader cannot send", func(w *network, leader, _ int) {
		w.cut(leader, append(w.but(leader), clientHost)...)
	}},
	{"the leader cannot hear", func(w *network, leader, _ int) {
		for _, h := range append(w.but(leader), clientHost) {
			w.cut(h, leader)
		}
	}},
	{"a host that does not lead is cut off", func(w *network, _, other int) {
		w.part([]int{other}, w.but(other))
	}},
	{"the leader is in the smaller part", func(w *network, leader, other int) {
		w.part([]int{leader, other}, w.but(leader, other))
	}},
	{"quorum loss: all reach one host only, which does not lead", func(w *network, _, hub int) {
		onlyThrough(w, hub)
	}},
	{"constrained election: the leader is cut off, and the others reach one host only", func(w *network, leader, hub int) {
		onlyThrough(w, hub)
		w.part([]int{leader}, []int{hub})
	}},
}

// onlyThrough leaves each host only its link to the hub.
func onlyThrough(w *network, hub int) {
	for _, h := range w.but(hub) {
		w.cut(h, w.but(hub)...)
	}
}

// TestPartitions cuts a network of five hosts, each with an acceptor, a proposer
// and a learner, under load: appends must be answered during each cut, and after
// it.
func TestPartitions(t *testing.T) {
	rng := cluster.Seed(t, "./faults")
	w := newNetwork(t, 5)
	k, c := onHosts(w)
	l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 3, Pace: pace})
	l.Await(100, "at the start")
	for _, h := range harms {
		leader := hostOf(k.Leader(c))
		rest := w.but(leader)
		other := rest[rng.IntN(len(rest))]
		during(k, w, l, c, h.name, func() { h.cut(w, leader, other) })
	}
	k.Check(l)
}

// during does a harm, waits for answers, and heals it.
func during(k *cluster.Cluster, w *network, l *cluster.Load, c *client.Client, name string, do func()) {
	w.t.Helper()
	before := k.Leader(c)
	l.Silence()
	began := time.Now()
	do()
	l.Await(100, name)
	silence := l.Silence()
	elections := elected(k, began)
	after := k.Leader(c)
	w.heal()
	l.Await(100, name+", healed")
	w.t.Logf("%s: %s led, then %s (elected after %v); at most %v without an answer, %v when it healed", name, before, after,
		elections, silence.Round(time.Millisecond), l.Silence().Round(time.Millisecond))
}

// elected says when proposers were elected after a moment, as they logged it.
func elected(k *cluster.Cluster, began time.Time) (after []time.Duration) {
	for _, n := range k.Config.Proposers {
		for line := range strings.Lines(k.Process(n.ID).Stderr()) {
			var log struct {
				Time    time.Time `json:"time"`
				Message string    `json:"message"`
			}
			if json.Unmarshal([]byte(line), &log) == nil && log.Message == "leader elected" && log.Time.After(began) {
				after = append(after, log.Time.Sub(began).Round(time.Millisecond))
			}
		}
	}
	slices.Sort(after)
	return after
}

// TestChainedPartition: three hosts in a line, A - B - C. Whoever leads at one end
// must not be deposed by the other end again and again (Omni-Paxos, 2c).
func TestChainedPartition(t *testing.T) {
	w := newNetwork(t, 3)
	k, c := onHosts(w)
	l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 3, Pace: pace})
	l.Await(100, "at the start")
	leader := hostOf(k.Leader(c))
	ends := w.but(leader)
	during(k, w, l, c, "the leader at one end of a chain", func() { w.part([]int{leader}, ends[:1]) })
	leader = hostOf(k.Leader(c))
	ends = w.but(leader)
	during(k, w, l, c, "the leader in the middle of a chain", func() { w.part(ends[:1], ends[1:]) })
	k.Check(l)
}

// TestNoQuorum: while no majority of acceptors can be reached, nobody leads and
// status says why; when one can, appends are answered again.
func TestNoQuorum(t *testing.T) {
	w := newNetwork(t, 3)
	k, c := onHosts(w)
	l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 2, Pace: pace})
	l.Await(100, "at the start")
	for _, h := range w.hosts {
		w.cut(h, w.but(h)...)
	}
	// A standby that has not noticed yet would pass the append on, into the cut link.
	k.Await("no proposer leads or knows of a leader", func() bool { return !slices.ContainsFunc(k.Status(c).Processes, knowsLeader) })
	if out, errs, code := k.Run("append", "--timeout", "1s", "x"); code != 3 || strings.Count(errs, "\n") != 2 || !strings.HasSuffix(errs, "\nnot appended: 1 entry, from input entry 1 on\n") {
		t.Errorf("append without a quorum: exit %d, %q %q", code, out, errs)
	} else {
		t.Logf("append says %q", errs)
	}
	k.Await("status says how few acceptors a proposer reaches", func() bool {
		_, errs, code := k.Run("status")
		return code == 3 && strings.Contains(errs, "1 of 3 acceptors answer p") && strings.Contains(errs, ", and 2 are needed")
	})
	w.heal()
	l.Await(100, "healed")
	t.Logf("at most %v without an answer", l.Silence().Round(time.Millisecond))
	k.Check(l)
}

// knowsLeader reports whether p is a proposer that leads or knows who does, or does not answer.
func knowsLeader(p client.ProcessStatus) bool {
	return p.Role == paxos.RoleProposer && (p.Err != nil || p.Ballot != (paxos.Ballot{}))
}

// TestLossyNetwork loses one packet of ten on every host, and delays or throttles
// the rest.
func TestLossyNetwork(t *testing.T) {
	needs(t, "nft=nftables", "tc=iproute2")
	w := newNetwork(t, 3)
	k, c := onHosts(w)
	l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 3, Pace: pace})
	l.Await(100, "at the start")
	slow := "netem delay 20ms 10ms"
	for _, h := range w.hosts {
		if err := command("tc", append([]string{"-n", namespace(h), "qdisc", "add", "dev", "eth0", "root"}, strings.Fields(slow)...)...); err != nil {
			// Not every kernel has netem. A line of 2 Mbit/s delays what waits for it.
			t.Logf("%v: a slow line takes the place of a long one", err)
			slow = "tbf rate 2mbit burst 16kb latency 100ms"
			w.must("tc", append([]string{"-n", namespace(h), "qdisc", "add", "dev", "eth0", "root"}, strings.Fields(slow)...)...)
		}
		w.must("nsenter", "--net=/run/netns/"+namespace(h), "nft", "add table inet faults; "+
			"add chain inet faults in { type filter hook input priority 0; }; add rule inet faults in numgen random mod 100 < 10 drop")
	}
	l.Silence()
	l.Await(500, "on a lossy network")
	t.Logf("lossy, %s: at most %v without an answer", slow, l.Silence().Round(time.Millisecond))
	for _, h := range w.hosts {
		w.must("nsenter", "--net=/run/netns/"+namespace(h), "nft", "delete table inet faults")
		w.must("tc", "-n", namespace(h), "qdisc", "del", "dev", "eth0", "root")
	}
	l.Await(100, "healed")
	k.Check(l)
}
