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
