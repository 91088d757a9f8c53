package main

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paxlog/paxlog/client"
)

// benchSession is what a client appends to; tests have one of their own.
type benchSession interface {
	AppendAsync(ctx context.Context, value []byte) (benchPending, error)
	End(cause error)
}

// benchPending is an append under way.
type benchPending interface {
	Done() <-chan struct{}
	Wait(ctx context.Context) (client.Result, error)
}

// realSession is a session of the client library.
type realSession struct{ *client.Session }

func (s realSession) AppendAsync(ctx context.Context, value []byte) (benchPending, error) {
	p, err := s.Session.AppendAsync(ctx, value)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// sharedSession is the main session of a connection, which all its clients share.
type sharedSession struct{ *client.Client }

func (s sharedSession) AppendAsync(ctx context.Context, value []byte) (benchPending, error) {
	p, err := s.Client.AppendAsync(ctx, value)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// End makes all that is unanswered on the connection fail, which must not wait for it.
func (s sharedSession) End(error) { _ = s.Close() }

// benchLoad is the load of a run: all its clients.
type benchLoad struct {
	opts    benchOptions
	clock   benchClock
	values  *benchValues
	meter   *meter
	open    func(client int) benchSession
	answers []*benchAnswers // of each client, if they are checked

	tickets atomic.Uint64 // how many appends were sent after the warm-up, if Total bounds them
	stopped atomic.Int64  // when the last client stopped sending
	halt    chan struct{} // closed: nothing further is sent
	once    sync.Once
	fatal   error // why halt was closed, if waiting for the end makes no sense
}

// stop makes sure that nothing further is sent; err says why if it is a failure.
func (l *benchLoad) stop(err error) {
	l.once.Do(func() {
		l.fatal = err
		close(l.halt)
	})
}

// over reports whether nothing further is sent.
func (l *benchLoad) over() bool {
	select {
	case <-l.halt:
		return true
	default:
		return false
	}
}

// run appends until the time is up, the total is reached, or ctx ends. What was
// sent is waited for, but not for long once ctx has ended.
func (l *benchLoad) run(ctx context.Context) {
	ended := make(chan struct{})
	var wg, watcher sync.WaitGroup
	workers := make([]*benchWorker, l.opts.Clients)
	for i := range workers {
		workers[i] = newBenchWorker(l, i)
	}
	watcher.Go(func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		l.stop(nil)
		grace := time.NewTimer(signalGrace)
		defer grace.Stop()
		select {
		case <-ended:
		case <-grace.C:
			interrupt(workers, context.Cause(ctx))
		}
	})
	for _, w := range workers {
		wg.Go(w.run)
	}
	wg.Wait()
	close(ended)
	watcher.Wait()
}

// elapsed is for how long was measured.
func (l *benchLoad) elapsed() time.Duration {
	return max(0, time.Duration(max(l.stopped.Load(), l.meter.last.Load()))-l.opts.Warmup)
}

// benchWorker is one client.
type benchWorker struct {
	*benchLoad
	client int
	n      uint64 // values sent so far
	slots  []benchSlot
	head   int // the oldest unanswered one
	count  int // unanswered ones

	mu          sync.Mutex // guards session and interrupted, which interrupt needs
	session     benchSession
	interrupted bool
}

// benchSlot is an append that is not answered.
type benchSlot struct {
	session benchSession
	pending benchPending
	due     time.Duration // when it was to be sent
	counts  bool          // it was sent after the warm-up
	n       uint64
	value   []byte // is used again after the answer
}

func newBenchWorker(l *benchLoad, client int) *benchWorker {
	return &benchWorker{benchLoad: l, client: client, slots: make([]benchSlot, l.opts.Inflight)}
}

// interrupt makes what is unanswered fail. All clients know first that this is no error
// of theirs: what one ends may be the session of another, too.
func interrupt(workers []*benchWorker, cause error) {
	sessions := make([]benchSession, 0, len(workers))
	for _, w := range workers {
		w.mu.Lock()
		w.interrupted = true
		if w.session != nil {
			sessions = append(sessions, w.session)
		}
		w.mu.Unlock()
	}
	for _, s := range sessions {
		s.End(cause)
	}
}

// run sends and takes answers, in order, until there is nothing further to send
// and all is answered.
func (w *benchWorker) run() {
	var due time.Duration
	more, waiting := true, false
	for more || w.count > 0 {
		w.reap()
		if !more || w.count == len(w.slots) {
			if w.count > 0 {
				w.clock.wait(never, w.slots[w.head].pending.Done(), nil)
			}
			continue
		}
		if !waiting {
			if due, more = w.next(); !more {
				w.noteStop()
				continue
			}
			waiting = true
		}
		if due > w.clock.now() && !w.over() {
			var done <-chan struct{}
			if w.count > 0 {
				done = w.slots[w.head].pending.Done()
			}
			w.clock.wait(due, done, w.halt)
			continue
		}
		waiting = false
		counts := w.clock.now() >= w.opts.Warmup
		if w.over() || counts && w.opts.Total > 0 && w.tickets.Add(1) > w.opts.Total {
			more = false
			w.noteStop()
			continue
		}
		w.send(due, counts)
	}
}

// noteStop notes when the last client stopped sending.
func (w *benchWorker) noteStop() {
	now := int64(w.clock.now())
	for last := w.stopped.Load(); now > last && !w.stopped.CompareAndSwap(last, now); {
		last = w.stopped.Load()
	}
}

// next is when the next append is due; ok is false if there is none.
func (w *benchWorker) next() (due time.Duration, ok bool) {
	now, o := w.clock.now(), w.opts
	if w.over() {
		return 0, false
	}
	end := never
	if o.Duration > 0 {
		end = o.Warmup + o.Duration
	}
	if o.Rate == 0 {
		return now, now < end
	}
	// The schedule is one for all clients, which take turns.
	turn := w.turn(w.n)
	due = time.Duration(turn / o.Rate * float64(time.Second))
	if due >= end {
		return 0, false
	}
	if now >= end {
		// It does not keep up. What was due until now was not sent at all, so no latency
		// tells of it.
		left := (end.Seconds()*o.Rate - turn) / float64(o.Clients)
		w.meter.unsent.Add(uint64(math.Ceil(left)))
		return 0, false
	}
	return due, true
}

// turn is which append of the whole schedule is number n of this client.
func (w *benchWorker) turn(n uint64) float64 {
	return float64(n)*float64(w.opts.Clients) + float64(w.client)
}

// send appends the next value.
func (w *benchWorker) send(due time.Duration, counts bool) {
	s := &w.slots[(w.head+w.count)%len(w.slots)]
	if s.value == nil {
		s.value = make([]byte, w.opts.Size)
	}
	session := w.current()
	if session == nil {
		return // interrupted
	}
	s.session, s.due, s.counts, s.n = session, due, counts, w.n
	w.n++
	p, err := session.AppendAsync(context.Background(), w.values.fill(s.value, w.client, s.n))
	if err != nil {
		w.failed(s, err)
		return
	}
	s.pending = p
	w.count++
}

// current is the session, a new one if the last one ended.
func (w *benchWorker) current() benchSession {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.interrupted {
		return nil
	}
	if w.session == nil {
		w.session = w.open(w.client)
	}
	return w.session
}

// reap takes the answers that are there, in order.
func (w *benchWorker) reap() {
	for w.count > 0 {
		s := &w.slots[w.head]
		select {
		case <-s.pending.Done():
		default:
			return
		}
		r, err := s.pending.Wait(context.Background())
		now := w.clock.now()
		w.head = (w.head + 1) % len(w.slots)
		w.count--
		s.pending = nil
		if err != nil {
			w.failed(s, err)
			continue
		}
		if s.counts {
			w.meter.answered(w.client, now-s.due, now)
		}
		if w.answers != nil {
			if err := w.answers[w.client].add(w.client, s.n, r); err != nil {
				w.stop(err)
			}
		}
	}
}

// failed notes a failure, which ended the session: the next append gets another.
func (w *benchWorker) failed(s *benchSlot, err error) {
	var unknown *client.UnknownOutcomeError
	if w.answers != nil && errors.As(err, &unknown) {
		w.answers[w.client].unknown(w.client, s.n, unknown)
	}
	w.mu.Lock()
	if w.session == s.session { // else an earlier append of it was the first to fail
		w.session = nil
	}
	interrupted := w.interrupted
	w.mu.Unlock()
	if interrupted {
		return
	}
	w.meter.failed(err)
	if errors.Is(err, client.ErrRefused) || errors.Is(err, client.ErrTooLarge) || errors.Is(err, client.ErrClosed) {
		w.stop(err) // it would go on for ever
	}
}
