package sim

import "github.com/paxlog/paxlog/paxos"

// What another protocol needs to run here beside Paxlog, on the same network, disks
// and clocks, and to be judged by the same checks. Module sim/raft uses it.

// RoleGuest is the role of a process of another protocol. It has a disk, and no
// invariants but those of its log.
const RoleGuest paxos.Role = 255

// GuestMessage is a message of another protocol. A ladder shows Text; Upkeep marks
// what only keeps things alive.
type GuestMessage struct {
	Body   []byte
	Text   string
	Upkeep bool
}

// Speak is what a ladder shows of it.
func (m *GuestMessage) Speak() (text string, upkeep bool) { return m.Text, m.Upkeep }

// MessageKind lets it in beside the messages of the table: it has no row there.
func (*GuestMessage) MessageKind() paxos.Kind { return paxos.Local }

// Guest is what a process of another protocol recovers: the Data of every
// model.GuestRecord that its disk kept, in order.
func (s *Store) Guest() []any { return s.visible.Guest }

// Syncs is how many syncs the node has waited for since it started.
func (n *Node) Syncs() uint64 { return n.syncs }

// Delivered is how many messages have arrived.
func (t *Network) Delivered() uint64 { return t.delivered }

// Call is a client's call in the history that is judged at the end.
type Call struct {
	place  int
	before paxos.Index
}

// Appends notes that a client appends value, which no other append has.
func (c *Checker) Appends(client paxos.NodeID, value string) Call {
	return Call{c.history.begin(operation{kind: opAppend, client: client, value: value}), c.history.answered}
}

// Answered checks the answer to an append.
func (c *Checker) Answered(call Call, id paxos.AppendID, index paxos.Index) {
	c.onAnswer(call.place, id, index, call.before)
}

// Never notes that an append was told never to be.
func (c *Checker) Never(call Call, id paxos.AppendID) {
	c.onResolved(id, 0)
	c.history.ops[call.place].id = id
	c.history.end(call.place, 0, true)
}

// Reads notes that a client asks where the log ends.
func (c *Checker) Reads(client paxos.NodeID) Call {
	return Call{c.history.begin(operation{kind: opEnd, client: client}), c.history.answered}
}

// ReadAnswered checks the answer to that.
func (c *Checker) ReadAnswered(call Call, last paxos.Index) {
	c.onLocated(call.place, last, call.before)
}

// Applied checks what a replica of another protocol applies: at each index the same
// as every other replica, each append once, in the order of its session.
func (c *Checker) Applied(replica paxos.NodeID, index paxos.Index, id paxos.AppendID, value string) {
	switch end := paxos.Index(len(c.entries)); {
	case index == end+1:
		c.onEntry(id, value)
	case index > end || index == 0:
		c.fail("L5", "%s applies index %d, and the log has %d entries", replica, index, end)
	case c.entries[index-1] != (logged{id, value}):
		c.fail("L1", "%s has %q of %v at index %d; another replica has %q", replica, value, id, index, c.entries[index-1].value)
	}
}

// End judges the history as a whole.
func (c *Checker) End() { c.onEnd() }
