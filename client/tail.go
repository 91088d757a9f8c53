package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// Entry is one entry of the log.
type Entry struct {
	Result
	Value []byte
}

// Position is where a tail starts.
type Position struct {
	kind byte
	n    uint64
	at   time.Time
}

// FromStart is the first entry kept.
func FromStart() Position { return Position{} }

// FromEnd is after the last entry.
func FromEnd() Position { return Position{kind: 'e'} }

// FromIndex is the entry at index n.
func FromIndex(n uint64) Position { return Position{kind: 'i', n: n} }

// FromLast is the last n entries.
func FromLast(n uint64) Position { return Position{kind: 'l', n: n} }

// FromTime is the first entry at or after t.
func FromTime(t time.Time) Position { return Position{kind: 't', at: t} }

// TailOptions say what to tail. The zero value is the whole log as it is now.
type TailOptions struct {
	From   Position
	To     uint64 // the last index, 0: none
	Count  uint64 // at most so many entries, 0: all
	Follow bool   // go on when the end is reached
	Stale  bool   // what the learner has, without asking a quorum
}

// Tail yields the entries that opts ask for, in order, each once. Without Follow
// it stops at the end of the log as it was when it began, which includes every
// entry whose append had been answered. With Follow it goes on for ever, through
// outages and from another learner. It ends after the first error: of ctx,
// ErrUnavailable, ErrTrimmed, ErrClosed or ErrRefused.
func (c *Client) Tail(ctx context.Context, opts TailOptions) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		next, last, err := c.startTail(ctx, opts)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		if last < next {
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for p := range c.pages(ctx, next, last, opts) {
			if p.err != nil {
				yield(Entry{}, p.err)
				return
			}
			for e := range entries(p.records, p.from, last) {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// forever is above every index.
const forever = uint64(1<<63 - 1)

// startTail returns the first and the last index to yield.
func (c *Client) startTail(ctx context.Context, opts TailOptions) (next, last uint64, err error) {
	ctx, cancel := c.withTimeout(ctx, c.opts.timeout)
	defer cancel()
	where, _, err := c.locate(ctx, opts.Stale, opts.From.at)
	if err != nil {
		return 0, 0, err
	}
	end := uint64(where.Last)
	switch opts.From.kind {
	case 'e':
		next = end + 1
	case 'i':
		next = max(1, opts.From.n)
	case 'l':
		next = end + 1 - min(end, opts.From.n)
	case 't':
		next = uint64(where.AtTime)
	default:
		next = max(1, uint64(where.First))
	}
	if first := uint64(where.First); next < first {
		return 0, 0, trimmed(next, first)
	}
	last = end
	if opts.Follow {
		last = forever
	}
	if opts.To > 0 {
		last = min(last, opts.To)
	}
	if opts.Count > 0 {
		last = min(last, next+opts.Count-1)
	}
	return next, last, nil
}

// page is a stretch of the log, or why there is none.
type page struct {
	records []paxos.LogRecord
	from    uint64
	err     error
}

// pages fetches [next, last] ahead of whoever consumes it.
func (c *Client) pages(ctx context.Context, next, last uint64, opts TailOptions) <-chan page {
	out := make(chan page, 2)
	go func() {
		defer close(out)
		for next <= last {
			p := c.page(ctx, next, last, opts)
			select {
			case out <- p:
			case <-ctx.Done():
				return
			}
			if p.err != nil {
				return
			}
			r := p.records[len(p.records)-1]
			next = uint64(r.First) + r.Count
		}
	}()
	return out
}

// page fetches the page that begins with index next.
func (c *Client) page(ctx context.Context, next, last uint64, opts TailOptions) page {
	limit := c.opts.timeout
	if opts.Follow {
		limit = 0 // an entry may be long in coming
	}
	ctx, cancel := c.withTimeout(ctx, limit)
	defer cancel()
	for {
		id, err := c.waitLearner(ctx)
		if err != nil {
			return page{err: err}
		}
		wait, patient := callWait, func() bool { return false }
		if opts.Follow {
			wait, patient = followWait, func() bool { return c.keepsUp(ctx, id, next) }
		}
		m, err := askWhile[*paxos.LogPage](ctx, c, id, wait, patient, func(nonce uint64) paxos.Message {
			return &paxos.Read{Nonce: nonce, From: paxos.Index(next), UpTo: paxos.Index(min(last, forever)), Wait: true}
		})
		switch {
		case errors.Is(err, errLost):
			c.nextLearner(id)
		case err != nil:
			return page{err: c.explain(ctx, fmt.Sprintf("learner %s does not have index %d", id, next))}
		case uint64(m.First) > next:
			return page{err: trimmed(next, uint64(m.First))}
		case len(m.Records) > 0:
			return page{records: m.Records, from: next}
		}
	}
}

// followWait is for how long nothing may come from a learner that is followed,
// before it is asked whether it still keeps up.
const followWait = time.Second

// keepsUp reports whether a learner from which nothing came for a while is not to
// blame: it can tell the end of the log, and that lies before next.
func (c *Client) keepsUp(ctx context.Context, id paxos.NodeID, next uint64) bool {
	m, err := ask[*paxos.Located](ctx, c, id, followWait, func(nonce uint64) paxos.Message {
		return &paxos.Locate{Nonce: nonce, Wait: paxos.Ticks(followWait.Milliseconds() / 2)}
	})
	return err == nil && m.Open == 0 && uint64(m.Last) < next
}

// entries yields the entries of records that lie in [from, to].
func entries(records []paxos.LogRecord, from, to uint64) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, r := range records {
			index := uint64(r.First)
			ballot, at := r.Origin.String(), time.Unix(0, int64(r.Time)).UTC()
			for log := r.Log; len(log) > 0; {
				run, rest, err := paxos.NextRun(log)
				if err != nil {
					return // checked by the leader and by the learner
				}
				log = rest
				for seq, b := run.First, run.Entries; len(b) > 0; seq++ {
					var value []byte
					value, b = paxos.NextEntry(b)
					if index >= from && index <= to {
						e := Entry{Value: value, Result: Result{
							Index: index, Instance: uint64(r.Instance), Ballot: ballot, Time: at,
							AppendID: paxos.AppendID{Session: run.Session, Seq: seq},
						}}
						if !yield(e) {
							return
						}
					}
					index++
				}
			}
		}
	}
}
