package wal

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

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
