package clients

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
)

// Bounds of an appender.
const (
	inflightBytes = 8 << 20  // of entries read, and not answered and printed
	EntryOverhead = 128      // what an entry counts beside its bytes
	InflightRoom  = 64 << 20 // of the client, which thus never waits itself
)

// appender appends a stream of entries in one session, many at a time, and hands
// out the answers in order. Entries are read in a goroutine of its own, because a
// read of standard input cannot be interrupted.
type appender struct {
	session  *client.Session
	source   source
	answered func(r client.Result, entryBytes int) error // takes each answer, in order
	idle     func() error                                // called before the appender waits

	budget  *semaphore.Weighted
	mu      sync.Mutex
	stopped bool
	read    uint64         // entries of the input that source returned, or skipped before those
	sent    chan sentEntry // never full: the budget runs out before
	input   error          // why sent was closed; nil at the end of the input
	settled uint64         // the last entry of the input that is, or may be, in the log
}

// sentEntry is an entry that is not answered yet, or not handed out.
type sentEntry struct {
	pending *client.Pending
	bytes   int
	number  uint64 // in the input
}

// cost is what an entry takes of the budget.
func cost(entryBytes int) int64 { return min(int64(entryBytes)+EntryOverhead, inflightBytes) }

// run appends everything. It returns the first failure: of the input, after all
// before it has been answered, of an append, or of a function that it calls.
// When ctx ends nothing further is sent, and what is not answered soon fails
// with ctx's cause.
func (a *appender) run(ctx context.Context) error {
	a.budget = semaphore.NewWeighted(inflightBytes)
	a.sent = make(chan sentEntry, inflightBytes/EntryOverhead)
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	defer close(ended)
	release := context.AfterFunc(ctx, func() { a.interrupt(context.Cause(ctx), ended) })
	defer release()
	defer a.stop()
	go a.feed(reading)
	for {
		e, open, err := a.take(ctx)
		if err != nil {
			return err
		}
		if !open {
			return a.input
		}
		r, err := a.wait(e)
		if err != nil {
			return err
		}
		a.settled = e.number
		if err := a.answered(r, e.bytes); err != nil {
			return a.giveUp(err, sentEntry{})
		}
		a.budget.Release(cost(e.bytes))
	}
}

// feed reads entries and appends them until the input or the session ends.
func (a *appender) feed(ctx context.Context) {
	defer close(a.sent)
	for {
		entry, number, err := a.source.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = a.push(ctx, entry, number)
		}
		if err != nil {
			a.input = err
			return
		}
	}
}

// push appends one entry as soon as the budget allows it.
func (a *appender) push(ctx context.Context, entry []byte, number uint64) error {
	a.mu.Lock()
	a.read = number
	a.mu.Unlock()
	if err := a.budget.Acquire(ctx, cost(len(entry))); err != nil {
		return context.Cause(ctx)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return context.Canceled
	}
	p, err := a.session.AppendAsync(ctx, entry)
	if err == nil {
		a.sent <- sentEntry{p, len(entry), number}
	}
	return err
}

// take returns the next entry that was sent; open is false at the end of the
// input. If ctx ends the reading stops, and take still returns what was sent
// before.
func (a *appender) take(ctx context.Context) (e sentEntry, open bool, err error) {
	select {
	case e, open = <-a.sent:
		return e, open, nil
	default:
	}
	if err := a.idle(); err != nil {
		return e, false, a.giveUp(err, sentEntry{})
	}
	select {
	case e, open = <-a.sent:
		return e, open, nil
	case <-ctx.Done():
	}
	a.halt()
	select {
	case e, open = <-a.sent:
		if open {
			return e, true, nil
		}
	default:
	}
	return e, false, context.Cause(ctx)
}

// wait returns the answer of e, which comes at the latest when the session ends.
func (a *appender) wait(e sentEntry) (client.Result, error) {
	select {
	case <-e.pending.Done():
	default:
		if err := a.idle(); err != nil {
			return client.Result{}, a.giveUp(err, e)
		}
	}
	r, err := e.pending.Wait(context.Background())
	if err == nil {
		return r, nil
	}
	untold := a.rest(e)
	var unknown *client.UnknownOutcomeError
	if errors.As(err, &unknown) { // and so are those after it that were sent as well
		err = untold.unknown(unknown.Cause)
	}
	return r, err
}

// unknown is the error of entries of which nobody knows what became.
func (r idRange) unknown(cause error) *client.UnknownOutcomeError {
	return &client.UnknownOutcomeError{Session: r.session, Seq: r.first, First: r.first, Last: r.last, Cause: cause}
}

// rest ends the session and returns those of the entries from e on, or from the next
// one if e is none, that are or may be in the log.
func (a *appender) rest(e sentEntry) (untold idRange) {
	a.stop()
	for more := true; more; {
		if e.pending != nil {
			r, why := e.pending.Wait(context.Background()) // at once: the session has ended
			var unknown *client.UnknownOutcomeError
			switch {
			case errors.As(why, &unknown):
				untold.add(unknown.AppendID())
				a.settled = e.number
			case why == nil:
				untold.add(r.AppendID)
				a.settled = e.number
			}
		}
		select {
		case e, more = <-a.sent:
		default:
			more = false
		}
	}
	return untold
}

// giveUp ends the session over a failure that is not its own. What it returns wraps err
// and, if entries from e on, or from the next one if e is none, are or may be appended, a
// *client.UnknownOutcomeError of these: nobody has been told of any.
func (a *appender) giveUp(err error, e sentEntry) error {
	untold := a.rest(e)
	if untold.first == 0 {
		return err
	}
	return errors.Join(err, untold.unknown(err))
}

// notAppended says which entries of the input were read and are certainly not in the
// log: so many, from that one on. It is asked after run.
func (a *appender) notAppended() (count, first uint64) {
	a.mu.Lock()
	read := a.read
	a.mu.Unlock()
	return read + a.source.Left() - a.settled, a.settled + 1
}

// interrupt stops the sending, and a little later the waiting for answers, unless
// run has ended by then.
func (a *appender) interrupt(cause error, ended <-chan struct{}) {
	a.halt()
	grace := time.NewTimer(command.SignalGrace)
	defer grace.Stop()
	select {
	case <-ended:
	case <-grace.C:
		a.session.End(cause)
	}
}

// halt makes sure that nothing further is appended.
func (a *appender) halt() {
	a.mu.Lock()
	a.stopped = true
	a.mu.Unlock()
}

// stop ends the session, whatever is left of it.
func (a *appender) stop() {
	a.halt()
	a.session.End(context.Canceled)
}
