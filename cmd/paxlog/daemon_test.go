package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/commandtest"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/daemons"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/tools"
	"github.com/paxlog/paxlog/config"
)

func TestInitAndRefusals(t *testing.T) {
	commandtest.Alone(t)
	file := commandtest.ClusterFile(t)
	aFile := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(aFile, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ command, want string }{
		{"acceptor --id a1 --data d", "there is no directory d: check --data. a1 may have voted before: then its directory must be restored, for initialising it anew can lose entries. Only if it has never run, initialise it with `paxlog init --config " + file + " --id a1 --data d`"},
		{"learner --id l1 --data d", "there is no directory d: check --data, or initialise it with `paxlog init --config " + file + " --id l1 --data d`; a learner learns everything again"},
		{"acceptor --id a1 --data " + aFile, aFile + " is a file: a data directory is needed, check --data"},
		{"init --id a1 --data " + aFile, aFile + " is a file: a data directory is needed"},
		{"init --id a1 --data d", ""},
		{"init --id a1 --data d", "d is initialised already, for acceptor a1 of cluster dev"},
		{"init --id l1 --data d", "d is initialised already, for acceptor a1 of cluster dev"},
		{"acceptor --id a2 --data d", "d belongs to another node: it is of acceptor a1 of cluster dev"},
		{"learner --id l1 --data d", "d belongs to another node: it is of acceptor a1 of cluster dev"},
		{"inspect .", ". is no data directory itself, but it holds some: say d"},
		{"inspect nowhere", "there is no directory nowhere: check the path"},
		{"init --id a1 --data .", ". is not empty (it holds d) and holds no paxlog data"},
	} {
		args := strings.Fields(test.command)
		if args[0] != "inspect" {
			args = append(args, "--config", file)
		}
		got := paxlog(args...)
		switch {
		case test.want == "" && (got.code != 0 || got.out != "d: initialised for acceptor a1 of cluster dev\n"):
			t.Errorf("%s: %+v", test.command, got)
		case test.want != "" && (got.code != command.ExitFailed || !strings.HasPrefix(got.errors, "paxlog: "+test.want) || strings.Count(got.errors, "\n") != 1):
			t.Errorf("%s: %+v\nwant %s", test.command, got, test.want)
		}
	}
	must(t, "", "inspect", "d", "--verify")
}

func TestTakenPortAndBusyDirectory(t *testing.T) {
	r := dev(t)
	taken, err := config.Load(r.config)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(taken.Acceptors[0].Addr)
	if err != nil {
		t.Fatal(err)
	}
	first, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	base := strconv.Itoa(first - 1)
	t.Chdir(t.TempDir())
	must(t, "", "init", "--id", "a1", "--data", "d")
	for line, want := range map[string]string{
		"acceptor --id a1 --data d": "a1 cannot listen on " + taken.Acceptors[0].Addr + ": the port is taken",
		"proposer --id p1":          "p1 cannot listen on " + taken.Proposers[0].Addr + ": the port is taken",
		"acceptor --id a1 --listen localhost:0 --data " + r.dir + "/a1": r.dir + "/a1 is in use by another process",
		"inspect " + r.dir + "/a1":                                      r.dir + "/a1 is in use by another process",
		"dev --data " + r.dir:                                           "another `paxlog dev` runs in " + r.dir + " (",
		"dev --data other --base-port " + base:                          "a1 cannot listen on " + taken.Acceptors[0].Addr + ": address already in use: if another `paxlog dev` runs, stop it",
	} {
		got := paxlog(append(strings.Fields(line), "--log-level", "error")...)
		if got.code != command.ExitFailed || !strings.HasPrefix(got.errors, "paxlog: "+want) || strings.Count(got.errors, "\n") != 1 {
			t.Errorf("%s: %+v\nwant %s", line, got, want)
		}
	}
}

// TestDaemonsOneByOne runs a cluster of one process each, as separate daemons.
func TestDaemonsOneByOne(t *testing.T) {
	commandtest.Alone(t)
	port, err := daemons.FreeBasePort()
	if err != nil {
		t.Fatal(err)
	}
	c := config.Dev(port)
	c.Name, c.Acceptors, c.Proposers = "one", c.Acceptors[:1], c.Proposers[:1]
	c.Quorum = config.Quorum{Phase1: 1, Phase2: 1}
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(clusterfile.DefaultName, text, 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "", "init", "--id", "a1", "--data", "a1")
	must(t, "", "init", "--id", "l1", "--data", "l1")
	var stops []func()
	for _, args := range []string{"acceptor --id a1 --data a1", "learner --id l1 --data l1", "proposer --id p1"} {
		stops = append(stops, daemon(t, strings.Fields(args)...))
	}
	if got := must(t, "", "append", "hello"); got != "1\n" {
		t.Errorf("got %q", got)
	}
	if got := must(t, "", "tail"); got != "hello\n" {
		t.Errorf("got %q", got)
	}
	for _, stop := range stops {
		stop()
	}
	for _, dir := range []string{"a1", "l1"} {
		var found tools.Inspection
		if err := json.Unmarshal([]byte(must(t, "", "inspect", "--verify", "-o", "json", dir)), &found); err != nil {
			t.Fatal(err)
		}
		if found.Verified == nil || found.Verified.Entries != 1 || string(found.ID) != dir || found.Cluster != "one" {
			t.Errorf("%s: %+v", dir, found)
		}
	}
}

// daemon starts a daemon, waits until it is ready and returns what stops it.
func daemon(t *testing.T, args ...string) (stop func()) {
	t.Helper()
	logs := lineWriter{make(chan string, 1000)}
	signals, ended := make(chan os.Signal), make(chan int, 1)
	p := &command.Program{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: logs, Signals: signals, Kill: os.Exit, Commands: commandTable()}
	go func() {
		ended <- p.Run(append([]string{"paxlog"}, args...))
		close(logs.lines)
	}()
	for line := range logs.lines {
		if strings.HasPrefix(line, `{"level":"info","role":"`+args[0]+`","id":"`+args[2]+`","addr":"127.0.0.1:`) && strings.Contains(line, `"message":"ready"`) {
			go func() {
				for range logs.lines { // nobody reads on
				}
			}()
			return func() {
				signals <- syscall.SIGTERM
				if code := <-ended; code != command.ExitDone {
					t.Errorf("%v ended with %d", args, code)
				}
			}
		}
	}
	t.Fatalf("%v ended with %d before it was ready", args, <-ended)
	return nil
}

func TestPipe(t *testing.T) {
	commandtest.Alone(t)
	t.Setenv("TMPDIR", t.TempDir())
	for _, in := range []string{"", "\n", "a\r\n\nb", numbers(5000)} {
		want := in
		if !strings.HasSuffix(in, "\n") && in != "" {
			want += "\n"
		}
		if got := must(t, in, "dev", "--pipe"); got != want {
			t.Errorf("%.20q: got %d bytes, want %d: %.100q", in, len(got), len(want), got)
		}
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "paxlog-dev-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	got := with(strings.NewReader("a\n"+strings.Repeat("x", 1<<20+1)+"\nc"), "dev", "--pipe")
	if got.code != command.ExitFailed || got.out != "a\n" || !strings.HasPrefix(got.errors, "paxlog: entry 2 of the input is longer") {
		t.Errorf("got %+v", got)
	}
	got = with(io.MultiReader(strings.NewReader("a\nb"), failingReader{}), "dev", "--pipe")
	if got.code != command.ExitFailed || got.out != "a\n" || got.errors != "paxlog: reading the input: the cable is cut\n" {
		t.Errorf("got %+v", got)
	}
	var errs bytes.Buffer
	code := run([]string{"paxlog", "dev", "--pipe"}, strings.NewReader(numbers(100)), failing{syscall.EPIPE}, &errs)
	if code != command.ExitDone || errs.Len() > 0 {
		t.Errorf("closed stdout: %d %s", code, errs.String())
	}
}

// failingReader is an input that breaks.
type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("the cable is cut") }

// TestPipeSurvivesRestarts prints what each run appends, on the ports and in the
// log of the run before.
func TestPipeSurvivesRestarts(t *testing.T) {
	commandtest.Alone(t)
	port, err := daemons.FreeBasePort()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"dev", "--pipe", "--data", "d"}
	for i, in := range []string{"1\n2\n", "3\n", "4\n5\n"} {
		with := args
		if i == 0 {
			with = append(with, "--base-port", strconv.Itoa(port))
		}
		if got := must(t, in, with...); got != in {
			t.Errorf("run %d printed %q", i, got)
		}
	}
	var found tools.Inspection
	if err := json.Unmarshal([]byte(must(t, "", "inspect", "-o", "json", "--verify", "d/l1")), &found); err != nil {
		t.Fatal(err)
	}
	if *found.Entries != 5 || *found.LastIndex != 5 {
		t.Errorf("%+v", found)
	}
	if err := os.RemoveAll("d/l1"); err != nil { // it is learned again
		t.Fatal(err)
	}
	if got := must(t, "6\n", args...); got != "6\n" {
		t.Errorf("got %q", got)
	}
	if err := os.RemoveAll("d/a2"); err != nil {
		t.Fatal(err)
	}
	if got := paxlog(args...); got.code != command.ExitFailed || !strings.HasPrefix(got.errors, "paxlog: d/a2 is gone, and a2 may have voted") {
		t.Errorf("without a2: %+v", got)
	}
	if err := os.WriteFile("paxlog.yaml", []byte("cluster: orders\nacceptors: [{id: a, addr: 'h:1'}]\nproposers: [{id: p, addr: 'h:2'}]\nlearners: [{id: l, addr: 'h:3'}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := paxlog("dev", "--data", "."); got.code != command.ExitUsage || !strings.Contains(got.errors, `is not of `+"`paxlog dev`"+`, but of cluster "orders"`) {
		t.Errorf("beside another cluster's file: %+v", got)
	}
}
