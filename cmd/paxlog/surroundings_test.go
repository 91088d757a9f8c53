package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// needsRoot skips a test that plays another user, or another host's files.
func needsRoot(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("only root on Linux can do that")
	}
}

// TestDirectoryOfAnotherUser: each command that opens a data directory which belongs to somebody else
// says so in one line, and what to do, and does not invite to initialise it.
func TestDirectoryOfAnotherUser(t *testing.T) {
	needsRoot(t)
	k := cluster.New(t, 1, 1, 1)
	k.Must("append", "x")
	for _, id := range k.IDs() {
		k.Kill(id)
	}
	open := t.TempDir() // for everybody, as is where it lies
	for _, dir := range []string{open, filepath.Dir(open), k.Dir, filepath.Dir(k.Dir)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(open, "paxlog")
	data, err := os.ReadFile(cluster.Binary(t))
	if err == nil {
		err = os.WriteFile(program, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"acceptor", "--config", k.File, "--id", "a1", "--data", k.Data("a1")},
		{"learner", "--config", k.File, "--id", "l1", "--data", k.Data("l1")},
		{"init", "--config", k.File, "--id", "a1", "--data", k.Data("a1")},
		{"inspect", k.Data("l1")},
	} {
		cmd := exec.Command(program, args...)
		cmd.Dir = open
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, Pdeathsig: syscall.SIGKILL}
		var errs bytes.Buffer
		cmd.Stderr = &errs
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != command.ExitFailed || strings.Count(errs.String(), "\n") != 1 ||
			!strings.HasPrefix(errs.String(), "paxlog: ") || !strings.Contains(errs.String(), "belongs to another user") || strings.Contains(errs.String(), "paxlog init") {
			t.Errorf("%v: %v\n%s", args, err, errs.String())
		}
	}
}

// TestNameServerThatHangs: a process that cannot find out where one of its peers is, for nobody answers
// that question, says which one in one line, once, and goes on with the others.
func TestNameServerThatHangs(t *testing.T) {
	needsRoot(t)
	silent, err := net.ListenPacket("udp", "127.0.0.53:53")
	if err != nil {
		t.Skipf("no name server can be played: %v", err)
	}
	defer silent.Close()
	k := cluster.New(t, 3, 2, 1)
	k.Leader(k.Client())
	k.Kill("a3")
	k.Kill("p2")
	file := filepath.Join(k.Dir, "names.yaml")
	resolver := filepath.Join(k.Dir, "resolv.conf")
	data, err := os.ReadFile(k.File)
	if err == nil {
		_, addr, _ := k.Config.Lookup("a3")
		_, port, _ := net.SplitHostPort(addr.Addr)
		data = bytes.ReplaceAll(data, []byte(addr.Addr), []byte("host-of-a3.test:"+port))
		err = errors.Join(os.WriteFile(file, data, 0o644), os.WriteFile(resolver, []byte("nameserver 127.0.0.53\noptions timeout:1 attempts:1\n"), 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, resolver,
		cluster.Binary(t), "proposer", "--config", file, "--id", "p2")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	logged, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("no file system of its own: %v", err)
	}
	var said lockedBuffer
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(&said, logged)
		_ = cmd.Wait()
		close(ended)
	}()
	defer func() { _ = cmd.Process.Kill(); <-ended }()
	const told = "its name could not be resolved: host-of-a3.test"
	k.Await("p2 says whose name it does not know", func() bool {
		select {
		case <-ended:
			t.Skipf("it could not be started: %s", said.String())
		default:
		}
		return strings.Contains(said.String(), told)
	})
	if k.Leader(k.Client()) != "p2" {
		k.Must("leader", "transfer", "--to", "p2", "--yes")
	}
	k.Must("append", "x")
	if n := strings.Count(said.String(), told); n != 1 {
		t.Errorf("it says so %d times: %s", n, said.String())
	}
	if leader := k.Leader(k.Client()); leader != paxos.NodeID("p2") {
		t.Errorf("%s leads", leader)
	}
}

// lockedBuffer can be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
