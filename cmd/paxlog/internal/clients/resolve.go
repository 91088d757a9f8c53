package clients

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// resolveOptions say whose outcome to find out.
type resolveOptions struct {
	Cluster clusterfile.Found
	IDs     []idRange // in the order given
	JSON    bool
	Timeout time.Duration // 0 waits for ever
}

// Resolve is the command resolve.
func Resolve() *command.Command {
	return &command.Command{
		Name:    "resolve",
		Group:   command.GroupClients,
		Args:    "APPEND_ID...",
		Summary: "find out whether entries were appended, for good",
		Details: "Prints `chosen INDEX`, `chosen below N` if it was trimmed, or `never`, a line for\n" +
			"each, in order. APPEND_ID may be what\n" +
			"append prints after `unknown:`, SESSION/FIRST..LAST. The answer is final: it ends\n" +
			"the session of the append, and an appender that still uses it stops and says so.\n" +
			"Exit code 3 says that it cannot be decided now, 5 that nothing is known of\n" +
			"its session any more; what is decided stays printed.",
		Example: "paxlog resolve 0000000000000010c3a5b7f19e8d2c4b6a7f5e3d/7",
		Flags:   []command.Option{command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption},
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readResolveOptions(in, env)
			if err != nil {
				return err
			}
			return runResolve(ctx, env, opts)
		},
	}
}

// readResolveOptions reads the flags and the argument of resolve.
func readResolveOptions(in *command.Input, env *command.Environment) (resolveOptions, error) {
	var opts resolveOptions
	args, err := in.SomeArguments()
	if err != nil {
		return opts, err
	}
	for _, arg := range args {
		ids, err := parseIDs(arg)
		if err != nil {
			return opts, command.Usagef("resolve: %w", err)
		}
		opts.IDs = append(opts.IDs, ids)
	}
	format, err := in.Output()
	if err != nil {
		return opts, err
	}
	opts.JSON = format == "json"
	if opts.Timeout, err = in.Timeout(); err != nil {
		return opts, err
	}
	opts.Cluster, err = clusterfile.FindLog(env, in)
	return opts, err
}

// parseIDs reads an append id, or a range as append prints it.
func parseIDs(text string) (idRange, error) {
	one, end, isRange := strings.Cut(text, "..")
	id, err := paxos.ParseAppendID(one)
	if err != nil {
		return idRange{}, err
	}
	if !isRange {
		return idRange{session: id.Session, first: id.Seq, last: id.Seq}, nil
	}
	last, err := strconv.ParseUint(end, 10, 64)
	if err != nil || last < id.Seq {
		return idRange{}, fmt.Errorf("%q: %w: a range ends with a number that is not below the one it begins with, as in SESSION/3..7", text, paxos.ErrAppendID)
	}
	return idRange{session: id.Session, first: id.Seq, last: last}, nil
}

// runResolve prints the outcomes. Its errors ask for ExitFailed, ExitUnavailable
// or ExitNoIndex.
func runResolve(ctx context.Context, env *command.Environment, opts resolveOptions) error {
	c, err := opts.Cluster.Connect(ctx, opts.Timeout)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, ids := range opts.IDs {
		id := paxos.AppendID{Session: ids.session, Seq: ids.first}
		for n := ids.last - ids.first; ; n-- { // counted: a range may end at the highest number
			if err := resolveOne(ctx, env, c, id, opts.JSON); err != nil {
				return err
			}
			if n == 0 {
				break
			}
			id.Seq++
		}
	}
	return nil
}

// resolveOne finds out about one append, and prints it.
func resolveOne(ctx context.Context, env *command.Environment, c *client.Client, id paxos.AppendID, json bool) error {
	found, err := c.Resolve(ctx, id)
	if err != nil {
		return err
	}
	result := "never"
	if found.Chosen {
		result = "chosen"
	}
	if json {
		return shapes.NewEncoder(env.Stdout).Encode(shapes.Resolution{
			AppendID: id.String(), Result: result, Index: shapes.Known(found.Index, found.Chosen && found.Below == 0), Below: found.Below,
		})
	}
	switch {
	case found.Below != 0:
		result = fmt.Sprintf("chosen below %d", found.Below)
	case found.Chosen:
		result = fmt.Sprintf("chosen %d", found.Index)
	}
	_, err = fmt.Fprintln(env.Stdout, result)
	return err
}
