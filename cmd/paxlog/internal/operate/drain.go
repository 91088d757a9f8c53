package operate

import (
	"context"
	"fmt"
	"strings"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// drainOptions say which process to drain.
type drainOptions struct {
	options
	ID    paxos.NodeID
	Role  paxos.Role
	Force bool
}

// Drain is the command drain.
func Drain() *command.Command {
	return &command.Command{
		Name:    "drain",
		Group:   command.GroupOperating,
		Args:    "ID",
		Summary: "prepare a process for being stopped",
		Details: "A proposer leads no more, and hands over first if it does. A learner sends its\n" +
			"clients to another one. An acceptor goes on voting, and is counted as stopped by\n" +
			"can-i-stop. Refused, with exit code 1, if can-i-stop says no, unless --force is\n" +
			"given. It lasts until `paxlog undrain ID` or until the process ends: one that is\n" +
			"started again is not drained. `paxlog status` shows it.\n" +
			"Whoever reaches the port of the process may ask for it.",
		Example: "paxlog drain p1",
		Flags: []command.Option{
			{Name: "force", Usage: "although can-i-stop says no"},
			yesOption, command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption,
		},
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readDrainOptions(in, env)
			if err != nil {
				return err
			}
			opts.Yes, opts.Force = in.On("yes"), in.On("force")
			return runDrain(ctx, env, opts)
		},
	}
}

// Undrain is the command undrain.
func Undrain() *command.Command {
	return &command.Command{
		Name:    "undrain",
		Group:   command.GroupOperating,
		Args:    "ID",
		Summary: "undo drain",
		Details: "The process leads, serves clients and counts again. It is no error if it was not\n" +
			"drained.",
		Example: "paxlog undrain p1",
		Flags:   []command.Option{command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption},
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readDrainOptions(in, env)
			if err != nil {
				return err
			}
			return opts.connected(ctx, func(ctx context.Context, c *client.Client) error {
				if err := c.Drain(ctx, string(opts.ID), true); err != nil {
					return explain(err)
				}
				return opts.print(env, false, string(opts.ID)+" is not drained")
			})
		},
	}
}

// readDrainOptions reads the flags and the argument of drain and undrain.
func readDrainOptions(in *command.Input, env *command.Environment) (drainOptions, error) {
	var opts drainOptions
	id, err := in.OneArgument()
	if err != nil {
		return opts, err
	}
	if opts.options, err = readOptions(in, env); err != nil {
		return opts, err
	}
	opts.ID = paxos.NodeID(id)
	opts.Role, err = roleOf(opts.options, id)
	return opts, err
}

// roleOf is the role of a process of the cluster file.
func roleOf(o options, id string) (paxos.Role, error) {
	role, _, ok := o.Cluster.Lookup(paxos.NodeID(id))
	if ok {
		return role, nil
	}
	var known []string
	for _, r := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleProposer, paxos.RoleLearner} {
		for _, n := range o.Cluster.Nodes(r) {
			known = append(known, string(n.ID))
		}
	}
	return 0, command.Usagef("there is no process %q in the cluster file, which has %s", id, strings.Join(known, ", "))
}

// runDrain drains a process that the cluster can do without. Its errors ask for ExitFailed
// or ExitUnavailable.
func runDrain(ctx context.Context, env *command.Environment, opts drainOptions) error {
	return opts.connected(ctx, func(ctx context.Context, c *client.Client) error {
		s, err := c.Status(ctx)
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		id := string(opts.ID)
		j := Judge(s, membership(&s, opts.Cluster.Membership()), opts.lag(), id)
		if !j.Yes() && !opts.Force {
			return command.Exitf(command.ExitFailed, "%s is not drained: %s; --force drains it all the same", id, strings.Join(j.Reasons, "; "))
		}
		if err := opts.agree(env, fmt.Sprintf("%s: %s, until `paxlog undrain %s` or its end.", id, effect(opts.Role, s.Leader == id), id)); err != nil {
			return err
		}
		if err := c.Drain(ctx, id, false); err != nil {
			return explain(err)
		}
		return opts.print(env, true, fmt.Sprintf("%s is drained: %s; %s", id, effect(opts.Role, s.Leader == id), j.OneMore))
	})
}

// effect says what it means to be drained.
func effect(role paxos.Role, leads bool) string {
	switch {
	case leads:
		return "it hands over, and does not lead"
	case role == paxos.RoleProposer:
		return "it does not lead"
	case role == paxos.RoleLearner:
		return "clients go to another learner"
	}
	return "it votes, and nothing counts on it"
}

func (o *drainOptions) print(env *command.Environment, drained bool, text string) error {
	if o.JSON {
		return shapes.NewEncoder(env.Stdout).Encode(shapes.Drained{ID: string(o.ID), Role: o.Role.String(), Drained: drained})
	}
	_, err := fmt.Fprintln(env.Stdout, text)
	return err
}
