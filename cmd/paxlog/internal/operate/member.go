package operate

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// Member is the command member.
func Member() *command.Command {
	return &command.Command{
		Name:    "member",
		Group:   command.GroupOperating,
		Summary: "the processes of the log: list, replace, add and remove them, or cancel that",
		Example: "paxlog member list\npaxlog member replace a2 --with a4",
		Subs:    []*command.Command{memberList(), memberReplace(), memberAdd(), memberRemove(), memberCancel()},
	}
}

func memberList() *command.Command {
	return &command.Command{
		Name:    "list",
		Summary: "the processes of the log, as the leader sees them",
		Details: "The acceptors of the newest configuration, those that have joined and copy the log,\n" +
			"and those that were acceptors; the proposers; and the learners, which are asked how\n" +
			"they are. Exit code 3 says that nobody leads.",
		Example: "paxlog member list -o json",
		Flags:   []command.Option{command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption},
		Action: shows(func(ctx context.Context, env *command.Environment, c *client.Client, opts options) error {
			s, err := c.Status(ctx)
			if err != nil {
				return err
			}
			m, err := c.Members(ctx)
			if err != nil {
				return explain(err)
			}
			return opts.printMembers(env.Stdout, m, &s)
		}),
	}
}

// addrs are the addresses of the cluster file.
func (o *options) addrs() map[string]string {
	out := map[string]string{}
	for _, role := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleProposer, paxos.RoleLearner} {
		for _, n := range o.Cluster.Nodes(role) {
			out[string(n.ID)] = n.Addr
		}
	}
	return out
}

func (o *options) printMembers(w io.Writer, m client.Members, s *client.Status) error {
	shape := shapes.MembersOf(m, o.addrs(), s)
	if o.JSON {
		return shapes.NewEncoder(w).Encode(shape)
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "epoch %d, quorums phase1=%d phase2=%d\n", m.Epoch, m.Phase1, m.Phase2)
	for _, x := range slices.Concat(shape.Acceptors, shape.Proposers, shape.Learners) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", x.ID, x.Role, shapes.OrDash(x.Addr), shapes.OrDash(x.Incarnation), x.State)
	}
	return t.Flush()
}

var (
	rehearseOption = command.Option{Name: "rehearse", Usage: "play it in the simulator, with the acceptors that there are and those of them that are up, and change nothing"}
	forceOption    = command.Option{Name: "force", Usage: "although fewer processes may be lost meanwhile than now"}
	roleOption     = command.Option{Name: "role", Value: "ROLE", Usage: "of the process: acceptor, the default, proposer or learner"}
	quorumOption   = command.Option{Name: "quorum", Value: "phase1=N,phase2=N", Usage: "the sizes of the quorums after it; without it they stay majorities, or as they are"}
	addrOption     = command.Option{Name: "addr", Value: "HOST:PORT", Usage: "where a proposer or learner is dialled; an acceptor says so itself"}
)

// changing is a command that changes the members.
func changing(name, args, summary, details, example string, flags []command.Option, read func(*command.Input, *client.MemberChange) error) *command.Command {
	return &command.Command{
		Name: name, Args: args, Summary: summary, Details: details, Example: example,
		Flags: append(flags, rehearseOption, forceOption, yesOption, command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption),
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
			opts.Yes, opts.Rehearse = in.On("yes"), in.On("rehearse")
			return opts.connected(ctx, func(ctx context.Context, c *client.Client) error { return opts.run(ctx, env, c) })
		},
	}
}

// readRole reads the role of a process that comes, 0 if it is not given.
func readRole(in *command.Input) (client.Role, error) {
	text := in.Text("role")
	for _, role := range []client.Role{client.RoleAcceptor, client.RoleProposer, client.RoleLearner} {
		if text == role.String() {
			return role, nil
		}
	}
	if text != "" {
		return 0, in.Bad("role", "must be acceptor, proposer or learner")
	}
	return 0, nil
}

// readQuorum reads the sizes of the quorums, which stay as they are if none are given. Whether they
// fit the acceptors is judged by the leader.
func readQuorum(in *command.Input, m *client.MemberChange) error {
	text := in.Text("quorum")
	if text == "" {
		return nil
	}
	_, err := fmt.Sscanf(text, "phase1=%d,phase2=%d", &m.Phase1, &m.Phase2)
	if err != nil || fmt.Sprintf("phase1=%d,phase2=%d", m.Phase1, m.Phase2) != text || m.Phase1 < 1 || m.Phase2 < 1 {
		return in.Bad("quorum", "is not phase1=N,phase2=N")
	}
	return nil
}

// readAddr reads where a process that comes is dialled, "" if it is not given.
func readAddr(in *command.Input) (string, error) {
	addr := in.Text("addr")
	if addr == "" {
		return "", nil
	}
	if why := config.CheckAddr(addr); why != "" {
		return "", in.Bad("addr", "%s", why)
	}
	return addr, nil
}

const againText = "It can be run again after it was interrupted: what was done it finds done. Exit code 1\n" +
	"says that nothing was done, and why; 3 that nobody leads, or that it was not done in\n" +
	"time. Appends wait for a moment. It takes admin (`paxlog grants`)."

func memberReplace() *command.Command {
	return changing("replace", "ID", "another process takes the place of one",
		"An acceptor that is dead for good: first initialise and start the newcomer, `paxlog\n"+
			"init --join --role acceptor --id a4 --addr HOST:PORT --data DIR`, `paxlog acceptor\n"+
			"--id a4 --data DIR`. It copies the log. Then this command makes it an acceptor in the\n"+
			"place of ID, and waits until it votes. From then on nobody asks ID for anything, and\n"+
			"its directory is refused if somebody starts it. An acceptor that lives is exchanged\n"+
			"by add and then remove.\n"+
			"An acceptor whose disk is gone takes the place of itself, `replace a2 --with a2`, once\n"+
			"`paxlog init --join --id a2 --data DIR` has made it an empty directory.\n"+
			"A proposer or a learner, dead or alive: start the newcomer as for `paxlog member add`.\n"+againText,
		"paxlog member replace a2 --with a4\npaxlog member replace a2 --with a2\npaxlog member replace p1 --with p3 --addr 10.0.0.4:7201",
		[]command.Option{{Name: "with", Value: "ID", Usage: "the process that takes its place"}, addrOption},
		func(in *command.Input, m *client.MemberChange) (err error) {
			m.Order = client.ReplaceMember
			if m.With, err = in.Require("with"); err == nil {
				m.Addr, err = readAddr(in)
			}
			return err
		})
}

func memberAdd() *command.Command {
	return changing("add", "ID", "a process becomes a member",
		"An acceptor is initialised and started as for `paxlog member replace`. Quorums that are\n"+
			"majorities stay majorities. A proposer is started with `paxlog proposer --id p3 --join\n"+
			"--addr HOST:PORT`. A learner is initialised with `paxlog init --join --role learner\n"+
			"--id l3 --addr HOST:PORT --data DIR`, started, and copies the log before it is added.\n"+againText,
		"paxlog member add a4\npaxlog member add p3 --role proposer --addr 10.0.0.4:7201",
		[]command.Option{roleOption, addrOption, quorumOption},
		func(in *command.Input, m *client.MemberChange) (err error) {
			m.Order, m.With, m.ID = client.AddMember, m.ID, ""
			if m.Role, err = readRole(in); err == nil {
				m.Addr, err = readAddr(in)
			}
			if err == nil {
				err = readQuorum(in, m)
			}
			if err == nil && m.Addr == "" && (m.Role == client.RoleProposer || m.Role == client.RoleLearner) {
				_, err = in.Require("addr")
			}
			return err
		})
}

func memberRemove() *command.Command {
	return changing("remove", "ID", "a process that lives is a member no more",
		"An acceptor goes on voting until the others have what it has, and quorums that are\n"+
			"majorities stay majorities. A proposer that leads hands over first. A learner's\n"+
			"clients go on at another one.\n"+againText,
		"paxlog member remove a2", []command.Option{quorumOption},
		func(in *command.Input, m *client.MemberChange) error {
			m.Order = client.RemoveMember
			return readQuorum(in, m)
		})
}

func memberCancel() *command.Command {
	return &command.Command{
		Name: "cancel", Summary: "take out again an acceptor that was made a member and has not arrived",
		Details: "The machine of a newcomer was lost after `paxlog member add` or `replace` had made it a\n" +
			"member, and before it had everything that it takes to vote. With --with another one,\n" +
			"initialised and started as for `paxlog member replace`, takes its place; without it\n" +
			"nobody does. An acceptor that was replaced does not come back by that. If every\n" +
			"acceptor has arrived nothing is done, and the exit code is 0.\n" + againText,
		Example: "paxlog member cancel\npaxlog member cancel --with a5",
		Flags: []command.Option{
			{Name: "with", Value: "ID", Usage: "an acceptor that has joined, and takes its place"}, quorumOption,
			rehearseOption, forceOption, yesOption, command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption,
		},
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts := memberOptions{Change: client.MemberChange{Order: client.CancelMember, With: in.Text("with"), Force: in.On("force")}}
			err := in.NoArguments()
			if err == nil {
				err = readQuorum(in, &opts.Change)
			}
			if err != nil {
				return err
			}
			if opts.options, err = readOptions(in, env); err != nil {
				return err
			}
			opts.Yes, opts.Rehearse = in.On("yes"), in.On("rehearse")
			return opts.connected(ctx, func(ctx context.Context, c *client.Client) error { return opts.cancel(ctx, env, c) })
		},
	}
}
