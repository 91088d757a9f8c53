package sim

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim/check"
	"github.com/paxlog/paxlog/sim/picture"
)

// Scenario is a situation with a name, and what must come of it.
type Scenario struct {
	Name    string
	Summary string
	play    func(s *stage)
}

// Scenarios are all named scenarios, in the order of the list.
var Scenarios = []Scenario{
	{"ladder", "the two ladders: one Phase 1, then every request without it", ladderScenario},
	{"duel", "five proposers start at once: one leads, and its ballot stays", duelScenario},
	{"quorum-loss", "a partial partition: only one host still reaches a quorum, and it does not lead (Omni-Paxos, figure 1a)", quorumLoss},
	{"constrained-election", "the leader is cut off from the one host that reaches a quorum, whose log is behind (Omni-Paxos, figure 1b)", constrainedElection},
	{"chained", "three hosts in a chain: the leader at one end cannot be heard at the other (Omni-Paxos, figure 1c)", chained},
	{"minority", "B leads A to E; {A,B} is cut from {C,D,E}; a value is sent to each side; then it heals", minority},
	{"hung-disk", "the disks of a quorum hang for a while: nothing is answered meanwhile, and nothing is lost", hungDisk},
	{"hung-source", "the disk hangs of the acceptor that sends learners the values: no append waits for it", hungSource},
	{"full-disk", "the disk of one acceptor fills, then of a second: they stop and cannot start, nothing is answered; space is freed and nothing is lost", fullDisks},
	{"little-room", "a quorum of disks, and then all learners', have little room: appends are refused before they are full; a trim brings them back; one of each alone holds nobody up", littleRoom},
	{"transfer", "the leader hands over, to and fro, and is killed right after; nobody waits for an election timeout", transferScenario},
	{"upgrade", "programs of an earlier release are replaced one at a time, gone back half-way, replaced again; then the log gets its level", upgradeScenario},
	{"paused-leader", "the leader is paused beyond its timeout, another takes over, and it resumes", pausedLeader},
}

// recovery is within how many election timeouts a partial partition must be
// overcome.
const recovery = 4 * ElectionMax * Millisecond

// stage is a running scenario.
type stage struct {
	*Cluster
	seed   uint64
	ladder *picture.Ladder
	trace  func(string)
	err    error
}

// Play plays a scenario. ladder, if not nil, collects its messages.
func (sc Scenario) Play(seed uint64, ladder *picture.Ladder, trace func(string)) (rep Report) {
	s := &stage{seed: seed, ladder: ladder, trace: trace}
	defer func() {
		rep = Report{Seed: seed, Err: s.err, scenario: &sc}
		if v := recover(); v != nil {
			violation, ok := v.(*check.Violation)
			if !ok {
				panic(v)
			}
			rep.Err = violation
		}
		if c := s.Cluster; c != nil {
			c.closeStores()
			rep.fill(c)
			if rep.Err == nil && rep.Chosen == 0 {
				rep.Err = errNothingChosen
			}
		}
	}()
	sc.play(s)
	return rep
}

// hosts makes a cluster of n hosts with an acceptor and a proposer each: host i
// has a<i> and p<i>. Learners and clients reach every host.
func (s *stage) hosts(n int, start ...int) {
	s.make(n)
	s.begin(start...)
}

// make makes that cluster, of which nothing runs yet.
func (s *stage) make(n int) {
	s.Cluster = NewCluster(s.seed, Topology{Acceptors: n, Proposers: n, Learners: 2, Clients: 2, Sessions: 100, Entries: 1 << 30, PageBytes: 1000})
	s.Trace = s.trace
	if s.ladder != nil {
		s.draw(s.ladder)
	}
	for _, k := range s.Clients {
		k.Think, k.Window = 2, 2
	}
}

// begin starts all nodes but for the proposers, and of those the ones of these hosts.
func (s *stage) begin(start ...int) {
	for _, id := range s.order {
		if node := s.nodes[id]; node.Role != paxos.RoleProposer {
			node.Start()
		}
	}
	for _, i := range start {
		s.nodes[s.Proposers[i-1]].Start()
	}
}

// lead lets host i become leader before the other proposers start.
func (s *stage) lead(i int) {
	s.nodes[s.Proposers[i-1]].Start()
	s.expect(2*Second, "host %d leads", func() bool { return s.Leader() == s.Proposers[i-1] }, i)
	for _, id := range s.Proposers {
		if n := s.nodes[id]; !n.Up {
			n.Start()
		}
	}
	s.progress(Second, "before any harm")
}

// cutHosts separates hosts i and j.
func (s *stage) cutHosts(i, j int) {
	for _, a := range []paxos.NodeID{s.Acceptors[i-1], s.Proposers[i-1]} {
		for _, b := range []paxos.NodeID{s.Acceptors[j-1], s.Proposers[j-1]} {
			s.Net.CutBoth(a, b)
		}
	}
}

// expect fails the scenario unless done comes true within d.
func (s *stage) expect(d Micros, what string, done func() bool, args ...any) bool {
	if s.err == nil && !s.RunUntil(d, done) {
		s.err = fmt.Errorf("within %d ms it was not so that "+what, append([]any{d / Millisecond}, args...)...)
	}
	return s.err == nil
}

// settle is how long what is under way when something breaks may still be answered:
// a learner that missed a value asks for it after 100 ms.
const settle = 150 * Millisecond

// learnerRetry is when a learner fetches what it misses.
const learnerRetry = 50 * Millisecond

// progress expects that every client gets another answer within d, apart from
// what was under way.
func (s *stage) progress(d Micros, when string) {
	s.Run(settle)
	d -= settle
	before := make([]int, len(s.Clients))
	for i, k := range s.Clients {
		before[i] = k.answered()
	}
	s.expect(d, "every client was answered, %s", func() bool {
		for i, k := range s.Clients {
			if k.answered() <= before[i] {
				return false
			}
		}
		return true
	}, when)
}

// Leader is the proposer whose ballot is the highest that a Phase 2 quorum has
// voted at, as far as a proposal of it was chosen; "" if nothing was.
func (c *Cluster) Leader() paxos.NodeID { return c.Check.Latest.Proposer }

func ladderScenario(s *stage) {
	s.Cluster = NewCluster(s.seed, Topology{Acceptors: 3, Proposers: 1, Learners: 1, Clients: 1, Sessions: 100, Entries: 3, PageBytes: 1000})
	s.Trace = s.trace
	if s.ladder != nil {
		s.draw(s.ladder)
	}
	s.Clients[0].Window = 1
	for _, id := range s.servers() {
		s.nodes[id].Start()
	}
	s.Run(ElectionMax * 2 * Millisecond) // a leader is elected before the client comes
	s.StartAll()
	s.expect(3*Second, "three requests were answered", s.Done)
}

func duelScenario(s *stage) {
	s.hosts(5, 1, 2, 3, 4, 5)
	s.progress(2*Second, "after five proposers started at once")
	// A candidate that failed may hold one acceptor's promise: the leader renews its
	// ballot once, to have all of them.
	s.Run(2 * ElectionMax * Millisecond)
	ballot := s.Check.Latest
	s.Run(5 * Second)
	if s.err == nil && s.Check.Latest != ballot {
		s.err = fmt.Errorf("the ballot went from %v to %v without a fault", ballot, s.Check.Latest)
	}
}

// quorumLoss: every link between hosts is cut but those of host 1; host 3 led.
func quorumLoss(s *stage) {
	s.hosts(5)
	s.lead(3)
	for i := 2; i <= 5; i++ {
		for j := i + 1; j <= 5; j++ {
			s.cutHosts(i, j)
		}
	}
	s.progress(recovery, "after all links but those of host 1 were cut")
	s.leads("p1")
}

// leads fails the scenario unless id leads.
func (s *stage) leads(id paxos.NodeID) {
	if s.err == nil && s.Leader() != id {
		s.err = fmt.Errorf("%s leads, and %s should", s.Leader(), id)
	}
}

// constrainedElection: host 3 leads and is cut off from everybody; the others
// reach host 1 only, which missed the latest entries.
func constrainedElection(s *stage) {
	s.hosts(5)
	s.lead(3)
	s.cutHosts(1, 3)
	s.progress(Second, "with host 1 left behind")
	for i := 2; i <= 5; i++ {
		for j := i + 1; j <= 5; j++ {
			s.cutHosts(i, j)
		}
	}
	s.progress(recovery, "after only host 1 reached a quorum, and not the leader")
	s.leads("p1")
}

// chained: 1 - 2 - 3, and 3 leads.
func chained(s *stage) {
	s.hosts(3)
	s.lead(3)
	s.cutHosts(1, 3)
	s.progress(recovery, "after hosts 1 and 3 were cut apart")
	ballot := s.Check.Latest
	s.Run(3 * Second)
	if s.err == nil && s.Check.Latest.Round > ballot.Round+2 {
		s.err = fmt.Errorf("leaders went from %v to %v while hosts 1 and 3 were apart: they depose each other", ballot, s.Check.Latest)
	}
}

// minority: A..E are hosts 1..5. Client 1 and learner 1 are with A and B, client 2
// and learner 2 with C, D and E.
func minority(s *stage) {
	s.hosts(5)
	s.lead(2)
	sides := [2][]paxos.NodeID{}
	for i := 1; i <= 5; i++ {
		k := 0
		if i > 2 {
			k = 1
		}
		sides[k] = append(sides[k], s.Acceptors[i-1], s.Proposers[i-1])
	}
	for k := range 2 {
		sides[k] = append(sides[k], s.Learners[k], s.Clients[k].id)
	}
	for _, a := range sides[0] {
		for _, b := range sides[1] {
			s.Net.CutBoth(a, b)
		}
	}
	// Each side is sent values from now on; what was under way may have reached both.
	cut := len(s.Check.History.Ops)
	s.Clients[0].Window += 2
	s.Run(100 * Millisecond) // what had been chosen is answered
	before, other, entries := s.Clients[0].answered(), s.Clients[1].answered(), s.Check.Entries()
	s.expect(2*Second, "the majority side answered", func() bool { return s.Clients[1].answered() > other+3 })
	if s.err == nil && s.Clients[0].answered() != before {
		s.err = fmt.Errorf("the minority side answered")
	}
	for _, e := range s.Check.Log[entries:] {
		if place := s.Check.History.Places[e.Value]; s.err == nil && place >= cut && s.Check.History.Ops[place].Client == s.Clients[0].id {
			s.err = fmt.Errorf("%q of the minority side was chosen meanwhile", e.Value)
		}
	}
	waiting := s.waitingAt(s.Clients[0])
	if s.err == nil && !slices.ContainsFunc(waiting, func(place int) bool { return place >= cut }) {
		s.err = fmt.Errorf("the minority side was sent nothing")
	}
	s.World.trace("healing")
	s.Net.Heal()
	s.progress(5*Second, "after healing")
	s.settled(waiting)
}

// waitingAt are the client's appends that have no answer.
func (s *stage) waitingAt(k *Client) []int {
	var waiting []int
	for place, o := range s.Check.History.Ops {
		if o.Client == k.id && o.Kind == check.Append && o.Ret < 0 {
			waiting = append(waiting, place)
		}
	}
	return waiting
}

// settled expects that each of the appends comes to its answer, or is told never
// to be. The checker has seen that each is in the log at most once, and where it
// was answered.
func (s *stage) settled(waiting []int) {
	if s.err == nil && len(waiting) == 0 {
		s.err = fmt.Errorf("no append was waiting")
	}
	s.expect(10*Second, "every append that waited was answered or resolved", func() bool { return s.returned(waiting) })
}

// returned reports whether all of these operations have returned.
func (s *stage) returned(places []int) bool {
	return !slices.ContainsFunc(places, func(place int) bool { return s.Check.History.Ops[place].Ret < 0 })
}

func hungDisk(s *stage) {
	s.hosts(3)
	s.lead(1)
	s.nodes["a2"].Disk.Hung, s.nodes["a3"].Disk.Hung = true, true
	s.Run(10 * Millisecond)
	before := s.Check.Answers
	s.Run(4 * Second)
	if s.Check.Answers > before+8 { // what was synced already may be answered
		s.err = fmt.Errorf("%d appends were answered while a quorum's disks hung", s.Check.Answers-before)
	}
	s.nodes["a2"].Disk.Hung, s.nodes["a3"].Disk.Hung = false, false
	s.progress(3*Second, "after the disks went on")
}

// hungSource: learners take values from a1 first. What is answered meanwhile is answered
// before a learner would fetch what it misses.
func hungSource(s *stage) {
	s.hosts(3)
	s.lead(1)
	s.nodes["a1"].Disk.Hung = true
	for range 20 {
		s.Run(5 * Millisecond)
		waiting := slices.Concat(s.waitingAt(s.Clients[0]), s.waitingAt(s.Clients[1]))
		s.expect(learnerRetry, "what was appended while the disk of a1 hung was answered", func() bool { return s.returned(waiting) })
	}
	s.nodes["a1"].Disk.Hung = false
	s.progress(Second, "after the disk went on")
}

// fullDisks has real stores under a part of the seeds, which must name a full disk
// as what it is.
func fullDisks(s *stage) {
	s.hosts(3)
	if s.seed%4 == 1 {
		for _, id := range s.Acceptors {
			n := s.nodes[id]
			n.Crash()
			s.usePebble(n, s.Members, false)
			n.Start()
		}
	}
	s.lead(1)
	s.nodes["a2"].Disk.Full = true
	s.progress(2*Second, "with the disk of one acceptor full")
	s.nodes["a3"].Disk.Full = true
	s.Run(Second)
	waiting, before := s.waitingAt(s.Clients[0]), s.Check.Answers
	s.Run(2 * Second)
	if s.err == nil && s.Check.Answers != before {
		s.err = fmt.Errorf("%d appends were answered while a quorum's disks were full", s.Check.Answers-before)
	}
	if s.err == nil && (s.Events[fullDisk] < 2 || s.Events["start refused by a full disk"] < 2) {
		s.err = fmt.Errorf("two processes should have stopped over a full disk, and not have started: %v", s.Events)
	}
	s.World.trace("space is freed")
	s.nodes["a2"].Disk.Full, s.nodes["a3"].Disk.Full = false, false
	s.progress(5*Second, "after space was freed")
	s.settled(waiting)
}

func pausedLeader(s *stage) {
	s.hosts(3)
	s.lead(1)
	s.nodes["p1"].Pause()
	s.progress(recovery, "while the leader was paused")
	leader := s.Leader()
	s.nodes["p1"].Resume()
	s.Run(2 * Second)
	s.leads(leader)
	s.progress(Second, "after it resumed")
}

// FindScenario returns the scenario of that name.
func FindScenario(name string) (Scenario, bool) {
	i := slices.IndexFunc(Scenarios, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}, false
	}
	return Scenarios[i], true
}
