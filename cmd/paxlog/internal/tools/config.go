package tools

import (
	"context"
	"fmt"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
)

// Config is the command config.
func Config() *command.Command {
	return &command.Command{
		Name:    "config",
		Group:   command.GroupOther,
		Summary: "check or print the cluster file",
		Example: "paxlog config check --config paxlog.yaml",
		Subs: []*command.Command{
			{
				Name:    "check",
				Summary: "check the cluster file",
				Details: "Prints one line about it, or what is wrong with it, and where.",
				Example: "paxlog config check --config paxlog.yaml",
				Action:  checkConfig,
			},
			{
				Name:    "print",
				Summary: "print every value in force, as a cluster file",
				Example: "paxlog config print --config paxlog.yaml",
				Action:  printConfig,
			},
		},
	}
}

// checkConfig says that the cluster file is in order.
func checkConfig(_ context.Context, env *command.Environment, in *command.Input) error {
	if err := in.NoArguments(); err != nil {
		return err
	}
	c, file, err := clusterfile.Load(env)
	if err != nil {
		return err
	}
	m := c.Membership()
	_, err = fmt.Fprintf(env.Stdout, "%s: ok: cluster %s, %d acceptors (quorums: phase1 %d, phase2 %d), %d proposers, %d learners\n",
		file, c.Name, len(c.Acceptors), m.Phase1, m.Phase2, len(c.Proposers), len(c.Learners))
	return err
}

// printConfig prints the cluster file with every default.
func printConfig(_ context.Context, env *command.Environment, in *command.Input) error {
	if err := in.NoArguments(); err != nil {
		return err
	}
	c, _, err := clusterfile.Load(env)
	if err != nil {
		return err
	}
	text, err := c.YAML()
	if err != nil {
		return err
	}
	_, err = env.Stdout.Write(text)
	return err
}
