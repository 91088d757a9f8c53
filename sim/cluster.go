package sim

import (
	"encoding/binary"
	"fmt"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/proposer"
	"github.com/paxlog/paxlog/sim/check"
)

// Topology is the size of a simulated cluster.
type Topology struct {
	Acceptors, Proposers, Learners, Clients int
	Phase1, Phase2                          int // 0: majority
	Sessions                                int
	Entries                                 int // appended by each client
	PageBytes                               int
	Scrubs                                  bool // learners read their own logs again
	Window                                  int  // instances in flight, 8 or more
}

// Election timeouts of simulated clusters, in ticks.
const (
	HeartbeatTicks = 50
	renewTicks     = 1700 // half of what acceptors keep a subscription for
	ElectionMin    = check.ElectionMin
	ElectionMax    = 300
)

// Of checkpoints in simulated clusters: several in a run, of several chunks each.
const (
	markBytes     = 1000
	markInstances = 100
	markTicks     = 2000
	chunkBytes    = 150
	scrubTicks    = 40
)

// Cluster is a world with a cluster in it.
type Cluster struct {
	*World
	Topology  Topology
	Members   paxos.Membership
	Acceptors []paxos.NodeID
	Proposers []paxos.NodeID
	Learners  []paxos.NodeID
	Clients   []*Client
	lost      map[paxos.NodeID]bool // nodes that stay away for ever
	noJumps   bool                  // wall clocks do not jump: for a test
	// incarnations are those of the acceptors' directories.
	incarnations map[paxos.NodeID]uint64
	old          map[paxos.NodeID]bool // of an earlier release, which knows level 0 only
	started      map[paxos.NodeID]bool
	programs     map[paxos.NodeID]uint64 // the highest level that a process knows from its next start on
	changes      bool                    // acceptors come and go
	dead         map[paxos.NodeID]bool   // acceptors whose machine died for good
	off          map[paxos.NodeID]bool   // processes that were moved: whether they stay switched off
	newcomers    int
	first        []configuration.Process // the proposers and learners of the cluster file
	removing     int                     // removals that somebody asks for
	adding       int                     // and additions
}

func ids(prefix string, n int) []paxos.NodeID {
	out := make([]paxos.NodeID, n)
	for i := range out {
		out[i] = paxos.NodeID(fmt.Sprintf("%s%d", prefix, i+1))
	}
	return out
}

// enrolled are the processes that a cluster file names beside the acceptors.
func enrolled(proposers, learners []paxos.NodeID) (out []configuration.Process) {
	for _, id := range proposers {
		out = append(out, configuration.Process{Role: paxos.RoleProposer, ID: id, Addr: "sim:" + string(id)})
	}
	for _, id := range learners {
		out = append(out, configuration.Process{Role: paxos.RoleLearner, ID: id, Addr: "sim:" + string(id)})
	}
	return out
}

// logID is the log that a process of these random bits would begin.
func logID(process uint64) (id paxos.LogID) {
	binary.BigEndian.PutUint64(id[:], process)
	binary.BigEndian.PutUint64(id[8:], ^process)
	return id
}

func without(all []paxos.NodeID, id paxos.NodeID) []paxos.NodeID {
	var out []paxos.NodeID
	for _, x := range all {
		if x != id {
			out = append(out, x)
		}
	}
	return out
}

// NewCluster makes a cluster; nothing runs yet.
func NewCluster(seed uint64, t Topology) *Cluster {
	c := &Cluster{
		Topology: t, Acceptors: ids("a", t.Acceptors), Proposers: ids("p", t.Proposers), Learners: ids("l", t.Learners),
	}
	if t.Phase1 == 0 {
		t.Phase1, t.Phase2 = t.Acceptors/2+1, t.Acceptors/2+1
	}
	c.Members = paxos.Membership{Cluster: "sim", Acceptors: c.Acceptors, Phase1: t.Phase1, Phase2: t.Phase2, Sessions: t.Sessions}
	c.World = NewWorld(seed, c.Members)
	c.incarnations = map[paxos.NodeID]uint64{}
	c.old, c.started, c.programs = map[paxos.NodeID]bool{}, map[paxos.NodeID]bool{}, map[paxos.NodeID]uint64{}
	c.dead, c.off = map[paxos.NodeID]bool{}, map[paxos.NodeID]bool{}
	c.first = enrolled(c.Proposers, c.Learners)
	for i, id := range c.Acceptors {
		c.incarnations[id] = uint64(i + 1)
		c.addAcceptor(id)
	}
	for _, id := range c.Proposers {
		c.addProposer(id)
	}
	for _, id := range c.Learners {
		c.addLearner(id)
	}
	for _, n := range c.all {
		n.refusal = c.refusal
	}
	for _, id := range ids("@c", t.Clients) {
		c.Clients = append(c.Clients, c.AddClient(id, c.Proposers, c.Learners, t.Entries, 6))
	}
	return c
}

// addProposer adds a proposer; the cluster file need not name it.
func (c *Cluster) addProposer(id paxos.NodeID) *Node {
	cfg := proposer.Config{
		ID: id, Membership: c.Members,
		HeartbeatTicks: HeartbeatTicks, ElectionMin: ElectionMin, ElectionMax: ElectionMax, RenewTicks: renewTicks, RetryTicks: 100, StallTicks: 1500,
		Window: max(8, c.Topology.Window), WindowBytes: 1500, BatchBytes: 400, LittleBytes: 60, EntryBytes: 200, QueueBytes: 2000,
		MarkBytes: markBytes, MarkInstances: markInstances, MarkTicks: markTicks, Processes: c.first,
	}
	return c.Add(paxos.RoleProposer, id, func(*Store) paxos.Machine {
		cfg.Process, cfg.Seed = c.rng.Uint64(), c.rng.Uint64()
		cfg.LogID, cfg.Knows = logID(cfg.Process), c.knows(id)
		return proposer.New(cfg)
	})
}

// copyPages is how many pages whoever copies has under way: in half of the runs one, for then it stays longest
// between two instances where something begins.
func (c *Cluster) copyPages() int {
	if c.Seed%2 == 0 {
		return 1
	}
	return 4
}

// addLearner adds a learner; the cluster file need not name it.
func (c *Cluster) addLearner(id paxos.NodeID) *Node {
	t := c.Topology
	cfg := learner.Config{
		ID: id, Membership: c.Members, Learners: without(ids("l", t.Learners), id),
		PollTicks: HeartbeatTicks, RenewTicks: renewTicks, RetryTicks: 100, ReadTicks: 1000, PageBytes: t.PageBytes, CopyPages: c.copyPages(), EntryBytes: 200, AheadBytes: 5000, BurstBytes: 4 * t.PageBytes,
		ChunkBytes: chunkBytes,
	}
	if t.Scrubs {
		cfg.ScrubTicks, cfg.ScrubEach = scrubTicks, 50*scrubTicks
	}
	return c.Add(paxos.RoleLearner, id, func(s *Store) paxos.Machine {
		cfg.Seed, cfg.Knows = c.rng.Uint64(), c.knows(id)
		return learner.New(cfg, s.Learner())
	})
}

// addAcceptor adds an acceptor, which is a member if the cluster file names it.
func (c *Cluster) addAcceptor(id paxos.NodeID) *Node {
	cfg := acceptor.Config{
		ID: id, Membership: c.Members, Addr: "sim:" + string(id),
		Sources: append(without(c.Acceptors, id), ids("l", c.Topology.Learners)...), Proposers: ids("p", c.Topology.Proposers),
		ElectionTicks: ElectionMin, HeartbeatTicks: HeartbeatTicks, RetryTicks: 100, StallTicks: 1500, IdleTicks: 2 * renewTicks, PageBytes: c.Topology.PageBytes, CopyPages: c.copyPages(),
	}
	n := c.Add(paxos.RoleAcceptor, id, func(s *Store) paxos.Machine {
		cfg.Seed, cfg.Incarnation, cfg.Knows = c.rng.Uint64(), c.incarnations[id], c.knows(id)
		return acceptor.New(cfg, s.Acceptor())
	})
	n.watched.Denied = func() bool { return !n.m.(*acceptor.Acceptor).Report().Voting }
	return n
}

// StartAll starts every node that is down, but for those lost for good.
func (c *Cluster) StartAll() {
	for _, id := range c.order {
		n := c.nodes[id]
		if c.lost[id] {
			continue
		}
		if !n.Up {
			n.Start()
		}
		n.Disk.Hung = false
		n.Resume()
	}
}

// Done reports whether all clients are done.
func (c *Cluster) Done() bool {
	for _, k := range c.Clients {
		if !k.Done() {
			return false
		}
	}
	return true
}
