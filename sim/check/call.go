package check

import "github.com/paxlog/paxlog/paxos"

// Call is a client's call in the history that is judged at the end. Its answer is
// judged at once by what was answered before it was issued.
type Call struct {
	place  int
	before paxos.Index
}

// Appends notes that a client appends value, which no other append has.
func (c *Checker) Appends(client paxos.NodeID, value string) Call {
	return Call{c.History.begin(Operation{Kind: Append, Client: client, Value: value}), c.History.answered}
}

// Answered checks the answer to an append.
func (c *Checker) Answered(call Call, id paxos.AppendID, index paxos.Index) {
	o := &c.History.Ops[call.place]
	if !c.isAt(id, index) || c.Log[index-1].Value != o.Value {
		c.Fail("L2", "%v (%q) was answered with index %d, which is not it", id, o.Value, index)
	}
	if index <= call.before {
		c.Fail("L3", "%v has index %d, though %d was answered before it was issued", id, index, call.before)
	}
	o.ID = id
	c.History.end(call.place, index, false)
	c.History.answered = max(c.History.answered, index)
	c.Answers++
}

// Resolves notes that a client asks for the fate of an append.
func (c *Checker) Resolves(client paxos.NodeID, id paxos.AppendID) Call {
	return Call{place: c.History.begin(Operation{Kind: Resolve, Client: client, ID: id})}
}

// Resolved checks the fate told of an append, 0 for never, to whoever asked for it.
func (c *Checker) Resolved(call, asked Call, id paxos.AppendID, index paxos.Index) {
	c.onFate(call, id, index)
	c.History.end(asked.place, index, index == 0)
}

// Never notes that an append was told never to be, though nobody asked.
func (c *Checker) Never(call Call, id paxos.AppendID) { c.onFate(call, id, 0) }

// onFate checks the fate told of an append.
func (c *Checker) onFate(call Call, id paxos.AppendID, index paxos.Index) {
	switch {
	case index != 0 && (!c.isAt(id, index) || c.never[id]):
		c.Fail("L6", "%v was told to be at %d, where it is not, or after it was told never to be", id, index)
	case index == 0 && c.lastSeq[id.Session] >= id.Seq:
		c.Fail("L6", "%v was told never to be, and is in the log", id)
	case index == 0:
		c.never[id] = true
	}
	c.History.Ops[call.place].ID = id
	c.History.end(call.place, index, index == 0)
}

// Reads notes that a client asks where the log ends.
func (c *Checker) Reads(client paxos.NodeID) Call {
	return Call{c.History.begin(Operation{Kind: ReadEnd, Client: client}), c.History.answered}
}

// ReadAnswered checks the answer to that.
func (c *Checker) ReadAnswered(call Call, last paxos.Index) {
	if last < call.before {
		c.Fail("linearizable read", "the log was said to end at %d after %d was answered", last, call.before)
	}
	c.History.end(call.place, last, false)
}

// Applied checks what a replica of another protocol applies: at each index the same
// as every other replica, each append once, in the order of its session.
func (c *Checker) Applied(replica paxos.NodeID, index paxos.Index, id paxos.AppendID, value string) {
	switch end := paxos.Index(len(c.Log)); {
	case index == end+1:
		c.onEntry(id, value)
	case index > end || index == 0:
		c.Fail("L5", "%s applies index %d, and the log has %d entries", replica, index, end)
	case c.Log[index-1] != (Entry{id, value}):
		c.Fail("L1", "%s has %q of %v at index %d; another replica has %q", replica, value, id, index, c.Log[index-1].Value)
	}
}

// IsBelow checks that an append which was told to be in what was trimmed, below an index, is
// there, and returns where it was.
func (c *Checker) IsBelow(id paxos.AppendID, value string, below paxos.Index) paxos.Index {
	at := c.Where[value]
	if at == 0 || at >= below || !c.isAt(id, at) {
		c.Fail("L6", "%v was told to be in the log below %d, and is at %d", id, below, at)
	}
	return at
}
