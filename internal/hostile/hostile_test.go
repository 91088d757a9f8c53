package hostile_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/internal/hostile"
	"github.com/paxlog/paxlog/paxos"
)

// Budgets of the cluster that is attacked, and what a process may grow beyond them: what waits
// for clients may be there as a message and as a frame, and a store has two memtables, which are
// small when it starts: what honest clients append fills them, at processes that nobody attacks, too.
const (
	connQueue   = 8 << 20
	clientQueue = 32 << 20
	inbox       = 16 << 20
	appends     = 16 << 20 // of a proposer
	pages       = 16 << 20 // of a learner, under way for clients
	memtables   = 2 * 32 << 20
	budgets     = 2*clientQueue + inbox + max(appends, pages) + memtables
	growth      = 64 << 20
	// logs is how much a process may log of all attacks.
	logs = 64 << 10
)

// TestHostile attacks a cluster of processes in every way, one after the other, while four clients
// append and one tails. Nobody is deposed, ends, or grows beyond its budgets; appends go on during
// each attack; and nothing is lost or repeated. PAXLOG_HOSTILE=10s is how long each attack lasts:
// then the cluster has the timeouts that it would have, and the rate of appends during each attack is
// compared with the one beside as many busy loops as processes are attacked, PAXLOG_PAIRS times.
func TestHostile(t *testing.T) { besiege(t, hostile.Kinds) }

// TestHostileWithTLS is TestHostile where connections need TLS: those that attack as clients have the
// certificate of one, and strangers have none. A short run leaves out what is no different without.
func TestHostileWithTLS(t *testing.T) {
	kinds := hostile.Kinds
	if os.Getenv("PAXLOG_HOSTILE") == "" {
		kinds = slices.DeleteFunc(slices.Clone(kinds), func(k hostile.Kind) bool {
			return !slices.Contains([]string{"status", "slow", "garbage", "handshakes"}, k.Name)
		})
	}
	besiege(t, kinds, cluster.Made(secured))
}

// secured has the connections of a cluster need TLS, and its directories initialised.
func secured(k *cluster.Cluster) {
	f, err := os.OpenFile(k.File, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(strings.Replace(k.Must("cert", "ca", "--config", k.File), "mode: accept", "mode: require", 1))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		panic(err) // of a test: there is nothing else to do
	}
	k.Must("cert", "node", "--config", k.File)
	k.Must("cert", "client", "--config", k.File)
	if k.Config, err = config.Load(k.File); err != nil {
		panic(err)
	}
	for _, id := range k.IDs() {
		if id[0] != 'p' {
			k.Must("init", "--config", k.File, "--id", string(id), "--data", k.Data(id))
		}
	}
}

// besiege is TestHostile.
func besiege(t *testing.T, kinds []hostile.Kind, opts ...cluster.Option) {
	if runtime.GOOS != "linux" {
		t.Skip("what a process takes is read from /proc")
	}
	long, pairs := 1500*time.Millisecond, 0
	if text := os.Getenv("PAXLOG_HOSTILE"); text != "" {
		var err error
		if long, err = time.ParseDuration(text); err != nil {
			t.Fatalf("PAXLOG_HOSTILE: %v", err)
		}
		if pairs, err = strconv.Atoi(cmp.Or(os.Getenv("PAXLOG_PAIRS"), "1")); err != nil {
			t.Fatalf("PAXLOG_PAIRS: %v", err)
		}
	}
	opts = append(opts, cluster.With(func(c *config.Cluster) {
		c.Limits.ConnQueueBytes, c.Limits.ClientQueueBytes, c.Limits.InboxBytes, c.Limits.QueueBytes = connQueue, clientQueue, inbox, appends
		if pairs == 0 { // a machine that is busy must not be taken for an attack that succeeded
			c.Timeouts.Heartbeat, c.Timeouts.ElectionMin, c.Timeouts.ElectionMax, c.Timeouts.Stall = 200*time.Millisecond, 3*time.Second, 6*time.Second, 30*time.Second
		}
	}))
	k := cluster.New(t, 3, 2, 2, opts...)
	c := k.Client(client.WithTimeout(time.Minute))
	k.Leader(c)
	s := &siege{Cluster: k, client: c, long: long, pairs: pairs}
	s.load = cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 4, Bytes: 100})
	tailed := tail(t, k)
	s.load.Await(200, "before any attack")
	s.session = longSession(t, k)
	s.before = sample(t, k, "VmRSS")
	if pairs > 0 {
		t.Logf("appends a second while nobody attacks: %.0f", rate(s.load, long))
	}
	for _, kind := range kinds {
		t.Run(kind.Name, func(t *testing.T) { s.attack(t, kind) })
	}
	for _, id := range k.IDs() {
		log := k.Process(id).Stderr()
		if len(log) > logs {
			t.Errorf("%s has logged %d bytes", id, len(log))
		}
		for _, wrong := range []string{"panic", "DATA RACE"} {
			if at := strings.Index(log, wrong); at >= 0 {
				t.Errorf("%s: %s", id, log[at:min(len(log), at+4000)])
			}
		}
	}
	k.Check(s.load)
	if err := tailed(); err != nil {
		t.Error(err)
	}
}

// siege is a cluster that is attacked, and who uses it meanwhile.
type siege struct {
	*cluster.Cluster
	client  *client.Client
	load    *cluster.Load
	session paxos.SessionID
	before  map[paxos.NodeID]int // their memory
	long    time.Duration
	pairs   int
}

// attack is one kind of attack, and what becomes of everybody else meanwhile.
func (s *siege) attack(t *testing.T, kind hostile.Kind) {
	s.forgetPeaks(t)
	order := order{Kind: kind.Name, File: s.File, Session: s.session}
	if s.pairs == 0 {
		leader := s.Leader(s.client)
		a := attack(t, order)
		<-time.After(s.long)
		s.load.Await(20, "during the attack: "+kind.Does)
		a.stop()
		s.leads(t, leader)
	}
	for range s.pairs {
		leader := s.Leader(s.client)
		a, used := attack(t, order), s.processors()
		attacked := rate(s.load, s.long)
		by := used()
		taken := a.stop()
		s.leads(t, leader) // busy loops may depose it, too
		<-time.After(5 * time.Second)
		after := rate(s.load, s.long)
		stop := spin(t, len(s.IDs()))
		beside := rate(s.load, s.long)
		stop()
		t.Logf("appends a second: %.0f attacked, %.0f beside %d busy loops: ratio %.2f; %.0f after 5 s; the attacker took %.2f processors, those it attacked %s",
			attacked, beside, len(s.IDs()), attacked/beside, after, taken, by)
	}
	s.load.Await(100, "after the attack: "+kind.Does)
	s.grown(t)
}

// processors begins to count what each process takes. What it returns says how many processors that was.
func (s *siege) processors() (used func() string) {
	began, before := time.Now(), s.busy()
	return func() string {
		var out []string
		for _, id := range s.IDs() {
			out = append(out, fmt.Sprintf("%s %.2f", id, (s.busy()[id]-before[id]).Seconds()/time.Since(began).Seconds()))
		}
		return strings.Join(out, ", ")
	}
}

// busy is the processor time that each process has had.
func (s *siege) busy() map[paxos.NodeID]time.Duration {
	out := map[paxos.NodeID]time.Duration{}
	for _, id := range s.IDs() {
		stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.Process(id).PID()), "stat"))
		if err != nil {
			continue // it has ended, which others tell
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // from the third one on
		for _, field := range fields[11:13] {                                     // user and system time, in hundredths of a second
			n, _ := strconv.Atoi(field)
			out[id] += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return out
}

// leads fails if another one leads than before.
func (s *siege) leads(t *testing.T, before paxos.NodeID) {
	t.Helper()
	if now := s.Leader(s.client); now != before {
		t.Errorf("%s was deposed, and %s leads", before, now)
	}
}

// forgetPeaks has the most that a process has had of memory begin with what it has now.
func (s *siege) forgetPeaks(t *testing.T) {
	t.Helper()
	for _, id := range s.IDs() {
		if err := os.WriteFile(filepath.Join("/proc", strconv.Itoa(s.Process(id).PID()), "clear_refs"), []byte("5"), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// grown fails if a process has grown by more than its budgets since the start, at any moment of
// the attack.
func (s *siege) grown(t *testing.T) {
	t.Helper()
	most, who := 0, paxos.NodeID("")
	for id, peak := range sample(t, s.Cluster, "VmHWM") {
		if peak-s.before[id] > most {
			most, who = peak-s.before[id], id
		}
		if peak > s.before[id]+budgets+growth && !cluster.IsRace() {
			t.Errorf("%s has grown from %d MiB to %d", id, s.before[id]>>20, peak>>20)
		}
	}
	t.Logf("%s has grown most, by %d MiB", who, most>>20)
}

// longSession is the session of the first entry.
func longSession(t *testing.T, k *cluster.Cluster) paxos.SessionID {
	t.Helper()
	for e, err := range k.Client().Tail(context.Background(), client.TailOptions{From: client.FromIndex(1), Count: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		return e.AppendID.Session
	}
	t.Fatal("the log is empty")
	return paxos.SessionID{}
}

// tail follows the log. What it returns ends that, and says whether entries came in order.
func tail(t *testing.T, k *cluster.Cluster) func() error {
	t.Helper()
	c := k.Client(client.WithTimeout(time.Minute))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		next := client.Index(1)
		for e, err := range c.Tail(ctx, client.TailOptions{Follow: true}) {
			switch {
			case ctx.Err() != nil:
			case err != nil:
				done <- fmt.Errorf("the tail ends: %w", err)
				return
			case e.Index != next:
				done <- fmt.Errorf("index %d comes after %d", e.Index, next-1)
				return
			}
			next++
		}
		if next < 100 {
			done <- fmt.Errorf("%d entries were tailed", next-1)
			return
		}
		done <- nil
	}()
	return func() error {
		cancel()
		return <-done
	}
}

// rate is how many appends a second are answered.
func rate(l *cluster.Load, long time.Duration) float64 {
	before, _ := l.Tally()
	began := time.Now()
	<-time.After(long)
	after, _ := l.Tally()
	return float64(after-before) / time.Since(began).Seconds()
}

// spin keeps a process busy for each that is attacked: as much as an attack can take of the
// processors.
func spin(t *testing.T, n int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range n {
		loop := exec.CommandContext(ctx, "/bin/sh", "-c", "while :; do :; done")
		if err := loop.Start(); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { _ = loop.Wait() }) // it is killed
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// sample is the memory of each process: a line of its status, in bytes.
func sample(t *testing.T, k *cluster.Cluster, line string) map[paxos.NodeID]int {
	t.Helper()
	out := map[paxos.NodeID]int{}
	for _, id := range k.IDs() {
		p := k.Process(id)
		select {
		case <-p.Done():
			t.Fatalf("%s has ended: %s", id, p.Stderr())
		default:
		}
		status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID()), "status"))
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
			if name, value, _ := strings.Cut(lines.Text(), ":"); name == line {
				n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
				out[id] = n << 10
			}
		}
	}
	return out
}
