package command

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// SignalGrace is how long a client that was interrupted waits for what it sent
// already: most of it is answered within moments, and is not unknown then.
const SignalGrace = time.Second

// Signals are the signals that end a run, and that daemons live through (SIGHUP, which a
// terminal sends that is closed, and logrotate). A SIGHUP that whoever started the
// program ignores, as nohup does, stays ignored. SIGQUIT is one of them: what Go does
// with it by itself, a print of all goroutines, SIGABRT still does.
func Signals() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// SignalError is the cause of a context that a signal ended.
type SignalError struct{ signal os.Signal }

// Error names the signal.
func (e *SignalError) Error() string { return e.signal.String() }

// code is the exit code of a client that the signal ended.
func (e *SignalError) code() int {
	switch e.signal {
	case syscall.SIGTERM:
		return ExitTerminated
	case syscall.SIGHUP:
		return ExitHungUp
	case syscall.SIGQUIT:
		return ExitQuit
	}
	return ExitInterrupted
}

// watch returns a context that the first signal cancels, with a *SignalError as
// its cause; a second signal ends the process at once. A daemon goes on after a
// SIGHUP, which it is told of. stop releases it.
func (p *Program) watch(parent context.Context, daemon bool) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for seen := 0; ; {
			select {
			case s := <-p.Signals:
				if daemon && s == syscall.SIGHUP {
					select {
					case p.hangups <- struct{}{}:
					default: // it will look after this one anyway
					}
					continue
				}
				if seen++; seen > 1 {
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
