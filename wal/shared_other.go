//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package wal

import (
	"errors"
	"io"
)

// lockShared fails where locks are unknown, as Pebble's own do.
func lockShared(string) (io.Closer, error) {
	return nil, errors.New("files cannot be locked on this system")
}
