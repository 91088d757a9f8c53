package core

import (
	"errors"
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// Config is what a client needs to know.
type Config struct {
	Proposers []paxos.NodeID // one that runs is enough
	Learners  []paxos.NodeID // one that runs is enough
	// Only says that the learners are these, whatever the log decides.
	Only bool
	// InflightBytes bounds the unanswered entries of one session, by their bytes and
	// EntryOverhead each. One entry is always admitted.
	InflightBytes int
}

// Machine is one client. Create it with New.
type Machine struct {
	paxos.Outbox
	cfg    Config
	now    paxos.Ticks
	due    paxos.Ticks // before it no timer runs out
	closed bool
	nonce  uint64

	up       map[paxos.NodeID]bool
	troubles map[paxos.NodeID]trouble

	file      Config // as it began
	told      told
	directory *paxos.Directory // of these the one that it goes by, or nil

	leadership
	learner    int                   // place of the learner in use
	drained    map[paxos.NodeID]bool // learners that are about to be stopped
	inUse      paxos.NodeID          // that learner, "" if none is connected
	attachment uint64                // counts changes of it: a session is attached under the newest, or not
	triedAt    paxos.Ticks           // when others were tried last

	birth    birth
	sessions map[paxos.SessionID]*Session // those that are born and have not ended
	busy     []*Session                   // those with unanswered entries, in no order
	ready    []*Session                   // those that Flush looks at
	pending  int                          // unanswered entries of all sessions

	calls []*Call          // not answered, in no order
	asked map[uint64]*Call // by the nonce of the question under way
	vital vital

	doneAppends []*Append
	doneCalls   []*Call
}

// trouble is why a process cannot be used.
type trouble struct {
	why   error
	final bool // it is of another cluster: waiting does not help
}

// New returns a client that is not connected to anybody.
func New(cfg Config) *Machine {
	return &Machine{
		cfg: cfg, file: cfg, due: never, told: told{}, up: map[paxos.NodeID]bool{}, troubles: map[paxos.NodeID]trouble{}, drained: map[paxos.NodeID]bool{},
		leadership: newLeadership(), attachment: 1,
		sessions: map[paxos.SessionID]*Session{}, asked: map[uint64]*Call{},
	}
}

// Step implements paxos.Machine.
func (m *Machine) Step(from paxos.NodeID, msg paxos.Message) {
	switch msg := msg.(type) {
	case *paxos.Leader:
		if msg.Ballot.IsZero() {
			m.onLost(from) // it knows of no leader any more: what it passed on may be lost
		}
		m.onLeader(from, msg.Ballot)
	case *paxos.Refused:
		if s := m.sessions[msg.Session]; s != nil {
			s.onRefused(msg)
		} else if msg.Reason == paxos.RefuseRights {
			m.onFenceRefused(msg)
		}
		if msg.Reason == paxos.RefuseNoLeader {
			m.onNoLeader(from)
		}
	case *paxos.Result:
		if s := m.sessions[msg.Session]; s != nil {
			s.onResult(msg)
		}
	case *paxos.Results:
		m.birth.heard(m.now, msg.Instance)
		for i := range msg.Applied {
			if s := m.sessions[msg.Applied[i].Session]; s != nil {
				r := msg.Result(i)
				s.onApplied(&r)
			}
		}
	case *paxos.Attached:
		m.onAttached(msg)
	case *paxos.Detached:
		m.onDetached(from, msg)
	case *paxos.Elsewhere:
		m.onElsewhere(from, msg)
	case *paxos.Directory:
		m.onDirectory(from, msg)
	case *paxos.Located:
		m.onLocated(msg)
	case *paxos.LogPage:
		m.onLogPage(msg)
	case *paxos.Found:
		m.onFound(msg)
	case *paxos.NotPermitted:
		m.onNotPermitted(msg)
	case *paxos.PeerUp:
		delete(m.told, msg.ID) // it may have come back with less
		m.onPeerUp(msg.ID)
	case *paxos.PeerDown:
		m.onPeerDown(msg.ID)
	}
}

// Tick implements paxos.Machine. It costs next to nothing before Next.
func (m *Machine) Tick(mono paxos.Ticks, _ paxos.UnixNanos) {
	m.now = mono
	if m.now < m.due {
		return
	}
	m.due = never
	for i := len(m.busy) - 1; i >= 0; i-- { // from the end: a session that is done leaves its place to the last
		m.busy[i].tick()
	}
	m.tickBirth()
	for i := len(m.calls) - 1; i >= 0; i-- {
		m.tickCall(m.calls[i])
	}
	m.tickVital()
}

// Flush implements paxos.Machine: it packs what the sessions have to send.
func (m *Machine) Flush() paxos.Output {
	for i := 0; i < len(m.ready); i++ {
		s := m.ready[i]
		s.isReady = false
		s.flush()
	}
	clear(m.ready)
	m.ready = m.ready[:0]
	return m.Take()
}

// Next implements paxos.Machine.
func (m *Machine) Next() paxos.Ticks { return m.due }

// at makes the machine due at t.
func (m *Machine) at(t paxos.Ticks) { m.due = min(m.due, t) }

// Pending is how many entries of all sessions wait for their answer.
func (m *Machine) Pending() int { return m.pending }

// Delivered returns what was answered since it was called last. The lists are good
// until the next call of any method; who has read them clears them.
func (m *Machine) Delivered() ([]*Append, []*Call) {
	appends, calls := m.doneAppends, m.doneCalls
	m.doneAppends, m.doneCalls = m.doneAppends[:0], m.doneCalls[:0]
	return appends, calls
}

// Trouble notes why the process id cannot be used. It is final if the process is of
// another cluster or version: when all proposers or all learners are, nothing that
// waits can ever be answered, and it fails with ErrRefused.
func (m *Machine) Trouble(id paxos.NodeID, why error, final bool) {
	m.troubles[id] = trouble{why, final}
	err := m.refusedByAll()
	if err == nil {
		return
	}
	m.endAll(ErrRefused, err)
}

// Close ends every session and call with ErrClosed.
func (m *Machine) Close() {
	m.closed = true
	m.endAll(ErrClosed, errClosing)
}

// errClosing is the cause of what Close leaves unknown.
var errClosing = fmt.Errorf("the client was closed before the answer came")

// endAll ends all sessions and calls: kind says what is certain of appends never sent,
// why says what happened.
func (m *Machine) endAll(kind, why error) {
	for _, s := range m.sessions {
		s.fail(kind, why)
	}
	for len(m.birth.waiting) > 0 {
		m.birth.waiting[0].fail(kind, why)
	}
	for len(m.calls) > 0 {
		m.finish(m.calls[0], fmt.Errorf("%w: %w", kind, why))
	}
}

func (m *Machine) onPeerUp(id paxos.NodeID) {
	m.up[id] = true
	delete(m.troubles, id)
	if m.isLearner(id) {
		m.learnerCame(id)
		return
	}
	for _, s := range m.busy {
		s.act()
	}
}

// learnerCame has what waits for a learner go on at one that can be used from now on.
func (m *Machine) learnerCame(id paxos.NodeID) {
	m.chooseLearner(id)
	m.askForBirth()
	for i := len(m.calls) - 1; i >= 0; i-- { // from the end: one that is done leaves its place to the last
		if k := m.calls[i]; k.question.nonce == 0 && k.againAt == 0 && k.session == nil {
			m.pursue(k)
		}
	}
}

func (m *Machine) onPeerDown(id paxos.NodeID) {
	delete(m.up, id)
	delete(m.drained, id)
	if m.isLearner(id) {
		m.chooseLearner("")
		if m.birth.question.to == id {
			m.birth.question = question{}
			m.askForBirth()
		}
		if m.vital.question.to == id {
			m.vital.question = question{}
		}
		for i := len(m.calls) - 1; i >= 0; i-- {
			if k := m.calls[i]; k.question.nonce != 0 && k.question.to == id {
				m.lost(k)
			}
		}
		return
	}
	m.onLost(id)
	m.onLeader(id, paxos.Ballot{})
	for _, s := range m.busy {
		s.act()
	}
}

// onLost: what was sent to that proposer may be lost.
func (m *Machine) onLost(id paxos.NodeID) {
	for _, s := range m.busy {
		s.onLost(id)
	}
}

// refusedByAll returns an error if every proposer, or every learner, is of another
// cluster.
func (m *Machine) refusedByAll() error {
	for _, peers := range [][]paxos.NodeID{m.cfg.Proposers, m.cfg.Learners} {
		var err error
		for _, id := range peers {
			t := m.troubles[id]
			if !t.final {
				err = nil
				break
			}
			err = t.why
		}
		if err != nil {
			return fmt.Errorf("%w; check the cluster file and the addresses in it", err)
		}
	}
	return nil
}

// unreachable says which role cannot be reached at all, and why; nil if both can. If one of that
// role is of another log, and can become of no other, the error is ErrOtherLog: nobody who was
// reached is of the log that is meant.
func (m *Machine) unreachable() error {
	for _, r := range []struct {
		name  string
		peers []paxos.NodeID
	}{{"proposer", m.cfg.Proposers}, {"learner", m.cfg.Learners}} {
		err := fmt.Errorf("no %s can be reached", r.name)
		for i := len(r.peers) - 1; i >= 0 && err != nil; i-- {
			switch id, t := r.peers[i], m.troubles[r.peers[i]]; {
			case m.up[id]:
				err = nil
			case t.final && errors.Is(t.why, ErrOtherLog):
				err = fmt.Errorf("no %s can be reached; %s: %w", r.name, id, t.why)
			case t.why != nil && !errors.Is(err, ErrOtherLog):
				err = fmt.Errorf("no %s can be reached; %s: %v", r.name, id, t.why) // no outcome of this call
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
