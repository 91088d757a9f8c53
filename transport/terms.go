package transport

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// Term is a limit that all servers of a cluster should have alike, and that each of them has from its own
// cluster file. It may differ while the files are changed one after the other: so nobody is refused for it.
type Term struct {
	Name  string // as in the cluster file: limits.entry_bytes
	Value uint64
}

// Each end says its terms in the handshake, as NAME=VALUE in Offer.Later and Agreed.Later. Whoever does not
// know a name passes over it.

const (
	// termIdle is Config.Idle, in milliseconds. Both ends keep a connection alive as often as the one
	// needs that gives it up sooner.
	termIdle = "timeouts.idle_ms"
	// leastIdle bounds what the other end can ask for: a ping each 50 ms.
	leastIdle = 100 * time.Millisecond
	// termProcess is Config.Process.
	termProcess = "process"
	// maxLater is how much of what the other end says is looked at.
	maxLater = 32
)

// says are the terms of this process, beside what else it has to say.
func (n *Network) says(more ...string) []string {
	out := append(more, fmt.Sprintf("%s=%d", termIdle, n.cfg.Idle.Milliseconds()))
	if n.cfg.Process != 0 {
		out = append(out, fmt.Sprintf("%s=%d", termProcess, n.cfg.Process))
	}
	for _, t := range n.cfg.Terms {
		out = append(out, fmt.Sprintf("%s=%d", t.Name, t.Value))
	}
	return out
}

// hears takes the terms of the other end.
func (c *conn) hears(later []string) {
	terms := map[string]uint64{}
	for _, s := range later[:min(len(later), maxLater)] {
		name, value, _ := strings.Cut(s, "=")
		if v, err := strconv.ParseUint(value, 10, 63); err == nil {
			terms[name] = v
		}
	}
	c.process = terms[termProcess]
	c.idle = c.n.cfg.Idle
	if ms, said := terms[termIdle]; said {
		c.idle = max(min(c.idle, time.Duration(min(ms, 1<<32))*time.Millisecond), min(leastIdle, c.idle))
		if role := c.n.cfg.Role; role != paxos.RoleClient && ms != uint64(c.n.cfg.Idle.Milliseconds()) {
			c.differs = append(c.differs, fmt.Sprintf("%s %d here, %d there", termIdle, c.n.cfg.Idle.Milliseconds(), ms))
		}
	}
	for _, t := range c.n.cfg.Terms {
		if v, said := terms[t.Name]; said && v != t.Value {
			c.differs = append(c.differs, fmt.Sprintf("%s %d here, %d there", t.Name, t.Value, v))
		}
	}
}

// compare tells what differs between the cluster files of both ends.
func (n *Network) compare(id paxos.NodeID, role paxos.Role, c *conn) {
	if n.cfg.Differs != nil && role != paxos.RoleClient && len(c.differs) > 0 {
		n.cfg.Differs(id, strings.Join(c.differs, "; "))
	}
}
