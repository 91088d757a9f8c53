package node

import (
	"fmt"
	"slices"
	"sync"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// known mirrors the incarnations that the machine remembers, for handshakes: those happen
// while the machine is at work.
type known struct {
	mu    sync.Mutex
	peers map[paxos.NodeID]uint64
	log   paxos.LogID
	// members is what the log has decided about its acceptors, as far as this process knows.
	members configuration.History
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
func (k *known) learn(writes []paxos.Record) (newLog, newMembers bool) {
	for _, r := range writes {
		switch r := r.(type) {
		case paxos.SetPeer:
			k.mu.Lock()
			k.peers[r.ID] = r.Peer.Incarnation
			k.mu.Unlock()
		case paxos.SetControl:
			isLog, areMembers := k.takeState(r.State)
			newLog, newMembers = newLog || isLog, newMembers || areMembers
		case paxos.Install: // a learner that begins with a checkpoint
			isLog, areMembers := k.takeState(r.Control)
			newLog, newMembers = newLog || isLog, newMembers || areMembers
		}
	}
	return newLog, newMembers
}

// takeState takes the log's id. A state that is not known here the machine has refused.
func (k *known) takeState(e paxos.Encoded) (newLog, newMembers bool) {
	s, err := control.Decode(e, control.Level)
	if err != nil {
		return false, false
	}
	return k.takeLog(s.Log), k.takeMembers(s.Members)
}

// takeMembers takes what the log has decided about its acceptors, and reports whether that is
// new.
func (k *known) takeMembers(h configuration.History) (isNew bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	isNew = h.Now.Epoch > k.members.Now.Epoch && h.Changed()
	if h.Now.Epoch > k.members.Now.Epoch {
		k.members = h
	}
	return isNew
}

// acceptors are those of the newest configuration.
func (k *known) acceptors() []configuration.Acceptor {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.members.Now.Acceptors)
}

// former is transport.Config.Former. One that was removed while it lived has its part until the
// next change, for the others may not know yet that it is over.
func (k *known) former(id paxos.NodeID) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := &k.members
	if _, was := h.Before.Find(id); !h.WasReplaced(id) || was && h.Replaced != id {
		return ""
	}
	return fmt.Sprintf("%s is an acceptor of this log no more: the configuration of epoch %d, from instance %d on, is without it. "+
		"Its process can be stopped, and its directory deleted", id, h.Now.Epoch, h.From)
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
