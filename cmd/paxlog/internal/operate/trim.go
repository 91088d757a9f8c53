package operate

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
)

// trimOptions say what is kept no more.
type trimOptions struct {
	options
	To client.Index // 0: what is before At
	At time.Time
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
			"the newest one is below: the log is never trimmed beyond it. Prints the first index\n" +
			"before and after. Exit code 1 says that nothing was done, and why; 3 that nobody\n" +
			"leads. It takes admin (`paxlog grants`).",
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
	text, err := in.Require("to")
	if err != nil {
		return opts, err
	}
	problem := ""
	if at, isTime := strings.CutPrefix(text, "@"); isTime {
		opts.At, problem = command.ParseTime(at, env.Now())
	} else if n, err := strconv.ParseUint(text, 10, 64); err != nil || n == 0 {
		problem = "must be the first index to keep, a number from 1, or @TIME"
	} else {
		opts.To = client.Index(n)
	}
	if problem != "" {
		return opts, in.Bad("to", "%s", problem)
	}
	opts.options, err = readOptions(in, env)
	opts.Yes = in.On("yes")
	return opts, err
}

// runTrim has the leader trim. Its errors ask for ExitFailed or ExitUnavailable.
func runTrim(ctx context.Context, env *command.Environment, opts trimOptions) error {
	return opts.connected(ctx, func(ctx context.Context, c *client.Client) error {
		to := opts.To
		if to == 0 {
			var err error
			if to, err = c.IndexAt(ctx, opts.At); err != nil {
				return err
			}
		}
		if err := opts.agree(env, fmt.Sprintf("Entries below index %d are deleted everywhere, for good.", to)); err != nil {
			return err
		}
		done, err := c.Trim(ctx, to)
		if err != nil {
			return explain(err)
		}
		if opts.JSON {
			return shapes.NewEncoder(env.Stdout).Encode(shapes.Trimmed{Before: done.Before, After: done.After, Asked: to, Checkpoint: done.Checkpoint})
		}
		held := ""
		if done.After < to {
			held = fmt.Sprintf("; held back by the newest checkpoint, at index %d", done.Checkpoint)
		}
		_, err = fmt.Fprintf(env.Stdout, "the first index was %d and is %d%s\n", done.Before, done.After, held)
		return err
	})
}
