package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/paxlog/paxlog/paxos"
)

// stamps are the names, sizes and times of all that is below a directory, and itself.
func stamps(t *testing.T, path string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		all = append(all, fmt.Sprint(name, " ", info.Size(), " ", info.Mode(), " ", info.ModTime().UnixNano(), " ", changeTime(info)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestInspectChangesNothing: not a file, not the times of one, and several may read at
// once, with read rights only; while one writes, none does.
func TestInspectChangesNothing(t *testing.T) {
	for _, role := range roles {
		t.Run(role.String(), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), dir)
			if err := Init(vfs.Default, path, identity(role)); err != nil {
				t.Fatal(err)
			}
			w := newWork(rand.New(rand.NewPCG(1, 0)), role)
			s, err := Open(path, identity(role), Options{FS: vfs.Default, Fatal: neverFatal})
			if err != nil {
				t.Fatal(err)
			}
			mustCommit(t, s, w.first(), true)
			for range 20 {
				mustCommit(t, s, w.next(), false)
			}
			if _, err := Inspect(vfs.Default, path); !errors.Is(err, ErrBusy) {
				t.Errorf("while one writes: %v", err)
			}
			second, err := Open(path, identity(role), Options{FS: vfs.Default, Fatal: neverFatal})
			if !errors.Is(err, ErrBusy) {
				t.Errorf("after a reader was refused a second one may write: %v, %v", second, err)
			}
			mustClose(t, s)

			err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
				mode := os.FileMode(0o444)
				if err == nil && d.IsDir() {
					mode = 0o555
				}
				return errors.Join(err, os.Chmod(name, mode))
			})
			if err != nil {
				t.Fatal(err)
			}
			before := stamps(t, path)
			var readers []*Store
			for range 3 {
				s, err := Inspect(vfs.Default, path)
				if err != nil {
					t.Fatal(err)
				}
				readers = append(readers, s)
				if got, err := stateOf(s); err != nil || got != w.m.state(role) {
					t.Errorf("%v\n got %s\nwant %s", err, got, w.m.state(role))
				}
				if _, err := s.Summary(); err != nil {
					t.Error(err)
				}
			}
			for _, s := range readers {
				mustClose(t, s)
			}
			equal(t, "files", fmt.Sprint(stamps(t, path)), fmt.Sprint(before))
			if err := errors.Join(os.Chmod(path, 0o755), os.Chmod(filepath.Join(path, dbDir), 0o755)); err != nil {
				t.Fatal(err) // else it cannot be removed
			}
		})
	}
}

// TestInspectAsksForNoWrite: it does not even try to.
func TestInspectAsksForNoWrite(t *testing.T) {
	mem := vfs.NewMem()
	initDir(t, mem, paxos.RoleLearner)
	s := mustOpen(t, mem, paxos.RoleLearner)
	w := newWork(rand.New(rand.NewPCG(1, 0)), paxos.RoleLearner)
	mustCommit(t, s, w.first(), true)
	flush(t, s)
	mustCommit(t, s, w.next(), true)
	mustClose(t, s)
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if isWrite(op.Kind) && op.Kind != errorfs.OpLock {
			t.Errorf("op %d on %s", op.Kind, op.Path)
			return syscall.EROFS
		}
		return nil
	}))
	if s, err := Inspect(fs, dir); err != nil {
		t.Error(err)
	} else {
		_, err := s.Summary()
		mustClose(t, s)
		if err != nil {
			t.Error(err)
		}
	}
	ro := readOnly{mem}
	_, created := ro.Create("f", vfs.WriteCategoryUnspecified)
	_, opened := ro.OpenReadWrite("f", vfs.WriteCategoryUnspecified)
	_, reused := ro.ReuseForWrite("f", "g", vfs.WriteCategoryUnspecified)
	for _, err := range []error{created, opened, reused, ro.Remove("f"), ro.RemoveAll("f"), ro.Rename("f", "g"), ro.Link("f", "g"), ro.MkdirAll("f", 0)} {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("a write through it: %v", err)
		}
	}
}
