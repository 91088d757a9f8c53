//go:build !linux

package wal

import "io/fs"

// changeTime is when a file was last changed in any way, where that is known.
func changeTime(fs.FileInfo) any { return nil }
