package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// goSources returns the first n lines of the Go sources on this machine.
func goSources(t testing.TB, n int) []byte {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := strings.TrimSpace(string(out))
	var b bytes.Buffer
	lines := 0
	err = filepath.WalkDir(filepath.Join(root, "src"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		s := bufio.NewReader(f)
		for {
			line, err := s.ReadBytes('\n')
			if err != nil {
				return nil // a last line without newline is left out
			}
			b.Write(line)
			if lines++; lines == n {
				return fs.SkipAll
			}
		}
	})
	if err != nil || lines < n {
		t.Fatalf("%d lines of Go sources under %s: %v", lines, root, err)
	}
	return b.Bytes()
}

// TestRealInput streams 100,000 lines of Go sources through `paxlog append`, while
// the leader and then an acceptor are killed -9, and tails them back byte for
// byte from each learner.
func TestRealInput(t *testing.T) {
	k := cluster.New(t, 3, 2, 2)
	input := goSources(t, 100_000)
	c := k.Client()
	leader := k.Leader(c)

	cmd := exec.Command(cluster.Binary(t), "append", "--timeout", "60s", "-f", "-")
	cmd.Dir = k.Dir
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	feed := func(b []byte) {
		if _, err := stdin.Write(b); err != nil {
			t.Error(err)
		}
	}
	indexes := bufio.NewReader(stdout)
	read := func(n int) (last string) {
		for range n {
			line, err := indexes.ReadString('\n')
			if err != nil {
				t.Fatalf("after index %s: %v\n%s", last, err, &stderr)
			}
			last = strings.TrimSpace(line)
		}
		return last
	}
	third := len(input) / 3
	go func() {
		feed(input[:third])
		k.Kill(leader)
		feed(input[third : 2*third])
		k.Kill("a2")
		feed(input[2*third:])
		_ = stdin.Close()
	}()
	if last := read(100_000); last != "100000" {
		t.Fatalf("the last index printed is %s", last)
	}
	if rest, err := io.ReadAll(indexes); err != nil || len(rest) > 0 {
		t.Fatalf("more output than input: %q %v", rest, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	for _, l := range []string{"l1", "l2"} {
		if out := k.Must("tail", "--learner", l); sha256.Sum256([]byte(out)) != sha256.Sum256(input) {
			t.Errorf("what %s tails is not what was appended (%d bytes of %d)", l, len(out), len(input))
		}
	}
}

// TestOddEntries: binary, empty and 1 MiB entries come back as they were.
func TestOddEntries(t *testing.T) {
	k := cluster.New(t, 3, 1, 1)
	rng := rand.New(rand.NewPCG(1, 2))
	big := make([]byte, 1<<20)
	for i := range big {
		big[i] = byte(rng.Uint32())
	}
	file := filepath.Join(k.Dir, "big")
	if err := os.WriteFile(file, big, 0o644); err != nil {
		t.Fatal(err)
	}
	k.Must("append", "--whole", "-f", file)
	k.Must("append", "")
	k.Must("append", "--", "-5", "line\nline", "\r")
	if out := k.Must("read", "1"); out != string(big)+"\n" {
		t.Error("the 1 MiB entry came back changed")
	}
	if out := k.Must("tail", "--null", "--from", "2"); out != "\x00-5\x00line\nline\x00\r\x00" {
		t.Errorf("%q", out)
	}
	if err := os.WriteFile(file, append(big, 'x'), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := k.Run("append", "--whole", "-f", file); code != command.ExitFailed || strings.Count(errs, "\n") != 1 {
		t.Errorf("an entry over the limit: exit %d, %s", code, errs)
	}
}

// TestGarbage writes strangers' bytes and half frames to every port; the cluster
// and its other clients do not mind.
func TestGarbage(t *testing.T) {
	k := cluster.New(t, 3, 2, 1)
	k.Must("append", "before")
	rng := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, 64<<10)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	strangers := [][]byte{
		[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), noise, []byte("paxlog/1"), []byte("paxlog/9"),
		append([]byte("paxlog/1"), 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0), // a length of 4 GiB
		append([]byte("paxlog/1"), 0, 0, 0, 9, 1, 2, 3, 4, 1, 0, 0, 0, 1, 0x90, 0, 0),
	}
	for _, id := range k.IDs() {
		_, n, _ := k.Config.Lookup(id)
		for _, b := range strangers {
			c, err := net.Dial("tcp", n.Addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() }) // open meanwhile
			if _, err := c.Write(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 20 {
		k.Must("append", "during")
	}
	for _, id := range k.IDs() {
		p := k.Process(id)
		select {
		case <-p.Done():
			t.Errorf("%s ended:\n%s", id, p.Stderr())
		default:
		}
		if rss := residentKiB(t, p.PID()); rss > 300<<10 {
			t.Errorf("%s takes %d KiB of memory", id, rss)
		}
	}
	if out := k.Must("tail"); strings.Count(out, "during") != 20 {
		t.Errorf("%q", out)
	}
}

func residentKiB(t *testing.T, pid int) int {
	t.Helper()
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		t.Skipf("ps cannot be run: %v", err)
	}
	n := 0
	for _, c := range strings.TrimSpace(string(out)) {
		n = n*10 + int(c-'0')
	}
	return n
}

// TestLateCopyAfterResolve: an append is told never, and a copy of it that turns
// up later is not applied.
func TestLateCopyAfterResolve(t *testing.T) {
	k := cluster.New(t, 3, 1, 1)
	k.Must("append", "one")
	session := paxos.NewSessionID(1, paxos.Stamp{}, [12]byte{1, 2, 3})
	id := paxos.AppendID{Session: session, Seq: 1}
	if out := k.Must("resolve", id.String()); out != "never\n" {
		t.Fatalf("resolve: %q", out)
	}
	// The late copy, by hand: what a client sent before it was cut off.
	run := paxos.Run{Kind: paxos.RunAppend, Session: session, First: 1, Count: 1, Entries: paxos.AppendEntry(nil, []byte("late"))}
	sendToProposer(t, k, &paxos.Append{Session: session, First: 1, Batch: run.AppendTo(nil)})
	k.Must("append", "two")
	if out := k.Must("tail"); out != "one\ntwo\n" {
		t.Fatalf("tail: %q", out)
	}
	if out := k.Must("resolve", id.String()); out != "never\n" {
		t.Fatalf("resolve again: %q", out)
	}
}

// BenchmarkStream streams 100,000 lines of Go sources through `paxlog append -q`
// to separate processes, and then tails them.
func BenchmarkStream(b *testing.B) {
	k := cluster.New(b, 3, 2, 1)
	k.Leader(k.Client())
	file := filepath.Join(k.Dir, "input")
	if err := os.WriteFile(file, goSources(b, 100_000), 0o644); err != nil {
		b.Fatal(err)
	}
	var appends, tails []float64
	for n := range b.N {
		start := time.Now()
		k.Must("append", "-q", "-f", file)
		appends = append(appends, 100_000/time.Since(start).Seconds())
		start = time.Now()
		k.Must("tail", "--from", strconv.Itoa(100_000*n+1))
		tails = append(tails, 100_000/time.Since(start).Seconds())
	}
	slices.Sort(appends)
	slices.Sort(tails)
	b.ReportMetric(appends[len(appends)/2], "appended/s-median")
	b.ReportMetric(tails[len(tails)/2], "tailed/s-median")
}
