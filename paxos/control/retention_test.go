package control

import (
	"crypto/sha256"
	"errors"
	"reflect"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// made is a log that keeps r, with checkpoints at times 100 s, 200 s, ..., each of 10 entries and
// 1000 bytes more.
func made(t *testing.T, checkpoints int, r Retention, more ...Command) State {
	t.Helper()
	commands := []Command{SetRetention{r}}
	for k := 1; k <= checkpoints; k++ {
		at := paxos.Instance(len(commands) + 2)
		sum := sha256.Sum256([]byte{byte(at)})
		commands = append(commands, two, Chunk{at, 0, string([]byte{byte(at)})},
			Close{T: at, Size: 1, Sum: sum, Next: paxos.Index(10*k + 1), Time: paxos.UnixNanos(k) * 100e9, By: "l1", Bytes: uint64(k) * 1000},
			Confirm{T: at, Sum: sum, By: "l2"})
	}
	return script(t, append(commands, more...)...)
}

// TestBeyond: what Retention does not let be kept, at which checkpoints.
func TestBeyond(t *testing.T) {
	const second = paxos.UnixNanos(1e9)
	for name, test := range map[string]struct {
		keep  Retention
		now   paxos.UnixNanos
		more  []Command
		trims paxos.Index
	}{
		"everything":                           {Retention{}, 1 << 60, nil, 0},
		"all are young":                        {Retention{Age: 400_000}, 499 * second, nil, 0},
		"the first is old":                     {Retention{Age: 400_000}, 500 * second, nil, 11},
		"two are old":                          {Retention{Age: 400_000}, 650 * second, nil, 21},
		"a quiet log, all are old":             {Retention{Age: 1000}, 901 * second, nil, 81},
		"a clock that is behind":               {Retention{Age: 1000}, 50 * second, nil, 0},
		"as many entries as may be kept":       {Retention{Entries: 80}, 0, nil, 0},
		"ten too many":                         {Retention{Entries: 70}, 0, nil, 11},
		"some more, but one would go too much": {Retention{Entries: 65}, 0, nil, 11},
		"less bytes than may be kept":          {Retention{Bytes: 9200}, 0, nil, 0},
		"an eighth below what may be kept":     {Retention{Bytes: 8000}, 0, nil, 11},
		"few bytes":                            {Retention{Bytes: 100}, 0, nil, 81},
		"whichever comes first":                {Retention{Bytes: 8000, Entries: 40, Age: 400_000}, 500 * second, nil, 41},
		"trimmed already":                      {Retention{Entries: 70}, 0, []Command{Trim{11}}, 0},
		"trimmed further":                      {Retention{Entries: 70}, 0, []Command{Trim{15}}, 0},
		"trimmed less":                         {Retention{Entries: 60}, 0, []Command{Trim{11}}, 21},
		"bytes that were trimmed":              {Retention{Bytes: 8000}, 0, []Command{Trim{11}}, 0},
	} {
		s := made(t, 8, test.keep, test.more...)
		if got := s.Beyond(test.now); got != test.trims {
			t.Errorf("%s: %d, want %d", name, got, test.trims)
		}
	}
	// As far as one learner alone says it nothing is beyond.
	s := made(t, 2, Retention{Entries: 1}, two, Chunk{11, 0, "x"}, Close{T: 11, Size: 1, Sum: sha256.Sum256([]byte("x")), Next: 1000, Bytes: 1 << 50, Time: 1 << 60, By: "l1"})
	if got := s.Beyond(0); s.Under.By != "l1" || got != 11 {
		t.Errorf("%d: %+v", got, s.Under)
	}
}

// TestNextBeyond: the time at which age has something to trim, which nobody else announces.
func TestNextBeyond(t *testing.T) {
	s := made(t, 2, Retention{Age: 400_000})
	for _, test := range []struct {
		now  paxos.UnixNanos
		wait paxos.Ticks
	}{{300e9, 200_000}, {500e9 - 1e6, 1}, {500e9, 100_000}, {600e9, paxos.Never}} {
		if got := s.NextBeyond(test.now); got != test.wait {
			t.Errorf("at %d: %d, want %d", test.now, got, test.wait)
		}
	}
	if got := made(t, 2, Retention{Bytes: 1}).NextBeyond(1 << 60); got != paxos.Never {
		t.Errorf("without an age: %d", got)
	}
}

// TestRetentionNeedsItsLevel: a log of a lower level has no Retention, whoever proposes one, and
// a process of a lower level stops before it (R10).
func TestRetentionNeedsItsLevel(t *testing.T) {
	g := genesis()
	g.Level = LevelRetention - 1
	low, err := State{}.Apply(1, Batch(g), Level)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("x"))
	closes := Close{T: 2, Size: 1, Sum: sum, Next: 1, By: "l1", Bytes: 7}
	for name, c := range map[string]Command{"a setting": SetRetention{Retention{Bytes: 1}}, "a measured checkpoint": closes} {
		if s, err := low.Apply(2, Batch(c), Level); err != nil || !reflect.DeepEqual(s, low) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		if err := Known(Batch(c), LevelRetention-1); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: an older process: %v", name, err)
		}
	}
	for _, r := range []Retention{{Age: maxAge + 1}, {Age: -1}, {Bytes: paxos.Bound}, {Entries: paxos.Bound}} {
		if _, err := Parse(Batch(SetRetention{r})); r.Valid() || !errors.Is(err, ErrUnknown) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
