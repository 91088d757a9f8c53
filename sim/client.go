package sim

import (
	"strconv"

	"github.com/paxlog/paxlog/paxos"
)

// Client is a simulated client: it appends Total distinct entries with a few in
// flight, sends again after failures, gives up sessions now and then and resolves
// them, and reads in between.
type Client struct {
	paxos.Outbox
	id        paxos.NodeID
	proposers []paxos.NodeID
	learners  []paxos.NodeID
	rng       paxos.Rand
	check     *Checker
	Total     int
	Window    int
	Think     uint64 // one in so many ticks issues the next entry

	now      paxos.Ticks
	issued   int
	done     int
	session  paxos.SessionID
	born     bool
	ops      []clientOp
	base     uint64
	leader   paxos.Ballot
	target   int
	learner  int
	progress paxos.Ticks
	wait     paxos.Ticks
	attempts int
	retryAt  paxos.Ticks
	askedAt  paxos.Ticks

	reads     map[uint64]clientRead // by nonce
	nonce     uint64
	readAt    paxos.Ticks
	Located   int
	resolving []resolving
	fates     []paxos.AppendID // that were told
	again     uint64           // nonce of the question for one of them
	againID   paxos.AppendID
	againAt   paxos.Ticks
	Resolved  int
}

type clientOp struct {
	place  int // in the history
	value  string
	before paxos.Index // what was answered when it was issued
}

type clientRead struct {
	place  int
	before paxos.Index
}

// resolving is an abandoned session, and its appends whose fate is not known yet.
type resolving struct {
	session paxos.SessionID
	first   uint64
	ops     []clientOp
	sentAt  paxos.Ticks
	nonce   uint64
	place   int // in the history, of the resolve under way
}

// AddClient adds a client that knows these processes.
func (w *World) AddClient(id paxos.NodeID, proposers, learners []paxos.NodeID, total, window int) *Client {
	c := &Client{
		id: id, proposers: proposers, learners: learners, rng: paxos.Rand{State: w.rng.Uint64()}, check: w.Check,
		Total: total, Window: window, Think: 1, base: 1, reads: map[uint64]clientRead{},
	}
	w.Add(paxos.RoleClient, id, func(*Store) paxos.Machine { return c })
	return c
}

// Done reports whether every entry was answered or its fate is known.
func (c *Client) Done() bool { return c.done >= c.Total && len(c.resolving) == 0 }

// answered is how many entries were answered, without those whose fate was asked.
func (c *Client) answered() int { return c.done - c.Resolved }

// Step implements paxos.Machine.
func (c *Client) Step(from paxos.NodeID, m paxos.Message) {
	switch m := m.(type) {
	case *paxos.Leader:
		if m.Ballot.IsZero() && from == c.proposers[c.target%len(c.proposers)] {
			c.send(0) // what it passed on may be lost
		}
		if c.leader.Less(m.Ballot) {
			c.leader = m.Ballot
			c.send(0)
		}
	case *paxos.Refused:
		if m.Session == c.session {
			c.target++
			c.retryAt = c.now + 10 + paxos.Ticks(c.rng.Uint64()%30)
		}
	case *paxos.Attached:
		if !c.born && m.Session == (paxos.SessionID{}) {
			var random [12]byte
			for i := range random {
				random[i] = byte(c.rng.Uint64())
			}
			c.session, c.born, c.base = paxos.NewSessionID(m.Applied, random), true, 1
			c.attach()
			c.send(0)
		}
	case *paxos.Result:
		if m.Session == c.session && c.born {
			c.onResult(m)
		}
	case *paxos.Results:
		for i := range m.Applied {
			if r := m.Result(i); r.Session == c.session && c.born {
				c.onResult(&r)
			}
		}
	case *paxos.Located:
		if r, ok := c.reads[m.Nonce]; ok {
			delete(c.reads, m.Nonce)
			if m.Open == 0 {
				c.check.onLocated(r.place, m.Last, r.before)
				c.Located++
			}
		}
	case *paxos.Found:
		c.onFound(m)
	case *paxos.PeerUp:
		if m.ID == c.learnerID() {
			c.attach()
		}
	case *paxos.PeerDown:
		if m.ID == c.learnerID() {
			c.learner++
			c.attach()
		}
	}
}

func (c *Client) onResult(m *paxos.Result) {
	switch m.Kind {
	case paxos.ResultApplied:
		for seq := m.First; seq < m.First+m.Count; seq++ {
			if seq == c.base && len(c.ops) > 0 {
				c.check.onAnswer(c.ops[0].place, paxos.AppendID{Session: c.session, Seq: seq}, m.Index+paxos.Index(seq-m.First), c.ops[0].before)
				c.ops = c.ops[1:]
				c.base++
				c.done++
				c.progress, c.wait = c.now, 0
			}
		}
		if m.First > c.base {
			c.attach() // an earlier result is missing
		}
	case paxos.ResultGap:
		if m.First >= c.base {
			c.send(m.First - c.base)
		}
	case paxos.ResultExpired:
		if m.First != 0 && m.First <= c.base && len(c.ops) > 0 {
			// None of what is left was or will be applied: begin anew with it.
			for i := range c.ops {
				c.check.onResolved(paxos.AppendID{Session: c.session, Seq: c.base + uint64(i)}, 0)
			}
			c.born, c.askedAt = false, 0
			c.check.w.Events["session expired"]++
		}
	case paxos.ResultFenced:
		if m.First <= c.base {
			c.check.fail("session", "%v was fenced by nobody", c.session)
		}
	}
}

func (c *Client) learnerID() paxos.NodeID { return c.learners[c.learner%len(c.learners)] }

func (c *Client) attach() {
	if c.born {
		c.Send(c.learnerID(), &paxos.Attach{Session: c.session, From: c.base})
	}
}

// silence is the wait of a client that has got no answer to four attempts in a row.
const silence = 1500

// send sends what is in flight from the given place on, in one to three Appends.
func (c *Client) send(from uint64) {
	if !c.born || from >= uint64(len(c.ops)) {
		return
	}
	to := c.proposers[c.target%len(c.proposers)]
	// A leader that answers nothing again and again may be gone for good, and its
	// successor's word may be lost: a connection would have broken by now.
	if c.leader.Proposer != "" && c.rng.Uint64()%4 != 0 && c.wait < silence {
		to = c.leader.Proposer
	}
	for from < uint64(len(c.ops)) {
		run := paxos.Run{Kind: paxos.RunAppend, Session: c.session, First: c.base + from}
		for n := 1 + c.rng.Uint64()%3; n > 0 && from < uint64(len(c.ops)); n-- {
			run.Entries = paxos.AppendEntry(run.Entries, []byte(c.ops[from].value))
			run.Count++
			from++
		}
		c.Send(to, &paxos.Append{Session: c.session, First: run.First, Batch: run.AppendTo(nil)})
	}
}

// Tick implements paxos.Machine.
func (c *Client) Tick(mono paxos.Ticks, _ paxos.UnixNanos) {
	c.now = mono
	if !c.born && (c.askedAt == 0 || c.now-c.askedAt > 200) {
		if c.askedAt != 0 {
			c.learner++
		}
		c.askedAt = c.now
		c.Send(c.learnerID(), &paxos.Attach{})
	}
	for c.born && c.issued < c.Total && len(c.ops) < c.Window && c.rng.Uint64()%c.Think == 0 {
		value := string(c.id) + "-" + strconv.Itoa(c.issued)
		place := c.check.history.begin(operation{kind: opAppend, client: c.id, value: value})
		if len(c.ops) == 0 {
			c.progress = c.now
		}
		c.ops = append(c.ops, clientOp{place, value, c.check.history.answered})
		c.issued++
		c.send(uint64(len(c.ops) - 1))
	}
	if c.retryAt != 0 && c.now >= c.retryAt {
		c.retryAt = 0
		c.send(0)
	}
	if c.born && len(c.ops) > 0 && c.now-c.progress > 300+c.wait {
		c.retry()
	}
	if c.now-c.readAt > 70 {
		c.readAt = c.now
		c.nonce++
		place := c.check.history.begin(operation{kind: opEnd, client: c.id})
		c.reads[c.nonce] = clientRead{place, c.check.history.answered}
		c.Send(c.learners[c.rng.Uint64()%uint64(len(c.learners))], &paxos.Locate{Nonce: c.nonce})
	}
	c.tickResolving()
	c.askAgain()
}

// retry sends everything again, elsewhere; or gives the session up.
func (c *Client) retry() {
	c.progress, c.wait = c.now, min(2*c.wait+100, 2000)
	c.attempts++
	c.target++
	if c.attempts%2 == 0 {
		c.learner++
	}
	if c.rng.Uint64()%6 == 0 {
		c.nonce++
		r := resolving{session: c.session, first: c.base, ops: c.ops, nonce: c.nonce}
		c.beginResolve(&r)
		c.resolving = append(c.resolving, r)
		c.ops, c.born, c.askedAt = nil, false, 0
		return
	}
	c.attach()
	c.send(0)
}

func (c *Client) tickResolving() {
	for i := range c.resolving {
		r := &c.resolving[i]
		if r.sentAt != 0 && c.now-r.sentAt < 200 {
			continue
		}
		r.sentAt = c.now
		c.target++
		c.Send(c.proposers[c.target%len(c.proposers)], &paxos.Append{Session: r.session, Batch: paxos.Fence(r.session)})
		learner := c.learners[c.rng.Uint64()%uint64(len(c.learners))] // one may be gone for good
		c.Send(learner, &paxos.Lookup{Nonce: r.nonce, Session: r.session, Seq: r.first})
	}
}

// onFound learns the fate of the first append of an abandoned session, and asks
// for the next.
func (c *Client) onFound(m *paxos.Found) {
	for i := range c.resolving {
		r := &c.resolving[i]
		if r.nonce != m.Nonce || !(m.Closed || m.Expired) {
			continue
		}
		id := paxos.AppendID{Session: r.session, Seq: r.first}
		c.check.onResolved(id, m.Index)
		c.check.history.ops[r.ops[0].place].id = id
		c.check.history.end(r.ops[0].place, m.Index, m.Index == 0)
		c.check.history.end(r.place, m.Index, m.Index == 0)
		c.fates = append(c.fates, id)
		if m.Index == 0 {
			c.check.w.Events["append resolved to never"]++
		} else {
			c.check.w.Events["append resolved to an index"]++
		}
		c.done++
		c.Resolved++
		c.nonce++
		r.ops, r.first, r.nonce, r.sentAt = r.ops[1:], r.first+1, c.nonce, c.now
		if len(r.ops) == 0 {
			c.resolving = append(c.resolving[:i:i], c.resolving[i+1:]...)
			return
		}
		c.beginResolve(r)
		c.Send(c.learnerID(), &paxos.Lookup{Nonce: r.nonce, Session: r.session, Seq: r.first})
		return
	}
	c.onFoundAgain(m)
}

// beginResolve notes in the history that the first append of r is being resolved.
func (c *Client) beginResolve(r *resolving) {
	r.place = c.check.history.begin(operation{kind: opResolve, client: c.id, id: paxos.AppendID{Session: r.session, Seq: r.first}})
}

// askAgain asks any learner for a fate that was told before: it must not change.
func (c *Client) askAgain() {
	if len(c.fates) == 0 || c.now-c.againAt < 100 {
		return
	}
	c.againAt = c.now
	c.nonce++
	id := c.fates[c.rng.Uint64()%uint64(len(c.fates))]
	c.again, c.againID = c.nonce, id
	learner := c.learners[c.rng.Uint64()%uint64(len(c.learners))]
	c.Send(learner, &paxos.Lookup{Nonce: c.again, Session: id.Session, Seq: id.Seq})
}

func (c *Client) onFoundAgain(m *paxos.Found) {
	if m.Nonce == c.again && (m.Closed || m.Expired) {
		c.check.onResolved(c.againID, m.Index)
		c.again = 0
	}
}

// Flush implements paxos.Machine.
func (c *Client) Flush() paxos.Output { return c.Take() }
