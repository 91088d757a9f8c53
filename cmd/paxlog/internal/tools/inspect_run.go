package tools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

// Inspection is what `inspect -o json` prints. What belongs to another role, or
// was not asked for, is null.
type Inspection struct {
	Dir         string         `json:"dir"`
	Cluster     string         `json:"cluster"`
	Role        string         `json:"role"`
	ID          paxos.NodeID   `json:"id"`
	Format      int            `json:"format"`
	Incarnation string         `json:"incarnation"`
	Log         *string        `json:"log"` // the log's id, null if it has none (yet)
	Level       uint64         `json:"level"`
	Ancestors   []ancestorJSON `json:"ancestors"` // the logs that it was restored from, the oldest first
	Acceptors   []paxos.NodeID `json:"acceptors"`
	Phase1      int            `json:"phase1"`
	Phase2      int            `json:"phase2"`

	Promised   *string         `json:"promised"`
	Held       *paxos.Instance `json:"held"`
	Accepted   *paxos.Instance `json:"accepted"`
	VotesAbove *int            `json:"votes_above_held"`
	Commits    *uint64         `json:"commits"`
	Rejoined   *string         `json:"rejoined_under"`
	Forgot     *bool           `json:"has_forgotten"`

	Applied    *paxos.Instance `json:"applied"`
	FirstIndex *paxos.Index    `json:"first_index"`
	LastIndex  *paxos.Index    `json:"last_index"`
	Entries    *uint64         `json:"entries"`
	Sessions   *int            `json:"sessions"`
	Time       *string         `json:"time"`
	Chain      *string         `json:"chain"` // of applied; null if the log has none
	Wrong      *string         `json:"wrong"` // why it serves nobody any more

	Verified *verifiedJSON `json:"verified"`
}

// ancestorJSON is a log that was restored, up to an instance of its own.
type ancestorJSON struct {
	Log          *string        `json:"log"` // null if it had no id
	LastInstance paxos.Instance `json:"last_instance"`
}

// verifiedJSON says what was read and found in order.
type verifiedJSON struct {
	Instances uint64 `json:"instances"`
	Entries   uint64 `json:"entries"`
	Bytes     uint64 `json:"bytes"`
	Chained   uint64 `json:"chained"` // of a learner: instances that fit the chain
}

// newInspect translates a summary.
func newInspect(dir string, s wal.Summary) Inspection {
	id := s.Identity
	out := Inspection{
		Dir: dir, Cluster: id.Cluster, Role: id.Role, ID: id.ID, Format: id.Format, Incarnation: strconv.FormatUint(id.Incarnation, 16),
		Acceptors: id.Members.Acceptors, Phase1: id.Members.Phase1, Phase2: id.Members.Phase2,
	}
	out.Log, out.Level = shapes.Known(s.Control.Log.String(), !s.Control.Log.IsZero()), s.Control.Level
	out.Ancestors = []ancestorJSON{}
	for _, a := range s.Control.Descent.Ancestors {
		out.Ancestors = append(out.Ancestors, ancestorJSON{shapes.Known(a.Log.String(), !a.Log.IsZero()), a.Last})
	}
	if id.Role == paxos.RoleLearner.String() {
		last := paxos.Index(s.Entries())
		out.Applied = &s.Learner.Applied
		out.FirstIndex, out.LastIndex = shapes.Known(min(1, last), true), &last
		out.Entries = shapes.Known(s.Entries(), true)
		out.Sessions = &s.Sessions
		out.Time = shapes.Known(shapes.FormatTime(s.Learner.Time), s.Learner.Time != 0)
		out.Chain, out.Wrong = shapes.Known(s.Learner.Chain.String(), !s.Learner.Chain.IsZero()), shapes.Known(s.Wrong, s.Wrong != "")
		return out
	}
	out.Promised = shapes.Known(s.Promised.String(), !s.Promised.IsZero())
	out.Held, out.Accepted, out.VotesAbove, out.Commits = &s.Held, &s.Highest, &s.Above, &s.Commits
	out.Rejoined, out.Forgot = shapes.Known(s.Life.String(), !s.Life.IsZero()), &s.Forgot
	return out
}

// runInspect prints what the directory holds. Its errors ask for ExitFailed.
func runInspect(_ context.Context, env *command.Environment, opts inspectOptions) error {
	store, err := wal.Inspect(vfs.Default, opts.Dir)
	if err != nil {
		return explainInspect(opts.Dir, err)
	}
	err = inspect(env, opts, store)
	return errors.Join(err, store.Close())
}

func inspect(env *command.Environment, opts inspectOptions, store *wal.Store) error {
	sum, err := store.Summary()
	if err != nil {
		return err
	}
	out := newInspect(opts.Dir, sum)
	if opts.Verify {
		v, err := store.Verify()
		if err != nil {
			return err
		}
		out.Verified = &verifiedJSON{v.Instances, v.Entries, v.Bytes, v.Chained}
	}
	if opts.JSON {
		return shapes.NewEncoder(env.Stdout).Encode(out)
	}
	t := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	for _, line := range out.lines() {
		fmt.Fprintf(t, "%s:\t%s\n", line[0], line[1])
	}
	return t.Flush()
}

// lines is what is printed for people: names and values.
func (i Inspection) lines() [][2]string {
	all := [][2]string{
		{"identity", fmt.Sprintf("%s %s of cluster %s", i.Role, i.ID, i.Cluster)},
		{"incarnation", fmt.Sprintf("%s (format %d)", i.Incarnation, i.Format)},
		{"log", fmt.Sprintf("%s (level %d)", shapes.OrDash(i.Log), i.Level)},
		{"members", fmt.Sprintf("%v, quorums phase1 %d, phase2 %d", i.Acceptors, i.Phase1, i.Phase2)},
	}
	for _, a := range i.Ancestors {
		all = append(all, [2]string{"restored from", fmt.Sprintf("log %s, up to its instance %d", shapes.OrDash(a.Log), a.LastInstance)})
	}
	if i.Applied != nil {
		all = append(all,
			[2]string{"applied", shapes.OrDash(i.Applied)},
			[2]string{"entries", fmt.Sprintf("%d (%d-%d)", *i.Entries, *i.FirstIndex, *i.LastIndex)},
			[2]string{"sessions", shapes.OrDash(i.Sessions)},
			[2]string{"log time", shapes.OrDash(i.Time)},
			[2]string{"chain", shapes.OrDash(i.Chain)})
		if i.Wrong != nil {
			all = append(all, [2]string{"wrong", *i.Wrong})
		}
	} else {
		all = append(all,
			[2]string{"promised", shapes.OrDash(i.Promised)},
			[2]string{"held", shapes.OrDash(i.Held)},
			[2]string{"accepted", fmt.Sprintf("%d (%d votes above held)", *i.Accepted, *i.VotesAbove)},
			[2]string{"commits", shapes.OrDash(i.Commits)},
			[2]string{"rejoined under", shapes.OrDash(i.Rejoined)},
			[2]string{"has forgotten commits", shapes.OrDash(i.Forgot)})
	}
	if v := i.Verified; v != nil {
		all = append(all, [2]string{"verified", fmt.Sprintf("%d instances, %d entries, %d bytes of values: all in order; whether newer commits were lost only its peers can tell", v.Instances, v.Entries, v.Bytes)})
	}
	return all
}

// explainInspect names the data directories below dir, if it has none itself.
func explainInspect(dir string, err error) error {
	if !errors.Is(err, wal.ErrUninitialised) {
		return err
	}
	if _, missing := os.Stat(dir); missing != nil {
		return fmt.Errorf("there is no directory %s: check the path", dir)
	}
	below, globErr := filepath.Glob(filepath.Join(dir, "*", "IDENTITY"))
	if globErr != nil || len(below) == 0 {
		return fmt.Errorf("%w: it holds no data of paxlog; check the path", err)
	}
	for i := range below {
		below[i] = filepath.Dir(below[i])
	}
	return fmt.Errorf("%s is no data directory itself, but it holds some: say %s", dir, command.OrList(below))
}
