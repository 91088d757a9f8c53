package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/paxos"
)

// appendOptions say what to append, and how to report it.
type appendOptions struct {
	Cluster clientCluster
	Values  []string      // entries from arguments; nil: read Input
	Input   string        // a path, or "-" for standard input; "" if Values is set
	Null    bool          // the input is split at NUL, not at newlines
	Whole   bool          // the input is one entry
	JSON    bool          // print an object for each entry, not its index
	Quiet   bool          // print nothing
	Timeout time.Duration // for each entry; 0 waits for ever
}

func appendCommand() *command {
	return &command{
		name:    "append",
		group:   groupClients,
		args:    "[VALUE...]",
		anyText: true,
		summary: "append entries to the log and print their indexes",
		details: "Each argument is one entry. Without arguments, entries are read from FILE or\n" +
			"standard input: one a line; an empty line is an empty entry, and a last line\n" +
			"without newline counts. Indexes are printed in input order, each as soon as its\n" +
			"entry is learned.\n\n" +
			"After a failure nothing further is sent. Exit code 3 says that every unanswered\n" +
			"entry was certainly not appended, 4 that some may have been: `paxlog resolve`\n" +
			"finds out.",
		example: "paxlog append hello world\npaxlog append -f events.log\npaxlog append -- -5",
		flags: []option{
			{name: "file", short: "f", value: "FILE", usage: "read entries from this file; - is standard input", files: true},
			{name: "null", usage: "split the input at NUL instead of newlines"},
			{name: "whole", usage: "take the input as one entry"},
			outputOption("plain", "json"),
			{name: "quiet", short: "q", usage: "print nothing"},
			{name: "timeout", value: "DURATION", usage: "how long to wait for each entry; 0 waits for ever", preset: "10s"},
		},
		action: func(ctx context.Context, env *environment, in *input) error {
			opts, err := in.appendOptions(env)
			if err != nil {
				return err
			}
			return runAppend(ctx, env, opts)
		},
	}
}

// appendOptions reads the flags and arguments of append. Arguments win over what
// the environment says about the input, and contradict flags about it.
func (in *input) appendOptions(env *environment) (appendOptions, error) {
	opts := appendOptions{Quiet: in.on("quiet")}
	format, err := in.output()
	if err != nil {
		return opts, err
	}
	opts.JSON = format == "json"
	if opts.Timeout, err = in.timeout(); err != nil {
		return opts, err
	}
	if len(in.args) > 0 {
		for _, name := range []string{"file", "null", "whole"} {
			if in.given[name] {
				return opts, usagef("append: --%s is about input from a file, but %q is given as an entry: leave one of them out", name, in.args[0])
			}
		}
		opts.Values = in.args
	} else {
		opts.Null, opts.Whole = in.on("null"), in.on("whole")
		if opts.Null && opts.Whole {
			return opts, usagef("append: --null splits the input, and --whole keeps it in one piece: leave one of them out")
		}
		if opts.Input = in.text("file"); opts.Input == "" {
			opts.Input = "-"
		}
	}
	opts.Cluster, err = env.clientCluster()
	return opts, err
}

// open returns the entries to append, read as they are asked for, and what closes
// the input. Its error asks for ExitFailed.
func (opts appendOptions) open(env *environment) (next func() ([]byte, error), closeInput func() error, err error) {
	limit := opts.Cluster.Limits.EntryBytes
	if opts.Values != nil {
		return argumentEntries(opts.Values, limit), func() error { return nil }, nil
	}
	from, closeInput := env.stdin, func() error { return nil }
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
func runAppend(ctx context.Context, env *environment, opts appendOptions) error {
	c, err := opts.Cluster.connect(ctx, opts.Timeout, client.WithInflight(inflightRoom))
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
	receipts := newReceiptPrinter(env.stdout, opts.JSON, opts.Quiet)
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
		return receipts.Print(entryOf(r, nil))
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
func explainOutput(env *environment, failed error, unprinted idRange, ended error) error {
	if errors.Is(failed, errOutputClosed) {
		return failed // nobody wants to know
	}
	var unknown *client.UnknownOutcomeError
	if errors.As(ended, &unknown) {
		unprinted.add(paxos.AppendID{Session: unknown.Session, Seq: unknown.First})
		unprinted.last = unknown.Last
	}
	fmt.Fprintf(env.stderr, "unknown: %s/%d..%d\n", unprinted.session, unprinted.first, unprinted.last)
	return exitf(ExitUnknown, "%w; %d entries that were not reported may have been appended; `paxlog resolve %s` tells for good",
		failed, unprinted.last-unprinted.first+1, paxos.AppendID{Session: unprinted.session, Seq: unprinted.first})
}

// explainAppend says what became of entries that were not answered, and what to
// do about them.
func explainAppend(env *environment, err error) error {
	var unknown *client.UnknownOutcomeError
	var interrupted *signalError
	switch {
	case errors.As(err, &unknown):
		fmt.Fprintf(env.stderr, "unknown: %s/%d..%d\n", unknown.Session, unknown.First, unknown.Last)
		return exitf(ExitUnknown, "%d of the entries may have been appended, and may still be (%v); `paxlog resolve %s` tells for good",
			unknown.Last-unknown.First+1, unknown.Cause, unknown.AppendID())
	case errors.Is(err, client.ErrUnavailable) && !errors.As(err, &interrupted):
		return fmt.Errorf("%w; what was not answered was certainly not appended; `paxlog status` shows what is missing", err)
	}
	return err
}
