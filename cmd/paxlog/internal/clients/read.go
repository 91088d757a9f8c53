package clients

import (
	"context"
	"fmt"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// readOptions say which entry to print.
type readOptions struct {
	Cluster clusterfile.Found
	Index   paxos.Index
	Form    entryForm
	Stale   bool
	Learner paxos.NodeID  // "" for any
	Timeout time.Duration // 0 waits for ever
}

// Read is the command read.
func Read() *command.Command {
	return &command.Command{
		Name:    "read",
		Group:   command.GroupClients,
		Args:    "N",
		Summary: "print the entry of one index",
		Details: "Exit code 5 says that there is no such index: it lies past the end, or was\n" +
			"trimmed. -o bytes prints exactly the entry, and nothing after it.",
		Example: "paxlog read 42\npaxlog read 42 -o json\npaxlog read 42 -o bytes > file",
		Flags:   []command.Option{command.OutputOption("raw", "bytes", "length", "json"), command.NullOption, command.StaleOption, command.LearnerOption, command.LogIDOption, command.TimeoutOption},
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readReadOptions(in, env)
			if err != nil {
				return err
			}
			return runRead(ctx, env, opts)
		},
	}
}

// readReadOptions reads the flags and the argument of read.
func readReadOptions(in *command.Input, env *command.Environment) (readOptions, error) {
	opts := readOptions{Stale: in.On("stale")}
	arg, err := in.OneArgument()
	if err != nil {
		return opts, err
	}
	index, problem := parseIndex(arg)
	if problem != "" {
		return opts, command.Usagef("read: %q %s", arg, problem)
	}
	opts.Index = index
	if opts.Form, err = readEntryForm(in); err != nil {
		return opts, err
	}
	if opts.Timeout, err = in.Timeout(); err != nil {
		return opts, err
	}
	if opts.Cluster, err = clusterfile.FindLog(env, in); err != nil {
		return opts, err
	}
	opts.Learner, err = opts.Cluster.Learner(in)
	return opts, err
}

// runRead prints the entry. Its errors ask for ExitFailed, ExitUnavailable or
// ExitNoIndex.
func runRead(ctx context.Context, env *command.Environment, opts readOptions) error {
	c, err := opts.Cluster.Connect(ctx, opts.Timeout, clusterfile.AtLearner(opts.Learner)...)
	if err != nil {
		return err
	}
	defer c.Close()
	e, err := readEntry(ctx, c, opts.Index, opts.Stale)
	if err != nil {
		return err
	}
	p := newEntryPrinter(env.Stdout, opts.Form)
	if err := p.Print(shapes.FromResult(e.Result, e.Value, c.Log())); err != nil {
		return err
	}
	return p.Flush()
}

// readEntry returns the entry at index. If stale, only the learner is asked, and
// an entry that it does not have is not found.
func readEntry(ctx context.Context, c *client.Client, index client.Index, stale bool) (client.Entry, error) {
	if !stale {
		return c.Read(ctx, index)
	}
	for e, err := range c.Tail(ctx, client.TailOptions{From: client.FromIndex(index), To: index, Stale: true}) {
		return e, err
	}
	return client.Entry{}, fmt.Errorf("%w: %d at this learner, which may be behind; without --stale a quorum is asked", client.ErrNotFound, index)
}
