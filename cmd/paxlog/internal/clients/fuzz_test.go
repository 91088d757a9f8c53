package clients

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// FuzzStart reads places to start from: every text is one place, or is refused
// with a reason.
func FuzzStart(f *testing.F) {
	for _, s := range []string{"start", "end", "7", "-10", "@2026-01-02T15:04:05Z", "@-10m", "@9999-12-31T23:59:59.999999999+23:59", "@-2562047h47m16.854775807s", "18446744073709551616", "@--1h", "@1795860000.5", "@2026-11-28 10:00:00.5+00", "@2026-11-28 10:00 UTC", "@-1d12h", "@-99999999999w"} {
		f.Add(s)
	}
	now := time.Unix(1_700_000_000, 0)
	f.Fuzz(func(t *testing.T, text string) {
		s, problem := parseStart(text, now)
		switch {
		case (problem == "") != (s.Kind != 0 || text == "start"):
			t.Fatalf("%q is %+v and %q", text, s, problem)
		case strings.Contains(problem, "\n"):
			t.Fatalf("%q: %q", text, problem)
		case problem != "":
			return
		case s.Kind == startIndex && s.Index == 0, s.Kind == startLast && s.Last == 0, s.Kind == startTime && s.Time < 1:
			t.Fatalf("%q is %+v", text, s)
		case s.Kind == startTime && strings.HasPrefix(text, "@-") && int64(s.Time) > now.UnixNano():
			t.Fatalf("%q lies ahead: %+v", text, s)
		}
		if i, problem := parseIndex(text); problem == "" && (s.Kind != startIndex || s.Index != i) {
			t.Fatalf("%q is index %d, and %+v", text, i, s)
		}
		s.position()
	})
}

// FuzzSplitter cuts input into entries, however it comes, as bytes.Split would.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte("one\ntwo\n\nthree"), uint8(3), false)
	f.Add([]byte("\n\n"), uint8(0), false)
	f.Add([]byte(""), uint8(1), true)
	f.Add([]byte("longer than its limit\nand more"), uint8(8), false)
	f.Add([]byte("whole\x00\n"), uint8(200), true)
	f.Fuzz(func(t *testing.T, input []byte, limit uint8, whole bool) {
		var want [][]byte
		switch {
		case whole:
			want = [][]byte{input}
		case len(input) > 0:
			want = bytes.Split(bytes.TrimSuffix(input, []byte("\n")), []byte("\n"))
		}
		var short [][]byte // what is left when long entries are skipped
		for _, e := range want {
			if len(e) <= int(limit) {
				short = append(short, e)
			}
		}
		skipping := newSplitter(iotest.HalfReader(bytes.NewReader(input)), '\n', int(limit))
		skipping.whole, skipping.skipLong = whole, true
		var got [][]byte
		for {
			e, n, err := skipping.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || n == 0 || n > uint64(len(want)) || !bytes.Equal(e, want[n-1]) {
				t.Fatalf("entry %d of %q is %q, %v", n, want, e, err)
			}
			got = append(got, e)
		}
		if len(got) != len(short) || skipping.Left() != 0 {
			t.Fatalf("%d of %q are left, not %d; %d unread", len(got), want, len(short), skipping.Left())
		}
		for _, r := range []io.Reader{bytes.NewReader(input), iotest.OneByteReader(bytes.NewReader(input)), iotest.DataErrReader(bytes.NewReader(input))} {
			s := newSplitter(r, '\n', int(limit))
			if whole {
				s = newWhole(r, int(limit))
			}
			for i := 0; ; i++ {
				e, _, err := s.Next()
				var long *entrySizeError
				switch {
				case i == len(want) && errors.Is(err, io.EOF):
				case i < len(want) && len(want[i]) > int(limit) && errors.As(err, &long) && long.Entry == uint64(i+1):
				case i < len(want) && err == nil && bytes.Equal(e, want[i]):
					continue
				default:
					t.Fatalf("entry %d of %q is %q, %v", i, want, e, err)
				}
				break
			}
			if len(s.buf) > max(firstBuffer, int(limit)+1) {
				t.Fatalf("a buffer of %d bytes for entries of %d", len(s.buf), limit)
			}
		}
	})
}
