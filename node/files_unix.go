//go:build unix

package node

import (
	"math"

	"golang.org/x/sys/unix"
)

// openFiles is how many files this process may open, 0 if there is no limit. The runtime has
// raised it as far as it may.
func openFiles() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || uint64(limit.Cur) > math.MaxInt32 {
		return 0
	}
	return int(limit.Cur)
}
