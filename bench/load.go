package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// scenario is a closed loop: each client sends the next value as soon as it has
// fewer than inflight unanswered.
type scenario struct {
	Name     string `json:"scenario"`
	Clients  int    `json:"clients"`
	Conns    int    `json:"conns"`
	Inflight int    `json:"inflight"`
}

// scenarios are those that can be run, in the order of the table.
var scenarios = []scenario{
	{"1 client", 1, 1, 1},
	{"64 clients", 64, 7, 1},
	{"64 connections", 64, 64, 1},
	{"1000 clients", 1000, 100, 1},
	{"pipelined", 8, 8, 512},
}

// measured is what one load did.
type measured struct {
	Appends   int64   `json:"appends"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"appends_per_s"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Max       float64 `json:"max_ms"`
	Errors    uint64  `json:"errors"`
	// Processor time for each append, warm-up included: of the system's processes
	// together, and of the load generator with the system's client library.
	ServerCPU float64 `json:"server_cpu_us"`
	ClientCPU float64 `json:"client_cpu_us"`
	PeakMB    float64 `json:"peak_rss_mb"` // of its largest process, until then

	sent, answered uint64 // warm-up included
	first          error
}

// Latencies are kept in nanoseconds, to three digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(int64(time.Microsecond), int64(time.Hour), 3)
}

// millis is a percentile in milliseconds.
func millis(h *hdrhistogram.Histogram, percentile float64) float64 {
	return float64(h.ValueAtPercentile(percentile)) / 1e6
}

// shards is how many histograms clients share: one for each would take too much
// memory, one for all would make them wait for each other.
const shards = 16

// load is a scenario that runs.
type load struct {
	scenario
	size    int
	warmup  time.Duration
	end     time.Duration // when nothing further is sent
	start   time.Time
	random  []byte
	latency [shards]struct {
		sync.Mutex
		h *hdrhistogram.Histogram
	}
	last           atomic.Int64
	sent, answered atomic.Uint64
	errors         atomic.Uint64
	mu             sync.Mutex
	first          error
}

// randomBytes is what values are cut from: more than compressors look back.
const randomBytes = 4 << 20

func newLoad(s scenario, size int, warmup, duration time.Duration) *load {
	l := &load{scenario: s, size: size, warmup: warmup, end: warmup + duration, random: make([]byte, randomBytes+size)}
	_, _ = rand.NewChaCha8([32]byte{1}).Read(l.random) // it cannot fail
	for i := range l.latency {
		l.latency[i].h = newHistogram()
	}
	return l
}

// run loads a system. It returns an error if not even a connection can be had.
func (l *load) run(ctx context.Context, s system) (measured, error) {
	var conns []conn
	defer func() {
		for _, c := range conns {
			c.close()
		}
	}()
	for range l.Conns {
		c, err := s.dial(ctx)
		if err != nil {
			return measured{}, fmt.Errorf("%s: connecting: %w", s.name(), err)
		}
		conns = append(conns, c)
	}
	// What is under way at the end is waited for, but not for ever.
	ctx, cancel := context.WithTimeout(ctx, l.end+patience)
	defer cancel()
	l.start = time.Now()
	var wg sync.WaitGroup
	for i := range l.Clients {
		wg.Go(func() { l.client(ctx, i, conns[i%len(conns)].stream()) })
	}
	wg.Wait()
	return l.result(), context.Cause(ctx)
}

func (l *load) result() measured {
	h := newHistogram()
	for i := range l.latency {
		h.Merge(l.latency[i].h)
	}
	elapsed := max(l.end, time.Duration(l.last.Load())) - l.warmup
	m := measured{
		Appends: h.TotalCount(), Seconds: elapsed.Seconds(), PerSecond: float64(h.TotalCount()) / elapsed.Seconds(),
		P50: millis(h, 50), P99: millis(h, 99), Max: millis(h, 100), Errors: l.errors.Load(),
		sent: l.sent.Load(), answered: l.answered.Load(), first: l.first,
	}
	return m
}

// slot is an append of a client that is not answered.
type slot struct {
	answer answer
	sentAt time.Duration
	value  []byte
}

// client sends until the time is up, and takes its answers in order.
func (l *load) client(ctx context.Context, id int, s stream) {
	slots := make([]slot, l.Inflight)
	head, count := 0, 0
	for n := uint64(0); ; {
		now := time.Since(l.start)
		if now >= l.end || ctx.Err() != nil {
			break
		}
		if count == len(slots) {
			if !l.take(ctx, id, &slots[head]) {
				return
			}
			head, count = (head+1)%len(slots), count-1
			continue
		}
		free := &slots[(head+count)%len(slots)]
		free.value, free.sentAt = l.value(free.value, id, n), now
		a, err := s.send(ctx, free.value)
		if err != nil {
			l.failed(err)
			return
		}
		l.sent.Add(1)
		free.answer = a
		n, count = n+1, count+1
	}
	for ; count > 0; head, count = (head+1)%len(slots), count-1 {
		if !l.take(ctx, id, &slots[head]) {
			return
		}
	}
}

// value is value n of a client, random but for the first 8 bytes.
func (l *load) value(into []byte, id int, n uint64) []byte {
	if into == nil {
		into = make([]byte, l.size)
	}
	whose := uint64(id)<<40 | n
	copy(into, l.random[(whose*0x9e3779b97f4a7c15)>>32%randomBytes:])
	var stamp [8]byte
	binary.LittleEndian.PutUint64(stamp[:], whose)
	copy(into, stamp[:])
	return into
}

// take waits for one answer. After a failure a client stops.
func (l *load) take(ctx context.Context, id int, s *slot) bool {
	if err := s.answer.wait(ctx); err != nil {
		l.failed(err)
		return false
	}
	l.answered.Add(1)
	now := time.Since(l.start)
	if s.sentAt < l.warmup {
		return true
	}
	shard := &l.latency[id%shards]
	shard.Lock()
	_ = shard.h.RecordValue(max(int64(now-s.sentAt), int64(time.Microsecond))) // within its bounds
	shard.Unlock()
	for last := l.last.Load(); int64(now) > last && !l.last.CompareAndSwap(last, int64(now)); {
		last = l.last.Load()
	}
	return true
}

func (l *load) failed(err error) {
	l.errors.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == nil {
		l.first = err
	}
}

// verify compares how many entries a system holds with what was sent and
// answered.
func verify(ctx context.Context, s system, sent, answered uint64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	n, err := s.count(ctx)
	if err != nil {
		return fmt.Errorf("%s: counting: %w", s.name(), err)
	}
	if n < answered || n > sent {
		return fmt.Errorf("%s: %w: %d were sent, %d answered, and it holds %d", s.name(), errLost, sent, answered, n)
	}
	return nil
}

// errLost says that a system does not hold what it answered.
var errLost = errors.New("entries are missing, or there are too many")
