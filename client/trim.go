package client

import (
	"context"
	"fmt"
	"time"

	"github.com/paxlog/paxlog/client/core"
	"github.com/paxlog/paxlog/paxos"
)

// Trimmed is what became of the first index that the log keeps.
type Trimmed struct {
	Leader        string
	Before, After Index
	// Checkpoint is the index at the newest checkpoint: the log is never trimmed beyond it.
	Checkpoint Index
	// Holds are those below the index that was asked for: the log is never trimmed beyond one.
	Holds []Hold
}

// Trim has the log keep entries below index no more. A checkpoint is made first, if the newest
// one is below that. It may end below what was asked for; asking again goes on from there.
// The error is an *AheadError, and nothing was deleted, if index is further ahead than one past
// the end of the log: that deletes all of it, and further ahead is a slip. It is a
// *DeclinedError if the leader has done nothing, and says why. It takes the rights admin and read.
func (c *Client) Trim(ctx context.Context, index Index) (Trimmed, error) {
	if err := c.refuseAhead(ctx, index); err != nil {
		return Trimmed{}, err
	}
	leader, reply, err := c.askLeader(ctx, "trim", &paxos.Order{Nonce: operateNonce, Trim: index})
	if err != nil {
		return Trimmed{}, err
	}
	m, ok := reply.(*paxos.Ordered)
	switch {
	case !ok:
		return Trimmed{}, fmt.Errorf("%s answers something else: %T", leader, reply)
	case m.Why != "":
		return Trimmed{}, &DeclinedError{ID: leader, Why: m.Why}
	}
	return Trimmed{Leader: leader, Before: m.Before, After: m.After, Checkpoint: m.Checkpoint, Holds: holdsOf(m.Holds)}, nil
}

// refuseAhead returns an *AheadError if index is further ahead than one past the end of the log. The log
// only grows: what is not ahead now is not when the leader has it.
func (c *Client) refuseAhead(ctx context.Context, index Index) error {
	_, last, err := c.End(ctx)
	if err == nil && index > last+1 {
		err = &AheadError{Index: index, Last: last}
	}
	return err
}

// IndexAt is the index of the first entry of that time or later, one past the end if there is
// none.
func (c *Client) IndexAt(ctx context.Context, at time.Time) (Index, error) {
	k := &core.Call{Kind: core.CallEnd, At: unixNanos(at)}
	if err := c.call(ctx, k, c.opts.timeout); err != nil {
		return 0, err
	}
	return k.AtIndex, nil
}
