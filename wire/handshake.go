package wire

import "github.com/paxlog/paxlog/paxos"

// handshakes are the messages that open and keep a connection. No role may send them as
// anything else.
var handshakes = paxos.NewTable(
	paxos.NewRow[Hello](0, 0, "opens a connection"),
	paxos.NewRow[Welcome](0, 0, "accepts it"),
	paxos.NewRow[Refusal](0, 0, "refuses it, or ends it"),
	paxos.NewRow[Ping](0, 0, "keeps it alive while it is idle"),
)

// Hello opens a connection: who dials, and whom it means to reach.
type Hello struct {
	Version     uint64
	Members     paxos.Membership // only Cluster of a client
	Role        paxos.Role
	ID          paxos.NodeID
	Incarnation uint64 // of an acceptor's data directory
	ToRole      paxos.Role
	ToID        paxos.NodeID // empty: whoever listens there
}

// Welcome accepts a connection.
type Welcome struct {
	Role        paxos.Role
	ID          paxos.NodeID
	Incarnation uint64
}

// Refusal ends a connection, with a sentence for people.
type Refusal struct {
	Code RefusalCode
	Text string
}

// RefusalCode says what kind of a refusal it is.
type RefusalCode byte

// The codes.
const (
	RefusedVersion     RefusalCode = 1
	RefusedCluster     RefusalCode = 2 // another cluster, or another membership
	RefusedIdentity    RefusalCode = 3 // another role or id than meant, or an unknown one
	RefusedFull        RefusalCode = 4 // too many connections
	RefusedIncarnation RefusalCode = 5 // the acceptor is known by another incarnation
)

// Ping keeps an idle connection alive.
type Ping struct{}

// MessageKind makes it a message.
func (*Hello) MessageKind() Kind { return 1 }

// MessageKind makes it a message.
func (*Welcome) MessageKind() Kind { return 2 }

// MessageKind makes it a message.
func (*Refusal) MessageKind() Kind { return 3 }

// MessageKind makes it a message.
func (*Ping) MessageKind() Kind { return 4 }
