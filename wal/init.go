package wal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// initLock is the file that an Init holds locked. Its name begins as IDENTITY does, so
// that a later Init takes the directory in which one was cut off.
const initLock = identityFile + ".lock"

// besides are the names that systems put into a directory by themselves: a fresh
// mount, a folder that a file manager showed. They are nobody's data.
var besides = []string{
	"lost+found", ".DS_Store", ".Trashes", ".fseventsd", ".Spotlight-V100", ".TemporaryItems",
	".snapshot", ".snapshots", "aquota.user", "aquota.group", "quota.user", "quota.group",
}

// Init initialises dir for id with a fresh incarnation. It returns an error that
// wraps ErrInitialised if dir holds a node's data, ErrBusy if another Init is at it,
// and another error if dir holds somebody else's files.
func Init(fs vfs.FS, dir string, id Identity) (err error) {
	// A directory that is refused is left as it is, without a lock file.
	lock, err := lockEmpty(fs, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	// Only what is seen under the lock counts. Two that start at once both found the
	// directory empty above; without this look the second would clear what the first made.
	err = checkEmpty(fs, dir)
	if err == nil {
		err = initialise(fs, dir, id)
	}
	if err == nil || errors.Is(err, ErrInitialised) {
		// IDENTITY is in place for good: whoever locks the removed file, or makes it anew,
		// finds it. After another error the file stays: a third Init could make it anew,
		// and lock it beside a second one that locks the removed file.
		if rerr := fs.Remove(fs.PathJoin(dir, initLock)); rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
			err = errors.Join(err, explain(dir, rerr))
		}
	}
	return err
}

// lockEmpty makes dir, if it is not there, and locks it against every other process that
// would initialise it. What it saw before it had the lock may have changed since.
func lockEmpty(fs vfs.FS, dir string) (io.Closer, error) {
	if err := checkEmpty(fs, dir); err != nil {
		return nil, err
	}
	if err := mkdirAll(fs, dir); err != nil {
		return nil, explain(dir, err)
	}
	lock, err := Lock(fs, fs.PathJoin(dir, initLock))
	if errors.Is(err, ErrBusy) {
		return nil, fmt.Errorf("%s: %w: another process initialises it at this moment; look what that one says", dir, err)
	}
	if err != nil {
		return nil, explain(dir, err)
	}
	return lock, nil
}

// checkEmpty returns nil if dir may be initialised: it is missing, empty, or was left
// by an Init that was cut off.
func checkEmpty(fs vfs.FS, dir string) error {
	old, err := ReadIdentity(fs, dir)
	switch {
	case err == nil:
		return fmt.Errorf("%s is %w, for %s; a data directory is initialised once", dir, ErrInitialised, old.name())
	case !errors.Is(err, ErrUninitialised):
		return err
	}
	info, err := fs.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return explain(dir, err)
	case !info.IsDir():
		return fmt.Errorf("%s is a file: a data directory is needed", dir)
	}
	entries, err := fs.List(dir)
	if err != nil {
		return explain(dir, err)
	}
	for _, e := range entries {
		if e != dbDir && !strings.HasPrefix(e, identityFile) && !slices.Contains(besides, e) {
			return fmt.Errorf("%s is not empty (it holds %s) and holds no paxlog data: choose another directory", dir, e)
		}
	}
	return nil
}

// initialise makes what a data directory holds, IDENTITY last.
func initialise(fs vfs.FS, dir string, id Identity) error {
	incarnation, err := NewIncarnation()
	if err != nil {
		return err
	}
	id.Incarnation = incarnation
	if err := prepare(fs, dir, id); err != nil {
		return err
	}
	if err := writeIdentity(fs, dir, id); err != nil {
		return explain(dir, err)
	}
	return nil
}

// NewIncarnation draws the incarnation of a directory.
func NewIncarnation() (uint64, error) {
	var random [8]byte
	_, err := rand.Read(random[:])
	return binary.BigEndian.Uint64(random[:]) | 1, err // never 0
}

// prepare makes all of a data directory but IDENTITY.
func prepare(fs vfs.FS, dir string, id Identity) error {
	if err := fs.RemoveAll(fs.PathJoin(dir, dbDir)); err != nil {
		return explain(dir, err)
	}
	// From here until IDENTITY is in place, its temporary file tells that a db
	// beside it was never used.
	if err := writeFile(fs, fs.PathJoin(dir, identityFile+".tmp"), nil); err != nil {
		return explain(dir, err)
	}
	if err := syncDirs(fs, dir); err != nil {
		return explain(dir, err)
	}
	if err := initDB(fs, fs.PathJoin(dir, dbDir), id.Incarnation); err != nil {
		return explain(dir, err)
	}
	return nil
}

// mkdirAll makes dir and the directories above it that are missing, durably. Nobody else
// on the host may look into them: what is in a log is not for everybody.
func mkdirAll(fs vfs.FS, dir string) error {
	var made []string
	for d := dir; d != fs.PathDir(d); d = fs.PathDir(d) {
		if _, err := fs.Stat(d); err == nil {
			break
		}
		made = append(made, d)
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, d := range made {
		if err := syncDirs(fs, d); err != nil {
			return err
		}
	}
	return nil
}

func initDB(fs vfs.FS, dir string, incarnation uint64) (err error) {
	// Pebble panics when some of its writes fail. Here that is an error like any
	// other: nothing has been promised yet.
	defer func() {
		if v := recover(); v != nil {
			err = errors.Join(err, panicked(v))
		}
	}()
	db, err := pebble.Open(dir, &pebble.Options{FS: fs, FormatMajorVersion: storageFormat, ErrorIfExists: true, Logger: quiet{}})
	if err != nil {
		return err
	}
	err = db.Set([]byte{keyMeta}, binary.BigEndian.AppendUint64(nil, incarnation), pebble.Sync)
	return errors.Join(err, db.Close())
}

// Filling is a data directory that is made with a log in it. Until Finish it is what an Init
// that was cut off leaves: nobody opens it, and an Init takes it for its own.
type Filling struct {
	fs    vfs.FS
	dir   string
	id    Identity
	store *Store
	lock  io.Closer
}

// Fill begins to make dir for id, whose incarnation is given, of a log that has a level. What
// may not be initialised may not be filled.
func Fill(dir string, id Identity, opts Options) (*Filling, error) {
	fs := opts.FS
	lock, err := lockEmpty(fs, dir)
	if err != nil {
		return nil, err
	}
	f := &Filling{fs: fs, dir: dir, id: id, lock: lock}
	f.id.Format = begunFormat
	if err = checkEmpty(fs, dir); err == nil { // again, under the lock
		if err = prepare(fs, dir, f.id); err == nil {
			f.store, err = open(dir, f.id, opts)
		}
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return f, nil
}

// Store takes the commits.
func (f *Filling) Store() *Store { return f.store }

// Close makes what was committed durable. The directory is not in use after it, and not usable.
func (f *Filling) Close() error {
	store := f.store
	if store == nil {
		return nil
	}
	f.store = nil
	return store.Close()
}

// Finish makes the directory one that a process may open.
func (f *Filling) Finish() error {
	err := f.Close()
	if err == nil {
		if err = writeIdentity(f.fs, f.dir, f.id); err != nil {
			err = explain(f.dir, err)
		}
	}
	if err == nil { // as in Init
		err = f.fs.Remove(f.fs.PathJoin(f.dir, initLock))
	}
	return errors.Join(err, f.lock.Close())
}

// Abandon leaves the directory as it is: not usable.
func (f *Filling) Abandon() error { return errors.Join(f.Close(), f.lock.Close()) }
