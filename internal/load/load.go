package load

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Load is a load: all its clients.
type Load struct {
	Config
	Meter *Meter

	Sent, Answered atomic.Uint64 // warm-up included

	tickets atomic.Uint64 // how many appends were sent after the warm-up, if Total bounds them
	stopped atomic.Int64  // when the last client stopped sending
	halt    chan struct{} // closed: nothing further is sent
	once    sync.Once
	fatal   error // why halt was closed, if waiting for the end makes no sense
}

// New returns a load that Run begins.
func New(c Config) *Load {
	if c.Clock == nil {
		c.Clock = WallClock()
	}
	return &Load{Config: c, Meter: newMeter(), halt: make(chan struct{})}
}

// Err says why the load ended, if not because its time or its total was reached or it
// was stopped. It may be asked once Over.
func (l *Load) Err() error { return l.fatal }

// Stop makes sure that nothing further is sent; err says why if it is a failure.
func (l *Load) Stop(err error) {
	l.once.Do(func() {
		l.fatal = err
		close(l.halt)
	})
}

// Over reports whether nothing further is sent.
func (l *Load) Over() bool {
	select {
	case <-l.halt:
		return true
	default:
		return false
	}
}

// Run appends until the time is up, the total is reached, or ctx ends. What was
// sent is waited for, but not for long once ctx has ended.
func (l *Load) Run(ctx context.Context) {
	ended := make(chan struct{})
	var wg, watcher sync.WaitGroup
	workers := make([]*worker, l.Clients)
	for i := range workers {
		workers[i] = newWorker(l, i)
	}
	watcher.Go(func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		l.Stop(nil)
		grace := time.NewTimer(l.Grace)
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

// Elapsed is for how long was measured.
func (l *Load) Elapsed() time.Duration {
	return max(0, time.Duration(max(l.stopped.Load(), l.Meter.last.Load()))-l.Warmup)
}

// worker is one client.
type worker struct {
	*Load
	client int
	next   Place         // of the next value
	lastAt time.Duration // when a value was last sent
	slots  []slot
	head   int // the oldest unanswered one
	count  int // unanswered ones

	mu          sync.Mutex // guards session and interrupted, which interrupt needs
	session     Session
	interrupted bool
}

// slot is an append that is not answered.
type slot struct {
	session Session
	answer  Answer
	due     time.Duration // when it was to be sent
	counts  bool          // it was sent after the warm-up
	place   Place
	value   []byte // is used again after the answer
}

func newWorker(l *Load, client int) *worker {
	return &worker{Load: l, client: client, next: Place{Client: client, Session: -1}, slots: make([]slot, l.Inflight)}
}

// interrupt makes what is unanswered fail. All clients know first that this is no error
// of theirs: what one ends may be the session of another, too.
func interrupt(workers []*worker, cause error) {
	sessions := make([]Session, 0, len(workers))
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
func (w *worker) run() {
	var due time.Duration
	more, waiting := true, false
	for more || w.count > 0 {
		w.reap()
		if !more || w.count == len(w.slots) {
			if w.count > 0 {
				w.Clock.Wait(never, w.slots[w.head].answer.Done(), nil)
			}
			continue
		}
		if !waiting {
			if due, more = w.nextDue(); !more {
				w.noteStop()
				continue
			}
			waiting = true
		}
		if due > w.Clock.Now() && !w.Over() {
			var done <-chan struct{}
			if w.count > 0 {
				done = w.slots[w.head].answer.Done()
			}
			w.Clock.Wait(due, done, w.halt)
			continue
		}
		waiting = false
		counts := w.Clock.Now() >= w.Warmup
		if w.Over() || counts && w.Total > 0 && w.tickets.Add(1) > w.Total {
			more = false
			w.noteStop()
			continue
		}
		w.send(due, counts)
	}
}

// noteStop notes when the last client stopped sending.
func (w *worker) noteStop() {
	now := int64(w.Clock.Now())
	for last := w.stopped.Load(); now > last && !w.stopped.CompareAndSwap(last, now); {
		last = w.stopped.Load()
	}
}

// nextDue is when the next append is due; ok is false if there is none.
func (w *worker) nextDue() (due time.Duration, ok bool) {
	now, o := w.Clock.Now(), &w.Config
	if w.Over() {
		return 0, false
	}
	end := never
	if o.Duration > 0 {
		end = o.Warmup + o.Duration
	}
	if o.Rate == 0 {
		due = now
		if o.Pace > 0 && w.next.N > 0 {
			due = max(now, w.lastAt+o.Pace)
		}
		return due, now < end
	}
	// The schedule is one for all clients, which take turns.
	turn := w.turn(w.next.N)
	due = time.Duration(turn / o.Rate * float64(time.Second))
	if due >= end {
		return 0, false
	}
	if now >= end {
		// It does not keep up. What was due until now was not sent at all, so no latency
		// tells of it.
		left := (end.Seconds()*o.Rate - turn) / float64(o.Clients)
		w.Meter.unsent.Add(uint64(math.Ceil(left)))
		return 0, false
	}
	return due, true
}

// turn is which append of the whole schedule is number n of this client.
func (w *worker) turn(n uint64) float64 {
	return float64(n)*float64(w.Clients) + float64(w.client)
}

// send appends the next value.
func (w *worker) send(due time.Duration, counts bool) {
	s := &w.slots[(w.head+w.count)%len(w.slots)]
	session := w.current()
	if session == nil {
		return // interrupted
	}
	s.session, s.due, s.counts, s.place = session, due, counts, w.next
	w.next.N++
	w.next.Seq++
	w.lastAt = w.Clock.Now()
	s.value = w.Fill(s.value, s.place)
	a, err := session.Append(context.Background(), s.value)
	if err != nil {
		w.failed(s, err)
		return
	}
	w.Sent.Add(1)
	s.answer = a
	w.count++
}

// current is the session, a new one if the last one ended.
func (w *worker) current() Session {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.interrupted {
		return nil
	}
	if w.session == nil {
		w.session = w.Open(w.client)
		w.next.Session++
		w.next.Seq = 0
	}
	return w.session
}

// reap takes the answers that are there, in order.
func (w *worker) reap() {
	for w.count > 0 {
		s := &w.slots[w.head]
		select {
		case <-s.answer.Done():
		default:
			return
		}
		r, err := s.answer.Wait(context.Background())
		now := w.Clock.Now()
		w.head = (w.head + 1) % len(w.slots)
		w.count--
		s.answer = nil
		if err != nil {
			w.failed(s, err)
			continue
		}
		if s.counts {
			w.Meter.answered(w.client, now-s.due, now)
		}
		w.Answered.Add(1)
		if w.Watch != nil {
			if err := w.Watch.Answered(s.place, s.value, r); err != nil {
				w.Stop(err)
			}
		}
	}
}

// failed notes a failure, which ended the session: the next append gets another.
func (w *worker) failed(s *slot, err error) {
	if w.Watch != nil {
		w.Watch.Failed(s.place, s.value, err)
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
	w.Meter.failed(err)
	if w.Fatal != nil && w.Fatal(err) {
		w.Stop(err)
	}
}
