package wal

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// Summary says what a data directory holds. Fields of other roles are zero.
type Summary struct {
	Identity Identity
	Peers    paxos.Peers // remembered of acceptors
	Control  control.State

	Promised paxos.Ballot   // acceptor
	Commits  uint64         // acceptor: commits made so far
	Life     paxos.Ballot   // acceptor: the ballot under which it last rejoined
	Forgot   bool           // acceptor: it has forgotten commits, and has to rejoin
	Held     paxos.Instance // acceptor: every instance up to it is in the store, and chosen
	Above    int            // acceptor: votes above Held
	Highest  paxos.Instance // acceptor: the highest instance voted for, or held

	Learner  paxos.LearnerState // learner
	Wrong    string             // learner: why it serves nobody any more, "" if it does
	Sessions int                // learner: sessions remembered
}

// Entries is how many entries a learner's log has.
func (s Summary) Entries() uint64 {
	return uint64(max(1, s.Learner.Next) - max(1, s.Learner.FirstIndex))
}

// Summary reads what the directory holds, without its values.
func (s *Store) Summary() (Summary, error) {
	sum := Summary{Identity: s.id}
	if s.id.Role == paxos.RoleLearner.String() {
		st, err := s.Learner()
		sum.Peers, sum.Learner, sum.Sessions, sum.Wrong = st.Peers, st.LearnerState, len(st.Sessions), st.Wrong
		return sum.withControl(st.Control, err)
	}
	st, err := s.Acceptor()
	sum.Peers, sum.Promised, sum.Commits, sum.Life, sum.Forgot, sum.Held = st.Peers, st.Promised, st.Commits, st.Life, st.Forgot, st.Held
	sum.Above, sum.Highest = len(st.Votes), st.Held
	for i := range st.Votes {
		sum.Highest = max(sum.Highest, i)
	}
	return sum.withControl(st.Control, err)
}

// withControl adds what the log has decided about itself.
func (s Summary) withControl(e paxos.Encoded, err error) (Summary, error) {
	if err == nil {
		s.Control, err = control.Decode(e, control.Level)
	}
	return s, err
}

// Verified says what Verify read.
type Verified struct {
	Instances uint64 // records of instances
	Entries   uint64 // in them; of an acceptor, those of its votes, also duplicates
	Bytes     uint64 // of values
	Chained   uint64 // records that fit the chain
}

// Verify reads everything and checks that it decodes and fits together: the
// instances without a gap up to held or applied, and a learner's indexes, times,
// runs and sessions against its records. Then it reads what newer writes hide, for
// damage there ends a later compaction. Its error says what does not fit, and wraps
// ErrDamaged.
func (s *Store) Verify() (v Verified, err error) {
	if s.id.Role == paxos.RoleLearner.String() {
		v, err = s.verifyLearner()
	} else {
		v, err = s.verifyAcceptor()
	}
	if err == nil {
		if err = s.db.CheckLevels(nil); err != nil {
			err = explain(s.dir, err)
		}
	}
	return v, err
}

// wrong is an error about something that does not fit.
func (s *Store) wrong(format string, args ...any) error {
	return fmt.Errorf("%s is %w: %s; restore it from a copy", s.dir, ErrDamaged, fmt.Sprintf(format, args...))
}

// countEntries checks a batch and counts its entries.
func countEntries(batch []byte) (uint64, error) {
	var n uint64
	if paxos.IsControl(batch) {
		_, err := control.Parse(batch)
		return 0, err
	}
	for len(batch) > 0 {
		run, rest, err := paxos.NextRun(batch)
		if err != nil {
			return n, err
		}
		n += run.Count
		batch = rest
	}
	return n, nil
}

func (s *Store) verifyAcceptor() (Verified, error) {
	var v Verified
	st, err := s.Acceptor() // checks the votes above held against the promise
	if err != nil {
		return v, err
	}
	state, err := control.Decode(st.Control, control.Level)
	if err != nil {
		return v, err
	}
	next := state.FirstInstance()
	lo, hi := prefixRange(keyVote)
	err = s.scan(lo, hi, func(key, value []byte) (bool, error) {
		vote, err := decodeVote(key, value)
		if err != nil {
			return false, err
		}
		if vote.Instance != next && next <= st.Held {
			return false, s.wrong("instance %d is missing, and everything up to %d should be here", next, st.Held)
		}
		next = vote.Instance + 1
		entries, err := countEntries(vote.Value.Batch)
		if err != nil {
			return false, s.wrong("the value of instance %d: %v", vote.Instance, err)
		}
		v.Instances++
		v.Entries += entries
		v.Bytes += uint64(len(vote.Value.Batch))
		return true, nil
	})
	if err == nil && next <= st.Held {
		err = s.wrong("instance %d is missing, and everything up to %d should be here", next, st.Held)
	}
	return v, err
}

// logCheck goes through a learner's records in order.
type logCheck struct {
	s    *Store
	v    Verified
	next paxos.Instance // expected
	last paxos.Index    // of the entries so far
	time paxos.UnixNanos
	runs uint64 // runs so far
	with uint64 // records with entries
	// trimmed says that the first record is not that of the first instance: where it begins
	// cannot be checked.
	trimmed bool
	chain   paxos.Chain // of the records so far
}

func (s *Store) verifyLearner() (Verified, error) {
	st, err := s.Learner()
	if err != nil {
		return Verified{}, err
	}
	first := max(st.FirstInstance, 1)
	c := logCheck{s: s, next: first, chain: st.Below}
	if first == st.Applied+1 { // no record is kept
		c.last, c.time = max(1, st.Next)-1, st.Time
	} else {
		c.trimmed = first > 1
	}
	lo, hi := prefixRange(keyChosen)
	if err := s.scan(lo, hi, c.record); err != nil {
		return c.v, err
	}
	switch {
	case c.next != st.Applied+1:
		return c.v, s.wrong("its records end at instance %d, and %d instances are applied", c.next-1, st.Applied)
	case c.last+1 != max(1, st.Next):
		return c.v, s.wrong("its records end at index %d, and the next index is %d", c.last, st.Next)
	case c.chain != st.Chain:
		return c.v, s.wrong("the chain of its last record is %v, and that of its log is %v", c.chain, st.Chain)
	case c.time != st.Time:
		return c.v, s.wrong("the time of its last record is %d, and that of the log is %d", c.time, st.Time)
	}
	if err := s.count(keyIndex, c.with, "indexes", func([]byte, []byte) (uint64, error) { return 1, nil }); err != nil {
		return c.v, err
	}
	folded := c.runs - s.recent.countRuns()
	err = s.count(keyRun, folded, "runs", func(k, v []byte) (uint64, error) {
		runs, err := decodeRuns(k, v)
		kept := slices.DeleteFunc(runs, func(r paxos.RunAt) bool { return first > 1 && r.Instance < first })
		return uint64(len(kept)), err
	})
	if err != nil {
		return c.v, err
	}
	for _, session := range st.Sessions {
		if err := s.verifySession(session, first > 1); err != nil {
			return c.v, err
		}
	}
	return c.v, nil
}

// record checks one applied instance.
func (c *logCheck) record(key, value []byte) (bool, error) {
	p, err := decodeApplied(key, value)
	if err != nil {
		return false, err
	}
	r := p.Record
	if r.Instance != c.next {
		return false, c.s.wrong("instance %d is missing: the next one here is %d", c.next, r.Instance)
	}
	if c.trimmed {
		c.trimmed, c.last, c.time = false, r.First-1, r.Time
	}
	if err := c.chained(&p); err != nil {
		return false, err
	}
	c.next++
	if r.First != c.last+1 {
		return false, c.s.wrong("instance %d begins at index %d, and the one before ended at %d", r.Instance, r.First, c.last)
	}
	if r.Time < c.time {
		return false, c.s.wrong("the time of instance %d is before that of the one before", r.Instance)
	}
	c.time = r.Time
	log := r.Log
	if r.Count == 0 {
		log = nil // of a batch of which nothing was applied
	} else if err := c.indexed(r); err != nil {
		return false, err
	}
	index := r.First
	for len(log) > 0 {
		run, rest, err := paxos.NextRun(log)
		if err != nil {
			return false, c.s.wrong("the log of instance %d: %v", r.Instance, err)
		}
		if err := c.run(run, index, r.Instance); err != nil {
			return false, err
		}
		index += paxos.Index(run.Count)
		log = rest
	}
	if uint64(index-r.First) != r.Count {
		return false, c.s.wrong("instance %d has %d entries, and counts %d", r.Instance, index-r.First, r.Count)
	}
	c.last = index - 1
	c.v.Instances++
	c.v.Entries += r.Count
	c.v.Bytes += uint64(len(p.Value.Batch))
	return true, nil
}

// chained computes the chain of r again: the first record that does not fit has another
// value than was applied, or another chain.
func (c *logCheck) chained(p *paxos.PutApplied) error {
	if c.chain.IsZero() && p.Chain.IsZero() {
		return nil // of a level that has none
	}
	if c.chain = c.chain.Next(p.Record.Instance, &p.Value); c.chain != p.Chain {
		return c.s.wrong("instance %d is the first that does not fit the chain: its value, or its chain, is not what was applied", p.Record.Instance)
	}
	c.v.Chained++
	return nil
}

// indexed checks the key that finds r by its first index.
func (c *logCheck) indexed(r paxos.LogRecord) error {
	c.with++
	at, err := c.s.get(numberKey(keyIndex, uint64(r.First)))
	if err != nil {
		return err
	}
	if !bytes.Equal(at, numberKey(keyIndex, uint64(r.Instance))[1:]) {
		return c.s.wrong("index %d is not found at instance %d, where it is", r.First, r.Instance)
	}
	return nil
}

// run checks the key that finds a run by its session.
func (c *logCheck) run(run paxos.Run, index paxos.Index, instance paxos.Instance) error {
	c.runs++
	want := paxos.RunAt{First: run.First, Count: run.Count, Index: index, Instance: instance}
	at, err := c.s.runAt(run.Session, run.First)
	switch {
	case err != nil:
		return err
	case at.Count == 0:
		return c.s.wrong("commands from %d of session %s on, in instance %d, are not found", run.First, run.Session, instance)
	case at != want:
		return c.s.wrong("commands from %d of session %s on are at index %d, and are looked for at %d", run.First, run.Session, index, at.Index)
	}
	return nil
}

// runAt finds the run of a session that begins with command first; its Count is 0 if
// there is none.
func (s *Store) runAt(id paxos.SessionID, first uint64) (at paxos.RunAt, err error) {
	find := func(r paxos.RunAt) bool {
		if r.First == first {
			at = r
		}
		return r.First < first
	}
	for _, r := range s.recent.find(id, first, first) {
		find(r)
	}
	if at.Count > 0 {
		return at, nil
	}
	err = s.scanRuns(id, first, first, find)
	return at, err
}

// count checks that the keys of a kind hold no more than the records need.
func (s *Store) count(prefix byte, want uint64, what string, in func(key, value []byte) (uint64, error)) error {
	var n uint64
	lo, hi := prefixRange(prefix)
	err := s.scan(lo, hi, func(k, v []byte) (bool, error) {
		more, err := in(k, v)
		n += more
		return true, err
	})
	if err == nil && n != want {
		err = s.wrong("it has %d %s, and its records have %d", n, what, want)
	}
	return err
}

// verifySession checks that the last command of a session is in the log, or was trimmed.
func (s *Store) verifySession(session paxos.SessionState, trimmed bool) error {
	var last uint64
	k, v, err := s.before(sessionKey(keyRun, session.ID), runKey(session.ID, math.MaxUint64))
	if err != nil {
		return err
	}
	var runs []paxos.RunAt
	if k != nil {
		if runs, err = decodeRuns(k, v); err != nil {
			return err
		}
	}
	runs = append(runs, s.recent.find(session.ID, 0, math.MaxUint64)...)
	if n := len(runs); n > 0 {
		last = runs[n-1].First + runs[n-1].Count - 1
	}
	if last != session.Last && (!trimmed || last > session.Last) {
		return s.wrong("session %s has applied %d commands, and its log has %d", session.ID, session.Last, last)
	}
	return nil
}
