package transport

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// whose is the principal that a client's connection proves.
func (c *conn) whose() paxos.Principal {
	if p := c.proof.Load(); p != nil {
		return p.Principal()
	}
	return paxos.Anonymous
}

// leaves counts a client's connection no more among those of its principal; mu is held.
func (n *Network) leaves(c *conn) {
	if c.principal == "" || c.gives {
		return
	}
	if n.shares[c.principal]--; n.shares[c.principal] == 0 {
		delete(n.shares, c.principal)
	}
}

// overQuota returns why a client's connection is refused, if its principal has as many as it may; mu is held.
func (n *Network) overQuota(isClient bool, whose paxos.Principal) string {
	if !isClient || n.cfg.Quota == nil {
		return ""
	}
	if most := n.cfg.Quota(whose); most > 0 && uint64(n.shares[whose]) >= most {
		return fmt.Sprintf("%s has %d connections here, and may have %d (`paxlog settings show`)", whose, n.shares[whose], most)
	}
	return ""
}

// makeRoom ends a connection of the principal that has most, the latest of them, for one of a principal that
// has fewer by two, and reports whether it has; mu is held. So whoever opens all that are to be had keeps
// nobody else out.
func (n *Network) makeRoom(whose paxos.Principal) bool {
	var most paxos.Principal
	for p, held := range n.shares {
		if held > n.shares[most] || held == n.shares[most] && p > most {
			most = p
		}
	}
	if n.shares[most] < n.shares[whose]+2 {
		return false
	}
	var latest *conn
	var number uint64
	for _, l := range n.links {
		if c := l.accepted; c != nil && c.principal == most && !c.gives && c.number > number {
			latest, number = c, c.number
		}
	}
	if latest == nil {
		return false
	}
	n.leaves(latest)
	latest.gives = true
	latest.part(wire.RefusedFull, fmt.Errorf("%w: %s has %d, %s has %d", ErrShare, most, 1+n.shares[most], whose, n.shares[whose]))
	return true
}
