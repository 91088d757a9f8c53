package hostile_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/internal/hostile"
	"github.com/paxlog/paxlog/paxos"
)

func TestMain(m *testing.M) {
	code := m.Run()
	cluster.RemoveBinary()
	os.Exit(code)
}

// Budgets of the cluster that is attacked, and what a process may grow beyond them. What waits
// in a queue may be there as a message and as a frame; the runtime collects garbage when there
// is as much of it as of what is used, so a process may hold twice its budgets.
const (
	connQueue   = 8 << 20
	clientQueue = 32 << 20
	inbox       = 16 << 20
	growth      = 64 << 20
	appends     = 16 << 20
	pages       = 16 << 20 // under way for clients at once
	budgets     = 2 * (2*clientQueue + inbox + appends + pages)
	// logs is how much a process may log of all attacks.
	logs = 64 << 10
)

// TestHostile attacks a cluster of processes in every way, one after the other, while four clients
// append and one tails. Nobody is deposed, ends, or grows beyond its budgets; appends go on during
// each attack; and nothing is lost or repeated. PAXLOG_HOSTILE=10s is how long each attack lasts:
// then the cluster has the timeouts that it would have, and the rate of appends during each attack is
// compared with the one beside as many busy loops as processes are attacked.
func TestHostile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what a process takes is read from /proc")
	}
	long, measures := 1500*time.Millisecond, false
	if text := os.Getenv("PAXLOG_HOSTILE"); text != "" {
		var err error
		if long, err = time.ParseDuration(text); err != nil {
			t.Fatalf("PAXLOG_HOSTILE: %v", err)
		}
		measures = true
	}
	k := cluster.New(t, 3, 2, 2, cluster.With(func(c *config.Cluster) {
		c.Limits.ConnQueueBytes, c.Limits.ClientQueueBytes, c.Limits.InboxBytes, c.Limits.QueueBytes = connQueue, clientQueue, inbox, appends
		if !measures { // a machine that is busy must not be taken for an attack that succeeded
			c.Timeouts.Heartbeat, c.Timeouts.ElectionMin, c.Timeouts.ElectionMax, c.Timeouts.Stall = 200*time.Millisecond, 3*time.Second, 6*time.Second, 30*time.Second
		}
	}))
	c := k.Client(client.WithTimeout(time.Minute))
	leader := k.Leader(c)
	load := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 4, Bytes: 100})
	tailed := tail(t, k)
	load.Await(200, "before any attack")
	target := &hostile.Target{Cluster: k.Config, Session: longSession(t, k)}
	before := sample(t, k)
	quiet := 0.0
	if measures {
		quiet = rate(load, long)
	}
	for _, kind := range hostile.Kinds {
		t.Run(kind.Name, func(t *testing.T) {
			used := cpu(t)
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			wg.Go(func() { kind.Run(ctx, target) })
			attacked := 0.0
			if measures {
				attacked = rate(load, long)
			} else {
				<-time.After(long)
				load.Await(20, "during the attack: "+kind.Does)
			}
			taken := (cpu(t) - used) / long.Seconds()
			grown(t, k, before)
			cancel()
			wg.Wait()
			load.Await(100, "after the attack: "+kind.Does)
			if now := k.Leader(c); now != leader {
				t.Errorf("%s was deposed, and %s leads", leader, now)
				leader = now
			}
			if measures {
				<-time.After(5 * time.Second)
				after := rate(load, long)
				stop := spin(t, len(k.IDs()))
				beside := rate(load, long)
				stop()
				t.Logf("appends a second: %.0f without, %.0f attacked, %.0f beside %d busy loops: ratio %.2f; %.0f after 5 s; the attackers took %.2f processors",
					quiet, attacked, beside, len(k.IDs()), attacked/beside, after, taken)
			}
		})
	}
	for _, id := range k.IDs() {
		log := k.Process(id).Stderr()
		if len(log) > logs {
			t.Errorf("%s has logged %d bytes", id, len(log))
		}
		if strings.Contains(log, "panic") {
			t.Errorf("%s has panicked", id)
		}
	}
	grown(t, k, before)
	k.Check(load)
	if err := tailed(); err != nil {
		t.Error(err)
	}
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

// cpu is the processor time of this process, in seconds.
func cpu(t *testing.T) float64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
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

// sample is the memory of each process.
func sample(t *testing.T, k *cluster.Cluster) map[paxos.NodeID]int {
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
			if name, value, _ := strings.Cut(lines.Text(), ":"); name == "VmRSS" {
				n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
				out[id] = n << 10
			}
		}
	}
	return out
}

// grown fails if a process has grown by more than its budgets.
func grown(t *testing.T, k *cluster.Cluster, before map[paxos.NodeID]int) {
	t.Helper()
	most := 0
	for id, now := range sample(t, k) {
		most = max(most, now-before[id])
		if now > before[id]+budgets+growth {
			t.Errorf("%s has grown from %d MiB to %d", id, before[id]>>20, now>>20)
		}
	}
	t.Logf("the process that has grown most has by %d MiB", most>>20)
}
