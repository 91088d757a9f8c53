package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
)

// s3 is a server that speaks the protocol of S3, and keeps its objects in files: not one that was
// written for these tests. It has a module of its own, testdata/s3server, so that nothing of it is
// needed to build Paxlog. It is built once.
var s3 struct {
	once             sync.Once
	dir, binary, why string
}

// removeS3Server removes what s3Server built.
func removeS3Server() {
	if s3.dir != "" {
		_ = os.RemoveAll(s3.dir)
	}
}

// s3Server starts one, and returns its address and where it keeps its buckets. Where it cannot be
// built, the test is skipped.
func s3Server(t *testing.T) (addr, root string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds a server of buckets")
	}
	s3.once.Do(func() {
		var err error
		if s3.dir, err = os.MkdirTemp("", "paxlog-s3-"); err != nil {
			s3.why = err.Error()
			return
		}
		s3.binary = filepath.Join(s3.dir, "s3server")
		out, err := exec.Command("go", "build", "-C", "testdata/s3server", "-o", s3.binary, "github.com/versity/versitygw/cmd/versitygw").CombinedOutput()
		if err != nil {
			s3.why = fmt.Sprintf("%v\n%s", err, out)
		}
	})
	if s3.why != "" {
		t.Skipf("no server of buckets can be built here, so they are not tried with a real one: %s", s3.why)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	root = filepath.Join(dir, "root")
	for _, d := range []string{root, filepath.Join(root, "backups"), filepath.Join(dir, "side")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var says bytes.Buffer
	cmd := exec.Command(s3.binary, "--port", addr, "--access", "key", "--secret", "secretsecret", "--region", "eu-central-1", "posix", "--sidecar", filepath.Join(dir, "side"), root)
	cmd.Stdout, cmd.Stderr, cmd.Dir = &says, &says, dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	for {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("the server of buckets has ended: %v\n%s", err, says.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secretsecret", "AWS_REGION": "eu-central-1", "AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere", "AWS_PROFILE": "", "AWS_SESSION_TOKEN": "", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
	return addr, root
}

// TestBackupToABucket: a log is backed up into a bucket, and again since, verified and restored out of
// it, in objects of several parts; nothing is written over; and what cannot be done is said in one
// line.
func TestBackupToABucket(t *testing.T) {
	addr, root := s3Server(t)
	k := cluster.New(t, 3, 1, 2)
	c := k.Client(client.WithTimeout(0))
	fill := func(n int) {
		t.Helper()
		for i := range n {
			if _, err := c.Append(t.Context(), noise(i, 900_000)); err != nil {
				t.Fatal(err)
			}
		}
	}
	at := func(key string) string { return "s3://backups/" + key + "?use_path_style=true&endpoint=http://" + addr }
	fill(80) // 72 MB: three parts
	if got := k.Must("backup", at("week/monday"), "--hold", "nightly"); !strings.Contains(got, "entries 1 to 80 ") {
		t.Error(got)
	}
	fill(2)
	k.Must("trim", "--to", "83", "--yes")
	if got := k.Must("backup", at("week/tuesday"), "--since", at("week/monday"), "--hold", "nightly"); !strings.Contains(got, "entries 81 to 82 ") {
		t.Error(got)
	}
	if got := k.Must("backup", "verify", at("week/monday"), at("week/tuesday")); !strings.Contains(got, "ok") || !strings.Contains(got, "entries 1 to 82 ") {
		t.Error(got)
	}
	copied := filepath.Join(k.Dir, "copied")
	k.Must("backup", "file://"+copied)
	for name, wrong := range map[string]struct {
		args []string
		code int
		says string
	}{
		"an object that is there": {[]string{"backup", at("week/monday")}, command.ExitFailed, "s3://backups/week/monday: it is there already: name another object, or delete it"},
		"no such object":          {[]string{"backup", "verify", at("week/friday")}, command.ExitFailed, "s3://backups/week/friday"},
		"no such bucket":          {[]string{"backup", strings.Replace(at("x"), "backups", "elsewhere", 1)}, command.ExitFailed, "there is no such bucket: create it"},
		"out of order":            {[]string{"backup", "verify", at("week/tuesday"), at("week/monday")}, command.ExitFailed, "week/monday"},
		"nobody listens":          {[]string{"backup", "verify", "s3://backups/x?use_path_style=true&endpoint=http://127.0.0.1:1"}, command.ExitFailed, "the bucket cannot be reached"},
	} {
		if _, text, code := k.Run(wrong.args...); code != wrong.code || !strings.Contains(text, wrong.says) || strings.Count(text, "\n") != 1 {
			t.Errorf("%s: %q, exit %d", name, text, code)
		}
	}
	want := k.Must("tail", "--from", "81", "-o", "length")
	again := cluster.New(t, 1, 1, 1, restoreInto(at("week/monday"), at("week/tuesday")))
	if got := again.Must("tail", "--from", "81", "-o", "length"); got != want {
		t.Errorf("the restored log is another one: %d bytes, want %d", len(got), len(want))
	}
	notLeft(t, root)
}

// TestBucketPage follows the page of docs/operations.md.
func TestBucketPage(t *testing.T) {
	addr, _ := s3Server(t)
	k := cluster.New(t, 3, 1, 1)
	k.Must("append", "one", "two")
	yaml, err := os.ReadFile(k.File)
	if err == nil {
		err = os.WriteFile(filepath.Join(k.Dir, "new.yaml"), yaml, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := page(t, "Back up into a bucket")
	if len(lines) != 4 {
		t.Errorf("the page has other commands: %q", lines)
	}
	how := "?use_path_style=true&endpoint=http://" + addr
	for _, line := range lines {
		follow(t, k, strings.NewReplacer("/monday", "/monday"+how, "/tuesday", "/tuesday"+how).Replace(line))
		k.Must("append", "more")
	}
	k.Must("inspect", "--verify", filepath.Join(k.Dir, "restored-from-bucket", "a1"))
}

// notLeft fails if something of an upload that was not completed is kept.
func notLeft(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".vgwlocks" {
			return filepath.SkipDir // of the server itself
		}
		if err == nil && !d.IsDir() && !strings.HasPrefix(path, filepath.Join(root, "backups", "week")+"/") {
			t.Errorf("it left %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// noise is an entry that does not compress.
func noise(i, n int) []byte {
	b, x := make([]byte, n), uint64(i)*2+1
	for k := range b {
		x = x*6364136223846793005 + 1442695040888963407
		b[k] = byte(x >> 56)
	}
	return b
}

// TestBackupToABucketCutOff: a backup that is interrupted, or killed, while its parts are sent leaves
// no object; of one that was interrupted no part is kept, either. Memory is bounded: by parts, and not
// by the log.
func TestBackupToABucketCutOff(t *testing.T) {
	addr, root := s3Server(t)
	k := cluster.New(t, 1, 1, 1)
	c := k.Client(client.WithTimeout(0))
	for i := range 150 { // 135 MB
		if _, err := c.Append(t.Context(), noise(i, 900_000)); err != nil {
			t.Fatal(err)
		}
	}
	place := "s3://backups/week/x?use_path_style=true&endpoint=http://" + addr
	parts := func() (n int) {
		_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				n++
			}
			return nil
		})
		return n
	}
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		before := parts()
		cmd := exec.Command(cluster.Binary(t), "backup", place)
		cmd.Dir = k.Dir
		var says bytes.Buffer
		cmd.Stderr = &says
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		k.Await("something is sent", func() bool { return parts() != before })
		_ = cmd.Process.Signal(s)
		err := cmd.Wait()
		if err == nil {
			t.Fatalf("%v came too late", s)
		}
		if s == syscall.SIGTERM {
			if code := cmd.ProcessState.ExitCode(); code != 143 || strings.Count(says.String(), "\n") > 1 {
				t.Errorf("exit code %d, %q", code, says.String())
			}
			notLeft(t, root)
		}
		if _, text, code := k.Run("backup", "verify", place); code != command.ExitFailed || !strings.Contains(text, "there is no such object") {
			t.Errorf("after %v: %q, exit %d", s, text, code)
		}
	}
	cmd := exec.Command(cluster.Binary(t), "backup", place)
	cmd.Dir = k.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
	t.Logf("a backup of 135 MB into a bucket takes %d MiB of memory", used)
	if used > 600 {
		t.Errorf("a backup into a bucket takes %d MiB of memory", used)
	}
	k.Must("backup", "verify", place)
}
