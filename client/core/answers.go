package core

import (
	"errors"
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// onLocated answers a CallEnd, or the question of another call for the end of the log.
func (m *Machine) onLocated(msg *paxos.Located) {
	if v := &m.vital; v.question.nonce != 0 && msg.Nonce == v.question.nonce {
		m.endVital(func(k *Call) bool { return msg.Open == 0 && msg.Last < k.From })
		return
	}
	k := m.answered(msg.Nonce)
	if k == nil {
		return
	}
	if msg.Open != 0 { // it cannot be decided there now
		k.why = msg.Detail
		m.leave(k.Learner)
		m.again(k, undecidedWait)
		return
	}
	k.why = ""
	switch k.Kind {
	case CallEnd:
		k.First, k.Last, k.AtIndex = msg.First, msg.Last, msg.AtTime
		m.finish(k, nil)
	case CallRead:
		if msg.Last < k.From {
			m.finish(k, fmt.Errorf("%w: %d; the log ends at %d", ErrNotFound, k.From, msg.Last))
			return
		}
		k.phase = phaseWait
		m.pursue(k)
	case CallResolve:
		k.phase = phaseAgain
		m.pursue(k)
	}
}

// onLogPage answers a CallRead or CallPage.
func (m *Machine) onLogPage(msg *paxos.LogPage) {
	k := m.answered(msg.Nonce)
	if k == nil {
		return
	}
	if msg.First > k.From {
		m.finish(k, trimmed(k.From, msg.First))
		return
	}
	if len(msg.Records) > 0 && covers(msg.Records, k.From) {
		k.Records = msg.Records
		m.finish(k, nil)
		return
	}
	switch {
	case len(msg.Records) == 0 && msg.Last >= k.From:
		// It is there, but many of this client's questions were answered at once: what
		// was sent before this has arrived now, so there is room for more.
		m.again(k, 1)
	case k.Kind == CallRead && k.phase == phaseFirst:
		// This learner may be behind: only a quorum can say that there is no such index.
		k.phase = phaseLocate
		m.pursue(k)
	default: // it has too many readers, or gave up waiting
		m.leave(k.Learner)
		m.again(k, undecidedWait)
	}
}

// covers reports whether the records begin with the one that holds index.
func covers(records []paxos.LogRecord, index paxos.Index) bool {
	return records[0].First <= index && index < records[0].First+paxos.Index(records[0].Count)
}

// resolveHere answers from the sessions of this client, or has k wait for them, and
// reports whether it did. An append that this client itself still has is sent until it
// is answered: k waits for that, and nobody is fenced.
func (m *Machine) resolveHere(k *Call) bool {
	s := m.sessions[k.ID.Session]
	if s == nil || k.ID.Seq < s.base {
		return false
	}
	if k.ID.Seq >= s.reached {
		m.finish(k, fmt.Errorf("%w: this session has sent %d so far", ErrFutureAppend, s.reached-1))
		return true
	}
	k.why = "the append has no answer yet"
	if why := s.Why(); why != "" {
		k.why = why
	}
	k.session = s
	s.resolves = append(s.resolves, k)
	return true
}

// onFound answers a CallResolve: its session is closed or has expired, or its entry was
// answered to this client and is only looked up again. Otherwise the session is fenced,
// and looked at again a moment later.
func (m *Machine) onFound(msg *paxos.Found) {
	k := m.answered(msg.Nonce)
	if k == nil {
		return
	}
	own := m.sessions[k.ID.Session] != nil
	switch {
	case msg.Below != 0:
		k.Chosen, k.Index, k.Below = true, 0, msg.Below
		m.finish(k, nil)
	case msg.Forgotten && !own:
		m.finish(k, ErrForgotten)
	case msg.OfAncestor:
		m.finish(k, ofAncestor(msg.Ancestor))
	case msg.Closed || msg.Expired || own && msg.Index != 0:
		k.Chosen, k.Index = msg.Index != 0, msg.Index
		m.finish(k, nil)
	case own: // that learner is behind, or cut off
		if k.phase = phaseFirst; k.fencedAt == 0 {
			k.fencedAt = m.now
		} else if m.now-k.fencedAt > resolveSend {
			k.fencedAt = m.now
			m.tryOthers()
		}
		k.why = fmt.Sprintf("learner %s has not learned of the append yet", k.Learner)
		m.again(k, resolvePoll)
	case msg.Future && k.phase == phaseFirst:
		// This learner may only be behind: ask one that has what a quorum has chosen.
		k.phase = phaseLocate
		m.pursue(k)
	case msg.Future && k.phase == phaseAgain:
		m.finish(k, ErrFutureAppend)
	default:
		k.phase, k.found = phaseFirst, msg.Index
		m.fence(k)
		m.again(k, resolvePoll)
	}
}

// fence closes the session of k, through whoever leads.
func (m *Machine) fence(k *Call) {
	late := k.fenceTo != "" && m.now-k.fencedAt > resolveSend
	if late {
		m.tryOthers()
	}
	to := m.proposer()
	k.why = fmt.Sprintf("the fence of session %s is not chosen: there is no leader with a quorum", k.ID.Session)
	if to != "" && (to != k.fenceTo || late) {
		k.fenceTo, k.fencedAt = to, m.now
		m.Send(to, &paxos.Append{Session: k.ID.Session, Batch: paxos.Fence(k.ID.Session)})
	}
}

// onFenceRefused: this client may not close that session. Where the append is in the log, it stays
// there all the same.
func (m *Machine) onFenceRefused(msg *paxos.Refused) {
	for i := len(m.calls) - 1; i >= 0; i-- { // from the end: one that is done leaves its place to the last
		if k := m.calls[i]; k.Kind == CallResolve && k.ID.Session == msg.Session && k.fenceTo != "" {
			if k.found != 0 {
				k.Chosen, k.Index = true, k.found
				m.finish(k, nil)
				continue
			}
			m.finish(k, fmt.Errorf("%w: %s", ErrNotPermitted, msg.Detail))
		}
	}
}

// ofAncestor is the error for an append of a log that this one was restored from.
func ofAncestor(log paxos.LogID) error {
	of := "another log, which had no id"
	if !log.IsZero() {
		of = "log " + log.String()
	}
	return fmt.Errorf("%w: it is of %s", ErrAncestor, of)
}

// onNotPermitted: this client may not ask for that.
func (m *Machine) onNotPermitted(msg *paxos.NotPermitted) {
	why := fmt.Errorf("%w: %s", ErrNotPermitted, msg.Why)
	if s := m.sessions[msg.Session]; s != nil && msg.Session != (paxos.SessionID{}) {
		s.onUntold(msg.Why)
		return
	}
	if v := &m.vital; v.question.nonce != 0 && msg.Nonce == v.question.nonce {
		m.endVital(func(*Call) bool { return false }) // each asks for itself, and is told
		return
	}
	if b := &m.birth; b.question.nonce != 0 && msg.Nonce == b.question.nonce {
		b.question = question{}
		for len(b.waiting) > 0 {
			b.waiting[0].fail(ErrNotPermitted, errors.New(msg.Why))
		}
		return
	}
	if k := m.answered(msg.Nonce); k != nil {
		m.finish(k, why)
	}
}
