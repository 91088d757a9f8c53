package load

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/paxos"
)

// fakeClock is a clock that only waiting moves. One client uses it.
type fakeClock struct {
	at  time.Duration
	due []*fakePending // unanswered, in order
}

func (c *fakeClock) Now() time.Duration { return c.at }

// Wait moves the clock to until, or to the next answer if that comes earlier.
func (c *fakeClock) Wait(until time.Duration, done, _ <-chan struct{}) {
	if done != nil && len(c.due) > 0 {
		until = min(until, c.due[0].at)
	}
	c.at = max(c.at, until)
	for len(c.due) > 0 && c.due[0].at <= c.at {
		close(c.due[0].done)
		c.due = c.due[1:]
	}
}

// fakeSession answers one append after the other.
type fakeSession struct {
	clock *fakeClock
	took  func(n int) time.Duration // for append n, from 1
	fails func(n int) error
	n     int
	free  time.Duration // when it has answered everything
	ended bool
}

type fakePending struct {
	at   time.Duration
	seq  uint64
	done chan struct{}
	err  error
}

func (p *fakePending) Done() <-chan struct{} { return p.done }

func (p *fakePending) Wait(context.Context) (client.Result, error) {
	return client.Result{Index: client.Index(p.seq), AppendID: paxos.AppendID{Seq: p.seq}}, p.err
}

func (s *fakeSession) Append(context.Context, []byte) (Answer, error) {
	s.n++
	s.free = max(s.free, s.clock.at) + s.took(s.n)
	p := &fakePending{at: s.free, seq: uint64(s.n), done: make(chan struct{})}
	if s.fails != nil {
		p.err = s.fails(s.n)
	}
	s.clock.due = append(s.clock.due, p)
	return p, nil
}

func (s *fakeSession) End(error) { s.ended = true }

// fakeLoad runs one client against a fake session.
func fakeLoad(t *testing.T, c Config, took func(n int) time.Duration, fails func(n int) error) (*Load, int) {
	t.Helper()
	values, err := NewValues(0)
	if err != nil {
		t.Fatal(err)
	}
	clock, opened := &fakeClock{}, 0
	c.Clients, c.Clock, c.Fill = 1, clock, values.Fill
	c.Open = func(int) Session {
		opened++
		return &fakeSession{clock: clock, took: took, fails: fails, free: clock.at}
	}
	l := New(c)
	l.Run(t.Context())
	return l, opened
}

// always is a session that takes d for each append.
func always(d time.Duration) func(int) time.Duration {
	return func(int) time.Duration { return d }
}

// near reports whether a measured time is what was meant, within a histogram's
// resolution.
func near(ms *float64, want time.Duration) bool {
	w := float64(want) / 1e6
	return ms != nil && *ms > w*0.995 && *ms < w*1.005
}

func TestClosedLoop(t *testing.T) {
	l, _ := fakeLoad(t, Config{Inflight: 1, Warmup: time.Second, Duration: 2 * time.Second}, always(10*time.Millisecond), nil)
	h, _ := l.Meter.Take()
	r := NewResult(h, l.Elapsed(), 100, 0)
	if r.Appends != 200 || r.Seconds != 2 || r.PerSecond != 100 || r.MBPerS != 0.01 || !near(r.P50, 10*time.Millisecond) || !near(r.Max, 10*time.Millisecond) {
		t.Errorf("got %+v", r)
	}
	// Four in flight at a server that does one at a time wait for each other.
	l, _ = fakeLoad(t, Config{Inflight: 4, Total: 100}, always(10*time.Millisecond), nil)
	h, _ = l.Meter.Take()
	r = NewResult(h, l.Elapsed(), 100, 0)
	if r.Appends != 100 || r.PerSecond != 100 || !near(r.P50, 40*time.Millisecond) {
		t.Errorf("in flight: got %+v", r)
	}
}

// TestOpenLoop: a server that hangs for a second once delays all that was due
// meanwhile, and each of them is told to have taken that long.
func TestOpenLoop(t *testing.T) {
	hang := func(n int) time.Duration {
		if n == 101 {
			return time.Second
		}
		return time.Millisecond
	}
	l, _ := fakeLoad(t, Config{Inflight: 1, Rate: 100, Duration: 10 * time.Second}, hang, nil)
	h, _ := l.Meter.Take()
	r := NewResult(h, l.Elapsed(), 100, 0)
	if r.Appends != 1000 || l.Meter.Unsent() != 0 {
		t.Errorf("got %+v", r)
	}
	// About 110 of 1000 were due while it hung or was late: the first a second late,
	// the last not at all.
	if !near(r.P50, time.Millisecond) || *r.P90 < 80 || *r.P90 > 120 || *r.P99 < 880 || !near(r.Max, time.Second) {
		t.Errorf("latencies: p50 %v, p90 %v, p99 %v, max %v", *r.P50, *r.P90, *r.P99, *r.Max)
	}
	closed, _ := fakeLoad(t, Config{Inflight: 1, Total: 1000}, hang, nil)
	h, _ = closed.Meter.Take()
	if r := NewResult(h, closed.Elapsed(), 100, 0); !near(r.P99, time.Millisecond) {
		t.Errorf("a closed loop hides it, but shows %v", *r.P99)
	}
}

// TestOpenLoopTooFast: what a server cannot take shows as latency, and as appends
// that were not sent at all.
func TestOpenLoopTooFast(t *testing.T) {
	l, _ := fakeLoad(t, Config{Inflight: 1, Rate: 200, Duration: 10 * time.Second}, always(10*time.Millisecond), nil)
	h, _ := l.Meter.Take()
	r := NewResult(h, l.Elapsed(), 100, 0)
	if r.Appends != 1000 || l.Meter.Unsent() != 1000 || !near(r.Max, 5*time.Second+5*time.Millisecond) {
		t.Errorf("%d not sent, got %+v, max %v", l.Meter.Unsent(), r, *r.Max)
	}
}

// TestErrorsAreCounted: each append of a session that failed counts, another
// session goes on, and the first failure is told.
func TestErrorsAreCounted(t *testing.T) {
	fails := func(n int) error {
		switch {
		case n < 10:
			return nil
		case n == 10:
			return &client.UnknownOutcomeError{Seq: 10, Cause: client.ErrUnavailable}
		}
		return client.ErrUnavailable
	}
	l, opened := fakeLoad(t, Config{Inflight: 1, Total: 40}, always(time.Millisecond), fails)
	h, errs := l.Meter.Take()
	n, first := l.Meter.Errors()
	if h.TotalCount() != 36 || errs != 4 || n != 4 || opened != 4 || !l.Meter.Unknown() || !errors.Is(first, client.ErrUnknownOutcome) {
		t.Errorf("%d answers, %d and %d errors, %d sessions, %v", h.TotalCount(), errs, n, opened, first)
	}
	refused := Config{Inflight: 2, Duration: time.Hour, Fatal: func(err error) bool { return errors.Is(err, client.ErrRefused) }}
	l, _ = fakeLoad(t, refused, always(time.Millisecond), func(int) error { return client.ErrRefused })
	if _, first := l.Meter.Errors(); !errors.Is(l.Err(), client.ErrRefused) || !errors.Is(first, client.ErrRefused) || l.Meter.Unknown() {
		t.Errorf("refused: %v, %v", l.Err(), first)
	}
}

// endsAll is a session of all workers; its end makes each note a failure.
type endsAll struct{ workers []*worker }

func (s *endsAll) Append(context.Context, []byte) (Answer, error) {
	return nil, client.ErrClosed
}

func (s *endsAll) End(error) {
	for _, w := range s.workers {
		w.failed(&slot{session: s}, client.ErrClosed)
	}
}

// TestInterruptShared: what an interrupt makes fail is no error, also of clients that
// share a session with the first to end it.
func TestInterruptShared(t *testing.T) {
	s := &endsAll{}
	l := New(Config{Inflight: 1, Open: func(int) Session { return s }})
	for i := range 3 {
		w := newWorker(l, i)
		w.current()
		s.workers = append(s.workers, w)
	}
	interrupt(s.workers, context.Canceled)
	if n, first := l.Meter.Errors(); n != 0 || l.Over() {
		t.Errorf("%d errors, %v", n, first)
	}
}

// checked is a run of two clients, and the log that it leaves.
func checked(t *testing.T) (*Values, Answers, []client.Entry) {
	t.Helper()
	values, err := NewValues(64)
	if err != nil {
		t.Fatal(err)
	}
	var log []client.Entry
	answers := NewAnswers(2)
	for n := range uint64(200) {
		c := int(n % 2)
		id := paxos.AppendID{Session: paxos.SessionID{0: byte(c + 1)}, Seq: n/2 + 1}
		r := client.Result{Index: client.Index(1000 + 2*n), AppendID: id} // with entries of others between
		if err := answers[c].add(c, n/2, r); err != nil {
			t.Fatal(err)
		}
		log = append(log, client.Entry{Result: r, Value: values.fill(make([]byte, 64), c, n/2)})
		other := client.Result{Index: client.Index(1001 + 2*n), AppendID: paxos.AppendID{Session: paxos.SessionID{0: 9}, Seq: n + 1}}
		log = append(log, client.Entry{Result: other, Value: []byte("somebody else's entry, which is none of ours")})
	}
	// One more, whose outcome was unknown, is in the log as well.
	unknown := &client.UnknownOutcomeError{Session: paxos.SessionID{0: 3}, Seq: 1}
	answers[0].unknown(0, 100, unknown)
	late := client.Result{Index: 5000, AppendID: unknown.AppendID()}
	return values, answers, append(log, client.Entry{Result: late, Value: values.fill(make([]byte, 64), 0, 100)})
}

func asLog(entries []client.Entry) iter.Seq2[client.Entry, error] {
	return func(yield func(client.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// TestCheck: --check notices every way in which a log can differ from what was
// answered.
func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		manipulate func(values *Values, log []client.Entry) []client.Entry
		want       string
	}{
		"as it is":  {func(_ *Values, log []client.Entry) []client.Entry { return log }, ""},
		"late lost": {func(_ *Values, log []client.Entry) []client.Entry { return log[:len(log)-1] }, ""},
		"the end is lost": {func(_ *Values, log []client.Entry) []client.Entry { return log[:len(log)-3] },
			"/100 was answered, and is not in the log"},
		"one is lost": {func(_ *Values, log []client.Entry) []client.Entry { return slices.Delete(log, 20, 21) },
			"/7 at index 1024 stands where 6 is due"},
		"one is there twice": {func(_ *Values, log []client.Entry) []client.Entry { return slices.Insert(log, 41, log[20]) },
			"/6 is in the log twice, again at index 1020"},
		"two are swapped": {func(_ *Values, log []client.Entry) []client.Entry {
			log[20], log[24] = log[24], log[20]
			return log
		}, "stands where 6 is due"},
		"another value": {func(_ *Values, log []client.Entry) []client.Entry {
			log[20].Value[40] ^= 1
			return log
		}, "index 1020 does not hold the value of append"},
		"another index": {func(_ *Values, log []client.Entry) []client.Entry {
			log[20].Index++
			return log
		}, "/6 was answered with index 1020, and is at 1021"},
		"a foreign one": {func(values *Values, log []client.Entry) []client.Entry {
			log[21].Value = values.fill(make([]byte, 64), 0, 7)
			return log
		}, "index 1021 holds a value of this run, appended by nobody of it"},
	} {
		values, answers, log := checked(t)
		found, err := answers.Check(values, asLog(test.manipulate(values, log)))
		if test.want == "" {
			if err != nil || found != 200 {
				t.Errorf("%s: %d found, %v", name, found, err)
			}
		} else if !errors.Is(err, ErrCheck) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	values, answers, log := checked(t)
	broken := errors.New("the learner is gone")
	failing := func(yield func(client.Entry, error) bool) {
		_ = yield(log[0], nil) && yield(client.Entry{}, broken)
	}
	if _, err := answers.Check(values, failing); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// TestAnswersInOrder: answers that break the order of a session are noticed as
// they come.
func TestAnswersInOrder(t *testing.T) {
	a := &clientAnswers{}
	id := func(seq uint64) paxos.AppendID { return paxos.AppendID{Session: paxos.SessionID{0: 1}, Seq: seq} }
	for n := range uint64(3) {
		if err := a.add(0, n, client.Result{Index: client.Index(5 + n), AppendID: id(n + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []client.Result{{Index: 7, AppendID: id(4)}, {Index: 9, AppendID: id(5)}, {Index: 9, AppendID: id(3)}} {
		if err := a.add(0, 3, r); !errors.Is(err, ErrCheck) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
