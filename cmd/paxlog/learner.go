package main

import (
	"context"

	"github.com/paxlog/paxlog/paxos"
)

func learnerCommand() *command {
	return &command{
		name:    "learner",
		group:   groupDaemons,
		summary: "run a learner",
		details: "Serves until SIGTERM or SIGINT. It is ready when it logs `ready`: it has caught\n" +
			"up, or knows that it cannot. The data directory must have been initialised\n" +
			"once, with `paxlog init`.",
		example: "paxlog learner --config paxlog.yaml --id l1 --data /var/lib/paxlog/l1",
		flags:   []option{idOption, dataOption, listenOption},
		daemon:  true,
		action: func(ctx context.Context, env *environment, in *input) error {
			opts, err := in.daemonOptions(env, paxos.RoleLearner)
			if err != nil {
				return err
			}
			return serve(ctx, env, opts)
		},
	}
}
