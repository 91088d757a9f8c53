package clients

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
)

// entryPrinter writes entries or receipts, buffered. It is used by one goroutine.
type entryPrinter struct {
	buf  *bufio.Writer
	json *json.Encoder
	one  func(shapes.Entry) error
}

// newPrinter returns a printer without a form.
func newPrinter(w io.Writer) *entryPrinter {
	p := &entryPrinter{buf: bufio.NewWriterSize(w, 64<<10)}
	p.json = shapes.NewEncoder(p.buf)
	return p
}

// newEntryPrinter prints entries in a form. On a terminal the control characters of raw
// entries are escaped: an entry must not drive the terminal of whoever reads it.
func newEntryPrinter(w io.Writer, form entryForm) *entryPrinter {
	p := newPrinter(w)
	end, escaped := []byte{'\n'}, command.IsTerminal(w)
	switch {
	case form.JSON:
		p.one = func(e shapes.Entry) error { return p.json.Encode(e.Full()) }
		if escaped {
			p.json = shapes.NewEncoder(escapingWriter{p.buf})
		}
		return p
	case form.Null:
		end = []byte{0}
	case form.Bytes:
		end = nil
	case form.Length:
		p.one = func(e shapes.Entry) error {
			length := binary.AppendUvarint(p.buf.AvailableBuffer(), uint64(len(e.Value)))
			if _, err := p.buf.Write(length); err != nil {
				return err
			}
			_, err := p.buf.Write(e.Value)
			return err
		}
		return p
	}
	p.one = func(e shapes.Entry) error {
		value := e.Value
		if escaped {
			value = escapeControl(value)
		}
		if _, err := p.buf.Write(value); err != nil {
			return err
		}
		_, err := p.buf.Write(end)
		return err
	}
	return p
}

// escapeControl writes the control characters of a value, but tabs and newlines, as \x1b,
// and what is not UTF-8 too.
func escapeControl(value []byte) []byte {
	out := value[:0:0]
	for i := 0; i < len(value); {
		r, size := utf8.DecodeRune(value[i:])
		if r == '\t' || r == '\n' || !unicode.IsControl(r) && !(r == utf8.RuneError && size == 1) {
			out = append(out, value[i:i+size]...)
		} else {
			for _, b := range value[i : i+size] {
				out = fmt.Appendf(out, `\x%02x`, b)
			}
		}
		i += size
	}
	return out
}

// escapingWriter escapes the control characters that JSON leaves as they are: those
// from U+007F to U+009F, which some terminals obey.
type escapingWriter struct{ to io.Writer }

// Write implements io.Writer.
func (w escapingWriter) Write(p []byte) (int, error) {
	out := make([]byte, 0, len(p))
	for _, r := range string(p) {
		if r >= 0x7f && r <= 0x9f {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	if _, err := w.to.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// newReceiptPrinter prints what became of appended entries: plain writes the
// index, json an object; with quiet nothing is written.
func newReceiptPrinter(w io.Writer, asJSON, quiet bool) *entryPrinter {
	p := newPrinter(w)
	switch {
	case quiet:
		p.one = func(shapes.Entry) error { return nil }
	case asJSON:
		p.one = func(e shapes.Entry) error { return p.json.Encode(e.Receipt()) }
	default:
		p.one = func(e shapes.Entry) error {
			line := strconv.AppendUint(p.buf.AvailableBuffer(), uint64(e.Index), 10)
			_, err := p.buf.Write(append(line, '\n'))
			return err
		}
	}
	return p
}

// Print writes one entry into the buffer.
func (p *entryPrinter) Print(e shapes.Entry) error { return p.one(e) }

// Flush writes out what is buffered. It is called whenever nothing more waits.
func (p *entryPrinter) Flush() error { return p.buf.Flush() }

// PrintAll prints what arrives until entries is closed or ctx ends, and flushes
// whenever nothing more waits. What waits when ctx ends is still printed. It
// returns the cause of ctx's end, or the first failure to write.
func (p *entryPrinter) PrintAll(ctx context.Context, entries <-chan shapes.Entry) error {
	for {
		open, err := p.printWaiting(entries)
		if err == nil {
			err = p.Flush()
		}
		if err != nil || !open {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		select {
		case e, ok := <-entries:
			if !ok {
				return nil
			}
			if err := p.Print(e); err != nil {
				return err
			}
		case <-ctx.Done():
		}
	}
}

// printWaiting prints what can be had without waiting. open is false once entries
// is closed.
func (p *entryPrinter) printWaiting(entries <-chan shapes.Entry) (open bool, err error) {
	for {
		select {
		case e, ok := <-entries:
			if !ok {
				return false, nil
			}
			if err := p.Print(e); err != nil {
				return true, err
			}
		default:
			return true, nil
		}
	}
}

// entryForm is how tail and read print entries.
type entryForm struct {
	JSON   bool
	Bytes  bool // exactly the entry, with nothing after it
	Length bool // the entry, and before it its length as a uvarint
	Null   bool // end raw entries with NUL
}

// readEntryForm reads --output and --null. Of two that contradict each other, the one
// given on the command line wins over the environment.
func readEntryForm(in *command.Input) (entryForm, error) {
	format, err := in.Output()
	form := entryForm{JSON: format == "json", Bytes: format == "bytes", Length: format == "length", Null: in.On("null")}
	if err != nil || !form.Null || !form.JSON && !form.Bytes && !form.Length {
		return form, err
	}
	switch {
	case in.Given["null"] && in.Given["output"]:
		return form, command.Usagef("%s: --null belongs to --output raw: JSON is an object a line, bytes are the entry alone, and length says where it ends", in.Name)
	case in.Given["null"]:
		form.JSON, form.Bytes, form.Length = false, false, false
	default:
		form.Null = false
	}
	return form, nil
}
