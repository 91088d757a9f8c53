// Package proposer is the proposer machine: it stands by, campaigns when a
// Phase 1 quorum reports silence, and leads: it orders clients' appends into
// instances and gets each chosen.
//
// It implements the proposer of "Paxos Made Simple" (Lamport 2001), sections 2.2
// and 3: one Phase 1 for all instances, after which every following instance
// takes Phase 2 only. It keeps nothing on disk: its ballots carry random bits of
// this run, so that none is ever used twice.
//
// It does no I/O and reads no clock: a driver calls it, from one goroutine, as
// paxos.Machine says. It never answers an append: learners do. It only says when
// it dropped one.
package proposer

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// Config is what a proposer needs to know. Ticks are milliseconds.
type Config struct {
	ID         paxos.NodeID
	Membership paxos.Membership
	Run        uint64 // random bits, fresh at each start
	Seed       uint64 // of the election timeouts

	HeartbeatTicks paxos.Ticks
	ElectionMin    paxos.Ticks
	ElectionMax    paxos.Ticks
	RetryTicks     paxos.Ticks // before a proposal is sent again
	StallTicks     paxos.Ticks // a leader whose oldest proposal is older resigns

	Window      int // instances in flight
	WindowBytes int // of values in flight; one value is always admitted
	BatchBytes  int // of one value; one entry of EntryBytes always fits
	EntryBytes  int
	QueueBytes  int // appends waiting to be proposed
}

// Proposer is the machine. Create it with New.
type Proposer struct {
	paxos.Outbox
	cfg  Config
	rand paxos.Rand

	now  paxos.Ticks
	wall paxos.UnixNanos

	round uint64 // highest round seen anywhere
	phase phase  // *standby, *preparing or *leading

	stopping bool // finishing what was accepted, taking nothing new

	marks     paxos.ByPlace[paxos.Mark] // the highest that each acceptor has shown
	renewedAt paxos.Ticks               // when a campaign last began for an acceptor to rejoin
	renewed   bool                      // one did

	clients []paxos.NodeID // connected, sorted
	up      map[paxos.NodeID]bool
	told    paxos.Ballot // the leader that clients were last told
	failed  int          // campaigns failed in a row
	reason  string       // why it is not leading, for status
}

// phase is what a proposer is doing; each type holds the data of its phase only.
type phase interface {
	tick(p *Proposer)
	step(p *Proposer, from paxos.NodeID, m paxos.Message)
	onAppend(p *Proposer, from paxos.NodeID, m *paxos.Append)
	// leader is the ballot of the leader as far as this phase knows, or zero.
	leader(p *Proposer) paxos.Ballot
	name() string
}

// New returns a standby.
func New(cfg Config) *Proposer {
	p := &Proposer{
		cfg: cfg, rand: paxos.Rand{State: cfg.Seed}, up: map[paxos.NodeID]bool{},
		marks: make([]paxos.Mark, len(cfg.Membership.Acceptors)),
	}
	p.standBy("just started", 0)
	return p
}

// Step implements paxos.Machine.
func (p *Proposer) Step(from paxos.NodeID, m paxos.Message) {
	switch m := m.(type) {
	case *paxos.Append:
		if err := p.checkAppend(m); err != nil {
			p.refuse(from, m, paxos.RefuseMalformed, err.Error())
			return
		}
		if p.stopping {
			p.refuse(from, m, paxos.RefuseNoLeader, string(p.cfg.ID)+" is stopping")
			return
		}
		p.phase.onAppend(p, from, m)
	case *paxos.Refused:
		// From the leader, about an append forwarded from here.
		if m.Origin.IsClient() {
			p.Now(m.Origin, &paxos.Refused{Session: m.Session, First: m.First, Attempt: m.Attempt, Reason: m.Reason, Detail: m.Detail})
		}
	case *paxos.Vouch:
		if place := p.place(from); place >= 0 {
			p.Now(from, &paxos.Vouched{Asked: m.Mark, Mark: p.marks[place]})
		}
	case *paxos.Stopping:
		p.stopping = true
		if _, ok := p.phase.(*leading); !ok {
			p.Out.Stopped = true
		}
	case *paxos.StatusQuery:
		p.onStatus(from, m)
	case *paxos.PeerUp:
		p.onPeerUp(m)
	case *paxos.PeerDown:
		delete(p.up, m.ID)
		p.clients = slices.DeleteFunc(p.clients, func(id paxos.NodeID) bool { return id == m.ID })
	case *paxos.Reject:
		p.round = max(p.round, m.Promised.Round)
		p.phase.step(p, from, m)
	default:
		p.phase.step(p, from, m)
	}
}

// Tick implements paxos.Machine.
func (p *Proposer) Tick(mono paxos.Ticks, wall paxos.UnixNanos) {
	p.now, p.wall = mono, wall
	p.phase.tick(p)
}

// Flush implements paxos.Machine: a leader packs what is waiting into instances.
func (p *Proposer) Flush() paxos.Output {
	if l, ok := p.phase.(*leading); ok {
		l.pack(p)
	}
	if b := p.phase.leader(p); b != p.told {
		p.told = b
		for _, c := range p.clients {
			p.Now(c, &paxos.Leader{Ballot: b})
		}
	}
	return p.Take()
}

func (p *Proposer) onPeerUp(m *paxos.PeerUp) {
	p.up[m.ID] = true
	if m.Role == paxos.RoleClient {
		if i, found := slices.BinarySearch(p.clients, m.ID); !found {
			p.clients = slices.Insert(p.clients, i, m.ID)
		}
		p.Now(m.ID, &paxos.Leader{Ballot: p.told})
		return
	}
	p.phase.step(p, m.ID, m)
}

// checkAppend returns an error unless m is one well-formed run or fence, of the
// session and place that it says, within the limits.
func (p *Proposer) checkAppend(m *paxos.Append) error {
	if most := MaxAppend(p.cfg.BatchBytes, p.cfg.EntryBytes); len(m.Batch) > most {
		return fmt.Errorf("%d bytes at once, and %s takes %d: its limits.entry_bytes is %d, limits.batch_bytes %d",
			len(m.Batch), p.cfg.ID, most, p.cfg.EntryBytes, p.cfg.BatchBytes)
	}
	r, rest, err := paxos.NextRun(m.Batch)
	if err != nil {
		return err
	}
	if len(rest) > 0 || r.Session != m.Session || r.First != m.First {
		return paxos.ErrBatch
	}
	return paxos.CheckBatch(m.Batch, p.cfg.EntryBytes)
}

// MaxAppend is the longest batch that one Append may carry, in bytes.
func MaxAppend(batchBytes, entryBytes int) int { return max(batchBytes, entryBytes) + 64 }

func (p *Proposer) refuse(to paxos.NodeID, m *paxos.Append, why paxos.RefuseReason, detail string) {
	p.Now(to, &paxos.Refused{Session: m.Session, First: m.First, Attempt: m.Attempt, Origin: m.Origin, Reason: why, Detail: detail})
}

// broadcast sends m to every acceptor.
func (p *Proposer) broadcast(m paxos.Message) {
	for _, id := range p.cfg.Membership.Acceptors {
		p.Now(id, m)
	}
}

// see notes the mark that an acceptor shows. The highest is kept, whatever run showed
// it: an acceptor that starts with a lower one has forgotten something.
func (p *Proposer) see(place int, m paxos.Mark) {
	if known := &p.marks[place]; known.Forgets(m) {
		*known = m
	}
}

func (p *Proposer) place(id paxos.NodeID) int { return p.cfg.Membership.Place(id) }

func (p *Proposer) onStatus(from paxos.NodeID, m *paxos.StatusQuery) {
	r := &paxos.StatusReply{
		Nonce: m.Nonce, Role: paxos.RoleProposer, ID: p.cfg.ID, State: p.phase.name(),
		Ballot: p.phase.leader(p), Reason: p.reason,
	}
	switch phase := p.phase.(type) {
	case *standby:
		r.Reason = phase.why(p)
	case *leading:
		r.Chosen, r.Quorum, r.Reason = phase.chosenUpTo, phase.quorum(p), ""
	}
	p.Now(from, r)
}
