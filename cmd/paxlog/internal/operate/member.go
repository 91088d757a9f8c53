package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
)

// memberOptions say what is to change.
type memberOptions struct {
	options
	Change client.MemberChange
}

// Member is the command member.
func Member() *command.Command {
	return &command.Command{
		Name:    "member",
		Group:   command.GroupOperating,
		Summary: "the acceptors of the log: list, replace, add and remove them",
		Example: "paxlog member list\npaxlog member replace a2 --with a4",
		Subs:    []*command.Command{memberList(), memberReplace(), memberAdd(), memberRemove()},
	}
}

func memberList() *command.Command {
	return &command.Command{
		Name:    "list",
		Summary: "the acceptors, as the leader sees them",
		Details: "Those of the newest configuration, those that have joined and copy the log, and those\n" +
			"that were acceptors. Exit code 3 says that nobody leads.",
		Example: "paxlog member list -o json",
		Flags:   []command.Option{command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption},
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			if err := in.NoArguments(); err != nil {
				return err
			}
			opts, err := readOptions(in, env)
			if err != nil {
				return err
			}
			return opts.connected(ctx, func(ctx context.Context, c *client.Client) error {
				m, err := c.Members(ctx)
				if err != nil {
					return explain(err)
				}
				return opts.printMembers(env.Stdout, m)
			})
		},
	}
}

// addrs are the addresses of the cluster file.
func (o *options) addrs() map[string]string {
	out := map[string]string{}
	for _, n := range o.Cluster.Acceptors {
		out[string(n.ID)] = n.Addr
	}
	return out
}

func (o *options) printMembers(w io.Writer, m client.Members) error {
	if o.JSON {
		return shapes.NewEncoder(w).Encode(shapes.MembersOf(m, o.addrs()))
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "epoch %d, quorums phase1=%d phase2=%d\n", m.Epoch, m.Phase1, m.Phase2)
	for _, a := range shapes.MembersOf(m, o.addrs()).Acceptors {
		addr, incarnation := "-", "-"
		if a.Addr != nil {
			addr = *a.Addr
		}
		if a.Incarnation != nil {
			incarnation = *a.Incarnation
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", a.ID, a.Role, addr, incarnation, a.State)
	}
	return t.Flush()
}

var forceOption = command.Option{Name: "force", Usage: "although fewer acceptors may be lost meanwhile than now"}

// changing is a command that changes the acceptors.
func changing(name, args, summary, details, example string, flags []command.Option, read func(*command.Input, *client.MemberChange) error) *command.Command {
	return &command.Command{
		Name: name, Args: args, Summary: summary, Details: details, Example: example,
		Flags: append(flags, forceOption, yesOption, command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption),
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			var opts memberOptions
			id, err := in.OneArgument()
			if err != nil {
				return err
			}
			opts.Change.ID, opts.Change.Force = id, in.On("force")
			if err := read(in, &opts.Change); err != nil {
				return err
			}
			if opts.options, err = readOptions(in, env); err != nil {
				return err
			}
			opts.Yes = in.On("yes")
			return opts.connected(ctx, func(ctx context.Context, c *client.Client) error { return opts.run(ctx, env, c) })
		},
	}
}

const againText = "It can be run again after it was interrupted: what was done it finds done. Exit code 1\n" +
	"says that nothing was done, and why; 3 that nobody leads, or that it was not done in\n" +
	"time. Appends wait for a moment. It takes admin (`paxlog grants`)."

func memberReplace() *command.Command {
	return changing("replace", "ID", "another acceptor takes the place of one that is dead for good",
		"First initialise and start the newcomer: `paxlog init --join --role acceptor --id a4\n"+
			"--addr HOST:PORT --data DIR`, `paxlog acceptor --id a4 --data DIR`. It copies the log.\n"+
			"Then this command makes it an acceptor in the place of ID, and waits until it votes.\n"+
			"From then on nobody asks ID for anything, and its directory is refused if somebody\n"+
			"starts it. An acceptor that lives is exchanged by add and then remove.\n"+againText,
		"paxlog member replace a2 --with a4",
		[]command.Option{{Name: "with", Value: "ID", Usage: "the acceptor that takes its place"}},
		func(in *command.Input, m *client.MemberChange) (err error) {
			m.Order = client.ReplaceMember
			m.With, err = in.Require("with")
			return err
		})
}

func memberAdd() *command.Command {
	return changing("add", "ID", "an acceptor that has joined becomes a member",
		"The newcomer is initialised and started as for `paxlog member replace`. Quorums that are\n"+
			"majorities stay majorities.\n"+againText,
		"paxlog member add a4", nil,
		func(_ *command.Input, m *client.MemberChange) error {
			m.Order, m.With, m.ID = client.AddMember, m.ID, ""
			return nil
		})
}

func memberRemove() *command.Command {
	return changing("remove", "ID", "an acceptor that lives is a member no more",
		"It goes on voting until the others have what it has. Quorums that are majorities stay\n"+
			"majorities.\n"+againText,
		"paxlog member remove a2", nil,
		func(_ *command.Input, m *client.MemberChange) error {
			m.Order = client.RemoveMember
			return nil
		})
}

// isDone reports whether the configuration is the one that is asked for.
func (o *memberOptions) isDone(m client.Members) bool {
	old, was := m.Find(o.Change.ID)
	newcomer, is := m.Find(o.Change.With)
	return (o.Change.ID == "" || was && old.Gone) && (o.Change.With == "" || is && newcomer.IsMember)
}

// isComplete reports whether it is in force, and who came votes.
func (o *memberOptions) isComplete(m client.Members) bool {
	newcomer, _ := m.Find(o.Change.With)
	return o.isDone(m) && (o.Change.With == "" || newcomer.Votes)
}

// memberPoll is the time between two looks at how a change comes on.
const memberPoll = 200 * time.Millisecond

// run shows the plan, makes the change, and waits by progress.
func (o *memberOptions) run(ctx context.Context, env *command.Environment, c *client.Client) error {
	m, err := c.Members(ctx)
	if err != nil {
		return explain(err)
	}
	if !o.isDone(m) {
		plan := o.Change
		plan.Plan = true
		planned, err := c.ChangeMembers(ctx, plan)
		if err != nil {
			return explain(err)
		}
		if err := o.agree(env, o.plan(planned)); err != nil {
			return err
		}
		if !o.Yes && !o.JSON {
			fmt.Fprintln(env.Stderr, o.plan(planned))
		}
	}
	for {
		switch m, err = c.Members(ctx); {
		case err == nil && o.isComplete(m):
			return o.printDone(env, m)
		case err == nil && !o.isDone(m):
			// Again, also if it was asked for before: a leader may have been lost over it.
			var declined *client.DeclinedError
			if _, err := c.ChangeMembers(ctx, o.Change); errors.As(err, &declined) && !strings.Contains(declined.Why, "try again") {
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

// plan says what would be done.
func (o *memberOptions) plan(m client.Members) string {
	what := map[client.MemberOrder]string{
		client.ReplaceMember: fmt.Sprintf("%s takes the place of %s, which is asked for nothing any more", o.Change.With, o.Change.ID),
		client.AddMember:     fmt.Sprintf("%s becomes an acceptor", o.Change.With),
		client.RemoveMember:  fmt.Sprintf("%s is an acceptor no more", o.Change.ID),
	}[o.Change.Order]
	return fmt.Sprintf("%s. Acceptors that may be lost: %d now, %d meanwhile, %d after it.", what, m.Before, m.During, m.After)
}

func (o *memberOptions) printDone(env *command.Environment, m client.Members) error {
	if o.JSON {
		return shapes.NewEncoder(env.Stdout).Encode(shapes.MembersOf(m, o.addrs()))
	}
	var ids []string
	for _, a := range m.List {
		if a.IsMember {
			ids = append(ids, a.ID)
		}
	}
	text := fmt.Sprintf("the acceptors are %s since epoch %d (phase1 %d, phase2 %d)", strings.Join(ids, ", "), m.Epoch, m.Phase1, m.Phase2)
	if o.Change.With != "" {
		text += fmt.Sprintf("; %s votes", o.Change.With)
	}
	if o.Change.ID != "" {
		text += fmt.Sprintf("; %s may be switched off", o.Change.ID)
	}
	_, err := fmt.Fprintln(env.Stdout, text)
	return err
}
