//go:build unix

package transport

import "syscall"

// writeSome writes what the kernel takes of buf without waiting, and returns how much.
func writeSome(fd uintptr, buf []byte) int {
	for {
		n, err := syscall.Write(int(fd), buf)
		if err == syscall.EINTR {
			continue
		}
		return max(n, 0)
	}
}
