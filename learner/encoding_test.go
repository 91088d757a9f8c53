package learner

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// encodable is a learner that has applied something.
func encodable(t testing.TB) *Learner {
	r, err := NewReplay(Config{Membership: paxos.Membership{Cluster: "c", Acceptors: []paxos.NodeID{"a1"}, Phase1: 1, Phase2: 1, Sessions: 2}, Knows: control.Level}, nil)
	if err != nil {
		t.Fatal(err)
	}
	genesis := control.Genesis{Log: paxos.LogID{1}, Level: 1, Time: 1, Sessions: 2, Config: control.ConfigurationOf(r.shadow.cfg.Membership, func(paxos.NodeID) uint64 { return 7 })}
	batches := [][]byte{control.Batch(genesis)}
	for k := range byte(4) { // more than are remembered, so that the floor has risen
		id := paxos.NewSessionID(paxos.Instance(k+1), paxos.Stamp{}, [12]byte{k})
		batches = append(batches, paxos.Run{Kind: paxos.RunAppend, Session: id, First: 1, Count: 1, Entries: paxos.AppendEntry(nil, []byte("x"))}.AppendTo(nil))
	}
	batches = append(batches, paxos.Fence(paxos.NewSessionID(4, paxos.Stamp{}, [12]byte{3})), control.Batch(control.Mark{Learners: []paxos.NodeID{"l1"}}))
	for k, b := range batches {
		if _, known := r.Apply(paxos.Value{Time: paxos.UnixNanos(k + 1), Batch: b}); !known {
			t.Fatal("not known")
		}
	}
	return r.shadow
}

// TestStateEncoding: a learner that begins with an encoded state has that state, and what it
// applies then makes the same of it.
func TestStateEncoding(t *testing.T) {
	l := encodable(t)
	b := l.encodeState()
	st, err := decodeState(b, control.Level)
	if err != nil {
		t.Fatal(err)
	}
	if st.FirstIndex != l.state.Next || st.FirstInstance != l.state.Applied+1 || st.Floor == 0 || len(st.Sessions) != 2 {
		t.Fatalf("%+v", st)
	}
	r, err := NewReplay(l.cfg, b)
	if err != nil || !bytes.Equal(r.State(), b) {
		t.Fatalf("%v: %x, and it was %x", err, r.State(), b)
	}
	more := paxos.Value{Time: 100, Batch: paxos.Fence(paxos.NewSessionID(6, paxos.Stamp{}, [12]byte{9}))}
	r.Apply(more)
	l.applyValue(more)
	if !bytes.Equal(r.State(), l.encodeState()) {
		t.Fatal("the same value makes another state of it")
	}
}

// FuzzState: whatever is taken for a state has the one form that it is written in.
func FuzzState(f *testing.F) {
	f.Add(encodable(f).encodeState())
	cfg := Config{Membership: paxos.Membership{Cluster: "c", Acceptors: []paxos.NodeID{"a1"}, Phase1: 1, Phase2: 1, Sessions: 2}, Knows: control.Level}
	f.Fuzz(func(t *testing.T, b []byte) {
		st, err := decodeState(b, control.Level)
		if err != nil {
			if !reflect.DeepEqual(st, State{}) {
				t.Fatalf("%+v with %v", st, err)
			}
			return
		}
		ids := map[paxos.SessionID]bool{}
		for _, s := range st.Sessions {
			ids[s.ID] = true
		}
		if len(ids) != len(st.Sessions) {
			t.Fatal("a session is there twice")
		}
		r, err := NewReplay(cfg, b)
		if err == nil && r.Applied() > 0 && !bytes.Equal(r.State(), b) {
			t.Fatalf("%x is read as %+v", b, st)
		}
	})
}
