package core

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

func (m *Machine) isLearner(id paxos.NodeID) bool { return slices.Contains(m.cfg.Learners, id) }

// chooseLearner keeps to the learner in use as long as it is connected, and takes the
// next connected one otherwise. renewed is a learner that connected just now: what was
// attached over its earlier connection is not any more.
func (m *Machine) chooseLearner(renewed paxos.NodeID) {
	chosen := m.nextLearner()
	if chosen == m.inUse && (chosen == "" || chosen != renewed) {
		return
	}
	m.inUse = chosen
	m.attachment++
	if chosen == "" {
		return
	}
	for _, s := range m.busy {
		s.attach()
	}
}

// nextLearner is the first connected one from the place of the learner in use on: one that
// is drained only if there is no other.
func (m *Machine) nextLearner() paxos.NodeID {
	for _, drained := range []bool{false, true} {
		for i := range m.cfg.Learners {
			k := (m.learner + i) % len(m.cfg.Learners)
			if id := m.cfg.Learners[k]; m.up[id] && m.drained[id] == drained {
				m.learner = k
				return id
			}
		}
	}
	return ""
}

// onElsewhere: a learner is about to be stopped, or not any more. What waits at it goes on
// at another one, if there is one, before that happens.
func (m *Machine) onElsewhere(from paxos.NodeID, msg *paxos.Elsewhere) {
	if !m.isLearner(from) {
		return
	}
	if m.drained[from] = msg.Drained; msg.Drained {
		m.goOnElsewhere(from)
	}
}

// goOnElsewhere goes on at another learner than from, if that is in use and there is another one.
func (m *Machine) goOnElsewhere(from paxos.NodeID) {
	if from == "" || from != m.inUse || m.nextLearner() == from {
		return
	}
	for _, s := range m.busy {
		s.detach()
	}
	m.chooseLearner("")
	if m.vital.question.to == from {
		m.vital.question = question{}
	}
	if b := &m.birth; b.question.to == from {
		b.question = question{}
		m.askForBirth()
	}
	for i := len(m.calls) - 1; i >= 0; i-- { // from the end: one that is done leaves its place to the last
		if k := m.calls[i]; k.question.nonce != 0 && k.question.to == from {
			m.lost(k)
		}
	}
}

// leave leaves a learner that does not do what is asked of it, if it is in use and
// there is another one.
func (m *Machine) leave(id paxos.NodeID) {
	if id == "" || m.inUse != id || len(m.cfg.Learners) == 1 {
		return
	}
	m.learner = (m.learner + 1) % len(m.cfg.Learners)
	m.chooseLearner("")
}

// tryOthers leaves the learner in use, and the proposer if it is not known to lead:
// they are connected, and may hang or be cut off from the rest. All who wait find that
// out at about the same time, and it is done once for all of them.
func (m *Machine) tryOthers() {
	if m.triedAt != 0 && m.now-m.triedAt < resendMin/2 {
		return
	}
	m.triedAt = m.now
	m.target++
	m.leave(m.inUse)
}

// attach asks the learner in use for the results of s, those that were missed
// included.
func (s *Session) attach() {
	if s.m.inUse == "" || !s.born {
		return
	}
	s.attached = s.m.attachment
	s.m.Send(s.m.inUse, &paxos.Attach{Session: s.id, From: s.base})
}

// detach ends what attach began, if it lasts.
func (s *Session) detach() {
	if s.born && s.attached == s.m.attachment && s.m.inUse != "" {
		s.m.Send(s.m.inUse, &paxos.Detach{Session: s.id})
	}
	s.attached = 0
}

// onDetached: the learner tells no more results of a session. An idle one is attached
// again with its next entry; one that waits is after a moment, since two connections
// that take a session from each other must not do so in a loop.
func (m *Machine) onDetached(from paxos.NodeID, msg *paxos.Detached) {
	s := m.sessions[msg.Session]
	if s == nil || from != m.inUse {
		return
	}
	s.attached = 0
	if len(s.entries) > 0 {
		s.attachLater()
	}
}

// onUntold: the learner may not tell results of s. Whether its entries are appended the leader
// decides, which refuses them, too, if it knows as much: only then is it certain.
func (s *Session) onUntold(why string) {
	s.attached, s.why = 0, why
	if len(s.entries) > 0 {
		s.attachLater()
	}
}

// attachLater asks for results after a moment, if they have not come by then.
func (s *Session) attachLater() {
	if s.attachAt == 0 {
		s.attachAt = s.m.now + attachWait
		s.m.at(s.attachAt)
	}
}

// birth is how sessions begin: at an instance that a learner has applied.
type birth struct {
	waiting  []*Session
	question question
	at       paxos.Instance // what a learner has applied
	heardAt  paxos.Ticks    // when it said so, 0 if never
	maxBatch int            // of one Append, as the learner says; 0 if it has not
	stamp    paxos.Stamp    // of sessions made there
}

// heard notes that a learner has applied an instance. It is good for further births
// once the cluster's limits are known.
func (b *birth) heard(now paxos.Ticks, i paxos.Instance) {
	if i >= b.at && b.heardAt != 0 {
		b.at, b.heardAt = i, now
	}
}

// askForBirth asks the learner in use what it has applied, if sessions wait for that
// and nobody was asked.
func (m *Machine) askForBirth() {
	b := &m.birth
	if len(b.waiting) == 0 || m.inUse == "" || b.question.nonce != 0 {
		return
	}
	m.nonce++
	b.question = question{nonce: m.nonce, to: m.inUse, until: m.now + birthWait}
	m.at(b.question.until)
	m.Send(m.inUse, &paxos.Attach{Nonce: m.nonce})
}

// tickBirth asks another learner when one that is connected does not answer.
func (m *Machine) tickBirth() {
	b := &m.birth
	if b.question.nonce == 0 {
		return
	}
	if m.now < b.question.until {
		m.at(b.question.until)
		return
	}
	b.question = question{}
	m.tryOthers()
	m.askForBirth()
}

func (m *Machine) onAttached(msg *paxos.Attached) {
	b := &m.birth
	if b.question.nonce == 0 || msg.Nonce != b.question.nonce {
		return
	}
	b.question = question{}
	b.at, b.heardAt, b.maxBatch, b.stamp = msg.Applied, max(m.now, 1), msg.MaxBatch, msg.Stamp
	waiting := b.waiting
	b.waiting = nil
	for _, s := range waiting {
		s.begin()
	}
}

// begin gives a session its id.
func (s *Session) begin() {
	m := s.m
	s.id, s.born = paxos.NewSessionID(m.birth.at, m.birth.stamp, s.random), true
	if m.birth.maxBatch > 0 {
		s.chunk = min(chunkBytes, m.birth.maxBatch)
	}
	m.sessions[s.id] = s
	s.act()
}

// open begins a session now, if what a learner has applied was heard a moment ago, or
// when it is heard.
func (m *Machine) open(s *Session) {
	if b := &m.birth; b.heardAt != 0 && m.now-b.heardAt < birthFresh && m.inUse != "" {
		s.begin()
		return
	}
	m.birth.waiting = append(m.birth.waiting, s)
	m.askForBirth()
}
