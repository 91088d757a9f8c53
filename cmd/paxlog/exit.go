package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/config"
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
	ExitInterrupted  = 130 // SIGINT in a client
	ExitTerminated   = 143 // SIGTERM in a client
)

// exitError ends the program with a code. Without an err it prints nothing.
type exitError struct {
	code int
	err  error
}

// Error is the message for people, or "".
func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// Unwrap returns the cause, which may be nil.
func (e *exitError) Unwrap() error { return e.err }

// exitf returns an error that ends the program with code.
func exitf(code int, format string, args ...any) error {
	return &exitError{code: code, err: fmt.Errorf(format, args...)}
}

// usagef returns an error about the command line or the environment.
func usagef(format string, args ...any) error { return exitf(ExitUsage, format, args...) }

// codeOf says which exit code an error asks for.
func codeOf(err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &exit):
		return exit.code
	case errors.Is(err, config.ErrInvalid), errors.Is(err, paxos.ErrAppendID), errors.Is(err, client.ErrRefused):
		return ExitUsage
	case errors.Is(err, client.ErrUnknownOutcome):
		return ExitUnknown
	case errors.Is(err, client.ErrUnavailable):
		return ExitUnavailable
	case errors.Is(err, client.ErrNotFound), errors.Is(err, client.ErrTrimmed):
		return ExitNoIndex
	}
	return ExitFailed
}

// finish reports err as one plain line and returns the exit code. A closed
// standard output ends quietly, whatever the command made of it.
func (p *process) finish(err error) int {
	failed := p.stdout.failure()
	if errors.Is(failed, errOutputClosed) {
		return ExitDone
	}
	if err == nil {
		err = failed
	}
	if text := message(err); text != "" {
		if errors.Is(err, client.ErrUnavailable) && codeOf(err) == ExitUnavailable && !strings.Contains(text, "`paxlog ") {
			text += "; `paxlog status` shows what is missing"
		}
		fmt.Fprintf(p.stderr, "paxlog: %s\n", text)
	}
	return codeOf(err)
}

// message is err on one line, or "" if there is nothing to say about it.
func message(err error) string {
	if err == nil {
		return ""
	}
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	return strings.Join(lines, " ")
}

// afterSignal decides how a command ends that a signal may have interrupted: a
// daemon that closed cleanly is done, a client was interrupted whatever it
// returned.
func afterSignal(ctx context.Context, daemon bool, err error) error {
	var got *signalError
	if !errors.As(context.Cause(ctx), &got) {
		return err
	}
	quiet := err == nil || errors.Is(err, context.Canceled) || errors.Is(err, got)
	switch {
	case daemon && quiet:
		return nil
	case daemon:
		return err
	case quiet:
		return &exitError{code: got.code()}
	}
	return &exitError{code: got.code(), err: err}
}
