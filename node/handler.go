package node

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rs/zerolog"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
	"github.com/paxlog/paxlog/wire"
)

// handler is what the connections tell a node; many goroutines call it. It is a type of
// its own so that Node shows applications nothing of it.
type handler struct{ n *Node }

var _ transport.Handler = handler{}

// Receive implements transport.Handler. What a full disk could not take is lost, as
// messages may be, and the sender says it again: who waited here for the disk would hear
// no heartbeat and answer no question meanwhile.
func (h handler) Receive(from paxos.NodeID, m paxos.Message, size int) {
	if h.n.disk != nil && !h.n.disk.takes(m) {
		return
	}
	h.n.inbox.putRemote(item{from: from, msg: m, size: size})
}

// Rest implements transport.Handler.
func (h handler) Rest() { h.n.turn.try() }

// PeerUp implements transport.Handler.
func (h handler) PeerUp(m *paxos.PeerUp) {
	n := h.n
	if m.Role != paxos.RoleClient && n.peerLog.came(m.ID) {
		n.log.Info().Str("peer", string(m.ID)).Msg("peer connected")
	}
	n.accepted.took(m.Role)
	n.inbox.put(item{from: n.opts.ID, msg: m})
}

// PeerDown implements transport.Handler.
func (h handler) PeerDown(id paxos.NodeID, role paxos.Role, why error) {
	n := h.n
	switch {
	case role != paxos.RoleClient:
		if more, ok := n.peerLog.went(id); ok {
			repeats(n.log.Warn(), more).Str("peer", string(id)).AnErr("reason", why).Msg("peer lost")
		}
	case errors.Is(why, wire.ErrFrame), errors.Is(why, transport.ErrSlow):
		if more, ok := n.peerLog.tell("cut", "client cut off", fewStrangers); ok {
			repeats(n.log.Warn(), more).Str("peer", string(id)).AnErr("reason", why).Msg("client cut off")
		}
	}
	down := item{from: n.opts.ID, msg: &paxos.PeerDown{ID: id}}
	if role == paxos.RoleClient {
		n.inbox.left(id, down)
		return
	}
	n.inbox.lost(id, down)
}

// dropped is what transport.Config.Dropped calls.
func (n *Node) dropped(id paxos.NodeID) {
	n.inbox.put(item{from: n.opts.ID, msg: &paxos.Dropped{ID: id}})
}

// differs is what transport.Config.Differs calls: the other end has limits that this process has
// otherwise, and neither can know who is right.
func (n *Node) differs(id paxos.NodeID, what string) {
	if more, ok := n.peerLog.tell(string(id), "differs", 1); ok {
		repeats(n.log.Warn(), more).Str("peer", string(id)).Str("difference", what).Msg("the cluster files differ in limits that all processes should have alike: " +
			"entries may be refused, or connections ended, by whom they are too large for; make the files alike, and restart one process after the other")
	}
}

// repeats adds how many lines of the same kind were left out since the last.
func repeats(e *zerolog.Event, more int) *zerolog.Event {
	if more > 0 {
		e = e.Int("left_out", more)
	}
	return e
}

// Refused implements transport.Handler. No peer's word ends this process: an acceptor that
// a peer remembers otherwise does not vote (package acceptor), and one that is refused as
// of another log hears nothing of the others.
func (h handler) Refused(id paxos.NodeID, addr string, why error) {
	n := h.n
	var refused *transport.RefusedError
	n.accepted.failed(id, errors.As(why, &refused))
	switch {
	case errors.Is(why, transport.ErrReplaced):
		if more, ok := n.peerLog.tell(string(id), "replaced", 1); ok {
			repeats(n.log.Warn(), more).Str("peer", string(id)).Str("from", addr).AnErr("reason", why).Msg("peer connected twice")
		}
	case id == "":
		if more, ok := n.peerLog.tell("", strangerKind(why), fewStrangers); ok {
			repeats(n.log.Warn(), more).Str("from", addr).AnErr("reason", why).Msg("connection refused")
		}
	case errors.As(why, &refused) && refused.Code == wire.RefusedReplaced:
		n.inbox.put(item{from: n.opts.ID, msg: &paxos.Twin{ID: id}})
		if more, ok := n.peerLog.tell("", "twin", 1); ok {
			repeats(n.log.Error(), more).Str("peer", string(id)).AnErr("reason", why).Msg("another process runs under the id of this one")
		}
	case errors.As(why, &refused):
		if n.peerLog.refused(id, why.Error()) {
			n.log.Error().Str("peer", string(id)).AnErr("reason", why).Msg("peer refuses this process, or is refused")
		}
	default:
		if n.peerLog.refused(id, why.Error()) {
			n.log.Info().Str("peer", string(id)).Str("peer_addr", addr).AnErr("reason", why).Msg("peer not reachable")
		}
	}
}

// strangerKind says what kind of a stranger was refused: their lines are limited by kind,
// since their texts are theirs.
func strangerKind(why error) string {
	var stranger *transport.StrangerError
	switch {
	case errors.As(why, &stranger): // there are few codes, each with few texts of this program
		return fmt.Sprintf("refusal %d", stranger.Code)
	case errors.Is(why, wire.ErrFrame):
		return "garbage"
	case errors.Is(why, transport.ErrCrowd), errors.Is(why, io.EOF), errors.Is(why, io.ErrUnexpectedEOF), errors.Is(why, os.ErrDeadlineExceeded):
		return "silence"
	}
	return "refusal"
}
