// Package shapes is how entries, appends and the state of a cluster look in JSON, wherever
// they leave Paxlog as such. Field names and their order are documented, and stay; what
// is unknown is null.
package shapes

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/paxos"
)

// TimeFormat is RFC 3339 with all nine digits of nanoseconds, so that times
// compare as texts do.
const TimeFormat = "2006-01-02T15:04:05.000000000Z07:00"

// FormatTime writes a time of the log, in UTC.
func FormatTime(t paxos.UnixNanos) string {
	return time.Unix(0, int64(t)).UTC().Format(TimeFormat)
}

// Entry is one entry as people and scripts see it. Zero fields are unknown.
type Entry struct {
	Index    paxos.Index
	Instance paxos.Instance
	Ballot   paxos.Ballot // of the proposal that first carried the value
	Time     paxos.UnixNanos
	AppendID paxos.AppendID
	Value    []byte
	Log      paxos.LogID
}

// receiptJSON is what append prints about an entry. The order of fields is
// that of the documentation.
type receiptJSON struct {
	Index    *paxos.Index    `json:"index"`
	Instance *paxos.Instance `json:"instance"`
	Ballot   *string         `json:"ballot"`
	AppendID *string         `json:"append_id"`
	Time     *string         `json:"time"`
	Log      *string         `json:"log"`
}

// entryJSON is what tail and read print about an entry.
type entryJSON struct {
	Index       *paxos.Index    `json:"index"`
	Instance    *paxos.Instance `json:"instance"`
	Ballot      *string         `json:"ballot"`
	Time        *string         `json:"time"`
	AppendID    *string         `json:"append_id"`
	Log         *string         `json:"log"`
	Value       *string         `json:"value,omitempty"`
	ValueBase64 *[]byte         `json:"value_base64,omitempty"`
}

// Known returns a pointer to v, or nil, which JSON shows as null, unless ok.
func Known[T any](v T, ok bool) *T {
	if !ok {
		return nil
	}
	return &v
}

// Receipt translates e without its value.
func (e Entry) Receipt() receiptJSON {
	return receiptJSON{
		Index:    Known(e.Index, e.Index != 0),
		Instance: Known(e.Instance, e.Instance != 0),
		Ballot:   Known(e.Ballot.String(), !e.Ballot.IsZero()),
		AppendID: Known(e.AppendID.String(), e.AppendID != paxos.AppendID{}),
		Time:     Known(FormatTime(e.Time), e.Time != 0),
		Log:      Known(e.Log.String(), !e.Log.IsZero()),
	}
}

// Full translates e. A value that is not UTF-8 goes into value_base64.
func (e Entry) Full() entryJSON {
	r, text := e.Receipt(), utf8.Valid(e.Value)
	value := e.Value
	if value == nil {
		value = []byte{}
	}
	return entryJSON{
		Index: r.Index, Instance: r.Instance, Ballot: r.Ballot, Time: r.Time, AppendID: r.AppendID, Log: r.Log,
		Value:       Known(string(value), text),
		ValueBase64: Known(value, !text),
	}
}

// NewEncoder returns an encoder of one object a line that leaves <, > and & alone.
func NewEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}

// OrDash writes a value, or - if it is unknown.
func OrDash[T any](v *T) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprint(*v)
}

// FromResult translates an entry of the client library.
func FromResult(r client.Result, value []byte, log client.LogID) Entry {
	return Entry{
		Index: r.Index, Instance: r.Instance, Ballot: r.Ballot,
		Time: paxos.UnixNanos(r.Time.UnixNano()), AppendID: r.AppendID, Value: value, Log: log,
	}
}

// Resolution is what `resolve -o json` prints.
type Resolution struct {
	AppendID string        `json:"append_id"`
	Result   string        `json:"result"` // chosen or never
	Index    *client.Index `json:"index"`  // null if never, or if it was trimmed
	// Below is the first index that is kept, if the entry was trimmed.
	Below client.Index `json:"below,omitempty"`
}

// OneLine is err on one line, or "" if there is nothing to say about it. Part of its text
// may be a peer's: control characters are escaped.
func OneLine(err error) string {
	if err == nil {
		return ""
	}
	return Printable(err.Error())
}

// Printable is a text of a peer or of the system as one line that a terminal shows as it is.
func Printable(from string) string {
	lines := strings.FieldsFunc(from, func(r rune) bool { return r == '\n' || r == '\r' })
	var text strings.Builder
	for _, r := range strings.Join(lines, " ") {
		if unicode.IsControl(r) {
			fmt.Fprintf(&text, "\\x%02x", r)
		} else {
			text.WriteRune(r)
		}
	}
	return text.String()
}
