package main

import (
	"context"
	"time"
)

// statusOptions say how to print the state of the cluster.
type statusOptions struct {
	Cluster clientCluster
	JSON    bool
	Timeout time.Duration // 0 waits for ever
}

func statusCommand() *command {
	return &command{
		name:    "status",
		group:   groupClients,
		summary: "show every process of the cluster",
		details: "Exit code 0 says that a leader with a quorum, and a learner, serve; 3 that they\n" +
			"do not, with the reason and what to do next.",
		example: "paxlog status\npaxlog status -o json | jq .leader",
		flags:   []option{outputOption("table", "json"), timeoutOption},
		action: func(ctx context.Context, env *environment, in *input) error {
			opts, err := in.statusOptions(env)
			if err != nil {
				return err
			}
			return runStatus(ctx, env, opts)
		},
	}
}

// statusOptions reads the flags of status.
func (in *input) statusOptions(env *environment) (statusOptions, error) {
	var opts statusOptions
	err := in.noArguments()
	if err != nil {
		return opts, err
	}
	format, err := in.output()
	if err != nil {
		return opts, err
	}
	opts.JSON = format == "json"
	if opts.Timeout, err = in.timeout(); err != nil {
		return opts, err
	}
	opts.Cluster, err = env.clientCluster()
	return opts, err
}
