package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// Result says where an entry is.
type Result struct {
	Index    uint64
	Instance uint64
	Ballot   string // ROUND.PROPOSER, of the proposal that first carried it
	AppendID paxos.AppendID
	Time     time.Time // from the log, UTC
}

// Pending is an append under way.
type Pending struct {
	value    []byte
	deadline paxos.Ticks // 0: none
	maybe    int         // sends that were not refused: the entry may be appended
	answered bool
	result   Result
	err      error
	finished atomic.Bool // result and err are there
	done     chan struct{}
	reused   bool // by Append: done holds one, and is sent to, not closed
	session  *Session
}

// pendings are for Append, which nobody else waits with.
var pendings = sync.Pool{New: func() any { return &Pending{done: make(chan struct{}, 1), reused: true} }}

// finish gives the answer; the client's lock is held. Nobody looks at p afterwards
// but who waits for it.
func (p *Pending) finish(err error) {
	p.err = err
	p.session.waiting -= len(p.value) + pendingBytes
	p.session.c.unanswered--
	p.session.c.finished++
	p.finished.Store(true)
	if p.reused {
		p.done <- struct{}{}
	} else if p.done != nil {
		close(p.done)
	}
}

// Done is closed when the answer is there.
func (p *Pending) Done() <-chan struct{} {
	c := p.session.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.done == nil {
		p.done = make(chan struct{})
		if p.finished.Load() {
			close(p.done)
		}
	}
	return p.done
}

// Wait returns the answer. If ctx ends first, it returns its error, and the
// append goes on: its fate is not known.
func (p *Pending) Wait(ctx context.Context) (Result, error) {
	if p.finished.Load() {
		return p.result, p.err
	}
	select {
	case <-p.Done():
		return p.result, p.err
	case <-ctx.Done():
		return Result{}, context.Cause(ctx)
	}
}

// pendingBytes is what an entry counts beside its bytes.
const pendingBytes = 64

// Session is an ordered stream of appends: an entry is in the log only if all
// appended before it in the session are, at lower indexes.
type Session struct {
	c       *Client
	core    *core
	waiting int // bytes of unanswered entries
	room    chan struct{}
	ended   chan struct{} // closed when the session has ended
	ready   bool          // in Client.ready
	asked   paxos.NodeID
	askedAt paxos.Ticks
	askedBy uint64 // the call
}

// NewSession begins a stream of its own over the client's connections.
func (c *Client) NewSession() *Session {
	s := &Session{c: c, core: newCore(), room: make(chan struct{}, 1), ended: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opening = append(c.opening, s)
	c.open()
	return s
}

// Append appends value in the client's main session and waits for its answer.
func (c *Client) Append(ctx context.Context, value []byte) (Result, error) {
	for {
		r, err := c.mainSession().Append(ctx, value)
		if !errors.Is(err, ErrSessionEnded) { // else another append ended it just now
			return r, err
		}
	}
}

// AppendAsync appends value in the client's main session. It returns when the
// entry is queued, in order; it waits only while too much is unanswered.
func (c *Client) AppendAsync(ctx context.Context, value []byte) (*Pending, error) {
	for {
		p, err := c.mainSession().AppendAsync(ctx, value)
		if !errors.Is(err, ErrSessionEnded) {
			return p, err
		}
	}
}

// mainSession returns the main session, a new one if the last one ended.
func (c *Client) mainSession() *Session {
	c.mu.Lock()
	s := c.main
	ended := s.core.err != nil && !c.closed
	c.mu.Unlock()
	if !ended {
		return s
	}
	fresh := c.NewSession()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.main == s {
		c.main = fresh
	}
	return c.main
}

// Append appends value and waits for its answer. It returns ErrTooLarge,
// ErrUnavailable, ErrFenced or ErrClosed, after which value is certainly not in
// the log, or an *UnknownOutcomeError. When ctx ends the session ends with it.
func (s *Session) Append(ctx context.Context, value []byte) (Result, error) {
	p := pendings.Get().(*Pending)
	p.value, p.session = value, s
	err := s.queue(ctx, p)
	if err == nil {
		select {
		case <-p.done:
		case <-ctx.Done():
			if !p.finished.Load() {
				s.End(fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx)))
			}
			<-p.done // at once: all that had no answer has one now
		}
		err = p.err
	}
	r := p.result
	p.reset()
	pendings.Put(p)
	return r, err
}

// reset makes p what pendings makes.
func (p *Pending) reset() {
	p.value, p.deadline, p.maybe, p.answered = nil, 0, 0, false
	p.result, p.err, p.session = Result{}, nil, nil
	p.finished.Store(false)
}

// End ends the session: what is unanswered fails, for the given cause.
func (s *Session) End(cause error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.core.fail(cause)
	s.act()
}

// AppendAsync queues value. It copies nothing: value must not be changed before
// its answer. After the session ended it returns ErrSessionEnded.
func (s *Session) AppendAsync(ctx context.Context, value []byte) (*Pending, error) {
	p := &Pending{value: value, session: s}
	if err := s.queue(ctx, p); err != nil {
		return nil, err
	}
	return p, nil
}

// queue queues p, and waits while too much is unanswered.
func (s *Session) queue(ctx context.Context, p *Pending) error {
	size := len(p.value)
	if size > s.c.opts.entryBytes {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, size, s.c.opts.entryBytes)
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for s.core.err == nil && s.waiting > 0 && s.waiting+size > s.c.opts.inflight {
		s.c.mu.Unlock()
		var err error
		select {
		case <-s.room:
		case <-s.ended:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		s.c.mu.Lock()
		if err != nil {
			return err
		}
	}
	if s.c.closed {
		return ErrClosed
	}
	if s.core.err != nil {
		return fmt.Errorf("%w: %w", ErrSessionEnded, s.core.err)
	}
	now := s.c.now()
	if s.c.opts.timeout > 0 {
		p.deadline = now + paxos.Ticks(s.c.opts.timeout.Milliseconds())
	}
	s.waiting += size + pendingBytes
	s.c.unanswered++
	s.core.add(now, p)
	s.actSoon()
	return nil
}

// begin gives the session its id, born at an instance that a learner has applied.
func (s *Session) begin(m *paxos.Attached) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, o := range c.opening {
		if o == s {
			c.opening = append(c.opening[:i:i], c.opening[i+1:]...)
			s.core.id, s.core.born = paxos.NewSessionID(m.Applied, random()), true
			if m.MaxBatch > 0 {
				s.core.chunk = min(s.core.chunk, m.MaxBatch)
			}
			c.sessions[s.core.id] = s
			if id := c.learnerID(); id != "" {
				c.net.Send(id, &paxos.Attach{Session: s.core.id, From: s.core.base})
			}
			s.act()
			return
		}
	}
}

// actSoon does what the core decided: at once if nobody else appends, which is the
// fastest for one, else together with what others append in this moment.
func (s *Session) actSoon() {
	c := s.c
	if c.unanswered <= 1 && c.finished <= 1 {
		s.act()
		return
	}
	if !s.ready {
		s.ready = true
		c.ready = append(c.ready, s)
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// act does what the core decided; the client's lock is held.
func (s *Session) act() {
	for _, e := range s.decide(nil) {
		s.c.net.Send(e.To, e.Msg)
	}
}

// decide does what the core decided, but for the entries to send: it adds them to out.
func (s *Session) decide(out []paxos.Envelope) []paxos.Envelope {
	c := s.c
	if s.core.err != nil { // also if it expired: who ended it must find it ended
		delete(c.sessions, s.core.id)
		select {
		case <-s.ended:
		default:
			close(s.ended)
		}
		return out
	}
	if s.core.expire {
		delete(c.sessions, s.core.id)
		s.core = s.core.rebirth()
		s.asked = ""
		c.opening = append(c.opening, s)
		c.open()
		return out
	}
	if s.core.stuck {
		s.core.stuck = false
		c.tryOthers()
	}
	if s.core.attach {
		s.core.attach = false
		if id := c.learnerID(); id != "" {
			c.net.Send(id, &paxos.Attach{Session: s.core.id, From: s.core.base})
		}
	}
	to, now := c.proposerID(), c.now()
	for m := s.core.take(now, to); m != nil; m = s.core.take(now, to) {
		out = append(out, paxos.Envelope{To: to, Msg: m})
	}
	c.due = min(c.due, s.core.due(now))
	select {
	case s.room <- struct{}{}:
	default:
	}
	return out
}
