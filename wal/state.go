package wal

import (
	"errors"
	"fmt"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// control reads what the log has decided about itself, up to the instance upTo, which is
// held or applied.
func (s *Store) control(upTo paxos.Instance) (paxos.Encoded, error) {
	v, err := s.get([]byte{keyControl})
	if err != nil {
		return "", err
	}
	if v == nil {
		return s.controlOf(upTo)
	}
	if _, err := control.Decode(paxos.Encoded(v), control.Level); err != nil {
		return "", fmt.Errorf("%s: %w", s.dir, err)
	}
	return paxos.Encoded(v), nil
}

// markBegun has IDENTITY say that the log of this directory has a level. It comes before the
// commit that says which: after a crash between the two an earlier release refuses a
// directory that it could still have used, and never takes one that it could not.
func (s *Store) markBegun() error {
	if !s.isUnmarked() {
		return nil
	}
	id := s.id
	id.Format = id.begun()
	err := replaceIdentity(s.opts.FS, s.dir, id)
	s.marked.Store(err == nil)
	return err
}

// Formats are the format of the directory, and the one that it becomes when its log has a
// level.
func (s *Store) Formats() (now, begun int) {
	if s.marked.Load() {
		return s.id.begun(), s.id.begun()
	}
	return s.id.Format, s.id.begun()
}

func (s *Store) isUnmarked() bool {
	return s.id.Format < begunFormat && !s.marked.Load()
}

// controlOf makes the state of a directory that has none from its values. An earlier release
// kept them as they are, and passed over what they say. It did so at most while the log began:
// where the first value is no control value, the log was of level 0 then, and that release
// has not passed another one.
func (s *Store) controlOf(upTo paxos.Instance) (paxos.Encoded, error) {
	first := &paxos.Loaded{Load: paxos.Load{Kind: paxos.LoadVotes, From: 1, To: 1}}
	if err := s.loadVotes(first); err != nil || upTo == 0 || len(first.Votes) == 0 || !paxos.IsControl(first.Votes[0].Value.Batch) {
		return "", err
	}
	var state control.State
	all := &paxos.Loaded{Load: paxos.Load{Kind: paxos.LoadVotes, From: 1, To: upTo, MaxBytes: controlPage}}
	for more := true; more; more = all.More {
		all.Votes, all.More = nil, false
		if err := s.loadVotes(all); err != nil {
			return "", err
		}
		for _, v := range all.Votes {
			all.Load.From = v.Instance + 1
			if !paxos.IsControl(v.Value.Batch) {
				continue
			}
			next, err := state.Apply(v.Instance, v.Value.Batch, control.Level)
			if err != nil {
				return "", fmt.Errorf("%s: instance %d: %w", s.dir, v.Instance, err)
			}
			state = next
		}
	}
	return state.Encode(), nil
}

// controlPage is how many bytes of values are read at once.
const controlPage = 1 << 20

func (s *Store) peers() (paxos.Peers, error) {
	peers := paxos.Peers{}
	lo, hi := prefixRange(keyPeer)
	err := s.scan(lo, hi, func(k, v []byte) (bool, error) {
		p, err := decodePeer(k, v)
		peers[paxos.NodeID(k[1:])] = p
		return true, err
	})
	return peers, err
}

// Acceptor recovers an acceptor's state.
func (s *Store) Acceptor() (acceptor.State, error) {
	st := acceptor.State{Votes: map[paxos.Instance]paxos.Ballot{}, Controls: map[paxos.Instance]string{}}
	var err error
	if st.Peers, err = s.peers(); err != nil {
		return st, err
	}
	promised, err := s.get([]byte{keyPromised})
	if err != nil {
		return st, err
	}
	if promised != nil {
		d := decoder{b: promised}
		st.Promised = d.ballot()
		if err := d.err([]byte{keyPromised}); err != nil {
			return st, err
		}
	}
	held, err := s.number([]byte{keyHeld})
	if err != nil {
		return st, err
	}
	st.Held = paxos.Instance(held)
	mark, err := s.get([]byte{keyMark})
	if err != nil {
		return st, err
	}
	if mark != nil {
		d := decoder{b: mark}
		m := d.mark()
		st.Forgot = d.bool()
		if err := d.err([]byte{keyMark}); err != nil {
			return st, err
		}
		st.Commits, st.Life = m.Commits, m.Life
	}
	err = s.scan(numberKey(keyVote, held+1), []byte{keyVote + 1}, func(k, v []byte) (bool, error) {
		vote, err := decodeVote(k, v)
		st.Votes[vote.Instance] = vote.Ballot
		if paxos.IsControl(vote.Value.Batch) {
			st.Controls[vote.Instance] = string(vote.Value.Batch)
		}
		if st.Promised.Less(vote.Ballot) {
			err = errors.Join(err, fmt.Errorf("%w: the vote at instance %d is above the promise", ErrDamaged, vote.Instance))
		}
		return true, err
	})
	if err == nil {
		st.Control, err = s.control(st.Held)
	}
	return st, err
}

// Learner recovers a learner's state.
func (s *Store) Learner() (learner.State, error) {
	var st learner.State
	var err error
	if st.Peers, err = s.peers(); err != nil {
		return st, err
	}
	v, err := s.get([]byte{keyLearner})
	if err != nil {
		return st, err
	}
	if v != nil {
		if st.LearnerState, err = decodeLearner([]byte{keyLearner}, v); err != nil {
			return st, err
		}
	}
	if st.Control, err = s.control(st.Applied); err != nil {
		return st, err
	}
	if err = s.extendChain(&st); err != nil {
		return st, err
	}
	wrong, err := s.get([]byte{keyWrong})
	if err != nil {
		return st, err
	}
	st.Wrong = string(wrong)
	floors, err := s.get([]byte{keyFloors})
	if err != nil {
		return st, err
	}
	st.Floors = paxos.Floors(floors)
	lo, hi := prefixRange(keySession)
	err = s.scan(lo, hi, func(k, v []byte) (bool, error) {
		session, err := decodeSession(k, v)
		st.Sessions = append(st.Sessions, session)
		return true, err
	})
	st.Sessions = s.recent.sessions(st.Sessions)
	return st, err
}
