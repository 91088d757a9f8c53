package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// callWait is how long one learner may take for one answer before another one is
// asked. It is above the time that a learner takes to give up on a read.
const callWait = 4 * time.Second

// errLost says that a call got no answer: another learner may give one.
var errLost = errors.New("the learner was lost")

// withTimeout applies the client's timeout.
func (c *Client) withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("%w: no answer within %v", ErrUnavailable, d))
}

// waitLearner returns a connected learner.
func (c *Client) waitLearner(ctx context.Context) (paxos.NodeID, error) {
	for {
		c.mu.Lock()
		id, changed, closed, refused := c.learnerID(), c.changed, c.closed, c.refusedByAll()
		c.mu.Unlock()
		switch {
		case closed:
			return "", ErrClosed
		case id != "":
			return id, nil
		case refused != nil:
			return "", refused
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", c.explain(ctx, "no learner can be reached")
		}
	}
}

// explain adds to the end of ctx what is known about the peers.
func (c *Client) explain(ctx context.Context, what string) error {
	err := context.Cause(ctx)
	if !errors.Is(err, ErrUnavailable) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range append(append([]Peer{}, c.opts.learners...), c.opts.proposers...) {
		if t := c.troubles[paxos.NodeID(p.ID)]; t != nil {
			return fmt.Errorf("%w: %s; %s: %w", err, what, p.ID, t)
		}
	}
	return fmt.Errorf("%w: %s", err, what)
}

// ask sends a request to a learner and waits for its reply, for wait at most.
func ask[T paxos.Message](ctx context.Context, c *Client, to paxos.NodeID, wait time.Duration, request func(nonce uint64) paxos.Message) (T, error) {
	return askWhile[T](ctx, c, to, wait, func() bool { return false }, request)
}

// askWhile sends a request and waits for its reply as long as, each time that wait
// has passed, patient says so.
func askWhile[T paxos.Message](ctx context.Context, c *Client, to paxos.NodeID, wait time.Duration, patient func() bool, request func(nonce uint64) paxos.Message) (T, error) {
	var none T
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return none, ErrClosed
	}
	if _, ok := c.up[to]; !ok {
		c.mu.Unlock()
		return none, errLost
	}
	nonce, reply := c.newCall(to)
	c.mu.Unlock()
	c.net.Send(to, request(nonce))
	late := time.NewTimer(wait)
	defer late.Stop()
	var err error
	for err == nil {
		select {
		case m := <-reply:
			if r, ok := m.(T); ok {
				return r, nil
			}
			return none, errLost
		case <-late.C:
			if !patient() {
				err = errLost
			}
			late.Reset(wait)
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	c.mu.Lock()
	delete(c.calls, nonce)
	c.mu.Unlock()
	return none, err
}

// atLearner asks one learner after the other until one answers or ctx ends.
func atLearner[T paxos.Message](ctx context.Context, c *Client, request func(nonce uint64) paxos.Message) (T, paxos.NodeID, error) {
	for {
		id, err := c.waitLearner(ctx)
		if err != nil {
			var none T
			return none, "", err
		}
		r, err := ask[T](ctx, c, id, callWait, request)
		if !errors.Is(err, errLost) {
			if err != nil {
				err = c.explain(ctx, fmt.Sprintf("learner %s does not answer", id))
			}
			return r, id, err
		}
		c.nextLearner(id)
	}
}

// locate asks where the log ends. If a learner cannot decide it, it is asked
// again until ctx ends; the error then names the instance that is open.
func (c *Client) locate(ctx context.Context, stale bool, at time.Time) (*paxos.Located, paxos.NodeID, error) {
	var t paxos.UnixNanos
	if !at.IsZero() {
		t = max(1, paxos.UnixNanos(at.UnixNano()))
	}
	open := ""
	for {
		m, id, err := atLearner[*paxos.Located](ctx, c, func(nonce uint64) paxos.Message {
			return &paxos.Locate{Nonce: nonce, Stale: stale, Time: t, Wait: listens(ctx)}
		})
		if err != nil {
			if open != "" && errors.Is(err, ErrUnavailable) {
				err = fmt.Errorf("%w: %s", ErrUnavailable, open)
			}
			return nil, "", err
		}
		if m.Open == 0 {
			return m, id, nil
		}
		open = m.Detail
		c.nextLearner(id)
	}
}

// listens is for how long a learner may take to say that it cannot decide a read:
// most of the time that is left.
func listens(ctx context.Context) paxos.Ticks {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return max(1, paxos.Ticks(time.Until(deadline).Milliseconds()*3/4))
}

// End returns the first index kept and the last index of the log; 0 and 0 if it
// is empty. It covers every entry whose append was answered before the call.
func (c *Client) End(ctx context.Context) (first, last uint64, err error) {
	ctx, cancel := c.withTimeout(ctx, c.opts.timeout)
	defer cancel()
	m, _, err := c.locate(ctx, false, time.Time{})
	if err != nil {
		return 0, 0, err
	}
	return uint64(m.First), uint64(m.Last), nil
}

// Read returns the entry at index. It returns ErrNotFound if the log was shorter
// when Read was called, ErrTrimmed if the index is no longer kept, and
// ErrUnavailable if neither can be said in time.
func (c *Client) Read(ctx context.Context, index uint64) (Entry, error) {
	ctx, cancel := c.withTimeout(ctx, c.opts.timeout)
	defer cancel()
	if index == 0 {
		return Entry{}, fmt.Errorf("%w: the first index is 1", ErrNotFound)
	}
	polled := false
	for {
		page, learner, err := atLearner[*paxos.LogPage](ctx, c, func(nonce uint64) paxos.Message {
			return &paxos.Read{Nonce: nonce, From: paxos.Index(index), UpTo: paxos.Index(index), Wait: polled}
		})
		if err != nil {
			return Entry{}, err
		}
		for e := range entries(page.Records, index, index) {
			return e, nil
		}
		if page.First > paxos.Index(index) {
			return Entry{}, trimmed(index, uint64(page.First))
		}
		if polled { // the entry exists, and this learner gave up waiting for it
			c.nextLearner(learner)
			continue
		}
		// This learner may be behind: only a quorum can say that there is no such index.
		end, _, err := c.locate(ctx, false, time.Time{})
		if err != nil {
			return Entry{}, err
		}
		if uint64(end.Last) < index {
			return Entry{}, fmt.Errorf("%w: %d; the log ends at %d", ErrNotFound, index, end.Last)
		}
		polled = true
	}
}

func trimmed(index, first uint64) error {
	return fmt.Errorf("%w: %d; the first index kept is %d", ErrTrimmed, index, first)
}
