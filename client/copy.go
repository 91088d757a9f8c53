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

// Copier copies what was chosen from one learner, value by value, as backups have it. No quorum
// is asked: it is what that learner has. Use it from one goroutine; make it with NewCopier.
type Copier struct {
	id       paxos.NodeID
	net      *transport.Network
	patience time.Duration

	events chan copyEvent
	once   sync.Once
	done   chan struct{}
	nonce  uint64
	up     bool
	why    error // why it is not connected
}

// ChosenValue is what one instance chose.
type ChosenValue struct {
	Instance Instance
	Origin   Ballot
	Time     paxos.UnixNanos // since 1970; 0 if its leader knew none
	Batch    []byte          // commands of sessions, or a control command, encoded; empty for a no-op
}

// Copied is what a learner has from an instance on.
type Copied struct {
	Values  []ChosenValue
	Applied Instance // up to which it has applied
	First   Instance // the first one it keeps
	// Control is what the log had decided about itself there, encoded (package control), if what
	// was asked for lies below First.
	Control string
}

// copyEvent is something that happened to the connection.
type copyEvent struct {
	page   *paxos.Page
	status *paxos.StatusReply
	up     bool
	why    error
	denied error // the question may not be asked
}

// How long a learner may take, and how long to wait where it answers that others copy.
const (
	copyAgain = 5 * time.Second
	copyPause = 50 * time.Millisecond
)

// NewCopier connects to a learner. Each question waits for its answer for at most the time of
// WithTimeout.
func (c *Client) NewCopier(learner string) (*Copier, error) {
	peer, err := c.find(learner)
	if err != nil {
		return nil, err
	}
	if peer.Role != paxos.RoleLearner {
		return nil, fmt.Errorf("%s is no learner: only learners are copied from", learner)
	}
	k := &Copier{id: peer.ID, patience: c.opts.timeout, events: make(chan copyEvent, 16), done: make(chan struct{})}
	cfg := c.opts.transport()
	if cfg.Pinned.IsZero() {
		cfg.Pinned = c.Log() // which more than this one learner show
	}
	k.net = transport.New(cfg, k)
	k.net.Dial(peer)
	return k, nil
}

// Close ends it.
func (k *Copier) Close() {
	k.once.Do(func() { close(k.done) })
	k.net.Close()
}

// State asks how far the learner has come, and of which log it is.
func (k *Copier) State(ctx context.Context) (ProcessState, error) {
	var reply *paxos.StatusReply
	err := k.ask(ctx, func() paxos.Message { return &paxos.StatusQuery{Nonce: k.nonce} }, func(e copyEvent) bool {
		reply = e.status
		return reply != nil && reply.Nonce == k.nonce
	})
	if err != nil {
		return ProcessState{}, err
	}
	if reply.Speaks < paxos.Messages.Row(&paxos.Copy{}).Since {
		return ProcessState{}, fmt.Errorf("%s: %w", k.id, ErrOldRelease)
	}
	if reply.Reason != "" {
		return ProcessState{}, fmt.Errorf("%s serves nobody: %s", k.id, reply.Reason)
	}
	return stateOf(reply), nil
}

// Copy returns what was chosen from an instance on: at least that value, if the learner has it.
func (k *Copier) Copy(ctx context.Context, from Instance) (Copied, error) {
	for {
		var page *paxos.Page
		err := k.ask(ctx, func() paxos.Message { return &paxos.Copy{Nonce: k.nonce, From: from} }, func(e copyEvent) bool {
			page = e.page
			return page != nil && page.Nonce == k.nonce
		})
		if err != nil {
			return Copied{}, err
		}
		if len(page.Values) > 0 || page.Held < from || page.First > from {
			return copied(page), nil
		}
		select { // others copy
		case <-time.After(copyPause):
		case <-ctx.Done():
			return Copied{}, causeOf(ctx)
		}
	}
}

func copied(p *paxos.Page) Copied {
	c := Copied{Applied: p.Held, First: max(1, p.First), Control: string(p.Control)}
	for _, v := range p.Values {
		c.Values = append(c.Values, ChosenValue{v.Instance, v.Value.Origin, v.Value.Time, v.Value.Batch})
	}
	return c
}

// ask sends a question, again when the connection was lost or the answer is late, until an
// event is the answer.
func (k *Copier) ask(ctx context.Context, question func() paxos.Message, answers func(copyEvent) bool) error {
	if k.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, k.patience)
		defer cancel()
	}
	send := func() {
		if k.nonce++; k.up {
			k.net.Send(k.id, question())
		}
	}
	send()
	again := time.NewTicker(copyAgain)
	defer again.Stop()
	for {
		select {
		case e := <-k.events:
			switch {
			case answers(e):
				return nil
			case e.denied != nil:
				return e.denied
			case e.why != nil:
				k.up, k.why = false, e.why
			case e.up:
				k.up = true
				send()
			}
		case <-again.C:
			send()
		case <-ctx.Done():
			return k.ended(ctx)
		}
	}
}

// ended says why there was no answer.
func (k *Copier) ended(ctx context.Context) error {
	if !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return causeOf(ctx)
	}
	if k.why != nil && !k.up {
		return fmt.Errorf("%w: %s cannot be asked: %w", ErrUnavailable, k.id, k.why)
	}
	return fmt.Errorf("%w: %s has not answered in time", ErrUnavailable, k.id)
}

func (k *Copier) happened(e copyEvent) {
	select {
	case k.events <- e:
	case <-k.done:
	}
}

// Receive implements transport.Handler.
func (k *Copier) Receive(_ paxos.NodeID, m paxos.Message, _ int) {
	switch m := m.(type) {
	case *paxos.Page:
		k.happened(copyEvent{page: m})
	case *paxos.StatusReply:
		k.happened(copyEvent{status: m})
	case *paxos.NotPermitted:
		k.happened(copyEvent{denied: notPermitted(k.id, m)})
	}
}

// Rest implements transport.Handler.
func (k *Copier) Rest() {}

// PeerUp implements transport.Handler.
func (k *Copier) PeerUp(*paxos.PeerUp) { k.happened(copyEvent{up: true}) }

// PeerDown implements transport.Handler.
func (k *Copier) PeerDown(id paxos.NodeID, _ paxos.Role, why error) {
	if why == nil {
		why = errors.New("the connection was lost")
	}
	k.happened(copyEvent{why: why})
}

// Refused implements transport.Handler.
func (k *Copier) Refused(_ paxos.NodeID, _ string, why error) { k.happened(copyEvent{why: why}) }
