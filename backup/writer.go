package backup

import (
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// Writer writes one backup. The values have to come in order; each is applied to the state
// before it, so that the state after the last one is known.
type Writer struct {
	frames
	h      Header
	end    End
	replay *learner.Replay
}

// newWriter begins a backup of frames of at least so many bytes. base is the state after
// h.After, empty if h.After is 0.
func newWriter(w io.Writer, h Header, base []byte, least int) (*Writer, error) {
	r, err := replayOf(h.Sessions, base)
	if err != nil {
		return nil, err
	}
	k := &Writer{frames: frames{w: w, least: least}, h: h, replay: r}
	state, _ := r.Log()
	if state.Applied != h.After || max(1, state.Next) != h.First {
		return nil, fmt.Errorf("the state is that of instance %d, index %d, and the values are to begin after %d, index %d", state.Applied, state.Next, h.After, h.First)
	}
	if err := k.begin(); err != nil {
		return nil, err
	}
	if err := k.item(itemHeader, h.encode()); err != nil {
		return nil, err
	}
	return k, k.state(itemBase, base)
}

// replayOf begins with an encoded state; with none, before the first instance.
func replayOf(sessions uint64, base []byte) (*learner.Replay, error) {
	if sessions > paxos.Bound>>32 {
		return nil, damaged("%d sessions are more than any log remembers", sessions)
	}
	m := paxos.Membership{Cluster: "-", Acceptors: []paxos.NodeID{"-"}, Phase1: 1, Phase2: 1, Sessions: int(sessions)}
	return learner.NewReplay(learner.Config{Membership: m, Knows: control.Level}, base)
}

// state writes a state in parts.
func (k *Writer) state(kind byte, state []byte) error {
	for len(state) > 0 {
		n := min(partBytes, len(state))
		if err := k.item(kind, state[:n]); err != nil {
			return err
		}
		state = state[n:]
	}
	return nil
}

// Next is the instance of the value that Add expects.
func (k *Writer) Next() paxos.Instance { return k.replay.Applied() + 1 }

// Add takes the value chosen at Next.
func (k *Writer) Add(v paxos.Value) error {
	i := k.Next()
	written, known := k.replay.Apply(v)
	if !known {
		return fmt.Errorf("instance %d has what this version does not know: use a newer version of paxlog", i)
	}
	k.end.add(&v, recordOf(written))
	return k.item(itemValue, appendValueHead(nil, i, &v), v.Batch)
}

// recordOf is what a learner keeps of a value.
func recordOf(written []paxos.Record) paxos.LogRecord {
	for _, w := range written {
		if p, ok := w.(paxos.PutApplied); ok {
			return p.Record
		}
	}
	return paxos.LogRecord{}
}

// add counts a value.
func (e *End) add(v *paxos.Value, r paxos.LogRecord) {
	e.Instances++
	e.Entries += r.Count
	e.Bytes += uint64(len(v.Batch))
}

// close notes where the log ends.
func (e *End) close(s paxos.LearnerState) { e.Last, e.Time = max(1, s.Next)-1, s.Time }

// Finish ends the backup, after the value of h.To.
func (k *Writer) Finish() (End, error) {
	if at := k.replay.Applied(); at != k.h.To {
		return End{}, fmt.Errorf("the values end at instance %d, not at %d", at, k.h.To)
	}
	if err := k.state(itemState, stateOf(k.replay)); err != nil {
		return End{}, err
	}
	log, _ := k.replay.Log()
	k.end.close(log)
	if err := k.item(itemEnd, k.end.encode()); err != nil {
		return End{}, err
	}
	return k.end, k.flush()
}

// Written is how many bytes the backup has, and Sum its last sum.
func (k *Writer) Written() int64 { return k.bytes }

// Sum is the last sum.
func (k *Writer) Sum() Sum { return k.sum }

// stateOf is the encoded state that a replay came to, empty before the first instance.
func stateOf(r *learner.Replay) []byte {
	if r.Applied() == 0 {
		return nil
	}
	return r.State()
}

// fits returns an error unless the state that a replay came to is the one that is written.
func fits(state []byte, r *learner.Replay) error {
	if sha256.Sum256(stateOf(r)) != sha256.Sum256(state) {
		return fmt.Errorf("%w: the state after instance %d is not the one that follows from its values", ErrDiffers, r.Applied())
	}
	return nil
}
