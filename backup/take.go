package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// Extent is what a source has: the values of the instances First to To, and what is known of
// the log.
type Extent struct {
	Source   paxos.NodeID
	First    paxos.Instance // the first one kept, 1 if nothing was trimmed
	To       paxos.Instance
	Last     paxos.Index   // of the entry that is the last one at To, if Counts
	Counts   bool          // it numbers entries, as learners do and acceptors do not
	Control  paxos.Encoded // up to To or later; it may be missing where nothing was trimmed
	Log      paxos.LogID
	Sessions uint64 // as configured
}

// Source has chosen values.
type Source interface {
	Extent(ctx context.Context) (Extent, error)
	// Values returns values from an instance on, at least one, in order.
	Values(ctx context.Context, from paxos.Instance) ([]paxos.Vote, error)
}

// ErrTrimmed is returned when the log was trimmed where a backup is to begin, or goes on.
var ErrTrimmed = errors.New("trimmed")

// ErrAhead is returned when a backup is to begin beyond the end of what its source has.
var ErrAhead = errors.New("no such index")

// Earlier is where an earlier backup ended.
type Earlier struct {
	Name     string
	Header   Header // of it, or of the first one of a series
	To       paxos.Instance
	State    []byte
	Sum      Sum
	LastSeen paxos.Value // the value of To, if To > After
}

// Options say what a backup is of.
type Options struct {
	Cluster string
	From    paxos.Index // begin with the entry of this index; 0: with the first one kept
	Since   *Earlier    // or where this one ends; nil: none

	frame int // bytes of a frame, 0: the usual ones
}

// Report is what was backed up.
type Report struct {
	Header
	End
	Sum   Sum
	Bytes int64 // of the backup
}

// Take writes a backup of what a source has when it is called.
func Take(ctx context.Context, src Source, w io.Writer, opts Options) (Report, error) {
	x, err := src.Extent(ctx)
	if err != nil {
		return Report{}, err
	}
	t := &taking{ctx: ctx, src: src, x: x, opts: opts}
	base, err := t.begin()
	if err != nil {
		return Report{}, err
	}
	return t.write(w, base)
}

// taking is a backup that is being made.
type taking struct {
	ctx   context.Context
	src   Source
	x     Extent
	opts  Options
	state control.State // the newest known
}

// begin finds the state that the backup begins with.
func (t *taking) begin() ([]byte, error) {
	var err error
	if t.state, err = control.Decode(t.x.Control, control.Level); err != nil {
		return nil, err
	}
	switch e := t.opts.Since; {
	case e != nil:
		return e.State, t.continues(e)
	case t.x.First > 1 && t.state.Base.T+1 != t.x.First:
		return nil, fmt.Errorf("%s keeps instances from %d on, and does not say which checkpoint stands below", t.x.Source, t.x.First)
	case t.opts.From > 0:
		return t.stateBefore(t.opts.From)
	case t.x.First > 1:
		return t.checkpoint(t.state.Base)
	}
	return nil, nil
}

// continues returns an error unless the log of the source goes on from an earlier backup.
func (t *taking) continues(e *Earlier) error {
	switch h := e.Header; {
	case h.Cluster == t.opts.Cluster && h.Log.IsZero() && !t.x.Log.IsZero():
		return fmt.Errorf("%w: %s is of a log without an id, and %s has log %s: if the log got its id since then (`paxlog upgrade finalize`), make a backup of all of it; later ones can go on from that",
			ErrDiffers, e.Name, t.x.Source, t.x.Log)
	case h.Cluster != t.opts.Cluster || h.Log != t.x.Log:
		return fmt.Errorf("%w: %s is of log %s of cluster %s, and %s has log %s of cluster %s",
			ErrDiffers, e.Name, orNone(h.Log), h.Cluster, t.x.Source, orNone(t.x.Log), t.opts.Cluster)
	case t.x.To < e.To:
		return fmt.Errorf("%w: %s ends with instance %d, and %s has learned up to %d: ask one that is not behind", ErrDiffers, e.Name, e.To, t.x.Source, t.x.To)
	case t.x.First > e.To+1:
		return fmt.Errorf("%w: %s ends with instance %d, and the log begins with %d: make a backup of all of it", ErrTrimmed, e.Name, e.To, t.x.First)
	case e.To < t.x.First || e.LastSeen.Equal(paxos.Value{}):
		return nil
	}
	votes, err := t.src.Values(t.ctx, e.To)
	if err != nil {
		return err
	}
	if len(votes) == 0 || votes[0].Instance != e.To || !votes[0].Value.Equal(e.LastSeen) {
		return fmt.Errorf("%w: %s has another value at instance %d than %s", ErrDiffers, e.Name, e.To, t.x.Source)
	}
	return nil
}

// checkpoint reads the state of a complete checkpoint out of the log.
func (t *taking) checkpoint(c control.Checkpoint) ([]byte, error) {
	chunks := control.NewChunks(c)
	for {
		next, missing := chunks.Next()
		if !missing {
			break
		}
		votes, err := t.values(next)
		if err != nil {
			return nil, err
		}
		for _, v := range votes {
			if next, missing := chunks.Next(); missing && v.Instance == next {
				chunks.Add(v.Value.Batch)
			}
		}
	}
	state, ok := chunks.Bytes()
	if !ok {
		return nil, fmt.Errorf("the checkpoint of instance %d in the log of %s is not what was closed: %w", c.T, t.x.Source, ErrDamaged)
	}
	return state, nil
}

// values returns what the source has from an instance on: at least that one.
func (t *taking) values(from paxos.Instance) ([]paxos.Vote, error) {
	votes, err := t.src.Values(t.ctx, from)
	if err == nil && (len(votes) == 0 || votes[0].Instance != from) {
		err = fmt.Errorf("%s does not have instance %d any more: %w meanwhile", t.x.Source, from, ErrTrimmed)
	}
	return votes, err
}

// stateBefore is the state before the first instance of which an entry has at least that index.
// It is computed from the newest complete checkpoint below, or from where the log begins.
func (t *taking) stateBefore(from paxos.Index) ([]byte, error) {
	if t.x.Counts && from > t.x.Last+1 {
		return nil, t.ahead(from, t.x.Last)
	}
	if from < t.state.FirstIndex {
		return nil, fmt.Errorf("%d was %w: the first index is %d", from, ErrTrimmed, t.state.FirstIndex)
	}
	var base []byte
	for k := len(t.state.Complete) - 1; k >= 0; k-- {
		if c := t.state.Complete[k]; c.T >= t.x.First-1 && c.Next <= from {
			var err error
			if base, err = t.checkpoint(c); err != nil {
				return nil, err
			}
			break
		}
	}
	r, err := replayOf(t.x.Sessions, base)
	if err != nil {
		return nil, err
	}
	for r.Applied() < t.x.To {
		votes, err := t.values(r.Applied() + 1)
		if err != nil {
			return nil, err
		}
		for _, v := range votes {
			if at, done, err := t.passes(r, v, from); done || err != nil {
				return at, err
			}
		}
	}
	if nextOf(r) < from {
		return nil, t.ahead(from, nextOf(r)-1)
	}
	return stateOf(r), nil
}

func (t *taking) ahead(from, last paxos.Index) error {
	return fmt.Errorf("%w: %d is ahead: %s has learned up to %d", ErrAhead, from, t.x.Source, last)
}

// passes applies a value, unless the state before it is the one that is looked for, which it
// returns then.
func (t *taking) passes(r *learner.Replay, v paxos.Vote, from paxos.Index) (state []byte, found bool, err error) {
	if nextOf(r) >= from || v.Instance > t.x.To {
		return stateOf(r), true, nil
	}
	may := uint64(nextOf(r))+entriesOf(v.Value.Batch) > uint64(from)
	if may {
		state = stateOf(r)
	}
	if _, known := r.Apply(v.Value); !known {
		return nil, false, fmt.Errorf("instance %d has what this version does not know: use a newer version of paxlog", v.Instance)
	}
	return state, may && nextOf(r) > from, nil
}

// nextOf is the index of the entry after those of a replay.
func nextOf(r *learner.Replay) paxos.Index {
	s, _ := r.Log()
	return max(1, s.Next)
}

// entriesOf counts the entries of a batch, applied or not.
func entriesOf(batch []byte) (n uint64) {
	for len(batch) > 0 && !paxos.IsControl(batch) {
		run, rest, err := paxos.NextRun(batch)
		if err != nil {
			break
		}
		n += run.Count
		batch = rest
	}
	return n
}

// write writes the backup.
func (t *taking) write(w io.Writer, base []byte) (Report, error) {
	sessions := t.x.Sessions
	if t.state.Level > 0 {
		sessions = t.state.Sessions
	}
	r, err := replayOf(sessions, base)
	if err != nil {
		return Report{}, err
	}
	h := Header{
		Cluster: t.opts.Cluster, Source: t.x.Source, Log: t.x.Log, Sessions: sessions, Ancestors: t.state.Descent.Ancestors,
		After: r.Applied(), To: max(t.x.To, r.Applied()), First: nextOf(r),
	}
	if e := t.opts.Since; e != nil {
		h.Since = e.Sum
	}
	out, err := newWriter(w, h, base, cmp.Or(t.opts.frame, frameBytes))
	if err != nil {
		return Report{}, err
	}
	for out.Next() <= h.To {
		votes, err := t.values(out.Next())
		if err != nil {
			return Report{}, err
		}
		for _, v := range votes {
			if v.Instance != out.Next() {
				return Report{}, fmt.Errorf("%s gives instance %d where %d is", t.x.Source, v.Instance, out.Next())
			}
			if v.Instance > h.To {
				break
			}
			if err := out.Add(v.Value); err != nil {
				return Report{}, err
			}
		}
	}
	if err := t.check(out); err != nil {
		return Report{}, err
	}
	end, err := out.Finish()
	return Report{Header: h, End: end, Sum: out.Sum(), Bytes: out.Written()}, err
}

// check compares what the values come to with what the source says of itself.
func (t *taking) check(out *Writer) error {
	log, encoded := out.replay.Log()
	state, err := control.Decode(encoded, control.Level)
	switch {
	case err != nil:
		return err
	case state.Log != t.x.Log:
		return fmt.Errorf("%w: %s says to be of log %s, and its values are of %s", ErrDiffers, t.x.Source, orNone(t.x.Log), orNone(state.Log))
	case state.Level > 0 && state.Sessions != out.h.Sessions:
		return fmt.Errorf("%w: the log remembers %d sessions, and limits.sessions is %d: use the cluster file of this log", ErrDiffers, state.Sessions, out.h.Sessions)
	case t.x.Counts && out.h.To == t.x.To && max(1, log.Next)-1 != t.x.Last:
		return fmt.Errorf("%w: %s has entries up to %d at instance %d, and its values come to %d; limits.sessions of the cluster file may not be that of its log",
			ErrDiffers, t.x.Source, t.x.Last, t.x.To, max(1, log.Next)-1)
	}
	return nil
}

// ReadEarlier reads and checks a series of backups, from the end of which another one is to go on.
func ReadEarlier(files []Opener) (*Earlier, error) {
	s, err := NewSeries(files)
	if err != nil {
		return nil, err
	}
	e := &Earlier{Name: files[len(files)-1].Name, Header: s.Header()}
	for {
		p, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		e.LastSeen = p.Value
		e.LastSeen.Batch = append([]byte{}, p.Value.Batch...)
	}
	log, _ := s.Log()
	e.To, e.State, e.Sum = log.Applied, s.State(), s.Sum()
	return e, nil
}
