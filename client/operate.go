package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
	"github.com/paxlog/paxlog/transport"
	"github.com/paxlog/paxlog/wire"
)

// A DeclinedError says that a process could not do what an operator asked of it, and why.
// Nothing has changed.
type DeclinedError struct {
	ID  string // the process
	Why string // and what to do
}

func (e *DeclinedError) Error() string { return fmt.Sprintf("%s declines: %s", e.ID, e.Why) }

// ErrOldRelease is the error of a process that runs a release which does not know what it
// was asked for.
var ErrOldRelease = errors.New("it runs an older release, which does not know this: replace its program first")

// Transfer is a leader that has handed over.
type Transfer struct {
	From, To string
	Ballot   Ballot        // the new leader's
	Waited   time.Duration // for which no append was proposed
}

// TransferLeader has the leader hand over to the proposer to, or, if that is "", to the one
// that reaches most acceptors. Appends wait meanwhile, and none of them becomes unknown. The
// error is a *DeclinedError if the leader goes on leading, and says why; one that wraps
// ErrUnavailable if nobody leads, or the leader was lost before it answered.
func (c *Client) TransferLeader(ctx context.Context, to string) (Transfer, error) {
	leader, reply, err := c.askLeader(ctx, "hand over", &paxos.Transfer{Nonce: operateNonce, To: paxos.NodeID(to)})
	if err != nil {
		return Transfer{}, err
	}
	m, ok := reply.(*paxos.Transferred)
	switch {
	case !ok:
		return Transfer{}, fmt.Errorf("%s answers something else: %T", leader, reply)
	case m.Why != "":
		return Transfer{}, &DeclinedError{ID: leader, Why: m.Why}
	}
	return Transfer{From: leader, To: string(m.To), Ballot: m.Ballot, Waited: time.Duration(m.Waited) * time.Millisecond}, nil
}

// Drain prepares a process for being stopped, or undoes that: a proposer does not lead, and
// hands over first if it does; a learner sends its clients to another one; an acceptor goes
// on voting, and is shown as drained. It lasts until it is undone or the process ends. The
// error is a *DeclinedError if the process could not do it.
func (c *Client) Drain(ctx context.Context, id string, undo bool) error {
	reply, err := c.operate(ctx, id, &paxos.Drain{Nonce: operateNonce, Undo: undo})
	if err != nil {
		return err
	}
	m, ok := reply.(*paxos.Drained)
	switch {
	case !ok:
		return fmt.Errorf("%s answers something else: %T", id, reply)
	case m.Why != "":
		return &DeclinedError{ID: id, Why: m.Why}
	}
	return nil
}

const (
	// operateNonce is that of the one question of a connection.
	operateNonce = 1
	// operateWait bounds how long a process may take: longer than a leader tries to hand over.
	operateWait = 5 * time.Second
)

// askLeader asks the leader for something, which what names: "hand over".
func (c *Client) askLeader(ctx context.Context, what string, m paxos.Message) (leader string, reply paxos.Message, err error) {
	s := summarise(c.askAll(ctx))
	switch {
	case ctx.Err() != nil:
		return "", nil, causeOf(ctx)
	case s.Leader == "" && refusedByAll(s) != nil:
		return "", nil, fmt.Errorf("%w: %w", ErrRefused, refusedByAll(s))
	case s.Leader == "":
		return "", nil, fmt.Errorf("%w: no proposer leads, and only a leader can %s", ErrUnavailable, what)
	}
	reply, err = c.operate(ctx, s.Leader, m)
	return s.Leader, reply, err
}

// refusedByAll is why a process refuses this client, if none answers.
func refusedByAll(s Status) (why error) {
	for _, p := range s.Processes {
		var refused *transport.RefusedError
		switch {
		case p.Err == nil:
			return nil
		case errors.As(p.Err, &refused):
			why = p.Err
		}
	}
	return why
}

// operate asks one process for something, over a connection of its own.
func (c *Client) operate(ctx context.Context, id string, m paxos.Message) (paxos.Message, error) {
	peer, err := c.find(id)
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, operateWait)
	defer cancel()
	o := &operation{ctx: waiting, id: peer.ID, ask: m, done: make(chan struct{})}
	o.net = transport.New(c.opts.transport(), o)
	o.net.Dial(peer)
	select {
	case <-o.done:
	case <-waiting.Done():
		err := fmt.Errorf("%w: %s has not answered within %v", ErrUnavailable, id, operateWait)
		if ctx.Err() != nil {
			err = causeOf(ctx)
		}
		o.settle(nil, err)
	}
	o.net.Close()
	return o.reply, o.err
}

// find is the process of that id.
func (c *Client) find(id string) (transport.Peer, error) {
	b := c.directory()
	if role, p, is := b.find(id); is {
		return transport.Peer{Role: role, ID: paxos.NodeID(p.ID), Addr: p.Addr}, nil
	}
	return transport.Peer{}, fmt.Errorf("this cluster has no process %q", id)
}

// operation is one question to one process.
type operation struct {
	ctx context.Context
	net *transport.Network
	id  paxos.NodeID
	ask paxos.Message

	once  sync.Once
	done  chan struct{}
	reply paxos.Message
	err   error
}

func (o *operation) settle(reply paxos.Message, err error) {
	o.once.Do(func() {
		o.reply, o.err = reply, err
		close(o.done)
	})
	<-o.done
}

// PeerUp implements transport.Handler. A process of an older release is not sent what it
// does not know; its status shows that.
func (o *operation) PeerUp(up *paxos.PeerUp) {
	o.net.Send(up.ID, &paxos.StatusQuery{Nonce: operateNonce})
	o.net.Send(up.ID, o.ask)
}

// Receive implements transport.Handler.
func (o *operation) Receive(_ paxos.NodeID, m paxos.Message, _ int) {
	switch m := m.(type) {
	case *paxos.StatusReply:
		_, adjusts := o.ask.(*paxos.Adjust)
		if m.Speaks < paxos.Messages.Row(o.ask).Since || adjusts && m.Knows < control.LevelSettings {
			o.settle(nil, fmt.Errorf("%s: %w", o.id, ErrOldRelease))
		}
	case *paxos.Membered, *paxos.Transferred, *paxos.Drained, *paxos.Ordered, *paxos.Raised, *paxos.Settled, *paxos.Adjusted, *paxos.Permitted:
		o.settle(m, nil)
	case *paxos.Unsettled:
		o.settle(nil, fmt.Errorf("%w: %s: %s", ErrUnavailable, o.id, m.Why))
	case *paxos.NotPermitted:
		o.settle(nil, notPermitted(o.id, m))
	}
}

// Rest implements transport.Handler.
func (o *operation) Rest() {}

// PeerDown implements transport.Handler.
func (o *operation) PeerDown(id paxos.NodeID, _ paxos.Role, why error) {
	if o.ctx.Err() == nil && why != nil {
		o.settle(nil, fmt.Errorf("%w: %s was lost before it answered: %w", ErrUnavailable, id, why))
	}
}

// Refused implements transport.Handler.
func (o *operation) Refused(id paxos.NodeID, _ string, why error) {
	if IsOtherLog(why) {
		o.settle(nil, fmt.Errorf("%w: %s cannot be asked: %w", ErrOtherLog, id, why))
		return
	}
	o.settle(nil, fmt.Errorf("%w: %s cannot be asked: %w", ErrUnavailable, id, why))
}

// IsOtherLog reports whether a process could not be asked since it is of another log, or its data
// directory was initialised anew: ProcessStatus.Err.
func IsOtherLog(why error) bool {
	var refused *transport.RefusedError
	return errors.As(why, &refused) && refused.Code == wire.RefusedLog
}
