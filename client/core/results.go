package core

import (
	"errors"
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// onRefused: that Append was dropped, and so will be all after it, for the gap. A refusal
// that names another first command than that Append had is of none that was sent.
func (s *Session) onRefused(msg *paxos.Refused) {
	count := uint64(0)
	for i, r := range s.runs {
		if r.attempt != msg.Attempt || r.first != msg.First {
			continue
		}
		count = r.count
		s.runs = append(s.runs[:i], s.runs[i+1:]...)
		for seq := max(r.first, s.base); seq < min(r.first+r.count, s.reached); seq++ {
			s.entries[seq-s.base].maybe--
		}
		break
	}
	s.why, s.full = msg.Detail, msg.Reason == paxos.RefuseNoSpace
	switch msg.Reason {
	case paxos.RefuseMalformed:
		s.onMalformed(msg, count)
		return
	case paxos.RefuseRights:
		if count > 0 { // else it is of none that was sent
			s.fail(ErrNotPermitted, errors.New(msg.Detail))
		}
		return
	}
	if msg.First < s.sent && msg.First+count > s.base && !s.sentAgain(msg) {
		s.rewind(msg.First)
		s.holdUntil = s.m.now + s.holdWait
		s.holdWait = min(2*s.holdWait, refusedMax)
	}
}

// onMalformed: one of the entries is too large for the cluster. It alone is told so: it
// is sent apart from the others until it is known.
func (s *Session) onMalformed(msg *paxos.Refused, count uint64) {
	if count != 1 || msg.First < s.base {
		s.chunk /= 2
		if msg.First < s.sent && msg.First+count > s.base && !s.sentAgain(msg) {
			s.rewind(msg.First)
		}
		return
	}
	why := fmt.Errorf("the proposer refuses entry %d of the session: %s", msg.First, msg.Detail)
	if a := s.entries[msg.First-s.base]; a.maybe == 0 && !a.answered {
		s.tell(a, fmt.Errorf("%w: %w", ErrTooLarge, why))
	}
	s.fail(ErrSessionEnded, why)
}

// sentAgain reports whether what was refused is under way once more, to whoever leads
// by now. So is all after it.
func (s *Session) sentAgain(msg *paxos.Refused) bool {
	return slices.ContainsFunc(s.runs, func(r sentRun) bool {
		return r.attempt > msg.Attempt && r.first <= max(msg.First, s.base) && max(msg.First, s.base) < r.first+r.count
	})
}

func (s *Session) onResult(msg *paxos.Result) {
	switch msg.Kind {
	case paxos.ResultApplied, paxos.ResultBelow:
		s.onApplied(msg)
	case paxos.ResultGap:
		// The learner expects an earlier command: send from there. If it was answered
		// as far as the learner knows, its results were lost: ask for them.
		if msg.First > s.base {
			s.attach()
		}
		if msg.First < s.sent {
			s.rewind(msg.First)
		}
	case paxos.ResultForgotten:
		if msg.First != 0 && msg.First <= s.base {
			s.fail(ErrSessionEnded, ErrForgotten) // what was sent may be in what was trimmed
		}
	case paxos.ResultOfAncestor:
		if msg.First != 0 && msg.First <= s.base {
			s.certain()
			s.fail(ErrSessionEnded, errors.New("it is of a log that this one was restored from, and goes on in that one only"))
		}
	case paxos.ResultExpired:
		if msg.First != 0 && msg.First <= s.base { // else it is of a fence, or not yet our turn
			s.onExpired()
		}
	case paxos.ResultFenced:
		if msg.First > s.base {
			s.attachLater() // results before the fence are on their way
			return
		}
		s.certain()
		s.fail(ErrFenced, nil)
	}
}

// certain notes that no entry was or will be applied.
func (s *Session) certain() {
	for _, a := range s.entries {
		a.maybe = 0
	}
}

// errExpired is why a session that a caller gave up on does not begin anew.
var errExpired = errors.New("the session expired before an entry that its caller gave up on was appended")

// onExpired: nothing from base on was or will be applied under this id. The entries go
// on under a new one, unless a caller was told the append id of one of them: that one is
// never appended, and so nothing after it.
func (s *Session) onExpired() {
	if len(s.entries) == 0 || s.err != nil {
		return
	}
	s.certain()
	if slices.ContainsFunc(s.entries, func(a *Append) bool { return a.told && a.seq != 0 }) {
		s.fail(ErrSessionEnded, errExpired)
		return
	}
	m := s.m
	delete(m.sessions, s.id)
	for _, a := range s.entries {
		a.seq, a.answered = 0, false
	}
	s.reset()
	for i := range s.random { // one more than the last: no other session has it
		if s.random[i]++; s.random[i] != 0 {
			break
		}
	}
	s.born = false
	m.birth.heardAt = 0 // what was heard may be below the floor
	s.passOn()          // they are of the old id
	m.open(s)
}

// passOn has the calls that wait for an answer to this session ask the learners.
func (s *Session) passOn() {
	resolves := s.resolves
	s.resolves = nil
	for _, k := range resolves {
		k.session = nil
		s.m.pursue(k)
	}
}

// onApplied: commands msg.First .. +Count-1 are entries msg.Index .. +Count-1.
func (s *Session) onApplied(msg *paxos.Result) {
	for seq := max(msg.First, s.base); seq < min(msg.First+msg.Count, s.reached); seq++ {
		a := s.entries[seq-s.base]
		if a.answered {
			continue
		}
		a.answered = true
		if msg.Kind == paxos.ResultBelow {
			a.Below = msg.Index
			continue
		}
		a.Index, a.Instance = msg.Index+paxos.Index(seq-msg.First), msg.Instance
		a.Origin, a.Time = msg.Origin, msg.Time
	}
	n := 0
	for n < len(s.entries) && s.entries[n].answered {
		a := s.entries[n]
		s.bytes -= len(a.Value) + EntryOverhead
		s.tell(a, nil)
		n++
	}
	if n == 0 {
		if len(s.entries) > 0 && msg.First+msg.Count > s.base {
			s.attachLater() // an earlier result is missing
		}
		return
	}
	s.advance(n)
}

// advance goes on after the first n entries were answered.
func (s *Session) advance(n int) {
	for i := len(s.resolves) - 1; i >= 0; i-- {
		if k := s.resolves[i]; k.ID.Seq < s.base+uint64(n) {
			a := s.entries[k.ID.Seq-s.base]
			k.Chosen, k.Index, k.Below = true, a.Index, a.Below
			s.m.finish(k, nil)
		}
	}
	clear(s.entries[:n])
	s.entries = after(s.entries, n)
	s.base += uint64(n)
	s.untold = max(0, s.untold-n)
	s.sent, s.reached = max(s.sent, s.base), max(s.reached, s.base)
	// Also those behind one of an earlier attempt that reaches further: they would fill
	// the window for ever.
	s.runs = slices.DeleteFunc(s.runs, func(r sentRun) bool { return r.first+r.count <= s.base })
	now := s.m.now
	s.progressAt, s.answerAt, s.resendWait, s.holdWait, s.attachAt, s.why, s.full = now, now, resendMin, refusedMin, 0, "", false
	if s.idle(); len(s.entries) > 0 {
		s.act()
	}
}

// after is list without its first n elements; if none is left it begins at its start
// again, unless it has grown large, so that the next one needs no new list.
func after[T any](list []T, n int) []T {
	if n == len(list) && cap(list) <= keptEntries {
		return list[:0]
	}
	return list[n:]
}

// tick looks at the timers.
func (s *Session) tick() {
	now := s.m.now
	if s.overdue(); s.err != nil || len(s.entries) == 0 {
		return
	}
	if s.attachAt != 0 && now >= s.attachAt {
		s.attachAt = 0
		s.attach()
	}
	if s.born && s.sent > s.base && now-s.progressAt >= s.resendWait {
		s.resendWait = min(2*s.resendWait, resendMax)
		s.tryOthers()
		s.resend()
	}
	if s.born && s.reached > s.base && now-s.answerAt >= resendMax {
		s.tryOthers() // although one leader follows the other, each being sent everything
	}
	s.act()
	s.m.at(s.due())
}

// tryOthers leaves who may hang or be cut off, and asks for results that may be lost.
func (s *Session) tryOthers() {
	s.answerAt = s.m.now
	s.m.tryOthers()
	s.attach()
}

// overdue gives up on the entries whose time is up.
func (s *Session) overdue() {
	for ; s.untold < len(s.entries); s.untold++ {
		a := s.entries[s.untold]
		if a.told {
			continue
		}
		if a.Deadline == 0 || s.m.now < a.Deadline {
			return
		}
		s.GiveUp(a, s.noAnswer())
		if s.err != nil {
			return
		}
	}
}

// noAnswer says that there is no answer in time, and why, as far as it is known.
func (s *Session) noAnswer() error {
	text := "no answer in time"
	switch why := s.m.unreachable(); {
	case why != nil:
		return fmt.Errorf("%s: %w", text, why)
	case s.full:
		return fmt.Errorf("%w: %s", ErrNoSpace, s.why)
	case s.why != "":
		text += ": " + s.why
	}
	return errors.New(text)
}

// Why says why an entry has no answer for so long, as far as it is known; "" if
// everything seems well.
func (s *Session) Why() string {
	if why := s.m.unreachable(); why != nil {
		return why.Error()
	}
	return s.why
}

// due is when tick and take, at the latest, have something to do that no message
// brings.
func (s *Session) due() paxos.Ticks {
	if s.err != nil || len(s.entries) == 0 {
		return never
	}
	at := never
	for _, a := range s.entries[min(s.untold, len(s.entries)):] {
		if !a.told {
			if a.Deadline != 0 {
				at = a.Deadline
			}
			break
		}
		s.untold++
	}
	if s.attachAt != 0 {
		at = min(at, s.attachAt)
	}
	if s.born && s.sent > s.base {
		at = min(at, s.progressAt+s.resendWait)
	}
	if s.born && s.reached > s.base {
		at = min(at, s.answerAt+resendMax)
	}
	if s.holdUntil > s.m.now {
		at = min(at, s.holdUntil)
	}
	return at
}
