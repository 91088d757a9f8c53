package clients

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// Two forms of input carry any bytes: what `tail -o length` and `tail -o json` print.

// malformedError says what is wrong with an entry of the input. Those before it were
// returned.
type malformedError struct {
	entry  uint64 // its place in the input, from 1
	reason string
}

// Error implements error.
func (e *malformedError) Error() string {
	return fmt.Sprintf("entry %d of the input %s: neither it nor anything after it was sent", e.entry, e.reason)
}

// lengthSource reads entries that each have their length in bytes before them, as an
// unsigned varint of protocol buffers. It keeps one buffer, and at most one entry beside it.
type lengthSource struct {
	from     io.Reader
	limit    int
	skipLong bool

	mu         sync.Mutex // not held while the input is read
	buf        []byte     // of which [start, end) is read and not returned
	start, end int
	entries    uint64 // returned or skipped so far
	skipped    numbers
	passing    uint64 // bytes of a skipped entry that still come
	err        error  // what reading ended with
	ended      error  // what Next ended with
}

func newLengthSource(from io.Reader, limit int, skipLong bool) *lengthSource {
	return &lengthSource{from: from, limit: limit, skipLong: skipLong, buf: make([]byte, firstBuffer)}
}

// Next implements source. A length or an entry that is cut off ends the input with a
// *malformedError, and one over the limit with an *entrySizeError.
func (s *lengthSource) Next() (entry []byte, number uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.ended == nil {
		if entry, ok := s.take(); ok {
			return entry, s.entries, nil
		}
		if s.ended == nil && s.err != nil {
			s.finish()
		} else if s.ended == nil {
			s.fill()
		}
	}
	return nil, 0, s.ended
}

// take returns the next entry if all of it is at hand.
func (s *lengthSource) take() (entry []byte, ok bool) {
	s.pass()
	for s.passing == 0 {
		size, n := binary.Uvarint(s.buf[s.start:s.end])
		switch {
		case n < 0 || n == 0 && s.end-s.start >= binary.MaxVarintLen64:
			s.ended = &malformedError{s.entries + 1, "begins with a length that no 64-bit number has"}
			return nil, false
		case n == 0:
			return nil, false
		case size > uint64(s.limit) && s.skipLong && size <= math.MaxInt64:
			s.start += n
			s.entries++
			s.skipped.add(s.entries)
			s.passing = size
			s.pass()
			continue
		case size > uint64(s.limit):
			s.ended = &entrySizeError{Entry: s.entries + 1, Limit: s.limit}
			return nil, false
		case uint64(s.end-s.start-n) < size:
			return nil, false
		}
		entry = append([]byte{}, s.buf[s.start+n:s.start+n+int(size)]...)
		s.start += n + int(size)
		s.entries++
		return entry, true
	}
	return nil, false
}

// pass drops what is at hand of a skipped entry.
func (s *lengthSource) pass() {
	n := min(s.passing, uint64(s.end-s.start))
	s.start += int(n)
	s.passing -= n
}

// finish says what the input ended with, when no further entry is at hand.
func (s *lengthSource) finish() {
	s.ended = s.err
	if errors.Is(s.err, io.EOF) && (s.end > s.start || s.passing > 0) {
		at := s.entries + 1
		if s.passing > 0 {
			at = s.entries
		}
		s.ended = &malformedError{at, "is cut off: the input ends within it"}
	}
}

// fill reads once into the buffer, in which it first makes room for one entry.
func (s *lengthSource) fill() {
	s.end = copy(s.buf, s.buf[s.start:s.end])
	s.start = 0
	if s.end == len(s.buf) {
		size := min(2*len(s.buf), max(len(s.buf), s.limit+binary.MaxVarintLen64)+firstBuffer)
		s.buf = append(make([]byte, 0, size), s.buf...)[:size]
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
func (s *lengthSource) Left() (n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	read := s.buf[s.start:s.end]
	for s.passing == 0 && len(read) > 0 {
		n++
		size, k := binary.Uvarint(read)
		if k <= 0 || size > uint64(len(read)-k) {
			break
		}
		read = read[k+int(size):]
	}
	return n
}

// notes says which entries were skipped.
func (s *lengthSource) notes() (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if line := s.skipped.line(s.limit); line != "" {
		lines = append(lines, line)
	}
	return lines
}

// jsonSource reads entries as `tail -o json` prints them, an object a line, of which value
// or value_base64 counts.
type jsonSource struct {
	lines *splitter
	limit int

	mu    sync.Mutex
	ended error
}

// A line holds a value of which each byte may be escaped with six, and its other fields.
const otherFields = 64 << 10

func newJSONSource(from io.Reader, limit int, skipLong bool) *jsonSource {
	s := &jsonSource{lines: newSplitter(from, '\n', 6*limit+otherFields), limit: limit}
	s.lines.skipLong = skipLong
	return s
}

// Next implements source. What is no such object ends the input with a *malformedError.
func (s *jsonSource) Next() (entry []byte, number uint64, err error) {
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	for ended == nil {
		line, number, err := s.lines.Next()
		var long *entrySizeError
		if errors.As(err, &long) {
			err = &entrySizeError{Entry: long.Entry, Limit: s.limit}
		}
		if err != nil {
			return nil, 0, err
		}
		entry, problem := valueOf(line)
		switch {
		case problem != "":
			ended = &malformedError{number, problem}
		case len(entry) <= s.limit:
			return entry, number, nil
		case s.lines.skipLong:
			s.lines.skip(number)
		default:
			ended = &entrySizeError{Entry: number, Limit: s.limit}
		}
	}
	s.mu.Lock()
	s.ended = ended
	s.mu.Unlock()
	return nil, 0, ended
}

// valueOf returns the entry in a line, or says what is wrong with the line. Nothing is
// made of it that is not there: what a decoder would replace in silence is refused.
func valueOf(line []byte) (entry []byte, problem string) {
	if !utf8.Valid(line) {
		return nil, "is not UTF-8: JSON carries other bytes in value_base64"
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil || fields == nil {
		return nil, "is no JSON object, as `tail -o json` prints them, one a line"
	}
	text, asText := fields["value"]
	coded, asBytes := fields["value_base64"]
	switch {
	case asText == asBytes:
		return nil, "must have one of value and value_base64"
	case asText:
		var value *string
		if err := json.Unmarshal(text, &value); err != nil || value == nil {
			return nil, "has a value that is no string"
		}
		if hasHalf(text) {
			return nil, "has a value with half of a surrogate pair, which is no character: carry such bytes in value_base64"
		}
		return []byte(*value), ""
	}
	var value *[]byte
	if err := json.Unmarshal(coded, &value); err != nil || value == nil {
		return nil, "has a value_base64 that is not base64"
	}
	return *value, ""
}

// hasHalf reports whether the text of a JSON string, which is well formed, escapes half of a
// surrogate pair alone. A decoder puts U+FFFD in its place.
func hasHalf(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if i++; text[i] != 'u' {
			continue
		}
		first := unit(text[i+1:])
		i += 4
		if !utf16.IsSurrogate(first) {
			continue
		}
		rest := text[i+1:]
		if !bytes.HasPrefix(rest, []byte(`\u`)) || utf16.DecodeRune(first, unit(rest[2:])) == utf8.RuneError {
			return true
		}
		i += 6
	}
	return false
}

// unit reads the four hex digits of an escaped UTF-16 unit.
func unit(digits []byte) rune {
	n, err := strconv.ParseUint(string(digits[:4]), 16, 16)
	if err != nil {
		return utf8.RuneError // not in a text that is well formed
	}
	return rune(n)
}

// Left implements source.
func (s *jsonSource) Left() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.lines.Left()
	if s.ended != nil {
		n++
	}
	return n
}

// notes says which entries were skipped.
func (s *jsonSource) notes() (lines []string) {
	s.lines.mu.Lock()
	defer s.lines.mu.Unlock()
	if line := s.lines.skipped.line(s.limit); line != "" {
		lines = append(lines, line)
	}
	return lines
}
