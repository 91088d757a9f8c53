package node_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
)

// stuck is a client that takes one message, and then does not read.
type stuck struct {
	up, got chan struct{}
	release chan struct{}
}

func (s *stuck) Receive(_ paxos.NodeID, m paxos.Message, _ int) {
	if _, is := m.(*paxos.LogPage); !is {
		return
	}
	select {
	case s.got <- struct{}{}:
	default:
	}
	<-s.release
}
func (s *stuck) Rest()                                     {}
func (s *stuck) PeerUp(*paxos.PeerUp)                      { s.up <- struct{}{} }
func (s *stuck) PeerDown(paxos.NodeID, paxos.Role, error)  {}
func (s *stuck) Refused(_ paxos.NodeID, _ string, _ error) {}

// TestStopBesideStuckClient: a client that does not read what it asked for keeps a process from stopping for
// a moment only, and not for as long as a stop may take.
func TestStopBesideStuckClient(t *testing.T) {
	k := newCluster(t, 1, 1, 1)
	c := k.client()
	for range 12 {
		if _, err := c.Append(context.Background(), bytes.Repeat([]byte("x"), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	s := &stuck{up: make(chan struct{}, 1), got: make(chan struct{}, 1), release: make(chan struct{})}
	net := transport.New(transport.Config{
		Members: paxos.Membership{Cluster: "test"}, Role: paxos.RoleClient, FrameBytes: 4 << 20, QueueBytes: 4 << 20, Connections: 1,
		Dial: time.Second, Handshake: 20 * time.Second, Idle: time.Minute,
	}, s)
	defer net.Close()
	defer close(s.release)
	net.Dial(transport.Peer{Role: paxos.RoleLearner, ID: "l1", Addr: k.c.Learners[0].Addr})
	<-s.up
	for i := range 12 {
		net.Send("l1", &paxos.Read{Nonce: uint64(1 + i), From: paxos.Index(1 + i), MaxBytes: 1 << 20})
	}
	<-s.got
	l := k.nodes["l1"]
	delete(k.nodes, "l1")
	const allowed = 2 * time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), allowed)
	defer cancel()
	began := time.Now()
	if err := l.Stop(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > allowed/4 {
		t.Errorf("it took %v to stop", took)
	}
}
