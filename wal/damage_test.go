package wal

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// TestDamagedRecord is hazard 17: a record in the middle that cannot be read is an
// error of everything that reads over it. It is neither passed over nor the end of
// what is there.
func TestDamagedRecord(t *testing.T) {
	votes := paxos.Load{Kind: paxos.LoadVotes, To: everything, MaxBytes: 1 << 30}
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
		"a chosen value of a read":    {paxos.RoleLearner, keyChosen, everyEntry},
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

// everyEntry reads the log from its first index on.
func everyEntry(s *Store) error {
	st, err := s.Learner()
	if err != nil {
		return err
	}
	_, err = s.Load(paxos.Load{Kind: paxos.LoadLog, Index: st.FirstIndex, UpTo: everything, MaxBytes: 1 << 30})
	return err
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

// TestWhatVanishes is what the package doc says of a damaged log: commits that were
// synced vanish without an error, the last one wherever it is damaged, however long it
// is, and earlier ones with all that follow. What is left is always what some first
// commits made.
func TestWhatVanishes(t *testing.T) {
	const commits = 3
	mem := vfs.NewCrashableMem()
	initDir(t, mem, paxos.RoleAcceptor)
	s := mustOpen(t, mem, paxos.RoleAcceptor)
	b := paxos.Ballot{Round: 1, Proposer: "p1", Process: 1}
	ends := []int{0}
	for i := range paxos.Instance(commits) {
		v := paxos.Value{Origin: b, Batch: bytes.Repeat([]byte{byte(i + 1)}, 100<<10)} // four blocks of the log
		mustCommit(t, s, []paxos.Record{paxos.SetPromised{Ballot: b}, paxos.PutVote{Vote: paxos.Vote{Instance: i + 1, Ballot: b, Value: v}}}, true)
		ends = append(ends, len(readFile(t, mem, newestLog(t, mem))))
	}
	log := newestLog(t, mem)
	base := mem.CrashClone(vfs.CrashCloneCfg{})
	mustClose(t, s)
	data := readFile(t, base, log)
	// left opens the directory with a bit of the log flipped, and counts what is there.
	left := func(at int) (commits int, told bool) {
		fs := base.CrashClone(vfs.CrashCloneCfg{})
		spoiled := bytes.Clone(data)
		spoiled[at] ^= 1
		mustWriteFile(t, fs, log, spoiled)
		s, err := Open(dir, identity(paxos.RoleAcceptor), Options{FS: fs, Fatal: neverFatal})
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("byte %d: %v", at, err)
			}
			return 0, true
		}
		defer mustClose(t, s)
		st, err := s.Acceptor()
		if err != nil {
			t.Errorf("byte %d: %v", at, err)
		}
		for i := range paxos.Instance(len(st.Votes)) {
			if st.Votes[i+1] != b {
				t.Errorf("byte %d: instance %d of %d is missing", at, i+1, len(st.Votes))
			}
		}
		return len(st.Votes), false
	}
	silent := 0
	for k := range commits {
		for _, at := range []int{ends[k] + 100, (ends[k] + ends[k+1]) / 2, ends[k+1] - 100} {
			n, told := left(at)
			if !told && n != k {
				t.Errorf("byte %d, of commit %d: %d commits are left", at, k+1, n)
			}
			if k == commits-1 && told {
				t.Errorf("byte %d, of the last commit, was found out: the package doc says otherwise", at)
			}
			if k < commits-1 && !told {
				silent++
			}
		}
	}
	if _, told := left(100); !told {
		t.Error("damage in the first block of the log was not found out")
	}
	// A chunk says how far the log was synced before it, but Pebble 2.1.7 leaves out of
	// that count every block that was filled.
	if silent == 0 {
		t.Error("all damage before the last commit was found out: the package doc says otherwise")
	}
}

// newestLog is the path of the log that is written to.
func newestLog(t *testing.T, fs vfs.FS) string {
	t.Helper()
	return slices.Max(named(t, fs, ".log"))
}
