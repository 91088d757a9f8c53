package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/daemons"
	"github.com/paxlog/paxlog/internal/cluster"
)

// running is a `paxlog dev` that the tests of this package share.
type running struct {
	config  string // its cluster file
	dir     string
	signals chan os.Signal
	ended   chan int
}

var shared struct {
	sync.Once
	running
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.signals != nil {
		shared.signals <- syscall.SIGTERM
		if ended := <-shared.ended; ended != command.ExitDone {
			fmt.Fprintln(os.Stderr, "paxlog dev ended with", ended)
			code = 1
		}
		_ = os.RemoveAll(filepath.Dir(shared.dir))
	}
	cluster.RemoveBinary()
	removeOldBinary()
	removeS3Server()
	os.Exit(code)
}

// lineWriter hands out each line written to it.
type lineWriter struct{ lines chan string }

func (w lineWriter) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		w.lines <- line
	}
	return len(p), nil
}

// dev returns the shared cluster, which it starts first if it does not run yet.
func dev(t *testing.T) running {
	t.Helper()
	shared.Do(func() {
		parent, err := os.MkdirTemp("", "paxlog-test-")
		if err != nil {
			shared.err = err
			return
		}
		shared.running, shared.err = startTestDev(filepath.Join(parent, "dev"))
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	t.Setenv("PAXLOG_CONFIG", shared.config)
	return shared.running
}

// startTestDev runs `paxlog dev` in this process until it is ready.
func startTestDev(dir string) (running, error) {
	port, err := daemons.FreeBasePort()
	if err != nil {
		return running{}, err
	}
	r := running{config: filepath.Join(dir, clusterfile.DefaultName), dir: dir, signals: make(chan os.Signal), ended: make(chan int, 1)}
	logs := lineWriter{make(chan string, 1000)}
	p := &command.Program{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: logs, Signals: r.signals, Kill: os.Exit, Commands: commandTable()}
	go func() {
		r.ended <- p.Run([]string{"paxlog", "dev", "--data", dir, "--base-port", strconv.Itoa(port)})
		close(logs.lines)
	}()
	for line := range logs.lines {
		if strings.Contains(line, `"role":"dev"`) && strings.Contains(line, `"message":"ready"`) {
			go func() {
				for range logs.lines { // nobody reads on
				}
			}()
			return r, nil
		}
	}
	return running{}, fmt.Errorf("paxlog dev ended with %d", <-r.ended)
}

// with runs one command line with an input.
func with(input io.Reader, args ...string) result {
	var out, errs bytes.Buffer
	code := run(append([]string{"paxlog"}, args...), input, &out, &errs)
	return result{code, out.String(), errs.String()}
}

// must runs a command line that shall succeed quietly, and returns its output.
func must(t *testing.T, input string, args ...string) string {
	t.Helper()
	got := with(strings.NewReader(input), args...)
	if got.code != command.ExitDone || got.errors != "" {
		t.Fatalf("paxlog %v: exit code %d, %s", args, got.code, got.errors)
	}
	return got.out
}

// appendLines appends an input and returns the index of the first and the last
// of its entries.
func appendLines(t *testing.T, input string, args ...string) (first, last int) {
	t.Helper()
	lines := strings.Fields(must(t, input, append([]string{"append"}, args...)...))
	for i, line := range lines {
		n, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = n
		} else if n != last+1 {
			t.Fatalf("index %d follows %d", n, last)
		}
		last = n
	}
	return first, last
}
