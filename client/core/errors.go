package core

import (
	"errors"
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// Errors that a caller decides on, for errors.Is. Package client names them for
// applications.
var (
	// ErrUnavailable: no leader, no quorum or no learner in time. An append that
	// fails with it was certainly not appended.
	ErrUnavailable = errors.New("not available")
	// ErrNoSpace: the leader refused the append for as long as it was waited for, since too few
	// disks have room. It comes with ErrUnavailable: it was certainly not appended.
	ErrNoSpace = errors.New("no space")
	// ErrUnknownOutcome: the append may have been or may still be appended. The error
	// is an *UnknownOutcomeError.
	ErrUnknownOutcome = errors.New("unknown outcome")
	// ErrTooLarge: the entry is over the limit; it was certainly not appended.
	ErrTooLarge = errors.New("entry too large")
	// ErrNotFound: the index is past the end of the log.
	ErrNotFound = errors.New("no such index")
	// ErrTrimmed: the index is before the first one kept.
	ErrTrimmed = errors.New("trimmed")
	// ErrFenced: the session was ended by a resolve of another process; the append was
	// certainly not appended.
	ErrFenced = errors.New("the session was ended by resolve")
	// ErrRefused: the processes reached are of another cluster or version, or do not take
	// this one for a client of theirs (TLS); the append
	// was certainly not appended.
	ErrRefused = errors.New("this client is refused")
	// ErrOtherLog: the processes reached are of another log than the one that the client
	// was told to use, or met first. It comes with ErrRefused, or, where some of a role are and
	// no other of that role answered in time, with ErrUnavailable.
	ErrOtherLog = errors.New("another log")
	// ErrNotPermitted: the client may not do that, as the log has decided; an append was
	// certainly not appended.
	ErrNotPermitted = errors.New("not permitted")
	// ErrSessionEnded: the session had ended, or ended before the append was sent; it
	// was certainly not appended.
	ErrSessionEnded = errors.New("the session has ended")
	// ErrClosed: the client was closed; the append was certainly not appended.
	ErrClosed = errors.New("the client is closed")
	// ErrForgotten: nothing is known of the session any more, and what its appends made may
	// have been trimmed.
	ErrForgotten = errors.New("nothing is known of that session any more: its appends may be in what was trimmed")
	// ErrAncestor: the session is of a log that this one was restored from. It appends nothing
	// here, and what of it is not among the entries restored is not known here.
	ErrAncestor = errors.New("not in the restored part; what that log did later is not known here")
	// ErrFutureAppend: no session of that id can exist yet, or it has no append of that
	// number: the append id is mistyped, or of another log.
	ErrFutureAppend = errors.New("no append of that id can exist yet: the append id is mistyped, or of another log")
)

// certain are the errors that promise that an entry is not in the log.
var certain = []error{ErrUnavailable, ErrNoSpace, ErrTooLarge, ErrFenced, ErrRefused, ErrOtherLog, ErrNotPermitted, ErrSessionEnded, ErrClosed}

// UnknownOutcomeError says that an append may have been, or may still be, appended.
// First .. Last are the appends of its session that became unknown together with it,
// Seq among them. Resolve tells.
type UnknownOutcomeError struct {
	Session     paxos.SessionID
	Seq         uint64
	First, Last uint64
	Cause       error // why there is no answer
}

func (e *UnknownOutcomeError) Error() string {
	return fmt.Sprintf("unknown outcome of append %s: %v", e.AppendID(), e.Cause)
}

// Is reports whether target is ErrUnknownOutcome, or the cause is target. A cause that
// would promise that the append was not appended is not the outcome, so errors.Is does
// not find it: whoever checks for ErrUnavailable first must not append again.
func (e *UnknownOutcomeError) Is(target error) bool {
	if target == ErrUnknownOutcome {
		return true
	}
	for _, c := range certain {
		if target == c {
			return false
		}
	}
	return errors.Is(e.Cause, target)
}

// AppendID is the id of the append, as Resolve takes it.
func (e *UnknownOutcomeError) AppendID() paxos.AppendID {
	return paxos.AppendID{Session: e.Session, Seq: e.Seq}
}

// trimmed is the error for an index before the first one kept.
func trimmed(index, first paxos.Index) error {
	return fmt.Errorf("%w: %d; the first index kept is %d", ErrTrimmed, index, first)
}
