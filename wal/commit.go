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
	begins  bool    // it has what an earlier release would pass over: a control value, or the log's state
	trims   bool    // something is deleted by range
	number  uint64  // Pebble's of the batch, if it was applied and has to be synced
	syncs   int64   // syncs that had begun when Apply returned
}

const (
	recordBytes = 128     // about what a record takes, beside a value
	nodeBytes   = 64      // about what a memtable takes for a record, beside its bytes
	smallCommit = 1 << 20 // bytes of a commit that may be applied without waiting
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
		c.begins = c.begins || paxos.IsControl(r.Vote.Value.Batch)
		b = appendNumberKey(b, keyVote, uint64(r.Vote.Instance))
		return c.set(appendVoteHead(b, r.Vote), numberKeyLen, r.Vote.Value.Batch)
	case paxos.SetHeld:
		return c.set(binary.BigEndian.AppendUint64(append(b, keyHeld), uint64(r.Held)), 1)
	case paxos.SetMark:
		return c.set(appendBool(appendMark(append(b, keyMark), paxos.Mark{Commits: r.Commits, Life: r.Life}), r.Forgot), 1)
	case paxos.SetControl:
		c.begins = c.begins || r.State != ""
		return c.set(append(append(b, keyControl), r.State...), 1)
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
	case paxos.SetFloors:
		return c.set(append(append(b, keyFloors), r.Floors...), 1)
	case paxos.SetWrong:
		return c.set(append(append(b, keyWrong), r.Why...), 1)
	case paxos.Trimmed:
		return c.trim(r)
	case paxos.Install:
		c.begins = c.begins || r.Control != ""
		return c.install(r)
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

// Apply makes the commit visible to loads. With sync it is durable when Durable, which
// Options.Synced announces, or when Wait returns. A synced
// commit without records syncs nothing: machines ask for a sync only beside a
// write.
func (c *Commit) Apply(sync bool) (err error) {
	// Pebble panics when its log cannot be written: a failed write like any other.
	defer func() {
		if v := recover(); v != nil {
			err = explain(c.s.dir, panicked(v))
		}
	}()
	if c.begins && c.s.unmarkable == nil {
		c.s.unmarkable = c.s.markBegun()
	}
	if c.s.unmarkable != nil { // what comes later must not be there without this
		return explain(c.s.dir, c.s.unmarkable)
	}
	folded := false
	if c.s.recent != nil {
		if folded, err = c.s.recent.write(c); err != nil {
			return err
		}
	}
	size, empty := c.size(), c.b.Empty()
	if sync {
		err = c.s.db.ApplyNoSyncWait(c.b, pebble.Sync)
	} else {
		err = c.s.db.Apply(c.b, pebble.NoSync)
	}
	c.syncs = c.s.writes.syncs.Load()
	c.s.writes.room.Add(-size)
	if err == nil && sync && !empty {
		err = c.note()
	}
	if err != nil {
		return explain(c.s.dir, err)
	}
	if c.s.recent != nil {
		c.s.recent.add(&c.changes, folded)
	}
	if c.trims {
		c.s.trimmed.Store(true)
	}
	return nil
}

// MayWait reports whether Apply may have to wait for the disk: when the memtable is full
// Pebble closes its log, which syncs it. Of most commits it is known that they fit.
func (c *Commit) MayWait() bool {
	if c.s.recent != nil && c.s.recent.full() || c.begins && c.s.isUnmarked() {
		return true
	}
	n := c.size() + int64(len(c.changes.sessions)+len(c.changes.runs))*recordBytes
	return n > smallCommit || n > c.s.writes.room.Load()
}

// size is about what the commit takes in a memtable.
func (c *Commit) size() int64 { return int64(c.b.Len()) + int64(c.b.Count())*nodeBytes }

// Durable reports whether a commit that was applied with sync is durable.
func (c *Commit) Durable() bool { return c.number <= c.s.writes.durable.Load() }

// Spent reports whether Close may be called on a commit that was applied with sync. Durable
// is not enough: Pebble still tells the batch that it is synced, and must find it there.
//
// The goroutine that syncs does, in turn: take the list of those who wait, write, sync, tell
// them. Pebble puts a batch on the list when its record is in the buffer already. So a sync
// may make the record durable whose list was taken before: the batch is told by the next one.
// Of the syncs that begin after Apply the first may have taken its list before it, the second
// has not, and when the third begins that one has told all of its list.
func (c *Commit) Spent() bool {
	return c.number == 0 || c.Durable() && c.s.writes.syncs.Load() >= c.syncs+3
}

// note keeps the number of the batch. Pebble takes away the memory of one that fills half
// a memtable, so that is waited for here.
func (c *Commit) note() error {
	if c.b.Empty() {
		return c.b.SyncWait()
	}
	c.number = uint64(c.b.SeqNum())
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

// Close releases the commit's memory, after Apply, and if it synced after Wait, or when
// Spent.
func (c *Commit) Close() { _ = c.b.Close() } // an applied batch cannot fail to close
