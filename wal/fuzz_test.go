package wal

import (
	"errors"
	"reflect"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// again checks one decoder on a value: what it refuses is damaged, and what it
// takes is the same when it is written and read once more.
func again[T any](t *testing.T, key, value []byte, decode func(key, value []byte) (T, error), encode func([]byte, T) []byte) {
	t.Helper()
	got, err := decode(key, value)
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			t.Fatalf("%T: %v", got, err)
		}
		return
	}
	back, err := decode(key, encode(nil, got))
	if err != nil || !reflect.DeepEqual(got, back) {
		t.Fatalf("%+v was written, and read as %+v, %v", got, back, err)
	}
}

// FuzzValues gives each decoder what a damaged table might hold in spite of its
// checksums.
func FuzzValues(f *testing.F) {
	b := paxos.Ballot{Round: 300, Proposer: "p1", Process: 9}
	value := paxos.Value{Origin: b, Time: -1, Batch: []byte("batch")}
	f.Add(appendVote(nil, paxos.Vote{Ballot: b, Value: value}))
	f.Add(appendApplied(nil, paxos.PutApplied{Record: paxos.LogRecord{First: 7, Count: 2, Time: 5, Log: []byte("xyz")}, Value: value}))
	f.Add(appendApplied(nil, paxos.PutApplied{Record: paxos.LogRecord{Log: []byte("batch")}, Value: value}))
	f.Add(appendSession(nil, paxos.SessionState{Last: 300, Used: 1 << 40, Closed: true}))
	f.Add(appendLearner(nil, paxos.LearnerState{Applied: 1, Next: 2, Time: 3, Floor: 4, Uses: 5}))
	f.Add(appendRuns(nil, []paxos.RunAt{{Count: 300, Index: 301, Instance: 302}, {Count: 1, Index: 601, Instance: 303}}))
	f.Add(appendChanges(nil, []sessionChange{{state: paxos.SessionState{ID: paxos.SessionID{1}, Last: 300}}, {dropped: true}}))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	numbered, named := numberKey(keyVote, 5), sessionKey(keySession, paxos.SessionID{1, 2})
	f.Fuzz(func(t *testing.T, v []byte) {
		again(t, numbered, v, decodeVote, appendVote)
		again(t, numbered, v, decodeApplied, appendApplied)
		again(t, named, v, decodeSession, appendSession)
		again(t, []byte{keyLearner}, v, decodeLearner, appendLearner)
		again(t, runKey(paxos.SessionID{1}, 7), v, decodeRuns, appendRuns)
		again(t, numberKey(keyChanges, 1), v, decodeChanges, appendChanges)
	})
}

// FuzzIdentity reads IDENTITY files. One that is taken names a node, can be judged
// against another, and is the same when it is written again.
func FuzzIdentity(f *testing.F) {
	f.Add([]byte(`{"format": 1, "cluster": "c", "role": "acceptor", "id": "a1", "incarnation": "7",
		"members": {"Cluster": "c", "Acceptors": ["a1", "a2", "a3"], "Phase1": 2, "Phase2": 2, "Sessions": 100}}`))
	f.Add([]byte(`{"format": 3, "incarnation": "1"}`))
	f.Add([]byte(`{"format": 1, "incarnation": "18446744073709551616"}`))
	f.Add([]byte(`{"format": 1, "incarnation": "9", "members": {"Acceptors": null}} {}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, text []byte) {
		fs := vfs.NewMem()
		if err := fs.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := writeFile(fs, fs.PathJoin(dir, identityFile), text); err != nil {
			t.Fatal(err)
		}
		id, err := ReadIdentity(fs, dir)
		if err != nil {
			if errors.Is(err, ErrUninitialised) || (!errors.Is(err, ErrDamaged) && id.Format == Format) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		want := identity(paxos.RoleAcceptor)
		same := id.Cluster == want.Cluster && id.Role == want.Role && id.ID == want.ID && reflect.DeepEqual(id.Members, want.Members)
		if err := id.check(dir, want); (err == nil) != same {
			t.Fatalf("%+v is the node that is wanted: %v, and judged: %v", id, same, err)
		}
		if err := writeIdentity(fs, dir, id); err != nil {
			t.Fatal(err)
		}
		if back, err := ReadIdentity(fs, dir); err != nil || !reflect.DeepEqual(back, id) {
			t.Fatalf("%+v was written, and read as %+v, %v", id, back, err)
		}
	})
}

func appendVote(b []byte, v paxos.Vote) []byte { return append(appendVoteHead(b, v), v.Value.Batch...) }

func appendApplied(b []byte, p paxos.PutApplied) []byte {
	b, runs := appendAppliedHead(b, p)
	return append(append(b, runs...), p.Value.Batch...)
}
