package core

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// Append is one entry to append, and then its answer.
type Append struct {
	Value    []byte
	Deadline paxos.Ticks // when its caller gives up, 0: never. No earlier than that of the entry before it
	Stream   bool        // nothing queued after it may be appended without it
	Owner    any         // of the driver; the machine does not look at it

	// The answer, once Delivered has returned it.
	ID       paxos.AppendID // zero if it certainly was not appended
	Index    paxos.Index
	Below    paxos.Index // if not 0: it was appended, below this index, from which on entries are kept; Index is 0
	Instance paxos.Instance
	Origin   paxos.Ballot
	Time     paxos.UnixNanos
	Err      error

	seq      uint64 // its number in the session, 0 as long as it was never sent
	maybe    int    // sends that were not refused: it may be appended
	answered bool   // a learner has answered, and an earlier one may be missing
	told     bool   // Delivered has it: nobody waits for it any more
}

// Session is an ordered stream of appends: an entry is in the log only if all before
// it are, but those that were taken out before they were sent. Make it with Open.
type Session struct {
	m      *Machine
	Owner  any // of the driver; the machine does not look at it
	id     paxos.SessionID
	random [12]byte
	born   bool
	err    error // why it has ended

	chunk   int       // bytes of one Append's batch
	entries []*Append // without an answer, in order; entries[i] is number base+i if that is below reached
	base    uint64
	sent    uint64 // entries below it were sent in this attempt
	reached uint64 // entries below it were ever sent: they have their numbers
	runs    []sentRun
	attempt uint64 // Append messages sent so far
	stale   uint64 // those up to it were superseded by sending again
	bytes   int    // of entries, with EntryOverhead each
	untold  int    // entries before this place have been told
	takeOut int    // entries that were never sent and are to be taken out

	progressAt paxos.Ticks // of the last answer, or when all was sent again
	answerAt   paxos.Ticks // of the last answer, or when others were tried
	resendWait paxos.Ticks
	holdUntil  paxos.Ticks // after a refusal
	holdWait   paxos.Ticks
	attached   uint64      // Machine.attachment under which it is attached, 0: it is not
	attachAt   paxos.Ticks // when to ask for missing results, 0: never
	why        string      // why it takes long: the last refusal
	full       bool        // which was for want of room on disks
	resolves   []*Call     // that wait for an answer to one of the entries
	busyAt     int         // place in Machine.busy, -1: without entries
	isReady    bool        // in Machine.ready
}

// sentRun is an Append message that was neither refused nor answered.
type sentRun struct {
	to                    paxos.NodeID
	first, count, attempt uint64
}

// Open begins a session. random makes its id unique.
func (m *Machine) Open(random [12]byte) *Session {
	s := &Session{m: m, random: random, busyAt: -1, err: nil}
	s.reset()
	if m.closed {
		s.err = ErrClosed
		return s
	}
	m.open(s)
	return s
}

// reset numbers from 1 again.
func (s *Session) reset() {
	s.chunk, s.base, s.sent, s.reached = chunkBytes, 1, 1, 1
	s.resendWait, s.holdWait, s.holdUntil = resendMin, refusedMin, 0
	s.runs, s.attached, s.attachAt = nil, 0, 0
}

// ID is the session's id, zero as long as it is not born.
func (s *Session) ID() paxos.SessionID { return s.id }

// Err is why the session has ended, nil as long as it has not.
func (s *Session) Err() error { return s.err }

// Room reports whether the session admits an entry of so many bytes now.
func (s *Session) Room(size int) bool {
	return s.bytes == 0 || s.bytes+size+EntryOverhead <= s.m.cfg.InflightBytes
}

// Append queues an entry. The session must not have ended.
func (s *Session) Append(a *Append) {
	if len(s.entries) == 0 {
		s.progressAt, s.answerAt = s.m.now, s.m.now
		s.busyAt = len(s.m.busy)
		s.m.busy = append(s.m.busy, s)
	}
	s.entries = append(s.entries, a)
	s.bytes += len(a.Value) + EntryOverhead
	s.m.pending++
	s.act()
}

// act has Flush look at the session.
func (s *Session) act() {
	if !s.isReady {
		s.isReady = true
		s.m.ready = append(s.m.ready, s)
	}
}

// flush sends what may be sent, and sets the timers.
func (s *Session) flush() {
	if s.err != nil {
		return
	}
	s.compact()
	if len(s.entries) == 0 {
		return
	}
	to := s.m.proposer()
	for msg := s.take(to); msg != nil; msg = s.take(to) {
		if s.attached != s.m.attachment {
			s.attach() // so that the answer finds its way
		}
		s.m.Send(to, msg)
	}
	s.m.at(s.due())
}

// take packs the next Append for a proposer, or returns nil.
func (s *Session) take(to paxos.NodeID) *paxos.Append {
	if !s.born || s.err != nil || to == "" || s.m.now < s.holdUntil || s.inFlight() >= maxInFlight {
		return nil
	}
	if s.sent >= s.base+uint64(len(s.entries)) {
		return nil
	}
	run := paxos.Run{Kind: paxos.RunAppend, Session: s.id, First: s.sent}
	entries := s.entries[s.sent-s.base:]
	size := 0
	for i, a := range entries {
		if i > 0 && size+len(a.Value)+runOverhead > s.chunk {
			entries = entries[:i]
			break
		}
		size += paxos.EntrySize(len(a.Value))
	}
	run.Count = uint64(len(entries))
	batch := run.AppendTo(make([]byte, 0, size+runOverhead)) // its entries follow, copied once
	for i, a := range entries {
		batch = paxos.AppendEntry(batch, a.Value)
		a.maybe++
		a.seq = run.First + uint64(i)
	}
	s.sent += run.Count
	s.reached = max(s.reached, s.sent)
	s.attempt++
	s.runs = append(s.runs, sentRun{to, run.First, run.Count, s.attempt})
	return &paxos.Append{Session: s.id, First: run.First, Attempt: s.attempt, Batch: batch, Answered: s.base}
}

// compact takes out the entries whose callers gave up before they were sent.
func (s *Session) compact() {
	if s.takeOut == 0 {
		return
	}
	s.entries = slices.DeleteFunc(s.entries, func(a *Append) bool {
		out := a.told && a.seq == 0
		if out {
			s.bytes -= len(a.Value) + EntryOverhead
		}
		return out
	})
	s.takeOut, s.untold = 0, 0
	s.idle()
}

// idle leaves the list of busy sessions when no entry is left.
func (s *Session) idle() {
	if len(s.entries) > 0 || s.busyAt < 0 {
		return
	}
	busy := s.m.busy
	last := busy[len(busy)-1]
	busy[s.busyAt], last.busyAt = last, s.busyAt
	busy[len(busy)-1] = nil
	s.m.busy = busy[:len(busy)-1]
	s.busyAt = -1
}

// inFlight is how many Append messages of the current attempt are not answered.
func (s *Session) inFlight() int {
	n := 0
	for i := len(s.runs) - 1; i >= 0 && s.runs[i].attempt > s.stale; i-- {
		n++
	}
	return n
}

// rewind sends again from seq on.
func (s *Session) rewind(seq uint64) {
	s.sent, s.stale = max(seq, s.base), s.attempt
	s.act()
}

// resend sends everything again: there is a new leader, or something was lost.
func (s *Session) resend() {
	s.rewind(s.base)
	s.holdUntil, s.holdWait = 0, refusedMin
	s.progressAt = s.m.now
}

// sentOnlyTo reports whether all that is neither answered nor refused went to id.
func (s *Session) sentOnlyTo(id paxos.NodeID) bool {
	return !slices.ContainsFunc(s.runs, func(r sentRun) bool { return r.to != id })
}

// onLost: what was sent to that proposer may be lost.
func (s *Session) onLost(id paxos.NodeID) {
	if slices.ContainsFunc(s.runs, func(r sentRun) bool { return r.to == id }) {
		s.resend()
	}
}

// tell gives an entry its answer, once.
func (s *Session) tell(a *Append, err error) {
	if a.told {
		return
	}
	a.told, a.Err = true, err
	if a.seq != 0 && (err == nil || errors.Is(err, ErrUnknownOutcome)) {
		a.ID = paxos.AppendID{Session: s.id, Seq: a.seq}
	}
	s.m.pending--
	s.m.doneAppends = append(s.m.doneAppends, a)
}

// GiveUp ends the wait for an entry of s, for that reason; see the package doc. It
// does nothing to one that has its answer.
func (s *Session) GiveUp(a *Append, why error) {
	if a.told || s.err != nil {
		return
	}
	s.unsend(a)
	if a.seq != 0 {
		s.tell(a, &UnknownOutcomeError{Session: s.id, Seq: a.seq, First: a.seq, Last: a.seq, Cause: why})
		a.Value = bytes.Clone(a.Value) // the caller may use its bytes again, and this is sent again
		return
	}
	s.tell(a, fmt.Errorf("%w: %w", ErrUnavailable, why))
	s.takeOut++
	if a.Stream {
		s.fail(ErrSessionEnded, fmt.Errorf("%w: an earlier entry of the session was not appended: %w", ErrUnavailable, why))
		return
	}
	s.act() // Flush takes it out
}

// unsend takes back the numbers of a and all after it, if every attempt that carried
// one of them was refused: then none of them was queued anywhere, and the numbers are
// free for other entries. A number that a caller was told is never used again, or
// resolve would answer for another entry.
func (s *Session) unsend(a *Append) {
	if a.seq == 0 {
		return
	}
	first := a.seq
	numbered := s.entries[first-s.base : s.reached-s.base]
	for _, b := range numbered {
		if b.maybe > 0 || b.answered || b.told {
			return
		}
	}
	for _, b := range numbered {
		b.seq = 0
	}
	s.reached, s.sent = first, min(s.sent, first)
}

// fail ends the session: the entries that may have been appended are unknown, with why
// for their cause; the others certainly were not, and fail with kind. An entry after
// one that certainly was not never will be either, for learners leave no gap.
func (s *Session) fail(kind, why error) {
	if s.err != nil {
		return
	}
	s.err = kind
	if why != nil {
		s.err = fmt.Errorf("%w: %w", kind, why)
	}
	if why == nil {
		why = kind
	}
	unknown := uint64(0)
	for _, a := range s.entries {
		if a.maybe == 0 && !a.answered {
			break
		}
		unknown++
	}
	first := uint64(0)
	for i, a := range s.entries {
		switch {
		case a.told:
		case uint64(i) < unknown:
			if first == 0 {
				first = a.seq
			}
			s.tell(a, &UnknownOutcomeError{Session: s.id, Seq: a.seq, First: first, Last: s.base + unknown - 1, Cause: why})
		default:
			s.tell(a, s.err)
		}
	}
	s.leave()
}

// leave forgets a session that has ended.
func (s *Session) leave() {
	m := s.m
	if !m.closed {
		s.detach()
	}
	if m.sessions[s.id] == s {
		delete(m.sessions, s.id)
	}
	m.birth.waiting = slices.DeleteFunc(m.birth.waiting, func(o *Session) bool { return o == s })
	s.entries, s.runs, s.bytes, s.takeOut = nil, nil, 0, 0
	s.idle()
	s.passOn()
}

// End ends the session: its entries fail for the given reason, those that may have been
// appended as unknown.
func (s *Session) End(kind, why error) { s.fail(kind, why) }
