package main

import "context"

// command is one entry of the table of commands.
type command struct {
	name    string
	group   string // heading in the overview
	args    string // what its arguments are called; "" if it takes none
	summary string // one line, no full stop
	details string // the rest of its help
	example string
	flags   []option             // its own, besides the common ones
	words   []string             // the only arguments that make sense, for completion
	anyText bool                 // its arguments may be any text, also text that begins with a dash
	files   bool                 // its arguments are completed with the names of files
	daemon  bool                 // a signal closes it cleanly, with exit code 0
	quiet   func(in *input) bool // whether this run of a daemon logs as clients do; nil: no
	subs    []*command
	action  func(ctx context.Context, env *environment, in *input) error
}

// options are all flags of a command.
func (c *command) options() []option {
	return append(append([]option{}, c.flags...), commonOptions...)
}

// The groups of commands.
const (
	groupDaemons = "Processes"
	groupClients = "Clients"
	groupOther   = "Other"
)

// commandTable lists every command, in the order of help.
func commandTable() []*command {
	table := []*command{
		initCommand(),
		acceptorCommand(),
		proposerCommand(),
		learnerCommand(),
		devCommand(),
		appendCommand(),
		tailCommand(),
		readCommand(),
		statusCommand(),
		resolveCommand(),
		benchCommand(),
		inspectCommand(),
		simCommand(),
		configCommand(),
		versionCommand(),
	}
	return append(table, completionCommand(&table))
}
