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
// whoever holds connections open, and however many.
type greetings struct {
	mu    sync.Mutex
	most  int
	conns []net.Conn // the oldest first
}

// add gives c a place.
func (g *greetings) add(c net.Conn) {
	g.mu.Lock()
	var oldest net.Conn
	if len(g.conns) >= g.most {
		oldest = g.conns[0]
		g.conns = slices.Delete(g.conns, 0, 1)
	}
	g.conns = append(g.conns, c)
	g.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close() // its reader meets it, and hasLost says why
	}
}

// hasLost reports whether c has lost its place to a later one.
func (g *greetings) hasLost(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !slices.Contains(g.conns, c)
}

// done gives the place of c back.
func (g *greetings) done(c net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.conns, c); i >= 0 {
		g.conns = slices.Delete(g.conns, i, i+1)
	}
}
