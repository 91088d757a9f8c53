package command

import (
	"context"
	"io"
	"os"

	"github.com/urfave/cli/v2"
)

// Program is what one run of the program has of the world around it.
type Program struct {
	Stdin    io.Reader
	Stdout   io.Writer
	Stderr   io.Writer
	Signals  <-chan os.Signal
	Kill     func(code int) // ends the process without cleaning up
	Commands []*Command

	out     *output       // stdout, whose first failure is remembered
	endLog  func()        // writes what waits of the log; nil if no command has begun
	hangups chan struct{} // holds one: a SIGHUP for a daemon
}

// Run executes one command line and returns the exit code.
func (p *Program) Run(args []string) int {
	if len(args) > 0 {
		args = args[1:]
	}
	p.out = &output{to: p.Stdout}
	p.hangups = make(chan struct{}, 1)
	defer p.out.close()
	err := p.dispatch(args)
	if p.endLog != nil {
		p.endLog()
	}
	return p.finish(err)
}

// dispatch finds the command and runs it, or prints help.
func (p *Program) dispatch(args []string) error {
	inv, err := parseArguments(p.Commands, args)
	if err != nil {
		return err
	}
	switch {
	case inv.help:
		writeHelp(p.out, p.Commands, inv.path)
		return nil
	case len(inv.path) == 0:
		writeHelp(p.Stderr, p.Commands, nil)
		return &ExitError{Code: ExitUsage}
	}
	return p.app(inv).RunContext(context.Background(), inv.argv())
}

// app builds the urfave application for one invocation. Its arguments are
// permuted already, and help never reaches it.
func (p *Program) app(inv *invocation) *cli.App {
	app := &cli.App{
		Name:            "paxlog",
		HideHelp:        true,
		HideHelpCommand: true,
		HideVersion:     true,
		Reader:          p.Stdin,
		Writer:          p.out,
		ErrWriter:       p.Stderr,
		ExitErrHandler:  func(*cli.Context, error) {},
		OnUsageError:    usageHandler(inv),
		CommandNotFound: func(*cli.Context, string) {},
	}
	for _, c := range p.Commands {
		app.Commands = append(app.Commands, p.urfave(c, inv))
	}
	return app
}

// urfave translates a command of the table.
func (p *Program) urfave(c *Command, inv *invocation) *cli.Command {
	out := &cli.Command{
		Name:            c.Name,
		HideHelp:        true,
		HideHelpCommand: true,
		OnUsageError:    usageHandler(inv),
	}
	for _, o := range c.Options() {
		out.Flags = append(out.Flags, o.urfave())
	}
	for _, sub := range c.Subs {
		out.Subcommands = append(out.Subcommands, p.urfave(sub, inv))
	}
	if c.Action != nil {
		out.Action = func(ctx *cli.Context) error { return p.perform(ctx, c, inv) }
	}
	return out
}

// usageHandler words what urfave finds wrong, which is a value in the
// environment: the command line itself was checked before.
func usageHandler(inv *invocation) cli.OnUsageErrorFunc {
	return func(_ *cli.Context, err error, _ bool) error {
		return Usagef("%s: %v", inv.name(), err)
	}
}

// perform runs a command's action under the signals that its kind obeys.
func (p *Program) perform(c *cli.Context, cmd *Command, inv *invocation) error {
	in := &Input{context: c, command: cmd, Given: inv.given, Args: c.Args().Slice(), Name: inv.name()}
	env, err := p.environment(in)
	if err != nil {
		return err
	}
	p.endLog = env.EndLog
	ctx, stop := p.watch(c.Context, cmd.Daemon)
	defer stop()
	patience := clientPatience
	if cmd.Daemon {
		patience = daemonPatience
	}
	p.out.obey(ctx, patience)
	return afterSignal(ctx, cmd.Daemon, cmd.Action(ctx, env, in))
}
