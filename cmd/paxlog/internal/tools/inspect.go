package tools

import (
	"context"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
)

// inspectOptions say which data directory to read.
type inspectOptions struct {
	Dir    string
	Verify bool // read and check all of it
	JSON   bool
}

// Inspect is the command inspect.
func Inspect() *command.Command {
	return &command.Command{
		Name:    "inspect",
		Group:   command.GroupOther,
		Args:    "DIR",
		Summary: "show what a data directory holds, offline",
		Details: "Shows identity, promised ballot, instances and log of an acceptor's or learner's\n" +
			"directory, which no process may be using. It changes nothing.",
		Example: "paxlog inspect /var/lib/paxlog/a1 --verify",
		Flags: []command.Option{
			{Name: "verify", Usage: "read and check all of it"},
			command.OutputOption("plain", "json"),
		},
		Files: true,
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts := inspectOptions{Verify: in.On("verify")}
			format, err := in.Output()
			if err != nil {
				return err
			}
			opts.JSON = format == "json"
			if opts.Dir, err = in.OneArgument(); err != nil {
				return err
			}
			return runInspect(ctx, env, opts)
		},
	}
}
