package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/paxlog/paxlog/paxos"
)

// TestInitsAtOnce: of several that initialise a directory at once exactly one says
// done, the others say why not, and the directory opens.
func TestInitsAtOnce(t *testing.T) {
	for name, file := range map[string]func(t *testing.T, n int) (vfs.FS, string){
		"memory": func(*testing.T, int) (vfs.FS, string) { return vfs.NewMem(), dir },
		"disk": func(t *testing.T, n int) (vfs.FS, string) {
			return vfs.Default, filepath.Join(t.TempDir(), fmt.Sprint(n), dir)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for n := range 40 {
				fs, path := file(t, n)
				role := roles[n%2]
				errs := make([]error, 2+n%3)
				var wg sync.WaitGroup
				for i := range errs {
					wg.Go(func() { errs[i] = Init(fs, path, identity(role)) })
				}
				wg.Wait()
				done := 0
				for _, err := range errs {
					switch {
					case err == nil:
						done++
					case !errors.Is(err, ErrInitialised) && !errors.Is(err, ErrBusy):
						t.Errorf("round %d: %v", n, err)
					}
				}
				if done != 1 {
					t.Fatalf("round %d: %d said done: %v", n, done, errs)
				}
				s, err := Open(path, identity(role), Options{FS: fs, Fatal: neverFatal})
				if err != nil {
					t.Fatalf("round %d: %v", n, err)
				}
				mustClose(t, s)
				if _, err := fs.Stat(fs.PathJoin(path, initLock)); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("round %d: the lock file: %v", n, err)
				}
			}
		})
	}
}

// TestInitLooksUnderItsLock: one that found the directory empty, and then waits while
// another initialises it, does not clear what that one made. It is stopped at each of
// its operations in turn.
func TestInitLooksUnderItsLock(t *testing.T) {
	for n := 1; ; n++ {
		mem, ops := vfs.NewMem(), 0
		other := errors.New("the other one did not run")
		first := Init(errorfs.Wrap(mem, errorfs.InjectorFunc(func(errorfs.Op) error {
			if ops++; ops == n {
				other = Init(mem, dir, identity(paxos.RoleAcceptor))
			}
			return nil
		})), dir, identity(paxos.RoleAcceptor))
		if ops < n {
			t.Logf("%d operations", ops)
			return
		}
		if (first == nil) == (other == nil) {
			t.Fatalf("stopped at operation %d: the first said %v, the other %v", n, first, other)
		}
		mustClose(t, mustOpen(t, mem, paxos.RoleAcceptor))
	}
}

// TestInitTakesMounts: what systems put into a directory by themselves is no data.
func TestInitTakesMounts(t *testing.T) {
	fs := vfs.NewMem()
	for _, name := range []string{"lost+found", ".Trashes"} {
		if err := fs.MkdirAll(fs.PathJoin(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mustWriteFile(t, fs, fs.PathJoin(dir, ".DS_Store"), []byte("of a file manager"))
	if err := Init(fs, dir, identity(paxos.RoleAcceptor)); err != nil {
		t.Fatal(err)
	}
	mustClose(t, mustOpen(t, fs, paxos.RoleAcceptor))
	if string(readFile(t, fs, fs.PathJoin(dir, ".DS_Store"))) != "of a file manager" {
		t.Error("Init touched what was there")
	}
}

// TestReadIdentityBesideInit: who reads while another initialises finds nothing or
// everything, and never damage.
func TestReadIdentityBesideInit(t *testing.T) {
	for n, last := 1, false; !last; n++ {
		mem, ops := vfs.NewMem(), 0
		_, err := ReadIdentity(errorfs.Wrap(mem, errorfs.InjectorFunc(func(errorfs.Op) error {
			if ops++; ops == n {
				return Init(mem, dir, identity(paxos.RoleAcceptor)) // all of it at once
			}
			return nil
		})), dir)
		last = ops < n
		if err != nil && !errors.Is(err, ErrUninitialised) {
			t.Errorf("an Init before operation %d of the reader: %v", n, err)
		}
	}
	for n, last := 1, false; !last; n++ {
		mem, ops := vfs.NewMem(), 0
		err := Init(errorfs.Wrap(mem, errorfs.InjectorFunc(func(errorfs.Op) error {
			if ops++; ops == n {
				if _, err := ReadIdentity(mem, dir); err != nil && !errors.Is(err, ErrUninitialised) {
					t.Errorf("a reader before operation %d of an Init: %v", n, err)
				}
			}
			return nil
		})), dir, identity(paxos.RoleAcceptor))
		if last = ops < n; err != nil {
			t.Fatal(err)
		}
	}
}

// TestFailedInitKeepsItsLock: the file that one holds locked is not removed by another
// that failed. A third would make it anew, and both would clear the directory.
func TestFailedInitKeepsItsLock(t *testing.T) {
	mem := vfs.NewMem()
	full := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpRename {
			return errorfs.ErrInjected
		}
		return nil
	}))
	if err := Init(full, dir, identity(paxos.RoleAcceptor)); !errors.Is(err, errorfs.ErrInjected) {
		t.Fatal(err)
	}
	if _, err := mem.Stat(mem.PathJoin(dir, initLock)); err != nil {
		t.Error(err)
	}
	if err := Init(mem, dir, identity(paxos.RoleAcceptor)); err != nil {
		t.Fatal(err)
	}
	mustClose(t, mustOpen(t, mem, paxos.RoleAcceptor))
}
