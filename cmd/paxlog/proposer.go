package main

import (
	"context"

	"github.com/paxlog/paxlog/paxos"
)

func proposerCommand() *command {
	return &command{
		name:    "proposer",
		group:   groupDaemons,
		summary: "run a proposer",
		details: "Serves until SIGTERM or SIGINT. It is ready when it logs `ready`. A proposer\n" +
			"keeps nothing on disk.",
		example: "paxlog proposer --config paxlog.yaml --id p1",
		flags:   []option{idOption, listenOption},
		daemon:  true,
		action: func(ctx context.Context, env *environment, in *input) error {
			opts, err := in.daemonOptions(env, paxos.RoleProposer)
			if err != nil {
				return err
			}
			return serve(ctx, env, opts)
		},
	}
}
