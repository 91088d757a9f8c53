package command

import "context"

// Command is one entry of the table of commands.
type Command struct {
	Name    string
	Group   string // heading in the overview
	Args    string // what its arguments are called; "" if it takes none
	Summary string // one line, no full stop
	Details string // the rest of its help
	Example string
	Flags   []Option             // its own, besides the common ones
	words   []string             // the only arguments that make sense, for completion
	AnyText bool                 // its arguments may be any text, also text that begins with a dash
	Without map[string]string    // flags that it does not have though others do: why not
	Files   bool                 // its arguments are completed with the names of files
	Daemon  bool                 // a signal closes it cleanly, with exit code 0
	Quiet   func(in *Input) bool // whether this run of a daemon logs as clients do; nil: no
	Subs    []*Command
	Action  func(ctx context.Context, env *Environment, in *Input) error
}

// Options are all flags of a command.
func (c *Command) Options() []Option {
	return append(append([]Option{}, c.Flags...), commonOptions...)
}

// The groups of commands.
const (
	GroupDaemons   = "Processes"
	GroupClients   = "Clients"
	GroupOperating = "Operating"
	GroupOther     = "Other"
)
