package wal

import (
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// readOnly is a file system of which nothing can be changed, for inspection. Pebble
// writes nothing when it opens read-only; this makes sure of it. A write here fails as
// it would on a file system that is mounted read-only.
type readOnly struct{ vfs.FS }

func (readOnly) Create(string, vfs.DiskWriteCategory) (vfs.File, error) { return nil, syscall.EROFS }
func (readOnly) Link(string, string) error                              { return syscall.EROFS }
func (readOnly) Remove(string) error                                    { return syscall.EROFS }
func (readOnly) RemoveAll(string) error                                 { return syscall.EROFS }
func (readOnly) Rename(string, string) error                            { return syscall.EROFS }
func (readOnly) MkdirAll(string, os.FileMode) error                     { return syscall.EROFS }

func (readOnly) OpenReadWrite(string, vfs.DiskWriteCategory, ...vfs.OpenOption) (vfs.File, error) {
	return nil, syscall.EROFS
}

func (readOnly) ReuseForWrite(string, string, vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, syscall.EROFS
}

func (r readOnly) Unwrap() vfs.FS { return r.FS }

// Lock excludes those who write, and no other reader. The file is only opened: taking
// the lock that writers take would create or truncate it.
func (r readOnly) Lock(name string) (io.Closer, error) {
	if vfs.Root(r.FS) != vfs.Default {
		return r.FS.Lock(name) // in memory
	}
	if locked.has(name) {
		return nil, syscall.EAGAIN
	}
	return lockShared(name)
}

// locked are the files of the real disk that a Store of this process holds locked. The
// system's locks exclude other processes only; and if a reader in this process opened
// and closed such a file, the system would release the Store's lock.
var locked lockedFiles

type lockedFiles struct {
	mu    sync.Mutex
	names map[string]bool
}

func (l *lockedFiles) has(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.names[name]
}

// take locks a file for a Store, and notes it until it is closed.
func (l *lockedFiles) take(fs vfs.FS, name string) (io.Closer, error) {
	if vfs.Root(fs) != vfs.Default {
		return fs.Lock(name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	lock, err := fs.Lock(name)
	if err != nil {
		return nil, err
	}
	if l.names == nil {
		l.names = map[string]bool{}
	}
	l.names[name] = true
	return notedLock{lock, l, name}, nil
}

// notedLock is a lock that is noted.
type notedLock struct {
	lock io.Closer
	l    *lockedFiles
	name string
}

func (n notedLock) Close() error {
	n.l.mu.Lock()
	defer n.l.mu.Unlock()
	delete(n.l.names, n.name)
	return n.lock.Close()
}
