package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/paxlog/paxlog/paxos"
)

// itemBytes is what one item counts beside its values' bytes, so that a page of
// no-ops is bounded too.
const itemBytes = 64

// maxItems bounds the items of one load, below what a frame may carry.
const maxItems = 1 << 15

// maxRuns bounds the runs of one load.
const maxRuns = 4096

// get returns a copy of the value at key, nil if there is none.
func (s *Store) get(key []byte) ([]byte, error) {
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, explain(s.dir, err)
	}
	out := append([]byte{}, v...)
	return out, closer.Close()
}

// scan calls f for the keys in [lo, hi) in order until it returns false. Keys and
// values are valid during the call only.
func (s *Store) scan(lo, hi []byte, f func(key, value []byte) (bool, error)) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	if err != nil {
		return explain(s.dir, err)
	}
	more := true
	for ok := it.First(); ok && more && err == nil; ok = it.Next() {
		var v []byte
		if v, err = it.ValueAndErr(); err == nil {
			more, err = f(it.Key(), v)
		}
	}
	if err = errors.Join(err, it.Error(), it.Close()); err != nil {
		return explain(s.dir, err)
	}
	return nil
}

func prefixRange(prefix byte) (lo, hi []byte) { return []byte{prefix}, []byte{prefix + 1} }

// before returns the last key in [lo, hi) and its value, or nil.
func (s *Store) before(lo, hi []byte) (key, value []byte, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	if err != nil {
		return nil, nil, explain(s.dir, err)
	}
	if it.Last() {
		key = slices.Clone(it.Key())
		var v []byte
		v, err = it.ValueAndErr()
		value = slices.Clone(v)
	}
	if err = errors.Join(err, it.Error(), it.Close()); err != nil {
		return nil, nil, explain(s.dir, err)
	}
	return key, value, nil
}

// number reads a key that holds one number, 0 if it is absent.
func (s *Store) number(key []byte) (uint64, error) {
	v, err := s.get(key)
	if err != nil || v == nil {
		return 0, err
	}
	d := decoder{b: v}
	n := d.fixed()
	return n, d.err(key)
}

// Load answers a machine's load.
func (s *Store) Load(l paxos.Load) (*paxos.Loaded, error) {
	out := &paxos.Loaded{Load: l}
	var err error
	switch l.Kind {
	case paxos.LoadVotes:
		err = s.loadVotes(out)
	case paxos.LoadLog:
		err = s.loadLog(out)
	case paxos.LoadTime:
		err = s.loadTime(out)
	case paxos.LoadRuns:
		err = s.loadRuns(out)
	default:
		err = fmt.Errorf("wal: unknown load %d", l.Kind)
	}
	return out, err
}

func (s *Store) loadVotes(out *paxos.Loaded) error {
	prefix := byte(keyVote)
	if s.id.Role == paxos.RoleLearner.String() {
		prefix = keyChosen
	}
	l, size := out.Load, 0
	return s.scan(numberKey(prefix, uint64(l.From)), numberKey(prefix, uint64(l.To)+1), func(k, v []byte) (bool, error) {
		if len(out.Votes) >= maxItems || len(out.Votes) > 0 && size+len(v)+itemBytes > l.MaxBytes {
			out.More = true
			return false, nil
		}
		size += len(v) + itemBytes
		v = slices.Clone(v)
		var vote paxos.Vote
		var err error
		if prefix == keyVote {
			vote, err = decodeVote(k, v)
		} else {
			var p paxos.PutApplied
			p, err = decodeApplied(k, v)
			vote = paxos.Vote{Instance: p.Record.Instance, Ballot: p.Value.Origin, Value: p.Value}
			out.Chains = append(out.Chains, p.Chain)
		}
		out.Votes = append(out.Votes, vote)
		return true, err
	})
}

// recordAt returns the record that holds index, or the last one before it.
func (s *Store) recordAt(index paxos.Index) (paxos.PutApplied, bool, error) {
	k, v, err := s.before([]byte{keyIndex}, numberKey(keyIndex, uint64(index)+1))
	if err != nil || k == nil {
		return paxos.PutApplied{}, false, err
	}
	key := append([]byte{keyChosen}, v...)
	value, err := s.get(key)
	if err != nil {
		return paxos.PutApplied{}, false, err
	}
	if value == nil {
		if gone, err := s.gone(paxos.Instance(binary.BigEndian.Uint64(v))); gone || err != nil {
			return paxos.PutApplied{}, false, err
		}
		return paxos.PutApplied{}, false, fmt.Errorf("%s is %w: index %d names instance %d, which is missing", s.dir, ErrDamaged, index, binary.BigEndian.Uint64(v))
	}
	p, err := decodeApplied(key, value)
	return p, err == nil, err
}

func (s *Store) loadLog(out *paxos.Loaded) error {
	l, size := out.Load, 0
	first, ok, err := s.recordAt(l.Index)
	if err != nil || !ok || first.Record.First+paxos.Index(first.Record.Count) <= l.Index {
		return err
	}
	lo := numberKey(keyChosen, uint64(first.Record.Instance))
	return s.scan(lo, []byte{keyChosen + 1}, func(k, v []byte) (bool, error) {
		p, err := decodeApplied(k, v)
		if err != nil || p.Record.First > l.UpTo {
			return false, err
		}
		if p.Record.Count == 0 {
			return true, nil
		}
		if len(out.Log) >= maxItems || len(out.Log) > 0 && size+len(p.Record.Log)+itemBytes > l.MaxBytes {
			out.More = true
			return false, nil
		}
		size += len(p.Record.Log) + itemBytes
		p.Record.Log = slices.Clone(p.Record.Log)
		out.Log = append(out.Log, p.Record)
		return true, nil
	})
}

// loadTime finds the first index at or after a time by bisection: times are
// monotone over the log.
func (s *Store) loadTime(out *paxos.Loaded) error {
	k, _, err := s.before(prefixRange(keyIndex))
	if err != nil || k == nil {
		return err
	}
	newest, _, err := s.recordAt(paxos.Index(keyNumber(k)))
	if err != nil {
		return err
	}
	lo, hi := max(1, out.Load.Index), newest.Record.First+paxos.Index(newest.Record.Count) // the answer is in [lo, hi]
	for lo < hi {
		mid := lo + (hi-lo)/2
		p, ok, err := s.recordAt(mid)
		if err != nil || !ok {
			return err
		}
		if p.Record.Time >= out.Load.Time {
			hi = p.Record.First
		} else {
			lo = p.Record.First + paxos.Index(p.Record.Count)
		}
		hi = max(lo, hi)
	}
	if lo < newest.Record.First+paxos.Index(newest.Record.Count) {
		out.Index = lo
	}
	return nil
}

func (s *Store) loadRuns(out *paxos.Loaded) error {
	l := out.Load
	// Before the store is read: what is folded meanwhile is found there.
	recent := s.recent.find(l.Session, l.Seq, l.UpToSeq)
	next, most := l.Seq, maxRuns
	if l.MaxRuns > 0 {
		most = min(most, l.MaxRuns)
	}
	add := func(r paxos.RunAt) (more bool) {
		end := r.First + r.Count
		switch {
		case end <= next:
			return true
		case r.Instance < l.From:
			return true // it was trimmed
		case r.First > l.UpToSeq:
			return false
		case len(out.Runs) >= most:
			out.More = true
			return false
		}
		if r.First < next {
			skip := next - r.First
			r.First, r.Index, r.Count = next, r.Index+paxos.Index(skip), r.Count-skip
		}
		r.Count = min(r.Count, l.UpToSeq-r.First+1)
		out.Runs = append(out.Runs, r)
		next = end
		return true
	}
	if err := s.scanRuns(l.Session, l.Seq, l.UpToSeq, add); err != nil {
		return err
	}
	for _, r := range recent {
		if !add(r) {
			break
		}
	}
	var head paxos.LogRecord
	kept := out.Runs[:0]
	for _, r := range out.Runs {
		if head.Instance != r.Instance {
			var err error
			if head, err = s.recordHead(r.Instance); err != nil {
				if gone, trimmed := s.gone(r.Instance); gone || trimmed != nil {
					head = paxos.LogRecord{}
					continue // since it was asked for
				}
				return err
			}
		}
		r.Origin, r.Time = head.Origin, head.Time
		kept = append(kept, r)
	}
	out.Runs = kept
	return nil
}

// recordHead returns what is said of an instance, without its values: a session's runs
// may lie in thousands of them, of a MiB each.
func (s *Store) recordHead(i paxos.Instance) (paxos.LogRecord, error) {
	key := numberKey(keyChosen, uint64(i))
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return paxos.LogRecord{}, fmt.Errorf("%s is %w: a session's commands are in instance %d, which is missing", s.dir, ErrDamaged, i)
	}
	if err != nil {
		return paxos.LogRecord{}, explain(s.dir, err)
	}
	p, err := decodeApplied(key, v)
	p.Record.Log = nil // which is good until Close only
	return p.Record, errors.Join(err, closer.Close())
}

// scanRuns calls f for the folded runs of a session, from that on which holds
// command first, if there is one, until it returns false.
func (s *Store) scanRuns(id paxos.SessionID, first, last uint64, f func(paxos.RunAt) bool) error {
	if id.Birth() >= paxos.Bound {
		return nil // nobody was born there, and its key may be that of another one
	}
	// The key that holds first may begin before it.
	k, _, err := s.before(sessionKey(keyRun, id), runKey(id, first+1))
	if err != nil {
		return err
	}
	if k == nil {
		k = runKey(id, first)
	}
	return s.scan(k, runKey(id, last+1), func(k, v []byte) (bool, error) {
		runs, err := decodeRuns(k, v)
		for _, r := range runs {
			if err != nil || !f(r) {
				return false, err
			}
		}
		return true, err
	})
}
