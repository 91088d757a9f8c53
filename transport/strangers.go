package transport

import (
	"errors"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// LogKnown says that Config.Log tells another log than before. Who is connected is told
// before anything that is sent after this call: a client that is answered knows which log
// the answer is of. Who is of another log is cut off in a moment.
func (n *Network) LogKnown() {
	for _, c := range n.connected() {
		if k, _ := n.identity.judge(c.shown()); k != otherLog && n.identity.outdated(c.version) == "" {
			n.announce(c)
		}
	}
	n.identity.tell()
}

// Log is the log that this process knows to be of, zero if it knows none by an id.
func (n *Network) Log() paxos.LogID { return n.identity.log() }

// cutStrangers ends, whenever more is known of the log that this process is of, the
// connections of processes of another one that it had let in.
func (n *Network) cutStrangers() {
	for {
		select {
		case <-n.identity.decided:
		case <-n.ctx.Done():
			return
		}
		for _, c := range n.connected() {
			n.review(c)
		}
	}
}

// connected are all connections.
func (n *Network) connected() (conns []*conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		for _, c := range []*conn{l.dialed, l.accepted} {
			if c != nil {
				conns = append(conns, c)
			}
		}
	}
	return conns
}

// review ends a connection whose other end is not of this process's log, or cannot take part
// in it; and tells the others which log that is, if they do not know it yet.
func (n *Network) review(c *conn) {
	if !n.judgeConn(c, time.Now()) {
		return
	}
	shown := c.shown()
	if k, mine := n.identity.judge(shown); k == otherLog {
		c.part(wire.RefusedLog, n.identity.otherLogError(shown, c.nc.RemoteAddr().String(), mine))
		return
	}
	if why := n.identity.outdated(c.version); why != "" {
		c.close(errors.New(why))
		return
	}
	if why := n.former(shown.role, shown.id); why != "" {
		c.close(errors.New(why))
		return
	}
	n.announce(c)
}

// MembersKnown says that Config.Former may answer otherwise than before.
func (n *Network) MembersKnown() { n.identity.tell() }

// announce tells the other end which log this is, if it was not told.
func (n *Network) announce(c *conn) {
	if log := n.identity.log(); !log.IsZero() && c.showed != log && c.announced.CompareAndSwap(false, true) {
		c.enqueue(&wire.Log{ID: log})
		c.signal()
	}
}

// shown is what the other end has shown, in the handshake and since.
func (c *conn) shown() candidate {
	out := c.candidate
	if told := c.told.Load(); told != nil && out.log.IsZero() {
		out.log = *told
	}
	return out
}

// ownLog is the log that this process was told, or holds on disk, to be of.
func (i *identity) ownLog() (id paxos.LogID) {
	if i.cfg.Log != nil {
		id = i.cfg.Log()
	}
	if id.IsZero() {
		id = i.cfg.Pinned
	}
	return id
}
