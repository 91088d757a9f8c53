package wal

import (
	"encoding/binary"

	"github.com/paxlog/paxlog/paxos"
)

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
	return c.set(appendLearner(append(c.s.scratch[:0], keyLearner), r.State), 1)
}

// gone reports whether instance i was trimmed: a load that was asked for before may look for
// what is there no more.
func (s *Store) gone(i paxos.Instance) (bool, error) {
	first, err := s.firstInstance()
	return i < first, err
}
