package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strconv"

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

// newEntryPrinter prints entries: format raw writes the bytes and a newline, or
// NUL if null; json writes an object a line.
func newEntryPrinter(w io.Writer, form entryForm) *entryPrinter {
	p := newPrinter(w)
	end := byte('\n')
	if form.Null {
		end = 0
	}
	p.one = func(e shapes.Entry) error {
		if _, err := p.buf.Write(e.Value); err != nil {
			return err
		}
		return p.buf.WriteByte(end)
	}
	if form.JSON {
		p.one = func(e shapes.Entry) error { return p.json.Encode(e.Full()) }
	}
	return p
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
	JSON bool
	Null bool // end raw entries with NUL
}

// readEntryForm reads --output and --null. Of two that contradict each other, the one
// given on the command line wins over the environment.
func readEntryForm(in *command.Input) (entryForm, error) {
	format, err := in.Output()
	form := entryForm{JSON: format == "json", Null: in.On("null")}
	if err != nil || !form.JSON || !form.Null {
		return form, err
	}
	switch {
	case in.Given["null"] && in.Given["output"]:
		return form, command.Usagef("%s: --null belongs to --output raw: JSON is an object a line", in.Name)
	case in.Given["null"]:
		form.JSON = false
	default:
		form.Null = false
	}
	return form, nil
}
