package control

import (
	"errors"
	"reflect"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

func restored(t *testing.T, s State, last paxos.Instance, log byte) State {
	t.Helper()
	d, since := s.Descend(last, 5)
	if since == 0 {
		t.Fatal("there is room")
	}
	g := genesis()
	g.Log, g.Level = paxos.LogID{log}, ancestorsLevel
	d.Upto = since + 9
	g.Descent = d
	if got, err := Parse(Batch(g)); err != nil || !reflect.DeepEqual(got, g) {
		t.Fatalf("%+v, %v", got, err)
	}
	next, err := State{}.Apply(since, Batch(g), Level)
	if err != nil || next.FirstIndex != 5 || !reflect.DeepEqual(next.Descent, d) {
		t.Fatalf("%+v, %v", next, err)
	}
	if got, err := Decode(next.Encode(), Level); err != nil || !reflect.DeepEqual(got, next) {
		t.Fatalf("%+v, %v", got, err)
	}
	return next
}

// TestAncestors: where a session was born says of which log it is, over several restores, also
// if the oldest log had no id.
func TestAncestors(t *testing.T) {
	var s State
	lasts := []paxos.Instance{100, Generation + 70, 2*Generation + 5, 3*Generation - 1 + Generation}
	for k, last := range lasts {
		s = restored(t, s, last, byte(k+1))
	}
	if s.Since != 4*Generation {
		t.Fatalf("it begins at %d", s.Since)
	}
	for birth, want := range map[paxos.Instance]paxos.LogID{
		0: {}, 100: {}, 5000: {}, Generation - 1: {}, Generation: {1}, Generation + 1e9: {1}, 2 * Generation: {2}, 3 * Generation: {3}, 4*Generation - 1: {3},
	} {
		if got, is := s.AncestorOf(birth); !is || got != want {
			t.Errorf("born at %d: %v, %v, want %v", birth, got, is, want)
		}
	}
	if _, is := s.AncestorOf(s.Since); is {
		t.Error("the log's own sessions are taken for an ancestor's")
	}
	if _, is := new(State).AncestorOf(0); is {
		t.Error("a log that was not restored has an ancestor")
	}
}

// TestManyAncestors: of more ancestors than are listed the newest stay; whose the others were is
// not known, but that they were others'. At the end of all instances there is no further one.
func TestManyAncestors(t *testing.T) {
	s := State{}
	n := 0
	for ; ; n++ {
		last := s.Since + 50
		if _, since := s.Descend(last, 1); since == 0 {
			break
		}
		s = restored(t, s, last, byte(n%200+1))
	}
	if n < 500 || len(s.Descent.Ancestors) != maxAncestors {
		t.Fatalf("%d generations, %d ancestors", n, len(s.Descent.Ancestors))
	}
	if log, is := s.AncestorOf(7); !is || !log.IsZero() {
		t.Errorf("%v, %v", log, is)
	}
}

// TestDescentForms: ancestors that contradict each other or the log are no state, and a log of
// level 1 has none.
func TestDescentForms(t *testing.T) {
	good := restored(t, State{}, 100, 1)
	for name, change := range map[string]func(*State){
		"an ancestor above the log":   func(s *State) { s.Descent.Ancestors[0].Last = s.Since },
		"two of one generation":       func(s *State) { s.Descent.Ancestors = []Ancestor{{Last: 1}, {Last: 2}} },
		"an end below the ancestor's": func(s *State) { s.Descent.Upto = 50 },
		"no first index":              func(s *State) { s.Descent.First = 0 },
	} {
		s := good
		s.Descent.Ancestors = append([]Ancestor{}, good.Descent.Ancestors...)
		change(&s)
		if _, err := Decode(s.Encode(), Level); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	old := good
	old.Level = ancestorsLevel - 1
	if got, err := Decode(old.Encode(), Level); err != nil || len(got.Descent.Ancestors) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
