package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/cluster"
)

// impatient are callers of one client whose patience is too short, and what each was
// told.
type impatient struct {
	c  *client.Client
	mu sync.Mutex

	index   map[string]client.Index    // in the log, there
	unknown map[string]client.AppendID // to be resolved
	none    map[string]bool            // certainly not in the log
	wrong   []string
	answers atomic.Int64 // of the patient
}

// patient appends through the same client, one entry after the other, without end to its
// patience: nothing of it may fail.
func (i *impatient) patient(ctx context.Context, name int) {
	for n := 0; ctx.Err() == nil; n++ {
		value := fmt.Sprintf("patient %d %d", name, n)
		r, err := i.c.Append(context.Background(), []byte(value))
		i.appended(value, r, err)
		if err != nil {
			i.note("%q: %v", value, err)
			return
		}
		i.answers.Add(1)
	}
}

// patiences are those of the callers: over, none, and such that the end comes before,
// while and after an append is sent.
var patiences = []time.Duration{-time.Second, 0, 1, 200 * time.Microsecond, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond}

// run appends, reads, tails and resolves with the patience d until ctx ends.
func (i *impatient) run(ctx context.Context, name string, d time.Duration) {
	for n := 0; ctx.Err() == nil; n++ {
		value := fmt.Sprintf("impatient %s %d", name, n)
		i.under(d, func(ctx context.Context) error {
			r, err := i.c.Append(ctx, []byte(value))
			i.appended(value, r, err)
			return err
		})
		i.under(d, func(ctx context.Context) error { _, _, err := i.c.End(ctx); return err })
		i.under(d, func(ctx context.Context) error { _, err := i.c.Read(ctx, 1); return err })
		i.under(d, func(ctx context.Context) error {
			seen := client.Index(0)
			for e, err := range i.c.Tail(ctx, client.TailOptions{From: client.FromLast(3), Follow: true}) {
				if err != nil {
					return err
				}
				if seen != 0 && e.Index != seen+1 {
					i.note("a tail went from %d to %d", seen, e.Index)
				}
				seen = e.Index
			}
			return errors.New("a tail that follows has just ended")
		})
		select {
		case <-time.After(time.Millisecond): // so that those without patience leave time to the others
		case <-ctx.Done():
		}
	}
}

// under calls f with the patience d; if it fails, then because that was over.
func (i *impatient) under(d time.Duration, f func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	err := f(ctx)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, client.ErrNotFound) { // the log may still be empty
		i.note("after %v: %v", d, err)
	}
}

func (i *impatient) note(format string, args ...any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.wrong = append(i.wrong, fmt.Sprintf(format, args...))
}

func (i *impatient) appended(value string, r client.Result, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var unknown *client.UnknownOutcomeError
	switch {
	case err == nil:
		i.index[value] = r.Index
	case errors.As(err, &unknown):
		i.unknown[value] = unknown.AppendID()
	default:
		i.none[value] = true
	}
}

// TestImpatientCallers: callers of one client give up at any moment while processes are
// killed. The others of that client are appended all the same, and whatever each caller
// was told holds: what was answered is where it was said, what certainly was not appended
// is not in the log, and what was unknown is as Resolve tells.
func TestImpatientCallers(t *testing.T) {
	rng := cluster.Seed(t, "./cmd/paxlog")
	k := cluster.New(t, 3, 2, 2)
	c := k.Client(client.WithTimeout(0))
	i := &impatient{c: c, index: map[string]client.Index{}, unknown: map[string]client.AppendID{}, none: map[string]bool{}}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, d := range patiences {
		for n := range 2 {
			running.Add(1)
			go func() {
				defer running.Done()
				i.run(ctx, fmt.Sprintf("%v %d", d, n), d)
			}()
		}
	}
	for n := range 10 {
		running.Add(1)
		go func() {
			defer running.Done()
			i.patient(ctx, n)
		}()
	}
	answers := func(n int64, why string) {
		t.Helper()
		target := i.answers.Load() + n
		k.Await(why, func() bool { return i.answers.Load() >= target })
	}
	for round := range cluster.Number(t, "PAXLOG_ROUNDS", 4) {
		answers(500, "answers between two kills")
		victim := k.Leader(c)
		if round%2 == 1 {
			victim = k.Config.Learners[rng.IntN(2)].ID
		}
		k.Kill(victim)
		answers(200, fmt.Sprintf("answers without %s", victim))
		k.Start(victim)
	}
	stop()
	running.Wait()
	i.check(t)
}

// check holds what the callers were told against the log.
func (i *impatient) check(t *testing.T) {
	resolved, never := 0, 0
	for value, id := range i.unknown {
		r, err := i.c.Resolve(t.Context(), id)
		if err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		if resolved++; r.Chosen {
			i.index[value] = r.Index
		} else {
			never++
			i.none[value] = true
		}
	}
	for e, err := range i.c.Tail(t.Context(), client.TailOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		value := string(e.Value)
		if i.none[value] {
			t.Errorf("%q is at %d, and its caller was told that it is not in the log", value, e.Index)
		}
		if at, ok := i.index[value]; ok {
			if at != e.Index {
				t.Errorf("%q is at %d, and was said to be at %d", value, e.Index, at)
			}
			delete(i.index, value)
		}
	}
	for value, at := range i.index {
		t.Errorf("%q was said to be at %d, and is not in the log", value, at)
	}
	for _, w := range i.wrong {
		t.Error(w)
	}
	t.Logf("%d were certainly not appended, %d unknown, of which %d never", len(i.none)-never, resolved, never)
	if len(i.none) == 0 || resolved == 0 {
		t.Error("nobody gave up in time")
	}
}
