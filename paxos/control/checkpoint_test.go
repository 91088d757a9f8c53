package control

import (
	"crypto/sha256"
	"reflect"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// script applies commands at instances 2, 3, ... of a log that began at 1.
func script(t *testing.T, commands ...Command) State {
	t.Helper()
	s, _ := State{}.Apply(1, Batch(genesis()), Level)
	for k, c := range commands {
		var err error
		if s, err = s.Apply(paxos.Instance(k+2), Batch(c), Level); err != nil {
			t.Fatal(err)
		}
		if got, err := Decode(s.Encode(), Level); err != nil || !reflect.DeepEqual(got, s) {
			t.Fatalf("after command %d: %+v, %v; it was %+v", k, got, err, s)
		}
	}
	return s
}

var (
	two    = Mark{Learners: []paxos.NodeID{"l1", "l2"}}
	closes = Close{T: 2, Size: 6, Sum: sha256.Sum256([]byte("abcdef")), Next: 4, Time: 5, By: "l1"}
)

// TestCheckpointTakesTwo: the word of one learner makes no checkpoint complete, however often
// it says it, unless there is no other learner.
func TestCheckpointTakesTwo(t *testing.T) {
	confirm := func(by paxos.NodeID) Confirm { return Confirm{T: 2, Sum: closes.Sum, By: by} }
	parts := []Command{Chunk{2, 0, "abc"}, Chunk{2, 3, "def"}, closes}
	for name, test := range map[string]struct {
		mark     Mark
		commands []Command
		complete bool
	}{
		"closed":                  {two, parts, false},
		"confirmed by who closed": {two, append(parts[:3:3], confirm("l1"), confirm("l1")), false},
		"confirmed":               {two, append(parts[:3:3], confirm("l2")), true},
		"confirmed by a stranger": {two, append(parts[:3:3], confirm("l3")), false},
		"another sum":             {two, append(parts[:3:3], Confirm{T: 2, By: "l2"}), false},
		"another mark":            {two, append(parts[:3:3], two, confirm("l2")), false},
		"confirmed too early":     {two, []Command{parts[0], confirm("l2"), parts[1], closes}, false},
		"one learner":             {Mark{Learners: []paxos.NodeID{"l1"}}, append(parts[:3:3], confirm("l1")), true},
	} {
		s := script(t, append([]Command{test.mark}, test.commands...)...)
		if got := s.Newest(); (got.T != 0) != test.complete {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestChunks: parts count where the ones before them end, whoever sends them, and what they
// come to is found again in the values of the log.
func TestChunks(t *testing.T) {
	commands := []Command{
		two, Chunk{2, 3, "def"}, Chunk{2, 0, "abc"}, Chunk{2, 0, "ab"}, Chunk{1, 3, "de"}, Chunk{2, 3, "def"}, Chunk{2, 3, "def"},
		Close{T: 2, Size: 3, Next: 1, By: "l2"}, closes, Chunk{2, 6, "g"}, Confirm{T: 2, Sum: closes.Sum, By: "l2"},
	}
	s := script(t, commands...)
	want := Checkpoint{T: 2, From: 4, To: 10, Size: 6, Sum: closes.Sum, Next: 4, Time: 5}
	if s.Newest() != want || s.Under.T != 0 || s.At != 12 {
		t.Fatalf("%+v", s)
	}
	chunks := NewChunks(s.Newest())
	for i, missing := chunks.Next(); missing; i, missing = chunks.Next() {
		chunks.Add(Batch(commands[i-2]))
	}
	if b, ok := chunks.Bytes(); !ok || string(b) != "abcdef" {
		t.Fatalf("%q, %v", b, ok)
	}
}

// TestAgain: whoever has a state and goes through the commands that led to it keeps it.
func TestAgain(t *testing.T) {
	commands := []Command{two, Chunk{2, 0, "abcdef"}, closes, Confirm{T: 2, Sum: closes.Sum, By: "l2"}, two}
	s := script(t, commands...)
	for k, c := range append([]Command{genesis()}, commands...) {
		again, err := s.Apply(paxos.Instance(k+1), Batch(c), Level)
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("command %d again: %+v, %v", k, again, err)
		}
	}
}

// TestManyCheckpoints: some of many are forgotten, never the newest, and those that are kept
// lie far apart.
func TestManyCheckpoints(t *testing.T) {
	var s State
	for i := paxos.Instance(1); i <= 1000; i++ {
		s = s.complete(Checkpoint{T: 10 * i})
		if n := len(s.Complete); n > maxComplete || s.Newest().T != 10*i || i > maxComplete && n < maxComplete/2 {
			t.Fatalf("%d: %d of them, the newest %d", i, n, s.Newest().T)
		}
	}
}

// TestTrim: the first index is what was asked for, never above the newest complete checkpoint,
// and never lower than before; the log is deleted up to a complete checkpoint only (R9).
func TestTrim(t *testing.T) {
	whole := func(at paxos.Instance, next paxos.Index) []Command {
		sum := sha256.Sum256([]byte{byte(at)})
		return []Command{two, Chunk{at, 0, string([]byte{byte(at)})}, Close{T: at, Size: 1, Sum: sum, Next: next, By: "l1"}, Confirm{T: at, Sum: sum, By: "l2"}}
	}
	two := append(whole(2, 10), whole(6, 20)...) // at instances 2..9
	open := append(two[:7:7], Trim{100})         // the second one is not confirmed
	for name, test := range map[string]struct {
		commands []Command
		first    paxos.Index
		base     paxos.Instance
	}{
		"nothing complete":        {[]Command{Trim{5}}, 1, 0},
		"below the first":         {append(two[:8:8], Trim{9}), 9, 0},
		"at the first":            {append(two[:8:8], Trim{10}), 10, 2},
		"between":                 {append(two[:8:8], Trim{15}), 15, 2},
		"at the second":           {append(two[:8:8], Trim{20}), 20, 6},
		"further":                 {append(two[:8:8], Trim{1000}), 20, 6},
		"one that is not whole":   {open, 10, 2},
		"back":                    {append(two[:8:8], Trim{15}, Trim{3}), 15, 2},
		"first a little, then on": {append(two[:8:8], Trim{3}, Trim{12}, Trim{30}), 20, 6},
	} {
		if s := script(t, test.commands...); s.FirstIndex != test.first || s.Base.T != test.base || s.FirstInstance() != test.base+1 {
			t.Errorf("%s: first index %d, base %d", name, s.FirstIndex, s.Base.T)
		}
	}
}
