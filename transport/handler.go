package transport

import (
	"errors"
	"fmt"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// ErrReplaced is told to Refused when a process connects again while its old connection is
// still open.
var ErrReplaced = errors.New("a second connection under this id replaced the first: " +
	"if this is told again and again, two processes run under one id, and one of them must be stopped")

// Handler is told what happens. Calls come from many goroutines.
type Handler interface {
	// Receive takes a message. It may block, which stops reading from its sender.
	Receive(from paxos.NodeID, m paxos.Message, size int)
	// Rest says that all that is at hand of a connection has been received.
	Rest()
	// PeerUp says that a connection is open, and to whom; PeerDown, that none is left.
	PeerUp(m *paxos.PeerUp)
	PeerDown(id paxos.NodeID, role paxos.Role, why error)
	// Refused says that a peer at addr could not be used, and why.
	Refused(id paxos.NodeID, addr string, why error)
}

// RefusedError is a handshake that failed: the other end is not what was meant. Or, with
// the code wire.RefusedReplaced, it is a connection that another process took over.
type RefusedError struct {
	Addr string
	Code wire.RefusalCode
	Log  paxos.LogID // with RefusedLog: that of the other end, if it is known
	Text string
}

func (e *RefusedError) Error() string { return fmt.Sprintf("refused by %s: %s", e.Addr, e.Text) }
