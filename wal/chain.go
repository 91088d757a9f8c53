package wal

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// extendChain gives a learner's log its chain, if the level of that log has one and an earlier
// release applied it: that one passed over the command that began the log, and knows no
// chain. It did so at most while the log began (controlOf), so there is little to compute.
// What a crash leaves of it is computed again, to the same bytes. Who only looks at the
// directory is shown it as it is.
func (s *Store) extendChain(st *learner.State) error {
	state, err := control.Decode(st.Control, control.Level)
	if err != nil || state.Level < control.ChainLevel || !st.Chain.IsZero() || st.Applied < state.Since || s.opts.ReadOnly {
		return err
	}
	b := s.db.NewBatch()
	commit := func() error { return errors.Join(b.Commit(pebble.NoSync), b.Close()) }
	lo, hi := numberKey(keyChosen, uint64(state.Since)), []byte{keyChosen + 1}
	var chain paxos.Chain
	err = s.scan(lo, hi, func(key, value []byte) (bool, error) {
		p, err := decodeApplied(key, value)
		if err != nil {
			return false, err
		}
		chain = chain.Next(p.Record.Instance, &p.Value)
		p.Chain = chain
		head, runs := appendAppliedHead(nil, p)
		if err := b.Set(key, append(append(head, runs...), p.Value.Batch...), nil); err != nil || b.Len() < smallCommit {
			return err == nil, err
		}
		err = commit()
		b = s.db.NewBatch()
		return err == nil, err
	})
	if err == nil {
		st.Chain = chain
		err = b.Set([]byte{keyLearner}, appendLearner(nil, st.LearnerState), nil)
	}
	if err != nil {
		return errors.Join(explain(s.dir, err), b.Close())
	}
	return commit()
}
