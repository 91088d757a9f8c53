package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
)

// trimOptions say what is kept no more.
type trimOptions struct {
	options
	To position
}

// Trim is the command trim.
func Trim() *command.Command {
	return &command.Command{
		Name:    "trim",
		Group:   command.GroupOperating,
		Summary: "delete the oldest entries",
		Details: "Entries below N, or older than TIME, are kept no more, on every acceptor and\n" +
			"learner, and cannot be had back. Sessions stay: an append that is sent again is not\n" +
			"applied again, and resolve answers `chosen below N`. First a checkpoint is made, if\n" +
			"the newest one is below: the log is never trimmed beyond it, nor beyond a hold\n" +
			"(`paxlog hold list`). Prints the first index before and after. Exit code 1 says that\n" +
			"nothing was done, and why; 3 that nobody leads; 5 that N is beyond the end of the log.\n" +
			"It takes admin and read (`paxlog grants`).",
		Example: "paxlog trim --to 100000\npaxlog trim --to @-7d --yes",
		Flags: []command.Option{
			{Name: "to", Value: "N|@TIME", Usage: "the first index that is kept, or its time; @-10m, @-7d"},
			yesOption, command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption,
		},
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readTrimOptions(in, env)
			if err != nil {
				return err
			}
			return runTrim(ctx, env, opts)
		},
	}
}

// readTrimOptions reads the flags of trim.
func readTrimOptions(in *command.Input, env *command.Environment) (trimOptions, error) {
	var opts trimOptions
	if err := in.NoArguments(); err != nil {
		return opts, err
	}
	var err error
	if opts.To, err = readPosition(in, env, "to", "must be the first index to keep, a number from 1, or @TIME"); err != nil {
		return opts, err
	}
	opts.options, err = readOptions(in, env)
	opts.Yes = in.On("yes")
	return opts, err
}

// runTrim has the leader trim. Its errors ask for ExitFailed, ExitUnavailable or ExitNoIndex.
func runTrim(ctx context.Context, env *command.Environment, opts trimOptions) error {
	return opts.connected(ctx, func(ctx context.Context, c *client.Client) error {
		to, err := opts.To.in(ctx, c)
		if err != nil {
			return err
		}
		first, last, err := c.End(ctx)
		if err != nil {
			return err
		}
		if plan := trimPlan(first, last, to); to <= last+1 && plan != "" { // what is ahead is refused by Trim
			if err := opts.agree(env, plan); err != nil {
				return err
			}
		}
		done, err := c.Trim(ctx, to)
		var ahead *client.AheadError
		if errors.As(err, &ahead) {
			return &command.ExitError{Code: command.ExitNoIndex, Err: fmt.Errorf("%w: nothing was deleted; --to %d deletes all of it", err, ahead.Last+1)}
		}
		if err != nil {
			return explain(err)
		}
		return opts.printTrimmed(ctx, env, c, done, to)
	})
}

// trimPlan says which entries a trim of a log from first to last deletes, and how many of how many
// they are; "" if it deletes none.
func trimPlan(first, last, to client.Index) string {
	switch first = max(1, first); {
	case to <= first || last < first:
		return ""
	case to > last:
		return fmt.Sprintf("Entries %d to %d, all that there are, are deleted everywhere, for good.", first, last)
	}
	return fmt.Sprintf("Entries %d to %d, %d of %d, are deleted everywhere, for good.", first, to-1, to-first, last-first+1)
}

// printTrimmed prints what a trim did. Its error asks for ExitFailed if that is nothing, although
// something was to be deleted.
func (o *trimOptions) printTrimmed(ctx context.Context, env *command.Environment, c *client.Client, done client.Trimmed, to client.Index) error {
	nothing := done.After < to && done.After == done.Before
	var err error
	held := heldBack(done, to)
	switch {
	case o.JSON:
		err = shapes.NewEncoder(env.Stdout).Encode(shapes.Trimmed{Before: done.Before, After: done.After, Asked: to, Checkpoint: done.Checkpoint, Holds: shapes.HoldsOf(done.Holds)})
	case held == "":
		_, err = fmt.Fprintf(env.Stdout, "the first index was %d and is %d\n", done.Before, done.After)
	case !nothing:
		_, err = fmt.Fprintf(env.Stdout, "the first index was %d and is %d; %s\n", done.Before, done.After, held)
	}
	switch {
	case err != nil || !nothing:
		return err
	case slices.ContainsFunc(done.Holds, func(h client.Hold) bool { return h.At == done.After }): // a checkpoint is not what it lacks
		return command.Exitf(command.ExitFailed, "nothing was deleted: %s: `paxlog hold set` moves a hold, and `paxlog hold release` ends it", held)
	}
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	return command.Exitf(command.ExitFailed, "nothing was deleted: the log is never trimmed beyond the newest checkpoint, which is at index %d, and no newer one was completed: %s", done.Checkpoint, whyNoCheckpoint(s))
}

// whyNoCheckpoint says what a checkpoint takes, and which learners are missing for it.
func whyNoCheckpoint(s client.Status) string {
	learners, missing := 0, []string(nil)
	for _, p := range s.Processes {
		if p.Role != client.RoleLearner || p.Former {
			continue
		}
		learners++
		switch {
		case p.Err != nil:
			missing = append(missing, p.ID+" "+whyUnasked(p.Err))
		case p.Reason != "":
			missing = append(missing, p.ID+" is wrong, and serves nobody")
		case p.DiskRoom.IsKnown() && p.DiskRoom.Bytes() == 0:
			missing = append(missing, p.ID+" has a full disk")
		}
	}
	takes := "that takes two learners"
	if learners == 1 {
		takes = "that takes the learner"
	}
	if len(missing) == 0 {
		return takes + ", and all answer: ask again in a while, and look at their logs if that goes on"
	}
	return fmt.Sprintf("%s, and %s: `paxlog status` says what to do about that; then ask again", takes, strings.Join(missing, ", "))
}

// heldBack says what keeps the first index below what was asked for: all of that, since who gets
// one of them out of the way meets the next one. It is "" if nothing does.
func heldBack(done client.Trimmed, to client.Index) string {
	if done.After >= to {
		return ""
	}
	var by []string
	if done.Checkpoint < to {
		by = append(by, fmt.Sprintf("the newest checkpoint, at index %d", done.Checkpoint))
	}
	for _, h := range done.Holds {
		by = append(by, fmt.Sprintf("hold %s, at index %d", h.Name, h.At))
	}
	return "held back by " + strings.Join(by, ", and by ")
}
