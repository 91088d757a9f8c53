package node

import (
	"sync"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// known mirrors the incarnations that the machine remembers, for handshakes: those happen
// while the machine is at work.
type known struct {
	mu    sync.Mutex
	peers map[paxos.NodeID]uint64
	log   paxos.LogID
}

func (k *known) start(peers paxos.Peers, state paxos.Encoded) {
	k.takeState(state)
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
		if s, ok := r.(paxos.SetControl); ok {
			k.takeState(s.State)
		}
	}
}

// takeState takes the log's id. A state that is not known here the machine has refused.
func (k *known) takeState(e paxos.Encoded) {
	if s, err := control.Decode(e); err == nil {
		k.mu.Lock()
		k.log = s.Log
		k.mu.Unlock()
	}
}

func (k *known) logID() paxos.LogID {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.log
}

func (k *known) of(id paxos.NodeID) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.peers[id]
}
