// Package client is the Go client of Paxlog: it appends entries, reads and tails
// the log, and resolves what became of an append whose answer never came.
//
//	c, err := client.New(ctx, client.WithCluster("orders"),
//		client.WithProposers(client.Peer{ID: "p1", Addr: "10.0.0.1:7201"}),
//		client.WithLearners(client.Peer{ID: "l1", Addr: "10.0.0.1:7301"}))
//	res, err := c.Append(ctx, []byte("hello"))
//	for e, err := range c.Tail(ctx, client.TailOptions{From: client.FromStart(), Follow: true}) { ... }
//
// A client sends appends to the leader, through any proposer, and gets the
// answers from one learner. It sends again after every failure: an append is
// applied at most once, and in order within its session. When an append's time
// is up and it may still happen, the error is an *UnknownOutcomeError; the session
// ends with it, and Resolve tells its fate for good.
//
// A Client may be used from any goroutine. File core.go decides what to send
// and when; it has no clock and no connection, and is tested without them.
package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
)

// Peer is a process of the cluster.
type Peer struct{ ID, Addr string }

type options struct {
	cluster    string
	acceptors  []Peer
	proposers  []Peer
	learners   []Peer
	learner    string
	timeout    time.Duration
	entryBytes int
	inflight   int
	idle       time.Duration
}

// Option configures a Client.
type Option func(*options)

// WithCluster names the cluster; processes of another one are refused.
func WithCluster(name string) Option { return func(o *options) { o.cluster = name } }

// WithAcceptors names the acceptors; only Status uses them.
func WithAcceptors(peers ...Peer) Option { return func(o *options) { o.acceptors = peers } }

// WithProposers names the proposers; one that runs is enough.
func WithProposers(peers ...Peer) Option { return func(o *options) { o.proposers = peers } }

// WithLearners names the learners; one that runs is enough.
func WithLearners(peers ...Peer) Option { return func(o *options) { o.learners = peers } }

// WithLearner uses only the learner of this id.
func WithLearner(id string) Option { return func(o *options) { o.learner = id } }

// WithTimeout bounds each append, and each read or start of a tail, in addition
// to its context. 0, the default, waits for ever.
func WithTimeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// WithEntryBytes is the largest entry, 1 MiB by default. It should be the
// cluster's limit; a larger entry is refused by the proposer.
func WithEntryBytes(n int) Option { return func(o *options) { o.entryBytes = n } }

// WithInflight bounds the bytes of entries that are not answered yet, 4 MiB by
// default. One entry is always admitted.
func WithInflight(bytes int) Option { return func(o *options) { o.inflight = bytes } }

// Client is a connection to a cluster.
type Client struct {
	opts  options
	net   *transport.Network
	start time.Time
	done  chan struct{}
	wg    sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	nonce    uint64
	up       map[paxos.NodeID]paxos.Role
	changed  chan struct{} // closed and replaced when anything about peers changes
	troubles map[paxos.NodeID]error
	said     map[paxos.NodeID]paxos.Ballot // who leads, by what each connected proposer says
	leader   paxos.Ballot                  // the highest of them, zero if none is known
	followed paxos.Ballot                  // the last leader known
	denied   map[paxos.NodeID]paxos.Ballot // the highest that others said and its own proposer denied
	target   int                           // proposer tried when the leader is unknown or not connected
	triedAt  paxos.Ticks                   // when others were tried last
	learner  int                           // learner in use
	calls    map[uint64]call
	sessions map[paxos.SessionID]*Session
	opening  []*Session // waiting for a learner to be born at
	main     *Session
	due      paxos.Ticks // no session has anything to do before, unless a message brings it

	unanswered int        // entries of all sessions
	finished   int        // entries answered by the message at hand, or the latest
	ready      []*Session // for sendLoop: they have entries to send
	wake       chan struct{}
}

// call is a request that waits for its reply.
type call struct {
	to    paxos.NodeID
	reply chan paxos.Message // nil is sent when the peer is lost
}

// New returns a client. It connects in the background: that nothing runs shows
// in the first call.
func New(_ context.Context, opts ...Option) (*Client, error) {
	o := options{entryBytes: 1 << 20, inflight: 4 << 20, idle: 5 * time.Second}
	for _, f := range opts {
		f(&o)
	}
	if o.learner != "" {
		i := slices.IndexFunc(o.learners, func(p Peer) bool { return p.ID == o.learner })
		if i < 0 {
			return nil, fmt.Errorf("there is no learner %q among the %d given", o.learner, len(o.learners))
		}
		o.learners = o.learners[i : i+1]
	}
	if len(o.learners) == 0 || len(o.proposers) == 0 {
		return nil, errors.New("a client needs the address of at least one proposer and one learner")
	}
	c := offline(o)
	for _, p := range o.proposers {
		c.net.Dial(transport.Peer{Role: paxos.RoleProposer, ID: paxos.NodeID(p.ID), Addr: p.Addr})
	}
	for _, p := range o.learners {
		c.net.Dial(transport.Peer{Role: paxos.RoleLearner, ID: paxos.NodeID(p.ID), Addr: p.Addr})
	}
	c.main = c.NewSession()
	c.wg.Add(2)
	go c.ticks()
	go c.sendLoop()
	return c, nil
}

// offline is a client that does not connect, and of which nothing runs.
func offline(o options) *Client {
	c := &Client{
		opts: o, start: time.Now(), done: make(chan struct{}),
		up: map[paxos.NodeID]paxos.Role{}, changed: make(chan struct{}), troubles: map[paxos.NodeID]error{},
		said: map[paxos.NodeID]paxos.Ballot{}, denied: map[paxos.NodeID]paxos.Ballot{},
		calls: map[uint64]call{}, sessions: map[paxos.SessionID]*Session{}, wake: make(chan struct{}, 1),
	}
	c.net = transport.New(transportConfig(o), c)
	return c
}

func transportConfig(o options) transport.Config {
	return transport.Config{
		Members: paxos.Membership{Cluster: o.cluster}, Role: paxos.RoleClient, ID: "client",
		FrameBytes: 512 << 20, QueueBytes: 64 << 20,
		Dial: time.Second, Handshake: 3 * time.Second, Idle: o.idle,
	}
}

// tickInterval is how often sessions look at their timers.
const tickInterval = 10 * time.Millisecond

func (c *Client) ticks() {
	defer c.wg.Done()
	t := time.NewTicker(tickInterval)
	defer t.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-t.C:
		}
		c.mu.Lock()
		now := c.now()
		missing := c.unreachable()
		if missing != "" || now >= c.due {
			c.due = never
			for _, s := range c.sessions {
				if missing != "" {
					s.core.why = missing
				}
				s.core.tick(now)
				s.act()
			}
		}
		c.tickOpening(now, missing)
		c.mu.Unlock()
	}
}

// sendLoop sends for sessions of which more than one entry is under way: those who
// append at about the same time go out in one message and one write.
func (c *Client) sendLoop() {
	defer c.wg.Done()
	var out []paxos.Envelope
	for {
		select {
		case <-c.done:
			return
		case <-c.wake:
		}
		runtime.Gosched() // who is about to append goes first
		c.mu.Lock()
		out = out[:0]
		for _, s := range c.ready {
			s.ready = false
			out = s.decide(out)
		}
		clear(c.ready)
		c.ready = c.ready[:0]
		c.net.SendAll(out) // under the lock: what a session sends is sent in order
		c.mu.Unlock()
		clear(out)
	}
}

// tickOpening looks at the sessions that are not born yet.
func (c *Client) tickOpening(now paxos.Ticks, missing string) {
	for _, s := range c.opening {
		s.core.why = missing
		if s.core.tick(now); s.core.err != nil {
			s.act()
		}
	}
	c.opening = slices.DeleteFunc(c.opening, func(s *Session) bool { return s.core.err != nil })
	c.open()
}

func (c *Client) now() paxos.Ticks { return paxos.Ticks(time.Since(c.start).Milliseconds()) + 1 }

// Close ends the client. Appends without an answer fail; those that may have
// been sent, with an *UnknownOutcomeError.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	close(c.done)
	for _, s := range c.sessions {
		s.core.fail(ErrClosed)
		s.act()
	}
	for _, s := range c.opening {
		s.core.fail(ErrClosed)
		s.act()
	}
	for nonce := range c.calls {
		c.cancel(nonce)
	}
	c.broadcast()
	c.mu.Unlock()
	c.net.Close()
	c.wg.Wait()
	return nil
}

// broadcast wakes whoever waits for a change of peers.
func (c *Client) broadcast() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// learnerID is the learner in use: the last one, as long as it is connected.
func (c *Client) learnerID() paxos.NodeID {
	for i := range c.opts.learners {
		k := (c.learner + i) % len(c.opts.learners)
		id := paxos.NodeID(c.opts.learners[k].ID)
		if _, ok := c.up[id]; ok {
			c.learner = k
			return id
		}
	}
	return ""
}

// nextLearner switches away from a learner that does not answer.
func (c *Client) nextLearner(from paxos.NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.learnerID() == from {
		c.learner = (c.learner + 1) % len(c.opts.learners)
		c.attachAll()
	}
}

func (c *Client) attachAll() {
	id := c.learnerID()
	if id == "" {
		return
	}
	for _, s := range c.sessions {
		c.net.Send(id, &paxos.Attach{Session: s.core.id, From: s.core.base})
	}
}

// birthWait is how long a learner may take to say where a session begins, in ticks.
const birthWait = 500

// open begins the sessions that wait for a birth: the instance that a learner
// has applied.
func (c *Client) open() {
	id, now := c.learnerID(), c.now()
	if slices.ContainsFunc(c.opening, func(s *Session) bool { return s.asked == id && now-s.askedAt >= birthWait }) {
		c.tryOthers()
		id = c.learnerID()
	}
	for _, s := range c.opening {
		if id == "" || s.asked == id && now-s.askedAt < birthWait {
			continue
		}
		c.cancel(s.askedBy)
		nonce, reply := c.newCall(id)
		s.asked, s.askedAt, s.askedBy = id, now, nonce
		c.net.Send(id, &paxos.Attach{Nonce: nonce})
		c.wg.Add(1)
		go func() {
			defer c.wg.Done()
			if m, ok := (<-reply).(*paxos.Attached); ok {
				s.begin(m)
			}
		}()
	}
}

// newCall registers a call to a peer.
func (c *Client) newCall(to paxos.NodeID) (uint64, chan paxos.Message) {
	c.nonce++
	reply := make(chan paxos.Message, 1)
	c.calls[c.nonce] = call{to, reply}
	return c.nonce, reply
}

// cancel ends a call: whoever waits for it gets nil.
func (c *Client) cancel(nonce uint64) {
	if k, ok := c.calls[nonce]; ok {
		delete(c.calls, nonce)
		k.reply <- nil
	}
}

// random fills a session's random bits.
func random() (b [12]byte) {
	if _, err := rand.Read(b[:]); err != nil {
		panic("client: no randomness: " + err.Error()) // crypto/rand never fails on supported systems
	}
	return b
}
