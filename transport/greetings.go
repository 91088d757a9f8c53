package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// ErrCrowd ends a connection that says nothing while many others are opened.
var ErrCrowd = errors.New("it had not said who it is when too many others came: the one that had waited longest was closed")

// greetings are the accepted connections that have not said yet who they are. There are few
// places. Whoever comes when all are taken takes that of the one that has been silent for
// longest: a process of the cluster says who it is with its first packet, so it gets in
// whoever holds connections open, and however many. Who has said that it is a process of the
// cluster, or proved it, goes only when all have: what it waits for is this process.
//
// A place is kept for a moment by whoever has it, also by one that was refused. So strangers that
// come again as soon as they are closed, or refused, come a few hundred times a second and not as
// often as processors allow. Whoever comes meanwhile waits behind them, for as long as they come
// faster than that: so places are not kept while a process of the cluster is missed, which could
// not come back before they tire (misses).
type greetings struct {
	mu    sync.Mutex
	most  int
	least time.Duration // for which a place is kept
	conns []greeter     // the oldest first
}

// greeter is a connection, and whether a process of the cluster is at its other end, as it says.
type greeter struct {
	net.Conn
	came      time.Time
	isProcess bool
}

// add gives c a place, or returns how long it is to wait for one: not at all with hurry.
func (g *greetings) add(c net.Conn, now time.Time, hurry bool) (wait time.Duration) {
	g.mu.Lock()
	var oldest net.Conn
	if len(g.conns) >= g.most {
		i := max(0, slices.IndexFunc(g.conns, func(o greeter) bool { return !o.isProcess }))
		if wait = g.least - now.Sub(g.conns[i].came); wait > 0 && !hurry {
			g.mu.Unlock()
			return min(wait, g.least/16+time.Millisecond) // one may be given back sooner
		}
		oldest = g.conns[i].Conn
		g.conns = slices.Delete(g.conns, i, i+1)
	}
	g.conns = append(g.conns, greeter{Conn: c, came: now})
	g.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close() // its reader meets it, and hasLost says why
	}
	return 0
}

// index is the place of c, -1 if it has none; mu is held.
func (g *greetings) index(c net.Conn) int {
	return slices.IndexFunc(g.conns, func(o greeter) bool { return o.Conn == c })
}

// heard says that c has said, or proved, to be a process of the cluster.
func (g *greetings) heard(c net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := g.index(c); i >= 0 {
		g.conns[i].isProcess = true
	}
}

// hasLost reports whether c has lost its place to a later one.
func (g *greetings) hasLost(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.index(c) < 0
}

// done gives the place of c back.
func (g *greetings) done(c net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := g.index(c); i >= 0 {
		g.conns = slices.Delete(g.conns, i, i+1)
	}
}

// misses reports whether a process of the cluster is not connected that was, or all of them may still
// have to come, since this one has just begun. One that says it is another, and leaves, has it
// miss that: it is no worse off then than if no place was ever kept.
func (n *Network) misses(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.servers < n.mostServers || now.Sub(n.began) < gathering
}

func (n *Network) acceptLoop(ln net.Listener) {
	defer n.wg.Done()
	for {
		c, err := ln.Accept()
		if err != nil {
			if n.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of file descriptors, most likely: wait for some to come back.
			n.h.Refused("", ln.Addr().String(), fmt.Errorf("accepting connections: %w", err))
			pause(n.ctx, 100*time.Millisecond)
			continue
		}
		for {
			now := time.Now()
			wait := n.greetings.add(c, now, n.misses(now))
			if wait <= 0 {
				break
			}
			pause(n.ctx, wait)
		}
		n.wg.Add(1)
		go func() {
			defer n.wg.Done()
			n.greet(c)
		}()
	}
}

// greet serves an accepted connection until it ends.
func (n *Network) greet(nc net.Conn) {
	stop := context.AfterFunc(n.ctx, func() { _ = nc.Close() })
	defer stop()
	defer nc.Close()
	c := newConn(n, nc)
	err := c.expectTLS()
	var hello *wire.Hello
	if err == nil {
		hello, err = c.answerHello()
	}
	if err != nil {
		if n.greetings.hasLost(nc) {
			err = ErrCrowd
		}
		n.h.Refused("", nc.RemoteAddr().String(), err)
		c.linger()
		n.hold(nc)
		n.greetings.done(nc)
		return
	}
	n.greetings.done(nc)
	n.identity.take(c.candidate)
	id := hello.ID
	n.turn.Lock()
	n.mu.Lock()
	if _, ok := n.isOusting(c.candidate); ok { // the other came since this one was welcomed
		n.accepted--
		n.mu.Unlock()
		n.turn.Unlock()
		return // it comes again, and is told
	}
	if hello.Role == paxos.RoleClient {
		n.clients++
		c.number = n.clients
		c.drop, c.share = false, n.budget // set before anybody can send: a client that does not read is cut off
		id = paxos.NodeID(fmt.Sprintf("@%d", n.clients))
	}
	l := n.link(id, hello.Role)
	old, twin := l.accepted, c.twin(l.dialed)
	l.accepted = c
	n.oust(c, l.dialed)
	if twin != nil {
		l.dialed = nil
	}
	n.mu.Unlock()
	n.replace(id, c, old)
	n.replace(id, c, twin)
	n.h.PeerUp(&paxos.PeerUp{ID: id, Role: hello.Role, Incarnation: hello.Incarnation, Principal: c.principal})
	n.turn.Unlock()
	n.compare(id, hello.Role, c)
	n.review(c) // it may have become known just now which log is the right one
	err = c.run(id, hello.Role)
	n.unlink(id, c, err)
	var told *RefusedError
	if errors.As(err, &told) && told.Code == wire.RefusedReplaced && hello.Role != paxos.RoleClient {
		told.Addr = nc.RemoteAddr().String()
		n.h.Refused(id, told.Addr, told)
	}
	if c.held.Load() {
		c = nil // and what it has of memory
		pause(n.ctx, n.cfg.Held)
	}
	n.leave()
}

// replace ends a connection, if there is one, whose place another one of the same id has taken. A process
// that has dialled again is not told that another one has: it may have given up what is heard last.
func (n *Network) replace(id paxos.NodeID, by, old *conn) {
	switch {
	case old == nil:
	case by.process != 0 && by.process == old.process:
		old.close(ErrReplaced)
	default:
		old.part(wire.RefusedReplaced, ErrReplaced)
		n.h.Refused(id, by.nc.RemoteAddr().String(), ErrReplaced)
	}
}

// hold keeps the connection of one that was refused open for as long as it would have kept its place
// if it had been silent: it reads why, and most end it then.
func (n *Network) hold(nc net.Conn) {
	if nc.SetReadDeadline(time.Now().Add(n.cfg.Silent)) == nil {
		_, _ = io.CopyN(io.Discard, nc, 2*helloBytes) // its end is all that is wanted
	}
}

// mayHold reports whether a client that is cut off for what it does is to find out when it has
// waited for a while: else it would come again at once, and cost as much again. Its place among the
// connections is taken meanwhile, so that is done while few are.
func (n *Network) mayHold() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.accepted <= n.most/2
}
