package wal

import (
	"io/fs"
	"syscall"
)

// changeTime is when a file was last changed in any way.
func changeTime(info fs.FileInfo) any { return info.Sys().(*syscall.Stat_t).Ctim }
