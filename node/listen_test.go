package node

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/paxlog/paxlog/config"
)

// TestListenErrors: each reason why an address cannot be bound asks for something else.
func TestListenErrors(t *testing.T) {
	wrap := func(errno syscall.Errno) error {
		return &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", errno)}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{wrap(syscall.EADDRINUSE), "is another process using it?"},
		{wrap(syscall.EADDRNOTAVAIL), "this host has no such address now"},
		{wrap(syscall.EACCES), "may not bind that port"},
		{errors.New("unknown port"), "unknown port; --listen"},
	} {
		got := listenError("10.9.8.7:1", c.err)
		if !strings.Contains(got.Error(), c.want) || !errors.Is(got, c.err) || strings.Contains(got.Error(), "another process") != errors.Is(c.err, syscall.EADDRINUSE) {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

// TestLoopbackName: only a name that others have to use is warned of.
func TestLoopbackName(t *testing.T) {
	other := func(addr string) *config.Cluster {
		return &config.Cluster{Acceptors: []config.Node{{ID: "a1", Addr: "host1:7"}, {ID: "a2", Addr: addr}}}
	}
	loop, real := &net.TCPAddr{IP: net.IPv4(127, 0, 1, 1)}, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}
	for _, c := range []struct {
		c     *config.Cluster
		addr  string
		bound net.Addr
		want  bool
	}{
		{other("host2:7"), "host1:7", loop, true},
		{other("10.0.0.2:7"), "host1:7", loop, true},
		{other("host2:7"), "host1:7", real, false},
		{other("host1:8"), "host1:7", loop, false},
		{other("127.0.0.1:8"), "host1:7", loop, false},
		{other("localhost:8"), "host1:7", loop, false},
		{other("host2:7"), "127.0.0.1:7", loop, false},
		{other("host2:7"), "localhost:7", loop, false},
	} {
		if got := isLoopbackName(c.c, c.addr, c.bound); got != c.want {
			t.Errorf("%s bound to %v beside %s: %v", c.addr, c.bound, c.c.Acceptors[1].Addr, got)
		}
	}
}
