package clients

import (
	"context"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
)

// statusOptions say how to print the state of the cluster.
type statusOptions struct {
	Cluster clusterfile.Found
	JSON    bool
	Timeout time.Duration // 0 waits for ever
}

// Status is the command status.
func Status() *command.Command {
	return &command.Command{
		Name:    "status",
		Group:   command.GroupClients,
		Summary: "show every process of the cluster",
		Details: "Exit code 0 says that a leader with a quorum, and a learner, serve; 3 that they\n" +
			"do not, with the reason and what to do next. With --log, 1 says that it is another\n" +
			"log.",
		Example: "paxlog status\npaxlog status -o json | jq .leader",
		Flags:   []command.Option{command.OutputOption("table", "json"), command.LogIDOption, command.TimeoutOption},
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readStatusOptions(in, env)
			if err != nil {
				return err
			}
			return runStatus(ctx, env, opts)
		},
	}
}

// readStatusOptions reads the flags of status.
func readStatusOptions(in *command.Input, env *command.Environment) (statusOptions, error) {
	var opts statusOptions
	err := in.NoArguments()
	if err != nil {
		return opts, err
	}
	format, err := in.Output()
	if err != nil {
		return opts, err
	}
	opts.JSON = format == "json"
	if opts.Timeout, err = in.Timeout(); err != nil {
		return opts, err
	}
	opts.Cluster, err = clusterfile.FindLog(env, in)
	return opts, err
}
