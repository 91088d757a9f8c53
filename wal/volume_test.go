package wal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// TestDiskOfAStore: a store without an entry takes at most 8 MB of disk, and after 20 MiB
// of entries at most 60 MB, also while it runs: what is made ready for the log counts.
func TestDiskOfAStore(t *testing.T) {
	for _, role := range roles {
		t.Run(role.String(), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), dir)
			if err := Init(vfs.Default, path, identity(role)); err != nil {
				t.Fatal(err)
			}
			s, err := Open(path, identity(role), Options{FS: vfs.Default, Fatal: neverFatal})
			if err != nil {
				t.Fatal(err)
			}
			defer mustClose(t, s)
			most := func(when string, bytes uint64) {
				t.Helper()
				u, err := UsageOf(path)
				if err != nil || u.Free == 0 {
					t.Fatalf("%+v, %v", u, err)
				}
				t.Logf("%s: %.1f MB", when, float64(u.Bytes)/1e6)
				if u.Bytes > bytes {
					t.Errorf("%s it takes %.1f MB of disk", when, float64(u.Bytes)/1e6)
				}
			}
			a := appended{role: role, votes: 1, entries: 256, size: 256}
			if role == paxos.RoleLearner {
				a.votes, a.each = 0, 1
			}
			f := newFiller(false)
			add := func(first paxos.Instance) {
				c := s.NewCommit(8, a.entries*a.size)
				if err := c.Add(a.next(first, f)); err != nil {
					t.Fatal(err)
				}
				if err := c.Apply(false); err != nil {
					t.Fatal(err)
				}
				c.Close()
			}
			add(1)
			most("with one commit", 8e6)
			for i := paxos.Instance(2); i <= 320; i++ {
				if add(i); i%40 == 0 {
					most("after "+string(rune('0'+i/40))+" eighths of 20 MiB", 60e6)
				}
			}
		})
	}
}

// TestUsageOf counts blocks, not lengths.
func TestUsageOf(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "f"), make([]byte, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(path, "f"), 1<<30); err != nil {
		t.Fatal(err)
	}
	u, err := UsageOf(path)
	if err != nil || u.Bytes < 90_000 || u.Bytes > 1<<20 {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := UsageOf(filepath.Join(path, "nowhere")); !os.IsNotExist(err) {
		t.Error(err)
	}
}
