package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// ErrOutputClosed says that whoever read standard output went away.
var ErrOutputClosed = errors.New("standard output is closed")

// UnlessClosed is err, a failure to print, or nil if it is that nobody reads: a command
// whose exit code says more than that it printed goes on with that.
func UnlessClosed(err error) error {
	if errors.Is(err, ErrOutputClosed) {
		return nil
	}
	return err
}

// errOutputBlocked says that a signal came while nobody took what was written.
var errOutputBlocked = errors.New("standard output is blocked")

// How long a write may still take when a signal has come: a client ends at once, a
// daemon finishes what it accepted.
const (
	clientPatience = 200 * time.Millisecond
	daemonPatience = 5 * time.Second
)

// output is standard output. It remembers its first failure, so that nothing
// that was not written goes unnoticed, even where a caller cannot return an error.
//
// A write to a pipe that nobody empties does not return, so it runs in a goroutine of
// its own, and is left there when a signal has come and it still does not.
type output struct {
	to io.Writer

	mu          sync.Mutex
	err         error
	interrupted <-chan struct{} // closed by the first signal
	patience    time.Duration
	jobs        chan []byte // nil until the first write that a signal may interrupt
	done        chan written
	buf         []byte // what a job holds: the caller may use its own again
}

// written is what a write returned.
type written struct {
	n   int
	err error
}

// obey makes writes end when ctx has ended, after some patience.
func (o *output) obey(ctx context.Context, patience time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.interrupted, o.patience = ctx.Done(), patience
}

// Write implements io.Writer. After a failure it fails for good.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.write(p)
	switch {
	case errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		o.err = ErrOutputClosed
	case errors.Is(err, errOutputBlocked):
		o.err = err
	case err != nil:
		o.err = fmt.Errorf("writing to standard output: %w", err)
	}
	return n, o.err
}

func (o *output) write(p []byte) (int, error) {
	if o.interrupted == nil {
		return o.to.Write(p)
	}
	if o.jobs == nil {
		o.jobs, o.done = make(chan []byte), make(chan written, 1)
		go func(jobs <-chan []byte, done chan<- written) {
			for b := range jobs {
				n, err := o.to.Write(b)
				done <- written{n, err}
			}
		}(o.jobs, o.done)
	}
	o.buf = append(o.buf[:0], p...)
	o.jobs <- o.buf
	select {
	case w := <-o.done:
		return w.n, w.err
	case <-o.interrupted:
	}
	late := time.NewTimer(o.patience)
	defer late.Stop()
	select {
	case w := <-o.done:
		return w.n, w.err
	case <-late.C:
		return 0, errOutputBlocked
	}
}

// close ends the goroutine that writes, as soon as it has written. Nothing is written
// after it.
func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.jobs != nil {
		close(o.jobs)
	}
}

// failure returns the first failure, or nil.
func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// hangupPoll bounds how long it takes to notice that a command which watches its reader
// has ended.
const hangupPoll = 250 * time.Millisecond

// WhileRead returns a context that also ends, with ErrOutputClosed as its cause, when
// whoever reads standard output has gone. A command that waits for more to print uses
// it: the next write, which would fail, may be hours away.
func (e *Environment) WhileRead(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	stop = func() { cancel(nil) }
	out, ok := e.Stdout.(*output)
	if !ok {
		return ctx, stop
	}
	f, ok := out.to.(*os.File)
	if !ok {
		return ctx, stop
	}
	go func() {
		for ctx.Err() == nil {
			gone, err := readerGone(f, hangupPoll)
			if err != nil {
				return // it cannot be asked: a write will tell
			}
			if gone {
				cancel(ErrOutputClosed)
			}
		}
	}()
	return ctx, stop
}
