package main

import (
	"context"
	"os"
	"syscall"
)

// signalError is the cause of a context that a signal ended.
type signalError struct{ signal os.Signal }

// Error names the signal.
func (e *signalError) Error() string { return e.signal.String() }

// code is the exit code of a client that the signal ended.
func (e *signalError) code() int {
	if e.signal == syscall.SIGTERM {
		return ExitTerminated
	}
	return ExitInterrupted
}

// watch returns a context that the first signal cancels, with a *signalError as
// its cause; a second signal ends the process at once. stop releases it.
func (p *process) watch(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for seen := 0; ; seen++ {
			select {
			case s := <-p.signals:
				if seen > 0 {
					p.kill((&signalError{s}).code())
				}
				cancel(&signalError{s})
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		close(done)
		<-ended
		cancel(nil)
	}
}
