package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/paxlog/paxlog/client/core"
)

// Errors that a caller decides on, for errors.Is.
//
//	                    returned by                       an append was
//	ErrUnavailable      all: not within WithTimeout       certainly not appended
//	ErrNoSpace          with ErrUnavailable: disks full   certainly not appended
//	ErrUnknownOutcome   Append, Wait                      unknown: Resolve tells
//	ErrTooLarge         Append, AppendAsync               certainly not appended
//	ErrFenced           Append, Wait                      certainly not appended
//	ErrSessionEnded     Session.Append, AppendAsync, Wait certainly not appended
//	ErrClosed           all, once Close was called        certainly not appended
//	ErrRefused          all: a wrong cluster, or TLS      certainly not appended
//	ErrOtherLog         with ErrRefused: another log; or  certainly not appended
//	                    with ErrUnavailable: those that
//	                    answer are of another log
//	ErrNotPermitted     all: the log grants no such right certainly not appended
//	ErrNotFound         Read; Tail, Trim and SetHold, as *AheadError
//	ErrTrimmed          Read, Tail
//	ErrFutureAppend     Resolve
//	ErrForgotten        Resolve
//	ErrAncestor         Resolve: of a log that this one was restored from
//
// An append whose fate is not known never passes for one that certainly was not
// appended: its error is an *UnknownOutcomeError, in which errors.Is finds
// ErrUnknownOutcome and the error of the caller's context, and none of the others. It has the
// append id, and how much else of its session is unknown.
//
// When a call's context ends, its error is found: context.Canceled,
// context.DeadlineExceeded or its cause. An append that was not sent by then fails with
// ErrUnavailable as well, so that what is certain is told by one error; other calls do
// not, since it was their caller who left.
var (
	ErrUnavailable    = core.ErrUnavailable
	ErrNoSpace        = core.ErrNoSpace
	ErrUnknownOutcome = core.ErrUnknownOutcome
	ErrTooLarge       = core.ErrTooLarge
	ErrNotFound       = core.ErrNotFound
	ErrTrimmed        = core.ErrTrimmed
	ErrFenced         = core.ErrFenced
	ErrRefused        = core.ErrRefused
	ErrOtherLog       = core.ErrOtherLog
	ErrNotPermitted   = core.ErrNotPermitted
	ErrSessionEnded   = core.ErrSessionEnded
	ErrClosed         = core.ErrClosed
	ErrFutureAppend   = core.ErrFutureAppend
	ErrForgotten      = core.ErrForgotten
	ErrAncestor       = core.ErrAncestor
)

// UnknownOutcomeError says that an append may have been, or may still be, appended. Its
// method AppendID is what Resolve takes; its fields are Session and Seq, which make that
// id, First and Last, the appends of the session that became unknown together with it,
// and Cause, why there is no answer.
type UnknownOutcomeError = core.UnknownOutcomeError

// AheadError says that a tail or a hold was to begin, or a trim to end, further ahead than one past
// the end of the log: the position is mistyped, or of another log. errors.Is finds ErrNotFound in it.
type AheadError struct {
	Index Index // where it was to begin, or to end
	Last  Index // where the log ends
	// Learner is set if only this learner was asked (TailOptions.Stale): Last is how far
	// it has come, and the log may be longer.
	Learner string
}

func (e *AheadError) Error() string {
	if e.Learner != "" {
		return fmt.Sprintf("%d is ahead: %s has learned up to %d", e.Index, e.Learner, e.Last)
	}
	return fmt.Sprintf("%d is ahead of the log, which ends at %d", e.Index, e.Last)
}

// Is makes errors.Is(err, ErrNotFound) true.
func (e *AheadError) Is(target error) bool { return target == ErrNotFound }

// causeOf is why ctx ended, as part of another error.
func causeOf(ctx context.Context) error { return guard(context.Cause(ctx)) }

// guard returns why, without what it says of another append or call: the context of a
// group ends with the error of whoever failed first as its cause, and that must not pass
// for the outcome of the others.
func guard(why error) error {
	for _, outcome := range outcomes {
		if errors.Is(why, outcome) {
			return reason{why}
		}
	}
	return why
}

var outcomes = []error{
	ErrUnavailable, ErrNoSpace, ErrUnknownOutcome, ErrTooLarge, ErrNotFound, ErrTrimmed, ErrFenced, ErrRefused, ErrOtherLog, ErrNotPermitted, ErrSessionEnded, ErrClosed, ErrFutureAppend,
	ErrForgotten, ErrAncestor,
}

// reason is an error of another append or call. Neither that outcome nor its append id
// is found in it; what else it wraps is.
type reason struct{ err error }

func (r reason) Error() string { return r.err.Error() }

func (r reason) Is(target error) bool {
	for _, outcome := range outcomes {
		if target == outcome {
			return false
		}
	}
	return errors.Is(r.err, target)
}
