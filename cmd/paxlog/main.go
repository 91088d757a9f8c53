// Command paxlog runs the processes of a replicated log and talks to them.
//
// The table in commands.go lists every command. What they have in common is package
// command; a new command is one more entry, beside those of its kind: daemons (they run
// processes), clients (they use a log), bench, or tools (they need no cluster).
//
// A command writes data to its standard output and everything else to its standard
// error; it ends by returning an error, which becomes an exit code and one plain line.
package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
)

func main() {
	// A write to a closed pipe shall fail, not kill: see output.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line, args[0] being the program's name, and returns
// the exit code. A second signal ends the process at once.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, command.Signals()...)
	defer signal.Stop(signals)
	p := &command.Program{
		Stdin:    stdin,
		Stdout:   stdout,
		Stderr:   stderr,
		Signals:  signals,
		Kill:     os.Exit,
		Commands: commandTable(),
	}
	return p.Run(args)
}
