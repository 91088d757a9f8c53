package clients

import (
	"context"
	"errors"
	"fmt"
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
	Form    string        // of the input: lines, length or json
	Null    bool          // the input is split at NUL, not at newlines
	Whole   bool          // the input is one entry
	Require bool          // a last line without its newline is no entry
	Skip    bool          // entries over the limit are passed over
	JSON    bool          // print an object for each entry, not its index
	Quiet   bool          // print nothing
	Timeout time.Duration // for each entry; 0 waits for ever
}

// The values of --oversize.
const (
	oversizeStop = "stop"
	oversizeSkip = "skip"
)

// The values of --input.
const (
	inputLines  = "lines"
	inputLength = "length"
	inputJSON   = "json"
)

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
			"without newline counts, unless --require-newline says that it is half an entry.\n" +
			"Indexes are printed in input order, each as soon as its entry is learned. Whoever\n" +
			"feeds it from a program that never ends wants --timeout 0: it waits through\n" +
			"outages, where the default gives up after ten seconds. --input length and --input\n" +
			"json read what tail -o length and tail -o json print: any bytes pass unchanged.\n\n" +
			"After a failure nothing further is sent, and standard error says which entries of\n" +
			"the input were certainly not appended. Exit code 3 says that every unanswered\n" +
			"entry was certainly not appended, 4 that some may have been: `paxlog resolve`\n" +
			"finds out. A standard output that is closed stops the printing and not the\n" +
			"appending.",
		Example: "paxlog append hello world\npaxlog append -f events.log\npaxlog append -- -5\npaxlog tail -o length | paxlog append --config other.yaml --input length",
		Flags: []command.Option{
			{Name: "file", Short: "f", Value: "FILE", Usage: "read entries from this file; - is standard input", Files: true},
			{Name: "input", Value: "FORM", Usage: "lines, or length or json as tail -o prints them", Preset: inputLines, Values: []string{inputLines, inputLength, inputJSON}},
			{Name: "null", Usage: "split the input at NUL instead of newlines"},
			{Name: "whole", Usage: "take the input as one entry"},
			{Name: "require-newline", Usage: "a last line without newline is no entry (with --null, one without NUL)"},
			{Name: "oversize", Value: "ACTION", Usage: "at an entry over limits.entry_bytes: stop, or skip it and tell its number at the end", Preset: oversizeStop, Values: []string{oversizeSkip, oversizeStop}},
			command.OutputOption("plain", "json"),
			command.LogIDOption,
			{Name: "quiet", Short: "q", Usage: "print nothing"},
			{Name: "timeout", Value: "DURATION", Usage: "how long to wait for each entry; 0 waits for ever, which is what feeders want", Preset: "10s"},
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
	if err := in.CheckValue("oversize"); err != nil {
		return opts, err
	}
	opts.Skip = in.Text("oversize") == oversizeSkip
	if len(in.Args) > 0 {
		for _, name := range []string{"file", "input", "null", "whole", "require-newline"} {
			if in.Given[name] {
				return opts, command.Usagef("append: --%s is about input from a file, but %q is given as an entry: leave one of them out", name, in.Args[0])
			}
		}
		opts.Values = in.Args
	} else {
		opts.Null, opts.Whole, opts.Require = in.On("null"), in.On("whole"), in.On("require-newline")
		if err := in.CheckValue("input"); err != nil {
			return opts, err
		}
		opts.Form = in.Text("input")
		if opts.Form != inputLines {
			for _, name := range []string{"null", "whole", "require-newline"} {
				if in.On(name) {
					return opts, command.Usagef("append: --%s is about lines, and --input %s says where each entry ends: leave one of them out", name, opts.Form)
				}
			}
		}
		if opts.Null && opts.Whole {
			return opts, command.Usagef("append: --null splits the input, and --whole keeps it in one piece: leave one of them out")
		}
		if opts.Whole && opts.Require {
			return opts, command.Usagef("append: --require-newline is about the last line, and --whole takes the input as it is: leave one of them out")
		}
		if opts.Input = in.Text("file"); opts.Input == "" {
			opts.Input = "-"
		}
	}
	opts.Cluster, err = clusterfile.FindLog(env, in)
	return opts, err
}

// input is a source that also says what of it was no entry.
type input interface {
	source
	notes() []string
}

// open returns the entries to append, read as they are asked for, and what closes
// the input. Its error asks for ExitFailed.
func (opts appendOptions) open(env *command.Environment) (from input, closeInput func() error, err error) {
	limit := opts.Cluster.Limits.EntryBytes
	if opts.Values != nil {
		return &arguments{values: opts.Values, limit: limit, skipLong: opts.Skip}, func() error { return nil }, nil
	}
	file, closeInput := env.Stdin, func() error { return nil }
	if opts.Input != "-" {
		f, err := os.Open(opts.Input)
		if err != nil {
			return nil, nil, command.NotOpened(err)
		}
		file, closeInput = f, f.Close
	}
	switch opts.Form {
	case inputLength:
		return newLengthSource(file, limit, opts.Skip), closeInput, nil
	case inputJSON:
		return newJSONSource(file, limit, opts.Skip), closeInput, nil
	}
	s := newSplitter(file, '\n', limit)
	switch {
	case opts.Whole:
		s = newWhole(file, limit)
	case opts.Null:
		s.sep = 0
	}
	s.requireSep, s.skipLong = opts.Require, opts.Skip
	return s, closeInput, nil
}

// runAppend appends the entries in order and prints each one's receipt in input
// order. Its errors ask for ExitFailed, ExitUnavailable or ExitUnknown.
func runAppend(ctx context.Context, env *command.Environment, opts appendOptions) error {
	c, err := opts.Cluster.Connect(ctx, opts.Timeout, client.WithInflight(InflightRoom))
	if err != nil {
		return err
	}
	defer c.Close()
	from, closeInput, err := opts.open(env)
	if err != nil {
		return err
	}
	defer func() { _ = closeInput() }() // it was only read
	shown := opts.progress(env)
	defer shown.stop()
	receipts := &receipts{printer: newReceiptPrinter(env.Stdout, opts.JSON, opts.Quiet), log: c.Log}
	a := &appender{session: c.NewSession(), source: from, idle: receipts.flush}
	a.answered = func(r client.Result, entryBytes int) error {
		shown.add(uint64(r.Index), entryBytes)
		return receipts.print(r)
	}
	ended := a.run(ctx)
	failed := receipts.flush() // also if that is why it ended
	shown.stop()
	for _, line := range from.notes() {
		fmt.Fprintln(env.Stderr, line)
	}
	err = explainAppend(ended)
	if failed != nil {
		err = explainOutput(failed, receipts.unprinted, ended)
	}
	tellUnknown(env, err)
	count, first := a.notAppended()
	var long *entrySizeError
	switch {
	case err == nil || count == 0:
	case errors.As(err, &long): // whose message is about the input, too
		err = fmt.Errorf("%w (not appended: %s, from input entry %d on)", err, entries(count), first)
	default:
		err = &command.ExitError{Code: command.CodeOf(err), Err: err, Then: fmt.Sprintf("not appended: %s, from input entry %d on", entries(count), first)}
	}
	return err
}

// receipts prints what became of entries, until nobody reads it.
type receipts struct {
	printer   *entryPrinter
	log       func() client.LogID
	closed    bool    // nobody reads
	unprinted idRange // answered, and not known to be written
}

func (r *receipts) print(answer client.Result) error {
	if r.closed {
		return nil
	}
	r.unprinted.add(answer.AppendID)
	return r.check(r.printer.Print(shapes.FromResult(answer, nil, r.log())))
}

func (r *receipts) flush() error {
	if r.closed {
		return nil
	}
	err := r.printer.Flush()
	if err == nil {
		r.unprinted = idRange{}
	}
	return r.check(err)
}

// check makes nothing of a reader that has gone: it does not want to know, and what is
// appended is not up to it.
func (r *receipts) check(err error) error {
	if errors.Is(err, command.ErrOutputClosed) {
		r.closed = true
		return nil
	}
	return err
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

// unknownError says which entries may have been appended. It asks for ExitUnknown.
type unknownError struct {
	idRange
	text string
}

// Error implements error.
func (e *unknownError) Error() string { return e.text }

// tellUnknown prints which entries may have been appended, in a form for programs.
func tellUnknown(env *command.Environment, err error) {
	var unknown *unknownError
	if errors.As(err, &unknown) {
		fmt.Fprintf(env.Stderr, "unknown: %s/%d..%d\n", unknown.session, unknown.first, unknown.last)
	}
}

// explainOutput says which entries nobody has been told of because standard output
// failed: those of unprinted, and those with which the appender ended.
func explainOutput(failed error, unprinted idRange, ended error) error {
	var unknown *client.UnknownOutcomeError
	if errors.As(ended, &unknown) {
		unprinted.add(paxos.AppendID{Session: unknown.Session, Seq: unknown.First})
		unprinted.last = unknown.Last
	}
	return command.Exitf(command.ExitUnknown, "%w", &unknownError{unprinted, fmt.Sprintf(
		"%v; %d entries that were not reported may have been appended; `paxlog resolve %s` tells for good",
		failed, unprinted.last-unprinted.first+1, paxos.AppendID{Session: unprinted.session, Seq: unprinted.first})})
}

// explainAppend says what became of entries that were not answered, and what to do
// about them.
func explainAppend(err error) error {
	var unknown *client.UnknownOutcomeError
	var interrupted *command.SignalError
	switch {
	case errors.As(err, &unknown):
		return command.Exitf(command.ExitUnknown, "%w", &unknownError{
			idRange{unknown.Session, unknown.First, unknown.Last}, fmt.Sprintf(
				"%d of the entries may have been appended, and may still be (%v); `paxlog resolve %s` tells for good",
				unknown.Last-unknown.First+1, unknown.Cause, unknown.AppendID())})
	case errors.Is(err, client.ErrNoSpace):
		return fmt.Errorf("%w; what was not answered was certainly not appended", err)
	case errors.Is(err, client.ErrUnavailable) && !errors.As(err, &interrupted):
		return fmt.Errorf("%w; what was not answered was certainly not appended; `paxlog status` shows what is missing", err)
	}
	return err
}
