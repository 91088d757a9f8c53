package wal

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Usage says what a data directory takes of its volume.
type Usage struct {
	Bytes uint64 // blocks of its files, with those made ready for what is written next
	Free  uint64 // bytes of the volume that this user may still take
}

// UsageOf sums a directory's blocks. It looks at each file's, since Pebble's own figure
// leaves out the log that is being written. Files may come and go meanwhile.
func UsageOf(dir string) (u Usage, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != dir {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) && path != dir {
			return nil
		}
		if err == nil {
			u.Bytes += blocks(info)
		}
		return err
	})
	if err != nil {
		return u, err
	}
	volume, err := vfs.Default.GetDiskUsage(dir)
	u.Free = volume.AvailBytes
	return u, err
}
