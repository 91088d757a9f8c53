package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// restoreInto is a cluster that is made by restore, with these arguments.
func restoreInto(args ...string) cluster.Option {
	return cluster.Made(func(k *cluster.Cluster) {
		dir := filepath.Join(k.Dir, "restored")
		k.Must(append([]string{"restore", "--config", k.File, "--data", dir}, args...)...)
		for _, id := range k.IDs() {
			if id[0] != 'p' {
				if err := os.Rename(filepath.Join(dir, string(id)), k.Data(id)); err != nil {
					panic(err)
				}
			}
		}
	})
}

// ids are the append ids in what `append -o json` and `tail -o json` print, and lines what stays
// the same when a log is restored: everything but instance and log.
func lines(t *testing.T, text string) (ids, same []string) {
	t.Helper()
	for line := range strings.Lines(text) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		ids = append(ids, e["append_id"].(string))
		delete(e, "instance")
		delete(e, "log")
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		same = append(same, string(b))
	}
	return ids, same
}

// TestBackupAndRestore: three acceptors under a load are backed up, and again since; five
// acceptors are made of that. Both logs are the same, byte for byte, up to where the backup ends,
// and go on each for itself.
func TestBackupAndRestore(t *testing.T) {
	old := cluster.New(t, 3, 1, 2)
	c := old.Client(client.WithTimeout(0))
	for _, entry := range []string{"a line", "", "\x00\xff\n bytes", "-x"} {
		if _, err := c.Append(t.Context(), []byte(entry)); err != nil {
			t.Fatal(err)
		}
	}
	l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 4})
	l.Await(200, "before the backup")
	one, two := filepath.Join(old.Dir, "one"), filepath.Join(old.Dir, "two")
	old.Must("backup", one)
	l.Await(200, "between the backups")
	old.Must("backup", "--since", one, "--learner", "l2", two)
	l.Await(200, "after the backups")
	l.Stop()
	verified := old.Must("backup", "verify", "-o", "json", one, two)
	var m struct {
		LastIndex client.Index `json:"last_index"`
		Entries   uint64       `json:"entries"`
		Log       string       `json:"log"`
	}
	if err := json.Unmarshal([]byte(verified), &m); err != nil || m.LastIndex < 400 || m.Entries != uint64(m.LastIndex) || m.Log == "" {
		t.Fatalf("%s, %v", verified, err)
	}
	later := old.Must("append", "-o", "json", "not in the backup")
	to := shortest(m.LastIndex)
	before, beforeJSON, beforeText := old.Must("tail", "--to", to, "-o", "length"), old.Must("tail", "--to", to, "-o", "json"), old.Must("tail", "--to", to)

	k := cluster.New(t, 5, 2, 2, restoreInto(one, two))
	if got := k.Must("tail", "-o", "length"); got != before {
		t.Errorf("another log: %d bytes, want %d", len(got), len(before))
	}
	if got := k.Must("tail"); got != beforeText {
		t.Error("another log, as text")
	}
	ids, want := lines(t, beforeJSON)
	if _, got := lines(t, k.Must("tail", "-o", "json", "--learner", "l2")); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Error("other indexes, times, ballots or append ids")
	}
	if got := k.Must("append", "new"); got != shortest(m.LastIndex+1)+"\n" {
		t.Errorf("the next entry has index %s", got)
	}
	for i := 0; i < len(ids); i += 37 {
		if got := k.Must("resolve", ids[i]); got != "chosen "+shortest(client.Index(i+1))+"\n" {
			t.Errorf("%s: %s", ids[i], got)
		}
	}
	neverNever(t, k, m.Log, later)
	twoLogs := func(args ...string) {
		t.Helper()
		if out, errs, code := k.Run(args...); code != command.ExitFailed || !strings.Contains(errs, "of another log") && !strings.Contains(errs, "is asked for") {
			t.Errorf("%v: %q, %q, exit %d", args, out, errs, code)
		}
	}
	twoLogs("append", "--log", m.Log, "of the old log")
	twoLogs("tail", "--log", m.Log)
	newcomer(t, k, m.Log)
}

func shortest(i client.Index) string { b, _ := json.Marshal(i); return string(b) }

// neverNever: what the old log did after the backup is not known to the restored one.
func neverNever(t *testing.T, k *cluster.Cluster, log, later string) {
	t.Helper()
	ids, _ := lines(t, later)
	session, _, _ := strings.Cut(ids[0], "/")
	for _, id := range []string{ids[0], session + "/99", "0000000000000001c3a5b7f19e8d2c4b6a7f5e3d/1", "00000000000fffffc3a5b7f19e8d2c4b6a7f5e3d/1"} {
		out, errs, code := k.Run("resolve", id)
		if code != command.ExitNoIndex || out != "" || !strings.Contains(errs, "not in the restored part; what that log did later is not known here") || !strings.Contains(errs, log) {
			t.Errorf("%s: %q, %q, exit %d", id, out, errs, code)
		}
	}
	own, _ := lines(t, k.Must("append", "-o", "json", "of the new log"))
	if got := k.Must("resolve", own[0]); !strings.HasPrefix(got, "chosen ") {
		t.Error(got)
	}
	session, _, _ = strings.Cut(own[0], "/")
	if got := k.Must("resolve", session+"/2"); got != "never\n" {
		t.Error(got)
	}
}

// newcomer: a learner and an acceptor whose directories are new have the restored log.
func newcomer(t *testing.T, k *cluster.Cluster, ancestor string) {
	t.Helper()
	want := k.Must("tail", "-o", "json")
	k.Kill("l1")
	if err := os.RemoveAll(k.Data("l1")); err != nil {
		t.Fatal(err)
	}
	k.Must("init", "--config", k.File, "--id", "l1", "--data", k.Data("l1"))
	k.Start("l1")
	if got := k.Must("tail", "-o", "json", "--learner", "l1"); got != want {
		t.Errorf("a new learner has another log: %d bytes, want %d", len(got), len(want))
	}
	for _, id := range []paxos.NodeID{"a1", "a5", "l1", "l2"} {
		stop(t, k, id)
		if got := k.Must("inspect", "--verify", k.Data(id)); !strings.Contains(got, "restored from") || !strings.Contains(got, ancestor) {
			t.Errorf("%s: %s", id, got)
		}
	}
}

// TestBackupOffline: without any acceptor a lone learner is backed up; without that, its
// directory, and that of an acceptor.
func TestBackupOffline(t *testing.T) {
	k := cluster.New(t, 3, 1, 2)
	k.Must("append", "one", "two", "three")
	want := k.Must("tail", "-o", "json")
	k.Await("a2 holds what was appended", func() bool {
		a, l := k.Status(k.Client()).Processes[1], k.Status(k.Client()).Processes[5]
		return a.Held > 0 && a.Held == l.Applied
	})
	for _, id := range []paxos.NodeID{"a1", "a2", "a3", "p1", "l1"} {
		stop(t, k, id)
	}
	files := map[string][]string{"online": {}, "learner": {"--data", k.Data("l2")}, "acceptor": {"--data", k.Data("a2")}}
	if _, errs, code := k.Run("backup", "--data", k.Data("l2"), "busy"); code != command.ExitFailed || !strings.Contains(errs, "in use") {
		t.Errorf("%q, exit %d", errs, code)
	}
	if got := k.Must("backup", "online"); !strings.Contains(got, "as l2 has it: entries 1 to 3") {
		t.Error(got)
	}
	stop(t, k, "l2")
	if _, errs, code := k.Run("backup", "--timeout", "1s", "nobody"); code != command.ExitUnavailable || !strings.Contains(errs, "no learner answers") {
		t.Errorf("%q, exit %d", errs, code)
	}
	for name, args := range files {
		if name != "online" {
			k.Must(append([]string{"backup", name}, args...)...)
		}
		again := cluster.New(t, 1, 1, 1, restoreInto(filepath.Join(k.Dir, name)))
		got, wanted := second(lines(t, again.Must("tail", "-o", "json"))), second(lines(t, want))
		if got != wanted {
			t.Errorf("%s: %s, want %s", name, got, wanted)
		}
		for _, id := range again.IDs() {
			again.Kill(id)
		}
	}
	for _, name := range []string{"busy", "nobody"} {
		if _, err := os.Stat(filepath.Join(k.Dir, name)); err == nil {
			t.Errorf("there is a file %s", name)
		}
	}
}

// stop ends a process in good order: what it has is on its disk then.
func stop(t *testing.T, k *cluster.Cluster, id paxos.NodeID) {
	t.Helper()
	p := k.Process(id)
	k.Signal(id, syscall.SIGTERM)
	if code, err := p.Exit(); code != 0 || err != nil {
		t.Fatalf("%s: exit code %d, %v: %s", id, code, err, p.Stderr())
	}
}

func second(_, all []string) string { return strings.Join(all, "\n") }

// TestBackupPlaces: to standard output, to a file that is there, and back; what is printed.
func TestBackupPlaces(t *testing.T) {
	k := cluster.New(t, 1, 1, 1)
	k.Must("append", "one", "two")
	out, errs, code := k.Run("backup", "-")
	if code != 0 || !strings.HasPrefix(out, "paxlog backup 1\n") || !strings.Contains(errs, "entries 1 to 2") {
		t.Fatalf("%q, exit %d", errs, code)
	}
	piped := filepath.Join(k.Dir, "piped")
	if err := os.WriteFile(piped, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	k.Must("backup", "file", "--from", "2")
	if got := k.Must("backup", "verify", "piped", "file"); !strings.Contains(got, "ok") || !strings.Contains(got, "entries 1 to 2") {
		t.Error(got)
	}
	for name, wrong := range map[string]struct {
		args []string
		code int
		says string
	}{
		"a file that is there":   {[]string{"backup", "piped"}, command.ExitFailed, "is there already"},
		"beyond the end":         {[]string{"backup", "x", "--from", "4"}, command.ExitNoIndex, "4 is ahead: l1 has learned up to 2"},
		"two beginnings":         {[]string{"backup", "x", "--from", "2", "--since", "piped"}, command.ExitUsage, "give one of them"},
		"nothing to verify":      {[]string{"backup", "verify"}, command.ExitUsage, "backup verify takes files"},
		"the wrong order":        {[]string{"backup", "verify", "file", "piped", "file", "nowhere"}, command.ExitFailed, "nowhere"},
		"no such file":           {[]string{"backup", "verify", "nosuch"}, command.ExitFailed, "paxlog: nosuch: there is no such file: check the path\n"},
		"another kind of bucket": {[]string{"backup", "gs://bucket/key"}, command.ExitUsage, "reaches buckets by s3://BUCKET/KEY, and no others"},
		"no object":              {[]string{"backup", "verify", "s3://bucket"}, command.ExitUsage, "an object is named s3://BUCKET/KEY"},
		"no path":                {[]string{"restore", "--data", "r", "file://piped"}, command.ExitUsage, "a file is named file:///PATH"},
		"a file as a URL":        {[]string{"backup", "file://" + piped}, command.ExitFailed, "is there already"},
		"a directory":            {[]string{"backup", "verify", "a1"}, command.ExitFailed, "it is a directory"},
		"no backup":              {[]string{"backup", "verify", "paxlog.yaml"}, command.ExitFailed, "damaged or no backup"},
		"restore beyond the end": {[]string{"restore", "--data", "r", "--to", "3", "piped"}, command.ExitNoIndex, "the backup ends with 2"},
		"restore over something": {[]string{"restore", "--data", "a1", "piped"}, command.ExitFailed, "writes over nothing"},
	} {
		if _, errs, code := k.Run(wrong.args...); code != wrong.code || !strings.Contains(errs, wrong.says) {
			t.Errorf("%s: %q, exit %d", name, errs, code)
		}
	}
	harmed := bytes.Replace([]byte(out), []byte("two"), []byte("tw0"), 1)
	if err := os.WriteFile(piped, harmed, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := k.Run("backup", "verify", "piped"); code != command.ExitFailed || !strings.Contains(errs, "piped: damaged") {
		t.Errorf("%q, exit %d", errs, code)
	}
	if _, err := os.Stat(filepath.Join(k.Dir, "r")); err == nil {
		t.Error("a restore that was refused made something")
	}
	left, err := filepath.Glob(filepath.Join(k.Dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

// TestBackupPages follows the pages of docs/operations.md under a load, of which no append fails.
func TestBackupPages(t *testing.T) {
	k := cluster.New(t, 3, 1, 2)
	l := cluster.StartLoad(t, k.Client(client.WithTimeout(0)), cluster.LoadOptions{Clients: 4})
	l.Await(100, "at the beginning")
	for _, line := range page(t, "Back up") {
		if strings.Contains(line, "--data") {
			stop(t, k, "l1")
			line = strings.ReplaceAll(line, "/var/lib/paxlog/l1", k.Data("l1"))
		}
		follow(t, k, line)
		l.Await(50, line)
	}
	var lines []string
	restored := cluster.New(t, 5, 2, 2, cluster.Made(func(n *cluster.Cluster) {
		yaml, err := os.ReadFile(n.File)
		if err == nil {
			err = os.WriteFile(filepath.Join(k.Dir, "new.yaml"), yaml, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		for lines = page(t, "Restore"); len(lines) > 0 && !strings.HasPrefix(lines[0], "until"); lines = lines[1:] {
			follow(t, k, lines[0])
		}
		for _, id := range n.IDs() {
			if id[0] != 'p' {
				if err := os.Rename(filepath.Join(k.Dir, "restored", string(id)), n.Data(id)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}))
	if len(lines) != 1 {
		t.Fatalf("the page ends with %q", lines)
	}
	follow(t, k, lines[0])
	last := strings.Count(restored.Must("tail", "-o", "json"), "\n")
	if restored.Must("tail") != k.Must("tail", "--to", shortest(client.Index(last))) || last < 150 {
		t.Errorf("the restored log has %d entries, and they are others", last)
	}
	if _, unknown := l.Tally(); unknown > 0 {
		t.Errorf("%d appends are unknown", unknown)
	}
	l.Stop()
	k.Start("l1")
	k.Check(l)
}

// TestBackupFullDisk: a backup that cannot be written whole is not there: neither under its name
// nor under another one. A limit of file sizes plays the full disk.
func TestBackupFullDisk(t *testing.T) {
	k := cluster.New(t, 1, 1, 1)
	c := k.Client()
	for range 10 {
		if _, err := c.Append(t.Context(), bytes.Repeat([]byte("x"), 100<<10)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", "-c", "ulimit -f 700 && exec "+cluster.Binary(t)+" backup whole")
	cmd.Dir = k.Dir
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != command.ExitFailed || !strings.Contains(string(out), "file too large") {
		t.Errorf("%s: %v", out, err)
	}
	entries, err := os.ReadDir(k.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), "whole") {
			t.Errorf("it left %s", e.Name())
		}
	}
	k.Must("backup", "whole")
	k.Must("backup", "verify", "whole")
}
