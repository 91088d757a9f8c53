package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/credentials"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// The exit codes. Scripts depend on them.
const (
	ExitDone         = 0
	ExitFailed       = 1 // for another reason
	ExitUsage        = 2 // wrong usage or config
	ExitUnavailable  = 3 // no leader, no quorum or no learner in time; nothing was appended
	ExitUnknown      = 4 // an entry may have been appended
	ExitNoIndex      = 5 // past the end, or trimmed
	ExitNotPermitted = 6
	ExitHungUp       = 129 // SIGHUP in a client
	ExitInterrupted  = 130 // SIGINT in a client
	ExitQuit         = 131 // SIGQUIT in a client
	ExitTerminated   = 143 // SIGTERM in a client
)

// ExitError ends the program with a code. Without an err it prints nothing.
type ExitError struct {
	Code int
	Err  error
	Then string // one more line, after the message; or ""
}

// Error is the message for people, or "".
func (e *ExitError) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// Unwrap returns the cause, which may be nil.
func (e *ExitError) Unwrap() error { return e.Err }

// Exitf returns an error that ends the program with code.
func Exitf(code int, format string, args ...any) error {
	return &ExitError{Code: code, Err: fmt.Errorf(format, args...)}
}

// Usagef returns an error about the command line or the environment.
func Usagef(format string, args ...any) error { return Exitf(ExitUsage, format, args...) }

// CodeOf says which exit code an error asks for.
func CodeOf(err error) int {
	var exit *ExitError
	var credential *credentials.FileError
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &exit):
		return exit.Code
	case errors.Is(err, client.ErrOtherLog):
		return ExitFailed
	case errors.As(err, &credential), errors.Is(err, config.ErrInvalid), errors.Is(err, paxos.ErrAppendID), errors.Is(err, client.ErrRefused):
		return ExitUsage
	case errors.Is(err, client.ErrUnknownOutcome):
		return ExitUnknown
	case errors.Is(err, client.ErrNotPermitted):
		return ExitNotPermitted
	case errors.Is(err, client.ErrUnavailable):
		return ExitUnavailable
	case errors.Is(err, client.ErrNotFound), errors.Is(err, client.ErrTrimmed), errors.Is(err, client.ErrForgotten),
		errors.Is(err, client.ErrAncestor):
		return ExitNoIndex
	}
	return ExitFailed
}

// finish reports err as one plain line and returns the exit code. That standard output
// was closed is no failure by itself: a command that has more to say than what it
// printed returns that.
func (p *Program) finish(err error) int {
	if err == nil {
		err = p.out.failure()
	}
	if errors.Is(err, ErrOutputClosed) && CodeOf(err) == ExitFailed {
		return ExitDone
	}
	var last strings.Builder
	if text := shapes.OneLine(err); text != "" {
		if errors.Is(err, client.ErrUnavailable) && CodeOf(err) == ExitUnavailable && !strings.Contains(text, "`paxlog ") {
			text += "; `paxlog status` shows what is missing"
		}
		fmt.Fprintf(&last, "paxlog: %s\n", text)
	}
	if then := thenOf(err); then != "" {
		fmt.Fprintln(&last, then)
	}
	PrintLast(p.Stderr, last.String())
	return CodeOf(err)
}

// PrintLast prints what a process says last, but ends, after a second, also where nobody
// takes it.
func PrintLast(to io.Writer, text string) {
	if text == "" {
		return
	}
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		fmt.Fprint(to, text)
	}()
	within(lastLines, printed)
}

// thenOf is the line that follows the message of err, or "".
func thenOf(err error) string {
	var exit *ExitError
	for errors.As(err, &exit) {
		if exit.Then != "" {
			return exit.Then
		}
		err = exit.Err
	}
	return ""
}

// afterSignal decides how a command ends that a signal may have interrupted: a
// daemon that closed cleanly is done, a client was interrupted whatever it
// returned.
func afterSignal(ctx context.Context, daemon bool, err error) error {
	var got *SignalError
	if !errors.As(context.Cause(ctx), &got) {
		return err
	}
	quiet := err == nil || errors.Is(err, context.Canceled) || errors.Is(err, got) || errors.Is(err, ErrOutputClosed)
	if !daemon && errors.Is(err, errOutputBlocked) && CodeOf(err) == ExitFailed {
		quiet = true // what was not printed is not lost
	}
	switch {
	case daemon && quiet:
		return nil
	case daemon:
		return err
	case quiet:
		return &ExitError{Code: got.code(), Then: thenOf(err)}
	}
	return &ExitError{Code: got.code(), Err: err}
}
