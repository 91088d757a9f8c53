package backup

import (
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

// mortal is a file system whose process is killed before its n-th change: that one, and all
// later ones, are never made, and nobody comes back from them.
type mortal struct {
	vfs.FS
	mu   sync.Mutex
	left int
	dead chan struct{}
}

func (m *mortal) change() {
	m.mu.Lock()
	m.left--
	if m.left == 0 {
		close(m.dead)
	}
	over := m.left <= 0
	m.mu.Unlock()
	if over {
		select {}
	}
}

func (m *mortal) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	m.change()
	f, err := m.FS.Create(name, c)
	return mortalFile{f, m}, err
}

func (m *mortal) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	m.change()
	f, err := m.FS.OpenReadWrite(name, c, o...)
	return mortalFile{f, m}, err
}

func (m *mortal) ReuseForWrite(a, b string, c vfs.DiskWriteCategory) (vfs.File, error) {
	m.change()
	f, err := m.FS.ReuseForWrite(a, b, c)
	return mortalFile{f, m}, err
}
func (m *mortal) Link(a, b string) error                 { m.change(); return m.FS.Link(a, b) }
func (m *mortal) Remove(name string) error               { m.change(); return m.FS.Remove(name) }
func (m *mortal) RemoveAll(name string) error            { m.change(); return m.FS.RemoveAll(name) }
func (m *mortal) Rename(a, b string) error               { m.change(); return m.FS.Rename(a, b) }
func (m *mortal) MkdirAll(d string, p os.FileMode) error { m.change(); return m.FS.MkdirAll(d, p) }
func (m *mortal) Unwrap() vfs.FS                         { return m.FS }

type mortalFile struct {
	vfs.File
	m *mortal
}

func (f mortalFile) Write(b []byte) (int, error) { f.m.change(); return f.File.Write(b) }

// TestKilledAnywhere: wherever a restore is killed, nothing is there under the name asked for, or
// everything, and no directory that is not complete can be opened. The next restore makes all.
func TestKilledAnywhere(t *testing.T) {
	l := newLog(t, 3, 1)
	l.grow(t, 8)
	b, made := take(t, l, Options{})
	nothing, everything := 0, 0
	for n := 1; ; n++ {
		fs := vfs.NewMem()
		m := &mortal{FS: fs, left: n, dead: make(chan struct{})}
		target := small(m)
		done := make(chan error, 1)
		go func() {
			_, err := Restore(files(b), target)
			done <- err
		}()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("a restore makes %d changes; %d kills left nothing, %d left everything", n-1, nothing, everything)
			if nothing < 50 || everything < 1 {
				t.Error("too few of them")
			}
			return
		case <-m.dead:
		}
		copied := vfs.NewMem() // without the locks of who was killed
		if _, err := vfs.Clone(fs, copied, "", ""); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("change %d: %v", n, err)
		}
		target.FS = copied
		if _, err := copied.Stat(target.Dir); err == nil {
			everything++
			r := Restored{Log: target.Log, First: 1, Last: made.Last}
			checkRestored(t, target, r, l.kept(1, made.To))
			continue
		}
		nothing++
		complete(t, copied, target)
		if n%4 != 0 {
			continue
		}
		r, err := Restore(files(b), target)
		if err != nil {
			t.Fatalf("after a kill at change %d: %v", n, err)
		}
		if n%20 == 0 {
			checkRestored(t, target, r, l.kept(1, made.To))
		}
	}
}

// complete checks those directories of a restore that was killed which somebody could open.
func complete(t *testing.T, fs vfs.FS, target Target) {
	t.Helper()
	partial := target
	partial.FS, partial.Dir = fs, target.Dir+".restoring"
	for _, id := range append(append([]paxos.NodeID{}, target.Members.Acceptors...), target.Learners...) {
		identity, err := wal.ReadIdentity(fs, fs.PathJoin(partial.Dir, string(id)))
		if errors.Is(err, wal.ErrUninitialised) {
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		role := paxos.RoleAcceptor
		if identity.Role == paxos.RoleLearner.String() {
			role = paxos.RoleLearner
		}
		opened(t, partial, role, id, func(_ *wal.Store, sum wal.Summary) {
			if sum.Control.Log != target.Log || sum.Held+sum.Learner.Applied < sum.Control.Descent.Upto {
				t.Fatalf("%s can be opened, and is not complete: %+v", id, sum)
			}
		})
	}
}
