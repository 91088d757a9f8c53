package paxos

import (
	"bytes"
	"errors"
	"testing"
)

// TestSessionForms: both forms of ids are read as they are written, by people and in batches; no
// bytes are an id of both.
func TestSessionForms(t *testing.T) {
	log, other := LogID{1, 2, 3}, LogID{9}
	bob := OwnerOf("bob")
	short := NewSessionID(7, Stamp{}, [12]byte{5})
	anybody := NewSessionID(7, NewStamp(log, Owner{}), [12]byte{5})
	owned := NewSessionID(7, NewStamp(log, bob), [12]byte{5})
	for i, test := range []struct {
		id    SessionID
		size  int
		owner Owner
		other bool // may be of another log
	}{
		{short, 20, Owner{}, true},
		{anybody, 32, Owner{}, false},
		{owned, 32, bob, false},
		{NewSessionID(7, NewStamp(log, bob), [12]byte{}), 32, bob, false},
		{SessionID{}, 20, Owner{}, true},
	} {
		id := test.id
		if got := len(id.AppendTo(nil)); got != test.size || id.Owner() != test.owner || !id.IsOf(log) || id.IsOf(other) != test.other || id.IsOwned() != (test.size == 32) {
			t.Errorf("%d: %v has %d bytes, owner %x", i, id, got, id.Owner())
		}
		for _, kind := range []RunKind{RunAppend, RunFence} {
			r := Run{Kind: kind, Session: id}
			if kind == RunAppend {
				r.First, r.Count, r.Entries = 3, 1, AppendEntry(nil, []byte("x"))
			}
			b := r.AppendTo(nil)
			got, rest, err := NextRun(b)
			if err != nil || len(rest) > 0 || got.Kind != kind || got.Session != id || !bytes.Equal(got.AppendTo(nil), b) {
				t.Errorf("%d: a run of kind %d is read as %+v, %v", i, kind, got, err)
			}
			if err := KnownRuns(b, RunsOwned); err != nil {
				t.Errorf("%d: %v", i, err)
			}
			if err := KnownRuns(b, RunsBefore); errors.Is(err, ErrUnknownRun) != (test.size == 32) {
				t.Errorf("%d: who knows no such ids: %v", i, err)
			}
		}
		if id == (SessionID{}) {
			continue
		}
		a := AppendID{id, 12}
		if got, err := ParseAppendID(a.String()); err != nil || got != a {
			t.Errorf("%v is read as %v, %v", a, got, err)
		}
	}
	padded := append(short.AppendTo(nil), make([]byte, 12)...)
	var id SessionID
	for _, b := range [][]byte{padded, padded[:19], padded[:21], append(owned.AppendTo(nil), 0), nil} {
		if err := id.UnmarshalBinary(b); err == nil {
			t.Errorf("%d bytes are an id", len(b))
		}
	}
	run := Run{Kind: RunFence, Session: owned}.AppendTo(nil)
	copy(run[21:33], make([]byte, 12))
	if _, _, err := NextRun(run); !errors.Is(err, ErrBatch) {
		t.Errorf("a short id in the long form: %v", err)
	}
	if OwnerOf("bob") == OwnerOf("Bob") || OwnerOf(Anonymous) != (Owner{}) || bob == (Owner{}) {
		t.Error("owners")
	}
	if born := owned.Birth(); born != 7 {
		t.Errorf("born at %d", born)
	}
}
