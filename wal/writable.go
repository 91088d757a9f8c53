package wal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// writable is the file system of a Store that writes. The first write that fails is the
// last: failed is told before Pebble is, and does not return in a process. For some of
// them Pebble panics, and not always so that it can be recovered from: when a log cannot
// be closed to make room for the next one, it unlocks a mutex that it does not hold, for
// which the Go runtime ends the process with a trace and no word of the disk.
//
// What fails when something is removed is not told: then only space is lost.
type writable struct {
	vfs.FS
	failed func(error)
	synced func() // a log was synced
	// memTable is the size of the largest memtables.
	memTable int64
	volume   *volume
	tight    atomic.Bool             // nothing is made ready ahead: there is little room
	newest   atomic.Pointer[logFile] // the log that is written
	before   atomic.Pointer[logFile] // and the one before it
	appended atomic.Uint64           // bytes, to all logs
	logs     atomic.Int64            // opened to be written so far
	room     atomic.Int64            // bytes that the memtable of the newest log takes, about
	durable  atomic.Uint64           // number of Pebble's latest write that is durable
	syncs    atomic.Int64            // of logs, begun so far
	closing  atomic.Bool             // nothing is read any more
}

// errClosing is what a compaction ends with that is under way while the store is closed. Pebble
// takes it for one that gave way, and deletes what that has written.
var errClosing = fmt.Errorf("the store is being closed: %w", pebble.ErrCancelledCompaction)

func (w *writable) Unwrap() vfs.FS { return w.FS }

// GetDiskUsage is asked by Pebble, for its own pace. That the system does not say it now is no failed
// write, and Pebble would tell of it as of one. Who uses the store is told by Room.
func (w *writable) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	usage, err := w.FS.GetDiskUsage(path)
	if err != nil {
		err = fmt.Errorf("%w: %w", vfs.ErrUnsupported, err)
	}
	return usage, err
}

// Lock takes room where there is no file yet, as Create does.
func (w *writable) Lock(name string) (c io.Closer, err error) {
	err = w.try(func() (err error) { c, err = locked.take(w.FS, name); return err })
	return c, err
}

// check tells of an error.
func (w *writable) check(err error) error {
	if err != nil {
		w.failed(err)
	}
	return err
}

// try does something that takes space. Where there is none the reserve is given up, and it is
// done again: nothing of it was done before. That is so of a write, of which the system says how
// much it has taken, and not of a sync: what that could not write may be lost.
func (w *writable) try(do func() error) error {
	for {
		before := w.volume.times()
		err := do()
		if !noSpace(err) || !w.volume.giveUp(before) {
			return err
		}
	}
}

// wrap is the file that was opened, whose writes are watched.
func (w *writable) wrap(name string, f vfs.File, err error) (vfs.File, error) {
	if w.check(err) != nil {
		return nil, err
	}
	watched := writtenFile{f, w}
	if strings.HasSuffix(name, ".log") {
		return w.newLog(watched), nil
	}
	return watched, nil
}

func (w *writable) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	var f vfs.File
	err := w.try(func() (err error) { f, err = w.FS.Create(name, category); return err })
	return w.wrap(name, f, err)
}

func (w *writable) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	var f vfs.File
	err := w.try(func() (err error) { f, err = w.FS.ReuseForWrite(old, name, category); return err })
	return w.wrap(name, f, err)
}

func (w *writable) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	var f vfs.File
	err := w.try(func() (err error) { f, err = w.FS.OpenReadWrite(name, category, opts...); return err })
	return w.wrap(name, f, err)
}

// Open opens a file to be read.
func (w *writable) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := w.FS.Open(name, opts...)
	if err != nil {
		return nil, err
	}
	return tableFile{f, w}, nil
}

func (w *writable) OpenDir(name string) (vfs.File, error) {
	f, err := w.FS.OpenDir(name)
	return w.wrap(name, f, err)
}

func (w *writable) Link(old, name string) error {
	return w.check(w.try(func() error { return w.FS.Link(old, name) }))
}

func (w *writable) Rename(old, name string) error {
	return w.check(w.try(func() error { return w.FS.Rename(old, name) }))
}

func (w *writable) MkdirAll(dir string, perm os.FileMode) error {
	return w.check(w.try(func() error { return w.FS.MkdirAll(dir, perm) }))
}

// writtenFile is a file, or a directory, that is written and synced.
type writtenFile struct {
	vfs.File
	w *writable
}

func (f writtenFile) Write(p []byte) (int, error) {
	n := 0
	err := f.w.try(func() error {
		k, err := f.File.Write(p[n:])
		n += k
		return err
	})
	return n, f.w.check(err)
}

func (f writtenFile) WriteAt(p []byte, at int64) (int, error) {
	n := 0
	err := f.w.try(func() error {
		k, err := f.File.WriteAt(p[n:], at+int64(n))
		n += k
		return err
	})
	return n, f.w.check(err)
}

func (f writtenFile) Sync() error     { return f.w.check(f.File.Sync()) }
func (f writtenFile) SyncData() error { return f.w.check(f.File.SyncData()) }
func (f writtenFile) Close() error    { return f.w.check(f.File.Close()) }

// Stat is asked of a log that is used again, which then cannot be made.
func (f writtenFile) Stat() (vfs.FileInfo, error) {
	info, err := f.File.Stat()
	return info, f.w.check(err)
}

func (f writtenFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.w.check(err)
}

// tableFile is a file that is read, until the store is closed. Then only compactions read: Close waits
// for them, and one may take minutes (compactTrimmed). Nothing rests on it: what it would have
// written is what is there already, in another form.
type tableFile struct {
	vfs.File
	w *writable
}

func (f tableFile) ReadAt(p []byte, at int64) (int, error) {
	if f.w.closing.Load() {
		return 0, errClosing
	}
	return f.File.ReadAt(p, at)
}
