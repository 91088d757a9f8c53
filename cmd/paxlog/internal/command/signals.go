package command

import (
	"context"
	"os"
	"syscall"
	"time"
)

// SignalGrace is how long a client that was interrupted waits for what it sent
// already: most of it is answered within moments, and is not unknown then.
const SignalGrace = time.Second

// SignalError is the cause of a context that a signal ended.
type SignalError struct{ signal os.Signal }

// Error names the signal.
func (e *SignalError) Error() string { return e.signal.String() }

// code is the exit code of a client that the signal ended.
func (e *SignalError) code() int {
	if e.signal == syscall.SIGTERM {
		return ExitTerminated
	}
	return ExitInterrupted
}

// watch returns a context that the first signal cancels, with a *signalError as
// its cause; a second signal ends the process at once. stop releases it.
func (p *Program) watch(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for seen := 0; ; seen++ {
			select {
			case s := <-p.Signals:
				if seen > 0 {
					p.Kill((&SignalError{s}).code())
				}
				cancel(&SignalError{s})
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
