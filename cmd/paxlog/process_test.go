package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/paxos"
)

// These tests run the real binary as separate processes on loopback, and kill,
// stop and restart them.

var built struct {
	once sync.Once
	path string
	err  error
}

// paxlogBinary builds the program once.
func paxlogBinary(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		dir, err := os.MkdirTemp("", "paxlog-binary-")
		if err != nil {
			built.err = err
			return
		}
		built.path = filepath.Join(dir, "paxlog")
		out, err := exec.Command("go", "build", "-o", built.path, ".").CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// processes is a cluster of separate processes.
type processes struct {
	t    testing.TB
	dir  string
	file string
	c    *config.Cluster

	mu      sync.Mutex
	running map[paxos.NodeID]*child
}

type child struct {
	cmd    *exec.Cmd
	stderr *bytes.Buffer
	done   chan struct{}
}

func newProcesses(t testing.TB, acceptors, proposers, learners int) *processes {
	t.Helper()
	k := &processes{t: t, dir: t.TempDir(), c: config.Defaults(), running: map[paxos.NodeID]*child{}}
	k.c.Name = "process-test"
	add := func(prefix string, n int) (out []config.Node) {
		for i := range n {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			out = append(out, config.Node{ID: paxos.NodeID(fmt.Sprintf("%s%d", prefix, i+1)), Addr: l.Addr().String()})
		}
		return out
	}
	k.c.Acceptors, k.c.Proposers, k.c.Learners = add("a", acceptors), add("p", proposers), add("l", learners)
	k.c.Quorum.Phase1, k.c.Quorum.Phase2 = acceptors/2+1, acceptors/2+1
	yaml, err := k.c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	k.file = filepath.Join(k.dir, "paxlog.yaml")
	if err := os.WriteFile(k.file, yaml, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, id := range k.ids() {
		if id[0] != 'p' {
			k.must("init", "--config", k.file, "--id", string(id), "--data", k.data(id))
		}
	}
	t.Cleanup(func() {
		for _, id := range k.ids() {
			k.kill(id)
		}
	})
	for _, id := range k.ids() {
		k.start(id)
	}
	return k
}

func (k *processes) data(id paxos.NodeID) string { return filepath.Join(k.dir, string(id)) }

func (k *processes) ids() (ids []paxos.NodeID) {
	for _, role := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleProposer, paxos.RoleLearner} {
		for _, n := range k.c.Nodes(role) {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// paxlog runs a command to its end and returns its output and exit code.
func (k *processes) paxlog(args ...string) (stdout, stderr string, code int) {
	k.t.Helper()
	cmd := exec.Command(paxlogBinary(k.t), args...)
	cmd.Dir = k.dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		k.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func (k *processes) must(args ...string) string {
	k.t.Helper()
	out, errs, code := k.paxlog(args...)
	if code != 0 {
		k.t.Fatalf("paxlog %v: exit %d\n%s", args, code, errs)
	}
	return out
}

func (k *processes) start(id paxos.NodeID) {
	k.t.Helper()
	role, _, ok := k.c.Lookup(id)
	if !ok {
		k.t.Fatalf("no %s", id)
	}
	args := []string{role.String(), "--config", k.file, "--id", string(id)}
	if role != paxos.RoleProposer {
		args = append(args, "--data", k.data(id))
	}
	p := &child{cmd: exec.Command(paxlogBinary(k.t), args...), stderr: &bytes.Buffer{}, done: make(chan struct{})}
	p.cmd.Stderr = p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	k.mu.Lock()
	k.running[id] = p
	k.mu.Unlock()
}

// signal sends a signal to a process, if it runs.
func (k *processes) signal(id paxos.NodeID, s syscall.Signal) {
	k.mu.Lock()
	p := k.running[id]
	k.mu.Unlock()
	if p != nil {
		_ = p.cmd.Process.Signal(s)
	}
}

// kill is kill -9; it returns when the process is gone, with what it logged.
func (k *processes) kill(id paxos.NodeID) string {
	k.mu.Lock()
	p := k.running[id]
	delete(k.running, id)
	k.mu.Unlock()
	if p == nil {
		return ""
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return p.stderr.String()
}

func (k *processes) client(opts ...client.Option) *client.Client {
	k.t.Helper()
	peers := func(role paxos.Role) (out []client.Peer) {
		for _, n := range k.c.Nodes(role) {
			out = append(out, client.Peer{ID: string(n.ID), Addr: n.Addr})
		}
		return out
	}
	c, err := client.New(context.Background(), append([]client.Option{
		client.WithCluster(k.c.Name), client.WithAcceptors(peers(paxos.RoleAcceptor)...),
		client.WithProposers(peers(paxos.RoleProposer)...), client.WithLearners(peers(paxos.RoleLearner)...),
	}, opts...)...)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = c.Close() })
	return c
}

// leader waits until somebody leads with a quorum.
func (k *processes) leader(c *client.Client) paxos.NodeID {
	k.t.Helper()
	for began := time.Now(); time.Since(began) < 30*time.Second; {
		s, err := c.Status(context.Background())
		if err != nil {
			k.t.Fatal(err)
		}
		if s.Leader != "" && s.Quorum {
			return paxos.NodeID(s.Leader)
		}
	}
	k.t.Fatal("nobody leads within 30 s")
	return ""
}

// load appends distinct entries from several sessions until stopped, and keeps
// what was answered.
type load struct {
	answers  atomic.Int64
	mu       sync.Mutex
	index    map[string]uint64 // answered
	unknown  map[string]client.UnknownOutcomeError
	seq      map[string]paxos.AppendID
	failures []error
}

// errLoadEnds is the error of what was not sent when the load ended.
var errLoadEnds = errors.New("the load ends")

// run appends in one session after the other; every entry says its place.
func (l *load) run(ctx context.Context, c *client.Client, name string) {
	for life := 0; ctx.Err() == nil; life++ {
		s := c.NewSession()
		var pending []*client.Pending
		var values []string
		for n := 0; ; n++ {
			v := fmt.Sprintf("%s/%d/%d", name, life, n)
			p, err := s.AppendAsync(ctx, []byte(v))
			if err != nil {
				break
			}
			pending, values = append(pending, p), append(values, v)
			if len(pending) >= 8 && !l.settle(ctx, pending[0], values[0]) {
				break
			}
			if len(pending) >= 8 {
				pending, values = pending[1:], values[1:]
			}
		}
		s.End(errLoadEnds)
		for i, p := range pending {
			l.settle(context.Background(), p, values[i])
		}
	}
}

// settle waits for one answer and reports whether the session goes on.
func (l *load) settle(ctx context.Context, p *client.Pending, value string) bool {
	r, err := p.Wait(ctx)
	if errors.Is(err, context.Canceled) {
		return false // settled after the session has ended
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var unknown *client.UnknownOutcomeError
	switch {
	case err == nil:
		l.index[value], l.seq[value] = r.Index, r.AppendID
		l.answers.Add(1)
		return true
	case errors.As(err, &unknown):
		l.unknown[value] = *unknown
	case !errors.Is(err, client.ErrUnavailable) && !errors.Is(err, errLoadEnds):
		l.failures = append(l.failures, err)
	}
	return false
}

// await waits for n more answers.
func (l *load) await(t testing.TB, n int64, why string) {
	t.Helper()
	target := l.answers.Load() + n
	deadline := time.After(60 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for l.answers.Load() < target {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: no progress within a minute (%d answers)", why, l.answers.Load())
		}
	}
}

// TestKilledAndStopped kills -9, stops (SIGSTOP) and restarts every process of a
// cluster in turn and all at once, under load. Afterwards every answered append
// is in both learners' logs, once, at its index; sessions keep their order;
// unknown outcomes are there at most once; there is no gap.
func TestKilledAndStopped(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("PAXLOG_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	rounds := 16
	if s := os.Getenv("PAXLOG_ROUNDS"); s != "" {
		rounds, _ = strconv.Atoi(s)
	}
	t.Logf("seed %d: PAXLOG_SEED=%d go test ./cmd/paxlog -run TestKilledAndStopped (the order of harm repeats; its timing cannot)", seed, seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	k := newProcesses(t, 3, 2, 2)
	c := k.client(client.WithTimeout(20 * time.Second))
	l := &load{index: map[string]uint64{}, unknown: map[string]client.UnknownOutcomeError{}, seq: map[string]paxos.AppendID{}}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			l.run(ctx, c, fmt.Sprintf("c%d", i))
		}()
	}
	l.await(t, 100, "at the start")
	for round := range rounds {
		k.harm(rng, round, l, c)
	}
	stop()
	wg.Wait()
	if len(l.failures) > 0 {
		t.Errorf("unexpected errors: %v", l.failures)
	}
	verifyLogs(t, k, l)
	t.Logf("%d answered, %d unknown", len(l.index), len(l.unknown))
}

// harm does one harm, waits for progress, and undoes it.
func (k *processes) harm(rng *rand.Rand, round int, l *load, c *client.Client) {
	k.t.Helper()
	ids := k.ids()
	victims := []paxos.NodeID{ids[rng.IntN(len(ids))]}
	what := "kill"
	switch round % 4 {
	case 1:
		victims = []paxos.NodeID{k.leader(c)}
	case 2:
		what = "stop"
	case 3:
		if round%8 == 3 {
			victims = ids
		} else {
			victims, what = []paxos.NodeID{k.leader(c)}, "stop"
		}
	}
	name := fmt.Sprintf("round %d: %s %v", round, what, victims)
	for _, id := range victims {
		if what == "kill" {
			if log := k.kill(id); strings.Contains(log, "panic") {
				k.t.Fatalf("%s: it had panicked:\n%s", name, log)
			}
		} else {
			k.signal(id, syscall.SIGSTOP)
		}
	}
	if len(victims) == 1 {
		l.await(k.t, 50, name+", without it")
	}
	for _, id := range victims {
		if what == "kill" {
			k.start(id)
		} else {
			k.signal(id, syscall.SIGCONT)
		}
	}
	l.await(k.t, 50, name+", after it returned")
}

// verifyLogs reads both learners' logs to the end and holds them against l.
func verifyLogs(t *testing.T, k *processes, l *load) {
	t.Helper()
	var logs [2][]string
	// Appends whose outcome is unknown may still be chosen while the logs are read:
	// compare them up to one end.
	_, end, err := k.client(client.WithTimeout(30 * time.Second)).End(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range k.c.Learners {
		one := k.client(client.WithLearner(string(n.ID)), client.WithTimeout(30*time.Second))
		for e, err := range one.Tail(context.Background(), client.TailOptions{To: end}) {
			if err != nil {
				t.Fatal(err)
			}
			logs[i] = append(logs[i], string(e.Value))
			if e.Index != uint64(len(logs[i])) {
				t.Fatalf("%s: index %d at place %d", n.ID, e.Index, len(logs[i]))
			}
		}
	}
	if !slices.Equal(logs[0], logs[1]) {
		t.Fatalf("the learners differ: %d and %d entries", len(logs[0]), len(logs[1]))
	}
	places := map[string]int{}
	next := map[string]int{}
	for i, v := range logs[0] {
		if at, ok := places[v]; ok {
			t.Errorf("%q is at index %d and at %d", v, at, i+1)
		}
		places[v] = i + 1
		session, seq := v[:strings.LastIndexByte(v, '/')], v[strings.LastIndexByte(v, '/')+1:]
		if n, err := strconv.Atoi(seq); err != nil || n != next[session] {
			t.Errorf("%q is where %s/%d should be", v, session, next[session])
		}
		next[session]++
	}
	for v, index := range l.index {
		if places[v] != int(index) {
			t.Errorf("%q was answered with index %d, and is at %d", v, index, places[v])
		}
	}
	for v := range places {
		_, answered := l.index[v]
		_, unknown := l.unknown[v]
		if !answered && !unknown {
			t.Errorf("%q is in the log, though it was said not to be appended", v)
		}
	}
}

// TestFiveProposersSettle: of five that start at once one leads, and its ballot
// stays.
func TestFiveProposersSettle(t *testing.T) {
	k := newProcesses(t, 3, 5, 1)
	c := k.client(client.WithTimeout(20 * time.Second))
	first, err := c.Append(context.Background(), []byte("first"))
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		r, err := c.Append(context.Background(), []byte("next"))
		if err != nil {
			t.Fatal(err)
		}
		if r.Ballot != first.Ballot {
			t.Fatalf("the ballot went from %s to %s", first.Ballot, r.Ballot)
		}
	}
}

// TestWithoutProposers: while no proposer lives, what was chosen can be read and
// tailed, linearizably.
func TestWithoutProposers(t *testing.T) {
	k := newProcesses(t, 3, 2, 2)
	for _, n := range []string{"one", "two", "three"} {
		k.must("append", n)
	}
	k.kill("p1")
	k.kill("p2")
	if out := k.must("tail"); out != "one\ntwo\nthree\n" {
		t.Fatalf("tail: %q", out)
	}
	if out := k.must("read", "2"); out != "two\n" {
		t.Fatalf("read: %q", out)
	}
	if _, errs, code := k.paxlog("read", "4"); code != ExitNoIndex {
		t.Fatalf("reading past the end: exit %d, %s", code, errs)
	}
	if _, errs, code := k.paxlog("append", "--timeout", "300ms", "four"); code != ExitUnavailable {
		t.Fatalf("append without proposers: exit %d, %s", code, errs)
	}
	if _, errs, code := k.paxlog("status"); code != ExitUnavailable {
		t.Fatalf("status: exit %d, %s", code, errs)
	}
}

// TestWipedAcceptorIsRefused: a directory initialised anew under its old id stops
// its process, and the cluster goes on without it.
func TestWipedAcceptorIsRefused(t *testing.T) {
	k := newProcesses(t, 3, 1, 1)
	k.must("append", "one")
	k.kill("a1")
	if err := os.RemoveAll(k.data("a1")); err != nil {
		t.Fatal(err)
	}
	_, errs, code := k.paxlog("acceptor", "--config", k.file, "--id", "a1", "--data", k.data("a1"))
	if code != ExitFailed || !strings.Contains(errs, "may have voted") || strings.Count(errs, "\n") != 1 {
		t.Fatalf("on an empty directory: exit %d, %s", code, errs)
	}
	k.must("init", "--config", k.file, "--id", "a1", "--data", k.data("a1"))
	_, errs, code = k.paxlog("acceptor", "--config", k.file, "--id", "a1", "--data", k.data("a1"), "--log-level", "error")
	if code != ExitFailed || !strings.Contains(errs, "initialised anew") {
		t.Fatalf("initialised anew: exit %d, %s", code, errs)
	}
	k.must("append", "two")
}

// TestStopsInGoodOrder: SIGTERM ends every role with exit code 0, and what was
// accepted is finished.
func TestStopsInGoodOrder(t *testing.T) {
	k := newProcesses(t, 1, 1, 1)
	k.must("append", "one")
	for _, id := range []paxos.NodeID{"p1", "l1", "a1"} {
		p := k.running[id]
		k.signal(id, syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s does not end", id)
		}
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			t.Fatalf("%s: exit %d\n%s", id, code, p.stderr)
		}
	}
}

// BenchmarkFailover kills -9 the leader and measures until a waiting client's
// append is answered. Run it with -benchtime 20x.
func BenchmarkFailover(b *testing.B) {
	k := newProcesses(b, 3, 2, 1)
	c := k.client(client.WithTimeout(30 * time.Second))
	var took []time.Duration
	for range b.N {
		leader := k.leader(c)
		if _, err := c.Append(context.Background(), []byte("before")); err != nil {
			b.Fatal(err)
		}
		k.kill(leader)
		start := time.Now()
		if _, err := c.Append(context.Background(), []byte("after")); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
		k.start(leader)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms-max")
}

// BenchmarkAppend is one client with one append outstanding, beside a bare write
// and fdatasync of 256 bytes on the same disk, in turn.
func BenchmarkAppend(b *testing.B) {
	k := newProcesses(b, 3, 2, 1)
	c := k.client(client.WithTimeout(30 * time.Second))
	f, err := os.Create(filepath.Join(k.dir, "bare"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	value := bytes.Repeat([]byte("x"), 256)
	var appends, bare []time.Duration
	for range b.N {
		start := time.Now()
		if _, err := c.Append(context.Background(), value); err != nil {
			b.Fatal(err)
		}
		appends = append(appends, time.Since(start))
		start = time.Now()
		if _, err := f.Write(value); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
		bare = append(bare, time.Since(start))
	}
	slices.Sort(appends)
	slices.Sort(bare)
	p50a, p50b := appends[len(appends)/2], bare[len(bare)/2]
	b.ReportMetric(float64(p50a.Nanoseconds())/1e6, "ms-append-p50")
	b.ReportMetric(float64(p50b.Nanoseconds())/1e6, "ms-fdatasync-p50")
	b.ReportMetric(float64(p50a)/float64(p50b), "ratio")
}

// TestImpostor: an acceptor initialised anew is stopped also while the one whose
// id it took is alive, and nobody else is disturbed.
func TestImpostor(t *testing.T) {
	k := newProcesses(t, 3, 1, 1)
	k.must("append", "one")
	other := filepath.Join(k.dir, "impostor")
	k.must("init", "--config", k.file, "--id", "a1", "--data", other)
	_, errs, code := k.paxlog("acceptor", "--config", k.file, "--id", "a1", "--data", other, "--listen", "127.0.0.1:0", "--log-level", "error")
	if code != ExitFailed || !strings.Contains(errs, "initialised anew") {
		t.Fatalf("exit %d, %s", code, errs)
	}
	k.must("append", "two")
	if out := k.must("tail"); out != "one\ntwo\n" {
		t.Fatalf("%q", out)
	}
}
