package control

import (
	"errors"
	"reflect"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestRaiseLevel: a level rises by a command that needs it, and never falls. In a log without a
// level, and at or below what changed the state last, it changes nothing.
func TestRaiseLevel(t *testing.T) {
	const next, knows = Level + 1, Level + 2
	s, _ := State{}.Apply(1, Batch(genesis()), knows)
	s.Level = Level
	raised := s
	raised.Level, raised.At = next, 5
	for name, test := range map[string]struct {
		before State
		at     paxos.Instance
		raise  uint64
		after  State
	}{
		"by one":        {s, 5, next, raised},
		"to the same":   {s, 5, Level, s},
		"down":          {raised, 6, Level, raised},
		"again":         {raised, 5, next + 1, raised},
		"without level": {State{}, 5, next, State{}},
	} {
		got, err := test.before.Apply(test.at, Batch(Raise{Level: test.raise}), knows)
		if err != nil || !reflect.DeepEqual(got, test.after) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if again, err := Decode(got.Encode(), knows); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%s: %+v is read as %+v, %v", name, got, again, err)
		}
	}
	if got, err := s.Apply(5, Batch(Raise{Level: next}), Level); !errors.Is(err, ErrUnknown) || !reflect.DeepEqual(got, s) {
		t.Errorf("who does not know the level: %+v, %v", got, err)
	}
	if _, err := Decode(raised.Encode(), Level); !errors.Is(err, ErrUnknown) {
		t.Errorf("the state of a level that is not known: %v", err)
	}
	if err := Known(Batch(Raise{Level: next}), Level); !errors.Is(err, ErrUnknown) {
		t.Errorf("a vote for a level that is not known: %v", err)
	}
}

// TestFounded: a log of level 0 is founded at whatever instance its Genesis is chosen.
func TestFounded(t *testing.T) {
	g := genesis()
	s, err := State{}.Apply(1_000_001, Batch(g), Level)
	if err != nil || s.Since != 1_000_001 || s.Log != g.Log || s.Level != g.Level || s.FirstInstance() != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
}

// TestLevelsAreSaid: for each level there is a line that says what it adds.
func TestLevelsAreSaid(t *testing.T) {
	for n := range Level {
		if Adds(n+1) == "" {
			t.Errorf("level %d", n+1)
		}
	}
	if Adds(0)+Adds(Level+1) != "" {
		t.Error("levels that there are not")
	}
}
