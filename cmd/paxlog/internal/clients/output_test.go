package clients

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// sample is an entry with every field.
func sample(value string) shapes.Entry {
	return shapes.Entry{
		Index: 1, Instance: 2, Ballot: paxos.Ballot{Round: 3, Proposer: "p1"}, Time: 1_700_000_000_120_000_000,
		AppendID: paxos.AppendID{Session: paxos.SessionID{7: 1}, Seq: 4}, Value: []byte(value),
	}
}

const sampleID = "0000000000000001000000000000000000000000/4"

func TestEntryForms(t *testing.T) {
	head := `{"index":1,"instance":2,"ballot":"3.p1","time":"2023-11-14T22:13:20.120000000Z","append_id":"` + sampleID + `","log":null,`
	for _, test := range []struct {
		form  entryForm
		value string
		want  string
	}{
		{entryForm{}, "a\xff\r", "a\xff\r\n"},
		{entryForm{}, "", "\n"},
		{entryForm{Null: true}, "a\nb", "a\nb\x00"},
		{entryForm{Bytes: true}, "a\xff\r\x1b", "a\xff\r\x1b"},
		{entryForm{Bytes: true}, "", ""},
		{entryForm{JSON: true}, "text", head + `"value":"text"}` + "\n"},
		{entryForm{JSON: true}, "", head + `"value":""}` + "\n"},
		{entryForm{JSON: true}, "<a&b>\"\n\x00é", head + `"value":"<a&b>\"\n\u0000é"}` + "\n"},
		{entryForm{JSON: true}, "\xff\xfe", head + `"value_base64":"//4="}` + "\n"},
	} {
		var out bytes.Buffer
		p := newEntryPrinter(&out, test.form)
		if err := errors.Join(p.Print(sample(test.value)), p.Flush()); err != nil {
			t.Fatal(err)
		}
		if out.String() != test.want {
			t.Errorf("%+v %q\ngot  %s\nwant %s", test.form, test.value, out.String(), test.want)
		}
	}
}

func TestEscapeControl(t *testing.T) {
	for in, want := range map[string]string{
		"plain, é\t世":           "plain, é\t世",
		"\x1b]0;title\x07":      `\x1b]0;title\x07`,
		"a\r\nb\x00\x7f":        "a\\x0d\nb\\x00\\x7f",
		"\xff\xc2\x9b31m\u0085": `\xff\xc2\x9b31m\xc2\x85`,
		"":                      "",
	} {
		if got := string(escapeControl([]byte(in))); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestEscapingWriter(t *testing.T) {
	var out bytes.Buffer
	in := "{\"value\":\"\u009b31m\x7f é世\"}\n"
	if n, err := (escapingWriter{&out}).Write([]byte(in)); n != len(in) || err != nil || out.String() != "{\"value\":\"\\u009b31m\\u007f é世\"}\n" {
		t.Errorf("%q, %d, %v", out.String(), n, err)
	}
}

func TestReceipts(t *testing.T) {
	for _, test := range []struct {
		json, quiet bool
		entry       shapes.Entry
		want        string
	}{
		{false, false, sample("x"), "1\n"},
		{false, true, sample("x"), ""},
		{true, true, sample("x"), ""},
		{true, false, sample("x"), `{"index":1,"instance":2,"ballot":"3.p1","append_id":"` + sampleID + `","time":"2023-11-14T22:13:20.120000000Z","log":null}` + "\n"},
		{true, false, shapes.Entry{Index: 5}, `{"index":5,"instance":null,"ballot":null,"append_id":null,"time":null,"log":null}` + "\n"},
	} {
		var out bytes.Buffer
		p := newReceiptPrinter(&out, test.json, test.quiet)
		if err := errors.Join(p.Print(test.entry), p.Flush()); err != nil {
			t.Fatal(err)
		}
		if out.String() != test.want {
			t.Errorf("got  %s\nwant %s", out.String(), test.want)
		}
	}
}

// TestPrintAllFlushesWhenNothingWaits reads, through a pipe, what must have been
// flushed before the next entry is sent.
func TestPrintAllFlushesWhenNothingWaits(t *testing.T) {
	r, w := io.Pipe()
	entries, ended := make(chan shapes.Entry), make(chan error)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { ended <- newReceiptPrinter(w, false, false).PrintAll(ctx, entries) }()
	for range 3 {
		entries <- sample("x")
		line := make([]byte, 2)
		if _, err := io.ReadFull(r, line); err != nil || string(line) != "1\n" {
			t.Fatalf("got %q, %v", line, err)
		}
	}
	stopped := errors.New("stopped")
	cancel(stopped)
	if err := <-ended; !errors.Is(err, stopped) {
		t.Errorf("got %v", err)
	}
}

func TestPrintAllWritesABacklogAtOnce(t *testing.T) {
	entries := make(chan shapes.Entry, 100)
	for range cap(entries) {
		entries <- sample("x")
	}
	close(entries)
	var out counting
	if err := newReceiptPrinter(&out, false, false).PrintAll(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	if out.writes != 1 || out.bytes != 200 {
		t.Errorf("%d writes of %d bytes", out.writes, out.bytes)
	}
	if err := newReceiptPrinter(failing{io.ErrClosedPipe}, false, false).PrintAll(t.Context(), closedAfter(sample("x"))); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

// closedAfter is a closed channel that holds e.
func closedAfter(e shapes.Entry) <-chan shapes.Entry {
	c := make(chan shapes.Entry, 1)
	c <- e
	close(c)
	return c
}

// failing is a writer that always fails.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// counting counts writes.
type counting struct{ writes, bytes int }

func (c *counting) Write(p []byte) (int, error) {
	c.writes++
	c.bytes += len(p)
	return len(p), nil
}

// TestReceiptsWithoutReader: an append goes on when nobody reads its receipts, and not
// when they cannot be written.
func TestReceiptsWithoutReader(t *testing.T) {
	for err, want := range map[error]error{command.ErrOutputClosed: nil, io.ErrShortWrite: io.ErrShortWrite} {
		r := &receipts{printer: newReceiptPrinter(failing{err}, false, false), log: func() (none client.LogID) { return none }}
		if got := errors.Join(r.print(client.Result{Index: 1}), r.flush()); !errors.Is(got, want) {
			t.Errorf("%v: %v", err, got)
		}
	}
}
