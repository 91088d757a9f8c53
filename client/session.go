package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paxlog/paxlog/client/core"
)

// Result says where an entry is.
type Result struct {
	Index    Index
	Instance Instance
	Ballot   Ballot // of the proposal that first carried it
	AppendID AppendID
	Time     time.Time // from the log, UTC
}

// Pending is an append under way.
type Pending struct {
	entry    core.Append
	session  *Session
	finished atomic.Bool   // entry has its answer
	done     chan struct{} // made by who waits; closed with the answer
	reused   bool          // by Append: done holds one, and is sent to, not closed
}

// pendings are for Append, which nobody else waits with.
var pendings = sync.Pool{New: func() any { return &Pending{done: make(chan struct{}, 1), reused: true} }}

// finish tells who waits; the client's lock is held.
func (p *Pending) finish() {
	p.finished.Store(true)
	if p.reused {
		p.done <- struct{}{}
	} else if p.done != nil {
		close(p.done)
	}
}

// over is a channel that is closed.
var over = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Done is closed when the answer is there.
func (p *Pending) Done() <-chan struct{} {
	if p.finished.Load() {
		return over
	}
	c := p.session.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.finished.Load() {
		return over
	}
	if p.done == nil {
		p.done = make(chan struct{})
	}
	return p.done
}

// Wait returns the answer. If ctx ends first it returns the error of ctx: the append
// goes on, and Wait may be called again.
func (p *Pending) Wait(ctx context.Context) (Result, error) {
	if p.finished.Load() {
		return p.answer()
	}
	select {
	case <-p.Done():
		return p.answer()
	case <-ctx.Done():
		return Result{}, causeOf(ctx)
	}
}

func (p *Pending) answer() (Result, error) {
	a := &p.entry
	if a.Err != nil {
		return Result{}, a.Err
	}
	return Result{
		Index: a.Index, Instance: a.Instance, Ballot: a.Origin, AppendID: a.ID, Time: time.Unix(0, int64(a.Time)).UTC(),
	}, nil
}

// Session is an ordered stream of appends: an entry is in the log only if all appended
// before it in the session are, at lower indexes; except those that failed as certainly
// not appended because their own caller's context had ended before they were sent.
type Session struct {
	c       *Client
	machine *core.Session
	waiters []*waiter // that wait for room, in order
}

// waiter is a caller whose entry waits for room in its session.
type waiter struct {
	entry    *core.Append
	admitted chan struct{} // closed when the entry is queued, or the session has ended
}

// NewSession begins a stream of its own over the client's connections. End it when it
// is not needed any more.
func (c *Client) NewSession() *Session {
	s := &Session{c: c}
	c.do(func(m *core.Machine) { s.machine = m.Open(random()) })
	return s
}

// Append appends value and waits for its answer, in a session that all callers of the
// client's Append and AppendAsync share. See Session.Append.
func (c *Client) Append(ctx context.Context, value []byte) (Result, error) {
	for {
		r, err := c.mainSession().Append(ctx, value)
		if !errors.Is(err, ErrSessionEnded) { // else another append ended it, and this one certainly was not appended
			return r, err
		}
	}
}

// AppendAsync appends value in the session that all callers share. See
// Session.AppendAsync; when that session ends, the next call begins another one. A stream
// in which nothing may be missing needs a session of its own: NewSession.
func (c *Client) AppendAsync(ctx context.Context, value []byte) (*Pending, error) {
	for {
		p, err := c.mainSession().AppendAsync(ctx, value)
		if !errors.Is(err, ErrSessionEnded) || errors.Is(err, errBehind) {
			return p, err
		}
	}
}

// mainSession returns the session that all share, a new one if the last one ended.
func (c *Client) mainSession() *Session {
	c.mu.Lock()
	s := c.main
	ended := s.machine.Err() != nil && !c.closed
	c.mu.Unlock()
	if !ended {
		return s
	}
	fresh := c.NewSession()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.main == s {
		c.main = fresh
		return fresh
	}
	fresh.machine.End(ErrSessionEnded, nil) // somebody else was faster
	return c.main
}

// Append appends value and waits for its answer.
//
// A caller gives up alone: when ctx ends, or the client's timeout is over, the session
// and its other appends go on. If value was sent by then the error is an
// *UnknownOutcomeError, and the session goes on sending it until it is answered, so that
// what comes after it can be appended. If it was not, the error is ErrUnavailable, and
// value certainly is not in the log; so it is with ErrTooLarge, ErrFenced,
// ErrSessionEnded and ErrClosed. A context that is over sends nothing.
func (s *Session) Append(ctx context.Context, value []byte) (Result, error) {
	p := pendings.Get().(*Pending)
	p.entry.Value, p.session = value, s
	if err := s.queue(ctx, p); err != nil {
		p.reset()
		return Result{}, err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		s.c.do(func(*core.Machine) { s.machine.GiveUp(&p.entry, causeOf(ctx)) })
		<-p.done // at once, with the answer that came in this moment, if one did
	}
	r, err := p.answer()
	if err == nil { // else the session may still have it
		p.reset()
	}
	return r, err
}

// reset gives p back to pendings.
func (p *Pending) reset() {
	p.entry, p.session = core.Append{}, nil
	p.finished.Store(false)
	pendings.Put(p)
}

// AppendAsync queues value and returns, so that many appends are under way; it waits
// only while too much is unanswered (WithInflight). It copies nothing: value must not be
// changed before its answer. ctx is for the waiting; it does not end the append.
//
// What is queued after value is never appended without it. If the client's timeout is
// over before value was sent, the session ends there, and all after it fails with
// ErrSessionEnded.
func (s *Session) AppendAsync(ctx context.Context, value []byte) (*Pending, error) {
	p := &Pending{session: s, entry: core.Append{Value: value, Stream: true}}
	if err := s.queue(ctx, p); err != nil {
		return nil, err
	}
	return p, nil
}

// queue queues p, after all that waits for room, and waits for room itself.
func (s *Session) queue(ctx context.Context, p *Pending) error {
	c := s.c
	size := len(p.entry.Value)
	if size > c.opts.entryBytes {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, size, c.opts.entryBytes)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, causeOf(ctx))
	}
	p.entry.Owner = p
	c.mu.Lock()
	if err := s.ended(); err != nil {
		c.mu.Unlock()
		return err
	}
	now := c.now()
	c.m.Tick(now, 0)
	if t := c.opts.timeout; t > 0 {
		p.entry.Deadline = now + ticks(t) // the wait for room included
	}
	if s.machine.Err() == nil && len(s.waiters) == 0 && s.machine.Room(size) {
		s.machine.Append(&p.entry)
		c.act()
		c.mu.Unlock()
		return nil
	}
	w := &waiter{entry: &p.entry, admitted: make(chan struct{})}
	if len(s.waiters) == 0 {
		c.crowded = append(c.crowded, s)
	}
	s.waiters = append(s.waiters, w)
	c.act() // the clock may have ended the session, or made room
	c.mu.Unlock()
	return s.wait(ctx, w)
}

// ended returns why nothing can be appended any more, nil if it can.
func (s *Session) ended() error {
	err := s.machine.Err()
	switch {
	case s.c.closed:
		return ErrClosed
	case err == nil || errors.Is(err, ErrSessionEnded):
		return err
	}
	return fmt.Errorf("%w: %w", ErrSessionEnded, err)
}

// wait waits until w is admitted, in its turn.
func (s *Session) wait(ctx context.Context, w *waiter) error {
	var late <-chan time.Time
	if t := s.c.opts.timeout; t > 0 {
		timer := time.NewTimer(t)
		defer timer.Stop()
		late = timer.C
	}
	var err error
	select {
	case <-w.admitted:
	case <-ctx.Done():
		err = causeOf(ctx)
	case <-late:
		err = errNoRoom
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if i := slices.Index(s.waiters, w); i >= 0 {
		s.waiters = slices.Delete(s.waiters, i, i+1)
		s.c.act() // the next one may fit, and a session without waiters is not crowded
		if why := s.machine.Why(); why != "" && errors.Is(err, errNoRoom) {
			err = fmt.Errorf("%w: %s", err, why)
		}
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if w.entry != nil { // the session ended meanwhile
		return fmt.Errorf("%w: %w", s.ended(), errBehind)
	}
	return nil
}

// errBehind: what waited for room in a session that ended stood behind an entry that was
// not appended, and a stream does not go on without that.
var errBehind = errors.New("it waited behind an entry that was not appended")

var errNoRoom = errors.New("no answer in time to those that were appended before, so this one was not sent")

// admit queues what waits for room, in order, as far as there is room, and reports
// whether it queued anything; the lock is held.
func (c *Client) admit() (admitted bool) {
	c.crowded = slices.DeleteFunc(c.crowded, func(s *Session) bool {
		ended := s.machine.Err() != nil
		n := 0
		for n < len(s.waiters) && (ended || s.machine.Room(len(s.waiters[n].entry.Value))) {
			w := s.waiters[n]
			if !ended {
				s.machine.Append(w.entry)
				w.entry, admitted = nil, true
			}
			close(w.admitted)
			n++
		}
		s.waiters = slices.Delete(s.waiters, 0, n)
		return len(s.waiters) == 0
	})
	return admitted
}

// End ends the session: what is unanswered fails, for the given cause, and what may have
// been sent is unknown. The servers forget what they kept for it.
func (s *Session) End(cause error) {
	s.c.do(func(*core.Machine) { s.machine.End(ErrSessionEnded, guard(cause)) })
}
