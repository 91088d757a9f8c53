package clients

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/paxlog/paxlog/internal/shapes"
)

// everything reads an input to its end.
func everything(from input) (entries []string, err error) {
	for {
		e, number, err := from.Next()
		if err != nil {
			return entries, err
		}
		entries = append(entries, string(e))
		if number < uint64(len(entries)) {
			return entries, errors.New("the number is too low")
		}
	}
}

// lossless are the two forms that carry any bytes.
var lossless = map[string]struct {
	form entryForm
	open func(from io.Reader, limit int, skip bool) input
}{
	"length": {entryForm{Length: true}, func(from io.Reader, limit int, skip bool) input { return newLengthSource(from, limit, skip) }},
	"json":   {entryForm{JSON: true}, func(from io.Reader, limit int, skip bool) input { return newJSONSource(from, limit, skip) }},
}

// printed is what tail prints of entries in a form.
func printed(t *testing.T, form entryForm, entries ...string) string {
	var out bytes.Buffer
	p := newEntryPrinter(&out, form)
	for _, e := range entries {
		if err := p.Print(shapes.Entry{Index: 1, Time: 1, Value: []byte(e)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestLosslessForms(t *testing.T) {
	want := []string{"", "a", "two\nlines\n", "\x00\xff\xfe", "\r", "<&>\u2028", strings.Repeat("x", 300), "", "\uFFFD\\ud800", "\x7f\u009b"}
	for name, f := range lossless {
		text := printed(t, f.form, want...)
		for kind, from := range map[string]io.Reader{"whole": strings.NewReader(text), "bytewise": iotest.OneByteReader(strings.NewReader(text))} {
			if got, err := everything(f.open(from, 300, false)); !slices.Equal(got, want) || !errors.Is(err, io.EOF) {
				t.Errorf("%s, %s: got %q, %v", name, kind, got, err)
			}
		}
		got, err := everything(f.open(strings.NewReader(text), 299, false))
		var size *entrySizeError
		if !errors.As(err, &size) || size.Entry != 7 || size.Limit != 299 || len(got) != 6 {
			t.Errorf("%s: an entry over the limit: %q, %v", name, got, err)
		}
		skipping := f.open(strings.NewReader(text), 299, true)
		if got, err := everything(skipping); len(got) != 9 || !errors.Is(err, io.EOF) {
			t.Errorf("%s: an entry over the limit, skipped: %q, %v", name, got, err)
		}
		if notes := skipping.notes(); len(notes) != 1 || notes[0] != "skipped: 1 entry longer than limits.entry_bytes, 299 bytes: input entry 7" {
			t.Errorf("%s: %q", name, notes)
		}
	}
}

// TestLosslessRefuses: what is no such input ends it at that entry, and nothing of the
// entry is appended.
func TestLosslessRefuses(t *testing.T) {
	for _, test := range []struct{ form, in, want string }{
		{"length", "\x01a\x05ab", "is cut off"},
		{"length", "\x01a\x80", "is cut off"},
		{"length", "\x01a" + strings.Repeat("\x80", 10) + "\x01", "begins with a length"},
		{"json", `{"value":"a"}` + "\n" + `{"value":`, "is no JSON object"},
		{"json", `{"value":"a"}` + "\n\n", "is no JSON object"},
		{"json", `{"value":"a"}` + "\nnull\n", "is no JSON object"},
		{"json", `{"value":"a"}` + "\n" + `{"Value":"b"}`, "must have one of"},
		{"json", `{"value":"a"}` + "\n" + `{"value":"b","value_base64":"Yg=="}`, "must have one of"},
		{"json", `{"value":"a"}` + "\n" + `{"value":5}`, "has a value that is no string"},
		{"json", `{"value":"a"}` + "\n" + `{"value":null}`, "has a value that is no string"},
		{"json", `{"value":"a"}` + "\n" + `{"value_base64":"?"}`, "has a value_base64 that is not base64"},
		{"json", `{"value":"a"}` + "\n" + `{"value":"\\ufffd\ud800"}`, "has a value with half of a surrogate"},
		{"json", `{"value":"a"}` + "\n" + "{\"value\":\"\xff\"}", "is not UTF-8"},
	} {
		from := lossless[test.form].open(strings.NewReader(test.in), 100, false)
		got, err := everything(from)
		var bad *malformedError
		if !errors.As(err, &bad) || bad.entry != 2 || !strings.HasPrefix(bad.reason, test.want) || !slices.Equal(got, []string{"a"}) {
			t.Errorf("%s %q: got %q, %v", test.form, test.in, got, err)
		}
		if left := from.Left(); left != 1 {
			t.Errorf("%s %q: %d entries are left, not the one that is wrong", test.form, test.in, left)
		}
	}
}

// FuzzLossless: what is read back is what was printed, and what is cut is told or shorter.
func FuzzLossless(f *testing.F) {
	f.Add([]byte("\x01a\x00\x02bc"), 3)
	f.Fuzz(func(t *testing.T, input []byte, cut int) {
		var want []string
		for rest := input; len(rest) > 0; {
			n, k := binary.Uvarint(rest)
			if k <= 0 || n > uint64(len(rest)-k) {
				break
			}
			want = append(want, string(rest[k:k+int(n)]))
			rest = rest[k+int(n):]
		}
		for name, form := range lossless {
			text := printed(t, form.form, want...)
			if got, err := everything(form.open(iotest.HalfReader(strings.NewReader(text)), len(input), false)); !slices.Equal(got, want) || !errors.Is(err, io.EOF) {
				t.Fatalf("%s: got %q, %v, want %q", name, got, err, want)
			}
			if cut < 0 || cut >= len(text) {
				continue
			}
			got, err := everything(form.open(strings.NewReader(text[:cut]), len(input), false))
			if len(got) > len(want) || !slices.Equal(got, want[:len(got)]) || err == nil {
				t.Fatalf("%s, cut at %d: got %q, %v", name, cut, got, err)
			}
		}
		_, err := everything(newLengthSource(bytes.NewReader(input), 5, true))
		_, also := everything(newJSONSource(bytes.NewReader(input), 5, true))
		if err == nil || also == nil {
			t.Fatal("an input without an end")
		}
	})
}
