package backup

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// TestBackup: logs of every kind are read as they were chosen: without an id, with one, empty,
// with checkpoints, trimmed once and twice.
func TestBackup(t *testing.T) {
	for seed := range uint64(30) {
		for name, grow := range map[string]func(*testLog){
			"empty":           func(*testLog) {},
			"some":            func(l *testLog) { l.grow(t, 40) },
			"with checkpoint": func(l *testLog) { l.grow(t, 20); l.checkpoint(t, false); l.grow(t, 20) },
			"trimmed":         func(l *testLog) { l.grow(t, 20); l.checkpoint(t, true); l.grow(t, 20) },
			"trimmed twice": func(l *testLog) {
				l.grow(t, 20)
				l.checkpoint(t, true)
				l.grow(t, 9)
				l.checkpoint(t, true)
				l.grow(t, 3)
			},
			"trimmed away": func(l *testLog) { l.grow(t, 20); l.checkpoint(t, true) },
		} {
			l := newLog(t, seed, 1)
			grow(l)
			b, r := take(t, l, Options{})
			s := mustRead(t, l, l.first, b)
			if !bytes.Equal(s.State(), stateOf(l.replay)) {
				t.Fatalf("seed %d, %s: another state", seed, name)
			}
			last := s.End()
			if last != r.End || s.Sum() != r.Sum || r.Log != l.log || r.Bytes != int64(len(b)) || r.First != l.state(t).FirstIndex && l.first > 1 {
				t.Fatalf("seed %d, %s: %+v, %+v", seed, name, r, last)
			}
		}
	}
	l := newLog(t, 1, 0)
	b, _ := take(t, l, Options{})
	mustRead(t, l, 1, b)
	l.grow(t, 30)
	b, _ = take(t, l, Options{})
	mustRead(t, l, 1, b)
}

// earlier is where backups end.
func earlier(t *testing.T, all ...[]byte) *Earlier {
	t.Helper()
	e, err := ReadEarlier(files(all...))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestIncrements: what was added since, again and again, is the log; and what does not follow
// is refused, by a reader and by whoever would go on from it.
func TestIncrements(t *testing.T) {
	for seed := range uint64(30) {
		l := newLog(t, seed, 1)
		l.grow(t, 20)
		if seed%3 == 1 {
			l.checkpoint(t, true)
		}
		first := l.first
		one, _ := take(t, l, Options{})
		l.grow(t, int(seed%4)*5)
		two, _ := take(t, l, Options{Since: earlier(t, one)})
		l.grow(t, 10)
		if seed%3 == 2 {
			l.checkpoint(t, false)
		}
		three, r := take(t, l, Options{Since: earlier(t, one, two)})
		s := mustRead(t, l, first, one, two, three)
		if !bytes.Equal(s.State(), stateOf(l.replay)) || s.End().Last != r.Last {
			t.Fatalf("seed %d: %+v", seed, s.End())
		}
		all, _ := take(t, l, Options{})
		mustRead(t, l, first, one, all)
		mustRead(t, l, first, one, two, all)
		for name, wrong := range map[string][][]byte{
			"the middle is missing":  {one, three},
			"in another order":       {two, one},
			"an older one at last":   {one, two, three, one},
			"one that is twice":      {one, two, two},
			"from another increment": {all, two},
		} {
			if bytes.Equal(one, two) || len(two) == 0 || seed%4 == 0 {
				continue // nothing was added
			}
			if _, _, err := readAll(wrong...); !errors.Is(err, ErrDiffers) {
				t.Errorf("seed %d, %s: %v", seed, name, err)
			}
		}
		other := newLog(t, seed+100, 1)
		other.grow(t, 60)
		o, _ := take(t, other, Options{})
		if _, _, err := readAll(one, o); !errors.Is(err, ErrDiffers) || !strings.Contains(err.Error(), "it is of log") {
			t.Errorf("seed %d: %v", seed, err)
		}
		if _, err := takeInto(io.Discard, other, Options{Cluster: "orders", Since: earlier(t, one)}); !errors.Is(err, ErrDiffers) {
			t.Errorf("seed %d: %v", seed, err)
		}
		l.checkpoint(t, true)
		if _, err := takeInto(io.Discard, l, Options{Cluster: "orders", Since: earlier(t, one)}); !errors.Is(err, ErrTrimmed) {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// TestSinceAnotherHistory: a log without an id that has another value where the earlier backup
// ends is not gone on with.
func TestSinceAnotherHistory(t *testing.T) {
	a, b := newLog(t, 1, 0), newLog(t, 2, 0)
	a.grow(t, 10)
	b.grow(t, 20)
	one, _ := take(t, a, Options{})
	if _, err := takeInto(io.Discard, b, Options{Cluster: "orders", Since: earlier(t, one)}); !errors.Is(err, ErrDiffers) {
		t.Error(err)
	}
}

// TestSinceBeforeItsID: a log that got its id after a backup is not gone on with, and both who
// writes an increment and who reads one are told to begin with a backup of all of it, which reads
// well, and which others go on from.
func TestSinceBeforeItsID(t *testing.T) {
	l := newLog(t, 1, 0)
	l.grow(t, 20)
	old, _ := take(t, l, Options{})
	l.log = paxos.LogID{9}
	l.choose(t, control.Batch(control.Genesis{Log: l.log, Level: control.Level, Sessions: sessions, Config: configuration("a1", "a2", "a3")}))
	l.grow(t, 20)
	_, err := takeInto(io.Discard, l, Options{Cluster: "orders", Since: earlier(t, old)})
	if !errors.Is(err, ErrDiffers) || !strings.Contains(err.Error(), "`paxlog upgrade finalize`), make a backup of all of it") {
		t.Errorf("an increment: %v", err)
	}
	whole, _ := take(t, l, Options{})
	l.grow(t, 5)
	more, _ := take(t, l, Options{Since: earlier(t, whole)})
	mustRead(t, l, 1, whole, more)
	if _, _, err = readAll(old, whole); !errors.Is(err, ErrDiffers) || !strings.Contains(err.Error(), "the series begins anew") {
		t.Errorf("a series: %v", err)
	}
}

// TestFrom: a backup from an entry on begins with the instance that has it, after whatever stood
// before; it goes on from any backup that ends there or later.
func TestFrom(t *testing.T) {
	for seed := range uint64(20) {
		l := newLog(t, seed, 1)
		l.grow(t, 20)
		if seed%2 == 1 {
			l.checkpoint(t, seed%4 == 1)
		}
		one, r := take(t, l, Options{})
		l.grow(t, 15)
		log, _ := l.replay.Log()
		for from := max(l.state(t).FirstIndex, 1); from <= log.Next; from++ {
			b, made := take(t, l, Options{From: from})
			mustRead(t, l, made.After+1, b)
			if made.First > from || made.After > 0 && made.First == from && made.After > 1 && l.records[made.After-2].First+paxos.Index(l.records[made.After-2].Count) == from && l.first < made.After {
				t.Fatalf("seed %d, from %d: %+v", seed, from, made.Header)
			}
			if from <= r.Last+1 {
				mustRead(t, l, l.first, one, b)
			} else if made.After > r.To {
				if _, _, err := readAll(one, b); !errors.Is(err, ErrDiffers) {
					t.Fatalf("seed %d, from %d: %v", seed, from, err)
				}
			}
		}
		if _, err := takeInto(io.Discard, l, Options{Cluster: "orders", From: log.Next + 1}); !errors.Is(err, ErrAhead) {
			t.Error(err)
		}
		if first := l.state(t).FirstIndex; first > 1 {
			if _, err := takeInto(io.Discard, l, Options{Cluster: "orders", From: first - 1}); !errors.Is(err, ErrTrimmed) {
				t.Error(err)
			}
		}
	}
}

// TestGrowsMeanwhile: a backup ends where the log ended when it began, however it grows.
func TestGrowsMeanwhile(t *testing.T) {
	l := newLog(t, 5, 1)
	l.grow(t, 100)
	to := l.replay.Applied()
	l.onPage = func() { l.grow(t, 10) }
	b, r := take(t, l, Options{})
	if mustRead(t, l, 1, b); r.To != to {
		t.Errorf("to %d, and it had %d", r.To, to)
	}
}

// TestTrimmedMeanwhile: a log that is trimmed while it is backed up makes no backup.
func TestTrimmedMeanwhile(t *testing.T) {
	l := newLog(t, 5, 1)
	l.grow(t, 100)
	pages := 0
	l.onPage = func() {
		if pages++; pages == 4 {
			l.onPage = nil
			l.checkpoint(t, true)
		}
	}
	if _, err := takeInto(io.Discard, l, Options{Cluster: "orders"}); !errors.Is(err, ErrTrimmed) {
		t.Error(err)
	}
}

// failing fails from some byte on, as a full disk does.
type failing struct{ left int }

var errFull = errors.New("no space left on device")

func (f *failing) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// TestWritesFail: whichever write fails, the backup is not reported as made.
func TestWritesFail(t *testing.T) {
	l := newLog(t, 5, 1)
	l.grow(t, 40)
	whole, _ := take(t, l, Options{})
	for left := 0; left < len(whole); left += 7 {
		if _, err := takeInto(&failing{left}, l, Options{Cluster: "orders"}); !errors.Is(err, errFull) {
			t.Fatalf("after %d bytes: %v", left, err)
		}
	}
}
