package main

import (
	"context"
	"fmt"
)

func configCommand() *command {
	return &command{
		name:    "config",
		group:   groupOther,
		summary: "check or print the cluster file",
		example: "paxlog config check --config paxlog.yaml",
		subs: []*command{
			{
				name:    "check",
				summary: "check the cluster file",
				details: "Prints one line about it, or what is wrong with it, and where.",
				example: "paxlog config check --config paxlog.yaml",
				action:  checkConfig,
			},
			{
				name:    "print",
				summary: "print every value in force, as a cluster file",
				example: "paxlog config print --config paxlog.yaml",
				action:  printConfig,
			},
		},
	}
}

// checkConfig says that the cluster file is in order.
func checkConfig(_ context.Context, env *environment, in *input) error {
	if err := in.noArguments(); err != nil {
		return err
	}
	c, file, err := env.cluster()
	if err != nil {
		return err
	}
	m := c.Membership()
	_, err = fmt.Fprintf(env.stdout, "%s: ok: cluster %s, %d acceptors (quorums: phase1 %d, phase2 %d), %d proposers, %d learners\n",
		file, c.Name, len(c.Acceptors), m.Phase1, m.Phase2, len(c.Proposers), len(c.Learners))
	return err
}

// printConfig prints the cluster file with every default.
func printConfig(_ context.Context, env *environment, in *input) error {
	if err := in.noArguments(); err != nil {
		return err
	}
	c, _, err := env.cluster()
	if err != nil {
		return err
	}
	text, err := c.YAML()
	if err != nil {
		return err
	}
	_, err = env.stdout.Write(text)
	return err
}
