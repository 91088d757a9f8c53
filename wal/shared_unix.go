//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package wal

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// lockShared locks a file against writers, without a change to it. Where nobody can
// be writing, or locks are unknown, nothing is locked: a copy may lack the file, and a
// mounted snapshot may have no locks.
func lockShared(name string) (io.Closer, error) {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return unlocked{}, nil
	}
	if err != nil {
		return nil, err
	}
	err = syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_RDLCK, Whence: io.SeekStart})
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EACCES):
		return nil, errors.Join(syscall.EAGAIN, f.Close()) // one error, whatever the system's
	case err == nil, errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOSYS):
		return f, nil
	}
	return nil, errors.Join(err, f.Close())
}

// unlocked is the lock of a file that is not there.
type unlocked struct{}

func (unlocked) Close() error { return nil }
