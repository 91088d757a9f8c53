package operate

import (
	"context"
	"errors"
	"fmt"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// transferOptions say who shall lead.
type transferOptions struct {
	options
	To string // "": whoever reaches most acceptors
}

// Leader is the command leader.
func Leader() *command.Command {
	return &command.Command{
		Name:    "leader",
		Group:   command.GroupOperating,
		Summary: "hand the lead over to another proposer",
		Example: "paxlog leader transfer --to p2",
		Subs: []*command.Command{{
			Name:    "transfer",
			Summary: "hand the lead over to another proposer",
			Details: "The leader gets chosen what is in flight, names its successor, and that one leads\n" +
				"at once, without an election. Appends wait for a few milliseconds meanwhile, and\n" +
				"none becomes unknown. Prints the old and the new leader, and for how long appends\n" +
				"waited. Exit code 1 says that the leader goes on leading, and why; 3 that nobody\n" +
				"leads. Without --to the proposer that reaches most acceptors is taken.\n" +
				"A leader that is told to stop (SIGTERM, SIGINT) does the same by itself.\n" +
				"It takes admin (`paxlog grants`).",
			Example: "paxlog leader transfer\npaxlog leader transfer --to p2 --yes -o json",
			Flags: []command.Option{
				{Name: "to", Value: "ID", Usage: "the proposer that shall lead"},
				yesOption, command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption,
			},
			Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
				opts, err := readTransferOptions(in, env)
				if err != nil {
					return err
				}
				return runTransfer(ctx, env, opts)
			},
		}},
	}
}

// readTransferOptions reads the flags of leader transfer.
func readTransferOptions(in *command.Input, env *command.Environment) (transferOptions, error) {
	var opts transferOptions
	err := in.NoArguments()
	if err != nil {
		return opts, err
	}
	if opts.options, err = readOptions(in, env); err != nil {
		return opts, err
	}
	opts.Yes = in.On("yes")
	if opts.To = in.Text("to"); opts.To != "" {
		_, err = opts.Cluster.Find(paxos.RoleProposer, paxos.NodeID(opts.To))
	}
	return opts, err
}

// runTransfer has the leader hand over. Its errors ask for ExitFailed or ExitUnavailable.
func runTransfer(ctx context.Context, env *command.Environment, opts transferOptions) error {
	return opts.connected(ctx, func(ctx context.Context, c *client.Client) error {
		if command.IsTerminal(env.Stdin) && !opts.Yes {
			s, err := c.Status(ctx)
			if err != nil {
				return err
			}
			to := "the proposer that reaches most acceptors"
			if opts.To != "" {
				to = opts.To
			}
			if s.Leader != "" {
				err = opts.agree(env, fmt.Sprintf("%s leads under %s, and hands over to %s; appends wait for some milliseconds.", s.Leader, s.Ballot, to))
			}
			if err != nil {
				return err
			}
		}
		done, err := c.TransferLeader(ctx, opts.To)
		if err != nil {
			return explain(err)
		}
		if opts.JSON {
			return shapes.NewEncoder(env.Stdout).Encode(shapes.Transfer{
				From: done.From, To: done.To, Ballot: done.Ballot.String(), Waited: done.Waited.Milliseconds(),
			})
		}
		_, err = fmt.Fprintf(env.Stdout, "%s has handed over to %s, which leads under %s; appends waited for %d ms\n", done.From, done.To, done.Ballot, done.Waited.Milliseconds())
		return err
	})
}

// explain adds what to do to an error of an operation.
func explain(err error) error {
	var declined *client.DeclinedError
	switch {
	case errors.As(err, &declined):
		return command.Exitf(command.ExitFailed, "%s: %s", declined.ID, declined.Why)
	case errors.Is(err, client.ErrUnavailable):
		return fmt.Errorf("%w; `paxlog status` shows who leads and what is missing", err)
	}
	return err
}
