package transport

import (
	"errors"
	"slices"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestDropped: who sends is told that something may be lost although its peer is connected:
// once while the queue stays full, and when one of two connections has ended.
func TestDropped(t *testing.T) {
	var told []paxos.NodeID
	cfg := config(acceptor, "a1")
	cfg.QueueBytes = 1 << 20
	cfg.Dropped = func(id paxos.NodeID) { told = append(told, id) }
	a := start(t, cfg, newRecorder())
	c, other := newConn(a.Network, &memoryConn{}), newConn(a.Network, &memoryConn{})
	said := func(want ...paxos.NodeID) {
		t.Helper()
		if !slices.Equal(told, want) {
			t.Errorf("told of %v, want %v", told, want)
		}
		told = nil
	}
	fill := func(n int) {
		for range n {
			a.enqueue(c, "p1", &paxos.Page{Values: []paxos.Vote{{Value: paxos.Value{Batch: make([]byte, 400<<10)}}}})
		}
	}
	empty := func() {
		for len(c.take()) > 0 {
		}
	}
	fill(2)
	said()
	fill(3)
	said("p1")
	empty()
	fill(2)
	said()
	fill(1)
	said("p1")
	c.drop = false // a client is cut off instead
	empty()
	fill(3)
	said()

	a.links["p1"] = &link{role: proposer, dialed: c, accepted: other}
	a.unlink("p1", c, errors.New("test"))
	said("p1")
	if n := len(a.of(down, "p1")); n != 0 {
		t.Errorf("p1 was said to be down %d times, while a connection was open", n)
	}
	a.unlink("p1", other, errors.New("test"))
	said()
	if n := len(a.of(down, "p1")); n != 1 {
		t.Errorf("p1 was said to be down %d times", n)
	}
}
