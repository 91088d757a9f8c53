// Package learner is the learner machine: it finds out what was chosen, applies
// it in instance order, numbers the entries, answers the clients, and serves
// reads and tails.
//
// It implements "learning a chosen value" of "Paxos Made Simple" (Lamport 2001),
// section 2.3, with acceptors that tell every learner directly, and the state
// machine of section 3: here, a log with exactly-once sessions. Linearizable
// reads poll a quorum of acceptors, without a leader (after "Paxos Quorum Reads",
// Charapko et al., HotStorage 2019).
//
// It does no I/O and reads no clock: a driver calls it, from one goroutine, as
// paxos.Machine says. Nothing it says waits for its own disk: what it applies was
// chosen, so a quorum of acceptors has it; a learner that crashes is merely
// earlier when it returns.
package learner

import (
	"github.com/paxlog/paxlog/paxos"
)

// Config is what a learner needs to know. Ticks are milliseconds.
type Config struct {
	ID         paxos.NodeID
	Membership paxos.Membership
	Learners   []paxos.NodeID // the other learners, to copy from
	Seed       uint64         // random at each start: nonces begin there, so that no answer to an earlier run fits

	PollTicks  paxos.Ticks // between renewals of the subscriptions
	RetryTicks paxos.Ticks // before something missing is fetched
	ReadTicks  paxos.Ticks // a linearizable read that cannot be decided is told so
	PageBytes  int         // bytes of values in one page; one value always fits
	EntryBytes int         // told to clients
	BatchBytes int         // told to clients: the largest batch of one Append
	AheadBytes int         // values kept above a hole
}

// maxAhead bounds the instances above applied of which votes are kept. What is
// above is fetched when its turn comes.
const maxAhead = 8192

// State is a learner's durable state, as its store recovers it.
type State struct {
	paxos.LearnerState
	Sessions []paxos.SessionState
	Peers    paxos.Peers
}

// Learner is the machine. Create it with New.
type Learner struct {
	paxos.Outbox
	cfg Config

	// Durable: applied and all that follows from it.
	state    paxos.LearnerState
	sessions *sessions
	peers    paxos.Peers
	marked   paxos.Set // acceptors whose mark is to be written with the next change
	changed  bool      // state changed since the last flush

	now paxos.Ticks
	up  map[paxos.NodeID]bool
	// strangers are acceptors connected under another incarnation than remembered.
	strangers map[paxos.NodeID]bool
	warned    map[paxos.NodeID]paxos.Timer // when each acceptor that cannot be vouched for is told of again

	// What is known above applied.
	slots      map[paxos.Instance]*slot
	aheadBytes int
	heldBy     []paxos.Instance // by place: the acceptor's mark
	highest    paxos.Instance   // highest instance that anybody voted for, as far as heard

	source     int // place of the acceptor that relays values
	polledAt   paxos.Ticks
	polled     bool
	appliedAt  paxos.Ticks // when applied last rose
	progressAt paxos.Ticks // when applied last rose, or nothing was missing
	fetching   fetching

	loads    map[uint64]func(*paxos.Loaded)
	tag      uint64
	attached map[paxos.SessionID][]attachment
	clients  map[paxos.NodeID]*client // those with attached sessions
	flushes  uint64
	parked   []parked // reads waiting for an entry, in order of arrival
	reads    reads
	ready    bool
}

// New returns a learner that continues from st.
func New(cfg Config, st State) *Learner {
	l := &Learner{
		cfg: cfg, state: st.LearnerState, peers: st.Peers,
		sessions: newSessions(st.Sessions),
		up:       map[paxos.NodeID]bool{}, strangers: map[paxos.NodeID]bool{}, warned: map[paxos.NodeID]paxos.Timer{}, slots: map[paxos.Instance]*slot{},
		heldBy: make([]paxos.Instance, len(cfg.Membership.Acceptors)),
		loads:  map[uint64]func(*paxos.Loaded){}, attached: map[paxos.SessionID][]attachment{},
		clients: map[paxos.NodeID]*client{},
	}
	l.reads.nonce, l.fetching.nonce = cfg.Seed, cfg.Seed
	if l.state.Next == 0 {
		l.state.Next = 1
	}
	if l.peers == nil {
		l.peers = paxos.Peers{}
	}
	l.reads.waiting = append(l.reads.waiting, &read{startup: true})
	return l
}

// Step implements paxos.Machine.
func (l *Learner) Step(from paxos.NodeID, m paxos.Message) {
	if _, asks := m.(*paxos.Vouch); l.strangers[from] && !asks {
		return // it is told what is remembered, and nothing it says counts
	}
	switch m := m.(type) {
	case *paxos.Accepted:
		l.onAccepted(from, m)
	case *paxos.Relay:
		l.onRelay(from, m)
	case *paxos.Page:
		l.onPage(from, m)
	case *paxos.PollReply:
		l.onPollReply(from, m)
	case *paxos.Attach:
		l.onAttach(from, m)
	case *paxos.Read:
		l.onRead(from, m)
	case *paxos.Locate:
		l.onLocate(from, m)
	case *paxos.Lookup:
		l.onLookup(from, m)
	case *paxos.Fetch:
		l.onFetch(from, m)
	case *paxos.Vouch:
		l.onVouch(from, m)
	case *paxos.StatusQuery:
		l.onStatus(from, m)
	case *paxos.Loaded:
		if done, ok := l.loads[m.Load.Tag]; ok {
			delete(l.loads, m.Load.Tag)
			done(m)
		}
	case *paxos.PeerUp:
		l.onPeerUp(m)
	case *paxos.PeerDown:
		l.onPeerDown(m)
	}
}

// Tick implements paxos.Machine.
func (l *Learner) Tick(mono paxos.Ticks, _ paxos.UnixNanos) {
	l.now = mono
	l.tickReads()
	if !l.polled || l.now-l.polledAt >= l.cfg.PollTicks {
		l.poll()
	}
	l.tickFetch()
}

// Flush implements paxos.Machine: it applies what was chosen, in order.
func (l *Learner) Flush() paxos.Output {
	l.apply()
	l.flushReads()
	if l.changed {
		l.changed = false
		l.sessions.write(&l.Outbox)
		l.Write(paxos.SetLearner{State: l.state})
		l.writeMarks()
		l.unpark()
	}
	l.flushes++
	return l.Take()
}

// writeMarks writes the marks that acceptors have shown.
func (l *Learner) writeMarks() {
	for place, id := range l.cfg.Membership.Acceptors {
		if l.marked.Has(place) {
			l.Write(paxos.SetPeer{ID: id, Peer: l.peers[id]})
		}
	}
	l.marked = 0
}

// last is the index of the last entry, 0 if there is none.
func (l *Learner) last() paxos.Index { return l.state.Next - 1 }

// first is the first index kept, 0 if there is no entry. Nothing is trimmed yet.
func (l *Learner) first() paxos.Index { return min(1, l.last()) }

// maxHeld is the highest instance that some acceptor holds, as far as heard.
func (l *Learner) maxHeld() paxos.Instance {
	var h paxos.Instance
	for _, i := range l.heldBy {
		h = max(h, i)
	}
	return h
}

// load reads the store and calls done, in a later step, with the result.
func (l *Learner) load(q paxos.Load, done func(*paxos.Loaded)) {
	l.tag++
	q.Tag = l.tag
	l.loads[l.tag] = done
	l.Load(q)
}

func (l *Learner) onPeerUp(m *paxos.PeerUp) {
	l.strangers[m.ID] = l.peers.IsStranger(m)
	l.up[m.ID] = true
	if place := l.cfg.Membership.Place(m.ID); place >= 0 {
		l.pollOne(place, 0)
	}
}

func (l *Learner) onPeerDown(m *paxos.PeerDown) {
	delete(l.up, m.ID)
	if m.ID.IsClient() {
		l.detach(m.ID)
		return
	}
	if l.cfg.Membership.Place(m.ID) == l.source {
		l.switchSource()
	}
	if l.fetching.asked == m.ID {
		l.fetching.asked = ""
	}
	if l.fetching.resume == m.ID {
		l.fetching.resume = ""
	}
}

func (l *Learner) onStatus(from paxos.NodeID, m *paxos.StatusQuery) {
	r := &paxos.StatusReply{
		Nonce: m.Nonce, Role: paxos.RoleLearner, ID: l.cfg.ID, Applied: l.state.Applied,
		Chosen: max(l.state.Applied, l.maxHeld()), First: l.first(), Last: l.last(), Sessions: l.sessions.len(),
	}
	if l.behind() {
		r.Open = l.state.Applied + 1
	}
	l.Now(from, r)
}
