package wal

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// inspected initialises a directory in memory, writes records, folds what sessions
// did, lets spoil change the raw database, and inspects it.
func inspected(t *testing.T, role paxos.Role, records []paxos.Record, spoil func(*pebble.DB) error) (Summary, Verified, error) {
	t.Helper()
	fs := vfs.NewMem()
	id := NewIdentity(paxos.Membership{Cluster: "c", Acceptors: []paxos.NodeID{"n"}, Phase1: 1, Phase2: 1, Sessions: 9}, role, "n")
	if err := Init(fs, "d", id); err != nil {
		t.Fatal(err)
	}
	s, err := Open("d", id, Options{FS: fs, Fatal: func(err error) { t.Error(err) }, FoldEach: 1})
	if err != nil {
		t.Fatal(err)
	}
	mustCommit(t, s, records, true)
	mustCommit(t, s, []paxos.Record{paxos.SetPeer{ID: "x"}}, true) // folds
	if spoil != nil {
		if err := spoil(s.db); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Inspect(fs, "d"); err != nil {
		t.Fatal(err)
	}
	sum, err := s.Summary()
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Verify()
	return sum, v, errors.Join(err, s.Close())
}

var session = paxos.SessionID{7: 1}

// batchOf is a batch of one run of entries.
func batchOf(first uint64, entries ...string) []byte {
	r := paxos.Run{Kind: paxos.RunAppend, Session: session, First: first, Count: uint64(len(entries))}
	for _, e := range entries {
		r.Entries = paxos.AppendEntry(r.Entries, []byte(e))
	}
	return r.AppendTo(nil)
}

// learned are the records of a learner with three instances and three entries,
// the second instance being a no-op.
func learned() []paxos.Record {
	applied := func(i paxos.Instance, first paxos.Index, count uint64, batch []byte) paxos.Record {
		return paxos.PutApplied{
			Record: paxos.LogRecord{Instance: i, First: first, Count: count, Time: paxos.UnixNanos(i), Log: batch},
			Value:  paxos.Value{Time: paxos.UnixNanos(i), Batch: batch},
		}
	}
	return []paxos.Record{
		applied(1, 1, 2, batchOf(1, "a", "b")), applied(2, 3, 0, nil), applied(3, 3, 1, batchOf(3, "c")),
		paxos.PutSessions{States: []paxos.SessionState{{ID: session, Last: 3, Used: 2}}},
		paxos.SetLearner{State: paxos.LearnerState{Applied: 3, Next: 4, Time: 3, Uses: 2}},
	}
}

func TestVerifyLearner(t *testing.T) {
	sum, v, err := inspected(t, paxos.RoleLearner, learned(), nil)
	if err != nil || v.Instances != 3 || v.Entries != 3 || sum.Entries() != 3 || sum.Learner.Applied != 3 || sum.Sessions != 1 {
		t.Errorf("got %+v, %+v, %v", sum, v, err)
	}
	if sum, v, err := inspected(t, paxos.RoleLearner, nil, nil); err != nil || v != (Verified{}) || sum.Entries() != 0 {
		t.Errorf("empty: %+v %+v %v", sum, v, err)
	}
	set := func(key, value []byte) func(*pebble.DB) error {
		return func(db *pebble.DB) error { return db.Set(key, value, nil) }
	}
	drop := func(key []byte) func(*pebble.DB) error {
		return func(db *pebble.DB) error { return db.Delete(key, nil) }
	}
	for want, spoil := range map[string]func(*pebble.DB) error{
		"instance 2 is missing":                     drop(numberKey(keyChosen, 2)),
		"its records end at instance 2":             drop(numberKey(keyChosen, 3)),
		"index 3 is not found at instance 3":        drop(numberKey(keyIndex, 3)),
		"it has 3 indexes, and its records have 2":  set(numberKey(keyIndex, 9), numberKey(0, 9)[1:]),
		"in instance 1, are not found":              drop(runKey(session, 1)),
		"in instance 3, are not found":              set(runKey(session, 1), appendRuns(nil, []paxos.RunAt{{Count: 2, Index: 1, Instance: 1}})),
		"it has 3 runs, and its records have 2":     set(runKey(session, 9), appendRuns(nil, []paxos.RunAt{{Count: 1}})),
		"commands from 1 of session":                set(runKey(session, 1), appendRuns(nil, []paxos.RunAt{{Count: 2, Index: 5, Instance: 1}})),
		"has applied 2 commands, and its log has 3": set(sessionKey(keySession, session), appendSession(nil, paxos.SessionState{Last: 2})),
		"its records end at index 3":                set([]byte{keyLearner}, appendLearner(nil, paxos.LearnerState{Applied: 3, Next: 5, Time: 3})),
		"the time of its last record is 3":          set([]byte{keyLearner}, appendLearner(nil, paxos.LearnerState{Applied: 3, Next: 4, Time: 9})),
		"the log of instance 3":                     set(numberKey(keyChosen, 3), appendApplied(nil, paxos.PutApplied{Record: paxos.LogRecord{First: 3, Count: 1, Time: 3, Log: []byte("xx")}, Value: paxos.Value{Batch: []byte("yy")}})),
		"instance 3 has 1 entries, and counts 2":    set(numberKey(keyChosen, 3), appendApplied(nil, paxos.PutApplied{Record: paxos.LogRecord{First: 3, Count: 2, Time: 3, Log: batchOf(3, "c")}, Value: paxos.Value{Batch: batchOf(3, "c")}})),
		"instance 3 begins at index 4":              set(numberKey(keyChosen, 3), appendApplied(nil, paxos.PutApplied{Record: paxos.LogRecord{First: 4, Time: 3}})),
		"the record at key":                         set(numberKey(keyChosen, 3), []byte{1}),
	} {
		if _, _, err := inspected(t, paxos.RoleLearner, learned(), spoil); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func TestVerifyAcceptor(t *testing.T) {
	ballot := paxos.Ballot{Round: 2, Proposer: "p"}
	vote := func(i paxos.Instance, batch []byte) paxos.Record {
		return paxos.PutVote{Vote: paxos.Vote{Instance: i, Ballot: ballot, Value: paxos.Value{Batch: batch}}}
	}
	votes := func(change ...paxos.Record) []paxos.Record {
		return append([]paxos.Record{
			paxos.SetPromised{Ballot: ballot}, vote(1, batchOf(1, "a", "b")), vote(2, nil), vote(4, nil), paxos.SetHeld{Held: 2},
		}, change...)
	}
	sum, v, err := inspected(t, paxos.RoleAcceptor, votes(), nil)
	if err != nil || v.Instances != 3 || v.Entries != 2 || sum.Held != 2 || sum.Above != 1 || sum.Highest != 4 || sum.Promised != ballot {
		t.Errorf("got %+v, %+v, %v", sum, v, err)
	}
	for want, change := range map[string]paxos.Record{
		"instance 3 is missing":   paxos.SetHeld{Held: 4},
		"the value of instance 4": vote(4, []byte("garbage")),
		"instance 5 is missing":   paxos.SetHeld{Held: 6},
	} {
		records := votes(change)
		if want == "instance 5 is missing" {
			records = append(records, vote(3, nil))
		}
		if _, _, err := inspected(t, paxos.RoleAcceptor, records, nil); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

// TestVerifyHidden damages a table all of whose keys were written again later:
// nothing reads it but a compaction, and that would end the process.
func TestVerifyHidden(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleAcceptor)
	s := mustOpen(t, fs, paxos.RoleAcceptor)
	var first string // the table of the first promise
	for round := range uint64(2) {
		mustCommit(t, s, []paxos.Record{paxos.SetPromised{Ballot: paxos.Ballot{Round: round + 1, Proposer: "p"}}}, true)
		flush(t, s)
		if first == "" {
			tables := slices.DeleteFunc(files(t, fs, dir), func(f string) bool { return !strings.HasSuffix(f, ".sst") })
			first = slices.Max(tables)
		}
	}
	mustClose(t, s)
	verify := func() error {
		s, err := Inspect(fs, dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Verify()
		return errors.Join(err, s.Close())
	}
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	data := readFile(t, fs, first)
	data[0]++
	mustWriteFile(t, fs, first, data)
	if err := verify(); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "checksum mismatch") {
		t.Errorf("got %v", err)
	}
}
