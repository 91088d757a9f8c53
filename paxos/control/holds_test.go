package control

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

func hold(name string, at paxos.Index) SetHold {
	h := paxos.Hold{Name: name, At: at}
	if at > 0 {
		h.Time = paxos.UnixNanos(at)
	}
	return SetHold{h}
}

// TestHolds: the first index is never raised above the lowest hold; one that is moved or released
// keeps back from then on what it says then; one of what was trimmed already changes nothing.
func TestHolds(t *testing.T) {
	for name, test := range map[string]struct {
		commands []Command
		first    paxos.Index
		base     int // which checkpoint, from 1; 0: none
		holds    string
	}{
		"a trim to it":           {[]Command{hold("a", 15), Trim{15}}, 15, 1, "a 15"},
		"a trim beyond it":       {[]Command{hold("a", 15), Trim{25}}, 15, 1, "a 15"},
		"a trim below it":        {[]Command{hold("a", 15), Trim{12}}, 12, 1, "a 15"},
		"at a checkpoint":        {[]Command{hold("a", 11), Trim{25}}, 11, 1, "a 11"},
		"all of the log":         {[]Command{hold("a", 1), Trim{25}}, 1, 0, "a 1"},
		"the lowest one":         {[]Command{hold("b", 14), hold("a", 25), hold("c", 18), Trim{30}}, 14, 1, "a 25, b 14, c 18"},
		"moved on":               {[]Command{hold("a", 5), hold("a", 22), Trim{30}}, 22, 2, "a 22"},
		"moved back":             {[]Command{hold("a", 22), hold("a", 5), Trim{30}}, 5, 0, "a 5"},
		"released":               {[]Command{hold("a", 5), hold("a", 0), Trim{30}}, 30, 2, ""},
		"released, one of two":   {[]Command{hold("a", 5), hold("b", 9), hold("a", 0), Trim{30}}, 9, 0, "b 9"},
		"released, and no hold":  {[]Command{hold("b", 9), hold("a", 0), Trim{30}}, 9, 0, "b 9"},
		"beyond the end":         {[]Command{hold("a", 1000), Trim{30}}, 30, 2, "a 1000"},
		"of what was trimmed":    {[]Command{Trim{15}, hold("a", 14), Trim{22}}, 22, 2, ""},
		"moved to what was":      {[]Command{hold("a", 16), Trim{25}, hold("a", 15), Trim{25}}, 16, 1, "a 16"},
		"at the first":           {[]Command{Trim{15}, hold("a", 15), Trim{22}}, 15, 1, "a 15"},
		"then on, where it left": {[]Command{hold("a", 15), Trim{30}, hold("a", 0), Trim{30}}, 30, 2, ""},
	} {
		s := made(t, 3, Retention{}, test.commands...) // at indexes 11, 21 and 31
		var holds []string
		for _, h := range s.Holds {
			if h.Time != paxos.UnixNanos(h.At) {
				t.Errorf("%s: hold %s has another time", name, h.Name)
			}
			holds = append(holds, fmt.Sprintf("%s %d", h.Name, h.At))
		}
		base := 0
		for k, c := range made(t, 3, Retention{}).Complete {
			if c.T == s.Base.T {
				base = k + 1
			}
		}
		if got := strings.Join(holds, ", "); got != test.holds || s.FirstIndex != test.first || base != test.base {
			t.Errorf("%s: holds %q, first index %d, base %d", name, got, s.FirstIndex, base)
		}
	}
}

// TestBeyondHolds: nothing is to be trimmed for retention where a hold keeps it back, and what it has
// kept back is, once it is released.
func TestBeyondHolds(t *testing.T) {
	keep := Retention{Entries: 20}
	for name, test := range map[string]struct {
		more  []Command
		trims paxos.Index
	}{
		"no hold":                   {nil, 61},
		"a hold between":            {[]Command{hold("a", 35)}, 35},
		"a hold at a checkpoint":    {[]Command{hold("a", 31)}, 31},
		"a hold of all":             {[]Command{hold("a", 1)}, 0},
		"trimmed up to the hold":    {[]Command{hold("a", 35), Trim{61}}, 0},
		"and then it was released":  {[]Command{hold("a", 35), Trim{61}, hold("a", 0)}, 61},
		"a hold further than wants": {[]Command{hold("a", 70)}, 61},
	} {
		if got := made(t, 8, keep, test.more...).Beyond(0); got != test.trims {
			t.Errorf("%s: %d, want %d", name, got, test.trims)
		}
	}
}

// TestHoldsAreBounded: a log has as many as it has room for, and these can be moved and released.
func TestHoldsAreBounded(t *testing.T) {
	var commands []Command
	for i := range MaxHolds {
		commands = append(commands, hold(fmt.Sprintf("h%03d", i), paxos.Index(i+1)))
	}
	s := script(t, commands...)
	if len(s.Holds) != MaxHolds {
		t.Fatalf("%d", len(s.Holds))
	}
	for _, step := range []struct {
		name string
		set  SetHold
		many int
		has  bool
	}{
		{"one too many", hold("more", 7), MaxHolds, false},
		{"one is moved", hold("h007", 9), MaxHolds, true},
		{"one is released", hold("h003", 0), MaxHolds - 1, false},
		{"there is room again", hold("more", 7), MaxHolds, true},
	} {
		var err error
		s, err = s.Apply(s.At+1, Batch(step.set), Level)
		if err != nil || len(s.Holds) != step.many || s.Holds.Has(step.set.Name) != step.has {
			t.Errorf("%s: %d holds, %v", step.name, len(s.Holds), err)
		}
	}
}

// TestHoldForms: what is no hold is not known to anybody.
func TestHoldForms(t *testing.T) {
	for name, h := range map[string]paxos.Hold{
		"no name":              {At: 1},
		"a blank":              {Name: "a b", At: 1},
		"a long name":          {Name: strings.Repeat("x", 65), At: 1},
		"an index of no log":   {Name: "a", At: paxos.Bound},
		"a release has a time": {Name: "a", Time: 1},
	} {
		if _, err := Parse(Batch(SetHold{h})); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := script(t, hold("a", 5), hold("b", 9))
	for name, change := range map[string]func(*State){
		"in another order":  func(s *State) { s.Holds = Holds{s.Holds[1], s.Holds[0]} },
		"a name twice":      func(s *State) { s.Holds = Holds{s.Holds[0], s.Holds[0]} },
		"of what is gone":   func(s *State) { s.Holds = Holds{{Name: "a", At: 0}} },
		"below the first":   func(s *State) { s.FirstIndex = 6 },
		"a name with blank": func(s *State) { s.Holds = Holds{{Name: "a b", At: 7}} },
	} {
		bad := s
		change(&bad)
		if _, err := Decode(bad.Encode(), Level); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHoldsNeedTheirLevel: a log of a lower level has no holds, whoever proposes one, and its state has
// the bytes that it had; a process of a lower level stops before it (R10).
func TestHoldsNeedTheirLevel(t *testing.T) {
	g := genesis()
	g.Level = LevelHolds - 1
	low, err := State{}.Apply(1, Batch(g), Level)
	if err != nil {
		t.Fatal(err)
	}
	c := hold("a", 1)
	if s, err := low.Apply(2, Batch(c), Level); err != nil || !reflect.DeepEqual(s, low) || s.Encode() != low.Encode() {
		t.Errorf("%+v, %v", s, err)
	}
	if err := Known(Batch(c), LevelHolds-1); !errors.Is(err, ErrUnknown) {
		t.Errorf("an older process: %v", err)
	}
	if _, err := Decode(low.Encode(), LevelHolds-1); err != nil {
		t.Errorf("an older process, and a log of its level: %v", err)
	}
	raised, err := low.Apply(2, Batch(Raise{LevelHolds}), Level)
	if err != nil || len(raised.Holds) != 0 || len(raised.Encode()) != len(low.Encode())+1 {
		t.Errorf("a log that is raised: %+v, %v", raised, err)
	}
	if s, err := raised.Apply(3, Batch(c), Level); err != nil || !s.Holds.Has("a") {
		t.Errorf("%+v, %v", s, err)
	}
}
