package client

import (
	"context"
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// Raised is a level that a log has.
type Raised struct {
	Leader        string
	Log           LogID
	Before, After uint64
	At            Instance // of the command by which the log has it, or a later one
}

// RaiseLevel has the leader raise the level of the log: what may be proposed and stored in it.
// It cannot be undone, and processes that do not know the level stop. The leader makes sure
// that all acceptors know it; the caller, by Status, that all proposers and learners do. Asking
// for a level that the log has changes nothing. The error is a *DeclinedError if nothing was
// done; one that wraps ErrUnavailable if nobody leads, or the leader was lost before it
// answered: then it may have been done, and asking again shows it.
func (c *Client) RaiseLevel(ctx context.Context, level uint64) (Raised, error) {
	leader, reply, err := c.askLeader(ctx, "raise the level", &paxos.Raise{Nonce: operateNonce, Level: min(level, paxos.Bound-1)})
	if err != nil {
		return Raised{}, err
	}
	m, ok := reply.(*paxos.Raised)
	switch {
	case !ok:
		return Raised{}, fmt.Errorf("%s answers something else: %T", leader, reply)
	case m.Why != "":
		return Raised{}, &DeclinedError{ID: leader, Why: m.Why}
	}
	return Raised{Leader: leader, Log: m.Log, Before: m.Before, After: m.After, At: m.At}, nil
}
