package sim

import (
	"slices"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim/model"
)

// Store is a simulated data directory: what was synced survives a crash, and of
// the rest a prefix of the commits that the seed decides.
type Store struct {
	role    paxos.Role
	visible *model.Contents
	durable *model.Contents
	tail    [][]paxos.Record // commits that are visible and not durable
	synced  int              // commits that are durable
	history [][]paxos.Record // an acceptor's durable commits, all of them
	disk    *disk            // the real store that does the same, or nil
}

func newStore(role paxos.Role) *Store {
	return &Store{role: role, visible: model.New(), durable: model.New()}
}

// Durable is what would survive a crash now.
func (s *Store) Durable() *model.Contents { return s.durable }

// Visible is what the process reads of its directory.
func (s *Store) Visible() *model.Contents { return s.visible }

func (s *Store) apply(records []paxos.Record) {
	s.visible.Apply(records)
	s.tail = append(s.tail, records)
}

func (s *Store) commits() int { return s.synced + len(s.tail) }

// sync makes the first n commits durable and tells became of each.
func (s *Store) sync(n int, became func(records []paxos.Record)) {
	k := max(n-s.synced, 0)
	for _, commit := range s.tail[:k] {
		s.durable.Apply(commit)
		if s.role == paxos.RoleAcceptor {
			s.history = append(s.history, commit)
		}
		became(commit)
	}
	if s.disk != nil && k > 0 {
		s.disk.commit(slices.Concat(s.tail[:k]...))
	}
	s.synced += k
	rest := copy(s.tail, s.tail[k:])
	clear(s.tail[rest:])
	s.tail = s.tail[:rest]
}

// crash loses part of what is not durable. It tells became of what became durable
// after all, and returns how many commits were lost.
func (s *Store) crash(rng *paxos.Rand, became func(records []paxos.Record)) (lost int) {
	n := int(rng.Uint64() % uint64(len(s.tail)+1))
	if s.disk != nil && s.disk.torn && s.disk.store != nil && s.disk.failing == "" {
		n = s.disk.tear(s, rng)
	}
	lost = len(s.tail) - n
	s.sync(s.synced+n, became)
	s.tail = nil
	if s.disk != nil {
		s.disk.crash()
	}
	s.visible = s.durable.Clone()
	return lost
}

// Acceptor is what an acceptor recovers.
func (s *Store) Acceptor() acceptor.State {
	c := s.visible
	if s.disk != nil {
		return s.disk.acceptor(c.AcceptorState())
	}
	return c.AcceptorState()
}

// Learner is what a learner recovers.
func (s *Store) Learner() learner.State {
	if s.disk != nil {
		return s.disk.learner(s.visible.LearnerState())
	}
	return s.visible.LearnerState()
}

// load answers a load, by a plain walk over what it may return.
func (s *Store) load(l paxos.Load) *paxos.Loaded {
	out := s.visible.Load(s.role, l)
	if s.disk != nil {
		s.disk.load(s, l, out)
	}
	return out
}
