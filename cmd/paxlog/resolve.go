package main

import (
	"context"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// resolveOptions say whose outcome to find out.
type resolveOptions struct {
	Cluster clientCluster
	ID      paxos.AppendID
	JSON    bool
	Timeout time.Duration // 0 waits for ever
}

func resolveCommand() *command {
	return &command{
		name:    "resolve",
		group:   groupClients,
		args:    "APPEND_ID",
		summary: "find out whether an entry was appended, for good",
		details: "Prints `chosen INDEX` or `never`. The answer is final: it ends the session of the\n" +
			"append, and an appender that still uses it stops and says so. Exit code 3 says\n" +
			"that it cannot be decided now, 5 that the part of the log that would tell was\n" +
			"trimmed.",
		example: "paxlog resolve 0000000000000010c3a5b7f19e8d2c4b6a7f5e3d/7",
		flags:   []option{outputOption("plain", "json"), timeoutOption},
		action: func(ctx context.Context, env *environment, in *input) error {
			opts, err := in.resolveOptions(env)
			if err != nil {
				return err
			}
			return runResolve(ctx, env, opts)
		},
	}
}

// resolveOptions reads the flags and the argument of resolve.
func (in *input) resolveOptions(env *environment) (resolveOptions, error) {
	var opts resolveOptions
	arg, err := in.oneArgument()
	if err != nil {
		return opts, err
	}
	if opts.ID, err = paxos.ParseAppendID(arg); err != nil {
		return opts, usagef("resolve: %w", err)
	}
	format, err := in.output()
	if err != nil {
		return opts, err
	}
	opts.JSON = format == "json"
	if opts.Timeout, err = in.timeout(); err != nil {
		return opts, err
	}
	opts.Cluster, err = env.clientCluster()
	return opts, err
}

// runResolve prints the outcome. Its errors ask for ExitFailed, ExitUnavailable
// or ExitNoIndex.
func runResolve(_ context.Context, _ *environment, _ resolveOptions) error { return errNotBuilt }
