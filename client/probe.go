package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
	"github.com/paxlog/paxlog/wire"
)

// askAll asks every process that is known of, in the order acceptors, proposers, learners; those
// that are none of the log any more stand behind the others of their role. If one of them tells of
// others, those are asked, too.
func (c *Client) askAll(ctx context.Context) (all []ProcessStatus) {
	asked := map[string]ProcessStatus{}
	for range maxRounds {
		b := c.directory()
		all = b.all()
		var missing []ProcessStatus
		for _, p := range all {
			if _, was := asked[p.ID]; !was {
				missing = append(missing, p)
			}
		}
		answers, told := c.askEach(ctx, missing)
		for _, p := range answers {
			asked[p.ID] = p
		}
		for i, p := range all {
			all[i].Err, all[i].ProcessState = asked[p.ID].Err, asked[p.ID].ProcessState
		}
		c.followOne(all, told)
		if len(missing) == 0 || c.directory().listed == b.listed {
			break
		}
	}
	return all
}

// maxRounds bounds how often the processes that were told of meanwhile are asked, too.
const maxRounds = 8

// followOne takes the directories that were told by processes of the log that this client holds
// to, or, if it knows none yet, of the only one that there is.
func (c *Client) followOne(all []ProcessStatus, told map[paxos.NodeID]*paxos.Directory) {
	log := c.Log()
	for _, p := range all {
		switch {
		case p.Err != nil || p.Log.IsZero() || !c.Log().IsZero():
		case log.IsZero():
			log = p.Log
		case log != p.Log:
			return // whose word would count?
		}
	}
	for _, p := range all {
		if d := told[paxos.NodeID(p.ID)]; d != nil && p.Err == nil && p.Log == log {
			c.step(paxos.NodeID(p.ID), d)
			c.follow()
		}
	}
}

// askEach asks each of these processes for its state. told is what they said of who the processes
// are.
func (c *Client) askEach(ctx context.Context, all []ProcessStatus) (answers []ProcessStatus, told map[paxos.NodeID]*paxos.Directory) {
	if len(all) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	began := time.Now()
	p := &probe{ctx: ctx, told: map[paxos.NodeID]*paxos.Directory{}, all: all, open: len(all), index: map[paxos.NodeID]int{}, connected: map[paxos.NodeID]bool{}, done: make(chan struct{})}
	for i := range all {
		p.index[paxos.NodeID(all[i].ID)] = i
		all[i].Err = errSilent
	}
	cfg := c.opts.transport()
	cfg.Pinned = LogID{}                         // of which log each is, is what is asked
	cfg.Handshake = min(cfg.Handshake, hangWait) // so that who does not greet is known to
	p.net = transport.New(cfg, p)
	var peers []transport.Peer
	for _, s := range p.all {
		peers = append(peers, transport.Peer{Role: s.Role, ID: paxos.NodeID(s.ID), Addr: s.Addr})
	}
	p.net.Dial(peers...)
	select {
	case <-p.done:
	case <-ctx.Done():
	}
	p.net.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	waited := time.Since(began)
	for i, s := range p.all {
		switch {
		case !errors.Is(s.Err, errSilent):
		case p.connected[paxos.NodeID(s.ID)] && waited >= hangWait:
			p.all[i].Err = fmt.Errorf("%s at %s: %w", s.ID, s.Addr, transport.ErrNoAnswer)
		default:
			p.all[i].Err = fmt.Errorf("%w within %v", errSilent, waited.Round(time.Millisecond))
		}
	}
	return p.all, p.told
}

var errSilent = errors.New("no answer")

// probe asks each process once.
type probe struct {
	ctx context.Context
	net *transport.Network

	mu        sync.Mutex
	told      map[paxos.NodeID]*paxos.Directory
	all       []ProcessStatus
	index     map[paxos.NodeID]int
	connected map[paxos.NodeID]bool
	open      int
	done      chan struct{}
}

func (p *probe) settle(id paxos.NodeID, err error, state ProcessState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, ok := p.index[id]
	if !ok || !errors.Is(p.all[i].Err, errSilent) {
		return
	}
	p.all[i].Err, p.all[i].ProcessState = err, state
	if p.open--; p.open == 0 {
		close(p.done)
	}
}

// Receive implements transport.Handler.
func (p *probe) Receive(from paxos.NodeID, m paxos.Message, _ int) {
	switch m := m.(type) {
	case *paxos.StatusReply:
		if from == "" { // whoever answers there was asked
			p.mu.Lock()
			p.all[p.index[from]].ID = string(m.ID)
			p.mu.Unlock()
		}
		p.settle(from, nil, stateOf(m))
	case *paxos.Directory:
		p.mu.Lock()
		p.told[from] = m
		p.mu.Unlock()
	}
}

// Rest implements transport.Handler.
func (p *probe) Rest() {}

// PeerUp implements transport.Handler.
func (p *probe) PeerUp(up *paxos.PeerUp) {
	p.mu.Lock()
	p.connected[up.ID] = true
	p.mu.Unlock()
	p.net.Send(up.ID, &paxos.StatusQuery{Nonce: 1})
}

// PeerDown implements transport.Handler.
func (p *probe) PeerDown(id paxos.NodeID, _ paxos.Role, why error) {
	if p.ctx.Err() == nil && why != nil {
		p.settle(id, why, ProcessState{})
	}
}

// Refused implements transport.Handler.
func (p *probe) Refused(id paxos.NodeID, _ string, why error) { p.settle(id, why, ProcessState{}) }

// Ask asks one process that the log may not name, under an address, for its state.
func (c *Client) Ask(ctx context.Context, role Role, peer Peer) ProcessStatus {
	answers, _ := c.askEach(ctx, []ProcessStatus{{Peer: peer, Role: role}})
	return answers[0]
}

// Meet asks the process at an address who it is, whichever process of the log that may be. From then on
// Status asks it, too, and finds the others by what it says.
func (c *Client) Meet(ctx context.Context, addr string) (p ProcessStatus, err error) {
	for _, role := range roles {
		answers, _ := c.askEach(ctx, []ProcessStatus{{Peer: Peer{Addr: addr}, Role: role}})
		var refused *transport.RefusedError
		if p = answers[0]; !errors.As(p.Err, &refused) || refused.Code != wire.RefusedIdentity {
			break // else it is of another role
		}
	}
	switch {
	case p.Err != nil:
		return p, fmt.Errorf("%w: nobody at %s says who the processes of this log are: %w", ErrUnavailable, addr, p.Err)
	case !p.Log.IsZero() && !c.Log().IsZero() && p.Log != c.Log():
		return p, fmt.Errorf("%w: the %s at %s is of log %s; this is log %s", ErrOtherLog, p.Role, addr, p.Log, c.Log())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	file := maps.Clone(c.book.file)
	file[p.Role] = append(slices.DeleteFunc(slices.Clone(file[p.Role]), func(q Peer) bool { return q.ID == p.ID }), p.Peer)
	c.book.file = file
	return p, nil
}
