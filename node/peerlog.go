package node

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
	"github.com/paxlog/paxlog/wire"
)

// peerLog says, once each, what happens to connections: a peer may have two, and
// one that stays away is tried again and again.
type peerLog struct {
	mu      sync.Mutex
	up      map[paxos.NodeID]bool
	last    map[paxos.NodeID]string // the last reason told why it cannot be used
	closing bool
}

// came reports whether id was not connected before.
func (l *peerLog) came(id paxos.NodeID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.up == nil {
		l.up, l.last = map[paxos.NodeID]bool{}, map[paxos.NodeID]string{}
	}
	first := !l.up[id]
	l.up[id] = true
	delete(l.last, id)
	return first && !l.closing
}

// went reports whether the loss of id is news.
func (l *peerLog) went(id paxos.NodeID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.up, id)
	return !l.closing
}

// refused reports whether why differs from what was last told about id. About
// strangers, who have no id, each reason is told once a minute.
func (l *peerLog) refused(id paxos.NodeID, why error) bool {
	text := why.Error()
	if id == "" {
		text = fmt.Sprint(time.Now().Unix() / 60)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.up, l.last = map[paxos.NodeID]bool{}, map[paxos.NodeID]string{}
	}
	if l.closing || l.last[id] == text {
		return false
	}
	l.last[id] = text
	return true
}

// close ends the log: connections that this process closes are no news.
func (l *peerLog) close() {
	l.mu.Lock()
	l.closing = true
	l.mu.Unlock()
}

// known mirrors the incarnations that the machine remembers, for handshakes.
type known struct {
	mu    sync.Mutex
	peers map[paxos.NodeID]uint64
}

func (k *known) start(peers paxos.Peers) {
	k.peers = map[paxos.NodeID]uint64{}
	for id, p := range peers {
		k.peers[id] = p.Incarnation
	}
}

// learn takes what the machine is about to write. A process that ends before it is
// durable forgets it, which refuses nobody wrongly.
func (k *known) learn(writes []paxos.Record) {
	for _, r := range writes {
		if p, ok := r.(paxos.SetPeer); ok {
			k.mu.Lock()
			k.peers[p.ID] = p.Peer.Incarnation
			k.mu.Unlock()
		}
	}
}

func (k *known) of(id paxos.NodeID) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.peers[id]
}

// Receive implements transport.Handler.
func (n *Node) Receive(from paxos.NodeID, m paxos.Message, size int) {
	n.inbox.putRemote(item{from: from, msg: m, size: size})
}

// Rest implements transport.Handler.
func (n *Node) Rest() { n.tryWork() }

// PeerUp implements transport.Handler.
func (n *Node) PeerUp(id paxos.NodeID, role paxos.Role, incarnation uint64) {
	if role != paxos.RoleClient && n.peerLog.came(id) {
		n.log.Info().Str("peer", string(id)).Msg("peer connected")
	}
	n.inbox.put(item{from: n.opts.ID, msg: &paxos.PeerUp{ID: id, Role: role, Incarnation: incarnation}})
}

// PeerDown implements transport.Handler.
func (n *Node) PeerDown(id paxos.NodeID, role paxos.Role, why error) {
	switch {
	case role != paxos.RoleClient:
		if n.peerLog.went(id) {
			n.log.Warn().Str("peer", string(id)).AnErr("reason", why).Msg("peer lost")
		}
	case errors.Is(why, wire.ErrFrame), errors.Is(why, transport.ErrSlow):
		n.log.Warn().Str("peer", string(id)).AnErr("reason", why).Msg("client cut off")
	}
	n.inbox.put(item{from: n.opts.ID, msg: &paxos.PeerDown{ID: id}})
}

// Refused implements transport.Handler.
func (n *Node) Refused(id paxos.NodeID, addr string, why error) {
	if !n.peerLog.refused(id, why) {
		return
	}
	var refused *transport.RefusedError
	switch {
	case errors.As(why, &refused) && refused.Code == wire.RefusedIncarnation:
		n.fatal(why) // this directory must never vote
	case errors.Is(why, transport.ErrReplaced):
		n.log.Warn().Str("peer", string(id)).Str("from", addr).AnErr("reason", why).Msg("peer connected twice")
	case id == "":
		n.log.Warn().Str("from", addr).AnErr("reason", why).Msg("connection refused")
	case errors.As(why, &refused):
		n.log.Error().Str("peer", string(id)).AnErr("reason", why).Msg("peer refuses this process")
	default:
		n.log.Info().Str("peer", string(id)).Str("peer_addr", addr).AnErr("reason", why).Msg("peer not reachable")
	}
}
