package wal

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// storageFormat is the version of Pebble's files in a directory that Init makes. A newer
// Pebble knows newer ones. Which one is written is raised only when no process of an
// earlier version of paxlog will open the directory again, so it is not Pebble's newest.
const storageFormat pebble.FormatMajorVersion = 24 // which Pebble calls FormatValueSeparation

// peeked is what is read of a database before it is opened.
type peeked struct {
	version pebble.FormatMajorVersion // in which its files are, and are left
	last    uint64                    // the number of the last write
	logged  uint64                    // bytes of logs that are not in tables
}

// peek reads what has to be known before anything is opened. The version is the one to
// open with: another would convert the directory, and an earlier version of paxlog could
// not go back to it.
func peek(fs vfs.FS, dir, db string) (peeked, error) {
	desc, err := pebble.Peek(db, fs)
	if err != nil || !desc.Exists {
		return peeked{version: storageFormat}, nil // opening says what is wrong
	}
	if desc.FormatMajorVersion > storageFormat {
		return peeked{}, fmt.Errorf("%s has storage format %d, this program knows format %d: use the version of paxlog that wrote it",
			dir, uint64(desc.FormatMajorVersion), uint64(storageFormat))
	}
	p := peeked{version: desc.FormatMajorVersion}
	p.last, p.logged, err = progress(fs, db, desc.ManifestFilename)
	if errors.Is(err, errUnknownTag) {
		return p, fmt.Errorf("%s: %w", dir, err)
	}
	if err != nil {
		return p, explainOpen(dir, err)
	}
	return p, nil
}

// startFree is what a start needs of free space, beside a copy in tables of what the
// logs hold: for a log, a MANIFEST, and the first commits.
const startFree = 8 << 20

// checkFree returns an error, of a full disk, unless dir's volume has room for a start.
// A volume whose free space is not known is taken for a large one.
func checkFree(fs vfs.FS, dir string, logged uint64) error {
	volume, err := fs.GetDiskUsage(dir)
	if need := startFree + logged; err == nil && volume.AvailBytes < need {
		return explain(dir, fmt.Errorf("%.1f MB are free, and a start needs %.1f MB: %w", float64(volume.AvailBytes)/1e6, float64(need)/1e6, syscall.ENOSPC))
	}
	return nil
}
