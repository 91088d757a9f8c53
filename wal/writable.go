package wal

import (
	"io"
	"os"
	"strings"
	"sync/atomic"

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
	logs   atomic.Int64 // opened to be written so far
}

func (w *writable) Unwrap() vfs.FS { return w.FS }

func (w *writable) Lock(name string) (io.Closer, error) { return locked.take(w.FS, name) }

// check tells of an error.
func (w *writable) check(err error) error {
	if err != nil {
		w.failed(err)
	}
	return err
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
	f, err := w.FS.Create(name, category)
	return w.wrap(name, f, err)
}

func (w *writable) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := w.FS.ReuseForWrite(old, name, category)
	return w.wrap(name, f, err)
}

func (w *writable) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := w.FS.OpenReadWrite(name, category, opts...)
	return w.wrap(name, f, err)
}

func (w *writable) OpenDir(name string) (vfs.File, error) {
	f, err := w.FS.OpenDir(name)
	return w.wrap(name, f, err)
}

func (w *writable) Link(old, name string) error   { return w.check(w.FS.Link(old, name)) }
func (w *writable) Rename(old, name string) error { return w.check(w.FS.Rename(old, name)) }

func (w *writable) MkdirAll(dir string, perm os.FileMode) error {
	return w.check(w.FS.MkdirAll(dir, perm))
}

// writtenFile is a file, or a directory, that is written and synced.
type writtenFile struct {
	vfs.File
	w *writable
}

func (f writtenFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.w.check(err)
}

func (f writtenFile) WriteAt(p []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(p, at)
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

// Pebble's first memtable after a start has this size, which cannot be chosen. Each next
// one has twice the size, up to Options.MemTableSize.
const firstMemTable = 256 << 10

// furtherAhead is what is made ready at a time of a log that outgrows its memtable.
const furtherAhead = 4 << 20

// logFile is a log of Pebble's. When it is first written Pebble asks for all that the
// largest memtable may need, 35 MiB, also for the logs of the small memtables with which
// it begins, and it keeps three logs to use again: so a store without an entry held 36 MB
// of disk, and 180 after 20 MiB of entries. This makes ready what the memtable of the log
// may need, in one piece, as Pebble does: several pieces made syncs slower.
type logFile struct {
	writtenFile
	memTable int64 // what the log's memtable holds, at most
	at       int64 // of the next write
	ready    int64 // up to here blocks are allocated
	most     int64 // up to here Pebble asked for them
}

// newLog returns the file of the next log.
func (w *writable) newLog(f writtenFile) *logFile {
	n := w.logs.Add(1) - 1
	return &logFile{writtenFile: f, memTable: firstMemTable << min(n, 20)}
}

func (f *logFile) Preallocate(offset, length int64) error {
	f.most = max(f.most, offset+length)
	return nil
}

func (f *logFile) Write(p []byte) (int, error) {
	for end := f.at + int64(len(p)); f.ready < end && f.ready < f.most; {
		next := f.ready + furtherAhead
		if f.ready == 0 {
			next = f.memTable + f.memTable/10 // as much more as Pebble takes
		}
		next = min(next, f.most)
		// A hint: where it fails, for want of space or of the call, writing shows what is wrong.
		_ = f.File.Preallocate(f.ready, next-f.ready)
		f.ready = next
	}
	n, err := f.writtenFile.Write(p)
	f.at += int64(n)
	return n, err
}
