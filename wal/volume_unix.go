//go:build unix

package wal

import (
	"io/fs"
	"syscall"
)

// blockSize is what st_blocks counts, whatever the file system's own blocks are.
const blockSize = 512

// blocks is how much of the volume a file takes.
func blocks(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Blocks) * blockSize
	}
	return uint64(info.Size())
}
