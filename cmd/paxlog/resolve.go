package main

import (
	"context"
	"fmt"
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
func runResolve(ctx context.Context, env *environment, opts resolveOptions) error {
	c, err := opts.Cluster.connect(ctx, opts.Timeout)
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
		return newJSON(env.stdout).Encode(resolutionJSON{
			AppendID: opts.ID.String(), Result: result, Index: known(found.Index, found.Chosen),
		})
	}
	if found.Chosen {
		result = fmt.Sprintf("chosen %d", found.Index)
	}
	_, err = fmt.Fprintln(env.stdout, result)
	return err
}

// resolutionJSON is what `resolve -o json` prints.
type resolutionJSON struct {
	AppendID string  `json:"append_id"`
	Result   string  `json:"result"` // chosen or never
	Index    *uint64 `json:"index"`  // null if never
}
