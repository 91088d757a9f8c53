package wire

import "github.com/paxlog/paxlog/paxos"

// handshakes are the messages that open and keep a connection. No role may send them as
// anything else.
var handshakes = paxos.NewTable(
	paxos.NewRow[Hello](0, 0, "opens a connection"),
	paxos.NewRow[Welcome](0, 0, "accepts it"),
	paxos.NewRow[Refusal](0, 0, "refuses it, or ends it"),
	paxos.NewRow[Ping](0, 0, "keeps it alive while it is idle"),
	paxos.NewRow[Offer](0, 0, "follows a Hello: which versions are spoken, which log is known", paxos.Since(3)),
	paxos.NewRow[Agreed](0, 0, "answers an Offer, before a Welcome", paxos.Since(3)),
	paxos.NewRow[Log](0, 0, "which log its sender is of, if that became known since the handshake", paxos.Since(3)),
)

// Hello opens a connection: who dials, and whom it means to reach. It and Welcome stay for
// ever as version 2 has them: they are read before any version is agreed on. Version is
// the highest that the dialler speaks. From 3 on an Offer follows at once, and a listener
// of version 2 refuses by the number, in words that the dialler understands.
type Hello struct {
	Version     uint64           `bound:"none"` // compared only
	Members     paxos.Membership // only Cluster of a client
	Role        paxos.Role
	ID          paxos.NodeID
	Incarnation uint64 `bound:"none"` // of an acceptor's data directory
	ToRole      paxos.Role
	ToID        paxos.NodeID // empty: whoever listens there
}

// Welcome accepts a connection.
type Welcome struct {
	Role        paxos.Role
	ID          paxos.NodeID
	Incarnation uint64 `bound:"none"`
}

// Offer says what a dialler of version 3 or later has to say beside its Hello.
type Offer struct {
	Oldest uint64  // the lowest version that it speaks
	Known  []Known // which log it is of
	Later  []string
	Log    paxos.LogID // which log it is of, zero if it knows none
}

// Agreed answers an Offer that is acceptable: the version that both speak from here on.
type Agreed struct {
	Version uint64
	Known   []Known
	Later   []string
	Log     paxos.LogID
}

// Later, in Offer and Agreed, is room for what later versions have to say before a version
// is agreed on, such as the level of a log; whoever does not know it passes over it.

// Log says which log its sender is of. It is sent once on a connection, if the sender did
// not know that yet when it shook hands.
type Log struct{ ID paxos.LogID }

// Known is the incarnation under which a process knows an acceptor of its log.
type Known struct {
	ID          paxos.NodeID
	Incarnation uint64 `bound:"none"`
}

// Refusal ends a connection. Text is a sentence for people, and only for those who are
// known: a stranger is told the code.
type Refusal struct {
	Code RefusalCode
	Text string
}

// RefusalCode says what kind of a refusal it is.
type RefusalCode byte

// The codes.
const (
	RefusedVersion     RefusalCode = 1
	RefusedCluster     RefusalCode = 2  // another cluster; to version 2 also: another cluster file
	RefusedIdentity    RefusalCode = 3  // another role or id than meant, or an unknown one
	RefusedFull        RefusalCode = 4  // too many connections
	RefusedIncarnation RefusalCode = 5  // the acceptor is known by another incarnation
	RefusedReplaced    RefusalCode = 6  // another process connects under this id
	RefusedLog         RefusalCode = 7  // of another log: none of the acceptors' incarnations is the same
	RefusedAcceptors   RefusalCode = 8  // the cluster files differ in the acceptors
	RefusedQuorums     RefusalCode = 9  // in the quorum sizes
	RefusedSessions    RefusalCode = 10 // in limits.sessions
	RefusedPlain       RefusalCode = 11 // the connection has no TLS
	RefusedCertificate RefusalCode = 12 // the certificate is not, or no longer, believed, or is another's
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

// MessageKind makes it a message.
func (*Offer) MessageKind() Kind { return 5 }

// MessageKind makes it a message.
func (*Agreed) MessageKind() Kind { return 6 }

// MessageKind makes it a message.
func (*Log) MessageKind() Kind { return 7 }
