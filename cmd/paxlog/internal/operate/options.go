package operate

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
)

// options are those that all commands of this package have.
type options struct {
	Cluster clusterfile.Found
	JSON    bool
	Yes     bool
	Timeout time.Duration // 0 waits for ever
}

var yesOption = command.Option{Name: "yes", Usage: "do not ask, on a terminal"}

// readOptions reads the common flags.
func readOptions(in *command.Input, env *command.Environment) (opts options, err error) {
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

// connected calls f with a client of the cluster, and the time that there is.
func (o *options) connected(ctx context.Context, f func(context.Context, *client.Client) error) error {
	c, err := o.Cluster.Connect(ctx, o.Timeout)
	if err != nil {
		return err
	}
	defer c.Close()
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.Timeout, command.Exitf(command.ExitUnavailable, "not done within %v; it may be done all the same: `paxlog status` shows it", o.Timeout))
		defer cancel()
	}
	return f(ctx, c)
}

// action is what a command without arguments does.
type action = func(context.Context, *command.Environment, *command.Input) error

// withOptions is the action that reads the common flags, and then runs run.
func withOptions(run func(context.Context, *command.Environment, options) error) action {
	return func(ctx context.Context, env *command.Environment, in *command.Input) error {
		if err := in.NoArguments(); err != nil {
			return err
		}
		opts, err := readOptions(in, env)
		if err != nil {
			return err
		}
		return run(ctx, env, opts)
	}
}

// shows is the action that asks the cluster for something, and prints it.
func shows(ask func(context.Context, *command.Environment, *client.Client, options) error) action {
	return withOptions(func(ctx context.Context, env *command.Environment, opts options) error {
		return opts.connected(ctx, func(ctx context.Context, c *client.Client) error { return ask(ctx, env, c, opts) })
	})
}

// position is a place in the log: an index, or the first entry of a time or later.
type position struct {
	Index client.Index // 0: that of At
	At    time.Time
}

// readPosition reads a flag that says N or @TIME. must says what it has to be.
func readPosition(in *command.Input, env *command.Environment, flag, must string) (x position, err error) {
	text, err := in.Require(flag)
	if err != nil {
		return x, err
	}
	problem := ""
	if at, isTime := strings.CutPrefix(text, "@"); isTime {
		x.At, problem = command.ParseTime(at, env.Now())
	} else if n, err := strconv.ParseUint(text, 10, 64); err != nil || n == 0 {
		problem = must
	} else {
		x.Index = client.Index(n)
	}
	if problem != "" {
		return x, in.Bad(flag, "%s", problem)
	}
	return x, nil
}

// in is the index of the position in the log of c.
func (x position) in(ctx context.Context, c *client.Client) (client.Index, error) {
	if x.Index > 0 {
		return x.Index, nil
	}
	return c.IndexAt(ctx, x.At)
}

// agree shows a plan, and asks whether to go on, if somebody is there to answer. It says which
// cluster that is about, where nobody has named one.
func (o *options) agree(env *command.Environment, plan string) error {
	if o.Cluster.Assumed() && command.IsTerminal(env.Stderr) {
		fmt.Fprintf(env.Stderr, "No %s here: this is the cluster of `paxlog dev` on this host, whose first acceptor is at %s.\n", clusterfile.DefaultName, o.Cluster.Acceptors[0].Addr)
	}
	if o.Yes || !command.IsTerminal(env.Stdin) {
		return nil
	}
	fmt.Fprintf(env.Stderr, "%s Go on? [y/N] ", plan)
	line, err := bufio.NewReader(env.Stdin).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); err != nil || answer != "y" && answer != "yes" {
		return command.Exitf(command.ExitFailed, "nothing was done")
	}
	return nil
}
