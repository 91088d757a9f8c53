package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	pebblewal "github.com/cockroachdb/pebble/v2/wal"
)

// Pebble numbers every write, in order. Its MANIFEST says up to which number
// writes are in tables at the latest, and from which log on they are not. It takes
// a damaged MANIFEST record for the end of the MANIFEST, and so forgets what came
// after it. Then it may open
//
//   - with a hole: the tables are unknown that held the middle, the logs that held
//     it before are gone, and the newest log is there;
//   - with tables whose writes are numbered above the last number known: these are
//     hidden, new writes get the same numbers, and at the next start the old hidden
//     ones win over them.
//
// Neither is a state that ever was, so both are damage. What a lost end of the
// newest log leaves is an earlier state, which cannot be told here.

// errHole is damage that Pebble does not notice.
var errHole = errors.New("its MANIFEST or a log lost a part, and what came later is there")

// firstSeq is the number of the first write of a database.
const firstSeq = 10

// progress reads how far a database had come: the number of its last write. It
// returns errHole if writes before it are missing.
func progress(fs vfs.FS, db string) (last uint64, err error) {
	desc, err := pebble.Peek(db, fs)
	if err != nil || !desc.Exists {
		return 0, nil // Open says what is wrong
	}
	last, firstLog, err := readManifest(fs, desc.ManifestFilename)
	if err != nil {
		return 0, err
	}
	logs, err := pebblewal.Scan(pebblewal.Dir{FS: fs, Dirname: db})
	if err != nil {
		return 0, err
	}
	last = max(last, firstSeq-1)
	for _, l := range logs {
		if uint64(l.Num) < firstLog {
			continue // in tables
		}
		r := l.OpenForRead()
		last, err = follow(r, last)
		if err = errors.Join(err, r.Close()); err != nil {
			return 0, err
		}
	}
	return last, nil
}

// follow reads the numbers of the writes in a log, which must go on from last, up
// to its end or to what cannot be read: Pebble judges that.
func follow(r pebblewal.Reader, last uint64) (uint64, error) {
	for {
		rec, _, err := r.NextRecord()
		if err != nil {
			return last, nil
		}
		var header [batchrepr.HeaderLen]byte
		if _, err := io.ReadFull(rec, header[:]); err != nil {
			return last, nil
		}
		h, _ := batchrepr.ReadHeader(header[:])
		if uint64(h.SeqNum) > last+1 {
			return last, fmt.Errorf("%w (writes %d to %d)", errHole, last+1, h.SeqNum-1)
		}
		if h.Count > 0 {
			last = max(last, uint64(h.SeqNum)+uint64(h.Count)-1)
		}
	}
}

// readManifest returns the number up to which writes may be in tables, and the
// first log whose writes are not.
func readManifest(fs vfs.FS, path string) (last, firstLog uint64, err error) {
	f, err := fs.Open(path)
	if err != nil {
		return 0, 0, nil // Open says so
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
		last, firstLog = readEdit(edit, last, firstLog)
	}
	return last, firstLog, f.Close()
}

// The fields of an edit that come before those about tables, in which all numbers
// are uvarints.
const (
	tagComparer    = 1 // a string
	tagFirstLog    = 2
	tagNextFile    = 3
	tagLastSeq     = 4
	tagPrevLog     = 9
	tagNewBacking  = 105 // two numbers
	tagGoneBacking = 106
)

func readEdit(edit []byte, last, firstLog uint64) (uint64, uint64) {
	number := func() (v uint64) {
		v, n := binary.Uvarint(edit)
		edit = edit[max(0, n):]
		if n <= 0 {
			edit = nil
		}
		return v
	}
	for len(edit) > 0 {
		switch number() {
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
			return last, firstLog
		}
	}
	return last, firstLog
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
