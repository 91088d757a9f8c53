package paxos

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// LogID names one log for ever: random bits, drawn by the proposer that begins it. The
// zero LogID is that of a log that has none (yet).
type LogID [16]byte

// IsZero reports whether id names no log.
func (id LogID) IsZero() bool { return id == LogID{} }

// String is the id in lower-case hex, "" if there is none.
func (id LogID) String() string {
	if id.IsZero() {
		return ""
	}
	return hex.EncodeToString(id[:])
}

// ErrLogID is returned by ParseLogID for text that is no log id.
var ErrLogID = errors.New("not a log id (32 hex digits, as `status` prints it)")

// ParseLogID reads the form that LogID.String writes.
func ParseLogID(text string) (LogID, error) {
	var id LogID
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(id) || LogID(raw).IsZero() {
		return id, fmt.Errorf("%q: %w", text, ErrLogID)
	}
	return LogID(raw), nil
}

// Encoded is what a log has decided about itself, as package control encodes it; "" if it
// has decided nothing. Equal states have equal bytes.
type Encoded string
