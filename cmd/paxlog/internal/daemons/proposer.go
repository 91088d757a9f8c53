package daemons

import (
	"context"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/paxos"
)

// Proposer is the command proposer.
func Proposer() *command.Command {
	return &command.Command{
		Name:    "proposer",
		Group:   command.GroupDaemons,
		Summary: "run a proposer",
		Details: "Serves until SIGTERM or SIGINT. It is ready when it logs `ready`: an\n" +
			"acceptor has taken it, or none can be reached. A proposer\n" +
			"keeps nothing on disk. One that the cluster file does not name has a part in the\n" +
			"log once `paxlog member` has made it a member, under the address that it is given.",
		Example: "paxlog proposer --config paxlog.yaml --id p1\npaxlog proposer --id p3 --join --addr 10.0.0.4:7201",
		Flags: []command.Option{
			command.IDOption, command.ListenOption,
			{Name: "join", Usage: "the cluster file does not name it: it joins a log that there is"},
			{Name: "addr", Value: "HOST:PORT", Usage: "with --join: where the other processes dial it"},
			fromOption,
		},
		Without: map[string]string{"data": "a proposer keeps nothing on disk, so leave it out"},
		Daemon:  true,
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readDaemonOptions(in, env, paxos.RoleProposer)
			if err != nil {
				return err
			}
			return serve(ctx, env, opts)
		},
	}
}
