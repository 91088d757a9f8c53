package main

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/paxlog/paxlog/client"
)

// Latencies are kept in nanoseconds, to three digits, in histograms that many
// clients share: one for each would take too much memory.
const (
	meterLeast  = int64(time.Microsecond)
	meterMost   = int64(time.Hour)
	meterDigits = 3
	meterShards = 16
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(meterLeast, meterMost, meterDigits)
}

// meter collects what clients measure, from any goroutine.
type meter struct {
	shards [meterShards]struct {
		sync.Mutex
		latency *hdrhistogram.Histogram
	}
	last    atomic.Int64 // when the latest of the answers came
	errors  atomic.Uint64
	told    atomic.Uint64 // errors that take returned
	unsent  atomic.Uint64 // due on the schedule, and not sent in time
	unknown atomic.Bool   // an append that failed may have been appended
	mu      sync.Mutex
	first   error
}

func newMeter() *meter {
	m := &meter{}
	for i := range m.shards {
		m.shards[i].latency = newHistogram()
	}
	return m
}

// answered counts an append of a client that took so long and was answered now.
func (m *meter) answered(client int, took, now time.Duration) {
	s := &m.shards[client%meterShards]
	s.Lock()
	// The value is within the bounds, so it cannot be refused.
	_ = s.latency.RecordValue(min(max(int64(took), meterLeast), meterMost))
	s.Unlock()
	for last := m.last.Load(); int64(now) > last && !m.last.CompareAndSwap(last, int64(now)); {
		last = m.last.Load()
	}
}

// failed counts an append that failed.
func (m *meter) failed(err error) {
	m.errors.Add(1)
	if errors.Is(err, client.ErrUnknownOutcome) {
		m.unknown.Store(true)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first == nil {
		m.first = err
	}
}

// take returns the latencies and the number of errors since the last take. One
// goroutine calls it.
func (m *meter) take() (latency *hdrhistogram.Histogram, errors uint64) {
	all, fresh := newHistogram(), newHistogram()
	for i := range m.shards {
		s := &m.shards[i]
		s.Lock()
		s.latency, fresh = fresh, s.latency
		s.Unlock()
		all.Merge(fresh)
		fresh.Reset()
	}
	n := m.errors.Load()
	return all, n - m.told.Swap(n)
}

// err is nil if nothing failed, else it says what, and asks for the exit code
// of the worst.
func (m *meter) err() error {
	n := m.errors.Load()
	if n == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	code := codeOf(m.first)
	if m.unknown.Load() {
		code = ExitUnknown
	}
	return exitf(code, "%d of the appends failed; the first: %w", n, m.first)
}

// benchClock is the time of a run, since its beginning.
type benchClock interface {
	now() time.Duration
	// wait returns when that time has come, done is closed, or stop is.
	wait(until time.Duration, done, stop <-chan struct{})
}

// never is a time that does not come.
const never = time.Duration(math.MaxInt64)

// wallClock is the real one.
type wallClock struct{ start time.Time }

func (c wallClock) now() time.Duration { return time.Since(c.start) }

func (c wallClock) wait(until time.Duration, done, stop <-chan struct{}) {
	if until == never && stop == nil {
		<-done // the usual case needs no timer
		return
	}
	d := until - c.now()
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-done:
	case <-stop:
	}
}
