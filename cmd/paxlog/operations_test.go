package main

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// page returns the command lines of a page of docs/operations.md, in order.
func page(t *testing.T, title string) []string { return pageOf(t, "operations.md", title) }

// pageOf is page of another file of docs.
func pageOf(t *testing.T, file, title string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n## "+title+"\n")
	if !found {
		t.Fatalf("docs/%s has no page %q", file, title)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	for line := range strings.Lines(rest) {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			lines = append(lines, strings.TrimSpace(code))
		}
	}
	return lines
}

// follow does what a line says. systemctl is played by signals, and install by what installs.
func follow(t *testing.T, k *cluster.Cluster, line string, installs ...func(from string)) {
	t.Helper()
	line, waits := strings.CutPrefix(line, "until ")
	if waits {
		line = strings.TrimSuffix(line, "; do sleep 1; done")
	}
	words := strings.Fields(line)
	ids := func() (out []paxos.NodeID) {
		for _, w := range words[2:] {
			out = append(out, paxos.NodeID(strings.TrimPrefix(w, "paxlog-")))
		}
		return out
	}
	switch {
	case words[0] == "paxlog" && waits:
		k.Await(line, func() bool {
			_, _, code := k.Run(words[1:]...)
			return code == command.ExitDone
		})
	case words[0] == "paxlog":
		k.Must(words[1:]...)
	case slices.Equal(words[:2], []string{"systemctl", "stop"}):
		for _, id := range ids() {
			p := k.Process(id)
			k.Signal(id, syscall.SIGTERM)
			if code, err := p.Exit(); code != 0 || err != nil {
				t.Fatalf("%s: exit code %d, %v: %s", id, code, err, p.Stderr())
			}
		}
	case slices.Equal(words[:2], []string{"systemctl", "start"}):
		for _, id := range ids() {
			k.Start(id)
		}
	case words[0] == "install" && len(installs) > 0:
		installs[0](words[3])
	default:
		t.Fatalf("this line cannot be followed here: %s", line)
	}
}

// TestHandOverForAReboot follows the page of docs/operations.md under a load: no append
// fails.
func TestHandOverForAReboot(t *testing.T) {
	k := cluster.New(t, 3, 2, 2)
	l := cluster.StartLoad(t, k.Client(client.WithTimeout(0)), cluster.LoadOptions{Clients: 4})
	l.Await(100, "at the beginning")
	k.Await("everything is up", func() bool {
		_, _, code := k.Run("can-i-stop", "a1", "p1", "l1")
		return code == command.ExitDone
	})
	if string(k.Leader(k.Client())) != "p1" { // so that it has something to hand over
		k.Must("leader", "transfer", "--to", "p1")
	}
	lines := page(t, "Hand over for a reboot")
	if len(lines) < 10 {
		t.Fatalf("the page has only %d commands: %q", len(lines), lines)
	}
	for _, line := range lines {
		if line == "paxlog leader transfer --yes --to p2" && string(k.Leader(k.Client())) == "p2" {
			k.Must("leader", "transfer", "--to", "p1")
		}
		follow(t, k, line)
		l.Await(50, line)
	}
	if _, unknown := l.Tally(); unknown > 0 {
		t.Errorf("%d appends are unknown", unknown)
	}
	k.Check(l)
}

// TestReplaceAMachine follows the page under a load, after the machine of a2 has died.
func TestReplaceAMachine(t *testing.T) {
	k := cluster.New(t, 3, 2, 1)
	l := cluster.StartLoad(t, k.Client(client.WithTimeout(0)), cluster.LoadOptions{Clients: 2, Pace: 5 * time.Millisecond})
	l.Await(50, "at the beginning")
	k.Kill("a2")
	addr := k.Address("a4")
	for _, line := range page(t, "Replace a machine") {
		line = strings.NewReplacer("10.0.0.4:7101", addr, "/var/lib/paxlog/a4", k.Data("a4")).Replace(line)
		if line == "systemctl start paxlog-a4" {
			k.StartJoined("a4")
		} else {
			follow(t, k, line)
		}
		l.Await(50, line)
	}
	k.Kill("a1")
	l.Await(50, "with the newcomer")
	l.Stop()
	k.Check(l)
}

// TestRehearseAChange follows the page.
func TestRehearseAChange(t *testing.T) {
	k := cluster.New(t, 3, 2, 1)
	k.Leader(k.Client())
	k.Join("a4")
	for _, line := range page(t, "Rehearse a change") {
		follow(t, k, line)
	}
	out := k.Must("member", "add", "a4", "--rehearse", "-o", "json")
	for _, says := range []string{`"failed_seed":null`, `"lost_meanwhile":1`, `"lost_after":1`} {
		if !strings.Contains(out, says) {
			t.Errorf("%s: %s", says, out)
		}
	}
	if list := k.Must("member", "list", "-o", "json"); !strings.Contains(list, `"epoch":1`) {
		t.Errorf("something was changed: %s", list)
	}
	k.Kill("a3")
	k.Await("it is declined", func() bool {
		_, errs, code := k.Run("member", "add", "a4", "--rehearse")
		return code == command.ExitFailed && strings.Contains(errs, "until a4 has arrived")
	})
}

// TestADiskThatWasWiped follows the page under a load.
func TestADiskThatWasWiped(t *testing.T) {
	k := cluster.New(t, 3, 2, 1)
	l := cluster.StartLoad(t, k.Client(client.WithTimeout(0)), cluster.LoadOptions{Clients: 2, Pace: 5 * time.Millisecond})
	l.Await(50, "at the beginning")
	k.Kill("a2")
	if err := os.RemoveAll(k.Data("a2")); err != nil {
		t.Fatal(err)
	}
	for _, line := range page(t, "A disk that was wiped") {
		follow(t, k, strings.NewReplacer("/var/lib/paxlog/a2", k.Data("a2")).Replace(line))
		l.Await(50, line)
	}
	k.Kill("a1")
	l.Await(50, "with a2")
	l.Stop()
	k.Check(l)
}

// TestCancelAChange follows the page under a load, after a4 has taken the place of a2 and died at once.
func TestCancelAChange(t *testing.T) {
	k := cluster.New(t, 3, 2, 1)
	l := cluster.StartLoad(t, k.Client(client.WithTimeout(0)), cluster.LoadOptions{Clients: 2, Pace: 5 * time.Millisecond})
	l.Await(50, "at the beginning")
	k.Kill("a2")
	neverArrives(t, k, "a4", "replace", "a2", "--with", "a4")
	l.Await(50, "without a4")
	for _, line := range page(t, "Cancel a change") {
		line = strings.NewReplacer("10.0.0.5:7101", k.Address("a5"), "/var/lib/paxlog/a5", k.Data("a5")).Replace(line)
		if line == "systemctl start paxlog-a5" {
			k.StartJoined("a5")
		} else {
			follow(t, k, line)
		}
		l.Await(50, line)
	}
	k.Kill("a1")
	l.Await(50, "with a5")
	l.Stop()
	k.Check(l)
}

// TestMoveToOtherHosts follows the page under a load.
func TestMoveToOtherHosts(t *testing.T) {
	k := cluster.New(t, 3, 2, 2)
	l := cluster.StartLoad(t, k.Client(client.WithTimeout(0)), cluster.LoadOptions{Clients: 2, Pace: 5 * time.Millisecond})
	l.Await(50, "at the beginning")
	for _, line := range page(t, "Move to other hosts") {
		line = strings.NewReplacer("10.0.0.4:7101", k.Address("a4"), "10.0.0.4:7201", k.Address("p3"), "10.0.0.4:7301", k.Address("l3"),
			"/var/lib/paxlog/a4", k.Data("a4"), "/var/lib/paxlog/l3", k.Data("l3")).Replace(line)
		if id, starts := strings.CutPrefix(line, "systemctl start paxlog-"); starts {
			k.StartJoined(paxos.NodeID(id))
		} else {
			follow(t, k, line)
		}
		l.Await(50, line)
	}
	l.Stop()
	k.Config.Learners[0].ID, k.Config.Learners[0].Addr = "l3", k.Address("l3")
	k.Check(l)
}

// TestUpgradePages follows the pages "Upgrade" and "Go back": a host is upgraded and goes back,
// then all are upgraded to the end. No append fails, and the log is what was answered.
func TestUpgradePages(t *testing.T) {
	u := upgradingFrom(t)
	u.settled()
	u.startLoad()
	do := func(lines []string) {
		t.Helper()
		for _, line := range lines {
			follow(t, u.Cluster, line, func(from string) {
				for _, id := range servers {
					select {
					case <-u.Process(id).Done():
						u.install(id, strings.HasPrefix(from, "old/"))
					default: // it runs
					}
				}
			})
			u.goesOn(line)
		}
	}
	upgrade, back := page(t, "Upgrade"), page(t, "Go back")
	first := slices.IndexFunc(upgrade, func(line string) bool { return strings.HasPrefix(line, "until ") }) + 1
	if first == 0 || len(upgrade) < first+8 || len(back) < 6 {
		t.Fatalf("the pages have only these commands: %q, %q", upgrade, back)
	}
	do(upgrade[:first])
	do(back)
	if s := u.judged(); len(s.Obstacles) != len(servers) || s.Level != 0 {
		t.Errorf("gone back: %+v", s)
	}
	do(upgrade)
	u.isFinal()
	u.check()
}

// TestDeleteTheOldest follows the pages of docs/operations.md about holds, trims and retention under
// a load.
func TestDeleteTheOldest(t *testing.T) {
	k := cluster.New(t, 3, 2, 2)
	l := cluster.StartLoad(t, k.Client(client.WithTimeout(0)), cluster.LoadOptions{Clients: 2})
	l.Await(100, "at the beginning")
	for _, title := range []string{"Hold back what somebody has yet to read", "Delete the oldest entries", "Keep the log within bounds"} {
		lines := page(t, title)
		if len(lines) < 3 {
			t.Fatalf("the page has only %d commands: %q", len(lines), lines)
		}
		for _, line := range lines {
			follow(t, k, line)
			l.Await(50, line)
		}
	}
	if out, text, code := k.Run("read", "1"); code != command.ExitNoIndex {
		t.Errorf("entry 1: %q, %q, exit code %d", out, text, code)
	}
	if _, unknown := l.Tally(); unknown > 0 {
		t.Errorf("%d appends are unknown", unknown)
	}
}
