package operate

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// holdOptions say which hold is meant, and where it is to be.
type holdOptions struct {
	options
	Name string
	At   position
}

var holdFlags = []command.Option{yesOption, command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption}

// Hold is the command hold.
func Hold() *command.Command {
	return &command.Command{
		Name:    "hold",
		Group:   command.GroupOperating,
		Summary: "named positions in the log that keep a trim back",
		Details: "While there is a hold, nothing from its index on is deleted, neither by `paxlog trim`\n" +
			"nor by retention. It is for who reads the log later than others, as an archive, and\n" +
			"stands in the log itself. It does not end by itself: a hold that was forgotten lets\n" +
			"disks fill, and `paxlog hold list` shows when each was moved last.",
		Example: "paxlog hold set archive --at 1000\npaxlog hold list",
		Subs: []*command.Command{
			{
				Name:    "set",
				Args:    "NAME",
				Summary: "set a hold, or move it",
				Details: "It is refused where that was deleted already, and exit code 5 says that the log does\n" +
					"not reach so far. It takes admin and read (`paxlog grants`). `paxlog backup --hold\n" +
					"NAME` moves a hold when a backup is complete.",
				Example: "paxlog hold set archive --at 1000\npaxlog hold set archive --at @-7d --yes",
				Flags:   append([]command.Option{{Name: "at", Value: "N|@TIME", Usage: "the first index that is held, or its time; @-10m, @-7d"}}, holdFlags...),
				Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
					opts, err := readHold(in, env)
					if err == nil {
						opts.At, err = readPosition(in, env, "at", "must be the first index to hold, a number from 1, or @TIME")
					}
					if err != nil {
						return err
					}
					return opts.set(ctx, env)
				},
			},
			{
				Name:    "release",
				Args:    "NAME",
				Summary: "hold nothing any more for a name",
				Details: "Nothing is deleted by that alone, but by the next trim. It takes admin (`paxlog grants`).",
				Example: "paxlog hold release archive --yes",
				Flags:   holdFlags,
				Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
					opts, err := readHold(in, env)
					if err != nil {
						return err
					}
					return opts.release(ctx, env)
				},
			},
			{
				Name:    "list",
				Summary: "who holds what",
				Example: "paxlog hold list -o json",
				Flags:   holdFlags[1:],
				Action: shows(func(ctx context.Context, env *command.Environment, c *client.Client, opts options) error {
					r, err := c.Retention(ctx)
					return opts.printHolds(env, r, err)
				}),
			},
		},
	}
}

// readHold reads the name of a hold, and the common flags.
func readHold(in *command.Input, env *command.Environment) (opts holdOptions, err error) {
	if opts.Name, err = in.OneArgument(); err != nil {
		return opts, err
	}
	if !paxos.IsName(opts.Name) {
		return opts, command.Usagef("%.64q is no name of a hold: it has 1 to 64 letters, digits, and characters out of `-_.`", opts.Name)
	}
	opts.options, err = readOptions(in, env)
	opts.Yes = in.On("yes")
	return opts, err
}

// set sets a hold. Its errors ask for ExitFailed, ExitUnavailable, ExitNoIndex or ExitNotPermitted.
func (o *holdOptions) set(ctx context.Context, env *command.Environment) error {
	return o.connected(ctx, func(ctx context.Context, c *client.Client) error {
		at, err := o.At.in(ctx, c)
		if err != nil {
			return err
		}
		_, last, err := c.End(ctx)
		if err != nil {
			return err
		}
		if at <= last+1 { // what is ahead is refused by SetHold
			if err := o.agree(env, fmt.Sprintf("Nothing from index %d on is deleted until hold %s is moved or released.", at, o.Name)); err != nil {
				return err
			}
		}
		r, err := c.SetHold(ctx, o.Name, at)
		var ahead *client.AheadError
		if errors.As(err, &ahead) {
			return &command.ExitError{Code: command.ExitNoIndex, Err: fmt.Errorf("%w: no hold was set; --at %d holds what comes", err, ahead.Last+1)}
		}
		return o.printHolds(env, r, err)
	})
}

// release releases a hold. Its errors ask for ExitFailed, ExitUnavailable or ExitNotPermitted.
func (o *holdOptions) release(ctx context.Context, env *command.Environment) error {
	return o.connected(ctx, func(ctx context.Context, c *client.Client) error {
		if err := o.agree(env, fmt.Sprintf("What hold %s alone keeps is deleted by the next trim.", o.Name)); err != nil {
			return err
		}
		r, err := c.ReleaseHold(ctx, o.Name)
		return o.printHolds(env, r, err)
	})
}

// printHolds prints who holds what.
func (o *options) printHolds(env *command.Environment, r client.Retained, err error) error {
	if err != nil {
		return explain(err)
	}
	holds := shapes.HoldsOf(r.Holds)
	if o.JSON {
		out := shapes.NewEncoder(env.Stdout)
		for _, h := range holds {
			if err := out.Encode(h); err != nil {
				return err
			}
		}
		return nil
	}
	if len(holds) == 0 {
		_, err := fmt.Fprintln(env.Stdout, "there are no holds")
		return err
	}
	t := tabwriter.NewWriter(env.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tAT\tSET")
	for _, h := range holds {
		fmt.Fprintf(t, "%s\t%d\t%s\n", h.Name, h.At, shapes.OrDash(h.Set))
	}
	return t.Flush()
}
