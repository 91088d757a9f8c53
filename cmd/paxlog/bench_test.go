package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/commandtest"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/bench"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/internal/load"
)

// TestBenchHelp compares the help with testdata/bench-help.txt, which
// PAXLOG_UPDATE=1 writes anew.
func TestBenchHelp(t *testing.T) {
	golden, err := filepath.Abs(filepath.Join("testdata", "bench-help.txt"))
	if err != nil {
		t.Fatal(err)
	}
	commandtest.Alone(t)
	got := paxlog("bench", "--help")
	if os.Getenv("PAXLOG_UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(got.out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != (result{out: string(want)}) {
		t.Errorf("the help is not that of %s:\n%s%s", golden, got.out, got.errors)
	}
}

func TestBenchUsage(t *testing.T) {
	commandtest.Alone(t)
	for args, want := range map[string]string{
		"x":                           `takes no argument, but was given "x"`,
		"--mode read":                 `--mode "read": must be append, tail or catchup`,
		"--clients 0":                 `--clients "0": must be a number from 1 to 100000`,
		"--rate -1":                   `--rate "-1": must be a number above 0`,
		"--rate NaN":                  `--rate "NaN": must be a number above 0`,
		"--size x":                    `--size "x": must be a number of bytes`,
		"--size 2MiB":                 `--size "2MiB": entries of this cluster have at most 1048576 bytes`,
		"--duration 0":                `--duration "0": must be a duration above 0`,
		"--duration 1s --total 1":     `leave one of them out`,
		"--csv -o json":               `leave one of them out`,
		"--mode tail --check":         `--check belongs to --mode append`,
		"--share --check":             `leave out --share`,
		"--mode tail --share":         `--share belongs to --mode append or catchup`,
		"--mode catchup":              `--mode catchup needs --learner ID`,
		"--mode catchup --learner l1": `needs a second learner`,
		"--clients 1000 --inflight 1000 --size 64KiB": `take more than 1 GiB of memory`,
	} {
		got := paxlog(append([]string{"bench"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || got.out != "" || !strings.Contains(got.errors, want) {
			t.Errorf("bench %s: %+v", args, got)
		}
	}
}

// benchFields are the fields of the documented object, in its order.
var benchFields = []string{"appends", "seconds", "appends_per_s", "mb_per_s", "p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms", "errors"}

// fieldsOf are the keys of a JSON object, in order.
func fieldsOf(t *testing.T, text string) (keys []string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		switch token := token.(type) {
		case json.Delim:
			if token == '{' {
				depth++
			} else if depth--; depth == 0 {
				return keys
			}
		case string:
			if depth == 1 {
				keys = append(keys, token)
			}
		}
	}
}

func TestBenchAppends(t *testing.T) {
	dev(t)
	for _, flags := range []string{
		"--clients 3 --learner l1", "--clients 20 --conns 4 --inflight 8 --size 16", "--size 0 --inflight 5", "--clients 5 --rate 2000 --inflight 2", "--size 64KiB --clients 2",
	} {
		got := with(strings.NewReader(""), append(strings.Fields("bench --total 200 --check -o json"), strings.Fields(flags)...)...)
		if got.code != command.ExitDone || !strings.Contains(got.errors, "checked: all 200 answered appends are in the log") {
			t.Errorf("%s: %+v", flags, got)
			continue
		}
		if keys := fieldsOf(t, got.out); !reflect.DeepEqual(keys, benchFields) {
			t.Errorf("fields %v", keys)
		}
		var r load.Result
		if err := json.Unmarshal([]byte(got.out), &r); err != nil {
			t.Fatal(err)
		}
		if r.Appends != 200 || r.Errors != 0 || r.Seconds <= 0 || r.PerSecond <= 0 || r.P50 == nil || *r.P50 > *r.P99 || *r.P99 > *r.Max {
			t.Errorf("%s: %s", flags, got.out)
		}
	}
	table := must(t, "", strings.Fields("bench --total 10 --clients 1")...)
	if !strings.Contains(table, "appends/s") || !strings.Contains(table, "p99.9 ms") || strings.Count(table, "\n") != 10 {
		t.Errorf("got %s", table)
	}
}

func TestBenchCSV(t *testing.T) {
	dev(t)
	got := paxlog(strings.Fields("bench --clients 2 --duration 1500ms --warmup 100ms --csv")...)
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	if got.code != command.ExitDone || len(lines) != 3 || lines[0] != bench.Header || !strings.Contains(got.errors, "p50 ms") {
		t.Fatalf("%+v", got)
	}
	for _, line := range lines {
		if strings.Count(line, ",") != strings.Count(bench.Header, ",") {
			t.Errorf("line %q", line)
		}
	}
}

// TestBenchClosedOutput: `paxlog bench --csv | head -1` ends quietly, and soon.
func TestBenchClosedOutput(t *testing.T) {
	dev(t)
	var errs bytes.Buffer
	began := time.Now()
	code := run(append([]string{"paxlog"}, strings.Fields("bench --clients 2 --duration 1h --warmup 0s --csv")...), strings.NewReader(""), failing{syscall.EPIPE}, &errs)
	if took := time.Since(began); code != command.ExitDone || errs.Len() > 0 || took > time.Minute {
		t.Errorf("exit code %d after %v, %s", code, took, &errs)
	}
}

func TestBenchTail(t *testing.T) {
	dev(t)
	appendLines(t, numbers(100))
	got := must(t, "", strings.Fields("bench --mode tail --learner l1 --total 100 -o json")...)
	if keys := fieldsOf(t, got); !reflect.DeepEqual(keys, []string{"entries", "seconds", "entries_per_s", "mb_per_s"}) {
		t.Errorf("fields %v", keys)
	}
	var r bench.TailResult
	if err := json.Unmarshal([]byte(got), &r); err != nil || r.Entries != 100 || r.PerSecond <= 0 {
		t.Errorf("%s: %v", got, err)
	}
}

// TestBenchShare: the clients of a connection append in one session.
func TestBenchShare(t *testing.T) {
	dev(t)
	got := must(t, "", strings.Fields("bench --clients 8 --conns 2 --share --inflight 4 --total 200 -o json")...)
	var r load.Result
	if err := json.Unmarshal([]byte(got), &r); err != nil || r.Appends != 200 || r.Errors != 0 {
		t.Errorf("%s: %v", got, err)
	}
}

// TestBenchInterrupted: what was measured until SIGINT is printed, and that it was not
// checked is said.
func TestBenchInterrupted(t *testing.T) {
	dev(t)
	signals, ended := make(chan os.Signal), make(chan int)
	out, printed := lineWriter{make(chan string, 100)}, 0
	var errs bytes.Buffer
	p := &command.Program{Stdin: strings.NewReader(""), Stdout: out, Stderr: &errs, Signals: signals, Kill: os.Exit, Commands: commandTable()}
	go func() {
		ended <- p.Run(append([]string{"paxlog"}, strings.Fields("bench --clients 2 --duration 1h --warmup 0s --csv --check")...))
	}()
	for ; printed < 2; printed++ { // the header and a second
		<-out.lines
	}
	signals <- os.Interrupt
	if code := <-ended; code != command.ExitInterrupted || !strings.Contains(errs.String(), "not checked: the run was interrupted\n") {
		t.Errorf("exit code %d, %s", code, &errs)
	}
}

// awaitEntries returns when the log has n more entries, or cannot be asked any more.
func awaitEntries(c *client.Client, n client.Index) {
	_, first, err := c.End(context.Background())
	for last := first; err == nil && last < first+n; {
		_, last, err = c.End(context.Background())
	}
}

// TestBenchUnavailable: a cluster that cannot append is told by the exit code.
func TestBenchUnavailable(t *testing.T) {
	k := cluster.New(t, 3, 1, 1)
	k.Must("append", "x")
	k.Kill("a1")
	k.Kill("a2")
	out, errs, code := k.Run(strings.Fields("bench --clients 2 --duration 1s --timeout 500ms -o json")...)
	if code != command.ExitUnavailable || out != "" || !strings.Contains(errs, "not available") {
		t.Errorf("before it began: exit %d, %s%s", code, out, errs)
	}
	k.Start("a1")
	k.Leader(k.Client())
	c := k.Client()
	go func() {
		awaitEntries(c, 100)
		k.Kill("a1")
	}()
	out, errs, code = k.Run(strings.Fields("bench --clients 2 --duration 3s --warmup 0s --timeout 1s -o json")...)
	var r load.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != command.ExitUnknown || r.Appends == 0 || r.Errors == 0 || !strings.Contains(errs, "of the appends failed; the first: ") {
		t.Errorf("while it ran: exit %d, %s%s", code, out, errs)
	}
}

// TestBenchChecksThroughFailover: while processes are killed and come back, no
// append fails, and --check finds each once and in order.
func TestBenchChecksThroughFailover(t *testing.T) {
	k := cluster.New(t, 3, 2, 1)
	c := k.Client()
	leader := k.Leader(c)
	go func() {
		awaitEntries(c, 100)
		k.Kill(leader)
		awaitEntries(c, 100) // under another one
		k.Kill("a1")
		k.Start("a1")
		k.Start(leader)
	}()
	out, errs, code := k.Run(strings.Fields("bench --clients 8 --inflight 16 --duration 3s --timeout 30s --check -o json")...)
	var r load.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != command.ExitDone || r.Errors != 0 || r.Appends == 0 || !strings.Contains(errs, "checked: all ") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
}

// TestBenchCatchup starts a learner anew while bench waits for it.
func TestBenchCatchup(t *testing.T) {
	k := cluster.New(t, 3, 1, 2)
	k.Must(strings.Fields("bench --clients 4 --inflight 64 --total 20000")...)
	k.Kill("l2")
	if err := os.RemoveAll(k.Data("l2")); err != nil {
		t.Fatal(err)
	}
	k.Must("init", "--config", k.File, "--id", "l2", "--data", k.Data("l2"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, cluster.Binary(t), strings.Fields("bench --mode catchup --learner l2 --clients 2 --warmup 0s --duration 500ms --timeout 30s -o json")...)
	cmd.Dir = k.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	errs := lineWriter{make(chan string, 100)}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line := <-errs.lines; line != "l2 is down: start it now, with an empty data directory\n" {
		t.Errorf("it says %q", line)
	}
	awaitEntries(k.Client(client.WithLearner("l1")), 100) // before it is up
	k.Start("l2")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	var r bench.CatchupResult
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
		t.Fatal(err)
	}
	if r.Learner != "l2" || r.Entries == nil || *r.Entries == 0 || *r.PerSecond <= 0 || r.Appends.Before == nil || r.Appends.After == nil || r.Appends.Before.Appends == 0 || r.Appends.After.Appends == 0 {
		t.Errorf("got %s", &out)
	}
	if last := k.Must("read", "20000", "--learner", "l2", "-o", "json"); !strings.Contains(last, `"index":20000,`) {
		t.Errorf("got %s", last)
	}
}
