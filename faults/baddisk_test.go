package faults

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// inject makes system calls of a running process fail or wait, as strace's
// inject says, until the function that it returns is called. With paths, only
// calls on these files.
func inject(t *testing.T, p *cluster.Process, calls, how string, paths ...string) (stop func()) {
	t.Helper()
	args := []string{"-f", "-p", strconv.Itoa(p.PID()), "-o", "/dev/null", "-e", "trace=" + calls, "-e", "inject=" + calls + ":" + how}
	for _, path := range paths {
		args = append(args, "-P", path)
	}
	cmd := exec.Command("strace", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	var said []string
	for attached := false; !attached; {
		if !lines.Scan() {
			_ = cmd.Wait()
			t.Skipf("strace cannot attach to a process here (in a container: --cap-add SYS_PTRACE): %s", strings.Join(said, "; "))
		}
		said = append(said, lines.Text())
		attached = strings.Contains(lines.Text(), " attached")
	}
	ended := make(chan struct{})
	go func() {
		for lines.Scan() { // it must not block
		}
		_ = cmd.Wait() // it ends by a signal, or with the process
		close(ended)
	}()
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it lets the process go
		<-ended
	}
	t.Cleanup(stop)
	return stop
}

// logFiles are the write-ahead logs of a data directory.
func logFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "db", "*.log"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no log in %s: %v", dir, err)
	}
	return files
}

// TestFailingDisk makes a write, or a sync, of an acceptor and of a learner fail
// with EIO under load. The process says so in one line and ends with 1; the others
// go on; started again, it is as good as before.
func TestFailingDisk(t *testing.T) {
	needs(t, "strace")
	k := cluster.New(t, 3, 2, 2)
	c := k.Client(client.WithTimeout(20 * time.Second))
	l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 3, Pace: pace, Bytes: 100})
	l.Await(100, "at the start")
	for _, test := range []struct {
		id    paxos.NodeID
		calls string
		on    func(dir string) []string
	}{
		{"a1", "fdatasync", func(string) []string { return nil }},
		{"a2", "write", func(dir string) []string { return logFiles(t, dir) }},
		{"l1", "write", func(dir string) []string { return logFiles(t, dir) }},
	} {
		name := test.calls + " of " + string(test.id)
		stop := inject(t, k.Process(test.id), test.calls, "error=EIO", test.on(k.Data(test.id))...)
		line := lastWords(t, k, test.id)
		stop()
		if !strings.HasPrefix(line, "paxlog: the disk of "+k.Data(test.id)+" fails: ") || !strings.Contains(line, "input/output error") {
			t.Errorf("%s fails, and it says %q", name, line)
		}
		t.Logf("%s: %s", name, line)
		l.Await(100, name+" failed, and it ended")
		k.Start(test.id)
		caughtUp(k, c, test.id)
	}
	k.Kill("a3") // both acceptors whose disks failed are needed
	l.Await(100, "with both acceptors that had failed")
	k.Check(l)
}

// TestHangingDisk makes syncs slow, and makes them hang: of one acceptor, which
// nobody waits for; of all, slowly; of two of three, which stops every leader.
// What waits is answered when the disks are back.
func TestHangingDisk(t *testing.T) {
	needs(t, "strace")
	k := cluster.New(t, 3, 2, 2)
	c := k.Client(client.WithTimeout(30 * time.Second))
	l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 3, Pace: pace})
	l.Await(100, "at the start")
	hang := func(how string, ids ...paxos.NodeID) (heal func()) {
		var stops []func()
		for _, id := range ids {
			stops = append(stops, inject(t, k.Process(id), "fdatasync", how))
		}
		l.Silence()
		return func() {
			for _, stop := range stops {
				stop()
			}
		}
	}
	report := func(name string) {
		t.Logf("%s: at most %v without an answer", name, l.Silence().Round(time.Millisecond))
	}
	heal := hang("delay_enter=20s", "a1")
	l.Await(200, "one disk hangs")
	k.Await("the operator is told of the hanging disk", func() bool {
		return strings.Contains(k.Process("a1").Stderr(), "a sync is slow")
	})
	k.Await("status shows the hanging disk", func() bool {
		out, _, _ := k.Run("status")
		return strings.Contains(out, "disk hangs ")
	})
	report("one disk of three hangs")
	heal()
	caughtUp(k, c, "a1")

	heal = hang("delay_enter=50ms", "a1", "a2", "a3")
	l.Await(100, "all disks are slow")
	report("each sync takes 50 ms longer")
	heal()

	before := k.Leader(c)
	heal = hang("delay_enter=20s", "a2", "a3")
	k.Await("a leader whose quorum hangs resigns", func() bool {
		s := k.Status(c)
		return s.Leader == "" || !s.Quorum
	})
	if out, errs, code := k.Run("status"); code == 3 {
		t.Logf("status says\n%s%s", out, errs)
	}
	heal()
	l.Await(100, "the disks are back")
	report("two disks of three hung; " + string(before) + " led")
	k.Check(l)
}
