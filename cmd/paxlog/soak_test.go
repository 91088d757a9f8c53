package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/internal/load"
	"github.com/paxlog/paxlog/paxos"
)

// TestSoak puts 70% of the highest rate on a cluster and kills its leader again and again.
// Every answered append is in the log then, once and in order, and processes that were not
// killed have not grown. PAXLOG_SOAK=30m is the long run, with a leader killed each minute.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("it puts a load on a cluster")
	}
	if runtime.GOOS != "linux" {
		t.Skip("what a process takes is read from /proc")
	}
	long, every := 6*time.Second, 2*time.Second
	if text := os.Getenv("PAXLOG_SOAK"); text != "" {
		var err error
		if long, err = time.ParseDuration(text); err != nil {
			t.Fatalf("PAXLOG_SOAK: %v", err)
		}
		every = min(time.Minute, long/3)
	}
	k := cluster.New(t, 3, 2, 2)
	c := k.Client(client.WithTimeout(time.Minute))
	k.Leader(c)
	rate := soak(t, k, 3*time.Second, 0).wait() * 7 / 10
	running := soak(t, k, long, rate)
	var samples []map[paxos.NodeID]takes
	for killed := 0; ; killed++ {
		select {
		case <-running.done:
			t.Logf("%.0f appends/s for %v, %d leaders killed", rate, long, killed)
			running.wait()
			compareSamples(t, k, samples)
			return
		case <-time.After(every):
		}
		samples = append(samples, sample(t, k))
		leader := k.Leader(c)
		if log := k.Kill(leader); strings.Contains(log, "panic") {
			t.Fatalf("%s had panicked:\n%s", leader, log)
		}
		k.Start(leader)
	}
}

// takes is what a process takes.
type takes struct{ rss, descriptors, threads int }

// sample looks at the processes that are not killed.
func sample(t *testing.T, k *cluster.Cluster) map[paxos.NodeID]takes {
	t.Helper()
	out := map[paxos.NodeID]takes{}
	for _, id := range k.IDs() {
		if id[0] == 'p' {
			continue
		}
		proc := filepath.Join("/proc", strconv.Itoa(k.Process(id).PID()))
		status, err := os.ReadFile(filepath.Join(proc, "status"))
		if err != nil {
			t.Fatal(err)
		}
		open, err := os.ReadDir(filepath.Join(proc, "fd"))
		if err != nil {
			t.Fatal(err)
		}
		s := takes{descriptors: len(open)}
		for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ":")
			n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB")) // others are no numbers
			switch name {
			case "VmRSS":
				s.rss = n << 10
			case "Threads":
				s.threads = n
			}
		}
		out[id] = s
	}
	return out
}

// Bounds of what a process that serves 64 connections may take.
const (
	soakGoroutines  = 400
	soakDescriptors = 400
	soakGrowth      = 64 << 20 // of the last third above the one before
)

// compareSamples compares what processes took early and late, and counts their goroutines.
func compareSamples(t *testing.T, k *cluster.Cluster, samples []map[paxos.NodeID]takes) {
	t.Helper()
	third := len(samples) / 3
	most := func(id paxos.NodeID, part []map[paxos.NodeID]takes) (m takes) {
		for _, s := range part {
			m = takes{max(m.rss, s[id].rss), max(m.descriptors, s[id].descriptors), max(m.threads, s[id].threads)}
		}
		return m
	}
	for id := range samples[0] {
		before, after := most(id, samples[third:2*third]), most(id, samples[2*third:])
		goroutines := countGoroutines(t, k, id)
		t.Logf("%s: %d MiB, %d descriptors, %d threads; in the last third %d MiB, %d, %d; %d goroutines", id,
			before.rss>>20, before.descriptors, before.threads, after.rss>>20, after.descriptors, after.threads, goroutines)
		if third > 2 && after.rss > before.rss+soakGrowth {
			t.Errorf("%s grew from %d to %d MiB", id, before.rss>>20, after.rss>>20)
		}
		if after.descriptors > soakDescriptors || goroutines > soakGoroutines {
			t.Errorf("%s has %d descriptors and %d goroutines", id, after.descriptors, goroutines)
		}
	}
}

// countGoroutines ends a process with SIGABRT, at which the runtime shows its goroutines.
func countGoroutines(t *testing.T, k *cluster.Cluster, id paxos.NodeID) int {
	t.Helper()
	p := k.Process(id)
	k.Signal(id, syscall.SIGABRT)
	if _, err := p.Exit(); err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	n := strings.Count(p.Stderr(), "\ngoroutine ")
	if n == 0 {
		t.Errorf("%s: SIGABRT shows no goroutine", id)
	}
	return n
}

// soaking is a bench under way.
type soaking struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  bytes.Buffer
	errs bytes.Buffer
	err  error
	done chan struct{}
}

// soak starts a bench of 64 clients on as many connections, at a rate, or as fast as they
// can if that is 0.
func soak(t *testing.T, k *cluster.Cluster, long time.Duration, rate float64) *soaking {
	t.Helper()
	args := []string{"bench", "--config", k.File, "--clients", "64", "--conns", "64", "--size", "64", "--check",
		"--timeout", "1m", "--duration", long.String(), "-o", "json"}
	if rate > 0 {
		args = append(args, "--rate", fmt.Sprintf("%.0f", rate))
	}
	s := &soaking{t: t, cmd: exec.Command(cluster.Binary(t), args...), done: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.errs
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	return s
}

// wait waits until the bench has ended, and has checked the log, and returns its rate.
func (s *soaking) wait() float64 {
	s.t.Helper()
	<-s.done
	var r struct {
		Rate   float64 `json:"appends_per_s"`
		Errors int     `json:"errors"`
	}
	if err := json.Unmarshal(s.out.Bytes(), &r); err != nil || s.err != nil || r.Errors > 0 || !strings.Contains(s.errs.String(), "checked: all") {
		s.t.Fatalf("bench: %v, %v\n%s%s", s.err, err, s.out.String(), s.errs.String())
	}
	s.t.Logf("bench: %s", strings.TrimSpace(s.out.String()))
	return r.Rate
}

// TestManySessions appends one entry in each of many sessions. Each is remembered until
// others push it out, and none makes the next one slower: PAXLOG_SESSIONS=10000000 is the
// long run, whose parts are told. What else a machine does in a quarter of an hour changes rates by
// more than that, so it ends with pairs: some more sessions here, and as many in a cluster that has seen few.
func TestManySessions(t *testing.T) {
	if testing.Short() {
		t.Skip("it puts a load on a cluster")
	}
	const parts = 10
	sessions := cluster.Number(t, "PAXLOG_SESSIONS", 20_000)
	clients := manyClients(t)
	for part := range parts {
		t.Logf("part %d: %d sessions, %.0f/s", part, sessions/parts, rateOfSessions(t, clients, sessions/parts))
	}
	if sessions < 1_000_000 {
		return
	}
	const more, pairs = 100_000, 5
	fresh := manyClients(t)
	rateOfSessions(t, fresh, more)
	var ratios []float64
	for range pairs {
		ratios = append(ratios, rateOfSessions(t, clients, more)/rateOfSessions(t, fresh, more))
	}
	slices.Sort(ratios)
	t.Logf("after %d sessions the rate is %.2f of that after few (median of %d pairs, %.2f to %.2f)", sessions, ratios[pairs/2], pairs, ratios[0], ratios[pairs-1])
}

// manyClients are clients of a new cluster.
func manyClients(t *testing.T) (clients []*client.Client) {
	k := cluster.New(t, 3, 2, 1)
	for range 16 {
		clients = append(clients, k.Client(client.WithTimeout(time.Minute)))
	}
	k.Leader(clients[0])
	return clients
}

// rateOfSessions appends one entry in each of n sessions, and returns how many were answered in a second.
func rateOfSessions(t *testing.T, clients []*client.Client, n int) float64 {
	t.Helper()
	o := &outcomes{}
	l := load.New(load.Config{
		Clients: 512, Inflight: 1, Total: uint64(n), Watch: o,
		Open: func(n int) load.Session { return onceEach{clients[n%len(clients)]} },
		Fill: func(_ []byte, p load.Place) []byte { return fmt.Appendf(nil, "%d/%d", p.Client, p.Seq) },
	})
	l.Run(context.Background())
	if len(o.failures) > 0 || o.answered != n {
		t.Fatalf("%d of %d answered; %v", o.answered, n, o.failures)
	}
	return float64(o.answered) / l.Elapsed().Seconds()
}

// onceEach appends every entry in a session of its own.
type onceEach struct{ c *client.Client }

// Append implements load.Session.
func (o onceEach) Append(ctx context.Context, value []byte) (load.Answer, error) {
	s := o.c.NewSession()
	p, err := s.AppendAsync(ctx, value)
	if err != nil {
		return nil, err
	}
	return oneAnswer{p, s}, nil
}

// End implements load.Session: each session ends with its answer.
func (o onceEach) End(error) {}

// oneAnswer is the answer of a session's only append.
type oneAnswer struct {
	*client.Pending
	session *client.Session
}

// Wait implements load.Answer.
func (a oneAnswer) Wait(ctx context.Context) (client.Result, error) {
	defer a.session.End(errEnd)
	return a.Pending.Wait(ctx)
}

// outcomes counts what became of appends.
type outcomes struct {
	mu       sync.Mutex
	answered int
	failures []error
}

// Answered implements load.Watcher.
func (o *outcomes) Answered(load.Place, []byte, client.Result) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answered++
	return nil
}

// Failed implements load.Watcher.
func (o *outcomes) Failed(_ load.Place, _ []byte, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failures = append(o.failures, err)
}
