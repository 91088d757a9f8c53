// Command paxlog runs the processes of a replicated log and talks to them.
//
// The table in commands.go declares every command once: the parser of arguments
// (args.go), the help (help.go) and the shell completions (completion.go) are all
// read off it. Each command has a file of its own, which turns arguments into a
// typed options value, and a function run… that does the work.
//
// A command writes data to its standard output and everything else to its
// standard error; it ends by returning an error, which exit.go turns into an exit
// code and one plain line.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
)

func main() {
	// A write to a closed pipe shall fail, not kill: see output.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line, args[0] being the program's name, and returns
// the exit code. A second SIGINT or SIGTERM ends the process at once.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	p := &process{
		stdin:    stdin,
		stdout:   &output{to: stdout},
		stderr:   stderr,
		signals:  signals,
		kill:     os.Exit,
		commands: commandTable(),
	}
	return p.run(args)
}

// process is what one run of the program has of the world around it.
type process struct {
	stdin    io.Reader
	stdout   *output
	stderr   io.Writer
	signals  <-chan os.Signal
	kill     func(code int) // ends the process without cleaning up
	commands []*command
}

// run executes one command line and returns the exit code.
func (p *process) run(args []string) int {
	if len(args) > 0 {
		args = args[1:]
	}
	return p.finish(p.dispatch(args))
}

// dispatch finds the command and runs it, or prints help.
func (p *process) dispatch(args []string) error {
	inv, err := parseArguments(p.commands, args)
	if err != nil {
		return err
	}
	switch {
	case inv.help:
		writeHelp(p.stdout, p.commands, inv.path)
		return nil
	case len(inv.path) == 0:
		writeHelp(p.stderr, p.commands, nil)
		return &exitError{code: ExitUsage}
	}
	return p.app(inv).RunContext(context.Background(), inv.argv())
}

// app builds the urfave application for one invocation. Its arguments are
// permuted already, and help never reaches it.
func (p *process) app(inv *invocation) *cli.App {
	app := &cli.App{
		Name:            "paxlog",
		HideHelp:        true,
		HideHelpCommand: true,
		HideVersion:     true,
		Reader:          p.stdin,
		Writer:          p.stdout,
		ErrWriter:       p.stderr,
		ExitErrHandler:  func(*cli.Context, error) {},
		OnUsageError:    usageHandler(inv),
		CommandNotFound: func(*cli.Context, string) {},
	}
	for _, c := range p.commands {
		app.Commands = append(app.Commands, p.urfave(c, inv))
	}
	return app
}

// urfave translates a command of the table.
func (p *process) urfave(c *command, inv *invocation) *cli.Command {
	out := &cli.Command{
		Name:            c.name,
		HideHelp:        true,
		HideHelpCommand: true,
		OnUsageError:    usageHandler(inv),
	}
	for _, o := range c.options() {
		out.Flags = append(out.Flags, o.urfave())
	}
	for _, sub := range c.subs {
		out.Subcommands = append(out.Subcommands, p.urfave(sub, inv))
	}
	if c.action != nil {
		out.Action = func(ctx *cli.Context) error { return p.perform(ctx, c, inv) }
	}
	return out
}

// usageHandler words what urfave finds wrong, which is a value in the
// environment: the command line itself was checked before.
func usageHandler(inv *invocation) cli.OnUsageErrorFunc {
	return func(_ *cli.Context, err error, _ bool) error {
		return usagef("%s: %v", inv.name(), err)
	}
}

// perform runs a command's action under the signals that its kind obeys.
func (p *process) perform(c *cli.Context, cmd *command, inv *invocation) error {
	in := &input{context: c, command: cmd, given: inv.given, args: c.Args().Slice(), name: inv.name()}
	env, err := p.environment(in)
	if err != nil {
		return err
	}
	ctx, stop := p.watch(c.Context)
	defer stop()
	return afterSignal(ctx, cmd.daemon, cmd.action(ctx, env, in))
}
