package clients

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

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
	return fmt.Sprintf("entry %d of the input is longer than limits.entry_bytes, %d bytes: neither it nor anything after it was sent", e.Entry, e.Limit)
}

// splitter cuts a stream into entries. It buffers at most one entry of the
// largest size and one byte, reads no more than it must to return the next entry,
// and is used by one goroutine.
type splitter struct {
	from  io.Reader
	sep   byte
	whole bool // the input is one entry
	limit int  // bytes in an entry

	buf        []byte // of which [start, end) is read and not returned
	start, end int
	scanned    int    // no separator lies in [start, scanned)
	entries    uint64 // returned so far
	err        error  // what reading ended with
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

// Next returns the next entry, which the caller owns. At the end of the input it
// returns io.EOF; an *entrySizeError or a failure to read ends the input too, and
// what was read of an unfinished entry before a failure is not returned.
func (s *splitter) Next() ([]byte, error) {
	for {
		if !s.whole {
			if i := bytes.IndexByte(s.buf[s.scanned:s.end], s.sep); i >= 0 {
				return s.take(s.scanned+i, 1)
			}
			s.scanned = s.end
		}
		if s.end-s.start > s.limit {
			return s.take(s.end, 0)
		}
		if s.err != nil {
			return s.last()
		}
		s.fill()
	}
}

// take returns the bytes up to end as an entry and passes over skip more.
func (s *splitter) take(end, skip int) ([]byte, error) {
	if end-s.start > s.limit {
		s.start, s.scanned, s.end = 0, 0, 0
		s.err = &entrySizeError{Entry: s.entries + 1, Limit: s.limit}
		s.whole = false
		return nil, s.err
	}
	entry := bytes.Clone(s.buf[s.start:end])
	if entry == nil {
		entry = []byte{}
	}
	s.start = end + skip
	s.scanned = s.start
	s.entries++
	return entry, nil
}

// last returns what is left when reading has ended.
func (s *splitter) last() ([]byte, error) {
	if errors.Is(s.err, io.EOF) && (s.whole || s.end > s.start) {
		s.whole = false
		return s.take(s.end, 0)
	}
	return nil, s.err
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
	n, err := s.from.Read(s.buf[s.end:])
	s.end += n
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("reading the input: %w", err)
	}
	s.err = err
}
