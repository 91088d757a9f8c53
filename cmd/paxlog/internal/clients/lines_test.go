package clients

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// all reads a splitter to its end and returns each entry in quotes.
func all(s *splitter) (entries []string, err error) {
	for {
		e, err := s.Next()
		if err != nil {
			if _, again := s.Next(); !errors.Is(again, err) {
				return entries, fmt.Errorf("first %w, then %v", err, again)
			}
			return entries, err
		}
		entries = append(entries, string(e))
	}
}

func TestSplitter(t *testing.T) {
	for _, test := range []struct {
		in   string
		sep  byte
		want []string
	}{
		{"", '\n', nil},
		{"\n", '\n', []string{""}},
		{"a", '\n', []string{"a"}},
		{"a\n", '\n', []string{"a"}},
		{"a\nb", '\n', []string{"a", "b"}},
		{"a\n\n\nb\n", '\n', []string{"a", "", "", "b"}},
		{"a\r\nb\x00", '\n', []string{"a\r", "b\x00"}},
		{"a\nb\x00\x00c", 0, []string{"a\nb", "", "c"}},
		{"12345\n12345", '\n', []string{"12345", "12345"}},
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole":     func(r io.Reader) io.Reader { return r },
			"bytewise":  iotest.OneByteReader,
			"halves":    iotest.HalfReader,
			"early EOF": iotest.DataErrReader,
		} {
			got, err := all(newSplitter(wrap(strings.NewReader(test.in)), test.sep, 5))
			if !reflect.DeepEqual(got, test.want) || !errors.Is(err, io.EOF) {
				t.Errorf("%s %q: got %q, %v", name, test.in, got, err)
			}
		}
	}
}

func TestSplitterRefusesALongEntry(t *testing.T) {
	for in, want := range map[string]*entrySizeError{
		"123456":           {Entry: 1, Limit: 5},
		"123456\n":         {Entry: 1, Limit: 5},
		"1\n\n1234567\n1":  {Entry: 3, Limit: 5},
		"1\n12345\n123456": {Entry: 3, Limit: 5},
	} {
		got, err := all(newSplitter(strings.NewReader(in), '\n', 5))
		var size *entrySizeError
		if !errors.As(err, &size) || *size != *want || len(got) != int(want.Entry)-1 {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	want := "entry 3 of the input is longer than limits.entry_bytes, 5 bytes: neither it nor anything after it was sent"
	if got := (&entrySizeError{Entry: 3, Limit: 5}).Error(); got != want {
		t.Errorf("got %s", got)
	}
}

func TestWhole(t *testing.T) {
	for _, in := range []string{"", "a", "a\nb\n", "12345"} {
		got, err := all(newWhole(iotest.OneByteReader(strings.NewReader(in)), 5))
		if !reflect.DeepEqual(got, []string{in}) || !errors.Is(err, io.EOF) {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	var size *entrySizeError
	if got, err := all(newWhole(strings.NewReader("123456"), 5)); got != nil || !errors.As(err, &size) {
		t.Errorf("got %q, %v", got, err)
	}
}

// endless yields one byte for ever and counts them.
type endless struct {
	b    byte
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.b
	}
	e.read += len(p)
	return len(p), nil
}

func TestSplitterReadsNoMoreThanALimitAndAByte(t *testing.T) {
	for _, limit := range []int{0, 1, 1000, firstBuffer, 3*firstBuffer + 7} {
		from := &endless{b: 'x'}
		_, err := newSplitter(from, '\n', limit).Next()
		var size *entrySizeError
		if !errors.As(err, &size) || from.read > limit+1 {
			t.Errorf("limit %d: %v after %d bytes", limit, err, from.read)
		}
	}
	from := &endless{b: '\n'}
	s := newSplitter(from, '\n', 100)
	for range 10_000 {
		if e, err := s.Next(); len(e) != 0 || err != nil {
			t.Fatal(e, err)
		}
	}
	if len(s.buf) > 101 || from.read > 10_000+101 {
		t.Errorf("%d bytes buffered, %d read", len(s.buf), from.read)
	}
}

func TestSplitterPassesFailuresOn(t *testing.T) {
	broken := errors.New("broken")
	got, err := all(newSplitter(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)), '\n', 5))
	if !reflect.DeepEqual(got, []string{"a"}) || !errors.Is(err, broken) {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := all(newWhole(iotest.ErrReader(broken), 5)); got != nil || !errors.Is(err, broken) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSplitterReturnsALineBeforeItReadsOn(t *testing.T) {
	r, w := io.Pipe()
	s := newSplitter(r, '\n', 5)
	go func() { _, _ = w.Write([]byte("a\n")) }()
	if e, err := s.Next(); string(e) != "a" || err != nil {
		t.Errorf("got %q, %v", e, err)
	}
}

func TestEntriesAreTheCallers(t *testing.T) {
	s := newSplitter(strings.NewReader("a\nb\nc\n"), '\n', 1)
	first, _ := s.Next()
	for range 2 {
		_, _ = s.Next()
	}
	if string(first) != "a" {
		t.Errorf("the first entry became %q", first)
	}
}

func TestArgumentEntries(t *testing.T) {
	next := argumentEntries([]string{"a", "", "123456", "b"}, 5)
	for _, want := range []string{"a", ""} {
		if e, err := next(); string(e) != want || err != nil {
			t.Errorf("got %q, %v", e, err)
		}
	}
	var size *entrySizeError
	if _, err := next(); !errors.As(err, &size) || size.Entry != 3 {
		t.Errorf("got %v", err)
	}
}
