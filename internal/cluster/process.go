package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

var built struct {
	once sync.Once
	path string
	err  error
}

// IsRace reports whether the processes are built with the race detector, which PAXLOG_RACE asks for:
// they take several times the time and memory.
func IsRace() bool { return os.Getenv("PAXLOG_RACE") != "" }

// Binary builds the program once in a run of tests and returns its path.
func Binary(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		dir, err := os.MkdirTemp("", "paxlog-binary-")
		if err != nil {
			built.err = err
			return
		}
		built.path = filepath.Join(dir, "paxlog")
		args := []string{"build", "-o", built.path}
		if IsRace() {
			args = append(args, "-race")
		}
		build := exec.Command("go", append(args, "github.com/paxlog/paxlog/cmd/paxlog")...)
		if _, here, _, ok := runtime.Caller(0); ok { // the test may be in a directory of its own
			build.Dir = filepath.Dir(here)
		}
		out, err := build.CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// RemoveBinary removes what Binary built. A TestMain calls it at the end.
func RemoveBinary() {
	if built.path != "" {
		_ = os.RemoveAll(filepath.Dir(built.path))
	}
}

// Process is a running daemon.
type Process struct {
	cmd    *exec.Cmd
	stderr safeBuffer
	done   chan struct{}
}

// safeBuffer can be read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// start starts a command that dies with the test.
func start(args []string) (*Process, error) {
	p := &Process{cmd: exec.Command(args[0], args[1:]...), done: make(chan struct{})}
	p.cmd.Stderr = &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stderr is what it has logged so far.
func (p *Process) Stderr() string {
	p.stderr.mu.Lock()
	defer p.stderr.mu.Unlock()
	return p.stderr.b.String()
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit waits until the process ends by itself and returns its exit code.
func (p *Process) Exit() (int, error) {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(patience):
		return 0, errors.New("it does not end")
	}
}
