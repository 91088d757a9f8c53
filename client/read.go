package client

import (
	"context"
	"time"

	"github.com/paxlog/paxlog/client/core"
	"github.com/paxlog/paxlog/paxos"
)

// End returns the first index kept and the last index of the log; 0 and 0 if it is
// empty. It covers every entry whose append was answered before the call.
func (c *Client) End(ctx context.Context) (first, last Index, err error) {
	k := &core.Call{Kind: core.CallEnd}
	err = c.call(ctx, k, c.opts.timeout)
	return k.First, k.Last, err
}

// Read returns the entry at index. It returns ErrNotFound if the log was shorter when
// Read was called, ErrTrimmed if the index is no longer kept, and ErrUnavailable if
// neither can be said in time.
func (c *Client) Read(ctx context.Context, index Index) (Entry, error) {
	k := &core.Call{Kind: core.CallRead, From: index}
	if err := c.call(ctx, k, c.opts.timeout); err != nil {
		return Entry{}, err
	}
	for e := range entries(k.Records, index, index) {
		return e.Clone(), nil // alone, it must not hold the page
	}
	return Entry{}, errPage(k.Learner, index)
}

// Resolution is the fate of an append, for good.
type Resolution struct {
	Chosen bool
	Index  Index // if Chosen, 0 if Below is not
	Below  Index // not 0: it is in the log, below this index, from which on entries are kept
}

// Resolve tells whether an append is in the log.
//
// An append that a session of this client still has is sent until it is answered:
// Resolve waits for that answer, and the session goes on. For any other it first closes
// the append's session with a fence, so that the answer stays true even if a lost copy of
// the append turns up later; an appender that still uses the session gets ErrFenced. It
// returns ErrUnavailable if it cannot be decided in time, and ErrForgotten if nothing is known
// of its session any more, and what it appended may have been trimmed. Of a log that this one
// was restored from it returns where the append is, or ErrAncestor.
func (c *Client) Resolve(ctx context.Context, id AppendID) (Resolution, error) {
	k := &core.Call{Kind: core.CallResolve, ID: id}
	if err := c.call(ctx, k, c.opts.timeout); err != nil {
		return Resolution{}, err
	}
	return Resolution{Chosen: k.Chosen, Index: k.Index, Below: k.Below}, nil
}

// unixNanos is a time of the log, 0 for none.
func unixNanos(t time.Time) paxos.UnixNanos {
	if t.IsZero() {
		return 0
	}
	return max(1, paxos.UnixNanos(t.UnixNano()))
}
