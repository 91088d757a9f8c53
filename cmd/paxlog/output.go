package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/paxlog/paxlog/paxos"
)

// timeFormat is RFC 3339 with all nine digits of nanoseconds, so that times
// compare as texts do.
const timeFormat = "2006-01-02T15:04:05.000000000Z07:00"

// formatTime writes a time of the log, in UTC.
func formatTime(t paxos.UnixNanos) string {
	return time.Unix(0, int64(t)).UTC().Format(timeFormat)
}

// logEntry is one entry as people and scripts see it. Zero fields are unknown.
type logEntry struct {
	Index    paxos.Index
	Instance paxos.Instance
	Ballot   string // ROUND.PROPOSER, of the proposal that first carried the value
	Time     paxos.UnixNanos
	AppendID paxos.AppendID
	Value    []byte
}

// receiptJSON is what append prints about an entry. The order of fields is
// that of the documentation.
type receiptJSON struct {
	Index    *paxos.Index    `json:"index"`
	Instance *paxos.Instance `json:"instance"`
	Ballot   *string         `json:"ballot"`
	AppendID *string         `json:"append_id"`
	Time     *string         `json:"time"`
}

// entryJSON is what tail and read print about an entry.
type entryJSON struct {
	Index       *paxos.Index    `json:"index"`
	Instance    *paxos.Instance `json:"instance"`
	Ballot      *string         `json:"ballot"`
	Time        *string         `json:"time"`
	AppendID    *string         `json:"append_id"`
	Value       *string         `json:"value,omitempty"`
	ValueBase64 *[]byte         `json:"value_base64,omitempty"`
}

// known returns a pointer to v, or nil, which JSON shows as null, unless ok.
func known[T any](v T, ok bool) *T {
	if !ok {
		return nil
	}
	return &v
}

// receipt translates e without its value.
func (e logEntry) receipt() receiptJSON {
	return receiptJSON{
		Index:    known(e.Index, e.Index != 0),
		Instance: known(e.Instance, e.Instance != 0),
		Ballot:   known(e.Ballot, e.Ballot != ""),
		AppendID: known(e.AppendID.String(), e.AppendID != paxos.AppendID{}),
		Time:     known(formatTime(e.Time), e.Time != 0),
	}
}

// full translates e. A value that is not UTF-8 goes into value_base64.
func (e logEntry) full() entryJSON {
	r, text := e.receipt(), utf8.Valid(e.Value)
	value := e.Value
	if value == nil {
		value = []byte{}
	}
	return entryJSON{
		Index: r.Index, Instance: r.Instance, Ballot: r.Ballot, Time: r.Time, AppendID: r.AppendID,
		Value:       known(string(value), text),
		ValueBase64: known(value, !text),
	}
}

// entryPrinter writes entries or receipts, buffered. It is used by one goroutine.
type entryPrinter struct {
	buf  *bufio.Writer
	json *json.Encoder
	one  func(logEntry) error
}

// newPrinter returns a printer without a form.
func newPrinter(w io.Writer) *entryPrinter {
	p := &entryPrinter{buf: bufio.NewWriterSize(w, 64<<10)}
	p.json = newJSON(p.buf)
	return p
}

// newJSON returns an encoder of one object a line that leaves <, > and & alone.
func newJSON(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}

// newEntryPrinter prints entries: format raw writes the bytes and a newline, or
// NUL if null; json writes an object a line.
func newEntryPrinter(w io.Writer, form entryForm) *entryPrinter {
	p := newPrinter(w)
	end := byte('\n')
	if form.Null {
		end = 0
	}
	p.one = func(e logEntry) error {
		if _, err := p.buf.Write(e.Value); err != nil {
			return err
		}
		return p.buf.WriteByte(end)
	}
	if form.JSON {
		p.one = func(e logEntry) error { return p.json.Encode(e.full()) }
	}
	return p
}

// newReceiptPrinter prints what became of appended entries: plain writes the
// index, json an object; with quiet nothing is written.
func newReceiptPrinter(w io.Writer, asJSON, quiet bool) *entryPrinter {
	p := newPrinter(w)
	switch {
	case quiet:
		p.one = func(logEntry) error { return nil }
	case asJSON:
		p.one = func(e logEntry) error { return p.json.Encode(e.receipt()) }
	default:
		p.one = func(e logEntry) error {
			line := strconv.AppendUint(p.buf.AvailableBuffer(), uint64(e.Index), 10)
			_, err := p.buf.Write(append(line, '\n'))
			return err
		}
	}
	return p
}

// Print writes one entry into the buffer.
func (p *entryPrinter) Print(e logEntry) error { return p.one(e) }

// Flush writes out what is buffered. It is called whenever nothing more waits.
func (p *entryPrinter) Flush() error { return p.buf.Flush() }

// PrintAll prints what arrives until entries is closed or ctx ends, and flushes
// whenever nothing more waits. What waits when ctx ends is still printed. It
// returns the cause of ctx's end, or the first failure to write.
func (p *entryPrinter) PrintAll(ctx context.Context, entries <-chan logEntry) error {
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
func (p *entryPrinter) printWaiting(entries <-chan logEntry) (open bool, err error) {
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

// entryForm reads --output and --null. Of two that contradict each other, the one
// given on the command line wins over the environment.
func (in *input) entryForm() (entryForm, error) {
	format, err := in.output()
	form := entryForm{JSON: format == "json", Null: in.on("null")}
	if err != nil || !form.JSON || !form.Null {
		return form, err
	}
	switch {
	case in.given["null"] && in.given["output"]:
		return form, usagef("%s: --null belongs to --output raw: JSON is an object a line", in.name)
	case in.given["null"]:
		form.JSON = false
	default:
		form.Null = false
	}
	return form, nil
}
