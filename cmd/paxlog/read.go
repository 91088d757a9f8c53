package main

import (
	"context"
	"fmt"
	"time"

	"github.com/paxlog/paxlog/client"
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
func runRead(ctx context.Context, env *environment, opts readOptions) error {
	c, err := opts.Cluster.connect(ctx, opts.Timeout, atLearner(opts.Learner)...)
	if err != nil {
		return err
	}
	defer c.Close()
	e, err := readEntry(ctx, c, uint64(opts.Index), opts.Stale)
	if err != nil {
		return err
	}
	p := newEntryPrinter(env.stdout, opts.Form)
	if err := p.Print(entryOf(e.Result, e.Value)); err != nil {
		return err
	}
	return p.Flush()
}

// readEntry returns the entry at index. If stale, only the learner is asked, and
// an entry that it does not have is not found.
func readEntry(ctx context.Context, c *client.Client, index uint64, stale bool) (client.Entry, error) {
	if !stale {
		return c.Read(ctx, index)
	}
	for e, err := range c.Tail(ctx, client.TailOptions{From: client.FromIndex(index), To: index, Stale: true}) {
		return e, err
	}
	return client.Entry{}, fmt.Errorf("%w: %d at this learner, which may be behind; without --stale a quorum is asked", client.ErrNotFound, index)
}
