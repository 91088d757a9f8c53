package wal

import (
	"encoding/binary"
	"errors"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/batchrepr"
)

// Pebble's memtables begin at 256 KiB, which cannot be chosen, and each next one has twice
// the size, up to Options.MemTableSize. Open makes one for nothing, and one for the log that
// it finds, so that the first that is written to has the third size.
const (
	firstMemTable = 1 << 20
	maxMemTable   = 32 << 20
	memTableShare = 64 // of a small volume
)

// furtherAhead is what is made ready at a time of a log that outgrows its memtable.
const furtherAhead = 4 << 20

// logFile is a log of Pebble's. When it is first written Pebble asks for all that the
// largest memtable may need, 35 MiB, also for the logs of the small memtables with which
// it begins, and it keeps three logs to use again: so a store without an entry held 36 MB
// of disk, and 180 after 20 MiB of entries. This makes ready what the memtable of the log
// may need, in one piece, as Pebble does: several pieces made syncs slower.
//
// It also sees which writes are durable. Pebble tells this to somebody who waits for it,
// and waking one more goroutine is a good part of what a small commit costs; the goroutine
// that syncs can go on with what had to wait.
type logFile struct {
	writtenFile
	memTable int64 // what the log's memtable holds, at most
	at       int64 // of the next write
	written  atomic.Int64
	ready    int64 // up to here blocks are allocated
	most     int64 // up to here Pebble asked for them
	records  records
}

// logged is about what the logs hold that is not in tables: the newest two, since there are two
// memtables.
func (w *writable) logged() inLogs {
	all := inLogs{written: w.appended.Load(), memTable: uint64(w.memTable)}
	for _, f := range []*logFile{w.before.Load(), w.newest.Load()} {
		if f != nil {
			all.unflushed += uint64(f.written.Load())
			all.mostLogged = uint64(2 * min(2*f.memTable, w.memTable)) // of the next two
		}
	}
	return all
}

// newLog returns the file of the next log.
func (w *writable) newLog(f writtenFile) *logFile {
	n := w.logs.Add(1) - 1
	size := min(firstMemTable<<min(n, 20), w.memTable)
	w.room.Store(size - size/16)
	next := &logFile{writtenFile: f, memTable: size}
	w.before.Store(w.newest.Swap(next))
	return next
}

func (f *logFile) Preallocate(offset, length int64) error {
	f.most = max(f.most, offset+length)
	return nil
}

func (f *logFile) Write(p []byte) (int, error) {
	for end := f.at + int64(len(p)); f.ready < end && f.ready < f.most && !f.w.tight.Load(); {
		next := f.ready + furtherAhead
		if f.ready == 0 {
			next = f.memTable + f.memTable/10 // as much more as Pebble takes
		}
		next = min(next, f.most)
		// A hint: where it fails, for want of space or of the call, writing shows what is wrong.
		_ = f.File.Preallocate(f.ready, next-f.ready)
		f.ready = next
	}
	if err := f.records.follow(f.at, p); err != nil {
		return 0, f.w.check(err)
	}
	n, err := f.writtenFile.Write(p)
	f.at += int64(n)
	f.written.Store(f.at)
	f.w.appended.Add(uint64(n))
	return n, err
}

func (f *logFile) Sync() error {
	f.w.syncs.Add(1)
	return f.tell(f.writtenFile.Sync())
}

func (f *logFile) SyncData() error {
	f.w.syncs.Add(1)
	return f.tell(f.writtenFile.SyncData())
}

// tell says that all that was written is durable, unless syncing it failed.
func (f *logFile) tell(err error) error {
	if err == nil && f.records.last > f.w.durable.Load() {
		f.w.durable.Store(f.records.last)
		f.w.synced()
	}
	return err
}

// The layout of Pebble's logs: blocks of 32 KiB, filled with chunks, and with zeros where
// no chunk's header fits. A record is a batch, whose header begins with its number; it is
// one whole chunk, or a first, some of the middle and a last one. These four kinds have
// three layouts, with types of their own: 1 to 4 are of logs that are not used again, 5 to 8
// of those that are, 9 to 12 of those that also say how far they were synced.
const (
	logBlock       = 32 << 10
	chunkType      = 6 // where it is, behind the checksum and the size
	reusedHeader   = 11
	syncedHeader   = 19
	firstReused    = 5
	firstSynced    = 9
	chunkTypes     = 13
	wholeChunk     = 0
	firstChunk     = 1
	lastChunk      = 3
	chunkKinds     = 4
	smallestHeader = reusedHeader
)

var errLayout = errors.New("a log of the storage engine is not laid out as this program knows it")

// records follows what is written to a log, and knows the number of the last record that
// is whole.
type records struct {
	last   uint64 // its number; 0 if there is none
	header [batchrepr.HeaderLen]byte
	have   int // of the header of the record that has begun
}

// follow takes what is written at an offset. Pebble writes whole chunks.
func (r *records) follow(at int64, p []byte) error {
	for len(p) > 0 {
		left := logBlock - int(at%logBlock)
		n := min(left, len(p)) // of padding, if it is that
		if left >= smallestHeader && len(p) >= smallestHeader && p[chunkType] != 0 {
			var err error
			if n, err = r.chunk(p); err != nil {
				return err
			}
		} else if left >= syncedHeader {
			return errLayout
		}
		at += int64(n)
		p = p[n:]
	}
	return nil
}

// chunk takes the chunk that p begins with, and returns its length.
func (r *records) chunk(p []byte) (int, error) {
	header := reusedHeader
	t := int(p[chunkType])
	if t >= firstSynced {
		header = syncedHeader
	}
	n := header + int(binary.LittleEndian.Uint16(p[4:]))
	if t < firstReused || t >= chunkTypes || n > len(p) {
		return 0, errLayout
	}
	kind := (t - firstReused) % chunkKinds
	if kind == wholeChunk || kind == firstChunk {
		r.have = 0
	}
	r.have += copy(r.header[r.have:], p[header:n])
	// The mark of a log's end is a chunk, too, of a record without a header.
	if (kind == wholeChunk || kind == lastChunk) && r.have == len(r.header) {
		if h, _ := batchrepr.ReadHeader(r.header[:]); h.Count > 0 { // else only a sync
			r.last = uint64(h.SeqNum)
		}
	}
	return n, nil
}
