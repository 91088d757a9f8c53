package transport

import (
	"errors"
	"net"
	"slices"
	"sync"
)

// ErrCrowd ends a connection that says nothing while many others are opened.
var ErrCrowd = errors.New("it had not said who it is when too many others came: the one that had waited longest was closed")

// greetings are the accepted connections that have not said yet who they are. There are few
// places. Whoever comes when all are taken takes that of the one that has been silent for
// longest: a process of the cluster says who it is with its first packet, so it gets in
// whoever holds connections open, and however many. Who has said that it is a process of the
// cluster, or proved it, goes only when all have: what it waits for is this process.
type greetings struct {
	mu    sync.Mutex
	most  int
	conns []greeter // the oldest first
}

// greeter is a connection, and whether a process of the cluster is at its other end, as it says.
type greeter struct {
	net.Conn
	isProcess bool
}

// add gives c a place.
func (g *greetings) add(c net.Conn) {
	g.mu.Lock()
	var oldest net.Conn
	if len(g.conns) >= g.most {
		i := max(0, slices.IndexFunc(g.conns, func(o greeter) bool { return !o.isProcess }))
		oldest = g.conns[i].Conn
		g.conns = slices.Delete(g.conns, i, i+1)
	}
	g.conns = append(g.conns, greeter{Conn: c})
	g.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close() // its reader meets it, and hasLost says why
	}
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
