package faults

import (
	"fmt"
	"os"
	"strings"
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

// TestFullDisk lets the disk of an acceptor, and then of a learner, fill up under
// load. Its process says so and ends; the others go on; with more space it is
// back, and is needed.
func TestFullDisk(t *testing.T) {
	needs(t)
	for _, id := range []paxos.NodeID{"a1", "l1"} {
		t.Run(string(id), func(t *testing.T) {
			disk := smallDisk(t, 16) // a start needs 8
			k := cluster.New(t, 3, 2, 2, cluster.DataIn(id, disk))
			c := k.Client(client.WithTimeout(20 * time.Second))
			l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 3, Pace: pace, Bytes: 8 << 10})
			line := lastWords(t, k, id)
			want := "paxlog: the disk of " + k.Data(id) + " is full: free some space and start again, nothing acknowledged is lost"
			if !strings.HasPrefix(line, want) || strings.Contains(line, "a start needs") {
				t.Errorf("%s says %q", id, line)
			}
			t.Logf("%s: %s", id, line)
			l.Await(100, "without "+string(id))
			k.Start(id)
			if again := lastWords(t, k, id); !strings.HasPrefix(again, want) {
				t.Errorf("started again on the full disk, %s says %q", id, again)
			}
			l.Await(100, "without "+string(id))
			grow(t, disk, 512)
			k.Start(id)
			caughtUp(k, c, id)
			// From here on it is needed.
			k.Kill(map[paxos.NodeID]paxos.NodeID{"a1": "a2", "l1": "l2"}[id])
			l.Await(100, "with "+string(id)+" and without another")
			if id == "l1" {
				k.Start("l2")
			}
			k.Check(l)
		})
	}
}
