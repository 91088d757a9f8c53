package proposer

import (
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
	"github.com/paxlog/paxlog/paxos/rights"
)

// Config is what a proposer needs to know. Ticks are milliseconds.
type Config struct {
	ID         paxos.NodeID
	Membership paxos.Membership
	Process    uint64 // random bits, fresh at each start
	Seed       uint64 // of the election timeouts

	HeartbeatTicks paxos.Ticks
	ElectionMin    paxos.Ticks
	ElectionMax    paxos.Ticks
	RenewTicks     paxos.Ticks // between questions to an acceptor that tells by itself whom it hears
	RetryTicks     paxos.Ticks // before a proposal is sent again
	StallTicks     paxos.Ticks // a leader whose oldest proposal is older resigns

	Window      int // instances in flight
	WindowBytes int // of values in flight; one value is always admitted
	BatchBytes  int // of one value; one entry of EntryBytes always fits
	LittleBytes int // who has no more waiting appends little, and then values of others carry no more; 0: nobody does
	EntryBytes  int
	QueueBytes  int // appends waiting to be proposed

	// A checkpoint is begun when the log has grown by MarkBytes, or by MarkInstances since the
	// newest one, and given up when it does not come on for MarkTicks. MarkBytes 0: never.
	// The learners make it.
	MarkBytes     int
	MarkInstances int
	MarkTicks     paxos.Ticks

	// Processes are those of the cluster file: who the learners are, and the other proposers, as
	// long as the log has not decided it.
	Processes []configuration.Process

	Knows   uint64      // the highest level of a log that this process knows
	LogID   paxos.LogID // random, fresh at each start: names a log that this process begins
	Program string      // the version of the program, for status
	Blind   bool        // it asks no client for a certificate (rights.Gate)
}

// Proposer is the machine. Create it with New.
type Proposer struct {
	paxos.Outbox
	cfg  Config
	rand paxos.Rand

	now   paxos.Ticks
	wall  paxos.UnixNanos // no further ahead than the acceptors' clocks allow
	clock paxos.UnixNanos // as this process's own shows

	round  uint64 // highest round seen anywhere
	rounds rounds
	latest paxos.Ballot // of the latest campaign
	phase  phase        // *standby, *preparing or *leading

	stopping bool // finishing what was accepted, taking nothing new
	drained  bool // it does not lead, for it is about to be stopped

	trimmed control.State // as an acceptor that has trimmed showed it last
	control control.State // what the log has decided about itself, as far as this process knows

	// members are whom the present phase asks, and what it counts as a quorum. They change
	// only where a phase begins: all that is kept by place is of one order of them.
	members   configuration.Electorate
	shown     configuration.History // as Phase 1, or enough acceptors, have shown it: a hint, which Phase 1 has to confirm
	named     configuration.Roster  // the newest that Phase 1, or enough acceptors, have shown
	enrolled  configuration.Roster  // that, or a newer one that is tried
	learners  []paxos.NodeID        // of it
	words     map[paxos.NodeID]*word
	ahead     paxos.Timer // when it is told again that this process's clock is ahead
	limit     limit       // of p.wall
	tried     tried
	directory *paxos.Directory // what clients were told of all that, nil for nothing
	joiners   map[paxos.NodeID]joiner
	order     *memberOrder // under way, or nil

	marks   paxos.ByPlace[paxos.Mark] // the highest that each acceptor has shown
	renewal paxos.Timer               // when a campaign for an acceptor to rejoin may begin

	clients   ids // connected
	proposers ids // connected
	up        map[paxos.NodeID]bool
	judging   judging
	known     map[paxos.NodeID]uint64       // incarnations of acceptors that have connected
	claims    map[paxos.NodeID]paxos.Ballot // under which each connected proposer says that it leads
	told      paxos.Ballot                  // the leader that clients were last told
	claimed   paxos.Ballot                  // the ballot that other proposers were last told that this one leads under
	passedTo  paxos.NodeID                  // whom an append was last passed on to
	refused   uint64                        // messages of acceptors that claimed what cannot be
	refusal   paxos.Timer                   // when that is told again
	failed    int                           // campaigns failed in a row
	reason    string                        // why it is not leading, for status
}

// ids is a sorted list of those that are connected.
type ids []paxos.NodeID

func (s *ids) add(id paxos.NodeID) {
	if i, found := slices.BinarySearch(*s, id); !found {
		*s = slices.Insert(*s, i, id)
	}
}

func (s *ids) remove(id paxos.NodeID) {
	if i, found := slices.BinarySearch(*s, id); found {
		*s = slices.Delete(*s, i, i+1)
	}
}

// phase is what a proposer is doing; each type holds the data of its phase only.
type phase interface {
	tick(p *Proposer)
	nextTick(p *Proposer) paxos.Ticks // when tick, or Flush, has something to do
	step(p *Proposer, from paxos.NodeID, m paxos.Message)
	onAppend(p *Proposer, from paxos.NodeID, m *paxos.Append)
	// leader is the ballot of the leader as far as this phase knows, or zero.
	leader(p *Proposer) paxos.Ballot
	name() string
}

// New returns a standby.
func New(cfg Config) *Proposer {
	p := &Proposer{
		cfg: cfg, rand: paxos.Rand{State: cfg.Seed}, up: map[paxos.NodeID]bool{}, claims: map[paxos.NodeID]paxos.Ballot{}, known: map[paxos.NodeID]uint64{},
		joiners: map[paxos.NodeID]joiner{}, words: map[paxos.NodeID]*word{}, judging: judging{gate: rights.Gate{Blind: cfg.Blind}},
	}
	p.enrol(configuration.Enrol(cfg.Processes))
	p.standBy("just started", 0)
	return p
}

// Step implements paxos.Machine.
func (p *Proposer) Step(from paxos.NodeID, m paxos.Message) {
	if p.denies(from, m) {
		return
	}
	switch m := m.(type) {
	case *paxos.Append:
		p.onAppend(from, m)
	case *paxos.Refused:
		// From the leader, about an append passed on from here.
		if m.Client.IsClient() {
			p.Send(m.Client, &paxos.Refused{Session: m.Session, First: m.First, Attempt: m.Attempt, Reason: m.Reason, Detail: m.Detail})
		}
	case *paxos.Leads:
		p.onLeads(from, m)
	case *paxos.Vouch:
		if place := p.place(from); place >= 0 {
			p.Send(from, &paxos.Vouched{Asked: m.Mark, Mark: p.marks[place]})
		}
	case *paxos.Stopping:
		p.onStopping()
	case *paxos.Transfer:
		p.onTransfer(from, m)
	case *paxos.Order:
		p.onOrder(from, m)
	case *paxos.Raise:
		p.onRaise(from, m)
	case *paxos.Settle:
		p.onSettle(from, m)
	case *paxos.Retain:
		p.onRetain(from, m)
	case *paxos.Adjust:
		p.onAdjust(from, m)
	case *paxos.Permit:
		p.onPermit(from, m)
	case *paxos.Drain:
		p.onDrain(from, m)
	case *paxos.Member:
		p.onMember(from, m)
	case *paxos.Join:
		p.onJoin(from, m)
	case *paxos.Configured:
		p.onConfigured(from, m)
	case *paxos.Able:
		p.onAble(from, m)
	case *paxos.AbleReply:
		if l, ok := p.phase.(*leading); ok {
			l.onAbleReply(p, from, m)
		}
	case *paxos.StatusQuery:
		p.onStatus(from, m)
	case *paxos.PeerUp:
		p.onPeerUp(m)
	case *paxos.PeerDown:
		p.onPeerDown(m.ID)
	case *paxos.Reject:
		if m.Ballot.Proposer == p.cfg.ID && m.Ballot.Process == p.cfg.Process && p.hear(p.place(from), m.Promised.Round) {
			p.round = max(p.round, m.Promised.Round)
			p.phase.step(p, from, m)
		}
	case *paxos.QueryReply:
		if p.place(from) >= 0 {
			p.hearGranted(from, m.GrantedAt)
		}
		p.phase.step(p, from, m)
	default:
		p.phase.step(p, from, m)
	}
}

// onStopping finishes what was accepted, and hands over if it leads and somebody else could.
func (p *Proposer) onStopping() {
	p.stopping = true
	switch phase := p.phase.(type) {
	case *leading:
		if why := phase.handOver(p, &handover{}); why != "" {
			p.Info("not handed over", "ballot", phase.ballot.String(), "reason", why)
		}
	case *yielding:
	default:
		p.Out.Stopped = true
	}
}

// Tick implements paxos.Machine.
func (p *Proposer) Tick(mono paxos.Ticks, wall paxos.UnixNanos) {
	p.now, p.clock = mono, min(max(wall, 1-paxos.Bound), paxos.Bound-1) // whatever a clock shows
	p.wall = p.bounded(p.clock)
	p.phase.tick(p)
}

// Next implements paxos.Machine.
func (p *Proposer) Next() paxos.Ticks { return p.phase.nextTick(p) }

// Flush implements paxos.Machine: a leader packs what is waiting into instances, and
// who leads is told to those who do not know it.
func (p *Proposer) Flush() paxos.Output {
	l, leads := p.phase.(*leading)
	if leads {
		l.pack(p)
		l.hurry(p)
		l.assert(p)
		l.yield(p)
		_, leads = p.phase.(*leading)
	}
	if b := p.phase.leader(p); b != p.told {
		p.tellClients(b)
	}
	p.tellDirectory()
	switch {
	case leads && l.ballot != p.claimed:
		p.claim(l.ballot)
	case !leads && !p.claimed.IsZero():
		p.claim(paxos.Ballot{})
	}
	return p.Take()
}

// claim tells other proposers under which ballot this one leads, if any.
func (p *Proposer) claim(b paxos.Ballot) {
	p.claimed = b
	for _, id := range p.proposers {
		p.Send(id, &paxos.Leads{Ballot: b})
	}
}

func (p *Proposer) tellClients(leader paxos.Ballot) {
	p.told = leader
	for _, c := range p.clients {
		p.Send(c, &paxos.Leader{Ballot: leader})
	}
}

func (p *Proposer) onPeerUp(m *paxos.PeerUp) {
	if p.up[m.ID] {
		p.onPeerDown(m.ID) // what was under way to it may be lost
	}
	p.up[m.ID] = true
	p.judging.gate.Up(m)
	switch m.Role {
	case paxos.RoleAcceptor:
		if len(p.known) >= 2*paxos.MaxAcceptors { // those that came and went since this process began
			maps.DeleteFunc(p.known, func(id paxos.NodeID, _ uint64) bool { return p.place(id) < 0 && !p.up[id] })
		}
		if p.place(m.ID) >= 0 || len(p.known) < 2*paxos.MaxAcceptors {
			p.known[m.ID] = m.Incarnation
		}
	case paxos.RoleClient:
		p.clients.add(m.ID)
		p.Send(m.ID, &paxos.Leader{Ballot: p.told})
		if p.directory != nil {
			p.Send(m.ID, p.directory)
		}
		return
	case paxos.RoleProposer:
		p.proposers.add(m.ID)
		if !p.claimed.IsZero() {
			p.Send(m.ID, &paxos.Leads{Ballot: p.claimed})
		}
	}
	p.phase.step(p, m.ID, m)
}

func (p *Proposer) onPeerDown(id paxos.NodeID) {
	delete(p.up, id)
	p.judging.gate.Down(id)
	p.clients.remove(id)
	p.proposers.remove(id)
	delete(p.claims, id)
	delete(p.joiners, id)
	if s, ok := p.phase.(*standby); ok {
		s.step(p, id, &paxos.PeerDown{ID: id})
	}
	if p.passedTo == id {
		// What was passed on may be lost: who sent it sends it again.
		p.passedTo = ""
		p.tellClients(paxos.Ballot{})
	}
}

// onLeads takes what a proposer says of itself.
func (p *Proposer) onLeads(from paxos.NodeID, m *paxos.Leads) {
	delete(p.claims, from)
	if m.Ballot.Proposer == from {
		p.claims[from] = m.Ballot
	}
	if y, ok := p.phase.(*yielding); ok && y.ballot.Less(p.claims[from]) {
		y.onSuccessor(p, m.Ballot)
	}
}

// broadcast sends m to every acceptor.
func (p *Proposer) broadcast(m paxos.Message) {
	for _, id := range p.members.Acceptors {
		p.Send(id, m)
	}
}

// see notes the mark that an acceptor shows. The highest is kept, whatever process showed
// it: an acceptor that starts with a lower one has forgotten something.
func (p *Proposer) see(place int, m paxos.Mark) {
	if known := &p.marks[place]; known.Forgets(m) {
		*known = m
	}
}

func (p *Proposer) place(id paxos.NodeID) int { return p.members.Place(id) }
