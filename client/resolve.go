package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// Resolution is the fate of an append, for good.
type Resolution struct {
	Chosen bool
	Index  uint64 // if Chosen
}

// ErrFutureAppend is returned by Resolve for an append id whose session claims to
// be born at an instance that does not exist: it is mistyped, or of another log.
var ErrFutureAppend = errors.New("no session of that id can exist yet: the append id is mistyped, or of another log")

// Intervals of Resolve.
const (
	resolvePoll = 20 * time.Millisecond
	resolveSend = time.Second
)

// Resolve tells whether an append is in the log. It first closes the append's
// session with a fence, so that the answer stays true even if a lost copy of the
// append turns up later; an appender that still uses the session gets ErrFenced.
// It returns ErrUnavailable if it cannot be decided in time.
func (c *Client) Resolve(ctx context.Context, id paxos.AppendID) (Resolution, error) {
	ctx, cancel := c.withTimeout(ctx, c.opts.timeout)
	defer cancel()
	fence := &paxos.Append{Session: id.Session, Batch: paxos.Fence(id.Session)}
	lookup := func(nonce uint64) paxos.Message {
		return &paxos.Lookup{Nonce: nonce, Session: id.Session, Seq: id.Seq}
	}
	var sentAt time.Time
	var sentTo paxos.NodeID
	for {
		found, _, err := atLearner[*paxos.Found](ctx, c, lookup)
		if err != nil {
			return Resolution{}, err
		}
		if found.Closed || found.Expired {
			return Resolution{Chosen: found.Index != 0, Index: uint64(found.Index)}, nil
		}
		if found.Future {
			// This learner may only be behind: ask one that has what a quorum has chosen.
			_, learner, err := c.locate(ctx, false, time.Time{})
			if err != nil {
				return Resolution{}, err
			}
			again, err := ask[*paxos.Found](ctx, c, learner, callWait, lookup)
			switch {
			case errors.Is(err, errLost):
				c.nextLearner(learner)
				continue
			case err != nil:
				return Resolution{}, err
			case again.Future:
				return Resolution{}, ErrFutureAppend
			}
		}
		c.mu.Lock()
		if sentTo != "" && time.Since(sentAt) > resolveSend {
			c.tryOthers()
		}
		to := c.proposerID()
		c.mu.Unlock()
		if to != "" && (to != sentTo || time.Since(sentAt) > resolveSend) {
			sentTo, sentAt = to, time.Now()
			c.net.Send(to, fence)
		}
		select {
		case <-time.After(resolvePoll):
		case <-ctx.Done():
			return Resolution{}, c.explain(ctx, fmt.Sprintf("the fence of session %s is not chosen: there is no leader with a quorum", id.Session))
		}
	}
}
