package learner

import (
	"bytes"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// Replay computes the state of a learner from the values chosen, beside the learner itself:
// what it has kept in memory or on disk meanwhile does not enter.
type Replay struct{ shadow *Learner }

// NewReplay begins with an encoded state, or, if that is empty, before the first instance.
func NewReplay(cfg Config, state []byte) (*Replay, error) {
	var st State
	if len(state) > 0 {
		var err error
		if st, err = decodeState(state, cfg.Knows); err != nil {
			return nil, err
		}
	}
	return ReplayFrom(cfg, st), nil
}

// ReplayFrom begins with a state.
func ReplayFrom(cfg Config, st State) *Replay {
	cfg.ID = "" // it has no part in checkpoints
	r := &Replay{shadow: New(cfg, st)}
	r.shadow.Take()
	return r
}

// Applied is the instance up to which values were applied.
func (r *Replay) Applied() paxos.Instance { return r.shadow.state.Applied }

// Apply applies the value that was chosen next, and returns what a learner that applies it
// writes. It reports false if that asks for what this process does not know.
func (r *Replay) Apply(v paxos.Value) ([]paxos.Record, bool) {
	l := r.shadow
	if !l.knows(l.state.Applied+1, &v) {
		return nil, false
	}
	l.applyValue(v)
	l.sessions.write(&l.Outbox)
	l.Write(paxos.SetLearner{State: l.state})
	return l.Take().Writes, true
}

// Log is how far the log goes: the state without sessions, and what the log has decided
// about itself.
func (r *Replay) Log() (paxos.LearnerState, paxos.Encoded) {
	return r.shadow.state, r.shadow.control.encoded
}

// State is the encoded state.
func (r *Replay) State() []byte { return r.shadow.encodeState() }

// replaying is a replay under way, from the store of this learner.
type replaying struct {
	to     paxos.Instance  // its state there is compared
	chunks *control.Chunks // of the checkpoint that it begins with, until they are all there
	replay *Replay
	tag    uint64
}

// beginReplay computes the state of the checkpoint under way again: from the complete
// checkpoint before it, or from the first instance.
func (l *Learner) beginReplay() {
	r := &replaying{to: l.checkpoint.t}
	if c := l.control.state.Newest(); c.T != 0 {
		r.chunks = control.NewChunks(c)
	} else if l.state.FirstInstance > 1 {
		return
	}
	l.replay = r
	if r.chunks == nil {
		r.replay, _ = NewReplay(l.cfg, nil) // which fails for a state only
	}
	r.load(l)
}

// load reads the next page.
func (r *replaying) load(l *Learner) {
	from, to := paxos.Instance(0), r.to
	if r.replay != nil {
		from = r.replay.Applied() + 1
	} else {
		from, _ = r.chunks.Next()
		to = l.state.Applied
	}
	r.tag = l.load(paxos.Load{Kind: paxos.LoadVotes, From: from, To: to, MaxBytes: l.cfg.PageBytes}, r)
}

func (r *replaying) loaded(l *Learner, m *paxos.Loaded) {
	for _, v := range m.Votes {
		if r.replay == nil {
			next, missing := r.chunks.Next()
			if !missing {
				break
			}
			if v.Instance == next {
				r.chunks.Add(v.Value.Batch)
			}
			continue
		}
		if v.Instance != r.replay.Applied()+1 {
			l.replay = nil
			return
		}
		if _, known := r.replay.Apply(v.Value); !known {
			l.replay = nil
			return
		}
	}
	if r.replay == nil {
		if _, missing := r.chunks.Next(); !missing {
			state, ok := r.chunks.Bytes()
			replay, err := NewReplay(l.cfg, state)
			if !ok || err != nil {
				l.Warn("the newest complete checkpoint cannot be read back from this learner's own log", "instance", uint64(r.to))
				l.replay = nil
				return
			}
			r.replay = replay
		}
	}
	if len(m.Votes) == 0 {
		l.replay = nil // it was trimmed meanwhile
		return
	}
	if r.replay != nil && r.replay.Applied() == r.to {
		l.replay = nil
		l.onReplayed(r.replay.State())
		return
	}
	r.load(l)
}

// onReplayed compares the state that follows from the values with the one that this learner
// had.
func (l *Learner) onReplayed(state []byte) {
	k := &l.checkpoint
	if k.t == 0 {
		return
	}
	if bytes.Equal(state, k.state) {
		k.replayed = true
		k.again.Set(l.now)
		if k.differs {
			l.Warn("this learner's state is the one that follows from what was chosen: another learner is wrong", "instance", uint64(k.t),
				"closed_by", string(l.control.state.Under.By))
		}
		return
	}
	l.condemn("its state is not the one that follows from what was chosen", k.t)
}

// abandonReplay ends a replay of which nobody needs the result any more.
func (l *Learner) abandonReplay() {
	if l.replay != nil {
		l.abandon(l.replay.tag)
		l.replay = nil
	}
}
