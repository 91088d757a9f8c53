package clients

import (
	"context"
	"math"
	"strconv"
	"strings"
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

// startKind says in which way a start is given.
type startKind int

// The kinds of starts.
const (
	startFirst startKind = iota // the first entry that the log still has
	startEnd                    // after the last entry
	startIndex                  // Index
	startLast                   // the last Last entries
	startTime                   // the first entry of Time or later
)

// start is where tail begins.
type start struct {
	Kind  startKind
	Index paxos.Index     // at least 1
	Last  uint64          // at least 1
	Time  paxos.UnixNanos // at least 1
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
			"entry of that time (RFC 3339) or later, or @-10m for ten minutes ago. A start\n" +
			"past the end prints nothing; with -f it waits.",
		Example: "paxlog tail -f --from end\npaxlog tail --from -10\npaxlog tail --from @-10m -o json",
		Flags: []command.Option{
			{Name: "follow", Short: "f", Usage: "go on at the end, through outages, until interrupted"},
			{Name: "from", Value: "START", Usage: "where to begin", Preset: "start"},
			{Name: "to", Value: "N", Usage: "the last index to print"},
			{Name: "count", Short: "n", Value: "COUNT", Usage: "stop after so many entries"},
			command.OutputOption("raw", "json"),
			command.NullOption, command.StaleOption, command.LearnerOption,
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
	if opts.Timeout, err = in.Timeout(); err != nil {
		return opts, err
	}
	if opts.Cluster, err = clusterfile.Find(env); err != nil {
		return opts, err
	}
	opts.Learner, err = opts.Cluster.Learner(in)
	return opts, err
}

// parseIndex reads the index of an entry, or says what is wrong with it.
func parseIndex(text string) (index paxos.Index, problem string) {
	n, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil:
		return 0, "must be the index of an entry, a number from 1"
	case n == 0:
		return 0, "is no index: the first entry has index 1"
	}
	return paxos.Index(n), ""
}

// parseStart reads the value of --from, or says what is wrong with it. now is
// what times such as @-10m count from.
func parseStart(text string, now time.Time) (s start, problem string) {
	switch {
	case text == "start":
		return start{Kind: startFirst}, ""
	case text == "end":
		return start{Kind: startEnd}, ""
	case strings.HasPrefix(text, "@"):
		return parseStartTime(text[1:], now)
	case strings.HasPrefix(text, "-"):
		n, err := strconv.ParseUint(text[1:], 10, 64)
		if err != nil || n == 0 {
			return start{}, "must be - and how many of the last entries to print, such as -10"
		}
		return start{Kind: startLast, Last: n}, ""
	}
	n, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil:
		return start{}, "must be an index, start, end, -N, @TIME or @-10m"
	case n == 0:
		return start{}, "is no index: the first entry has index 1"
	}
	return start{Kind: startIndex, Index: paxos.Index(n)}, ""
}

// parseStartTime reads what follows the @. Times outside the years 1970 to 2262
// are moved to the nearest that the log can hold.
func parseStartTime(text string, now time.Time) (start, string) {
	var t time.Time
	if strings.HasPrefix(text, "-") {
		ago, err := time.ParseDuration(text[1:])
		if err != nil || ago < 0 {
			return start{}, "must be @- and a duration, such as @-10m or @-1h30m"
		}
		t = now.Add(-ago)
	} else {
		var err error
		if t, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return start{}, "must be @ and a time of RFC 3339, such as @2026-01-02T15:04:05Z, or @- and a duration, such as @-10m"
		}
	}
	nanos := t.UnixNano()
	switch {
	case t.Before(time.Unix(0, 1)):
		nanos = 1
	case t.After(time.Unix(0, math.MaxInt64)):
		nanos = math.MaxInt64
	}
	return start{Kind: startTime, Time: paxos.UnixNanos(nanos)}, ""
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
	return printTail(ctx, newEntryPrinter(env.Stdout, opts.Form), c, client.TailOptions{
		From: opts.From.position(), To: uint64(opts.To), Count: opts.Count, Follow: opts.Follow, Stale: opts.Stale,
	})
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
			case entries <- shapes.FromResult(e.Result, e.Value):
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

// position translates s.
func (s start) position() client.Position {
	switch s.Kind {
	case startEnd:
		return client.FromEnd()
	case startIndex:
		return client.FromIndex(uint64(s.Index))
	case startLast:
		return client.FromLast(s.Last)
	case startTime:
		return client.FromTime(time.Unix(0, int64(s.Time)))
	}
	return client.FromStart()
}
