package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/commandtest"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/wal"
)

// TestInitProcessesAtOnce: of two `paxlog init` of one directory, at once or a few
// milliseconds apart, one says done, the other says why not, and what is there is whole.
func TestInitProcessesAtOnce(t *testing.T) {
	binary := cluster.Binary(t)
	commandtest.Alone(t)
	file := commandtest.ClusterFile(t)
	for n := range cluster.Number(t, "PAXLOG_ROUNDS", 16) {
		id, dir := []string{"a1", "l1"}[n%2], fmt.Sprintf("d%d", n)
		outs, errs := make([]bytes.Buffer, 2), make([]bytes.Buffer, 2)
		var wg sync.WaitGroup
		done := make([]bool, 2)
		for i := range done {
			cmd := exec.Command(binary, "init", "--config", file, "--id", id, "--data", dir)
			cmd.Stdout, cmd.Stderr = &outs[i], &errs[i]
			wg.Go(func() { done[i] = cmd.Run() == nil })
		}
		wg.Wait()
		if done[0] == done[1] {
			t.Fatalf("round %d: %v\n%s%s%s%s", n, done, &outs[0], &outs[1], &errs[0], &errs[1])
		}
		for i := range done {
			said := errs[i].String()
			if done[i] == (outs[i].Len() == 0) || !done[i] && !strings.Contains(said, "initialised already") && !strings.Contains(said, "in use by another process") {
				t.Errorf("round %d, done %v: %q, %q", n, done[i], outs[i].String(), said)
			}
		}
		must(t, "", "inspect", dir, "--verify")
	}
}

// TestInitTakesAMountAndWarnsOfMemory: a fresh mount is empty, but where a reboot
// empties it again people are told.
func TestInitTakesAMountAndWarnsOfMemory(t *testing.T) {
	commandtest.Alone(t)
	file := commandtest.ClusterFile(t)
	dir, err := os.MkdirTemp("/dev/shm", "paxlog-test-")
	if err != nil {
		t.Skip(err)
	}
	defer os.RemoveAll(dir)
	kind, err := wal.InMemory(dir)
	if err != nil || kind == "" {
		t.Skipf("/dev/shm is no file system in memory here: %q, %v", kind, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	got := paxlog("init", "--config", file, "--id", "a1", "--data", dir)
	if got.code != 0 || !strings.Contains(got.errors, "a reboot loses what a1 promised") || !strings.Contains(got.errors, kind) {
		t.Errorf("%+v", got)
	}
}

// TestLimits: where the system allows too little, a process says in one line what, and
// ends with 1, without a trace.
func TestLimits(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("limits of the address space are looked at on Linux only")
	}
	binary := cluster.Binary(t)
	commandtest.Alone(t)
	if err := os.WriteFile("in", bytes.Repeat([]byte(strings.Repeat("x", 1000)+"\n"), 3000), 0o600); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[string]string{
		"-v 2000000": "paxlog: too little address space: the limit (ulimit -v, LimitAS=) is 2.0 GB and 4.3 GB are needed",
		"-f 1000":    "may not become larger: raise the limit of file sizes (ulimit -f, LimitFSIZE=) and start again, nothing acknowledged is lost (",
	} {
		cmd := exec.Command("bash", "-c", "ulimit "+limit+" && exec "+binary+" dev --pipe --log-level error <in >/dev/null")
		var errs bytes.Buffer
		cmd.Stderr = &errs
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != command.ExitFailed || !strings.HasPrefix(errs.String(), "paxlog: ") ||
			!strings.Contains(errs.String(), want) || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("ulimit %s: %v\n%.800s\nwant %s", limit, err, errs.String(), want)
		}
	}
}
