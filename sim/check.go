package sim

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// Violation is a broken invariant. Checker panics with it; Run catches it.
type Violation struct {
	Invariant string
	Detail    string
	At        Micros
}

func (v *Violation) Error() string {
	return fmt.Sprintf("%s violated at %.3f ms: %s", v.Invariant, float64(v.At)/float64(Millisecond), v.Detail)
}

// Checker watches everything that is written, sent and answered.
type Checker struct {
	w       *World
	members paxos.Membership

	proposed map[ballotAt]paxos.Value           // by Accept: P2
	votes    map[ballotAt]map[paxos.NodeID]bool // durable
	chosen   map[paxos.Instance]paxos.Value     // by a Phase 2 quorum of durable votes
	log      []logged                           // by index-1, as the first learner applied it
	records  map[paxos.Instance]paxos.LogRecord // likewise
	where    map[string]paxos.Index             // by entry's text; all are distinct
	lastSeq  map[paxos.SessionID]uint64         // in the log
	never    map[paxos.AppendID]bool            // told to be never: L6
	issued   map[string]bool                    // entries that clients appended: L4
	latest   paxos.Ballot                       // highest at which something was chosen
	answered paxos.Index                        // highest index answered
	Answers  int
	history  *history
}

type ballotAt struct {
	ballot   paxos.Ballot
	instance paxos.Instance
}

type logged struct {
	id    paxos.AppendID
	value string
}

func newChecker(w *World, m paxos.Membership) *Checker {
	return &Checker{
		w: w, members: m, proposed: map[ballotAt]paxos.Value{}, votes: map[ballotAt]map[paxos.NodeID]bool{},
		chosen: map[paxos.Instance]paxos.Value{}, records: map[paxos.Instance]paxos.LogRecord{},
		where: map[string]paxos.Index{}, lastSeq: map[paxos.SessionID]uint64{}, never: map[paxos.AppendID]bool{},
		issued: map[string]bool{},
	}
}

func (c *Checker) fail(invariant, format string, args ...any) {
	panic(&Violation{Invariant: invariant, Detail: fmt.Sprintf(format, args...), At: c.w.now})
}

// Chosen is how many instances were chosen.
func (c *Checker) Chosen() int { return len(c.chosen) }

// Entries is the length of the log as far as any learner applied it.
func (c *Checker) Entries() int { return len(c.log) }

// onOutput checks what a machine is about to write; its store is as it was before.
func (c *Checker) onOutput(n *Node, out *paxos.Output) {
	switch n.Role {
	case paxos.RoleAcceptor:
		c.acceptorWrites(n, out.Writes)
	case paxos.RoleLearner:
		for _, r := range out.Writes {
			if p, ok := r.(paxos.PutApplied); ok {
				c.onApplied(n, p)
			}
		}
	}
}

func (c *Checker) acceptorWrites(n *Node, writes []paxos.Record) {
	promised, held := n.store.visible.promised, n.store.visible.held
	heldAfter := held
	for _, r := range writes {
		if h, ok := r.(paxos.SetHeld); ok {
			heldAfter = h.Held
		}
	}
	fresh := map[paxos.Instance]paxos.Vote{}
	for _, r := range writes {
		switch r := r.(type) {
		case paxos.SetPromised:
			if !promised.Less(r.Ballot) {
				c.fail("P1", "%s lowers promised from %v to %v", n.ID, promised, r.Ballot)
			}
			promised = r.Ballot
		case paxos.PutVote:
			if r.Vote.Instance <= held {
				c.fail("P6", "%s overwrites instance %d, which it holds up to %d", n.ID, r.Vote.Instance, held)
			}
			if r.Vote.Ballot != promised && r.Vote.Instance > heldAfter {
				c.fail("P1", "%s votes at %v, promised %v", n.ID, r.Vote.Ballot, promised)
			}
			fresh[r.Vote.Instance] = r.Vote
		}
	}
	for i := held + 1; i <= heldAfter; i++ {
		v, ok := fresh[i]
		if !ok {
			v, ok = n.store.visible.votes[i]
		}
		if chosen, known := c.chosen[i]; !ok || !known || !chosen.Equal(v.Value) {
			c.fail("P5/P6", "%s holds at instance %d what was not chosen there (stored %v, chosen %v)", n.ID, i, ok, known)
		}
	}
}

// onSend checks what a machine says.
func (c *Checker) onSend(n *Node, e paxos.Envelope) {
	switch m := e.Msg.(type) {
	case *paxos.Accept:
		key := ballotAt{m.Ballot, m.Instance}
		if old, ok := c.proposed[key]; ok && !old.Equal(m.Value) {
			c.fail("P2", "%s proposes two values at instance %d under %v", n.ID, m.Instance, m.Ballot)
		}
		c.proposed[key] = m.Value
	case *paxos.Accepted:
		for _, r := range m.Runs {
			for i := r.First; i <= r.Last; i++ {
				if i > n.store.durable.held && n.store.durable.votes[i].Ballot.Less(r.Ballot) {
					c.fail("P1", "%s tells a vote at instance %d that is not durable", n.ID, i)
				}
			}
		}
	case *paxos.Promise:
		if n.store.durable.promised.Less(m.Ballot) {
			c.fail("P1", "%s tells a promise of %v that is not durable", n.ID, m.Ballot)
		}
	}
}

// onDeliver and onStart are for what is checked elsewhere.
func (c *Checker) onDeliver(from, to *Node, m paxos.Message) {}
func (c *Checker) onStart(n *Node)                           {}

func (c *Checker) onEnd() {}

// onDurable counts votes that became durable.
func (c *Checker) onDurable(n *Node, records []paxos.Record) {
	if n.Role != paxos.RoleAcceptor {
		return
	}
	for _, r := range records {
		p, ok := r.(paxos.PutVote)
		if !ok {
			continue
		}
		key := ballotAt{p.Vote.Ballot, p.Vote.Instance}
		if c.votes[key] == nil {
			c.votes[key] = map[paxos.NodeID]bool{}
		}
		c.votes[key][n.ID] = true
		if len(c.votes[key]) < c.members.Phase2 {
			continue
		}
		if old, ok := c.chosen[key.instance]; ok && !old.Equal(p.Vote.Value) {
			c.fail("agreement", "two values chosen at instance %d, the second at %v", key.instance, key.ballot)
		}
		c.chosen[key.instance] = p.Vote.Value
		if c.latest.Less(key.ballot) {
			c.latest = key.ballot
		}
	}
}

// onApplied checks a learner's log against the chosen values and against the log
// of whichever learner applied the instance first.
func (c *Checker) onApplied(n *Node, p paxos.PutApplied) {
	i := p.Record.Instance
	if v, ok := c.chosen[i]; !ok || !v.Equal(p.Value) {
		c.fail("L1", "%s applies at instance %d what was not chosen (chosen: %v)", n.ID, i, ok)
	}
	if old, ok := c.records[i]; ok {
		if old.First != p.Record.First || old.Count != p.Record.Count || old.Time != p.Record.Time || string(old.Log) != string(p.Record.Log) {
			c.fail("L1", "%s makes of instance %d: %d entries from %d; another learner: %d from %d", n.ID, i, p.Record.Count, p.Record.First, old.Count, old.First)
		}
		return
	}
	if i != paxos.Instance(len(c.records)+1) {
		c.fail("L5", "%s applies instance %d after %d", n.ID, i, len(c.records))
	}
	c.records[i] = p.Record
	if p.Record.First != paxos.Index(len(c.log)+1) {
		c.fail("L5", "instance %d begins at index %d, the log has %d entries", i, p.Record.First, len(c.log))
	}
	for log := p.Record.Log; len(log) > 0; {
		r, rest, err := paxos.NextRun(log)
		if err != nil {
			c.fail("L1", "instance %d: %v", i, err)
		}
		log = rest
		for b, seq := r.Entries, r.First; len(b) > 0; seq++ {
			var e []byte
			e, b = paxos.NextEntry(b)
			c.onEntry(paxos.AppendID{Session: r.Session, Seq: seq}, string(e))
		}
	}
}

func (c *Checker) onEntry(id paxos.AppendID, value string) {
	if at, ok := c.where[value]; ok {
		c.fail("exactly once", "%q is at index %d and at %d", value, at, len(c.log)+1)
	}
	if !c.issued[value] {
		c.fail("L4", "%q was appended by nobody", value)
	}
	if c.lastSeq[id.Session]+1 != id.Seq {
		c.fail("session order", "%v follows %d", id, c.lastSeq[id.Session])
	}
	if c.never[id] {
		c.fail("L6", "%v is in the log after it was told never to be", id)
	}
	c.lastSeq[id.Session] = id.Seq
	c.log = append(c.log, logged{id, value})
	c.where[value] = paxos.Index(len(c.log))
}

// onAnswer checks an append's answer. before is the highest index answered when
// the append was issued.
func (c *Checker) onAnswer(id paxos.AppendID, value string, index, before paxos.Index) {
	if index == 0 || int(index) > len(c.log) || c.log[index-1] != (logged{id, value}) {
		c.fail("L2", "%v (%q) was answered with index %d, which is not it", id, value, index)
	}
	if index <= before {
		c.fail("L3", "%v has index %d, though %d was answered before it was issued", id, index, before)
	}
	c.answered = max(c.answered, index)
	c.Answers++
}

// onLocated checks a linearizable read that was issued when before was answered.
func (c *Checker) onLocated(last, before paxos.Index) {
	if last < before {
		c.fail("linearizable read", "the log was said to end at %d after %d was answered", last, before)
	}
}

// onResolved checks the fate told of an append.
func (c *Checker) onResolved(id paxos.AppendID, value string, index paxos.Index) {
	if index == 0 {
		if at, ok := c.where[value]; ok && c.log[at-1].id == id {
			c.fail("L6", "%v was told never to be, and is at %d", id, at)
		}
		c.never[id] = true
		return
	}
	if int(index) > len(c.log) || c.log[index-1] != (logged{id, value}) {
		c.fail("resolve", "%v was told to be at %d, where it is not", id, index)
	}
}

type history struct{}
