package paxos

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// AppendID names one command for ever: its session and its sequence number there.
type AppendID struct {
	Session SessionID
	Seq     uint64
}

// String is SESSION/SEQ, the session in hex and the number in decimal.
func (a AppendID) String() string {
	return a.Session.String() + "/" + strconv.FormatUint(a.Seq, 10)
}

// ErrAppendID is returned by ParseAppendID for text that is no append id.
var ErrAppendID = errors.New("not an append id (40 or 64 hex digits, a slash, and a number from 1, as `append -o json` prints it)")

// ParseAppendID reads the form that AppendID.String writes.
func ParseAppendID(text string) (AppendID, error) {
	var id AppendID
	var of SessionID
	session, seq, ok := strings.Cut(text, "/")
	raw, err := hex.DecodeString(session)
	if !ok || err != nil || of.UnmarshalBinary(raw) != nil {
		return id, fmt.Errorf("%q: %w", text, ErrAppendID)
	}
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil || n == 0 || n >= Bound {
		return id, fmt.Errorf("%q: %w", text, ErrAppendID)
	}
	id.Session, id.Seq = of, n
	return id, nil
}

// RunKind says what a run asks for.
type RunKind byte

// The kinds of runs. Their values are part of the stored format.
const (
	RunAppend RunKind = 1 // Count entries of a session, numbered First, First+1, ...
	RunFence  RunKind = 2 // close the session; carries no entry
	// RunControl is a control command (package control): alone in its batch, of no
	// session, and of another form.
	RunControl RunKind = 3

	// What is above is followed by the id of a session of 20 bytes. These are RunAppend and
	// RunFence of one with 32 bytes; they stand in the encoding only.
	runOwnedAppend RunKind = 4
	runOwnedFence  RunKind = 5
)

// The newest kinds of runs that processes know: those whose logs have no ids that name a log and
// an owner, and others.
const (
	RunsBefore = RunControl
	RunsOwned  = runOwnedFence
)

// IsControl reports whether batch is a control value.
func IsControl(batch []byte) bool { return len(batch) > 0 && RunKind(batch[0]) == RunControl }

// Run is a stretch of consecutive commands of one session inside a batch. Its
// encoding is
//
//	kind:1  session:20 or 32  first:uvarint  count:uvarint  {length:uvarint bytes}*count
//
// The kind says how long the id of the session is.
//
// A client library encodes it once; it travels, is stored and is served as is.
type Run struct {
	Kind    RunKind
	Session SessionID
	First   uint64 // sequence number of the first command, from 1; 0 in a fence
	Count   uint64 // number of entries, at least 1; 0 in a fence
	Entries []byte // the Count encoded entries
}

// Errors of batches: one that no client library encodes; and, among those, one with a kind of
// runs that this version does not know, and a later one may.
var (
	ErrBatch      = errors.New("malformed batch")
	ErrUnknownRun = fmt.Errorf("%w: a kind of commands that this version does not know", ErrBatch)
)

// AppendTo appends r's encoding to dst.
func (r Run) AppendTo(dst []byte) []byte {
	kind := r.Kind
	if r.Session.IsOwned() {
		kind += runOwnedAppend - RunAppend
	}
	dst = append(dst, byte(kind))
	dst = r.Session.AppendTo(dst)
	dst = binary.AppendUvarint(dst, r.First)
	dst = binary.AppendUvarint(dst, r.Count)
	return append(dst, r.Entries...)
}

// AppendEntry appends one encoded entry to dst, which collects Run.Entries.
func AppendEntry(dst, entry []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(entry)))
	return append(dst, entry...)
}

// EntrySize is how many bytes AppendEntry takes for an entry of n bytes.
func EntrySize(n int) int { return (bits.Len64(uint64(n)|1)+6)/7 + n }

// Fence returns the batch that closes session.
func Fence(session SessionID) []byte {
	return Run{Kind: RunFence, Session: session}.AppendTo(nil)
}

// uvarint reads a canonical uvarint: the shortest form only, so that equal
// batches have equal bytes.
func uvarint(b []byte) (uint64, []byte, bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || (n > 1 && b[n-1] == 0) {
		return 0, nil, false
	}
	return v, b[n:], true
}

// NextRun splits the first run off batch. It checks the run completely, so that
// NextEntry cannot fail on its Entries, and allocates nothing.
func NextRun(batch []byte) (Run, []byte, error) {
	var r Run
	if IsControl(batch) {
		return r, nil, fmt.Errorf("%w: a control command, where commands of sessions are", ErrBatch)
	}
	if len(batch) > 0 { // the kind first: how one that is not known goes on is not known either
		r.Kind = RunKind(batch[0])
	}
	if r.Kind > RunsOwned {
		return r, nil, fmt.Errorf("%w: %d", ErrUnknownRun, r.Kind)
	}
	size := shortSession
	if r.Kind >= runOwnedAppend {
		r.Kind, size = r.Kind-(runOwnedAppend-RunAppend), len(r.Session)
	}
	if len(batch) < 1+size {
		return r, nil, fmt.Errorf("%w: %d bytes left where a run begins", ErrBatch, len(batch))
	}
	if err := r.Session.UnmarshalBinary(batch[1 : 1+size]); err != nil {
		return r, nil, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	rest := batch[1+size:]
	var ok bool
	if r.First, rest, ok = uvarint(rest); !ok {
		return r, nil, fmt.Errorf("%w: first sequence number", ErrBatch)
	}
	if r.Count, rest, ok = uvarint(rest); !ok {
		return r, nil, fmt.Errorf("%w: entry count", ErrBatch)
	}
	switch r.Kind {
	case RunFence:
		if r.First != 0 || r.Count != 0 {
			return r, nil, fmt.Errorf("%w: a fence with entries", ErrBatch)
		}
	case RunAppend:
		// Every entry takes at least the byte of its length.
		if r.First == 0 || r.Count == 0 || r.First > Bound || r.Count > uint64(len(rest)) {
			return r, nil, fmt.Errorf("%w: run of %d entries from %d in %d bytes", ErrBatch, r.Count, r.First, len(rest))
		}
	default:
		return r, nil, fmt.Errorf("%w: unknown kind %d", ErrBatch, r.Kind)
	}
	entries := rest
	for range r.Count {
		n, after, ok := uvarint(rest)
		if !ok || n > uint64(len(after)) {
			return r, nil, fmt.Errorf("%w: entry runs past the end", ErrBatch)
		}
		rest = after[n:]
	}
	r.Entries = entries[:len(entries)-len(rest)]
	return r, rest, nil
}

// KnownRuns returns nil unless batch has a run of a kind above newest, which a process knows that
// judges it. What is malformed otherwise is so at everybody, and is passed over.
func KnownRuns(batch []byte, newest RunKind) error {
	for len(batch) > 0 {
		kind := RunKind(batch[0])
		_, rest, err := NextRun(batch)
		if kind > newest && !errors.Is(err, ErrUnknownRun) {
			err = fmt.Errorf("%w: %d", ErrUnknownRun, kind)
		}
		if errors.Is(err, ErrUnknownRun) {
			return err
		}
		batch = rest // nothing, where it is malformed
	}
	return nil
}

// NextEntry splits the first entry off the Entries of a run that NextRun returned.
func NextEntry(entries []byte) (entry, rest []byte) {
	n, k := binary.Uvarint(entries)
	return entries[k : k+int(n) : k+int(n)], entries[k+int(n):]
}

// Skip returns r without its first n commands.
func (r Run) Skip(n uint64) Run {
	for range n {
		_, r.Entries = NextEntry(r.Entries)
	}
	r.First += n
	r.Count -= n
	return r
}

// CheckBatch reads a whole batch and returns an error unless it is well formed
// and no entry is longer than maxEntry bytes.
func CheckBatch(batch []byte, maxEntry int) error {
	for len(batch) > 0 {
		r, rest, err := NextRun(batch)
		if err != nil {
			return err
		}
		for e := r.Entries; len(e) > 0; {
			var entry []byte
			if entry, e = NextEntry(e); len(entry) > maxEntry {
				return fmt.Errorf("%w: an entry of %d bytes, over the limit of %d", ErrBatch, len(entry), maxEntry)
			}
		}
		batch = rest
	}
	return nil
}
