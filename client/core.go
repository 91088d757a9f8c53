package client

import (
	"fmt"
	"slices"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// Timers of a session, in ticks (milliseconds).
const (
	resendMin  = 1000 // without progress, before everything is sent again
	resendMax  = 5000
	refusedMin = 10 // after a refusal, before the next attempt
	refusedMax = 200
)

// chunkBytes bounds the batch of one Append message, if the cluster's own limit
// does not; one entry always fits. runOverhead is more than the numbers of a run
// and of one more entry take.
const (
	chunkBytes  = 256 << 10
	runOverhead = 64
)

// maxInFlight bounds the Append messages of one session under way.
const maxInFlight = 16

// core is what a session knows and decides: which commands are not answered,
// what to send and when, and what is certain when it fails. It has no clock, no
// lock and no connection; Session gives it those.
type core struct {
	id      paxos.SessionID
	born    bool
	chunk   int        // bytes of one Append's batch
	entries []*Pending // unanswered, in order; entries[0] has number base
	base    uint64
	sent    uint64 // entries below it have been sent in this attempt
	reached uint64 // entries below it have ever been sent
	runs    []sentRun
	attempt uint64 // Appends sent so far
	stale   uint64 // those up to it have been superseded by sending again

	progressAt paxos.Ticks // of the last answer, or when all was sent again
	answerAt   paxos.Ticks // of the last answer, or when others were tried
	resendWait paxos.Ticks
	holdUntil  paxos.Ticks // after a refusal
	holdWait   paxos.Ticks
	attachAt   paxos.Ticks  // when to ask the learner for missing results, 0: never
	origin     paxos.Ballot // of the last result, and how people see it
	originText string
	why        string // why it takes long: the last refusal, or who cannot be reached
	err        error  // set: the session has ended

	attach bool // for Session: ask the learner again
	stuck  bool // for Session: whoever is in use may hang, try others
	expire bool // for Session: begin anew with what is left
}

// sentRun is an Append that was sent and neither refused nor answered.
type sentRun struct {
	to                    paxos.NodeID
	first, count, attempt uint64
}

func newCore() *core {
	return &core{chunk: chunkBytes, base: 1, sent: 1, reached: 1, resendWait: resendMin, holdWait: refusedMin}
}

func (c *core) next() uint64 { return c.base + uint64(len(c.entries)) }

func (c *core) at(seq uint64) *Pending { return c.entries[seq-c.base] }

// add takes a new entry.
func (c *core) add(now paxos.Ticks, p *Pending) {
	if len(c.entries) == 0 {
		c.progressAt, c.answerAt = now, now
	}
	c.entries = append(c.entries, p)
}

// take returns the next Append to send to a proposer, or nil.
func (c *core) take(now paxos.Ticks, to paxos.NodeID) *paxos.Append {
	if !c.born || c.err != nil || to == "" || now < c.holdUntil || c.sent >= c.next() {
		return nil
	}
	if c.inFlight() >= maxInFlight {
		return nil
	}
	run := paxos.Run{Kind: paxos.RunAppend, Session: c.id, First: c.sent}
	entries := c.entries[c.sent-c.base:]
	size := 0
	for i, p := range entries {
		if i > 0 && size+len(p.value)+runOverhead > c.chunk {
			entries = entries[:i]
			break
		}
		size += paxos.EntrySize(len(p.value))
	}
	run.Count = uint64(len(entries))
	batch := run.AppendTo(make([]byte, 0, size+runOverhead)) // its entries follow, copied once
	for _, p := range entries {
		batch = paxos.AppendEntry(batch, p.value)
		p.maybe++
	}
	c.sent += run.Count
	c.reached = max(c.reached, c.sent)
	c.attempt++
	c.runs = append(c.runs, sentRun{to, run.First, run.Count, c.attempt})
	return &paxos.Append{Session: c.id, First: run.First, Attempt: c.attempt, Batch: batch}
}

// inFlight is how many Appends of the current attempt are not answered. It is
// bounded, so that under load entries wait and go out many in one message.
func (c *core) inFlight() int {
	n := 0
	for i := len(c.runs) - 1; i >= 0 && c.runs[i].attempt > c.stale; i-- {
		n++
	}
	return n
}

// rewind sends again from seq on.
func (c *core) rewind(seq uint64) {
	c.sent, c.stale = max(seq, c.base), c.attempt
}

// resend begins a new attempt from the first unanswered entry: there is a new
// leader, or something was lost.
func (c *core) resend(now paxos.Ticks) {
	c.rewind(c.base)
	c.holdUntil, c.holdWait = 0, refusedMin
	c.progressAt = now
}

// sentOnlyTo reports whether all that is neither answered nor refused went to id.
func (c *core) sentOnlyTo(id paxos.NodeID) bool {
	return !slices.ContainsFunc(c.runs, func(r sentRun) bool { return r.to != id })
}

// onLost: what was sent to that proposer may be lost.
func (c *core) onLost(now paxos.Ticks, id paxos.NodeID) {
	for _, r := range c.runs {
		if r.to == id {
			c.resend(now)
			return
		}
	}
}

// onRefused: that Append was dropped, and so will be all after it, for the gap.
func (c *core) onRefused(now paxos.Ticks, m *paxos.Refused) {
	for i, r := range c.runs {
		if r.attempt != m.Attempt {
			continue
		}
		c.runs = append(c.runs[:i], c.runs[i+1:]...)
		for seq := max(r.first, c.base); seq < min(r.first+r.count, c.next()); seq++ {
			c.at(seq).maybe--
		}
		break
	}
	c.why = m.Detail
	if m.Reason == paxos.RefuseMalformed {
		c.fail(fmt.Errorf("%w for the proposer, which refuses entry %d of the session: %s", ErrTooLarge, m.First, m.Detail))
		return
	}
	if m.First < c.sent && !c.sentAgain(m) {
		c.rewind(m.First)
		c.holdUntil = now + c.holdWait
		c.holdWait = min(2*c.holdWait, refusedMax)
	}
}

// sentAgain reports whether what was refused is under way once more, to whoever leads
// by now. So is all after it.
func (c *core) sentAgain(m *paxos.Refused) bool {
	return slices.ContainsFunc(c.runs, func(r sentRun) bool {
		return r.attempt > m.Attempt && r.first <= m.First && m.First < r.first+r.count
	})
}

func (c *core) onResult(now paxos.Ticks, m *paxos.Result) {
	switch m.Kind {
	case paxos.ResultApplied:
		c.onApplied(now, m)
	case paxos.ResultGap:
		// The learner expects an earlier command: send from there. If it was answered
		// as far as the learner knows, its results were lost: ask for them.
		if m.First > c.base {
			c.attachAt = now
		}
		if m.First < c.sent {
			c.rewind(m.First)
		}
	case paxos.ResultExpired:
		if m.First == 0 || m.First > c.base || len(c.entries) == 0 {
			return // of a fence, or not yet our turn
		}
		// Nothing from base on was or will be applied: it can go out under a new session.
		c.expire = true
	case paxos.ResultFenced:
		if m.First > c.base {
			c.attachAt = now + 100 // results before the fence are on their way
			return
		}
		c.certain()
		c.fail(ErrFenced)
	}
}

// certain notes that no unanswered entry was or will be applied.
func (c *core) certain() {
	for _, p := range c.entries {
		p.maybe = 0
	}
}

func (c *core) onApplied(now paxos.Ticks, m *paxos.Result) {
	if m.Origin != c.origin || c.originText == "" {
		c.origin, c.originText = m.Origin, m.Origin.String()
	}
	for seq := max(m.First, c.base); seq < min(m.First+m.Count, c.next()); seq++ {
		p := c.at(seq)
		if p.answered {
			continue
		}
		p.answered = true
		p.result = Result{
			Index: uint64(m.Index) + seq - m.First, Instance: uint64(m.Instance), Ballot: c.originText,
			AppendID: paxos.AppendID{Session: c.id, Seq: seq}, Time: time.Unix(0, int64(m.Time)).UTC(),
		}
	}
	n := 0
	for n < len(c.entries) && c.entries[n].answered {
		c.entries[n].finish(nil)
		n++
	}
	if n == 0 {
		if c.attachAt == 0 && len(c.entries) > 0 && m.First+m.Count > c.base {
			c.attachAt = now + 100 // an earlier result is missing
		}
		return
	}
	clear(c.entries[:n])
	c.entries = after(c.entries, n)
	c.base += uint64(n)
	c.sent, c.reached = max(c.sent, c.base), max(c.reached, c.base)
	answered := 0
	for answered < len(c.runs) && c.runs[answered].first+c.runs[answered].count <= c.base {
		answered++
	}
	c.runs = after(c.runs, answered)
	c.progressAt, c.answerAt, c.resendWait, c.holdWait, c.attachAt, c.why = now, now, resendMin, refusedMin, 0, ""
}

// after is list without its first n elements; if none is left it begins at its
// start again, unless it has grown large, so that the next one needs no new list.
func after[T any](list []T, n int) []T {
	if n == len(list) && cap(list) <= 1024 {
		return list[:0]
	}
	return list[n:]
}

// tick looks at the timers.
func (c *core) tick(now paxos.Ticks) {
	if c.err != nil || len(c.entries) == 0 {
		return
	}
	if d := c.entries[0].deadline; d != 0 && now >= d {
		cause := "no answer in time"
		if c.why != "" {
			cause += ": " + c.why
		}
		c.fail(fmt.Errorf("%w: %s", ErrUnavailable, cause))
		return
	}
	if c.attachAt != 0 && now >= c.attachAt {
		c.attachAt, c.attach = 0, true
	}
	if c.born && c.sent > c.base && now-c.progressAt >= c.resendWait {
		c.resendWait = min(2*c.resendWait, resendMax)
		c.tryOthers(now)
		c.resend(now)
	}
	if c.born && c.reached > c.base && now-c.answerAt >= resendMax {
		c.tryOthers(now) // although one leader follows the other, each being sent everything
	}
}

func (c *core) tryOthers(now paxos.Ticks) { c.attach, c.stuck, c.answerAt = true, true, now }

// never is when nothing is due.
const never = paxos.Ticks(1<<63 - 1)

// due is when tick and take, at the latest, have something to do that no message
// brings.
func (c *core) due(now paxos.Ticks) paxos.Ticks {
	if c.err != nil || len(c.entries) == 0 {
		return never
	}
	at := never
	if d := c.entries[0].deadline; d != 0 {
		at = d
	}
	if c.attachAt != 0 {
		at = min(at, c.attachAt)
	}
	if c.sent > c.base {
		at = min(at, c.progressAt+c.resendWait)
	}
	if c.reached > c.base {
		at = min(at, c.answerAt+resendMax)
	}
	if c.holdUntil > now {
		at = min(at, c.holdUntil)
	}
	return at
}

// fail ends the session: the entries that may have been appended are unknown,
// the others certainly were not. An entry after one that certainly was not never
// will be either, for learners leave no gap.
func (c *core) fail(cause error) {
	if c.err != nil {
		return
	}
	c.err = cause
	unknown := uint64(0)
	for _, p := range c.entries {
		if p.maybe == 0 && !p.answered {
			break
		}
		unknown++
	}
	for i, p := range c.entries {
		if uint64(i) < unknown {
			p.finish(&UnknownOutcomeError{Session: c.id, Seq: c.base + uint64(i), First: c.base, Last: c.base + unknown - 1, Cause: cause})
		} else {
			p.finish(cause)
		}
	}
	c.entries, c.runs = nil, nil
}

// rebirth continues as a new session with the entries left, none of which was or
// will be applied under the old one.
func (c *core) rebirth() *core {
	n := newCore()
	n.entries, n.progressAt, n.answerAt, n.chunk = c.entries, c.progressAt, c.answerAt, c.chunk
	for _, p := range n.entries {
		p.maybe, p.answered = 0, false
	}
	return n
}
