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
		e, _, err := s.Next()
		if err != nil {
			if _, _, again := s.Next(); !errors.Is(again, err) {
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
	want := "entry 3 of the input is longer than limits.entry_bytes, 5 bytes: neither it nor anything after it was sent; `--oversize skip` passes over it, and a cluster file with a larger limits.entry_bytes, of at most 16 MiB, allows it"
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
		_, _, err := newSplitter(from, '\n', limit).Next()
		var size *entrySizeError
		if !errors.As(err, &size) || from.read > limit+1 {
			t.Errorf("limit %d: %v after %d bytes", limit, err, from.read)
		}
	}
	from := &endless{b: '\n'}
	s := newSplitter(from, '\n', 100)
	for range 10_000 {
		if e, _, err := s.Next(); len(e) != 0 || err != nil {
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
	if e, _, err := s.Next(); string(e) != "a" || err != nil {
		t.Errorf("got %q, %v", e, err)
	}
}

func TestEntriesAreTheCallers(t *testing.T) {
	s := newSplitter(strings.NewReader("a\nb\nc\n"), '\n', 1)
	first, _, _ := s.Next()
	for range 2 {
		_, _, _ = s.Next()
	}
	if string(first) != "a" {
		t.Errorf("the first entry became %q", first)
	}
}

func TestArgumentEntries(t *testing.T) {
	a := &arguments{values: []string{"a", "", "123456", "b"}, limit: 5}
	for i, want := range []string{"a", ""} {
		if e, n, err := a.Next(); string(e) != want || n != uint64(i+1) || err != nil {
			t.Errorf("got %q, %d, %v", e, n, err)
		}
	}
	var size *entrySizeError
	if _, _, err := a.Next(); !errors.As(err, &size) || size.Entry != 3 || a.Left() != 2 {
		t.Errorf("got %v, %d left", err, a.Left())
	}
	a.skipLong = true
	if e, n, err := a.Next(); string(e) != "b" || n != 4 || err != nil {
		t.Errorf("got %q, %d, %v", e, n, err)
	}
	if got := a.notes(); !reflect.DeepEqual(got, []string{"skipped: 1 entry longer than limits.entry_bytes, 5 bytes: input entry 3"}) {
		t.Errorf("got %q", got)
	}
}

// TestSplitterSkips: entries over the limit are passed over wherever they stand, and
// the others keep their numbers.
func TestSplitterSkips(t *testing.T) {
	for in, want := range map[string]struct{ entries, note string }{
		"123456":                      {"", "skipped: 1 entry longer than limits.entry_bytes, 5 bytes: input entry 1"},
		"a\n123456\nb\n":              {"1a 3b", "skipped: 1 entry longer than limits.entry_bytes, 5 bytes: input entry 2"},
		"1234567890123\n\n123456\n\n": {"2 4", "skipped: 2 entries longer than limits.entry_bytes, 5 bytes: input entry 1, 3"},
		"12345\n12345":                {"112345 212345", ""},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader} {
			s := newSplitter(wrap(strings.NewReader(in)), '\n', 5)
			s.skipLong = true
			var got []string
			for {
				e, n, err := s.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%d%s", n, e))
			}
			if strings.Join(got, " ") != want.entries || strings.Join(s.notes(), "\n") != want.note {
				t.Errorf("%q: got %q and %q", in, got, s.notes())
			}
		}
	}
	many := newSplitter(strings.NewReader(strings.Repeat("123456\n", 1000)), '\n', 5)
	many.skipLong = true
	if got, err := all(many); len(got) > 0 || !errors.Is(err, io.EOF) {
		t.Errorf("got %q, %v", got, err)
	}
	if got := strings.Join(many.notes(), "\n"); !strings.HasPrefix(got, "skipped: 1000 entries ") || !strings.HasSuffix(got, " 9, 10, ...") {
		t.Errorf("got %s", got)
	}
}

// TestRequireNewline: half a record is no entry, and is told.
func TestRequireNewline(t *testing.T) {
	for in, want := range map[string]struct {
		entries []string
		note    string
	}{
		"a\nb\n": {[]string{"a", "b"}, ""},
		"a\nbc":  {[]string{"a"}, "no entry: the input ends with 2 bytes that are not ended by a newline, after input entry 1"},
		"":       {nil, ""},
	} {
		s := newSplitter(strings.NewReader(in), '\n', 5)
		s.requireSep = true
		got, err := all(s)
		if !reflect.DeepEqual(got, want.entries) || !errors.Is(err, io.EOF) || strings.Join(s.notes(), "\n") != want.note {
			t.Errorf("%q: got %q, %v, %q", in, got, err, s.notes())
		}
	}
}

// TestLeft counts what was read and not returned.
func TestLeft(t *testing.T) {
	s := newSplitter(strings.NewReader("a\nb\n\nc"), '\n', 10)
	for _, want := range []uint64{3, 2, 1, 0} {
		if _, _, err := s.Next(); err != nil || s.Left() != want {
			t.Errorf("%v, %d left, not %d", err, s.Left(), want)
		}
	}
	long := newSplitter(strings.NewReader("123456\nb\n"), '\n', 5)
	if _, _, err := long.Next(); err == nil || long.Left() != 1 {
		t.Errorf("%v, %d left", err, long.Left())
	}
}
