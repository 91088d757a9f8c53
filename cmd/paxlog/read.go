package main

import (
	"context"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// readOptions say which entry to print.
type readOptions struct {
	Cluster clientCluster
	Index   paxos.Index
	Form    entryForm
	Stale   bool
	Learner paxos.NodeID  // "" for any
	Timeout time.Duration // 0 waits for ever
}

func readCommand() *command {
	return &command{
		name:    "read",
		group:   groupClients,
		args:    "N",
		summary: "print the entry of one index",
		details: "Exit code 5 says that there is no such index: it lies past the end, or was\n" +
			"trimmed.",
		example: "paxlog read 42\npaxlog read 42 -o json",
		flags:   []option{outputOption("raw", "json"), nullOption, staleOption, learnerOption, timeoutOption},
		action: func(ctx context.Context, env *environment, in *input) error {
			opts, err := in.readOptions(env)
			if err != nil {
				return err
			}
			return runRead(ctx, env, opts)
		},
	}
}

// readOptions reads the flags and the argument of read.
func (in *input) readOptions(env *environment) (readOptions, error) {
	opts := readOptions{Stale: in.on("stale")}
	arg, err := in.oneArgument()
	if err != nil {
		return opts, err
	}
	index, problem := parseIndex(arg)
	if problem != "" {
		return opts, usagef("read: %q %s", arg, problem)
	}
	opts.Index = index
	if opts.Form, err = in.entryForm(); err != nil {
		return opts, err
	}
	if opts.Timeout, err = in.timeout(); err != nil {
		return opts, err
	}
	if opts.Cluster, err = env.clientCluster(); err != nil {
		return opts, err
	}
	opts.Learner, err = opts.Cluster.learner(in)
	return opts, err
}

// runRead prints the entry. Its errors ask for ExitFailed, ExitUnavailable or
// ExitNoIndex.
func runRead(_ context.Context, _ *environment, _ readOptions) error { return errNotBuilt }
