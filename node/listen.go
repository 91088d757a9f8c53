package node

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"

	"github.com/paxlog/paxlog/config"
)

// listenError says why an address cannot be listened on, and what to do.
func listenError(addr string, err error) error {
	hint := "--listen binds another address"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "is another process using it? (--listen binds another address)"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "this host has no such address now: its network may not be up yet, or the cluster file names another host (--listen binds another address)"
	case errors.Is(err, fs.ErrPermission):
		hint = "this user may not bind that port (--listen binds another one)"
	}
	return fmt.Errorf("cannot listen on %s: %w; %s", addr, err, hint)
}

// tellLoopback logs that addr, which is bound, reaches this host only.
func (n *Node) tellLoopback(addr string) {
	if isLoopbackName(n.opts.Cluster, addr, n.Addr()) {
		n.log.Warn().Str("addr", addr).Str("bound", n.Addr().String()).Msg("this host resolves its own name to a loopback address, " +
			"where no other host reaches it: correct its line in /etc/hosts, or bind another address with --listen")
	}
}

// isLoopbackName reports whether addr names this host by a name that stands for a loopback
// address here, bound, although others of the cluster are on other hosts: then nobody
// reaches the process that listens there. Debian writes such a line for a host's own name
// into /etc/hosts.
func isLoopbackName(c *config.Cluster, addr string, bound net.Addr) bool {
	host := hostOf(addr)
	tcp, ok := bound.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback() && host != "" && host != "localhost" && net.ParseIP(host) == nil && isOnOthers(c, host)
}

// isOnOthers reports whether the cluster has processes on other hosts than host.
func isOnOthers(c *config.Cluster, host string) bool {
	for _, nodes := range [][]config.Node{c.Acceptors, c.Proposers, c.Learners} {
		for _, n := range nodes {
			other := hostOf(n.Addr)
			ip := net.ParseIP(other)
			if other != host && other != "localhost" && (ip == nil || !ip.IsLoopback()) {
				return true
			}
		}
	}
	return false
}

func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	return host
}
