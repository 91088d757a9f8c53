package daemons

import (
	"context"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/paxos"
)

// Acceptor is the command acceptor.
func Acceptor() *command.Command {
	return &command.Command{
		Name:    "acceptor",
		Group:   command.GroupDaemons,
		Summary: "run an acceptor",
		Details: "Serves until SIGTERM or SIGINT. It is ready when it logs `ready`. The data\n" +
			"directory must have been initialised once, with `paxlog init`.",
		Example: "paxlog acceptor --config paxlog.yaml --id a1 --data /var/lib/paxlog/a1",
		Flags:   []command.Option{command.IDOption, command.DataOption, command.ListenOption},
		Daemon:  true,
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readDaemonOptions(in, env, paxos.RoleAcceptor)
			if err != nil {
				return err
			}
			return serve(ctx, env, opts)
		},
	}
}
