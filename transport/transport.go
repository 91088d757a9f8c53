// Package transport connects a process to its peers and clients over TCP: it
// dials and dials again, listens, checks who is at the other end, frames, queues
// within bounds, and tells who is connected. It decides nothing about Paxos.
//
// Both ends of a connection offer the versions of the protocol that they speak, and take
// the highest in common (handshake.go). Both show by which incarnations they know the
// acceptors: a process of another log is refused, and nothing it says is believed
// (identity.go). With TLS both prove first who they are (secure.go).
//
// Servers' connections have a reader each. Those of clients, which may be many, are read
// in passes by a few pollers where the system has epoll (poll_linux.go).
//
// Whoever harms costs most by coming again. So strangers, and clients that are cut off for what
// they do, hear late that they were closed (greetings.go).
//
// Delivery is not guaranteed: what was queued on a connection that breaks is
// lost, and a full queue drops what is sent to a server (a client that does not
// read is cut off). One stopped process therefore never stalls another; the
// machines send again.
//
// Send, Dial and Close may be called from any goroutine.
package transport

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/paxlog/paxlog/credentials"
	"github.com/paxlog/paxlog/paxos"
)

// Config is what a Network needs to know.
type Config struct {
	Members     paxos.Membership
	Role        paxos.Role
	ID          paxos.NodeID
	Incarnation uint64
	// Remembered returns the incarnation under which an acceptor is remembered here, 0
	// if it is not. It is nil if this process remembers nothing.
	Remembered func(paxos.NodeID) uint64
	// Log returns the log that this process knows to be of, zero while it knows none. It is
	// nil if it never does.
	Log func() paxos.LogID
	// Joins says that this process is an acceptor that joins a log: it has no part in it yet, and
	// holds to the log that it meets, as a new learner does.
	Joins bool
	// Former returns why a process of the other end's role and id is refused, since the log has
	// decided that it has no part in it, or none any more; "" if it is not. It is nil if none ever is.
	Former func(paxos.Role, paxos.NodeID) string
	// Named returns the role under which the cluster file, or the log, names a process, 0 if neither
	// does. It is nil if nobody is named.
	Named func(paxos.NodeID) paxos.Role
	// Pinned, if it is not zero, is the log that this process was told to use: it lets in only
	// who shows that one.
	Pinned paxos.LogID

	FrameBytes  int           // largest body accepted
	QueueBytes  int           // waiting on one connection
	Connections int           // accepted at once; 64 of them, or half, are kept for servers
	Greetings   int           // accepted and silent at once; 0: 128
	ClientBytes int           // waiting on all connections of clients together; 0: no bound
	Resolve     time.Duration // to resolve a name; 0: 10 s
	Dial        time.Duration // to connect to one address
	Handshake   time.Duration // to say who one is
	Idle        time.Duration // without a whole frame, before a connection is given up

	// Process is random bits of this process, below 2^63, by which the other end tells it from another one
	// under its id; 0: it is not told.
	Process uint64

	// Terms are limits that the other end is told, and is to have alike. Differs, if not nil, is told
	// which of a server's are not, each time that one connects. It must not block.
	Terms   []Term
	Differs func(id paxos.NodeID, what string)

	// Dropped, if not nil, is told that something which was sent to a node, or by it, may be
	// lost, although a connection to it is open: the queue was full, or one of two
	// connections has ended. While the queue stays full it is told once. It must not block.
	Dropped func(paxos.NodeID)

	// Quota, if not nil, is how many connections a principal may have at once, 0 if any number. Those that it has
	// stay when it is lowered. It must not block.
	Quota func(paxos.Principal) uint64

	// Credentials are by what this process proves who it is, and whom it believes; nil: TLS is off.
	Credentials *credentials.Store

	// Crowded, if not nil, says that so much waits of a client that Receive is about to wait:
	// who reads for many clients reads for it no further. It must not block.
	Crowded func(paxos.NodeID) bool

	// Rest, if not nil, is how long the reader of a client, which is one of its own, is to rest before
	// it reads on. It is told how late that was after its last rest. It must not block.
	Rest func(id paxos.NodeID, late time.Duration) time.Duration

	// Gone, if not nil, is told that a client's connection has ended, although its reader may still be
	// in Receive, which is not to wait any more. PeerDown follows. It must not block.
	Gone func(paxos.NodeID)

	// Silent is for how long a connection that has not said who it is keeps its place, also when it
	// is refused; 0: 100 ms. Held is how much later than this process a client that it has cut off,
	// for what that does, finds out; 0: Idle.
	Silent, Held time.Duration

	// Lookup resolves the name of a host; nil: the operating system's way.
	Lookup func(context.Context, string) ([]string, error)
}

// Network is the connections of one process.
type Network struct {
	cfg       Config
	h         Handler
	identity  *identity
	budget    *budget
	greetings greetings

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	// turn is held over a change of links and the call that tells it, so that the
	// last thing a handler hears of a peer is what holds. Send does not need it.
	turn sync.Mutex

	mu       sync.Mutex
	links    map[paxos.NodeID]*link
	dialling map[paxos.NodeID]*dialer
	listener net.Listener
	accepted int                     // accepted connections that have said who they are
	most     int                     // of them, Config.Connections at first
	shares   map[paxos.Principal]int // connections of clients, without those that give way to another's
	began    time.Time
	servers  int // processes of the cluster that are connected
	// mostServers is how many were at once.
	mostServers int
	clients     uint64
	pollers     []*poller // made when the first client comes
	polling     uint64    // connections given to one, ever
}

// Limit sets anew what Config.Connections and, unless that was 0, Config.ClientBytes have set. Who is connected stays,
// also if there are more now; who reads too slowly for the new bound is cut off when more is sent.
func (n *Network) Limit(connections, clientBytes int) {
	n.mu.Lock()
	n.most = connections
	n.mu.Unlock()
	if n.budget != nil {
		n.budget.limit.Store(int64(clientBytes))
	}
}

// link is the connections to one node: the one dialled from here, if any, and
// the latest that the node dialled.
type link struct {
	role             paxos.Role
	dialed, accepted *conn
}

func (l *link) best() *conn {
	if l.dialed != nil {
		return l.dialed
	}
	return l.accepted
}

// New returns a network without connections.
func New(cfg Config, h Handler) *Network {
	if cfg.Resolve == 0 {
		cfg.Resolve = resolveTime
	}
	if cfg.Lookup == nil {
		cfg.Lookup = net.DefaultResolver.LookupHost
	}
	if cfg.Greetings == 0 {
		cfg.Greetings = maxGreetings
	}
	if cfg.Silent == 0 {
		cfg.Silent = leastSilence
	}
	if cfg.Held == 0 {
		cfg.Held = cfg.Idle
	}
	n := &Network{
		cfg: cfg, h: h, identity: newIdentity(cfg), links: map[paxos.NodeID]*link{}, dialling: map[paxos.NodeID]*dialer{},
		greetings: greetings{most: cfg.Greetings, least: cfg.Silent}, most: cfg.Connections, shares: map[paxos.Principal]int{}, began: time.Now(),
	}
	if cfg.ClientBytes > 0 {
		n.budget = &budget{}
		n.budget.limit.Store(int64(cfg.ClientBytes))
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.wg.Go(n.cutStrangers)
	return n
}

// Send queues m for to, on the connection that was dialled from here if there is
// one. It drops m if there is no connection or its queue is full.
func (n *Network) Send(to paxos.NodeID, m paxos.Message) {
	c := n.connTo(to)
	if c == nil {
		return
	}
	switch q := n.enqueue(c, to, m); {
	case !q.mine: // who queued what waits already sees to it
	case q.alone:
		c.push()
	default:
		c.signal() // so that what is sent one by one in a burst is written together
	}
}

// SendAll sends like Send, in order, and writes each connection once, at once where
// that needs no waiting.
func (n *Network) SendAll(envelopes []paxos.Envelope) {
	var conns [maxPushes]*conn
	mine := conns[:0]
	for _, e := range envelopes {
		c := n.connTo(e.To)
		if c == nil || !n.enqueue(c, e.To, e.Msg).mine {
			continue
		}
		if len(mine) < cap(mine) {
			mine = append(mine, c)
		} else {
			c.signal()
		}
	}
	for _, c := range mine {
		c.push()
	}
}

// connTo is the connection to use for a node, or nil.
func (n *Network) connTo(to paxos.NodeID) *conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.links[to]; l != nil {
		return l.best()
	}
	return nil
}

// Listen binds addr and accepts connections until Close.
func (n *Network) Listen(addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.listener = ln
	n.mu.Unlock()
	n.wg.Add(1)
	go n.acceptLoop(ln)
	return nil
}

// Addr is the address bound, or nil before Listen.
func (n *Network) Addr() net.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listener == nil {
		return nil
	}
	return n.listener.Addr()
}

func (n *Network) link(id paxos.NodeID, role paxos.Role) *link {
	l := n.links[id]
	if l == nil {
		l = &link{role: role}
		n.links[id] = l
		if role != paxos.RoleClient {
			n.servers++
			n.mostServers = max(n.mostServers, n.servers)
		}
	}
	return l
}

// forget takes out a node without connections; mu is held.
func (n *Network) forget(id paxos.NodeID, l *link) {
	delete(n.links, id)
	if l.role != paxos.RoleClient {
		n.servers--
	}
}

// unlink forgets a connection that ended.
func (n *Network) unlink(id paxos.NodeID, c *conn, why error) {
	n.turn.Lock()
	defer n.turn.Unlock()
	n.mu.Lock()
	l := n.links[id]
	if l == nil || (l.dialed != c && l.accepted != c) { // replaced meanwhile
		n.mu.Unlock()
		return
	}
	if l.dialed == c {
		l.dialed = nil
	} else {
		l.accepted = nil
		n.leaves(c)
	}
	gone := l.dialed == nil && l.accepted == nil
	if gone {
		n.forget(id, l)
	}
	n.mu.Unlock()
	if gone {
		n.h.PeerDown(id, l.role, why)
	} else {
		n.dropped(id)
	}
}

// poller is the one to read the next client's connection, nil if there is none.
func (n *Network) poller() *poller {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pollers == nil && n.ctx.Err() == nil {
		n.pollers = []*poller{}
		for range pollersHere() {
			if p := newPoller(n); p != nil {
				n.pollers = append(n.pollers, p)
				n.wg.Go(p.loop)
			}
		}
	}
	if len(n.pollers) == 0 {
		return nil
	}
	n.polling++
	return n.pollers[n.polling%uint64(len(n.pollers))]
}

// Close ends all connections and waits until no handler call is under way.
func (n *Network) Close() {
	n.cancel()
	n.identity.close()
	n.mu.Lock()
	if n.listener != nil {
		_ = n.listener.Close()
	}
	pollers := n.pollers
	n.mu.Unlock()
	for _, p := range pollers { // it waits for their passes, which may send
		p.close()
	}
	n.wg.Wait()
}

// Drain waits until everything queued has been written, or ctx ends.
func (n *Network) Drain(ctx context.Context) {
	for {
		n.mu.Lock()
		var conns []*conn
		for _, l := range n.links {
			conns = append(conns, l.dialed, l.accepted)
		}
		n.mu.Unlock()
		if !slices.ContainsFunc(conns, func(c *conn) bool { return c != nil && !c.drained() }) {
			return
		}
		t := time.NewTimer(time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}
