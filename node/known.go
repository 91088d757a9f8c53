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
func (k *known) learn(writes []paxos.Record) (newLog bool) {
	for _, r := range writes {
		switch r := r.(type) {
		case paxos.SetPeer:
			k.mu.Lock()
			k.peers[r.ID] = r.Peer.Incarnation
			k.mu.Unlock()
		case paxos.SetControl:
			newLog = k.takeState(r.State) || newLog
		case paxos.Install: // a learner that begins with a checkpoint
			newLog = k.takeState(r.Control) || newLog
		}
	}
	return newLog
}

// takeState takes the log's id. A state that is not known here the machine has refused.
func (k *known) takeState(e paxos.Encoded) (isNew bool) {
	s, err := control.Decode(e, control.Level)
	return err == nil && k.takeLog(s.Log)
}

// takeLog takes the log's id, and reports whether it is new.
func (k *known) takeLog(log paxos.LogID) (isNew bool) {
	if log.IsZero() {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	isNew, k.log = k.log != log, log
	return isNew
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
