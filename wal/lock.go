package wal

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Lock makes the file if it is missing and locks it until it is closed, or until the
// process ends. It returns an error that wraps ErrBusy if it is locked already.
func Lock(fs vfs.FS, name string) (io.Closer, error) {
	lock, err := fs.Lock(name)
	if err != nil && isLocked(err) {
		return nil, fmt.Errorf("%s is %w", name, ErrBusy)
	}
	return lock, err
}

// isLocked reports whether a lock failed because another holds it, which may be this
// process itself.
func isLocked(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || strings.Contains(err.Error(), "lock held")
}
