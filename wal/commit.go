package wal

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/paxlog/paxlog/paxos"
)

// Commit is one atomic change under construction.
type Commit struct {
	s       *Store
	b       *pebble.Batch
	changes changes // a learner's, of sessions
}

const (
	recordBytes = 128     // about what a record takes, beside a value
	keptBatch   = 4 << 20 // a larger batch's memory is not used again
)

// NewCommit returns an empty commit, with room for about so many records and bytes of
// values: else it grows by doubling, and copies its values each time.
func (s *Store) NewCommit(records, bytes int) *Commit {
	return &Commit{s: s, b: s.db.NewBatchWithSize(bytes+records*recordBytes, pebble.WithMaxRetainedSizeBytes(keptBatch))}
}

// Add adds records to c.
func (c *Commit) Add(records []paxos.Record) error {
	for _, r := range records {
		if err := c.add(r); err != nil {
			return err
		}
	}
	return nil
}

func (c *Commit) add(r paxos.Record) error {
	b := c.s.scratch[:0]
	switch r := r.(type) {
	case paxos.SetPromised:
		return c.set(appendBallot(append(b, keyPromised), r.Ballot), 1)
	case paxos.PutVote:
		b = appendNumberKey(b, keyVote, uint64(r.Vote.Instance))
		return c.set(appendVoteHead(b, r.Vote), numberKeyLen, r.Vote.Value.Batch)
	case paxos.SetHeld:
		return c.set(binary.BigEndian.AppendUint64(append(b, keyHeld), uint64(r.Held)), 1)
	case paxos.SetMark:
		return c.set(appendBool(appendMark(append(b, keyMark), paxos.Mark{Commits: r.Commits, Life: r.Life}), r.Forgot), 1)
	case paxos.SetPeer:
		b = append(append(b, keyPeer), r.ID...)
		return c.set(appendPeer(b, r.Peer), len(b))
	case paxos.PutApplied:
		return c.addApplied(r)
	case paxos.PutSessions:
		for _, st := range r.States {
			c.changes.sessions = append(c.changes.sessions, sessionChange{state: st})
		}
		return nil
	case paxos.DropSession:
		c.changes.sessions = append(c.changes.sessions, sessionChange{state: paxos.SessionState{ID: r.ID}, dropped: true})
		return nil
	case paxos.SetLearner:
		return c.set(appendLearner(append(b, keyLearner), r.State), 1)
	}
	return fmt.Errorf("wal: no place for a %T", r)
}

// set adds a key and its value. b holds the key, of the given length, and how the
// value begins; more is the rest of it. b is the scratch of what is added next.
func (c *Commit) set(b []byte, keyLen int, more ...[]byte) error {
	c.s.scratch = b
	size := len(b) - keyLen
	for _, part := range more {
		size += len(part)
	}
	op := c.b.SetDeferred(keyLen, size)
	copy(op.Key, b)
	n := copy(op.Value, b[keyLen:])
	for _, part := range more {
		n += copy(op.Value[n:], part)
	}
	return op.Finish()
}

func (c *Commit) addApplied(r paxos.PutApplied) error {
	instance := uint64(r.Record.Instance)
	b := appendNumberKey(c.s.scratch[:0], keyChosen, instance)
	b, log := appendAppliedHead(b, r)
	if err := c.set(b, numberKeyLen, log, r.Value.Batch); err != nil {
		return err
	}
	if r.Record.Count > 0 {
		b = appendNumberKey(c.s.scratch[:0], keyIndex, uint64(r.Record.First))
		if err := c.set(binary.BigEndian.AppendUint64(b, instance), numberKeyLen); err != nil {
			return err
		}
	}
	return c.changes.addRecord(r)
}

// Apply makes the commit visible to loads. With sync, Wait must follow. A synced
// commit without records syncs nothing: machines ask for a sync only beside a
// write.
func (c *Commit) Apply(sync bool) (err error) {
	// Pebble panics when its log cannot be written: a failed write like any other.
	defer func() {
		if v := recover(); v != nil {
			err = explain(c.s.dir, panicked(v))
		}
	}()
	folded := false
	if c.s.recent != nil {
		if folded, err = c.s.recent.write(c); err != nil {
			return err
		}
	}
	if sync {
		err = c.s.db.ApplyNoSyncWait(c.b, pebble.Sync)
	} else {
		err = c.s.db.Apply(c.b, pebble.NoSync)
	}
	if err != nil {
		return explain(c.s.dir, err)
	}
	if c.s.recent != nil {
		c.s.recent.add(&c.changes, folded)
	}
	return nil
}

// Wait returns when the commit is durable. If it fails, it is not known whether
// it is, although loads see it: the process must stop.
func (c *Commit) Wait() error {
	if err := c.b.SyncWait(); err != nil {
		return explain(c.s.dir, err)
	}
	return nil
}

// Close releases the commit's memory, after Apply, and after Wait if it synced.
func (c *Commit) Close() { _ = c.b.Close() } // an applied batch cannot fail to close
