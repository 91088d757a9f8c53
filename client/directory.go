package client

import (
	"context"
	"net"
	"slices"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
)

// book is where the processes are dialled: those of the options, until a process of the log tells
// who they are by now (paxos.Directory).
type book struct {
	file     map[Role][]Peer
	listed   *paxos.Directory
	dialling map[paxos.NodeID]transport.Peer // those that are dialled beside the ones of the options
}

func newBook(o *options) book {
	return book{
		file:     map[Role][]Peer{RoleAcceptor: o.acceptors, RoleProposer: o.proposers, RoleLearner: o.learners},
		dialling: map[paxos.NodeID]transport.Peer{},
	}
}

// roles are those of the processes of a log, in the order in which they are shown.
var roles = [...]Role{RoleAcceptor, RoleProposer, RoleLearner}

// says reports whether the directory says who has that role.
func (b *book) says(role Role) bool {
	return b.listed != nil && (role == RoleAcceptor || b.listed.Version > 0)
}

// peers are those of a role: the ones that are listed, and before anybody told those of the
// options. An address that is not listed is that of the options.
func (b *book) peers(role Role) []Peer {
	if !b.says(role) {
		return b.file[role]
	}
	var out []Peer
	for _, p := range b.listed.List {
		if p.Role != role {
			continue
		}
		peer := Peer{ID: string(p.ID), Addr: p.Addr}
		if peer.Addr == "" {
			for _, f := range b.file[role] {
				if f.ID == peer.ID {
					peer.Addr = f.Addr
				}
			}
		}
		out = append(out, peer)
	}
	return out
}

// former are the processes of the options that are not listed any more.
func (b *book) former(role Role) (out []Peer) {
	if !b.says(role) {
		return nil
	}
	for _, f := range b.file[role] {
		if !b.listed.Has(role, paxos.NodeID(f.ID)) {
			out = append(out, f)
		}
	}
	return out
}

// all are the processes whose state is asked for.
func (b *book) all() (all []ProcessStatus) {
	for _, role := range roles {
		for _, p := range b.peers(role) {
			all = append(all, ProcessStatus{Peer: p, Role: role})
		}
		for _, p := range b.former(role) {
			all = append(all, ProcessStatus{Peer: p, Role: role, Former: true})
		}
	}
	return all
}

// find returns the process named id.
func (b *book) find(id string) (Role, Peer, bool) {
	for _, role := range roles {
		for _, p := range slices.Concat(b.peers(role), b.former(role)) {
			if p.ID == id {
				return role, p, true
			}
		}
	}
	return 0, Peer{}, false
}

// take goes by a directory, and returns whom to dial from now on, and whom no more. What the one before
// said of an address says nothing any more.
func (b *book) take(d *paxos.Directory) (dial []transport.Peer, hangup []paxos.NodeID) {
	b.listed = d
	now := map[paxos.NodeID]transport.Peer{}
	for _, p := range d.List {
		peer := transport.Peer{Role: p.Role, ID: p.ID, Addr: p.Addr}
		isOld := slices.ContainsFunc(b.file[p.Role], func(f Peer) bool { return f.ID == string(p.ID) && f.Addr == p.Addr })
		_, _, err := net.SplitHostPort(p.Addr)
		if d.Version == 0 || p.Role != RoleProposer && p.Role != RoleLearner || isOld || err != nil {
			continue
		}
		now[p.ID] = peer
		if b.dialling[p.ID] != peer {
			dial = append(dial, peer)
		}
	}
	for id, p := range b.dialling {
		if _, still := now[id]; still {
			continue
		}
		if i := slices.IndexFunc(b.file[p.Role], func(f Peer) bool { return f.ID == string(id) }); i >= 0 {
			dial = append(dial, transport.Peer{Role: p.Role, ID: id, Addr: b.file[p.Role][i].Addr})
		} else {
			hangup = append(hangup, id)
		}
	}
	b.dialling = now
	return dial, hangup
}

// follow dials the processes of the directory that the client goes by.
func (c *Client) follow() {
	c.following.Lock() // so that the latest one is followed last
	defer c.following.Unlock()
	c.mu.Lock()
	d := c.m.Directory()
	if c.closed || d == nil || d == c.book.listed {
		c.mu.Unlock()
		return
	}
	dial, hangup := c.book.take(d)
	c.mu.Unlock()
	if c.opts.learner != "" {
		dial = slices.DeleteFunc(dial, func(p transport.Peer) bool { return p.Role == RoleLearner })
	}
	c.net.Dial(dial...)
	for _, id := range hangup {
		c.net.Hangup(id)
	}
}

// directory is a copy of where the processes are.
func (c *Client) directory() book {
	c.mu.Lock()
	defer c.mu.Unlock()
	return book{file: c.book.file, listed: c.book.listed}
}

// How long a client that reaches no proposer, or no learner, waits before it asks the others who they
// are by now: acceptors, to whom it keeps no connection.
const (
	seekFirst = 300 * time.Millisecond
	seekMost  = 5 * time.Second
)

// seekLater has somebody look for the processes after a while, if nobody does already.
func (c *Client) seekLater() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seeking || c.closed || c.m.Reaches() {
		return
	}
	c.seeking = true
	c.wg.Go(c.seek)
}

// seek asks all processes that are known of, until a proposer and a learner are reached.
func (c *Client) seek() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // ends with either of them
		select {
		case <-c.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	var before *paxos.Directory // by which it has reached nobody in the round before
	for wait := seekFirst; ; wait = min(2*wait, seekMost) {
		t := time.NewTimer(wait)
		select {
		case <-c.done:
			t.Stop()
			return
		case <-t.C:
		}
		c.mu.Lock()
		if c.closed || c.m.Reaches() {
			c.seeking = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		c.askAll(ctx)
		c.mu.Lock()
		if !c.m.Reaches() && c.m.Directory() == before {
			c.m.TryDirectory()
		}
		before = c.m.Directory()
		c.mu.Unlock()
		c.follow()
	}
}
