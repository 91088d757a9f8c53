// Package client is the Go client of Paxlog: it appends entries, reads and tails the
// log, and resolves what became of an append whose answer never came.
//
// A client sends appends to the leader, through any proposer, and gets the answers from
// one learner. It sends again after every failure: an append is applied at most once,
// and in order within its session. When a caller's time is up and its append may still
// happen, the error is an *UnknownOutcomeError, and Resolve tells its fate for good. The
// examples show each of these; the table at ErrUnavailable says what each error means.
//
// What a client decides, it decides in the machine of package core, which has no clock
// and no connection, and is what the simulator runs. This package owns the sockets, the
// clock, the lock and the callers that wait.
//
// A Client and its Sessions may be used from any goroutine.
package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/paxlog/paxlog/client/core"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
	"github.com/paxlog/paxlog/wire"
)

// Types of the log, one each.
type (
	// Index is an entry's place in the log: 1, 2, 3, ... 0 means none.
	Index = paxos.Index
	// Instance numbers the run of Paxos that chose a batch of entries.
	Instance = paxos.Instance
	// Ballot is the attempt of a proposer: ROUND.PROPOSER.
	Ballot = paxos.Ballot
	// SessionID names a session.
	SessionID = paxos.SessionID
	// AppendID names an append: its session and its number there. ParseAppendID reads
	// what its String method writes.
	AppendID = paxos.AppendID
)

// ParseAppendID reads an append id as people see it.
func ParseAppendID(text string) (AppendID, error) { return paxos.ParseAppendID(text) }

// Client is a connection to a cluster. Make it with New or Open.
type Client struct {
	opts  options
	net   *transport.Network
	start time.Time
	done  chan struct{}
	wg    sync.WaitGroup
	wake  chan struct{} // for sendLoop: there is something to send
	rearm chan struct{} // for timer: the machine is due earlier

	following sync.Mutex // held by who dials what a directory says, before mu

	mu       sync.Mutex
	closed   bool
	m        *core.Machine
	book     book
	seeking  bool // somebody looks for processes
	main     *Session
	armed    paxos.Ticks // when timer wakes
	answered int         // appends answered by the message at hand, or the latest
	crowded  []*Session  // in which callers wait for room
}

// New returns a client. It connects in the background: that nothing runs shows in the
// first call. A context that is over is refused with its error; what happens to it later
// does not matter, a client lives until Close.
func New(ctx context.Context, opts ...Option) (*Client, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	o, err := gather(opts)
	if err != nil {
		return nil, err
	}
	c := offline(o)
	// The acceptors are believed before others about which log this is: an address in the
	// file may be that of another cluster's learner by now.
	c.net.Ask(dialled(paxos.RoleAcceptor, o.acceptors)...)
	c.net.Dial(append(dialled(paxos.RoleProposer, o.proposers), dialled(paxos.RoleLearner, o.learners)...)...)
	c.wg.Add(2)
	go c.timer()
	go c.sendLoop()
	if o.creds.IsOn() {
		c.wg.Go(c.watchCredentials)
	}
	c.seekLater()
	return c, nil
}

func dialled(role paxos.Role, peers []Peer) (out []transport.Peer) {
	for _, p := range peers {
		out = append(out, transport.Peer{Role: role, ID: paxos.NodeID(p.ID), Addr: p.Addr})
	}
	return out
}

// Open returns a client of the cluster that a cluster file describes. Options given
// after it override what the file says.
func Open(ctx context.Context, file string, opts ...Option) (*Client, error) {
	cluster, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	return New(ctx, append([]Option{WithConfig(cluster)}, opts...)...)
}

// Log is the log that this client holds to, zero while it knows none by an id.
func (c *Client) Log() LogID { return c.net.Log() }

// offline is a client that does not connect, and of which nothing runs.
func offline(o options) *Client {
	c := &Client{
		opts: o, start: time.Now(), done: make(chan struct{}),
		wake: make(chan struct{}, 1), rearm: make(chan struct{}, 1), m: core.New(o.machine()), armed: paxos.Never, book: newBook(&o),
	}
	c.net = transport.New(o.transport(), handler{c})
	c.main = c.NewSession()
	return c
}

// Close ends the client. Appends without an answer fail with ErrClosed; those that may
// have been sent, with an *UnknownOutcomeError. Every other call under way, and every
// later one, fails with ErrClosed.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	close(c.done)
	c.m.Close()
	c.deliver()
	c.mu.Unlock()
	c.net.Close()
	c.wg.Wait()
	return nil
}

// now is the machine's clock.
func (c *Client) now() paxos.Ticks { return paxos.Ticks(time.Since(c.start).Milliseconds()) + 1 }

// do calls f with the lock held and the machine's clock set, and does what the machine
// decided.
func (c *Client) do(f func(m *core.Machine)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.m.Tick(c.now(), 0)
	f(c.m)
	c.act()
}

// act does what the machine decided; the lock is held. If more than one append is under
// way, their messages wait for sendLoop: what is appended at about the same time then
// goes out in one message.
func (c *Client) act() {
	c.deliver()
	c.send(c.m.Pending() <= 1 && c.answered <= 1)
}

// deliver gives callers their answers; the lock is held.
func (c *Client) deliver() {
	appends, calls := c.m.Delivered()
	for _, a := range appends {
		a.Owner.(*Pending).finish()
	}
	for _, k := range calls {
		close(k.Owner.(chan struct{}))
	}
	c.answered += len(appends)
	clear(appends)
	clear(calls)
	if len(c.crowded) > 0 {
		c.admit()
	}
}

// send sends what the machine wants to send, now or together with what others are about
// to add, and sets the timer; the lock is held.
func (c *Client) send(now bool) {
	if !now {
		select {
		case c.wake <- struct{}{}:
		default:
		}
		return
	}
	c.flush()
	if len(c.crowded) > 0 && c.admit() { // Flush took out what was given up
		c.flush()
	}
	if due := c.m.Next(); due < c.armed {
		c.armed = due
		select {
		case c.rearm <- struct{}{}:
		default:
		}
	}
}

// flush sends what the machine wants to send; the lock is held.
func (c *Client) flush() {
	out := c.m.Flush()
	if len(out.SendNow) == 1 {
		c.net.Send(out.SendNow[0].To, out.SendNow[0].Msg) // at once, in this goroutine
	} else if len(out.SendNow) > 1 {
		c.net.SendAll(out.SendNow) // under the lock: what a session sends is sent in order
	}
}

// sendLoop sends when more than one entry is under way.
func (c *Client) sendLoop() {
	defer c.wg.Done()
	for {
		select {
		case <-c.done:
			return
		case <-c.wake:
		}
		runtime.Gosched() // who is about to append goes first
		c.mu.Lock()
		c.m.Tick(c.now(), 0)
		c.deliver()
		c.send(true)
		c.mu.Unlock()
	}
}

// timer tells the machine the time when it asked for it. While nothing waits for an
// answer, no timer runs.
func (c *Client) timer() {
	defer c.wg.Done()
	t := time.NewTimer(0)
	t.Stop()
	defer t.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-c.rearm:
		case <-t.C:
		}
		c.mu.Lock()
		now := c.now()
		c.m.Tick(now, 0)
		c.deliver()
		c.armed = 0 // it is set below
		c.send(true)
		c.armed = c.m.Next()
		left := c.armed - now
		c.mu.Unlock()
		if left < longest {
			t.Reset(time.Duration(max(left, 1)) * time.Millisecond)
		} else {
			t.Stop()
		}
	}
}

// watchCredentials looks now and then whether the files have changed by which this client
// proves who it is, and judges who is connected by what is in force.
func (c *Client) watchCredentials() {
	tick := time.NewTicker(credentialsEach)
	defer tick.Stop()
	for {
		select {
		case <-c.done:
			return
		case now := <-tick.C:
			_, _ = c.opts.creds.Check() // what cannot be used is passed over, as WithTLS says
			c.net.Judge(now)
		}
	}
}

// ReloadTLS reads the files of WithTLS again at once, and returns what of them cannot be used:
// of that the former stays in force.
func (c *Client) ReloadTLS() error {
	if !c.opts.creds.IsOn() {
		return nil
	}
	err := c.opts.creds.Reload()
	c.net.Judge(time.Now())
	return err
}

// longest is more than a call or a session waits, in ticks: beyond it lies paxos.Never,
// which is no duration.
const longest = paxos.Ticks(1) << 40

// handler is what the transport tells; its methods are no part of the client.
type handler struct{ c *Client }

// Receive implements transport.Handler.
func (h handler) Receive(from paxos.NodeID, msg paxos.Message, _ int) {
	c := h.c
	c.step(from, msg)
	if _, is := msg.(*paxos.Directory); is {
		c.follow()
	}
}

func (c *Client) step(from paxos.NodeID, msg paxos.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered = 0
	c.m.Tick(c.now(), 0)
	c.m.Step(from, msg)
	c.act()
}

// Rest implements transport.Handler.
func (h handler) Rest() {}

// PeerUp implements transport.Handler.
func (h handler) PeerUp(up *paxos.PeerUp) {
	h.c.do(func(m *core.Machine) { m.Step(up.ID, up) })
}

// PeerDown implements transport.Handler.
func (h handler) PeerDown(id paxos.NodeID, _ paxos.Role, why error) {
	h.c.do(func(m *core.Machine) {
		if why != nil {
			m.Trouble(id, why, false)
		}
		m.Step(id, &paxos.PeerDown{ID: id})
	})
	h.c.seekLater()
}

// Refused implements transport.Handler.
func (h handler) Refused(id paxos.NodeID, _ string, why error) {
	var refused *transport.RefusedError
	final := errors.As(why, &refused) && refused.Code != wire.RefusedFull
	if IsOtherLog(why) {
		why = fmt.Errorf("%w: %w", ErrOtherLog, why)
		final = h.c.opts.log.IsZero() || !refused.Log.IsZero() // else it may learn the id that is asked for
	}
	h.c.do(func(m *core.Machine) { m.Trouble(id, why, final) })
}

// random fills a session's random bits.
func random() (b [12]byte) {
	if _, err := rand.Read(b[:]); err != nil {
		panic("client: no randomness: " + err.Error()) // crypto/rand never fails on supported systems
	}
	return b
}

// call asks k and waits for its answer, until ctx ends or the client's timeout is over.
func (c *Client) call(ctx context.Context, k *core.Call, timeout time.Duration) error {
	if ctx.Err() != nil {
		return causeOf(ctx) // nothing is sent
	}
	done := make(chan struct{})
	k.Owner = done
	c.do(func(m *core.Machine) {
		now := c.now()
		if timeout > 0 {
			k.Deadline = now + ticks(timeout)
		}
		if deadline, ok := ctx.Deadline(); ok {
			k.Horizon = now + ticks(time.Until(deadline))
		}
		m.Ask(k)
	})
	select {
	case <-done:
	case <-ctx.Done():
		c.do(func(m *core.Machine) { m.Withdraw(k, causeOf(ctx)) })
		<-done // at once, with the answer that came in this moment, if one did
	}
	return k.Err
}

// ticks is a duration in the machine's unit, at least one.
func ticks(d time.Duration) paxos.Ticks { return max(1, paxos.Ticks(d.Milliseconds())) }
