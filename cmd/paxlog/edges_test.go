package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/daemons"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// These tests close, block and interrupt what stands around a command: pipes,
// terminals, signals.

// deadFile is the cluster file of a cluster of which nothing runs.
func deadFile(t *testing.T) string {
	t.Helper()
	port, err := daemons.FreeBasePort()
	if err != nil {
		t.Fatal(err)
	}
	return downFile(t, "orders", config.Dev(port))
}

// TestClosedOutput: that nobody reads what is printed changes no exit code that says
// more, and stops no append.
func TestClosedOutput(t *testing.T) {
	dev(t)
	dead := deadFile(t)
	_, before := appendLines(t, "first\n")
	for line, code := range map[string]int{
		"append -f -":                     command.ExitDone,
		"append -f - -o json":             command.ExitDone,
		"tail":                            command.ExitDone,
		"tail -o json":                    command.ExitDone,
		"read 1":                          command.ExitDone,
		"status":                          command.ExitDone,
		"status --config " + dead:         command.ExitUnavailable,
		"status -o json --config " + dead: command.ExitUnavailable,
		"append x --timeout 100ms --config " + dead: command.ExitUnavailable,
		"read 1 --timeout 100ms --config " + dead:   command.ExitUnavailable,
		"read 100000000":                command.ExitNoIndex,
		"config print --config " + dead: command.ExitDone,
	} {
		var errs bytes.Buffer
		got := run(append([]string{"paxlog"}, strings.Fields(line)...), strings.NewReader(numbers(1000)), failing{syscall.EPIPE}, &errs)
		if got != code || (code == command.ExitDone) != (errs.Len() == 0) {
			t.Errorf("%s: exit code %d, not %d: %s", line, got, code, &errs)
		}
	}
	if got := must(t, "", "tail", "--from", fmt.Sprint(before+1)); got != numbers(1000)+numbers(1000) {
		t.Errorf("%d bytes were appended, not twice %d", len(got), len(numbers(1000)))
	}
}

// TestAppendHead is `paxlog append -f FILE | head -1`, with real processes and a real
// pipe.
func TestAppendHead(t *testing.T) {
	r := dev(t)
	file := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(file, []byte(numbers(100_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, before := appendLines(t, "first\n")
	cmd := exec.Command(cluster.Binary(t), "append", "-f", file, "--config", r.config)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := must(t, "", "tail", "--from", fmt.Sprint(before+1)); got != numbers(100_000) {
		t.Errorf("%d bytes are in the log, not %d", len(got), len(numbers(100_000)))
	}
}

// started is a process of the binary that is under way.
type started struct {
	*exec.Cmd
	out    *os.File // what reads its standard output
	errors *bytes.Buffer
	ended  chan error
}

// start runs the binary with a pipe of the system for its standard output.
func start(t *testing.T, stdin io.Reader, args ...string) started {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	s := started{Cmd: exec.Command(cluster.Binary(t), args...), out: r, errors: &bytes.Buffer{}, ended: make(chan error, 1)}
	s.Stdin, s.Stdout, s.Stderr = stdin, w, s.errors
	s.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Process.Kill() })
	go func() { s.ended <- s.Wait() }()
	return s
}

// exits waits for the end, and returns the exit code.
func (s started) exits(t *testing.T) int {
	t.Helper()
	select {
	case err := <-s.ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return s.ProcessState.ExitCode()
	case <-time.After(20 * time.Second):
		t.Fatalf("%v does not end; it has said: %s", s.Args[1:], s.errors)
	}
	return 0
}

// ignored reports whether whoever started the tests ignores a signal, as nohup does: then
// the processes that these start live through it, too.
func ignored(s os.Signal) bool { return signal.Ignored(s) }

// TestFollowersEndWithTheirReader: whoever follows ends when nobody reads, also while
// nothing is printed.
func TestFollowersEndWithTheirReader(t *testing.T) {
	r := dev(t)
	never, keepOpen, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer never.Close()
	defer keepOpen.Close()
	for line, stdin := range map[string]io.Reader{
		"tail -f --from -1":         nil,
		"tail -f --from end":        nil,
		"tail -f --from -1 -o json": nil,
		"tail -f --from -1 --stale": nil,
		"dev --pipe":                never,
	} {
		must(t, "", "append", "x")
		args := strings.Fields(line)
		if args[0] == "tail" {
			args = append(args, "--config", r.config)
		}
		s := start(t, stdin, args...)
		if strings.Contains(line, "-1") {
			if _, err := io.ReadFull(s.out, make([]byte, 2)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.out.Close(); err != nil {
			t.Fatal(err)
		}
		if code := s.exits(t); code != command.ExitDone || s.errors.Len() > 0 {
			t.Errorf("%s: exit code %d, %s", line, code, s.errors)
		}
	}
}

// TestBlockedOutput: a signal takes effect while standard output is blocked, and an
// append says what it could not tell.
func TestBlockedOutput(t *testing.T) {
	r := dev(t)
	big := strings.Repeat("x", 1<<20)
	must(t, strings.Repeat(big[:1<<19]+"\n", 8), "append", "-q")
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT} {
		if ignored(signal) {
			continue
		}
		s := start(t, nil, "tail", "-f", "--from", "-8", "--config", r.config)
		if _, err := io.ReadFull(s.out, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		if err := s.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if code := s.exits(t); code != 128+int(signal) || s.errors.Len() > 0 {
			t.Errorf("tail, %v: exit code %d, %s", signal, code, s.errors)
		}
	}
	s := start(t, strings.NewReader(numbers(200_000)), "append", "-o", "json", "--config", r.config)
	if _, err := io.ReadFull(s.out, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	code := s.exits(t)
	want := regexp.MustCompile(`^unknown: ([0-9a-f]+)/(\d+)\.\.(\d+)\npaxlog: standard output is blocked; .*\nnot appended: \d+ entries, from input entry (\d+) on\n$`)
	m := want.FindStringSubmatch(s.errors.String())
	if code != command.ExitTerminated || m == nil {
		t.Fatalf("append: exit code %d, %s", code, s.errors)
	}
	var first, last, next int
	if _, err := fmt.Sscan(m[2]+" "+m[3]+" "+m[4], &first, &last, &next); err != nil || next != last+1 {
		t.Errorf("the last unknown one is %d, and %d the first that was certainly not appended", last, next)
	}
	// The line goes to resolve as it is.
	told := fmt.Sprintf("%s/%s..%s", m[1], m[2], m[3])
	if got := paxlog("resolve", told); got.code != 0 || strings.Count(got.out, "\n") != last-first+1 || strings.Contains(got.out, "never") && !strings.Contains(got.out, "chosen") {
		t.Errorf("resolve %s: %+v", told, got)
	}
	for seq, want := range map[int]string{last: "chosen ", next: "never\n"} {
		if got := paxlog("resolve", fmt.Sprintf("%s/%d", m[1], seq)); !strings.HasPrefix(got.out, want) {
			t.Errorf("append %d: %+v", seq, got)
		}
	}
}

// TestNobodyReadsTheLog: processes whose standard error is a full pipe append, and stop.
func TestNobodyReadsTheLog(t *testing.T) {
	unread, full, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer unread.Close()
	defer full.Close()
	if err := full.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = full.Write(make([]byte, 512))
	}
	port, err := daemons.FreeBasePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "dev")
	cmd := exec.Command(cluster.Binary(t), "dev", "--data", dir, "--base-port", strconv.Itoa(port), "--log-level", "debug")
	cmd.Stderr = full
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	file := filepath.Join(dir, clusterfile.DefaultName)
	for began := time.Now(); ; {
		if got := paxlog("append", "x", "--config", file); got.code == command.ExitDone {
			break
		} else if time.Since(began) > time.Minute {
			t.Fatalf("%+v", got)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("dev goes on a minute after SIGTERM")
	}
}

// TestReload: by SIGHUP a daemon takes from its cluster file what can be taken while it runs, says what
// takes a restart, and goes on with what it had where the file is spoilt. --log-level comes before the file.
func TestReload(t *testing.T) {
	k := cluster.New(t, 1, 1, 1)
	k.Must("append", "one")
	yaml, err := os.ReadFile(k.File)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(k.File, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	hangUp := func(id paxos.NodeID, want ...string) {
		t.Helper()
		before := len(k.Process(id).Stderr())
		k.Signal(id, syscall.SIGHUP)
		for _, w := range want {
			k.Await(fmt.Sprintf("%s says %s", id, w), func() bool { return strings.Contains(k.Process(id).Stderr()[before:], w) })
		}
	}
	spoilt := strings.Replace(string(yaml), "limits:", "limits: [", 1)
	if spoilt == string(yaml) {
		t.Fatalf("no limits in:\n%s", yaml)
	}
	write(spoilt)
	hangUp("a1", "cluster file cannot be used, and what was read before stays in force")
	write(string(yaml))
	k.Must("append", "two")
	changed := strings.NewReplacer("connections: ", "connections: 1", "window: ", "window: 1", "disk_low_bytes: ", "disk_low_bytes: 1").Replace(string(yaml)) + "log_level: warn\n"
	write(changed)
	hangUp("a1", `"takes_a_restart":"limits.window"`, "limits.connections", "log_level")
	k.Kill("a1")
	p := k.Start("a1")
	k.Must("append", "three")
	if strings.Contains(p.Stderr(), `"level":"info"`) {
		t.Errorf("with log_level warn it logs:\n%s", p.Stderr())
	}
	write(strings.Replace(changed, "log_level: warn", "log_level: debug", 1))
	hangUp("a1", `"changed":"log_level"`)
	for _, id := range k.IDs() {
		select {
		case <-k.Process(id).Done():
			t.Errorf("%s ended", id)
		default:
		}
	}
}

// TestHangup: SIGHUP ends a client unless it was started to ignore it, and no daemon.
func TestHangup(t *testing.T) {
	k := cluster.New(t, 1, 1, 1)
	k.Must("append", "one")
	for _, id := range k.IDs() {
		k.Signal(id, syscall.SIGHUP)
	}
	k.Must("append", "two")
	for _, id := range k.IDs() {
		select {
		case <-k.Process(id).Done():
			t.Errorf("%s ended", id)
		default:
		}
	}
	for _, id := range k.IDs() {
		p := k.Process(id)
		k.Signal(id, syscall.SIGQUIT)
		if code, err := p.Exit(); code != 0 || err != nil || strings.Contains(p.Stderr(), "goroutine") {
			t.Errorf("%s: exit %d %v\n%s", id, code, err, p.Stderr())
		}
	}
	dead := deadFile(t)
	nohup := start(t, nil, "version")
	if code := nohup.exits(t); code != 0 {
		t.Fatal(code)
	}
	// The shell ignores SIGHUP, sends it, and then ends the client in another way.
	script := `trap '' HUP; "$0" tail -f --timeout 0 --config "$1" & p=$!; sleep 1; kill -HUP $p; sleep 0.3; kill -TERM $p; wait $p`
	cmd := exec.Command("sh", "-c", script, cluster.Binary(t), dead)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	err := cmd.Run()
	if cmd.ProcessState.ExitCode() != command.ExitTerminated {
		t.Errorf("after an ignored SIGHUP: %v, %s", err, &errs)
	}
}

// TestEarlyEnd: an append that ends before its input says which entries were certainly
// not appended.
func TestEarlyEnd(t *testing.T) {
	dev(t)
	long := strings.Repeat("x", 1<<20+1)
	for name, test := range map[string]struct {
		input io.Reader
		args  string
		want  string // how standard error begins
		then  string // its last line, if it has more than one
		code  int
	}{
		"oversize":          {strings.NewReader("a\nb\n" + long + "\nc\n"), "append", "paxlog: entry 3 of the input is longer than limits.entry_bytes, 1048576 bytes: neither it nor anything after it was sent; `--oversize skip` passes over it, and a cluster file with a larger limits.entry_bytes, of at most 16 MiB, allows it (not appended: 1 entry, from input entry 3 on)\n", "", command.ExitFailed},
		"oversize skipped":  {strings.NewReader("a\n" + long + "\nb\n" + long), "append --oversize skip", "skipped: 2 entries longer than limits.entry_bytes, 1048576 bytes: input entry 2, 4\n", "", command.ExitDone},
		"the input breaks":  {io.MultiReader(strings.NewReader("a\nb\nc"), failingReader{}), "append", "paxlog: reading the input", "not appended: 1 entry, from input entry 3 on", command.ExitFailed},
		"half a record":     {strings.NewReader("a\nb"), "append --require-newline", "no entry: the input ends with 1 bytes that are not ended by a newline, after input entry 1\n", "", command.ExitDone},
		"half a NUL record": {strings.NewReader("a\x00b\n"), "append --require-newline --null", "no entry: the input ends with 2 bytes that are not ended by a NUL, after input entry 1\n", "", command.ExitDone},
		"nobody leads":      {strings.NewReader("a\nb\nc\n"), "append --timeout 200ms --config " + deadFile(t), "paxlog: not available", "not appended: 3 entries, from input entry 1 on", command.ExitUnavailable},
		"arguments":         {strings.NewReader(""), "append a b --timeout 200ms --config " + deadFile(t), "paxlog: not available", "not appended: 2 entries, from input entry 1 on", command.ExitUnavailable},
		"end of input":      {strings.NewReader("a\nb"), "append", "", "", command.ExitDone},
	} {
		got := with(test.input, strings.Fields(test.args)...)
		if got.code != test.code || !strings.HasPrefix(got.errors, test.want) || (test.want == "") != (got.errors == "") || test.then != "" && !strings.HasSuffix(got.errors, "\n"+test.then+"\n") {
			t.Errorf("%s: %+v\nwant %d %s and %s", name, got, test.code, test.want, test.then)
		}
	}
}

// TestExactBytes: what was appended as a whole comes back as it was.
func TestExactBytes(t *testing.T) {
	dev(t)
	for _, value := range []string{"", "a\nb\n", "no newline", "\x00\xff\r\n\x1b[31m"} {
		index := strings.TrimSpace(must(t, value, "append", "--whole"))
		for _, args := range []string{"read " + index + " -o bytes", "tail -n 1 -o bytes --from " + index, "tail -n1 -o bytes --from -1 --stale"} {
			if got := must(t, "", strings.Fields(args)...); got != value {
				t.Errorf("%s: %q is not %q", args, got, value)
			}
		}
	}
}

// TestTerminal: an entry's control characters reach no terminal as they are, and a pipe
// always.
func TestTerminal(t *testing.T) {
	script, err := exec.LookPath("script")
	if err != nil {
		t.Skip("no script here, which runs a command on a terminal")
	}
	r := dev(t)
	must(t, "\x1b]0;title\x07red\x1b[31m", "append", "--whole")
	line := cluster.Binary(t) + " tail --from -1 --config " + r.config
	out, err := exec.Command(script, "-qec", line, "/dev/null").Output()
	if err != nil || strings.TrimSpace(string(out)) != `\x1b]0;title\x07red\x1b[31m` {
		t.Errorf("on a terminal: %q, %v", out, err)
	}
	if out, err := exec.Command("sh", "-c", line).Output(); err != nil || string(out) != "\x1b]0;title\x07red\x1b[31m\n" {
		t.Errorf("in a pipe: %q, %v", out, err)
	}
}

// TestLeastLimits: a cluster with the least limits that its file may have appends, many
// entries at a time and from many clients, and the largest entry that it takes.
func TestLeastLimits(t *testing.T) {
	for _, entry := range []int{1, 16 << 10} {
		k := cluster.New(t, 3, 1, 1, cluster.With(func(c *config.Cluster) {
			c.Limits = config.Limits{EntryBytes: entry, BatchBytes: 1, Window: 1, PageBytes: 1, Connections: 128, Sessions: 64}
			c.Limits.QueueBytes, c.Limits.ConnQueueBytes, c.Limits.InboxBytes = 1<<20, 1<<20, 1<<20
			c.Limits.ClientQueueBytes, c.Limits.DiskLowBytes = 1<<20, 1
			for _, limit := range []*int{&c.Limits.QueueBytes, &c.Limits.ConnQueueBytes, &c.Limits.ClientQueueBytes, &c.Limits.InboxBytes} {
				*limit = sort.Search(1<<20, func(n int) bool {
					*limit = n
					return valid(*c)
				})
			}
		}))
		value := strings.Repeat("x", entry)
		file := filepath.Join(k.Dir, "input")
		if err := os.WriteFile(file, []byte(strings.Repeat(value+"\n", 50)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := k.Must("append", "-f", file); strings.Count(out, "\n") != 50 {
			t.Errorf("%d bytes: %q", entry, out)
		}
		k.Must("bench", "--clients", "10", "--inflight", "4", "--total", "80", "--size", fmt.Sprint(entry), "--check", "-o", "json")
		if out := k.Must("tail", "--to", "50"); out != strings.Repeat(value+"\n", 50) {
			t.Errorf("%d bytes: the log differs", entry)
		}
	}
}

// valid reports whether a cluster of these limits may run.
func valid(c config.Cluster) bool {
	c.Name, c.Acceptors, c.Proposers, c.Learners = "dev", config.Dev(1).Acceptors, config.Dev(1).Proposers, config.Dev(1).Learners
	return c.Validate() == nil
}

// TestInspectLeavesNoTrace: it changes nothing that it reads, and two of them do not mind
// each other.
func TestInspectLeavesNoTrace(t *testing.T) {
	k := cluster.New(t, 1, 1, 1)
	k.Must("append", "one", "two")
	for _, id := range []paxos.NodeID{"a1", "l1"} {
		k.Kill(id)
		before := listing(t, k.Data(id))
		var pair [2]started
		for i := range pair {
			pair[i] = start(t, nil, "inspect", k.Data(id), "--verify", "-o", "json")
		}
		for _, p := range pair {
			if code := p.exits(t); code != command.ExitDone {
				t.Errorf("%s: exit code %d, %s", id, code, p.errors)
			}
		}
		if after := listing(t, k.Data(id)); after != before {
			t.Errorf("%s was\n%sand is\n%s", id, before, after)
		}
	}
}

// listing is the name, size and time of every file below a directory.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		fmt.Fprintln(&b, path, info.Size(), info.ModTime().UnixNano())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
