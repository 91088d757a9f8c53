//go:build unix

package command

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// readerGone waits at most so long for the other end of a pipe, socket or terminal to
// be closed.
func readerGone(f *os.File, patience time.Duration) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(f.Fd())}}
	_, err := unix.Poll(fds, int(patience.Milliseconds()))
	switch {
	case errors.Is(err, unix.EINTR):
		return false, nil
	case err != nil:
		return false, err
	case fds[0].Revents&unix.POLLNVAL != 0:
		return false, os.ErrClosed
	}
	return fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0, nil
}
