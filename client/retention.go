package client

import (
	"context"
	"fmt"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// Retention says how much of the log is kept. What is 0 limits nothing.
type Retention struct {
	Age     time.Duration // of entries, in whole milliseconds
	Bytes   uint64        // of the values that are kept
	Entries uint64        // the newest
}

// Retained is a Retention, and what the log has of late.
type Retained struct {
	Leader string
	Retention
	FirstIndex Index // the first index that is kept
	// The newest checkpoint: its index, beyond which nothing is trimmed yet, the time of the log there,
	// zero if there is none, and the bytes of the values that are kept up to there.
	Checkpoint   Index
	CheckpointAt time.Time
	Kept         uint64
	Holds        []Hold // sorted by name
}

// Hold is a named position in the log: while it is there, no entry from At on is trimmed, by
// anybody. A log has at most 256. A name has 1 to 64 letters, digits, and characters out of `-_.`.
type Hold struct {
	Name string
	At   Index
	Set  time.Time // when it was set, or moved last, by the leader's clock
}

// SetHold has the log keep the entries from at on until that hold is moved, by setting it again, or
// released. Whoever reads the log later than others, as an archive, does so when he has read up to
// there. The error is a *DeclinedError if nothing was done, and says why: at was trimmed already, or
// the log has too many holds. It is an *AheadError if at is further ahead than one past the end of the
// log. It takes the rights admin and read.
func (c *Client) SetHold(ctx context.Context, name string, at Index) (Retained, error) {
	if err := c.refuseAhead(ctx, at); err != nil {
		return Retained{}, err
	}
	return c.settle(ctx, &paxos.Retain{Nonce: operateNonce, Name: name, At: max(1, at)})
}

// ReleaseHold has the log keep nothing any more for that hold. The error is a *DeclinedError if
// nothing was done, and says why: there is none of that name.
func (c *Client) ReleaseHold(ctx context.Context, name string) (Retained, error) {
	return c.settle(ctx, &paxos.Retain{Nonce: operateNonce, Name: name})
}

func holdsOf(list []paxos.Hold) (out []Hold) {
	for _, h := range list {
		out = append(out, Hold{Name: h.Name, At: h.At, Set: time.Unix(0, int64(h.Time))})
	}
	return out
}

// Retention asks the leader how much of the log is kept.
func (c *Client) Retention(ctx context.Context) (Retained, error) {
	return c.settle(ctx, &paxos.Settle{Nonce: operateNonce})
}

// SetRetention has the log keep no more than r from now on. The error is a *DeclinedError if
// nothing was done, and says why.
func (c *Client) SetRetention(ctx context.Context, r Retention) (Retained, error) {
	return c.settle(ctx, &paxos.Settle{
		Nonce: operateNonce, Set: true, Age: paxos.Ticks(r.Age.Milliseconds()), Bytes: min(r.Bytes, paxos.Bound-1), Entries: min(r.Entries, paxos.Bound-1),
	})
}

func (c *Client) settle(ctx context.Context, ask paxos.Message) (Retained, error) {
	leader, reply, err := c.askLeader(ctx, "say what the log keeps", ask)
	if err != nil {
		return Retained{}, err
	}
	m, ok := reply.(*paxos.Settled)
	switch {
	case !ok:
		return Retained{}, fmt.Errorf("%s answers something else: %T", leader, reply)
	case m.Why != "":
		return Retained{}, &DeclinedError{ID: leader, Why: m.Why}
	}
	r := Retained{
		Leader: leader, FirstIndex: m.First, Checkpoint: m.Checkpoint, Kept: m.Kept, Holds: holdsOf(m.Holds),
		Retention: Retention{Age: time.Duration(m.Age) * time.Millisecond, Bytes: m.Bytes, Entries: m.Entries},
	}
	if m.Checkpoint > 0 {
		r.CheckpointAt = time.Unix(0, int64(m.At))
	}
	return r, nil
}
