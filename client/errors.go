package client

import (
	"errors"
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// Errors that a caller decides on, for errors.Is.
var (
	// ErrUnavailable: no leader, no quorum or no learner in time. An append that
	// fails with it was certainly not appended.
	ErrUnavailable = errors.New("not available")
	// ErrUnknownOutcome: the append may have been or may still be appended. The
	// error is an *UnknownOutcomeError.
	ErrUnknownOutcome = errors.New("unknown outcome")
	// ErrTooLarge: the entry is over the limit.
	ErrTooLarge = errors.New("entry too large")
	// ErrNotFound: the index is past the end of the log.
	ErrNotFound = errors.New("no such index")
	// ErrTrimmed: the index is before the first one kept.
	ErrTrimmed = errors.New("trimmed")
	// ErrFenced: the session was ended by a Resolve; the append was certainly not
	// appended.
	ErrFenced = errors.New("the session was ended by resolve")
	// ErrRefused: the processes reached are of another cluster or version.
	ErrRefused = errors.New("not a process of this cluster")
	// ErrSessionEnded: the append came after a failure had ended its session; it
	// was certainly not appended.
	ErrSessionEnded = errors.New("the session has ended")
	// ErrClosed: the client was closed; the append was certainly not appended.
	ErrClosed = errors.New("the client is closed")
)

// UnknownOutcomeError says that an append may have been, or may still be,
// appended, as all appends First .. Last of its session that failed with it.
// Resolve tells.
type UnknownOutcomeError struct {
	Session     paxos.SessionID
	Seq         uint64 // of the append that this is the error of
	First, Last uint64
	Cause       error // why there is no answer
}

func (e *UnknownOutcomeError) Error() string {
	return fmt.Sprintf("unknown outcome of append %s: %v", e.AppendID(), e.Cause)
}

// Is makes errors.Is(err, ErrUnknownOutcome) true.
func (e *UnknownOutcomeError) Is(target error) bool { return target == ErrUnknownOutcome }

// Unwrap returns the cause. It is not the outcome: a cause of ErrUnavailable does
// not mean that the append was not appended, so it is hidden from errors.Is.
func (e *UnknownOutcomeError) Unwrap() error { return nil }

// AppendID is the id of the append, as Resolve takes it.
func (e *UnknownOutcomeError) AppendID() paxos.AppendID {
	return paxos.AppendID{Session: e.Session, Seq: e.Seq}
}
