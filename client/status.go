package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
)

// ProcessStatus is the state of one process. If Err is not nil, the rest is not
// known.
type ProcessStatus struct {
	Peer
	Role  paxos.Role
	Err   error
	Reply paxos.StatusReply
}

// Status is the state of every process of the cluster, in the order of the
// options: acceptors, proposers, learners.
type Status struct {
	Processes []ProcessStatus
	Leader    string // "" if none leads
	Ballot    string // the leader's
	Quorum    bool   // the leader has fresh answers of a quorum
	Serving   bool   // a learner serves
}

// statusWait bounds the wait for processes that do not answer.
const statusWait = 2 * time.Second

// Status asks every process. It returns when all have answered or are known to
// be down; those that stay silent for 2 seconds count as down.
func (c *Client) Status(ctx context.Context) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	p := &probe{ctx: ctx, index: map[paxos.NodeID]int{}, done: make(chan struct{})}
	add := func(role paxos.Role, peers []Peer) {
		for _, peer := range peers {
			p.index[paxos.NodeID(peer.ID)] = len(p.all)
			p.all = append(p.all, ProcessStatus{Peer: peer, Role: role, Err: errSilent})
		}
	}
	add(paxos.RoleAcceptor, c.opts.acceptors)
	add(paxos.RoleProposer, c.opts.proposers)
	add(paxos.RoleLearner, c.opts.learners)
	p.open = len(p.all)
	p.net = transport.New(transportConfig(c.opts), p)
	for _, s := range p.all {
		p.net.Dial(transport.Peer{Role: s.Role, ID: paxos.NodeID(s.ID), Addr: s.Addr})
	}
	select {
	case <-p.done:
	case <-ctx.Done():
	}
	p.net.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	return summarise(p.all), nil
}

var errSilent = fmt.Errorf("no answer within %v", statusWait)

func summarise(all []ProcessStatus) Status {
	s := Status{Processes: all}
	var best paxos.Ballot
	chosen := paxos.Instance(0) // as far as any process knows
	for _, p := range all {
		if p.Err == nil {
			chosen = max(chosen, p.Reply.Chosen, p.Reply.Held)
		}
	}
	for i, p := range all {
		if p.Err != nil {
			continue
		}
		if known := p.Reply.Chosen; p.Role == paxos.RoleAcceptor && chosen > known {
			// It has not heard of the rest.
			all[i].Reply.Missing += uint64(chosen - known)
		}
		if p.Role == paxos.RoleLearner {
			s.Serving = true
		}
		if p.Reply.State == "leading" && best.Less(p.Reply.Ballot) {
			best = p.Reply.Ballot
			s.Leader, s.Ballot, s.Quorum = p.ID, best.String(), p.Reply.Quorum
		}
	}
	return s
}

// probe asks each process once.
type probe struct {
	ctx context.Context
	net *transport.Network

	mu    sync.Mutex
	all   []ProcessStatus
	index map[paxos.NodeID]int
	open  int
	done  chan struct{}
}

func (p *probe) settle(id paxos.NodeID, err error, reply paxos.StatusReply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, ok := p.index[id]
	if !ok || !errors.Is(p.all[i].Err, errSilent) {
		return
	}
	p.all[i].Err, p.all[i].Reply = err, reply
	if p.open--; p.open == 0 {
		close(p.done)
	}
}

// Receive implements transport.Handler.
func (p *probe) Receive(from paxos.NodeID, m paxos.Message, _ int) {
	if r, ok := m.(*paxos.StatusReply); ok {
		p.settle(from, nil, *r)
	}
}

// Rest implements transport.Handler.
func (p *probe) Rest() {}

// PeerUp implements transport.Handler.
func (p *probe) PeerUp(id paxos.NodeID, _ paxos.Role, _ uint64) {
	p.net.Send(id, &paxos.StatusQuery{Nonce: 1})
}

// PeerDown implements transport.Handler.
func (p *probe) PeerDown(id paxos.NodeID, _ paxos.Role, why error) {
	if p.ctx.Err() == nil && why != nil {
		p.settle(id, why, paxos.StatusReply{})
	}
}

// Refused implements transport.Handler.
func (p *probe) Refused(id paxos.NodeID, _ string, why error) { p.settle(id, why, paxos.StatusReply{}) }
