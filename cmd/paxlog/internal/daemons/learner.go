package daemons

import (
	"context"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/paxos"
)

// Learner is the command learner.
func Learner() *command.Command {
	return &command.Command{
		Name:    "learner",
		Group:   command.GroupDaemons,
		Summary: "run a learner",
		Details: "Serves until SIGTERM or SIGINT. It is ready when it logs `ready`: it has caught\n" +
			"up, or knows that it cannot. The data directory must have been initialised\n" +
			"once, with `paxlog init`.",
		Example: "paxlog learner --config paxlog.yaml --id l1 --data /var/lib/paxlog/l1",
		Flags:   []command.Option{command.IDOption, command.DataOption, command.ListenOption},
		Daemon:  true,
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readDaemonOptions(in, env, paxos.RoleLearner)
			if err != nil {
				return err
			}
			return serve(ctx, env, opts)
		},
	}
}
