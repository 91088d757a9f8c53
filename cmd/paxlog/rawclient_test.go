package main

import (
	"context"
	"testing"
	"time"

	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
)

// rawClient is a connection without a client library behind it.
type rawClient struct{ up chan struct{} }

func (r *rawClient) Receive(paxos.NodeID, paxos.Message, int)    {}
func (r *rawClient) Rest()                                       {}
func (r *rawClient) PeerUp(*paxos.PeerUp)                        { close(r.up) }
func (r *rawClient) PeerDown(paxos.NodeID, paxos.Role, error)    {}
func (r *rawClient) Refused(_ paxos.NodeID, _ string, why error) {}

// sendToProposer sends one message to p1, as a client.
func sendToProposer(t *testing.T, k *cluster.Cluster, m paxos.Message) {
	t.Helper()
	r := &rawClient{up: make(chan struct{})}
	n := transport.New(transport.Config{
		Members: paxos.Membership{Cluster: k.Config.Name}, Role: paxos.RoleClient, ID: "raw",
		FrameBytes: 1 << 20, QueueBytes: 1 << 20, Dial: time.Second, Handshake: time.Second, Idle: 5 * time.Second,
	}, r)
	defer n.Close()
	p := k.Config.Proposers[0]
	n.Dial(transport.Peer{Role: paxos.RoleProposer, ID: p.ID, Addr: p.Addr})
	select {
	case <-r.up:
	case <-time.After(20 * time.Second):
		t.Fatal("the proposer is not reached")
	}
	n.Send(p.ID, m)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	n.Drain(ctx)
}
