package control

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
)

func genesis() Genesis {
	return Genesis{
		Log: paxos.LogID{1, 2, 3}, Level: Level, Time: 1_700_000_000_000_000_000, Sessions: 65536,
		Config: Configuration{Epoch: 1, Phase1: 2, Phase2: 2, Acceptors: paxos.ByPlace[Acceptor]{{ID: "a1", Incarnation: 11}, {ID: "a2"}, {ID: "a3", Incarnation: 1 << 63}}},
	}
}

// TestGenesis: what begins a log is read as it was written, and the state that follows from
// it, too.
func TestGenesis(t *testing.T) {
	g := genesis()
	batch := Batch(g)
	if !paxos.IsControl(batch) {
		t.Fatal("it is no control value")
	}
	if got, err := Parse(batch); err != nil || !reflect.DeepEqual(got, g) {
		t.Fatalf("%+v, %v", got, err)
	}
	s, err := State{}.Apply(7, batch, Level)
	want := State{Level: Level, Log: g.Log, Since: 7, Begun: g.Time, Sessions: g.Sessions, Config: g.Config, Members: configuration.Begin(g.Config), At: 7, FirstIndex: 1}
	if err != nil || !reflect.DeepEqual(s, want) {
		t.Fatalf("%+v, %v", s, err)
	}
	if got, err := Decode(s.Encode(), Level); err != nil || !reflect.DeepEqual(got, s) {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err := Decode("", Level); err != nil || !reflect.DeepEqual(got, State{}) || (State{}).Encode() != "" {
		t.Fatalf("the state of level 0: %+v, %v", got, err)
	}
}

// TestGenesisOnce: a log begins once; a second Genesis changes nothing, alike at everybody.
func TestGenesisOnce(t *testing.T) {
	first, _ := State{}.Apply(1, Batch(genesis()), Level)
	other := genesis()
	other.Log = paxos.LogID{9}
	second, err := first.Apply(2, Batch(other), Level)
	if err != nil || !reflect.DeepEqual(second, first) {
		t.Fatalf("%+v, %v", second, err)
	}
}

// TestUnknown: a command or a state that is not known is told from one that is, and changes
// nothing (R10).
func TestUnknown(t *testing.T) {
	higher := genesis()
	higher.Level = Level + 1
	batch := Batch(genesis())
	kind := append([]byte(nil), batch...)
	kind[2] = 200
	for name, test := range map[string]struct {
		batch []byte
		knows uint64
	}{
		"a kind of the future":        {kind, Level},
		"a level of the future":       {Batch(higher), Level},
		"a process of an older level": {batch, 0},
		"a byte more":                 {append(append([]byte(nil), batch...), 0), Level},
		"a byte less":                 {batch[:len(batch)-1], Level},
		"a long number":               {append([]byte{byte(paxos.RunControl), byte(len(batch)-2) | 0x80, 0}, batch[2:]...), Level},
		"nothing":                     {[]byte{byte(paxos.RunControl), 0}, Level},
		"no control value":            {paxos.Fence(paxos.SessionID{}), Level},
	} {
		s, err := State{}.Apply(1, test.batch, test.knows)
		if !errors.Is(err, ErrUnknown) || !reflect.DeepEqual(s, State{}) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		if err := Known(test.batch, test.knows); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: known, %v", name, err)
		}
	}
	s, _ := State{}.Apply(1, batch, Level)
	s.Level = Level + 1
	if _, err := Decode(s.Encode(), Level); !errors.Is(err, ErrUnknown) || !strings.Contains(fmt.Sprint(err), "use a newer version") {
		t.Errorf("the state of a level of the future: %v", err)
	}
}

// TestSessionsCarryNoControl: what a client may send is checked as a batch of commands of
// sessions. A control command is none, alone or behind others.
func TestSessionsCarryNoControl(t *testing.T) {
	batch := Batch(genesis())
	for name, b := range map[string][]byte{
		"alone":  batch,
		"behind": append(paxos.Fence(paxos.SessionID{1}), batch...),
	} {
		if err := paxos.CheckBatch(b, 1<<20); !errors.Is(err, paxos.ErrBatch) || !strings.Contains(err.Error(), "control command") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParse: whatever is taken for a command has the one form that it is written in.
func FuzzParse(f *testing.F) {
	f.Add(Batch(genesis()))
	f.Add([]byte{3, 1, 200})
	f.Add(Batch(Raise{Level: 300}))
	f.Fuzz(func(t *testing.T, batch []byte) {
		c, err := Parse(batch)
		if err != nil {
			if !errors.Is(err, ErrUnknown) {
				t.Fatal(err)
			}
			return
		}
		if again := Batch(c); string(again) != string(batch) {
			t.Fatalf("%x is read as %+v, which is written %x", batch, c, again)
		}
		s, err := State{}.Apply(1, batch, Level)
		if err != nil {
			return
		}
		if got, err := Decode(s.Encode(), Level); err != nil || got.Encode() != s.Encode() {
			t.Fatalf("%+v is read as %+v, %v", s, got, err)
		}
	})
}

// FuzzDecode: whatever is taken for a state has the one form that it is written in.
func FuzzDecode(f *testing.F) {
	s, _ := State{}.Apply(1, Batch(genesis()), Level)
	f.Add(string(s.Encode()))
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Decode(paxos.Encoded(text), Level)
		if err == nil && string(s.Encode()) != text {
			t.Fatalf("%q is read as %+v, which is written %q", text, s, s.Encode())
		}
	})
}
