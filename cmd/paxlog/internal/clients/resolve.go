package clients

import (
	"context"
	"fmt"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// resolveOptions say whose outcome to find out.
type resolveOptions struct {
	Cluster clusterfile.Found
	ID      paxos.AppendID
	JSON    bool
	Timeout time.Duration // 0 waits for ever
}

// Resolve is the command resolve.
func Resolve() *command.Command {
	return &command.Command{
		Name:    "resolve",
		Group:   command.GroupClients,
		Args:    "APPEND_ID",
		Summary: "find out whether an entry was appended, for good",
		Details: "Prints `chosen INDEX` or `never`. The answer is final: it ends the session of the\n" +
			"append, and an appender that still uses it stops and says so. Exit code 3 says\n" +
			"that it cannot be decided now, 5 that the part of the log that would tell was\n" +
			"trimmed.",
		Example: "paxlog resolve 0000000000000010c3a5b7f19e8d2c4b6a7f5e3d/7",
		Flags:   []command.Option{command.OutputOption("plain", "json"), command.TimeoutOption},
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readResolveOptions(in, env)
			if err != nil {
				return err
			}
			return runResolve(ctx, env, opts)
		},
	}
}

// readResolveOptions reads the flags and the argument of resolve.
func readResolveOptions(in *command.Input, env *command.Environment) (resolveOptions, error) {
	var opts resolveOptions
	arg, err := in.OneArgument()
	if err != nil {
		return opts, err
	}
	if opts.ID, err = paxos.ParseAppendID(arg); err != nil {
		return opts, command.Usagef("resolve: %w", err)
	}
	format, err := in.Output()
	if err != nil {
		return opts, err
	}
	opts.JSON = format == "json"
	if opts.Timeout, err = in.Timeout(); err != nil {
		return opts, err
	}
	opts.Cluster, err = clusterfile.Find(env)
	return opts, err
}

// runResolve prints the outcome. Its errors ask for ExitFailed, ExitUnavailable
// or ExitNoIndex.
func runResolve(ctx context.Context, env *command.Environment, opts resolveOptions) error {
	c, err := opts.Cluster.Connect(ctx, opts.Timeout)
	if err != nil {
		return err
	}
	defer c.Close()
	found, err := c.Resolve(ctx, opts.ID)
	if err != nil {
		return err
	}
	result := "never"
	if found.Chosen {
		result = "chosen"
	}
	if opts.JSON {
		return shapes.NewEncoder(env.Stdout).Encode(shapes.Resolution{
			AppendID: opts.ID.String(), Result: result, Index: shapes.Known(found.Index, found.Chosen),
		})
	}
	if found.Chosen {
		result = fmt.Sprintf("chosen %d", found.Index)
	}
	_, err = fmt.Fprintln(env.Stdout, result)
	return err
}
