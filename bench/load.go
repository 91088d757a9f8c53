package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/paxlog/paxlog/internal/load"
)

// scenario is a closed loop: each client sends the next value as soon as it has
// fewer than inflight unanswered. With a rate it is an open loop: appends are due on a
// schedule, and latency counts from when each was due.
type scenario struct {
	Name     string `json:"scenario"`
	Clients  int    `json:"clients"`
	Conns    int    `json:"conns"`
	Inflight int    `json:"inflight"`
}

func (sc scenario) name() string { return sc.Name }

// openInflight bounds what one client of an open loop has unanswered.
const openInflight = 64

// open is the scenario as an open loop.
func (sc scenario) open() scenario {
	sc.Name, sc.Inflight = sc.Name+", open", openInflight
	return sc
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
	P999      float64 `json:"p999_ms"`
	Max       float64 `json:"max_ms"`
	Unsent    uint64  `json:"unsent"` // were due, and were not sent at all: the rate was not kept up
	Errors    uint64  `json:"errors"`
	// Processor time for each append, warm-up included: of the system's processes
	// together, and of the load generator with the system's client library.
	ServerCPU float64 `json:"server_cpu_us"`
	ClientCPU float64 `json:"client_cpu_us"`
	PeakMB    float64 `json:"peak_rss_mb"` // of its largest process, until then

	sent, answered uint64 // warm-up included
	first          error
}

// run loads a system with values of size bytes, while a counter counts unless it is
// nil. It returns an error if not even a connection can be had.
func (sc scenario) run(ctx context.Context, s system, size int, warmup, duration time.Duration, c *counter) (measured, error) {
	return sc.runWith(ctx, s, size, load.Config{Warmup: warmup, Duration: duration}, c)
}

// runWith runs with so much of the configuration as is not the scenario's.
func (sc scenario) runWith(ctx context.Context, s system, size int, config load.Config, count *counter) (m measured, err error) {
	values, err := load.NewValues(size)
	if err != nil {
		return measured{}, err
	}
	var conns []conn
	defer func() {
		for _, c := range conns {
			c.close()
		}
	}()
	for range sc.Conns {
		c, err := s.dial(ctx)
		if err != nil {
			return measured{}, fmt.Errorf("%s: connecting: %w", s.name(), err)
		}
		conns = append(conns, c)
	}
	// What is under way at the end is waited for, but not for ever.
	ctx, cancel := context.WithTimeout(ctx, config.Warmup+config.Duration+patience)
	defer cancel()
	config.Clients, config.Inflight, config.Fill = sc.Clients, sc.Inflight, values.Fill
	config.Open = func(client int) load.Session { return conns[client%len(conns)].session() }
	l := load.New(config)
	// It counts while the connections are open: their figures go with them.
	if count != nil {
		if err := count.start(); err != nil {
			return measured{}, err
		}
		defer count.close()
	}
	l.Run(ctx)
	if count != nil {
		err = count.stop()
	}
	return sum(l, size), errors.Join(err, context.Cause(ctx))
}

// sum is what a load measured.
func sum(l *load.Load, size int) measured {
	latency, _ := l.Meter.Take()
	failed, first := l.Meter.Errors()
	r := load.NewResult(latency, max(l.Duration, l.Elapsed()), size, failed)
	ms := func(v *float64) float64 {
		if v == nil {
			return 0
		}
		return *v
	}
	return measured{
		Appends: r.Appends, Seconds: r.Seconds, PerSecond: r.PerSecond, P50: ms(r.P50), P99: ms(r.P99), P999: ms(r.P999), Max: ms(r.Max), Errors: failed,
		Unsent: l.Meter.Unsent(),
		sent:   l.Sent.Load(), answered: l.Answered.Load(), first: first,
	}
}

// millis is a percentile in milliseconds.
func millis(h *hdrhistogram.Histogram, percentile float64) float64 {
	return float64(h.ValueAtPercentile(percentile)) / 1e6
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
