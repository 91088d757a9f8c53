package clients

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// tailOptions say which entries to print.
type tailOptions struct {
	Cluster clusterfile.Found
	From    start
	To      paxos.Index // the last index to print; 0 for no bound; may lie below From
	Count   uint64      // how many entries to print; 0 for no bound
	Follow  bool        // go on when the end is reached
	Form    entryForm
	Stale   bool          // what the learner has, without asking a quorum
	Learner paxos.NodeID  // "" for any
	Timeout time.Duration // for finding where the log starts and ends; 0 waits for ever
}

// Tail is the command tail.
func Tail() *command.Command {
	return &command.Command{
		Name:    "tail",
		Group:   command.GroupClients,
		Summary: "print the log, from its start or from --from on",
		Details: "Stops at the end of the log as it was when asked; that includes every entry\n" +
			"whose append had been answered. With -f it goes on following until interrupted.\n\n" +
			"START is an index, start, end, -N for the last N entries, @TIME for the first\n" +
			"entry of that time or later, or @-10m for ten minutes ago. TIME is RFC 3339, or as\n" +
			"`date --rfc-3339`, `date +%s` and PostgreSQL print it, always with a zone.\n" +
			"A start one past the end prints nothing, and waits with -f; one further ahead is\n" +
			"refused, exit code 5. A time in the future is past the end.\n\n" +
			"-o length prints each entry's length as a uvarint, then its bytes, and -o json an\n" +
			"object a line: append --input reads both, whatever the bytes are.",
		Example: "paxlog tail -f --from end\npaxlog tail --from -10\npaxlog tail --from @-10m -o json\npaxlog tail --from -1 -n 1 -o bytes > file",
		Flags: []command.Option{
			{Name: "follow", Short: "f", Usage: "go on at the end, through outages, until interrupted"},
			{Name: "from", Value: "START", Usage: "where to begin", Preset: "start"},
			{Name: "to", Value: "N", Usage: "the last index to print"},
			{Name: "count", Short: "n", Value: "COUNT", Usage: "stop after so many entries"},
			command.OutputOption("raw", "bytes", "length", "json"),
			command.NullOption, command.StaleOption, command.LearnerOption, command.LogIDOption,
			{Name: "timeout", Value: "DURATION", Usage: "how long to wait until it starts; 0 waits for ever", Preset: "10s"},
		},
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readTailOptions(in, env)
			if err != nil {
				return err
			}
			return runTail(ctx, env, opts)
		},
	}
}

// readTailOptions reads the flags of tail.
func readTailOptions(in *command.Input, env *command.Environment) (tailOptions, error) {
	opts := tailOptions{Follow: in.On("follow"), Stale: in.On("stale")}
	err := in.NoArguments()
	if err != nil {
		return opts, err
	}
	from, problem := parseStart(in.Text("from"), env.Now())
	if problem != "" {
		return opts, in.Bad("from", "%s", problem)
	}
	opts.From = from
	if text := in.Text("to"); text != "" {
		index, problem := parseIndex(text)
		if problem != "" {
			return opts, in.Bad("to", "%s", problem)
		}
		opts.To = index
	}
	if text := in.Text("count"); text != "" {
		if opts.Count, err = strconv.ParseUint(text, 10, 64); err != nil || opts.Count == 0 {
			return opts, in.Bad("count", "must be a number from 1")
		}
	}
	if opts.Form, err = readEntryForm(in); err != nil {
		return opts, err
	}
	if opts.Form.Bytes && opts.Count != 1 {
		return opts, in.Bad("output", "is exactly the bytes of one entry: say -n 1, or raw for a newline after each")
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

// runTail prints the entries. When following it returns the cause of ctx's end.
// Its errors ask for ExitFailed, ExitUnavailable or ExitNoIndex (trimmed).
func runTail(ctx context.Context, env *command.Environment, opts tailOptions) error {
	c, err := opts.Cluster.Connect(ctx, opts.Timeout, clusterfile.AtLearner(opts.Learner)...)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, unwatch := env.WhileRead(ctx)
	defer unwatch()
	err = printTail(ctx, newEntryPrinter(env.Stdout, opts.Form), c, client.TailOptions{
		From: opts.From.position(), To: opts.To, Count: opts.Count, Follow: opts.Follow, Stale: opts.Stale,
	})
	if errors.Is(err, client.ErrUnavailable) && command.CodeOf(err) == command.ExitUnavailable && !opts.Stale {
		err = fmt.Errorf("%w; `paxlog status` shows what is missing, and `paxlog tail --stale` prints what a learner has", err)
	}
	return err
}

// tailBuffer is how many entries wait to be printed. Each keeps a page of the log
// in memory.
const tailBuffer = 16

// printTail prints what the tail yields, and returns what it ended with.
func printTail(ctx context.Context, p *entryPrinter, c *client.Client, opts client.TailOptions) error {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	entries := make(chan shapes.Entry, tailBuffer)
	var ended error // set before entries is closed
	go func() {
		defer close(entries)
		for e, err := range c.Tail(reading, opts) {
			if err != nil {
				ended = err
				return
			}
			select {
			case entries <- shapes.FromResult(e.Result, e.Value, c.Log()):
			case <-reading.Done():
				ended = context.Cause(reading)
				return
			}
		}
	}()
	if err := p.PrintAll(ctx, entries); err != nil {
		return err
	}
	if ended == nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return ended
}
