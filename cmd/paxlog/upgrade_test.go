package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/load"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// upgradeEntries is how many entries the log has before it is upgraded, unless
// PAXLOG_UPGRADE_ENTRIES says another number.
const upgradeEntries = 20_000

// upgrading is a cluster that is upgraded under a load whose history is checked.
type upgrading struct {
	*mixed
	filled  client.Index // the last entry before the load
	running *load.Load
	values  *load.Values
	answers load.Answers
	cancel  context.CancelFunc
	ended   chan struct{}
}

// servers are all processes of a mixed cluster.
var servers = []paxos.NodeID{"a1", "a2", "a3", "p1", "p2", "l1", "l2"}

// upgradingFrom begins with every process of the older release, and a log that it has written.
func upgradingFrom(t *testing.T) *upgrading {
	u := &upgrading{mixed: newMixed(t, servers...)}
	entries := upgradeEntries
	if text := os.Getenv("PAXLOG_UPGRADE_ENTRIES"); text != "" {
		var err error
		if entries, err = strconv.Atoi(text); err != nil || entries < 1 {
			t.Fatalf("PAXLOG_UPGRADE_ENTRIES=%q", text)
		}
	}
	began := time.Now()
	fill := exec.Command("sh", "-c", fmt.Sprintf("seq -f 'entry %%.0f of the older release' %d | %s append -q --timeout 60s --config %s", entries, u.binary, u.File))
	if out, err := fill.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	u.filled = client.Index(entries)
	t.Logf("%d entries by the older release in %v", entries, time.Since(began).Round(time.Millisecond))
	return u
}

// loadClients are how many clients append meanwhile, and loadPace how fast each does.
const (
	loadClients = 8
	loadPace    = 4 * time.Millisecond
)

func (u *upgrading) startLoad() {
	var err error
	if u.values, err = load.NewValues(100); err != nil {
		u.t.Fatal(err)
	}
	c := u.Client(client.WithTimeout(0))
	u.answers = load.NewAnswers(loadClients)
	u.running = load.New(load.Config{
		Clients: loadClients, Inflight: 4, Pace: loadPace, Grace: time.Minute, Watch: u.answers, Fill: u.values.Fill,
		Open: func(int) load.Session { return load.OwnSession(c) },
	})
	ctx, cancel := context.WithCancel(context.Background())
	u.cancel, u.ended = cancel, make(chan struct{})
	u.t.Cleanup(cancel)
	go func() {
		defer close(u.ended)
		u.running.Run(ctx)
	}()
	u.goesOn("at the beginning")
}

// goesOn waits for more answers.
func (u *upgrading) goesOn(when string) {
	u.t.Helper()
	before := u.running.Answered.Load()
	u.Await("appends are answered "+when, func() bool { return u.running.Answered.Load() > before+50 })
}

// settled waits until every process does its part.
func (u *upgrading) settled() {
	u.t.Helper()
	u.Await("everybody is up", func() bool {
		_, _, first := u.Run("can-i-stop", "a1", "p1", "l1")
		_, _, second := u.Run("can-i-stop", "a2", "p2", "l2")
		return first == command.ExitDone && second == command.ExitDone
	})
}

// check ends the load, and holds the log against what was answered and what was there before.
func (u *upgrading) check() {
	u.t.Helper()
	u.running.Stop(nil)
	<-u.ended
	c := u.Client(client.WithTimeout(time.Minute))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	_, end, err := c.End(ctx)
	if err != nil {
		u.t.Fatal(err)
	}
	found, err := u.answers.Check(u.values, c.Tail(ctx, client.TailOptions{From: client.FromIndex(u.filled + 1), To: end}))
	if err != nil || found != u.running.Answered.Load() {
		u.t.Fatalf("%d of %d answers are in the log: %v", found, u.running.Answered.Load(), err)
	}
	var sums []string
	for _, id := range []string{"l1", "l2"} {
		hash := sha256.New()
		n := client.Index(0)
		for e, err := range u.Client(client.WithLearner(id), client.WithTimeout(time.Minute)).Tail(ctx, client.TailOptions{To: end}) {
			if err != nil {
				u.t.Fatalf("%s: %v", id, err)
			}
			if n++; n <= u.filled && string(e.Value) != fmt.Sprintf("entry %d of the older release", n) || e.Index != n {
				u.t.Fatalf("%s has at place %d, index %d: %q", id, n, e.Index, e.Value)
			}
			fmt.Fprintf(hash, "%d %s %q\n", e.Index, e.AppendID, e.Value)
		}
		sums = append(sums, fmt.Sprintf("%d entries, %x", n, hash.Sum(nil)))
	}
	if sums[0] != sums[1] {
		u.t.Fatalf("the learners differ: %v", sums)
	}
	u.t.Logf("%d answers, all in the log of %d entries", found, end)
}

// judged is what upgrade status says.
func (u *upgrading) judged() (s shapes.Upgrade) {
	u.t.Helper()
	if err := json.Unmarshal([]byte(u.Must("upgrade", "status", "-o", "json")), &s); err != nil {
		u.t.Fatal(err)
	}
	return s
}

// refused expects that finalize names these processes, and does nothing.
func (u *upgrading) refused(names ...paxos.NodeID) {
	u.t.Helper()
	_, errs, code := u.Run("upgrade", "finalize", "--yes")
	if code != command.ExitFailed || !strings.Contains(errs, "the level stays 0, nothing was done") {
		u.t.Fatalf("exit %d: %s", code, errs)
	}
	for _, id := range servers {
		if told := strings.Contains(errs, string(id)+" "); told != slices.Contains(names, id) {
			u.t.Errorf("%s told: %v: %s", id, told, errs)
		}
	}
}

// isFinal expects what is so after finalize: the level, the formats, and that the older release
// takes part no more, which says why.
func (u *upgrading) isFinal() {
	u.t.Helper()
	s := u.judged()
	if s.Level != control.Level || s.To != s.Level || s.Log == nil || len(s.Changes)+len(s.Obstacles) > 0 {
		u.t.Errorf("after finalize: %+v", s)
	}
	for _, p := range s.Processes {
		if p.Role != "proposer" && (p.Format == nil || *p.Format != 4 || *p.Converts != 4) {
			u.t.Errorf("%s: format %s, %s", p.ID, shapes.OrDash(p.Format), shapes.OrDash(p.Converts))
		}
	}
	if out := u.Must("upgrade", "finalize", "--yes"); !strings.Contains(out, "nothing to do: log "+*s.Log+" has level") {
		u.t.Errorf("once more: %s", out)
	}
	if out, code := u.byOld("append", "--timeout", "5s", "--config", u.File, "x"); code == command.ExitDone || !strings.Contains(out, "was begun by a newer release") {
		u.t.Errorf("an older client: exit %d: %s", code, out)
	}
	for _, id := range []paxos.NodeID{"a1", "l2"} {
		u.stop(id)
		role := map[byte]string{'a': "acceptor", 'l': "learner"}[id[0]]
		if out, code := u.byOld(role, "--config", u.File, "--id", string(id), "--data", u.Data(id)); code != command.ExitFailed || !strings.Contains(out, "has format 4, this program knows format 3") {
			u.t.Errorf("an older program at %s: exit %d: %s", id, code, out)
		}
		u.Start(id)
		u.goesOn(fmt.Sprintf("after an older program was refused at %s", id))
	}
	u.replace("p2", true)
	u.Await("an older proposer says why it is refused", func() bool { return strings.Contains(u.Process("p2").Stderr(), "was begun by a newer release") })
	u.replace("p2", false)
	u.goesOn("after an older proposer was refused")
	u.settled()
}

// TestUpgrade: under a load, every process of a cluster of the older release is replaced, one
// at a time. Half-way all go back, with what the newer ones have written. They are replaced again, and
// the log gets its level. No append fails, and none is lost or there twice.
func TestUpgrade(t *testing.T) {
	u := upgradingFrom(t)
	s := u.judged()
	if s.Level != 0 || s.To != control.Level || s.Log != nil || s.Ready || len(s.Obstacles) != len(servers) || len(s.Changes) < 3 {
		t.Errorf("before: %+v", s)
	}
	u.refused(servers...)
	u.startLoad()
	half := []paxos.NodeID{"a1", "l1", "p1", "a2"}
	replace := func(older bool, ids ...paxos.NodeID) {
		for _, id := range ids {
			u.settled()
			u.replace(id, older)
			u.goesOn(fmt.Sprintf("after %s was replaced (older: %v)", id, older))
		}
	}
	replace(false, half...)
	u.settled()
	u.refused("a3", "p2", "l2")
	slices.Reverse(half)
	replace(true, half...)
	replace(false, "p2", "a2", "l2", "a3", "l1", "a1")
	u.settled()
	u.refused("p1")
	u.stop("p1")
	u.refused("p1") // not up
	u.install("p1", false)
	u.Start("p1")
	u.settled()
	if s := u.judged(); !s.Ready || len(s.Changes) < 3 || s.Level != 0 {
		t.Errorf("ready: %+v", s)
	}
	began := time.Now()
	out := u.Must("upgrade", "finalize", "--yes")
	t.Logf("finalized in %v: %s", time.Since(began).Round(time.Millisecond), out)
	if !strings.Contains(out, "was 0 and is "+strconv.FormatUint(control.Level, 10)) || strings.Contains(out, "not there yet") || !strings.Contains(out, "a1 a2 a3 l1 l2") {
		t.Errorf("finalize: %s", out)
	}
	u.goesOn("after finalize")
	u.isFinal()
	u.check()
	// What the level adds is there, for what was written before it, too.
	if out := u.Must("trim", "--to", "1000", "--yes"); out != "the first index was 1 and is 1000\n" {
		t.Errorf("trim: %s", out)
	}
}
