package core

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// leadership is what the client believes of who leads.
//
// What proposers say of it is what they have heard. On either side of a cut they
// differ, for as long as it lasts, and a ballot that one of them heard of may be of a
// candidate that never led, above that of the leader. So what each says is kept, and
// the highest ballot is believed until its own proposer denies it.
//
// Example: p3 leads at 6.p3. p1, behind a cut, has heard of the candidate 7.p2, and
// says so. The client asks p2, which refuses: it does not lead. The client stops
// believing 7.p2, whoever says it again, and asks p3.
type leadership struct {
	said     map[paxos.NodeID]paxos.Ballot // by what each connected proposer says
	denied   map[paxos.NodeID]paxos.Ballot // the highest that others said and its own proposer denied
	leader   paxos.Ballot                  // the highest that is believed, zero if none
	followed paxos.Ballot                  // the last one that was not zero
	target   int                           // place of the proposer that is tried when the leader is not known or not connected
}

func newLeadership() leadership {
	return leadership{said: map[paxos.NodeID]paxos.Ballot{}, denied: map[paxos.NodeID]paxos.Ballot{}}
}

// onLeader notes what a proposer says.
func (m *Machine) onLeader(from paxos.NodeID, b paxos.Ballot) {
	if from == b.Proposer {
		delete(m.denied, from)
	} else if !m.denied[b.Proposer].Less(b) {
		b = paxos.Ballot{} // its own proposer has denied it
	}
	if b.IsZero() {
		delete(m.said, from)
	} else {
		m.said[from] = b
	}
	m.follow()
}

// onNoLeader: a proposer has refused, since it neither leads nor can pass on, or has
// passed on a refusal. What others said of it is no longer believed; what it said of
// itself it takes back itself. Another one is asked next, if no leader is known.
func (m *Machine) onNoLeader(from paxos.NodeID) {
	for by, b := range m.said {
		if b.Proposer == from && by != from {
			delete(m.said, by)
			if m.denied[from].Less(b) {
				m.denied[from] = b
			}
		}
	}
	if m.anyProposer() == from { // else others were refused with this one, and it is past
		m.target = 1 + slices.Index(m.cfg.Proposers, from)
	}
	m.follow()
}

// follow believes the highest ballot that somebody knows of. What went to an earlier
// leader is sent again.
func (m *Machine) follow() {
	m.leader = paxos.Ballot{}
	for _, b := range m.said {
		if m.leader.Less(b) {
			m.leader = b
		}
	}
	if m.leader.IsZero() || m.leader == m.followed {
		return
	}
	first := m.followed.IsZero()
	m.followed = m.leader
	for _, s := range m.busy {
		// What went to this very proposer before it was known to lead has reached the
		// leader, or is refused. A session that was refused need not wait any longer.
		if !first || s.holdUntil > m.now || !s.sentOnlyTo(m.leader.Proposer) {
			s.resend()
		}
		s.act()
	}
}

// proposer is where appends go now: to the leader if it is connected, else to any
// connected proposer, which passes them on.
func (m *Machine) proposer() paxos.NodeID {
	if m.up[m.leader.Proposer] {
		return m.leader.Proposer
	}
	return m.anyProposer()
}

func (m *Machine) anyProposer() paxos.NodeID {
	for i := range m.cfg.Proposers {
		if id := m.cfg.Proposers[(m.target+i)%len(m.cfg.Proposers)]; m.up[id] {
			return id
		}
	}
	return ""
}
