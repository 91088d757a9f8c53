package main

import (
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim"
)

// side is a cluster of one protocol on hosts 1 to n, which the stories call A to E.
// A host runs all that votes: with Raft one process, with Paxlog an acceptor and a
// proposer. Paxlog's learners are apart and, unless a story says otherwise, reach
// every host, as clients do.
type side struct {
	*sim.World
	name    string
	n       int
	procs   [][]paxos.NodeID // by host
	servers []paxos.NodeID   // where clients send, by host
	others  []paxos.NodeID   // learners
	leader  func() int       // host that leads, or 0
	ballot  func() string    // of the leader, or its term
	lead    func(host int)   // makes that host's process campaign first; all run afterwards
	close   func()
	nodes   []*node      // of Raft
	heard   paxos.Ballot // of Paxlog: the highest under which somebody has heard a leader
	callers []*caller
	talk    func() dialect
	seen    ladder
	facts   []string                                     // of the step under way
	count   func(from, to paxos.NodeID, m paxos.Message) // sees every message, if set
}

// Limits of the log of simulated Paxlog.
const (
	sessions  = 1000
	pageBytes = messageBytes
)

// newPaxlog makes a Paxlog cluster of n hosts; nothing runs yet.
func newPaxlog(seed uint64, n, learners int) *side {
	c := sim.NewCluster(seed, sim.Topology{Acceptors: n, Proposers: n, Learners: learners, Sessions: sessions, PageBytes: pageBytes})
	s := &side{World: c.World, name: "Paxlog", n: n, servers: c.Proposers, others: c.Learners, close: func() {}}
	for i := range n {
		s.procs = append(s.procs, []paxos.NodeID{c.Acceptors[i], c.Proposers[i]})
	}
	s.leader = func() int {
		for i, id := range c.Proposers {
			if id == s.heard.Proposer {
				return i + 1
			}
		}
		return 0
	}
	s.ballot = func() string { return "ballot " + s.heard.String() }
	s.lead = func(host int) {
		for _, id := range slices.Concat(c.Acceptors, c.Learners) {
			s.Node(id).Start()
		}
		s.Node(s.servers[host-1]).Start()
		s.wait(func() bool { return s.leader() == host })
		s.startAll()
	}
	s.talk = func() dialect { return &inPaxlog{learners: c.Learners} }
	s.seen.watch(s)
	return s
}

// newRaft makes a Raft cluster of n hosts; nothing runs yet. It must be closed.
func newRaft(seed uint64, n int, opts options) *side {
	s := &side{World: sim.NewWorld(seed, paxos.Membership{}), name: opts.name(), n: n, nodes: make([]*node, n), close: seedChance(seed)}
	var voters []uint64
	for i := range n {
		voters = append(voters, uint64(i+1))
	}
	for i, id := range names[:n] {
		s.procs = append(s.procs, []paxos.NodeID{id})
		s.servers = append(s.servers, id)
		s.Add(sim.RoleGuest, id, func(disk *sim.Store) paxos.Machine {
			s.nodes[i] = newNode(uint64(i+1), voters, opts, s.Check, &s.seen.hide, disk)
			return s.nodes[i]
		})
	}
	s.leader = func() int {
		best, term := 0, uint64(0)
		for i, k := range s.nodes {
			if k == nil || !s.Node(names[i]).Up {
				continue
			}
			if st := k.library.BasicStatus(); st.RaftState == raft.StateLeader && st.GetTerm() > term {
				best, term = i+1, st.GetTerm()
			}
		}
		return best
	}
	s.ballot = func() string {
		if host := s.leader(); host > 0 {
			return fmt.Sprintf("term %d", s.nodes[host-1].library.BasicStatus().GetTerm())
		}
		return "none"
	}
	s.lead = func(host int) {
		s.startAll()
		s.campaign(host)
		s.wait(func() bool { return s.leader() == host })
	}
	s.talk = func() dialect { return inRaft{} }
	s.seen.watch(s)
	return s
}

// named gives a side another name.
func (s *side) named(name string) *side {
	s.name = name
	return s
}

// campaign makes a Raft process campaign without waiting for its timeout, as the
// only proposer that runs does it in Paxlog.
func (s *side) campaign(host int) {
	n := s.nodes[host-1]
	n.must(n.library.Campaign())
}

// startAll starts what does not run.
func (s *side) startAll() {
	for host := 1; host <= s.n; host++ {
		s.start(host)
	}
	for _, id := range s.others {
		if k := s.Node(id); !k.Up {
			k.Start()
		}
	}
}

// processes are all but clients.
func (s *side) processes() (all []paxos.NodeID) {
	for _, host := range s.procs {
		all = append(all, host...)
	}
	return append(all, s.others...)
}

func (s *side) start(host int) {
	for _, id := range s.procs[host-1] {
		if k := s.Node(id); !k.Up {
			k.Start()
		}
	}
}

func (s *side) crash(host int) {
	for _, id := range s.procs[host-1] {
		if k := s.Node(id); k.Up {
			k.Crash()
		}
	}
}

// each calls do with every two processes of two hosts.
func (s *side) each(from, to int, do func(a, b paxos.NodeID)) {
	for _, a := range s.procs[from-1] {
		for _, b := range s.procs[to-1] {
			do(a, b)
		}
	}
}

// cut separates two hosts; cutTo drops what goes from one to the other.
func (s *side) cut(i, j int)       { s.each(i, j, s.Net.CutBoth) }
func (s *side) cutTo(from, to int) { s.each(from, to, s.Net.Cut) }
func (s *side) join(i, j int)      { s.each(i, j, s.Net.Join) }

// isolate separates a host from all others; but it reaches learners and clients.
func (s *side) isolate(host int) {
	for i := 1; i <= s.n; i++ {
		if i != host {
			s.cut(i, host)
		}
	}
}

// split separates two groups of processes.
func (s *side) split(a, b []paxos.NodeID) {
	for _, x := range a {
		for _, y := range b {
			s.Net.CutBoth(x, y)
		}
	}
}

// settled puts the learners on the hosts, one on each: so a host is all that a Raft
// process is. Clients hear of results from all of them.
func (s *side) settled() *side {
	for i, id := range s.others {
		s.procs[i] = append(s.procs[i], id)
	}
	learners := s.others
	s.others = nil
	s.talk = func() dialect { return &inPaxlog{learners: learners, all: true} }
	return s
}

// hosts are the processes of these hosts.
func (s *side) hosts(hosts ...int) (ids []paxos.NodeID) {
	for _, h := range hosts {
		ids = append(ids, s.procs[h-1]...)
	}
	return ids
}

// most is how long a story waits for something that must come.
const most = 10 * sim.Second

// impossible is what a story did not expect.
type impossible struct{ what string }

func (e *impossible) Error() string { return e.what }

// wait runs until done.
func (s *side) wait(done func() bool) {
	if !s.RunUntil(most, done) {
		panic(&impossible{fmt.Sprintf("%s: nothing came of it in %d s", s.name, most/sim.Second)})
	}
}

// caller adds a client that sends to these hosts, and starts it.
func (s *side) caller(hosts ...int) *caller {
	c := &caller{
		id: paxos.NodeID(fmt.Sprintf("@c%d", len(s.callers)+1)), number: byte(len(s.callers) + 1), dialect: s.talk(),
		check: s.Check, clock: s.Now, retry: 20,
	}
	for _, h := range hosts {
		c.servers = append(c.servers, s.servers[h-1])
	}
	s.callers = append(s.callers, c)
	s.Add(paxos.RoleClient, c.id, func(*sim.Store) paxos.Machine { return c })
	s.Node(c.id).Start()
	return c
}
