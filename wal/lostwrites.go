package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	pebblewal "github.com/cockroachdb/pebble/v2/wal"
)

// This file finds writes that are lost although later ones are there.
//
// Pebble numbers every write, in order. Its MANIFEST says up to which number
// writes may be in tables, and from which log on they are not. It takes a damaged
// MANIFEST record for the end of the MANIFEST, and so forgets what came after it.
// Then it may open
//
//   - with a hole: the tables are unknown that held the middle, the logs that held
//     it before are gone, and the newest log is there;
//   - with tables whose writes are numbered above the last number known: these are
//     hidden, new writes get the same numbers, and at the next start the old hidden
//     ones win over them.
//
// Neither is a state that ever was, so both are damage. What a lost end of the
// newest log leaves is an earlier state, which cannot be told here.
//
// Numbers alone do not tell a hole at the start of the logs: an edit of a compaction
// says how far writes had come, and those in logs count too. So the log that follows
// the tables must be there. Which one this is depends on who made the edit:
//
//   - A flush while the database is open: the log that the edit names, which was made
//     before the edit.
//   - Open, which flushes the logs it finds: it names a number that no log will have.
//     Then it makes the log that follows, then an OPTIONS file, and takes writes when
//     this is on disk. Files are numbered in the order in which they are made.
//
// So the first log with the named number or a later one either has that number or
// is older than OPTIONS, or nothing was written after the tables.

// errHole is damage that Pebble does not notice.
var errHole = errors.New("its MANIFEST or a log lost a part, and what came later is there")

// firstSeq is the number of the first write of a database.
const firstSeq = 10

// progress reads how far a database had come: the number of its last write, and how
// many bytes the logs have that are not in tables. It returns errHole if writes before
// the last one are missing.
func progress(fs vfs.FS, db, manifest string) (last, logged uint64, err error) {
	last, firstLog, err := readManifest(fs, manifest)
	if errors.Is(err, os.ErrNotExist) {
		return 0, 0, nil // Open says so
	}
	if err != nil {
		return 0, 0, err
	}
	options, err := newestOptions(fs, db)
	if err != nil {
		return 0, 0, err
	}
	logs, err := pebblewal.Scan(pebblewal.Dir{FS: fs, Dirname: db})
	if err != nil {
		return 0, 0, err
	}
	logs = slices.DeleteFunc(logs, func(l pebblewal.LogicalLog) bool { return uint64(l.Num) < firstLog }) // in tables
	w := writes{last: max(last, firstSeq-1)}
	if len(logs) > 0 {
		first := uint64(logs[0].Num)
		w.startLost = first != firstLog && first > options
	}
	for _, l := range logs {
		size, err := l.PhysicalSize()
		if err != nil {
			return 0, 0, err
		}
		logged += size
		r := l.OpenForRead()
		if err := errors.Join(w.follow(r), r.Close()); err != nil {
			return 0, 0, err
		}
	}
	return max(w.last, w.logged), logged, nil
}

// newestOptions is the number of the newest OPTIONS file, 0 if there is none.
func newestOptions(fs vfs.FS, db string) (newest uint64, err error) {
	names, err := fs.List(db)
	for _, name := range names {
		if number, ok := strings.CutPrefix(name, "OPTIONS-"); ok {
			if n, err := strconv.ParseUint(number, 10, 64); err == nil {
				newest = max(newest, n)
			}
		}
	}
	return newest, err
}

// writes are the numbers of the writes that were found.
type writes struct {
	last      uint64 // in tables, at the most
	logged    uint64 // in logs, 0 if none
	startLost bool   // the log that follows the tables is gone
}

// follow reads the numbers of the writes in a log, which must go on without a gap,
// up to its end or to what cannot be read: Pebble judges that.
func (w *writes) follow(r pebblewal.Reader) error {
	for {
		rec, _, err := r.NextRecord()
		if err != nil {
			return nil
		}
		var header [batchrepr.HeaderLen]byte
		if _, err := io.ReadFull(rec, header[:]); err != nil {
			return nil
		}
		h, _ := batchrepr.ReadHeader(header[:])
		before := w.logged
		if before == 0 {
			before = w.last
		}
		if uint64(h.SeqNum) > before+1 {
			return fmt.Errorf("%w (writes %d to %d)", errHole, before+1, h.SeqNum-1)
		}
		if h.Count == 0 {
			continue // only a sync
		}
		if w.startLost {
			return fmt.Errorf("%w (writes before %d)", errHole, h.SeqNum)
		}
		w.logged = max(w.logged, uint64(h.SeqNum)+uint64(h.Count)-1)
	}
}

// readManifest returns the number up to which writes may be in tables, and the
// first log whose writes are not.
func readManifest(fs vfs.FS, path string) (last, firstLog uint64, err error) {
	f, err := fs.Open(path)
	if err != nil {
		return 0, 0, err
	}
	records := record.NewReader(f, 0)
	for {
		r, err := records.Next()
		if err != nil {
			break // the end, or what Pebble takes for it
		}
		edit, err := io.ReadAll(r)
		if err != nil {
			break
		}
		if last, firstLog, err = readEdit(edit, last, firstLog); err != nil {
			return 0, 0, errors.Join(err, f.Close())
		}
	}
	return last, firstLog, f.Close()
}

// The fields of an edit that Pebble writes before those about tables, in which all
// numbers are uvarints.
const (
	tagComparer    = 1 // a string
	tagFirstLog    = 2
	tagNextFile    = 3
	tagLastSeq     = 4
	tagPrevLog     = 9
	tagNewBacking  = 105 // two numbers
	tagGoneBacking = 106
)

// tagsOfTables are the fields about tables and values' files: none of those above
// follows one of them.
var tagsOfTables = []uint64{5, 6, 7, 100, 102, 103, 104, 107, 108}

// errUnknownTag is an edit of another version of Pebble. What its other fields mean is
// not known: one of them may say how far writes had come.
var errUnknownTag = errors.New("its MANIFEST holds a field that this program does not know: use the version of paxlog that wrote it")

// readEdit returns what an edit says of the numbers that are known so far.
func readEdit(edit []byte, last, firstLog uint64) (uint64, uint64, error) {
	number := func() (v uint64) {
		v, n := binary.Uvarint(edit)
		edit = edit[max(0, n):]
		if n <= 0 {
			edit = nil
		}
		return v
	}
	for len(edit) > 0 {
		switch tag := number(); tag {
		case tagComparer:
			edit = edit[min(number(), uint64(len(edit))):]
		case tagFirstLog:
			firstLog = number()
		case tagLastSeq:
			last = number()
		case tagNextFile, tagPrevLog, tagGoneBacking:
			number()
		case tagNewBacking:
			number()
			number()
		default:
			if !slices.Contains(tagsOfTables, tag) {
				return 0, 0, fmt.Errorf("%w (%d)", errUnknownTag, tag)
			}
			return last, firstLog, nil
		}
	}
	return last, firstLog, nil
}

// checkHidden returns errHole if tables hold writes above the last number.
func checkHidden(db *pebble.DB, last uint64) error {
	levels, err := db.SSTables()
	if err != nil {
		return err
	}
	for _, tables := range levels {
		for _, t := range tables {
			if uint64(t.LargestSeqNum) > last {
				return fmt.Errorf("%w (writes %d to %d)", errHole, last+1, t.LargestSeqNum)
			}
		}
	}
	return nil
}

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
