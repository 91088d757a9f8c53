package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// appendOptions say what to append, and how to report it.
type appendOptions struct {
	Cluster clusterfile.Found
	Values  []string      // entries from arguments; nil: read Input
	Input   string        // a path, or "-" for standard input; "" if Values is set
	Null    bool          // the input is split at NUL, not at newlines
	Whole   bool          // the input is one entry
	JSON    bool          // print an object for each entry, not its index
	Quiet   bool          // print nothing
	Timeout time.Duration // for each entry; 0 waits for ever
}

// Append is the command append.
func Append() *command.Command {
	return &command.Command{
		Name:    "append",
		Group:   command.GroupClients,
		Args:    "[VALUE...]",
		AnyText: true,
		Summary: "append entries to the log and print their indexes",
		Details: "Each argument is one entry. Without arguments, entries are read from FILE or\n" +
			"standard input: one a line; an empty line is an empty entry, and a last line\n" +
			"without newline counts. Indexes are printed in input order, each as soon as its\n" +
			"entry is learned.\n\n" +
			"After a failure nothing further is sent. Exit code 3 says that every unanswered\n" +
			"entry was certainly not appended, 4 that some may have been: `paxlog resolve`\n" +
			"finds out.",
		Example: "paxlog append hello world\npaxlog append -f events.log\npaxlog append -- -5",
		Flags: []command.Option{
			{Name: "file", Short: "f", Value: "FILE", Usage: "read entries from this file; - is standard input", Files: true},
			{Name: "null", Usage: "split the input at NUL instead of newlines"},
			{Name: "whole", Usage: "take the input as one entry"},
			command.OutputOption("plain", "json"),
			{Name: "quiet", Short: "q", Usage: "print nothing"},
			{Name: "timeout", Value: "DURATION", Usage: "how long to wait for each entry; 0 waits for ever", Preset: "10s"},
		},
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readAppendOptions(in, env)
			if err != nil {
				return err
			}
			return runAppend(ctx, env, opts)
		},
	}
}

// readAppendOptions reads the flags and arguments of append. Arguments win over what
// the environment says about the input, and contradict flags about it.
func readAppendOptions(in *command.Input, env *command.Environment) (appendOptions, error) {
	opts := appendOptions{Quiet: in.On("quiet")}
	format, err := in.Output()
	if err != nil {
		return opts, err
	}
	opts.JSON = format == "json"
	if opts.Timeout, err = in.Timeout(); err != nil {
		return opts, err
	}
	if len(in.Args) > 0 {
		for _, name := range []string{"file", "null", "whole"} {
			if in.Given[name] {
				return opts, command.Usagef("append: --%s is about input from a file, but %q is given as an entry: leave one of them out", name, in.Args[0])
			}
		}
		opts.Values = in.Args
	} else {
		opts.Null, opts.Whole = in.On("null"), in.On("whole")
		if opts.Null && opts.Whole {
			return opts, command.Usagef("append: --null splits the input, and --whole keeps it in one piece: leave one of them out")
		}
		if opts.Input = in.Text("file"); opts.Input == "" {
			opts.Input = "-"
		}
	}
	opts.Cluster, err = clusterfile.Find(env)
	return opts, err
}

// open returns the entries to append, read as they are asked for, and what closes
// the input. Its error asks for ExitFailed.
func (opts appendOptions) open(env *command.Environment) (next func() ([]byte, error), closeInput func() error, err error) {
	limit := opts.Cluster.Limits.EntryBytes
	if opts.Values != nil {
		return argumentEntries(opts.Values, limit), func() error { return nil }, nil
	}
	from, closeInput := env.Stdin, func() error { return nil }
	if opts.Input != "-" {
		f, err := os.Open(opts.Input)
		if err != nil {
			return nil, nil, err
		}
		from, closeInput = f, f.Close
	}
	switch {
	case opts.Whole:
		return newWhole(from, limit).Next, closeInput, nil
	case opts.Null:
		return newSplitter(from, 0, limit).Next, closeInput, nil
	}
	return newSplitter(from, '\n', limit).Next, closeInput, nil
}

// argumentEntries returns values one by one, then io.EOF, as splitter.Next does.
func argumentEntries(values []string, limit int) func() ([]byte, error) {
	next := 0
	return func() ([]byte, error) {
		if next == len(values) {
			return nil, io.EOF
		}
		if len(values[next]) > limit {
			return nil, &entrySizeError{Entry: uint64(next) + 1, Limit: limit}
		}
		next++
		return []byte(values[next-1]), nil
	}
}

// runAppend appends the entries in order and prints each one's receipt in input
// order. Its errors ask for ExitFailed, ExitUnavailable or ExitUnknown.
func runAppend(ctx context.Context, env *command.Environment, opts appendOptions) error {
	c, err := opts.Cluster.Connect(ctx, opts.Timeout, client.WithInflight(InflightRoom))
	if err != nil {
		return err
	}
	defer c.Close()
	next, closeInput, err := opts.open(env)
	if err != nil {
		return err
	}
	defer func() { _ = closeInput() }() // it was only read
	shown := opts.progress(env)
	defer shown.stop()
	receipts := newReceiptPrinter(env.Stdout, opts.JSON, opts.Quiet)
	var unprinted idRange // answered, and not known to be written
	a := &appender{session: c.NewSession(), next: next}
	a.idle = func() error {
		err := receipts.Flush()
		if err == nil {
			unprinted = idRange{}
		}
		return err
	}
	a.answered = func(r client.Result, entryBytes int) error {
		unprinted.add(r.AppendID)
		shown.add(r.Index, entryBytes)
		return receipts.Print(shapes.FromResult(r, nil))
	}
	err = a.run(ctx)
	if failed := receipts.Flush(); failed != nil { // also if that is why it ended
		return explainOutput(env, failed, unprinted, err)
	}
	shown.stop()
	return explainAppend(env, err)
}

// idRange is a range of entries of a session; the zero value is none.
type idRange struct {
	session     paxos.SessionID
	first, last uint64
}

// add adds the next entry; one of another session begins a new range.
func (r *idRange) add(id paxos.AppendID) {
	if r.session != id.Session || r.first == 0 {
		r.session, r.first = id.Session, id.Seq
	}
	r.last = id.Seq
}

// explainOutput says which entries nobody has been told of because standard output
// failed: those of unprinted, and those with which the appender ended.
func explainOutput(env *command.Environment, failed error, unprinted idRange, ended error) error {
	if errors.Is(failed, command.ErrOutputClosed) {
		return failed // nobody wants to know
	}
	var unknown *client.UnknownOutcomeError
	if errors.As(ended, &unknown) {
		unprinted.add(paxos.AppendID{Session: unknown.Session, Seq: unknown.First})
		unprinted.last = unknown.Last
	}
	fmt.Fprintf(env.Stderr, "unknown: %s/%d..%d\n", unprinted.session, unprinted.first, unprinted.last)
	return command.Exitf(command.ExitUnknown, "%w; %d entries that were not reported may have been appended; `paxlog resolve %s` tells for good",
		failed, unprinted.last-unprinted.first+1, paxos.AppendID{Session: unprinted.session, Seq: unprinted.first})
}

// explainAppend says what became of entries that were not answered, and what to
// do about them.
func explainAppend(env *command.Environment, err error) error {
	var unknown *client.UnknownOutcomeError
	var interrupted *command.SignalError
	switch {
	case errors.As(err, &unknown):
		fmt.Fprintf(env.Stderr, "unknown: %s/%d..%d\n", unknown.Session, unknown.First, unknown.Last)
		return command.Exitf(command.ExitUnknown, "%d of the entries may have been appended, and may still be (%v); `paxlog resolve %s` tells for good",
			unknown.Last-unknown.First+1, unknown.Cause, unknown.AppendID())
	case errors.Is(err, client.ErrUnavailable) && !errors.As(err, &interrupted):
		return fmt.Errorf("%w; what was not answered was certainly not appended; `paxlog status` shows what is missing", err)
	}
	return err
}
