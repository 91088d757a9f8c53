package clients

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

// source is where the entries of an append come from.
type source interface {
	// Next returns the next entry, which the caller owns, and its number in the input,
	// from 1. At the end of the input the error is io.EOF.
	Next() (entry []byte, number uint64, err error)
	// Left is how many entries are read and were not returned, one that is not read to
	// its end included. It may be called from another goroutine than Next.
	Left() uint64
}

// firstBuffer is the size of a splitter's first buffer, in bytes.
const firstBuffer = 64 << 10

// entrySizeError says that an entry of the input is over the limit. The entries
// before it were returned.
type entrySizeError struct {
	Entry uint64 // its place in the input, from 1
	Limit int    // in bytes
}

// Error implements error.
func (e *entrySizeError) Error() string {
	return fmt.Sprintf("entry %d of the input is longer than limits.entry_bytes, %d bytes: neither it nor anything after it was sent; "+
		"`--oversize skip` passes over it, and a cluster file with a larger limits.entry_bytes, of at most 16 MiB, allows it", e.Entry, e.Limit)
}

// splitter cuts a stream into entries. It buffers at most one entry of the
// largest size and one byte, reads no more than it must to return the next entry,
// and Next is called by one goroutine.
type splitter struct {
	from  io.Reader
	sep   byte
	whole bool // the input is one entry
	limit int  // bytes in an entry

	requireSep bool // a last entry without sep is none
	skipLong   bool // entries over the limit are passed over

	mu         sync.Mutex // not held while the input is read
	buf        []byte     // of which [start, end) is read and not returned
	start, end int
	scanned    int    // no separator lies in [start, scanned)
	entries    uint64 // returned or skipped so far
	skipping   bool   // what is read up to the next sep belongs to a skipped entry
	skipped    numbers
	unfinished int   // bytes of a last entry that has no sep and thus is none
	err        error // what reading ended with
}

// newSplitter cuts from at each sep. A last entry without sep counts, an empty
// entry is one, and nothing but sep is removed.
func newSplitter(from io.Reader, sep byte, limit int) *splitter {
	return &splitter{from: from, sep: sep, limit: limit}
}

// newWhole makes all of from one entry, also if it is empty.
func newWhole(from io.Reader, limit int) *splitter {
	return &splitter{from: from, whole: true, limit: limit}
}

// Next implements source. An *entrySizeError or a failure to read ends the input too,
// and what was read of an unfinished entry before a failure is not returned.
func (s *splitter) Next() (entry []byte, number uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.skipping {
			if s.passOver(); !s.skipping {
				continue
			}
		} else {
			if !s.whole {
				if i := bytes.IndexByte(s.buf[s.scanned:s.end], s.sep); i >= 0 {
					return s.take(s.scanned+i, 1)
				}
				s.scanned = s.end
			}
			if s.end-s.start > s.limit {
				if err := s.tooLong(); err != nil {
					return nil, 0, err
				}
				continue
			}
		}
		if s.err != nil {
			return s.last()
		}
		s.fill()
	}
}

// take returns the bytes up to end as an entry and passes over skip more.
func (s *splitter) take(end, skip int) ([]byte, uint64, error) {
	entry := bytes.Clone(s.buf[s.start:end])
	if entry == nil {
		entry = []byte{}
	}
	s.start = end + skip
	s.scanned = s.start
	s.entries++
	return entry, s.entries, nil
}

// tooLong ends the input at an entry over the limit, or begins to skip it.
func (s *splitter) tooLong() error {
	s.start, s.scanned, s.end = 0, 0, 0
	if s.skipLong {
		s.entries++
		s.skipped.add(s.entries)
		s.skipping = true
		return nil
	}
	s.err = &entrySizeError{Entry: s.entries + 1, Limit: s.limit}
	s.whole = false
	return s.err
}

// skip notes that the entry of that number, which was returned, is passed over.
func (s *splitter) skip(number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped.add(number)
}

// passOver drops what is read of an entry that is skipped.
func (s *splitter) passOver() {
	i := -1
	if !s.whole {
		i = bytes.IndexByte(s.buf[s.start:s.end], s.sep)
	}
	if i < 0 {
		s.start, s.scanned, s.end = 0, 0, 0
		return
	}
	s.start += i + 1
	s.scanned = s.start
	s.skipping = false
}

// last returns what is left when reading has ended.
func (s *splitter) last() ([]byte, uint64, error) {
	if !errors.Is(s.err, io.EOF) || s.skipping || !s.whole && s.end == s.start {
		return nil, 0, s.err
	}
	if s.requireSep && !s.whole {
		s.unfinished += s.end - s.start
		s.start, s.scanned, s.end = 0, 0, 0
		return nil, 0, s.err
	}
	s.whole = false
	return s.take(s.end, 0)
}

// fill reads once into the buffer, which it first makes room in.
func (s *splitter) fill() {
	if s.start > 0 {
		s.end = copy(s.buf, s.buf[s.start:s.end])
		s.scanned -= s.start
		s.start = 0
	}
	if s.end == len(s.buf) {
		size := min(max(2*len(s.buf), firstBuffer), s.limit+1)
		s.buf = append(make([]byte, 0, size), s.buf[:s.end]...)[:size]
	}
	room := s.buf[s.end:]
	s.mu.Unlock() // Left looks only at what lies before the room
	n, err := s.from.Read(room)
	s.mu.Lock()
	s.end += n
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("reading the input: %w", err)
	}
	s.err = err
}

// Left implements source.
func (s *splitter) Left() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var long *entrySizeError
	switch {
	case errors.As(s.err, &long):
		return 1
	case s.skipping || s.start == s.end:
		return 0
	case s.whole:
		return 1
	}
	read := s.buf[s.start:s.end]
	n := uint64(bytes.Count(read, []byte{s.sep}))
	if read[len(read)-1] != s.sep && !s.requireSep {
		n++
	}
	return n
}

// told is how many of the skipped entries are told by their number.
const told = 10

// numbers are the entries that were skipped.
type numbers struct {
	count uint64
	first []uint64 // at most told
}

func (n *numbers) add(number uint64) {
	n.count++
	if len(n.first) < told {
		n.first = append(n.first, number)
	}
}

// notes says what of the input was no entry, one line each.
func (s *splitter) notes() (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if line := s.skipped.line(s.limit); line != "" {
		lines = append(lines, line)
	}
	if s.unfinished > 0 {
		lines = append(lines, fmt.Sprintf("no entry: the input ends with %d bytes that are not ended by %s, after input entry %d", s.unfinished, sepName(s.sep), s.entries))
	}
	return lines
}

// line says which entries were skipped, or "".
func (n numbers) line(limit int) string {
	if n.count == 0 {
		return ""
	}
	text := fmt.Sprintf("skipped: %s longer than limits.entry_bytes, %d bytes: input entry", entries(n.count), limit)
	for i, number := range n.first {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(" %d", number)
	}
	if n.count > uint64(len(n.first)) {
		text += ", ..."
	}
	return text
}

// sepName is a separator in words.
func sepName(sep byte) string {
	if sep == 0 {
		return "a NUL"
	}
	return "a newline"
}

// entries counts entries in words.
func entries(n uint64) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// arguments are entries of a command line.
type arguments struct {
	values   []string
	limit    int
	skipLong bool

	mu      sync.Mutex
	next    int
	skipped numbers
}

// Next implements source.
func (a *arguments) Next() (entry []byte, number uint64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.next < len(a.values) {
		value := a.values[a.next]
		if len(value) <= a.limit {
			a.next++
			return []byte(value), uint64(a.next), nil
		}
		if !a.skipLong {
			return nil, 0, &entrySizeError{Entry: uint64(a.next) + 1, Limit: a.limit}
		}
		a.next++
		a.skipped.add(uint64(a.next))
	}
	return nil, 0, io.EOF
}

// Left implements source.
func (a *arguments) Left() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return uint64(len(a.values) - a.next)
}

// notes says which arguments were skipped.
func (a *arguments) notes() (lines []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if line := a.skipped.line(a.limit); line != "" {
		lines = append(lines, line)
	}
	return lines
}
