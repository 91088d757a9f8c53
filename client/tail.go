package client

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/paxlog/paxlog/client/core"
	"github.com/paxlog/paxlog/paxos"
)

// Entry is one entry of the log. Value shares the memory of the page that it came in,
// some hundred kilobytes: who keeps entries of a tail keeps their Clone.
type Entry struct {
	Result
	Value []byte
}

// Clone returns e with a Value of its own.
func (e Entry) Clone() Entry {
	e.Value = bytes.Clone(e.Value)
	return e
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

// FromIndex is the entry at index n. One past the end of the log is where the next
// entry will be; further ahead is refused, with an *AheadError.
func FromIndex(n Index) Position { return Position{kind: 'i', n: uint64(n)} }

// FromLast is the last n entries.
func FromLast(n uint64) Position { return Position{kind: 'l', n: n} }

// FromTime is the first entry at or after t.
func FromTime(t time.Time) Position { return Position{kind: 't', at: t} }

// TailOptions say what to tail. The zero value is the whole log as it is now.
type TailOptions struct {
	From   Position
	To     Index  // the last index, 0: none
	Count  uint64 // at most so many entries, 0: all
	Follow bool   // go on when the end is reached
	Stale  bool   // what the learner has, without asking a quorum
}

// Tail yields the entries that opts ask for, in order, each once. Without Follow it
// stops at the end of the log as it was when it began, which includes every entry whose
// append had been answered. With Follow it goes on for ever, through outages and from
// another learner.
//
// It ends without an error only when it is complete or the consumer breaks off. Otherwise
// the last pair carries the error: of ctx, ErrUnavailable, ErrTrimmed, ErrClosed,
// ErrRefused, or an *AheadError.
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
		ahead, cancel := context.WithCancel(ctx)
		defer cancel()
		for p := range c.pages(ahead, next, last, opts.Follow) {
			if p.err != nil {
				yield(Entry{}, p.err)
				return
			}
			for e := range entries(p.records, next, last) {
				if e.Index != next {
					break
				}
				if !yield(e, nil) {
					return
				}
				next++
			}
			if next < p.end && next <= last {
				yield(Entry{}, errPage(p.learner, next))
				return
			}
			if ctx.Err() != nil {
				break
			}
		}
		if next <= last { // the log goes on, and ctx does not
			yield(Entry{}, context.Cause(ctx))
		}
	}
}

// lastIndex is above every index that a log can have.
const lastIndex = Index(1<<63 - 1)

// startTail returns the first and the last index to yield.
func (c *Client) startTail(ctx context.Context, opts TailOptions) (next, last Index, err error) {
	k := &core.Call{Kind: core.CallEnd, Stale: opts.Stale, At: unixNanos(opts.From.at)}
	if err := c.call(ctx, k, c.opts.timeout); err != nil {
		return 0, 0, err
	}
	switch opts.From.kind {
	case 'e':
		next = k.Last + 1
	case 'i':
		if next = max(1, Index(opts.From.n)); next > k.Last+1 {
			ahead := &AheadError{Index: next, Last: k.Last}
			if opts.Stale {
				ahead.Learner = string(k.Learner)
			}
			return 0, 0, ahead
		}
	case 'l':
		next = k.Last + 1 - min(k.Last, Index(opts.From.n))
	case 't':
		next = k.AtIndex
	default:
		next = max(1, k.First)
	}
	if next < k.First {
		if opts.From.kind != 'l' {
			return 0, 0, fmt.Errorf("%w: %d; the first index kept is %d", ErrTrimmed, next, k.First)
		}
		next = k.First // all that is left of the last n
	}
	last = k.Last
	if opts.Follow {
		last = lastIndex
	}
	if opts.To > 0 {
		last = min(last, opts.To)
	}
	if opts.Count > 0 && Index(opts.Count-1) <= lastIndex-next {
		last = min(last, next+Index(opts.Count-1))
	}
	return next, last, nil
}

// page is a stretch of the log, up to before index end, or why there is none.
type page struct {
	records []paxos.LogRecord
	end     Index
	learner paxos.NodeID
	err     error
}

// errPage: a page without a gap is what a learner owes; nothing is passed over.
func errPage(learner paxos.NodeID, index Index) error {
	return fmt.Errorf("learner %s sent a page in which entry %d is missing or damaged: ask another one, and look at its log", learner, index)
}

// pagesAhead is how many pages are fetched ahead of whoever consumes them.
const pagesAhead = 2

// pages fetches [next, last] ahead of whoever consumes it.
func (c *Client) pages(ctx context.Context, next, last Index, follow bool) <-chan page {
	out := make(chan page, pagesAhead)
	go func() {
		defer close(out)
		for next <= last {
			p := c.page(ctx, next, last, follow)
			select {
			case out <- p:
			case <-ctx.Done():
				return
			}
			if p.err != nil {
				return
			}
			next = p.end
		}
	}()
	return out
}

// page fetches the page that begins with index next.
func (c *Client) page(ctx context.Context, next, last Index, follow bool) page {
	limit := c.opts.timeout
	if follow {
		limit = 0 // an entry may be long in coming
	}
	k := &core.Call{Kind: core.CallPage, From: next, UpTo: last, Follow: follow}
	if err := c.call(ctx, k, limit); err != nil {
		return page{err: err}
	}
	r := k.Records[len(k.Records)-1]
	end := r.First + Index(r.Count)
	if end <= next { // else the same page is asked for again and again
		return page{err: errPage(k.Learner, next)}
	}
	return page{records: k.Records, end: end, learner: k.Learner}
}

// entries yields the entries of records that lie in [from, to].
func entries(records []paxos.LogRecord, from, to Index) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, r := range records {
			index := r.First
			at := time.Unix(0, int64(r.Time)).UTC()
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
							Index: index, Instance: r.Instance, Ballot: r.Origin, Time: at,
							AppendID: AppendID{Session: run.Session, Seq: seq},
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
