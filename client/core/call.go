package core

import (
	"errors"
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// CallKind says what a Call asks.
type CallKind byte

// The kinds of calls.
const (
	CallEnd     CallKind = iota + 1 // where the log starts and ends
	CallRead                        // the entry at From
	CallPage                        // entries from From on, to UpTo; waits until there is one
	CallResolve                     // what became of the append ID, for good
)

// Call is a question of the application that learners answer, one after the other
// until one does.
type Call struct {
	Kind     CallKind
	Deadline paxos.Ticks // 0: none
	Horizon  paxos.Ticks // when its caller will Withdraw it, 0: not known. No learner is given all the time until then
	Owner    any         // of the driver; the machine does not look at it

	Stale  bool            // CallEnd: what the learner has, without asking a quorum
	At     paxos.UnixNanos // CallEnd: also the first index of this time or later, if not 0
	From   paxos.Index     // CallRead, CallPage
	UpTo   paxos.Index     // CallPage: the last index wanted
	Follow bool            // CallPage: the entry may be long in coming
	ID     paxos.AppendID  // CallResolve

	// The answer, once Delivered has returned it.
	Err     error
	First   paxos.Index // CallEnd: the first index kept, 0 if the log is empty
	Last    paxos.Index // CallEnd: the last index, 0 if the log is empty
	AtIndex paxos.Index // CallEnd with At: that index, Last+1 if there is none
	Learner paxos.NodeID
	Records []paxos.LogRecord // CallRead, CallPage
	Chosen  bool              // CallResolve: it is in the log, at Index; else it never will be
	Index   paxos.Index
	Below   paxos.Index // CallResolve: it is in the log, below this index, from which on entries are kept; Index is 0

	done     bool
	place    int // in Machine.calls
	phase    phase
	question question
	againAt  paxos.Ticks // when to ask again, 0: nothing waits
	why      string      // why it takes long
	session  *Session    // CallResolve: in its resolves
	fenceTo  paxos.NodeID
	fencedAt paxos.Ticks
	found    paxos.Index // CallResolve: where a learner found it, 0 if none has
}

// phase is what a call asks next; its zero value is the first question of each kind.
type phase byte

const (
	phaseFirst  phase = iota
	phaseLocate       // CallRead: is there such an index? CallResolve: does a session of that id exist?
	phaseWait         // CallRead: the index exists, wait for it
	phaseAgain        // CallResolve: the look-up again, at the learner that knows the end
)

// question is a request to one learner that is under way, if nonce is not 0.
type question struct {
	nonce uint64
	to    paxos.NodeID
	until paxos.Ticks // then the learner is given up, or asked whether it keeps up
}

// Ask asks k.
func (m *Machine) Ask(k *Call) {
	k.place = len(m.calls)
	m.calls = append(m.calls, k)
	switch {
	case m.closed:
		m.finish(k, ErrClosed)
		return
	case k.Kind == CallRead && k.From == 0:
		m.finish(k, fmt.Errorf("%w: the first index is 1", ErrNotFound))
		return
	case k.Kind == CallResolve && k.ID.Seq == 0:
		m.finish(k, fmt.Errorf("%w: the first append of a session is number 1", ErrFutureAppend))
		return
	case k.Kind == CallResolve && k.ID.Seq >= paxos.Bound:
		m.finish(k, fmt.Errorf("%w: no session has so many", ErrFutureAppend))
		return
	}
	if err := m.refusedByAll(); err != nil {
		m.finish(k, fmt.Errorf("%w: %w", ErrRefused, err))
		return
	}
	if k.Deadline != 0 {
		m.at(k.Deadline)
	}
	m.pursue(k)
}

// Withdraw ends k for that reason; the learner that was asked is told that nobody waits
// any more. It does nothing to a call that has its answer.
func (m *Machine) Withdraw(k *Call, why error) {
	if !k.done {
		m.finish(k, m.explain(k, why))
	}
}

// finish gives k its answer.
func (m *Machine) finish(k *Call, err error) {
	if k.done {
		return
	}
	if k.question.nonce != 0 && m.up[k.question.to] {
		m.Send(k.question.to, &paxos.Withdraw{Nonce: k.question.nonce})
	}
	m.forget(k)
	if s := k.session; s != nil {
		k.session = nil
		s.resolves = slices.DeleteFunc(s.resolves, func(o *Call) bool { return o == k })
	}
	k.done, k.Err = true, err
	last := len(m.calls) - 1
	m.calls[k.place], m.calls[last].place = m.calls[last], k.place
	m.calls[last] = nil
	m.calls = m.calls[:last]
	m.doneCalls = append(m.doneCalls, k)
}

// forget drops the question under way.
func (m *Machine) forget(k *Call) {
	delete(m.asked, k.question.nonce)
	k.question = question{}
}

// pursue asks the next question of k, or notes what it waits for.
func (m *Machine) pursue(k *Call) {
	k.againAt = 0
	if k.Kind == CallResolve && m.resolveHere(k) {
		return
	}
	to := m.inUse
	if k.phase == phaseAgain {
		if to = k.Learner; !m.up[to] {
			k.phase, to = phaseFirst, m.inUse
		}
	}
	if to == "" {
		return // a learner that connects is asked
	}
	wait := m.wait(k)
	m.nonce++
	k.question = question{nonce: m.nonce, to: to, until: m.now + wait}
	m.asked[m.nonce] = k
	m.at(k.question.until)
	m.Send(to, m.request(k, wait))
}

// wait is for how long one learner may take: with others to ask, a short deadline is
// shared with them.
func (m *Machine) wait(k *Call) paxos.Ticks {
	if k.Kind == CallPage && k.Follow {
		return followWait
	}
	end := k.end()
	if end == 0 {
		return callWait
	}
	left := end - m.now
	if len(m.cfg.Learners) > 1 {
		left = max(left/2, callWaitMin)
	}
	return min(left, callWait)
}

// end is when nobody waits for k any more, 0 if that is not known.
func (k *Call) end() paxos.Ticks {
	if k.Deadline != 0 && k.Horizon != 0 {
		return min(k.Deadline, k.Horizon)
	}
	return max(k.Deadline, k.Horizon)
}

// request is the question that k asks now.
func (m *Machine) request(k *Call, wait paxos.Ticks) paxos.Message {
	n, from := k.question.nonce, min(k.From, paxos.Bound-1) // no log has an index or a time out of these bounds
	switch {
	case k.Kind == CallEnd || k.phase == phaseLocate:
		q := &paxos.Locate{Nonce: n, Stale: k.Stale, Time: min(max(k.At, 1-paxos.Bound), paxos.Bound-1)}
		if k.end() != 0 {
			q.Wait = max(1, wait*3/4) // the learner says why it cannot decide while it is still heard
		}
		return q
	case k.Kind == CallRead:
		return &paxos.Read{Nonce: n, From: from, UpTo: from, Wait: k.phase == phaseWait}
	case k.Kind == CallPage:
		return &paxos.Read{Nonce: n, From: from, UpTo: min(k.UpTo, paxos.Bound-1), Wait: true}
	default:
		return &paxos.Lookup{Nonce: n, Session: k.ID.Session, Seq: k.ID.Seq}
	}
}

// answered returns the call that waits for the reply of that nonce, nil if none does.
func (m *Machine) answered(nonce uint64) *Call {
	k := m.asked[nonce]
	if k != nil {
		k.Learner = k.question.to
		m.forget(k)
	}
	return k
}

// lost gives up the learner that was asked, and asks another one.
func (m *Machine) lost(k *Call) {
	to, nonce := k.question.to, k.question.nonce
	m.forget(k)
	if m.up[to] {
		m.Send(to, &paxos.Withdraw{Nonce: nonce})
		m.leave(to)
	}
	if k.phase == phaseAgain {
		k.phase = phaseFirst
	}
	m.pursue(k)
}

// again asks k after a pause.
func (m *Machine) again(k *Call, wait paxos.Ticks) {
	k.againAt = m.now + wait
	m.at(k.againAt)
}

func (m *Machine) tickCall(k *Call) {
	if k.Deadline != 0 && m.now >= k.Deadline {
		m.Withdraw(k, errNoAnswer)
		return
	}
	switch {
	case k.againAt != 0 && m.now >= k.againAt:
		m.pursue(k)
	case k.question.nonce != 0 && m.now >= k.question.until:
		if k.Kind == CallPage && k.Follow {
			m.checkVital(k)
		} else {
			m.lost(k)
		}
	}
	if k.done {
		return
	}
	if k.Deadline != 0 {
		m.at(k.Deadline)
	}
	if k.againAt != 0 {
		m.at(k.againAt)
	}
	if k.question.nonce != 0 {
		m.at(k.question.until)
	}
}

var errNoAnswer = fmt.Errorf("%w: no answer in time", ErrUnavailable)

// explain adds to why a call was given up what is known of what it waited for.
func (m *Machine) explain(k *Call, why error) error {
	what := k.why
	switch {
	case what != "":
	case k.question.to == "" && m.inUse == "":
		what = "no learner can be reached"
	case k.Kind == CallResolve && k.fenceTo == "" && m.proposer() == "":
		what = "no proposer can be reached, and the session is not known to be closed"
	case k.question.to != "":
		what = fmt.Sprintf("no answer of learner %s yet", k.question.to)
		if k.Kind == CallPage {
			what = fmt.Sprintf("no entry at index %d yet, by learner %s", k.From, k.question.to)
		}
	}
	if what == "" {
		return why
	}
	for _, peers := range [][]paxos.NodeID{m.cfg.Learners, m.cfg.Proposers} {
		for _, id := range peers {
			if t := m.troubles[id]; t.why != nil && errors.Is(t.why, ErrOtherLog) && !errors.Is(m.unreachable(), ErrOtherLog) {
				return fmt.Errorf("%w: %s; %s: %v", why, what, id, t.why) // others are of the log that is meant
			} else if t.why != nil {
				return fmt.Errorf("%w: %s; %s: %w", why, what, id, t.why)
			}
		}
	}
	return fmt.Errorf("%w: %s", why, what)
}

// vital is the one question whether the learner in use keeps up, for all who follow the
// log there.
type vital struct {
	question question
	waiting  []*Call
}

// checkVital: nothing came for a follower. Its learner is not to blame if it can tell
// the end of the log, and that lies before what is waited for.
func (m *Machine) checkVital(k *Call) {
	if k.question.to != m.inUse { // another one is in use meanwhile
		m.lost(k)
		return
	}
	if m.vital.question.to != m.inUse {
		m.endVital(func(*Call) bool { return false }) // asked of a learner that is not in use any more
	}
	k.question.until = never // until there is an answer
	v := &m.vital
	v.waiting = append(v.waiting, k)
	if v.question.nonce != 0 {
		return
	}
	m.nonce++
	v.question = question{nonce: m.nonce, to: m.inUse, until: m.now + followWait}
	m.at(v.question.until)
	m.Send(m.inUse, &paxos.Locate{Nonce: m.nonce, Wait: followWait / 2})
}

// tickVital: a learner that does not say where the log ends does not keep up.
func (m *Machine) tickVital() {
	v := &m.vital
	if v.question.nonce == 0 {
		return
	}
	if m.now < v.question.until {
		m.at(v.question.until)
		return
	}
	m.endVital(func(*Call) bool { return false })
}

// endVital ends the question: who may go on waiting, waits, and the others go elsewhere.
func (m *Machine) endVital(goOn func(*Call) bool) {
	waiting := m.vital.waiting
	m.vital = vital{}
	for _, k := range waiting {
		switch {
		case k.done || k.question.nonce == 0 || k.question.until != never: // it has gone on
		case goOn(k):
			k.question.until = m.now + followWait
			m.at(k.question.until)
		default:
			m.lost(k)
		}
	}
}
