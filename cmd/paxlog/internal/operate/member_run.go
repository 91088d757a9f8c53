package operate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// memberOptions say what is to change.
type memberOptions struct {
	options
	Change client.MemberChange
	// Rehearse plays the change, and does not make it.
	Rehearse bool
	role     client.Role // of the process that comes or leaves, as far as it is known
}

// isAcceptor reports whether it is the acceptors that change.
func (o *memberOptions) isAcceptor() bool {
	return o.role != client.RoleProposer && o.role != client.RoleLearner
}

// know finds out which role the change is about.
func (o *memberOptions) know(m client.Members) {
	o.role = o.Change.Role
	for _, id := range []string{o.Change.ID, o.Change.With} {
		if x, is := m.Find(id); is && o.role == 0 {
			o.role = x.Role
		}
	}
}

// name finds out who is meant where an acceptor takes the place of itself, since its disk is gone: both
// have an id of that stem. If nobody has joined for it, and it is gone, it was replaced before.
func (o *memberOptions) name(m client.Members) {
	if o.Change.Order != client.ReplaceMember || o.Change.ID != o.Change.With || !o.isAcceptor() {
		return
	}
	var member, joined []string
	gone, does := false, false
	for _, a := range m.List {
		switch {
		case a.Role != client.RoleAcceptor || string(paxos.NodeID(a.ID).Stem()) != o.Change.ID:
		case a.IsMember:
			member, does = append(member, a.ID), a.Up && a.Votes
		case a.Gone:
			gone = true
		default:
			joined = append(joined, a.ID)
		}
	}
	switch {
	case len(member) != 1 || len(joined) > 1: // the leader says what it lacks
	case len(joined) == 1:
		o.Change.ID, o.Change.With = member[0], joined[0]
	case gone && does:
		o.Change.ID, o.Change.With = "", member[0]
	default:
		o.Change.ID, o.Change.With = member[0], member[0]
	}
}

// isDone reports whether the members are those that are asked for.
func (o *memberOptions) isDone(m client.Members) bool {
	old, was := m.Find(o.Change.ID)
	newcomer, is := m.Find(o.Change.With)
	came := o.Change.With == "" || is && newcomer.IsMember && (o.Change.Addr == "" || newcomer.Addr == o.Change.Addr)
	moved := o.Change.ID == o.Change.With && o.Change.Addr != ""
	return (o.Change.ID == "" || was && old.Gone || moved) && came
}

// isComplete reports whether it is in force, and who came does its part.
func (o *memberOptions) isComplete(m client.Members) bool {
	newcomer, _ := m.Find(o.Change.With)
	does := newcomer.Votes
	if !o.isAcceptor() {
		does = newcomer.Up || o.role == client.RoleLearner || o.Change.Force
	}
	return o.isDone(m) && (o.Change.With == "" || does)
}

// memberPoll is the time between two looks at how a change comes on.
const memberPoll = 200 * time.Millisecond

// run shows the plan, makes the change, and waits by progress.
func (o *memberOptions) run(ctx context.Context, env *command.Environment, c *client.Client) error {
	m, err := c.Members(ctx)
	if err != nil {
		return explain(err)
	}
	o.know(m)
	o.name(m)
	if o.Rehearse {
		return o.rehearse(ctx, env, c, m)
	}
	if !o.isDone(m) {
		if err := o.prepare(ctx, env, c); err != nil {
			return err
		}
	}
	for handovers := 0; ; {
		switch m, err = c.Members(ctx); {
		case err == nil && o.isComplete(m):
			return o.printDone(env, m)
		case err == nil && !o.isDone(m):
			// Again, also if it was asked for before: a leader may have been lost over it.
			var declined *client.DeclinedError
			_, err := c.ChangeMembers(ctx, o.Change)
			if !errors.As(err, &declined) || strings.Contains(declined.Why, "try again") && declined.ID != o.Change.ID {
				break
			}
			if declined.ID != o.Change.ID || o.isAcceptor() {
				return explain(err)
			}
			// It leads, and cannot be without a successor.
			handovers++
			if _, err := c.TransferLeader(ctx, ""); errors.As(err, &declined) && handovers == mostHandovers {
				return explain(err)
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(memberPoll):
		}
	}
}

// cancel cancels the newest change, if there is one whose newcomer has not arrived.
func (o *memberOptions) cancel(ctx context.Context, env *command.Environment, c *client.Client) error {
	m, err := c.Members(ctx)
	if err != nil {
		return explain(err)
	}
	with, _ := m.Find(o.Change.With)
	switch {
	case with.IsMember: // it was made one before, and may have to arrive
	case m.Coming == "":
		o.Change.With = ""
		return o.printDone(env, m)
	default:
		o.Change.ID = m.Coming
	}
	return o.run(ctx, env, c)
}

// prepare asks whether the change may be made, and shows the plan.
func (o *memberOptions) prepare(ctx context.Context, env *command.Environment, c *client.Client) error {
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	hands := o.role == client.RoleProposer && s.Leader == o.Change.ID && o.Change.ID != o.Change.With
	if why := o.refusal(ctx, c, &s); why != "" && !o.Change.Force {
		return command.Exitf(command.ExitFailed, "nothing was done: %s", why)
	}
	plan := o.Change
	plan.Plan = true
	planned, err := c.ChangeMembers(ctx, plan)
	var declined *client.DeclinedError
	if err != nil && !(hands && errors.As(err, &declined)) {
		return explain(err)
	}
	text := o.plan(planned, hands)
	if err := o.agree(env, text); err != nil {
		return err
	}
	if !o.Yes && !o.JSON {
		fmt.Fprintln(env.Stderr, text)
	}
	return nil
}

// mostHandovers is how often a leader that is to go is asked to hand over, if it cannot.
const mostHandovers = 5

// mostBehind is how many instances a learner may be behind that is to become one of the log.
const mostBehind = 1000

// refusal says why a proposer or learner should not come or go, "" if it may. The leader judges what
// it sees: acceptors, and which proposers there are. Of learners it sees nothing.
func (o *memberOptions) refusal(ctx context.Context, c *client.Client, s *client.Status) string {
	if o.isAcceptor() {
		return ""
	}
	if o.Change.With != "" && o.Change.Addr == "" {
		return fmt.Sprintf("where is %s? --addr HOST:PORT says it", o.Change.With)
	}
	chosen := shapes.HighestChosen(*s)
	if o.Change.With != "" {
		p := c.Ask(ctx, o.role, client.Peer{ID: o.Change.With, Addr: o.Change.Addr})
		switch {
		case p.Err != nil:
			return fmt.Sprintf("no %s %s answers at %s (%s): start it first", o.role, o.Change.With, o.Change.Addr, shapes.OneLine(p.Err))
		case !p.Log.IsZero() && p.Log != c.Log() && !c.Log().IsZero():
			return fmt.Sprintf("the %s at %s is of another log, %s; this is log %s", o.role, o.Change.Addr, p.Log, c.Log())
		case o.role == client.RoleLearner && chosen > p.Applied+mostBehind:
			return fmt.Sprintf("%s has not caught up: it is %d instances behind, and %d is the most; try again in a while", o.Change.With, chosen-p.Applied, mostBehind)
		}
		return ""
	}
	serving := 0
	for _, p := range s.Processes {
		if p.Role == client.RoleLearner && p.ID != o.Change.ID && p.Err == nil && p.Reason == "" && !p.Former && chosen <= p.Applied+mostBehind {
			serving++
		}
	}
	if o.role == client.RoleLearner && serving == 0 {
		return fmt.Sprintf("no other learner than %s serves: clients would get no answers; add one first (`paxlog member add ID --role learner --addr HOST:PORT`)", o.Change.ID)
	}
	return ""
}

// plan says what would be done.
func (o *memberOptions) plan(m client.Members, hands bool) string {
	what := map[client.MemberOrder]string{
		client.ReplaceMember: fmt.Sprintf("%s takes the place of %s", o.Change.With, o.Change.ID),
		client.AddMember:     fmt.Sprintf("%s becomes a member", o.Change.With),
		client.RemoveMember:  fmt.Sprintf("%s is a member no more", o.Change.ID),
		client.CancelMember:  fmt.Sprintf("%s, which has not arrived, is a member no more", o.Change.ID),
	}[o.Change.Order]
	switch {
	case hands:
		return fmt.Sprintf("%s leads, and hands over; then %s.", o.Change.ID, what)
	case o.role == client.RoleProposer:
		return fmt.Sprintf("%s. Proposers that may be lost: %d now, %d after it.", what, m.Before, m.After)
	case o.role == client.RoleLearner:
		return what + "."
	case o.Change.Order == client.CancelMember && o.Change.With != "":
		what = fmt.Sprintf("%s takes the place of %s, which has not arrived, and is asked for nothing any more", o.Change.With, o.Change.ID)
	case o.Change.Order == client.ReplaceMember:
		what += ", which is asked for nothing any more"
	}
	return fmt.Sprintf("%s. Acceptors that may be lost: %d now, %d meanwhile, %d after it.", what, m.Before, m.During, m.After)
}

func (o *memberOptions) printDone(env *command.Environment, m client.Members) error {
	if o.JSON {
		return shapes.NewEncoder(env.Stdout).Encode(shapes.MembersOf(m, o.addrs(), nil))
	}
	role := o.role
	if o.isAcceptor() {
		role = client.RoleAcceptor
	}
	var ids []string
	for _, a := range m.List {
		if a.IsMember && (a.Role == role || a.Role == 0 && o.isAcceptor()) {
			ids = append(ids, a.ID)
		}
	}
	text := fmt.Sprintf("the %ss are %s", role, strings.Join(ids, ", "))
	if o.isAcceptor() {
		text += fmt.Sprintf(" since epoch %d (phase1 %d, phase2 %d)", m.Epoch, m.Phase1, m.Phase2)
		if o.Change.With != "" {
			text += fmt.Sprintf("; %s votes", o.Change.With)
		}
	}
	if o.Change.Order == client.CancelMember && o.Change.ID == "" {
		text += "; nothing is to be cancelled: none of them has still to arrive"
	}
	if o.Change.ID != "" && o.Change.ID != o.Change.With {
		text += fmt.Sprintf("; %s may be switched off", o.Change.ID)
	}
	_, err := fmt.Fprintln(env.Stdout, text)
	return err
}
