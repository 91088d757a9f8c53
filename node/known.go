package node

import (
	"fmt"
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
	roster  configuration.Roster
	// passed is up to where this process holds, or has applied, what was chosen. A leader has
	// passed a change when that is complete.
	passed paxos.Instance
	// quotas are settings of the log, as of the instance quotasAt.
	quotas   control.Settings
	quotasAt paxos.Instance
}

func (k *known) start(peers paxos.Peers, state paxos.Encoded, passed paxos.Instance) {
	k.takeState(state)
	k.pass(passed)
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
			newMembers = k.pass(r.State.Applied) || newMembers
		case paxos.SetHeld:
			newMembers = k.pass(r.Held) || newMembers
		case paxos.SetLearner:
			newMembers = k.pass(r.State.Applied) || newMembers
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
	k.takeQuotas(s.Settings, s.GrantedAt)
	return k.takeLog(s.Log), k.takeMembers(s.Members, s.Roster)
}

// takeQuotas takes how much everybody may have, as the log decided at an instance.
func (k *known) takeQuotas(s control.Settings, at paxos.Instance) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at != k.quotasAt { // lower, where a proposer went by what was not chosen
		k.quotas, k.quotasAt = s, at
	}
}

// connections is transport.Config.Quota.
func (k *known) connections(who paxos.Principal) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.quotas.Quota(paxos.QuotaConnections, who)
}

// takeMembers takes what the log has decided about its processes, and reports whether that is
// new.
func (k *known) takeMembers(h configuration.History, r configuration.Roster) (isNew bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	isNew = h.Now.Epoch > k.members.Now.Epoch && h.Changed() || r.Version > k.roster.Version
	if h.Now.Epoch > k.members.Now.Epoch {
		k.members = h
	}
	if r.Version > k.roster.Version {
		k.roster = r
	}
	return isNew
}

// follow takes what a proposer goes by, which keeps nothing: what single acceptors have shown it tries,
// and drops again. It reports whether that is another thing.
func (k *known) follow(h *configuration.History, r *configuration.Roster) (isNew bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h.Now.Epoch == k.members.Now.Epoch && h.At == k.members.At && r.Version == k.roster.Version {
		return false
	}
	isNew = h.Changed() || k.members.Changed() || r.Version != k.roster.Version
	k.members, k.roster = *h, *r
	return isNew
}

// processes are what is known of them.
func (k *known) processes() (configuration.History, configuration.Roster) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.members, k.roster
}

// role is the one under which the log names a process, 0 if it does not.
func (k *known) role(id paxos.NodeID) paxos.Role {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, is := k.members.Now.Find(id); is {
		return paxos.RoleAcceptor
	}
	p, _ := k.roster.Find(id)
	return p.Role
}

// pass notes up to where this process has what was chosen, and reports whether it passes the
// instance from which on the newest configuration is in force.
func (k *known) pass(upTo paxos.Instance) (isNew bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.hasPassed()
	k.passed = max(k.passed, upTo)
	return k.members.Changed() && !was && k.hasPassed()
}

// hasPassed reports whether everything below that instance is here; mu is held.
func (k *known) hasPassed() bool { return k.passed+1 >= k.members.From }

// former is transport.Config.Former. One that was removed while it lived has its part below the
// instance from which on the others go on without it: until then a leader may need its vote, and
// who lacks something down there may copy it from it. Whoever has passed that instance needs
// nothing of it any more, and a leader does not once the change is complete (R8).
//
// A proposer, or a learner, is refused if it was one and is none any more. One of which nothing is known
// is not: a proposer may have been named since, and its machine judges that; a learner copies the log
// before it is one, and nothing that it says counts.
func (k *known) former(role paxos.Role, id paxos.NodeID) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if role == paxos.RoleProposer && k.roster.IsGone(id) {
		return fmt.Sprintf("%s is a proposer of this log no more, whose proposers are %v: its process can be stopped, or named again by `paxlog member add %s --role proposer --addr HOST:PORT`",
			id, k.roster.Of(role), id)
	}
	if role == paxos.RoleLearner && k.roster.IsGone(id) {
		return fmt.Sprintf("%s is a learner of this log no more, whose learners are %v: its process can be stopped, and its directory deleted; "+
			"another one takes another id (`paxlog init --join --role learner --id ID`)", id, k.roster.Of(role))
	}
	if role != paxos.RoleAcceptor {
		return ""
	}
	h := &k.members
	if _, was := h.Before.Find(id); !h.WasReplaced(id) || was && h.Replaced != id && !k.hasPassed() {
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
