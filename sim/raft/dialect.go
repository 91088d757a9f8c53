package main

import (
	"encoding/binary"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim"
)

// dialect is how a caller talks with the servers of one protocol.
type dialect interface {
	send(c *caller, to paxos.NodeID) // all that waits
	read(c *caller, to paxos.NodeID)
	step(c *caller, from paxos.NodeID, m paxos.Message)
	tick(c *caller)
	end(c *caller) // of a session: outcomes are unknown
}

// inRaft talks with Raft processes.
type inRaft struct{}

func (inRaft) send(c *caller, to paxos.NodeID) {
	for _, k := range c.waiting {
		c.Send(to, encodeCommand(bodyRequest, command{k.id, k.value}, 0))
	}
}

func (inRaft) read(c *caller, to paxos.NodeID) { c.Send(to, encodeRead(bodyRead, c.nonce, 0)) }

func (inRaft) step(c *caller, _ paxos.NodeID, m paxos.Message) {
	g, ok := m.(*sim.GuestMessage)
	if !ok {
		return
	}
	switch body := g.Body[1:]; g.Body[0] {
	case bodyAnswer:
		a, rest, err := readCommand(body)
		if err == nil {
			index, _ := binary.Uvarint(rest)
			c.answered(a.id, paxos.Index(index))
		}
	case bodyEnd:
		nonce, n := binary.Uvarint(body)
		last, _ := binary.Uvarint(body[n:])
		c.readAnswered(nonce, paxos.Index(last))
	}
}

// tick begins a session: its name is enough.
func (inRaft) tick(c *caller) {
	if !c.open {
		c.born(paxos.NewSessionID(0, paxos.Stamp{}, c.random()))
		c.send()
	}
}

// end: there is nobody to ask what became of an append. It may still happen.
func (inRaft) end(*caller) {}

// inPaxlog talks with proposers and learners.
type inPaxlog struct {
	learners []paxos.NodeID
	all      bool // results are asked of all learners, and not of one
	learner  int
	askedAt  paxos.Ticks
	asked    bool
	nonce    uint64 // of the latest Lookup
}

func (d *inPaxlog) to() paxos.NodeID { return d.learners[d.learner%len(d.learners)] }

func (d *inPaxlog) send(c *caller, to paxos.NodeID) {
	first := c.waiting[0].id
	run := paxos.Run{Kind: paxos.RunAppend, Session: first.Session, First: first.Seq}
	for _, k := range c.waiting {
		run.Entries = paxos.AppendEntry(run.Entries, []byte(k.value))
		run.Count++
	}
	c.Send(to, &paxos.Append{Session: run.Session, First: run.First, Batch: run.AppendTo(nil)})
}

func (d *inPaxlog) read(c *caller, _ paxos.NodeID) { c.Send(d.to(), &paxos.Locate{Nonce: c.nonce}) }

func (d *inPaxlog) step(c *caller, _ paxos.NodeID, m paxos.Message) {
	switch m := m.(type) {
	case *paxos.Attached:
		if !c.open && m.Session == (paxos.SessionID{}) {
			c.born(paxos.NewSessionID(m.Applied, m.Stamp, c.random()))
			d.attach(c, 1)
			c.send()
		}
	case *paxos.Leader:
		for i, id := range c.servers {
			if id == m.Ballot.Proposer && i != c.target%len(c.servers) && c.retry > 0 {
				c.target = i
				c.send()
			}
		}
	case *paxos.Result:
		if m.Kind == paxos.ResultApplied {
			d.applied(c, m.Session, m.First, m.Count, m.Index)
		}
	case *paxos.Results:
		for _, a := range m.Applied {
			d.applied(c, a.Session, a.First, a.Count, a.Index)
		}
	case *paxos.Found:
		d.found(c, m)
	case *paxos.Located:
		if m.Open == 0 {
			c.readAnswered(m.Nonce, m.Last)
		}
	case *paxos.PeerDown:
		if m.ID == d.to() {
			d.move(c)
		}
	}
}

func (d *inPaxlog) applied(c *caller, s paxos.SessionID, first, count uint64, index paxos.Index) {
	for k := range count {
		c.answered(paxos.AppendID{Session: s, Seq: first + k}, index+paxos.Index(k))
	}
}

// move goes to the next learner.
func (d *inPaxlog) move(c *caller) {
	d.learner++
	d.asked = false
	if c.open {
		from := c.seq + 1
		if len(c.waiting) > 0 {
			from = c.waiting[0].id.Seq
		}
		d.attach(c, from)
	}
}

// attach asks for results.
func (d *inPaxlog) attach(c *caller, from uint64) {
	if !d.all {
		c.Send(d.to(), &paxos.Attach{Session: c.session, From: from})
		return
	}
	for _, id := range d.learners {
		c.Send(id, &paxos.Attach{Session: c.session, From: from})
	}
}

// patience is after how many ticks without an answer something is asked again.
const patience = 200

func (d *inPaxlog) tick(c *caller) {
	if d.asked && c.now-d.askedAt < patience {
		return
	}
	waits := len(c.waiting) > 0 && c.open && c.now-c.waiting0() >= patience
	if d.asked && (!c.open || waits) {
		d.move(c)
	}
	d.asked, d.askedAt = true, c.now
	if !c.open {
		c.Send(d.to(), &paxos.Attach{})
	}
	d.resolve(c)
}

// waiting0 is since when the first append waits.
func (c *caller) waiting0() paxos.Ticks {
	return c.now - paxos.Ticks((c.clock()-c.waiting[0].issued)/sim.Millisecond)
}

func (d *inPaxlog) end(c *caller) {
	d.asked = false
	d.tick(c)
}

// resolve asks for the fate of what is unknown: a fence lets nothing more of its
// session happen, so that a learner can say what did.
func (d *inPaxlog) resolve(c *caller) {
	if len(c.unsolved) == 0 {
		return
	}
	k := c.unsolved[0]
	c.target++
	d.nonce++
	c.Send(c.servers[c.target%len(c.servers)], &paxos.Append{Session: k.id.Session, Batch: paxos.Fence(k.id.Session)})
	c.Send(d.to(), &paxos.Lookup{Nonce: d.nonce, Session: k.id.Session, Seq: k.id.Seq})
}

func (d *inPaxlog) found(c *caller, m *paxos.Found) {
	if len(c.unsolved) == 0 || !m.Closed && !m.Expired || m.Nonce != d.nonce {
		return
	}
	k := c.unsolved[0]
	c.unsolved = c.unsolved[1:]
	if m.Index == 0 {
		c.end(k, never, 0)
	} else {
		c.end(k, chosen, m.Index)
	}
	d.resolve(c)
}
