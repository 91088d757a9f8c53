package main

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paxlog/paxlog/internal/load"
)

// fakeSystem takes a millisecond for an append, and loses every so many.
type fakeSystem struct {
	lose  uint64
	taken atomic.Uint64
	held  atomic.Uint64
}

func (s *fakeSystem) name() string                            { return "fake" }
func (s *fakeSystem) start(context.Context, *processes) error { return nil }
func (s *fakeSystem) dial(context.Context) (conn, error)      { return s, nil }
func (s *fakeSystem) count(context.Context) (uint64, error)   { return s.held.Load(), nil }
func (s *fakeSystem) close()                                  {}
func (s *fakeSystem) session() load.Session                   { return s }
func (s *fakeSystem) End(error)                               {}
func (s *fakeSystem) Append(context.Context, []byte) (load.Answer, error) {
	if n := s.taken.Add(1); s.lose == 0 || n%s.lose != 0 {
		s.held.Add(1)
	}
	time.Sleep(time.Millisecond)
	a := newOutcome()
	a.end(nil)
	return a, nil
}

// TestLoad: what was sent and answered is counted, and a system that lost some of
// it is found out.
func TestLoad(t *testing.T) {
	for _, lose := range []uint64{0, 10} {
		synctest.Test(t, func(t *testing.T) { // whose clock is not that of the machine
			s := &fakeSystem{lose: lose}
			m, err := scenario{"test", 4, 2, 3}.run(t.Context(), s, 100, 20*time.Millisecond, 100*time.Millisecond, nil)
			if err != nil {
				t.Fatal(err)
			}
			if m.sent != s.taken.Load() || m.answered != m.sent || m.Appends == 0 || uint64(m.Appends) >= m.sent || m.P50 < 1 || m.Errors != 0 {
				t.Errorf("got %+v", m)
			}
			if err := verify(t.Context(), s, m.sent, m.answered); (lose == 0) != (err == nil) || err != nil && !errors.Is(err, errLost) {
				t.Errorf("losing one of %d: %v", lose, err)
			}
		})
	}
}

func TestReport(t *testing.T) {
	r := &report{order: []string{"paxlog", "etcd"}, Disk: []disk{{SyncP50: 1, MBPerS: 100}}}
	for run, rate := range []float64{100, 300, 200} {
		for i, name := range r.order {
			c := cell{System: name, Run: run + 1, scenario: scenarios[0], Size: 256}
			c.PerSecond, c.P50, c.P99, c.P999 = rate/float64(i+1), 2, 8*float64(i+1), 20*float64(i+1)
			r.Cells = append(r.Cells, c)
		}
	}
	r.sum()
	var out strings.Builder
	if err := r.print(&out); err != nil {
		t.Fatal(err)
	}
	var etcd string
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, " etcd ") {
			etcd = strings.Join(strings.Fields(line), " ")
		}
	}
	if etcd != "1 client 256 etcd 100 0.0 2.00 16.0 40.0 0 0 0 0 2.00 1.00 0.50 0.50" || !strings.Contains(out.String(), "p50 is 2.00 times that of the bare disk") {
		t.Errorf("got\n%s", out.String())
	}
}

func TestFlags(t *testing.T) {
	opts, err := parse(strings.Fields("-quick -runs 2 -systems etcd,paxlog"))
	if err != nil || opts.runs != 2 || opts.duration != time.Second || len(opts.systems) != 2 || opts.systems[0].name() != "etcd" || len(opts.sizes) != 1 || opts.json != "" {
		t.Errorf("got %+v, %v", opts, err)
	}
	if opts, err = parse(strings.Fields("-rate 50%")); err != nil || !opts.open() || opts.rate(300) != 150 {
		t.Errorf("half the rate: %+v, %v", opts, err)
	}
	if opts, err = parse(strings.Fields("-rate 5000")); err != nil || !opts.open() || opts.rate(300) != 5000 {
		t.Errorf("a rate: %+v, %v", opts, err)
	}
	for _, args := range []string{"-rate x", "-rate 0%", "-rate -1", "-systems zookeeper", "-sizes x", "-runs 0", "x"} {
		if _, err := parse(strings.Fields(args)); err == nil {
			t.Errorf("%s is taken", args)
		}
	}
}
