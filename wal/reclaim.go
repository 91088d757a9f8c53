package wal

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/paxlog/paxlog/paxos"
)

// This file gives back the space of what was trimmed.
//
// A commit that trims puts one key over the whole range: what is there is gone for who reads,
// at the cost of one key. The tables stay, since nothing compacts them (tune.go), and would
// stay for ever. Cutting the range out of them (Pebble's Excise) deletes those that lie in it
// and rewrites nothing. Of the one that lies across its end it changes the bounds: at most
// one table for each kind of key, of 8 MiB, goes later.
//
// What is cut out is what comes before the first key that can be read, so it follows from the
// directory alone: after a crash between the commit and the cut, the next start cuts.
//
// A cut takes a number as writes do, and is in the MANIFEST only. A hole in the numbers that
// logs hold is damage (lostwrites.go), so none may be left: all that was written is in tables
// when Reclaim cuts, and whoever makes commits keeps still meanwhile. By then the trim that
// the cut is for is in a table, too: a cut never survives a crash in which its trim is lost.

// reclaimFrom is how many bytes of a range are worth cutting.
const reclaimFrom = 64 << 10

func (o Options) reclaim() uint64 {
	if o.FoldEach > 0 {
		return 1
	}
	return reclaimFrom
}

// sweepBatch bounds the keys that one batch of a sweep deletes.
const sweepBatch = 1 << 10

// Reclaimable reports whether something was trimmed since the last Sweep began, or it is not
// known, as after a start.
func (s *Store) Reclaimable() bool { return s.trimmed.Load() }

// Sweep prepares Reclaim, beside whatever else uses the Store. It deletes where commands of
// sessions are that were trimmed: these keys are in no order that a trim knows. When ctx ends it
// returns its error soon; what is left is for the next start.
func (s *Store) Sweep(ctx context.Context) error {
	s.trimmed.Store(false) // first: what is trimmed from now on is for the next time
	if s.recent != nil {
		if err := s.sweepRuns(ctx); err != nil {
			return err
		}
	}
	if s.db.FormatMajorVersion() < pebble.FormatVirtualSSTables {
		return s.compactTrimmed(ctx)
	}
	return s.flush()
}

// Reclaim cuts out what was trimmed. No commit may be made meanwhile, which Sweep has made
// short: some syncs.
func (s *Store) Reclaim() error {
	if s.db.FormatMajorVersion() < pebble.FormatVirtualSSTables {
		return nil
	}
	ranges, err := s.trimmedRanges()
	if err != nil || len(ranges) == 0 {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	for _, r := range ranges {
		if err := s.db.Excise(context.Background(), r); err != nil {
			return explain(s.dir, err)
		}
	}
	return nil
}

func (s *Store) flush() error {
	if err := s.db.Flush(); err != nil {
		return explain(s.dir, err)
	}
	return nil
}

// trimmedRanges are those whose keys only grow, each up to the first key that is there, where
// tables have something of it.
func (s *Store) trimmedRanges() (ranges []pebble.KeyRange, err error) {
	prefixes := []byte{keyChosen, keyIndex}
	if s.recent == nil {
		prefixes = []byte{keyVote}
	}
	for _, prefix := range prefixes {
		lo, hi := prefixRange(prefix)
		last := hi // of which EstimateDiskUsage counts what is at it
		err := s.scan(lo, hi, func(k, _ []byte) (bool, error) {
			hi, last = slices.Clone(k), numberKey(prefix, max(keyNumber(k), 1)-1)
			return false, nil
		})
		if err != nil {
			return nil, err
		}
		bytes, err := s.db.EstimateDiskUsage(lo, last)
		if err != nil {
			return nil, explain(s.dir, err)
		}
		if bytes >= s.opts.reclaim() {
			ranges = append(ranges, pebble.KeyRange{Start: lo, End: hi})
		}
	}
	return ranges, nil
}

// compactTrimmed serves directories whose files are of a version that knows no cuts: what is
// trimmed is read once more. That may take minutes. When ctx ends nobody waits for it any more,
// and Close ends it.
func (s *Store) compactTrimmed(ctx context.Context) error {
	if err := s.flush(); err != nil {
		return err
	}
	ranges, err := s.trimmedRanges()
	for _, r := range ranges {
		switch err := s.db.Compact(ctx, r.Start, r.End, false); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return explain(s.dir, err)
		}
	}
	return err
}

// sweepRuns deletes the keys of runs of which all are in what was trimmed: no load returns
// them.
func (s *Store) sweepRuns(ctx context.Context) error {
	first, err := s.firstInstance()
	if err != nil || first <= 1 {
		return err
	}
	var gone [][]byte
	lo, hi := prefixRange(keyRun)
	err = s.scan(lo, hi, func(k, v []byte) (bool, error) {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		runs, err := decodeRuns(k, v)
		if err != nil || runs[len(runs)-1].Instance >= first {
			return err == nil, err
		}
		if gone = append(gone, slices.Clone(k)); len(gone) < sweepBatch {
			return true, nil
		}
		err = s.deleteKeys(gone)
		gone = gone[:0]
		return err == nil, err
	})
	return errors.Join(err, s.deleteKeys(gone))
}

// deleteKeys is beside Commits: nobody else writes these keys.
func (s *Store) deleteKeys(keys [][]byte) error {
	b := s.db.NewBatch()
	for _, k := range keys {
		if err := b.Delete(k, nil); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	s.writes.room.Add(-int64(b.Len()) - int64(b.Count())*nodeBytes)
	if err := errors.Join(s.db.Apply(b, pebble.NoSync), b.Close()); err != nil {
		return explain(s.dir, err)
	}
	return nil
}

// firstInstance is the first instance that a learner's directory keeps.
func (s *Store) firstInstance() (paxos.Instance, error) {
	v, err := s.get([]byte{keyLearner})
	if err != nil || v == nil {
		return 0, err
	}
	st, err := decodeLearner([]byte{keyLearner}, v)
	return st.FirstInstance, err
}

// trim deletes what is below an instance. Where the runs of sessions are goes later (Sweep): no
// load returns what is below.
func (c *Commit) trim(r paxos.Trimmed) error {
	c.trims = true
	if c.s.id.Role != paxos.RoleLearner.String() {
		return c.deleteBelow(keyVote, uint64(r.Instance))
	}
	if err := c.deleteBelow(keyChosen, uint64(r.Instance)); err != nil {
		return err
	}
	return c.deleteBelow(keyIndex, uint64(r.Index))
}

func (c *Commit) deleteBelow(prefix byte, n uint64) error {
	return c.b.DeleteRange([]byte{prefix}, numberKey(prefix, n), nil)
}

// install deletes all that the directory has of the log and of sessions, and puts the state in
// its place.
func (c *Commit) install(r paxos.Install) error {
	for _, prefix := range []byte{keyChosen, keyIndex, keySession, keyRun, keyChanges, keyFolded, keyControl} {
		lo, hi := prefixRange(prefix)
		if err := c.b.DeleteRange(lo, hi, nil); err != nil {
			return err
		}
	}
	c.trims = true
	c.changes = changes{installed: true, upTo: r.State.Applied}
	for _, s := range r.Sessions {
		b := appendSessionKey(c.s.scratch[:0], keySession, s.ID)
		if err := c.set(appendSession(b, s), len(b)); err != nil {
			return err
		}
	}
	if err := c.set(binary.BigEndian.AppendUint64(append(c.s.scratch[:0], keyFolded), uint64(r.State.Applied)), 1); err != nil {
		return err
	}
	if err := c.set(append(append(c.s.scratch[:0], keyControl), r.Control...), 1); err != nil {
		return err
	}
	if err := c.set(append(append(c.s.scratch[:0], keyFloors), r.Floors...), 1); err != nil {
		return err
	}
	return c.set(appendLearner(append(c.s.scratch[:0], keyLearner), r.State), 1)
}

// gone reports whether instance i was trimmed: a load that was asked for before may look for
// what is there no more.
func (s *Store) gone(i paxos.Instance) (bool, error) {
	first, err := s.firstInstance()
	return i < first, err
}
