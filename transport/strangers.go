package transport

import "github.com/paxlog/paxlog/wire"

// cutStrangers ends, whenever it is decided which log this process is of, the connections
// of processes of another one that it had let in.
func (n *Network) cutStrangers() {
	for {
		select {
		case <-n.identity.decided:
		case <-n.ctx.Done():
			return
		}
		n.mu.Lock()
		var conns []*conn
		for _, l := range n.links {
			for _, c := range []*conn{l.dialed, l.accepted} {
				if c != nil {
					conns = append(conns, c)
				}
			}
		}
		n.mu.Unlock()
		for _, c := range conns {
			n.cutStranger(c)
		}
	}
}

func (n *Network) cutStranger(c *conn) {
	if k, mine := n.identity.judge(c.candidate); k == otherLog {
		c.part(wire.RefusedLog, otherLogError(c.candidate, c.nc.RemoteAddr().String(), mine))
	}
}
