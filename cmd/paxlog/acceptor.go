package main

import (
	"context"

	"github.com/paxlog/paxlog/paxos"
)

func acceptorCommand() *command {
	return &command{
		name:    "acceptor",
		group:   groupDaemons,
		summary: "run an acceptor",
		details: "Serves until SIGTERM or SIGINT. It is ready when it logs `ready`. The data\n" +
			"directory must have been initialised once, with `paxlog init`.",
		example: "paxlog acceptor --config paxlog.yaml --id a1 --data /var/lib/paxlog/a1",
		flags:   []option{idOption, dataOption, listenOption},
		daemon:  true,
		action: func(ctx context.Context, env *environment, in *input) error {
			opts, err := in.daemonOptions(env, paxos.RoleAcceptor)
			if err != nil {
				return err
			}
			return serve(ctx, env, opts)
		},
	}
}
