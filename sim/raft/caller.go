package main

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim"
	"github.com/paxlog/paxlog/sim/check"
)

// caller is a client of either protocol. It sends what is not answered again, under
// the same id, to one server after the other; when its patience ends it tells its
// user that the outcome is unknown, and asks for the outcome if the protocol has an
// answer to that.
type caller struct {
	paxos.Outbox
	id      paxos.NodeID
	number  byte
	dialect dialect
	servers []paxos.NodeID // it sends to
	check   *check.Checker
	clock   func() sim.Micros

	retry, patience paxos.Ticks // 0: never again; for ever
	every           paxos.Ticks // if not 0: it appends something so often
	readEvery       paxos.Ticks

	now      paxos.Ticks
	session  paxos.SessionID
	sessions byte
	open     bool
	seq      uint64 // used in this session
	target   int
	values   int
	sentAt   paxos.Ticks
	readAt   paxos.Ticks
	waiting  []*call // in the order of their numbers
	unsolved []*call // their fate is asked for
	calls    []*call
	read     *check.Call
	nonce    uint64
}

type outcome string

// What became of an append, as far as its client knows.
const (
	pending outcome = ""
	chosen  outcome = "in the log"
	never   outcome = "never"
)

// call is one append.
type call struct {
	value   string
	id      paxos.AppendID
	entry   check.Call
	issued  sim.Micros
	unknown sim.Micros // when its user was told that the outcome is unknown; 0: never
	ended   sim.Micros
	outcome outcome
	index   paxos.Index
}

func (c *call) String() string {
	s := c.value + ": "
	if c.unknown != 0 {
		s += fmt.Sprintf("unknown after %d ms, then ", (c.unknown-c.issued)/sim.Millisecond)
	}
	switch c.outcome {
	case chosen:
		return s + fmt.Sprintf("at index %d", c.index)
	case never:
		return s + "never, for good"
	}
	return s + "nothing"
}

// Append appends a value.
func (c *caller) Append(value string) *call {
	k := &call{value: value, entry: c.check.Appends(c.id, value), issued: c.clock()}
	c.calls = append(c.calls, k)
	c.waiting = append(c.waiting, k)
	c.count(k)
	if c.open {
		c.send()
	}
	return k
}

// count gives a call its number in the session that is open.
func (c *caller) count(k *call) {
	if c.open {
		c.seq++
		k.id = paxos.AppendID{Session: c.session, Seq: c.seq}
	}
}

// born begins a session.
func (c *caller) born(s paxos.SessionID) {
	c.session, c.open, c.seq = s, true, 0
	for _, k := range c.waiting {
		c.count(k)
	}
}

// random is what tells the sessions apart.
func (c *caller) random() [12]byte {
	c.sessions++
	return [12]byte{c.number, c.sessions}
}

// send sends all that waits to the next server.
func (c *caller) send() {
	if len(c.waiting) == 0 {
		return
	}
	c.sentAt = c.now
	c.dialect.send(c, c.servers[c.target%len(c.servers)])
}

// answered notes that the append of that number is in the log.
func (c *caller) answered(id paxos.AppendID, index paxos.Index) {
	for i, k := range c.waiting {
		if k.id == id {
			c.waiting = append(c.waiting[:i:i], c.waiting[i+1:]...)
			c.end(k, chosen, index)
			return
		}
	}
}

func (c *caller) end(k *call, what outcome, index paxos.Index) {
	if k.outcome != pending {
		return
	}
	k.outcome, k.index, k.ended = what, index, c.clock()
	if what == never {
		c.check.Never(k.entry, k.id)
		return
	}
	c.check.Answered(k.entry, k.id, index)
}

// Read asks where the log ends.
func (c *caller) Read() {
	r := c.check.Reads(c.id)
	c.read = &r
	c.nonce++
	c.dialect.read(c, c.servers[c.target%len(c.servers)])
}

func (c *caller) readAnswered(nonce uint64, last paxos.Index) {
	if c.read != nil && nonce == c.nonce {
		c.check.ReadAnswered(*c.read, last)
		c.read = nil
	}
}

// Step implements paxos.Machine.
func (c *caller) Step(from paxos.NodeID, m paxos.Message) { c.dialect.step(c, from, m) }

// Tick implements paxos.Machine.
func (c *caller) Tick(mono paxos.Ticks, _ paxos.UnixNanos) {
	before := c.now
	c.now = mono
	c.dialect.tick(c)
	if c.every > 0 && len(c.waiting) == 0 && c.open && mono/c.every != before/c.every {
		c.values++
		c.Append(fmt.Sprintf("%s-%d", c.id, c.values))
	}
	if c.readEvery > 0 && mono-c.readAt >= c.readEvery {
		c.readAt = mono
		c.Read()
	}
	if len(c.waiting) == 0 {
		return
	}
	if c.patience > 0 && c.clock()-c.waiting[0].issued >= sim.Micros(c.patience)*sim.Millisecond {
		c.giveUp()
		return
	}
	if c.retry > 0 && c.now-c.sentAt >= c.retry && c.open {
		c.target++
		c.send()
	}
}

// giveUp tells the user that the outcome of all that waits is unknown. The session
// ends with that: what is appended next must not wait for it.
func (c *caller) giveUp() {
	for _, k := range c.waiting {
		k.unknown = c.clock()
	}
	c.unsolved = append(c.unsolved, c.waiting...)
	c.waiting, c.open = nil, false
	c.dialect.end(c)
}

// Next implements paxos.Machine.
func (c *caller) Next() paxos.Ticks { return c.now + lookTicks }

// Flush implements paxos.Machine.
func (c *caller) Flush() paxos.Output { return c.Take() }
