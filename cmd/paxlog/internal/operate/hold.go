package operate

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// holdOptions say which hold is meant, and where it is to be.
type holdOptions struct {
	options
	Name string
	To   client.Index // 0: the first entry of At or later
	At   time.Time
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
					"not reach so far. It takes admin (`paxlog grants`). `paxlog backup --hold NAME` moves\n" +
					"a hold when a backup is complete.",
				Example: "paxlog hold set archive --at 1000\npaxlog hold set archive --at @-7d --yes",
				Flags:   append([]command.Option{{Name: "at", Value: "N|@TIME", Usage: "the first index that is held, or its time; @-10m, @-7d"}}, holdFlags...),
				Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
					opts, err := readHold(in, env)
					if err == nil {
						err = opts.readAt(in, env)
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
				Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
					if err := in.NoArguments(); err != nil {
						return err
					}
					opts, err := readOptions(in, env)
					if err != nil {
						return err
					}
					return opts.connected(ctx, func(ctx context.Context, c *client.Client) error {
						r, err := c.Retention(ctx)
						return opts.printHolds(env, r, err)
					})
				},
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

// readAt reads where it is to be.
func (o *holdOptions) readAt(in *command.Input, env *command.Environment) error {
	text, err := in.Require("at")
	if err != nil {
		return err
	}
	problem := ""
	if at, isTime := strings.CutPrefix(text, "@"); isTime {
		o.At, problem = command.ParseTime(at, env.Now())
	} else if n, err := strconv.ParseUint(text, 10, 64); err != nil || n == 0 {
		problem = "must be the first index to hold, a number from 1, or @TIME"
	} else {
		o.To = client.Index(n)
	}
	if problem != "" {
		return in.Bad("at", "%s", problem)
	}
	return nil
}

// set sets a hold. Its errors ask for ExitFailed, ExitUnavailable, ExitNoIndex or ExitNotPermitted.
func (o *holdOptions) set(ctx context.Context, env *command.Environment) error {
	return o.connected(ctx, func(ctx context.Context, c *client.Client) error {
		at := o.To
		var err error
		if at == 0 {
			at, err = c.IndexAt(ctx, o.At)
		} else {
			err = isThere(ctx, c, at)
		}
		if err != nil {
			return err
		}
		plan := fmt.Sprintf("Nothing from index %d on is deleted until hold %s is moved or released.", at, o.Name)
		if err := o.agree(env, plan); err != nil {
			return err
		}
		r, err := c.SetHold(ctx, o.Name, at)
		return o.printHolds(env, r, err)
	})
}

// isThere refuses an index that the log has not reached: a hold there holds nothing that somebody
// may have meant. The next one may be held.
func isThere(ctx context.Context, c *client.Client, at client.Index) error {
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	who, last := "", client.Index(0)
	for _, p := range s.Processes {
		if p.Role == client.RoleLearner && p.Err == nil && (who == "" || p.Last > last) {
			who, last = p.ID, p.Last
		}
	}
	switch {
	case who == "":
		return command.Exitf(command.ExitUnavailable, "no learner answers, so whether the log has index %d is not known: start one (`paxlog status`)", at)
	case at > last+1:
		return command.Exitf(command.ExitNoIndex, "%d is ahead: %s has learned up to %d", at, who, last)
	}
	return nil
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
