package wal

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/paxlog/paxlog/paxos"
)

// TestDamagedRecord is hazard 17: a record in the middle that cannot be read is an
// error of everything that reads over it. It is neither passed over nor the end of
// what is there.
func TestDamagedRecord(t *testing.T) {
	votes := paxos.Load{Kind: paxos.LoadVotes, To: everything, MaxBytes: 1 << 30}
	log := paxos.Load{Kind: paxos.LoadLog, Index: 1, UpTo: everything, MaxBytes: 1 << 30}
	for name, c := range map[string]struct {
		role   paxos.Role
		prefix byte
		read   func(*Store) error
	}{
		"a vote of a page":            {paxos.RoleAcceptor, keyVote, func(s *Store) error { _, err := s.Load(votes); return err }},
		"a vote at the start":         {paxos.RoleAcceptor, keyVote, func(s *Store) error { _, err := s.Acceptor(); return err }},
		"the promise":                 {paxos.RoleAcceptor, keyPromised, func(s *Store) error { _, err := s.Acceptor(); return err }},
		"held":                        {paxos.RoleAcceptor, keyHeld, func(s *Store) error { _, err := s.Acceptor(); return err }},
		"a chosen value of a page":    {paxos.RoleLearner, keyChosen, func(s *Store) error { _, err := s.Load(votes); return err }},
		"a chosen value of a read":    {paxos.RoleLearner, keyChosen, func(s *Store) error { _, err := s.Load(log); return err }},
		"a session":                   {paxos.RoleLearner, keySession, func(s *Store) error { _, err := s.Learner(); return err }},
		"what a learner has applied":  {paxos.RoleLearner, keyLearner, func(s *Store) error { _, err := s.Learner(); return err }},
		"the incarnation of a peer":   {paxos.RoleLearner, keyPeer, func(s *Store) error { _, err := s.Learner(); return err }},
		"changes of sessions":         {paxos.RoleLearner, keyChanges, func(s *Store) error { return s.openRecent() }},
		"where commands of a session": {paxos.RoleLearner, keyRun, func(s *Store) error { return everyRun(s) }},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := filled(t, rand.New(rand.NewPCG(1, 0)), c.role, 30)
			if c.prefix == keyPeer {
				mustCommit(t, s, []paxos.Record{paxos.SetPeer{ID: "a1", Peer: paxos.Peer{Incarnation: 5}}}, false)
			}
			var keys, values [][]byte
			lo, hi := prefixRange(c.prefix)
			err := s.scan(lo, hi, func(k, v []byte) (bool, error) {
				keys, values = append(keys, append([]byte{}, k...)), append(values, append([]byte{}, v...))
				return true, nil
			})
			if err != nil || len(keys) == 0 {
				t.Fatalf("%d keys, %v", len(keys), err)
			}
			// Above held, where an acceptor starts, and not at the end.
			at := max(len(keys)-2, 0)
			for cut := range min(len(values[at]), 3) {
				if err := s.db.Set(keys[at], values[at][:cut], pebble.NoSync); err != nil {
					t.Fatal(err)
				}
				if err := c.read(s); !errors.Is(err, ErrDamaged) {
					t.Errorf("record %d of %d cut to %d bytes: %v", at, len(keys), cut, err)
				}
			}
		})
	}
}

// everyRun looks up all commands of every session.
func everyRun(s *Store) error {
	st, err := s.Learner()
	for _, session := range st.Sessions {
		if err == nil {
			_, err = s.Load(paxos.Load{Kind: paxos.LoadRuns, Session: session.ID, Seq: 1, UpToSeq: 1 << 62})
		}
	}
	return err
}
