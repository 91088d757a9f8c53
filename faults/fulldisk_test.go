package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// smallDisk mounts a file system in memory, of some MiB, which ends with the test.
func smallDisk(t *testing.T, mib int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "disk-")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("paxlog-faults", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		t.Fatalf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting the small disk: %v", err)
		}
	})
	return dir
}

// grow makes a small disk larger.
func grow(t *testing.T, dir string, mib int) {
	t.Helper()
	if err := syscall.Mount("paxlog-faults", dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%dm", mib)); err != nil {
		t.Fatalf("growing the small disk: %v", err)
	}
}

// lastWords waits until a process has ended by itself with exit code 1, and
// returns the one plain line that says why.
func lastWords(t *testing.T, k *cluster.Cluster, id paxos.NodeID) string {
	t.Helper()
	p := k.Process(id)
	code, err := p.Exit()
	stderr := p.Stderr()
	if err != nil || code != 1 {
		t.Fatalf("%s: exit code %d, %v\n%s", id, code, err, stderr)
	}
	k.Kill(id) // forget it
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	last := lines[len(lines)-1]
	for _, line := range lines {
		if !strings.HasPrefix(line, "{") && line != last {
			t.Errorf("%s says more than one plain line:\n%s", id, stderr)
			break
		}
	}
	if !strings.HasPrefix(last, "paxlog: ") {
		t.Errorf("%s ends with %q", id, last)
	}
	return last
}

// caughtUp waits until an acceptor votes and misses nothing, or a learner lags no
// more, which is told for the moment: the load goes on.
func caughtUp(k *cluster.Cluster, c *client.Client, id paxos.NodeID) {
	k.Await(string(id)+" has caught up", func() bool {
		s := k.Status(c)
		var far paxos.Instance
		for _, p := range s.Processes {
			if p.Err == nil {
				far = max(far, p.Chosen)
			}
		}
		for _, p := range s.Processes {
			if p.ID != string(id) || p.Err != nil {
				continue
			}
			if p.Role == paxos.RoleLearner {
				return p.Applied+100 >= far
			}
			return p.Voting && p.Missing < 100
		}
		return false
	})
}

// isFull reports whether a process says that it takes no more entries.
func isFull(k *cluster.Cluster, c *client.Client, id paxos.NodeID) bool {
	for _, p := range k.Status(c).Processes {
		if p.ID == string(id) {
			return p.Err == nil && p.DiskRoom.IsShort()
		}
	}
	return false
}

// allRun fails unless every process has run since it was started.
func allRun(t *testing.T, k *cluster.Cluster) {
	t.Helper()
	for _, id := range k.IDs() {
		select {
		case <-k.Process(id).Done():
			t.Fatalf("%s has ended:\n%s", id, k.Process(id).Stderr())
		default:
		}
	}
}

// TestFullDisk lets the disk of an acceptor, and then of a learner, fill up under load. It
// says so and takes no more entries; the others go on; with more space it takes part again,
// and is needed. No process ends.
func TestFullDisk(t *testing.T) {
	needs(t)
	for _, id := range []paxos.NodeID{"a1", "l1"} {
		t.Run(string(id), func(t *testing.T) {
			disk := smallDisk(t, 24)
			fills(t, id, disk, func() { grow(t, disk, 1024) })
		})
	}
}

// TestUsedUpQuota is TestFullDisk of a quota, which the system does not tell as what is free: writes
// that fail with EDQUOT are all that the process learns of it.
func TestUsedUpQuota(t *testing.T) {
	needs(t, "mkfs.btrfs=btrfs-progs", "btrfs=btrfs-progs")
	for _, id := range []paxos.NodeID{"a1", "l1"} {
		t.Run(string(id), func(t *testing.T) {
			disk := diskWithQuota(t, 256)
			fills(t, id, disk, func() { quota(t, disk, 1024) })
		})
	}
}

// diskWithQuota mounts a file system of 2 GiB on a file, in which a directory may take some MiB. It ends with the test.
func diskWithQuota(t *testing.T, mib int) string {
	t.Helper()
	dir := t.TempDir()
	image, mount := filepath.Join(dir, "image"), filepath.Join(dir, "disk")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 2<<30), os.Mkdir(mount, 0o700), command("mkfs.btrfs", "-q", image)); err != nil {
		t.Fatal(err)
	}
	if err := command("mount", "-o", "loop", image, mount); err != nil {
		t.Skipf("this needs a loop device, and btrfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(mount, 0); err != nil {
			t.Errorf("unmounting the disk with a quota: %v", err)
		}
	})
	disk := filepath.Join(mount, "data")
	if err := errors.Join(command("btrfs", "quota", "enable", mount), command("btrfs", "subvolume", "create", disk)); err != nil {
		t.Fatal(err)
	}
	quota(t, disk, mib)
	return disk
}

// quota sets what a directory may take.
func quota(t *testing.T, disk string, mib int) {
	t.Helper()
	if err := command("btrfs", "qgroup", "limit", fmt.Sprintf("%dM", mib), disk); err != nil {
		t.Fatal(err)
	}
}

// fills lets the disk of a process fill up under load, and gives it more space after that.
func fills(t *testing.T, id paxos.NodeID, disk string, more func()) {
	k := cluster.New(t, 3, 2, 2, cluster.DataIn(id, disk))
	c := k.Client(client.WithTimeout(20 * time.Second))
	l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 3, Bytes: 16 << 10, Noise: true})
	k.Await(string(id)+" says that its disk is full", func() bool { return isFull(k, c, id) })
	out, _, code := k.Run("status")
	if !strings.Contains(out, ", disk full") || strings.Contains(out, "refuses appends") || code != 0 {
		t.Errorf("status, exit code %d:\n%s", code, out)
	}
	l.Await(300, "without "+string(id))
	k.Kill(id) // which a restart does not change
	k.Start(id)
	l.Await(300, "without "+string(id))
	allRun(t, k)
	l.Stop()
	more()
	caughtUp(k, c, id)
	// From here on it is needed.
	k.Kill(map[paxos.NodeID]paxos.NodeID{"a1": "a2", "l1": "l2"}[id])
	l.Start()
	l.Await(100, "with "+string(id)+" and without another")
	if id == "l1" {
		k.Start("l2")
	}
	k.Check(l)
}

// page returns the command lines of a page of docs/operations.md, in order.
func page(t *testing.T, title string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n## "+title+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	for line := range strings.Lines(rest) {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			lines = append(lines, strings.TrimSpace(code))
		}
	}
	if len(lines) < 3 {
		t.Fatalf("docs/operations.md has no page %q", title)
	}
	return lines
}

// follow collects what a tail shows, from the first entry on, until it is asked for.
func follow(t *testing.T, c *client.Client) (log func(end client.Index) []string) {
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var got []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e, err := range c.Tail(ctx, client.TailOptions{Follow: true}) {
			if err != nil {
				if ctx.Err() == nil {
					t.Errorf("the tail ends: %v", err)
				}
				return
			}
			mu.Lock()
			got = append(got, string(e.Value))
			mu.Unlock()
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return func(end client.Index) []string {
		for ctx.Err() == nil {
			mu.Lock()
			n := len(got)
			mu.Unlock()
			if client.Index(n) >= end {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		mu.Lock()
		defer mu.Unlock()
		return got[:min(client.Index(len(got)), end)]
	}
}

// TestFullQuorum lets the disks of two acceptors fill up, then of all learners, then one disk
// on which all of them are. Appends are refused, for certain; reads and a tail go on; a trim
// makes room, and appends return by themselves. No process ends, nothing is lost.
func TestFullQuorum(t *testing.T) {
	needs(t)
	rounds := cluster.Number(t, "PAXLOG_FULL_ROUNDS", 1)
	for name, ids := range map[string][]paxos.NodeID{
		"acceptors": {"a1", "a2"}, "learners": {"l1", "l2"}, "all on one volume": {"a1", "a2", "a3", "l1", "l2"},
	} {
		t.Run(name, func(t *testing.T) {
			disk, opts := "", []cluster.Option(nil)
			if name == "all on one volume" {
				disk = smallDisk(t, 128)
			}
			for _, id := range ids {
				if name != "all on one volume" {
					disk = smallDisk(t, 24)
				}
				opts = append(opts, cluster.DataIn(id, filepath.Join(disk, string(id))))
			}
			k := cluster.New(t, 3, 2, 2, opts...)
			c := k.Client(client.WithTimeout(2 * time.Second))
			log := follow(t, c)
			l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 3, Bytes: 16 << 10, Noise: true})
			for round := range rounds {
				refused := func() bool {
					out, _, _ := k.Run("status")
					return strings.Contains(out, " refuses appends: too little room on disk for more entries: ")
				}
				k.Await("the leader refuses appends", refused)
				if round == 0 { // a restart of everything does not change that for long
					for _, id := range k.IDs() {
						k.Kill(id)
						k.Start(id)
					}
					k.Await("after a restart the leader refuses appends", refused)
				}
				l.Stop()
				var refusal error
				k.Await("an append is refused for want of space", func() bool {
					refusal = l.Append()
					return errors.Is(refusal, client.ErrNoSpace)
				})
				names := func(id paxos.NodeID) bool { return strings.Contains(refusal.Error(), string(id)+" has ") }
				if !errors.Is(refusal, client.ErrUnavailable) || !slices.ContainsFunc(ids, names) || !strings.Contains(refusal.Error(), "`paxlog trim`") {
					t.Errorf("an append fails with %v", refusal)
				}
				_, end, err := c.End(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				entries := log(end)
				if e, err := c.Read(context.Background(), end); err != nil || string(e.Value) != entries[end-1] {
					t.Errorf("the last entry is read as %v, %v", e.Index, err)
				}
				t.Logf("round %d: %d entries", round, end)
				for _, line := range page(t, "A disk that is full") {
					line, waits := strings.CutPrefix(strings.Replace(line, "1500", fmt.Sprint(end+1), 1), "until paxlog append ")
					if !waits {
						k.Must(strings.Fields(line)[1:]...)
						continue
					}
					k.Await("appends return", func() bool { return l.Append() == nil })
				}
				l.Start()
				l.Await(10, "after the trim")
			}
			l.Stop()
			allRun(t, k)
			_, end, err := c.End(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			k.CheckLog(l, log(end))
		})
	}
}

// TestDiskFilledByOthers: others fill the disk of an acceptor at once. It goes on with what it
// has laid by, also after it was killed, and takes no entries. When others take that, too, it
// ends with one line. With space it is as good as before.
func TestDiskFilledByOthers(t *testing.T) {
	needs(t)
	disk := smallDisk(t, 48)
	k := cluster.New(t, 3, 2, 2, cluster.DataIn("a1", filepath.Join(disk, "a1")))
	c := k.Client(client.WithTimeout(20 * time.Second))
	l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 3, Pace: pace, Bytes: 4 << 10})
	l.Await(300, "at the start")
	foreign := filepath.Join(disk, "foreign")
	fillDisk(t, foreign)
	l.Await(500, "with the disk of a1 filled by others")
	k.Await("a1 says that its disk is full", func() bool { return isFull(k, c, "a1") })
	allRun(t, k)
	k.Kill("a1")
	fillDisk(t, foreign+"-2") // what a dead process does not hold
	k.Start("a1")
	k.Await("a1, started on its reserve, says that its disk is full", func() bool { return isFull(k, c, "a1") })
	l.Await(300, "with a1 started on its reserve")
	allRun(t, k)

	// Others take the reserve, too, and what each start gives free of it, until a start finds nothing. Without
	// appends meanwhile: what a1 misses must fit on its disk.
	l.Stop()
	for n, ended := 3, false; !ended; n++ {
		k.Kill("a1")
		fillDisk(t, fmt.Sprintf("%s-%d", foreign, n))
		p := k.Start("a1")
		k.Await("a1, started on a full disk, ends or says that it is full", func() bool {
			select {
			case <-p.Done():
				ended = true
			default:
			}
			return ended || isFull(k, c, "a1")
		})
		if n > 50 {
			t.Fatal("a1 was started 48 times on a disk that others had filled, and never ended")
		}
	}
	l.Start()
	if line, want := lastWords(t, k, "a1"), "paxlog: the disk of "+k.Data("a1")+" is full: "; !strings.HasPrefix(line, want) {
		t.Errorf("started on a full disk without a reserve, it says %q", line)
	}
	l.Await(300, "without a1")
	all, err := filepath.Glob(foreign + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	k.Start("a1")
	caughtUp(k, c, "a1")
	k.Await("a1 has room again", func() bool { return !isFull(k, c, "a1") })
	k.Kill("a2")
	l.Await(100, "with a1 and without a2")
	k.Check(l)
}

// fillDisk writes a file until nothing fits any more.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil && errors.Is(err, syscall.ENOSPC) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 20; size >= 512; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
