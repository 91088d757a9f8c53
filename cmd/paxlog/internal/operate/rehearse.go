package operate

import (
	"context"
	"fmt"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/sim"
)

// A rehearsal plays seeds 1, 2, 3 and so on for this long, and no fewer than these.
const (
	rehearsalTime  = 2 * time.Second
	rehearsalLeast = 30
)

// Rehearsed is what `member ... --rehearse -o json` prints.
type Rehearsed struct {
	Runs          int     `json:"runs"`
	Calm          int     `json:"calm"`              // nothing else happened
	Stormy        int     `json:"stormy"`            // processes crashed, connections were cut
	Losing        int     `json:"losing"`            // acceptors were lost for good
	LostMeanwhile int     `json:"lost_meanwhile"`    // so many of them
	LostAfter     int     `json:"lost_after"`        // so many in all
	LongestCalm   float64 `json:"longest_calm_ms"`   // for which no append was answered, simulated
	LongestStormy float64 `json:"longest_stormy_ms"` // the same where something broke or was lost
	Seed          *uint64 `json:"failed_seed"`       // null if no run failed
	Why           *string `json:"failed_why"`        // what went wrong in it
	Seconds       float64 `json:"seconds"`           // that it took
}

// rehearse plays the change in the simulator, with the acceptors that there are, and changes nothing.
func (o *memberOptions) rehearse(ctx context.Context, env *command.Environment, c *client.Client, m client.Members) error {
	switch {
	case !o.isAcceptor():
		return command.Exitf(command.ExitFailed, "only changes of the acceptors are rehearsed: of proposers and learners no quorum is counted, and what is asked for takes effect at once")
	case o.isDone(m):
		return command.Exitf(command.ExitFailed, "nothing is to be rehearsed: that is so already (`paxlog member list`)")
	}
	plan := o.Change
	plan.Plan = true
	planned, err := c.ChangeMembers(ctx, plan)
	if err != nil {
		return explain(err)
	}
	x := o.rehearsal(m, planned)
	out, began := Rehearsed{LostMeanwhile: x.LostMeanwhile, LostAfter: x.After}, time.Now()
	for r := range sim.InOrder(1, 1<<20, x.Run) {
		out.add(r)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if out.Seed != nil || out.Runs >= rehearsalLeast && time.Since(began) > rehearsalTime {
			break
		}
	}
	out.Seconds = time.Since(began).Seconds()
	if err := out.print(env, o); err != nil {
		return err
	}
	if out.Seed != nil {
		return command.Exitf(command.ExitFailed, "nothing was changed; run %d of the rehearsal failed: %s", *out.Seed, *out.Why)
	}
	return nil
}

// rehearsal is what is to be played: as the leader sees the acceptors, and how many it says may be
// lost.
func (o *memberOptions) rehearsal(m, planned client.Members) sim.Rehearsal {
	x := sim.Rehearsal{
		Phase1: m.Phase1, Phase2: m.Phase2, LostMeanwhile: max(0, planned.During), After: max(0, planned.After),
		Order: paxos.Member{Order: o.Change.Order, ID: paxos.NodeID(o.Change.ID), With: paxos.NodeID(o.Change.With), Phase1: o.Change.Phase1, Phase2: o.Change.Phase2},
	}
	for _, a := range m.List {
		switch {
		case a.Gone:
		case a.Role == client.RoleProposer && a.Up:
			x.Proposers++
		case a.Role == client.RoleLearner:
			x.Learners++
		case a.IsMember && a.Role == client.RoleAcceptor:
			x.Acceptors = append(x.Acceptors, paxos.NodeID(a.ID))
			if !a.Votes {
				x.Down = append(x.Down, paxos.NodeID(a.ID))
			}
		}
	}
	if w := o.Cluster.Limits.Window; w > configuration.LeastAlpha {
		x.Window = w
	}
	if x.Order.Order == client.CancelMember { // there it is an acceptor that is down, as others are
		if x.Order.Order = client.RemoveMember; x.Order.With != "" {
			x.Order.Order = client.ReplaceMember
		}
	}
	return x
}

// add takes what came of a run.
func (r *Rehearsed) add(run sim.Rehearsed) {
	r.Runs++
	ms := float64(run.Longest) / float64(sim.Millisecond)
	switch run.Kind {
	case sim.Calm:
		r.Calm++
		r.LongestCalm = max(r.LongestCalm, ms)
	case sim.Stormy:
		r.Stormy++
	case sim.Losing:
		r.Losing++
	}
	if run.Kind != sim.Calm {
		r.LongestStormy = max(r.LongestStormy, ms)
	}
	if run.Err != nil && r.Seed == nil {
		why := run.Err.Error()
		r.Seed, r.Why = &run.Seed, &why
	}
}

func (r *Rehearsed) print(env *command.Environment, o *memberOptions) error {
	if o.JSON {
		return shapes.NewEncoder(env.Stdout).Encode(r)
	}
	text := fmt.Sprintf("%d runs of this change in %.1f s, in the simulator; nothing was changed.\n"+
		"%d runs in which nothing else happened: no append waited more than %.0f ms.\n"+
		"%d runs in which processes crashed and came back, and connections were cut; %d in which acceptors were lost for good, %d while it was made, %d in all: appends waited up to %.0f ms.\n",
		r.Runs, r.Seconds, r.Calm, r.LongestCalm, r.Stormy, r.Losing, r.LostMeanwhile, r.LostAfter, r.LongestStormy)
	if r.Seed == nil {
		text += "In all of them the change was made, appends went on, and nothing was lost.\n"
	}
	_, err := fmt.Fprint(env.Stdout, text)
	return err
}
