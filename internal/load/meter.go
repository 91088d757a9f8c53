package load

import (
	"errors"
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

// NewHistogram is one of latencies in nanoseconds, to three digits.
func NewHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(meterLeast, meterMost, meterDigits)
}

// Meter collects what clients measure, from any goroutine.
type Meter struct {
	shards [meterShards]struct {
		sync.Mutex
		latency *hdrhistogram.Histogram
	}
	last    atomic.Int64 // when the latest of the answers came
	errors  atomic.Uint64
	told    atomic.Uint64 // errors that Take returned
	unsent  atomic.Uint64 // due on the schedule, and not sent in time
	unknown atomic.Bool   // an append that failed may have been appended
	mu      sync.Mutex
	first   error
}

func newMeter() *Meter {
	m := &Meter{}
	for i := range m.shards {
		m.shards[i].latency = NewHistogram()
	}
	return m
}

// answered counts an append of a client that took so long and was answered now.
func (m *Meter) answered(client int, took, now time.Duration) {
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
func (m *Meter) failed(err error) {
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

// Take returns the latencies and the number of errors since the last Take. One
// goroutine calls it.
func (m *Meter) Take() (latency *hdrhistogram.Histogram, errors uint64) {
	all, fresh := NewHistogram(), NewHistogram()
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

// Errors is how many appends failed, and the first failure.
func (m *Meter) Errors() (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.errors.Load(), m.first
}

// Unknown reports whether an append that failed may have been appended.
func (m *Meter) Unknown() bool { return m.unknown.Load() }

// Unsent is how many appends were due on the schedule, and not sent in time.
func (m *Meter) Unsent() uint64 { return m.unsent.Load() }
