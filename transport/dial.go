package transport

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// Errors of peers that are not reached, beside those of package net. Each says something
// else to do: a refused connection says that nobody runs there, ErrUnresolved that nobody
// could be asked, and ErrNoAnswer that somebody runs there and hangs.
var (
	// ErrUnresolved is wrapped when a name could not be resolved.
	ErrUnresolved = errors.New("its name could not be resolved")
	// ErrNoAnswer is wrapped when a process takes connections, and says nothing.
	ErrNoAnswer = errors.New("it takes connections and does not answer: it runs, and hangs or is overloaded")
)

// Dial keeps a connection to each of peers until Close or Hangup. A process that keeps nothing
// dials all that it knows at once, so that none of them alone tells it which log it is of. One that
// is dialled already is dialled at its new address from now on.
func (n *Network) Dial(peers ...Peer) {
	for _, d := range n.dialers(peers) {
		n.mu.Lock()
		old := n.dialling[d.p.ID]
		n.dialling[d.p.ID] = d
		n.mu.Unlock()
		if old != nil {
			old.cancel()
		}
		n.wg.Go(d.run)
	}
}

// Hangup dials a process no more, and ends the connection that was dialled.
func (n *Network) Hangup(id paxos.NodeID) {
	n.mu.Lock()
	d := n.dialling[id]
	delete(n.dialling, id)
	n.mu.Unlock()
	if d != nil {
		d.cancel()
		n.identity.failed(id) // nobody waits for what it shows
	}
}

// Ask hears once from each of peers which log it is of, and keeps no connection. A client
// asks the acceptors of its file before it dials anybody: it then believes them before a
// learner that may be of another log.
func (n *Network) Ask(peers ...Peer) {
	for _, d := range n.dialers(peers) {
		d.asks = true
		n.wg.Go(func() {
			defer d.cancel()
			d.once()
		})
	}
}

func (n *Network) dialers(peers []Peer) (out []*dialer) {
	for _, p := range peers {
		n.identity.dials(p)
		d := &dialer{n: n, p: p, names: newNames(n, p.Addr)}
		d.ctx, d.cancel = context.WithCancel(n.ctx)
		out = append(out, d)
	}
	return out
}

// dialer keeps the connection to one peer.
type dialer struct {
	n     *Network
	p     Peer
	names *names
	wait  backoff
	// ctx ends when it is dialled no more.
	ctx    context.Context
	cancel context.CancelFunc
	// plain has the next greeting be that of the oldest version: the peer refused another.
	plain bool
	asks  bool // only which log it is of
}

// outcome is what came of dialling once.
type outcome byte

const (
	unreachable outcome = iota // nobody takes connections there
	useless                    // somebody does, and nothing came of it
	replaced                   // another process took the connection over
	served                     // it was of use
)

// backoff is how long to wait before the next attempt. A process that is not there may be
// restarted any moment, and is asked often, which costs it nothing. One that takes
// connections and ends them would be kept busy by that, and fills both logs; two that run
// under one id would cut each other off for ever.
type backoff struct{ wait time.Duration }

// after is how long to wait after an outcome.
func (b *backoff) after(o outcome) time.Duration {
	b.wait = min(max(2*b.wait, minBackoff), maxBackoffs[o])
	return b.wait
}

func (d *dialer) run() {
	defer d.cancel()
	for d.ctx.Err() == nil {
		wait := d.wait.after(d.once())
		// Jitter, so that a restarted process is not met by all at once.
		pause(d.ctx, wait/2+rand.N(wait/2+1))
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// once connects and serves the connection until it ends.
func (d *dialer) once() outcome {
	n, p := d.n, d.p
	c, err := d.open()
	if err != nil {
		d.plain = false
		d.refused(err)
		var none *unreachableError
		if errors.As(err, &none) || errors.Is(err, ErrNoAnswer) {
			return unreachable
		}
		return useless
	}
	defer c.hangUp()
	greeted, err := c.sayHello(p, d.plain)
	var refusal *RefusedError
	isOld := errors.As(err, &refusal) && refusal.Code == wire.RefusedVersion
	if isOld && !d.plain {
		// An older process: it is greeted at once as it expects, and again with the range
		// once this connection has ended, since it may be a newer one by then.
		d.plain = true
		_ = c.nc.Close() // now, and not when the next connection has ended
		return d.once()
	}
	if err == nil && d.asks {
		n.identity.heard(greeted.candidate)
		return served
	}
	if err == nil {
		c.kin, err = n.identity.admit(d.ctx, greeted.candidate, p.Addr)
	}
	if why := n.former(p.Role, p.ID); err == nil && why != "" {
		err = &RefusedError{Addr: p.Addr, Code: wire.RefusedIdentity, Text: sentence(why)}
	}
	if err != nil {
		// Who refuses the oldest version for another reason is not asked twice each time.
		d.plain = d.plain && refusal != nil && !isOld
		d.refused(err)
		if errors.Is(err, ErrNoAnswer) {
			return unreachable // it has cost time enough, and whoever hung may go on any moment
		}
		return useless
	}
	d.plain = false
	return d.serve(c, greeted)
}

// serve serves a connection that is welcome.
func (d *dialer) serve(c *conn, greeted *greeting) outcome {
	n, p := d.n, d.p
	c.candidate = greeted.candidate
	began := time.Now()
	n.turn.Lock()
	n.mu.Lock()
	if known, ok := n.isOusting(c.candidate); ok {
		n.mu.Unlock()
		n.turn.Unlock()
		d.refused(oustingError(c.candidate, p.Addr, known))
		return useless
	}
	l := n.link(p.ID, p.Role)
	l.dialed = c
	twin := c.twin(l.accepted)
	n.oust(c, l.accepted)
	if twin != nil {
		l.accepted = nil
	}
	n.mu.Unlock()
	n.replace(p.ID, c, twin)
	n.h.PeerUp(&paxos.PeerUp{ID: p.ID, Role: p.Role, Incarnation: greeted.incarnation})
	n.turn.Unlock()
	n.compare(p.ID, p.Role, c)
	n.review(c) // it may have become known just now which log is the right one
	err := c.run(p.ID, p.Role)
	n.unlink(p.ID, c, err)
	var told *RefusedError
	switch {
	case errors.As(err, &told):
		told.Addr = p.Addr
		d.refused(err)
		return replaced
	case time.Since(began) < usefulTime:
		return useless
	}
	return served
}

func (d *dialer) refused(err error) {
	d.n.identity.failed(d.p.ID)
	if d.ctx.Err() == nil && !d.asks {
		d.n.h.Refused(d.p.ID, d.p.Addr, err)
	}
}

// connect opens a connection to one of the peer's addresses.
func (d *dialer) connect() (net.Conn, error) {
	addrs, err := d.names.addrs()
	if err != nil {
		return nil, err
	}
	dial := net.Dialer{Timeout: d.n.cfg.Dial}
	for _, addr := range addrs {
		nc, dialErr := dial.DialContext(d.ctx, "tcp", addr)
		if dialErr == nil {
			d.names.worked(addr)
			return nc, nil
		}
		err = dialErr
	}
	return nil, err
}

// names resolves the address of one peer. Asking name servers has a time of its own: it
// takes seconds when the first of them is dead, and that says nothing of the peer. While
// they are asked again, the addresses that they told last are used.
type names struct {
	n          *Network
	addr       string
	host, port string // host is empty if there is nothing to resolve
	last       []string
	asked      chan []string // not nil: being asked
	err        error         // of the last time; written before asked is closed
}

func newNames(n *Network, addr string) *names {
	s := &names{n: n, addr: addr}
	if host, port, err := net.SplitHostPort(addr); err == nil && host != "" && net.ParseIP(host) == nil {
		s.host, s.port = host, port
	}
	return s
}

// addrs are the addresses to dial, that which worked last first.
func (s *names) addrs() ([]string, error) {
	if s.host == "" {
		return []string{s.addr}, nil
	}
	if s.asked == nil {
		s.ask()
	}
	var patience <-chan time.Time
	if s.last != nil {
		t := time.NewTimer(resolvePatience)
		defer t.Stop()
		patience = t.C
	}
	select {
	case told := <-s.asked:
		s.asked = nil
		if told != nil {
			s.take(told)
		} else if s.last == nil {
			return nil, s.err
		}
	case <-patience:
	}
	return s.last, nil
}

// ask asks the name servers, in the background.
func (s *names) ask() {
	asked := make(chan []string, 1)
	s.asked = asked
	s.n.wg.Go(func() {
		ctx, cancel := context.WithTimeout(s.n.ctx, s.n.cfg.Resolve)
		defer cancel()
		hosts, err := s.n.cfg.Lookup(ctx, s.host)
		if err == nil && len(hosts) == 0 {
			err = errors.New("no address")
		}
		if err != nil {
			s.err = fmt.Errorf("%w: %s: %w", ErrUnresolved, s.host, err)
			asked <- nil
			return
		}
		told := make([]string, len(hosts))
		for i, h := range hosts {
			told[i] = net.JoinHostPort(h, s.port)
		}
		asked <- told
	})
}

// take keeps what was told, in its order, but what worked last goes first.
func (s *names) take(told []string) {
	if len(s.last) > 0 {
		if i := slices.Index(told, s.last[0]); i > 0 {
			told[0], told[i] = told[i], told[0]
		}
	}
	s.last = told
}

func (s *names) worked(addr string) {
	if i := slices.Index(s.last, addr); i > 0 {
		s.last[0], s.last[i] = s.last[i], s.last[0]
	}
}

// Peer is a node to stay connected to.
type Peer struct {
	Role paxos.Role
	ID   paxos.NodeID
	Addr string
}
