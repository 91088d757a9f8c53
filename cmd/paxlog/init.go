package main

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

// initOptions say which data directory to initialise, and for whom.
type initOptions struct {
	Cluster *config.Cluster
	Role    paxos.Role // RoleAcceptor or RoleLearner
	Node    config.Node
	Data    string
}

func initCommand() *command {
	return &command{
		name:    "init",
		group:   groupDaemons,
		summary: "initialise an acceptor's or learner's data directory, once",
		details: "Fails if the directory is initialised already, by anybody. An acceptor that\n" +
			"lost its directory must not be initialised anew: restore the directory, or\n" +
			"entries can be lost. Proposers keep nothing on disk and need no init.",
		example: "paxlog init --config paxlog.yaml --id a1 --data /var/lib/paxlog/a1",
		flags:   []option{idOption, dataOption},
		action: func(ctx context.Context, env *environment, in *input) error {
			opts, err := in.initOptions(env)
			if err != nil {
				return err
			}
			return runInit(ctx, env, opts)
		},
	}
}

// initOptions reads the flags of init. The id tells the role.
func (in *input) initOptions(env *environment) (initOptions, error) {
	var opts initOptions
	if err := in.noArguments(); err != nil {
		return opts, err
	}
	id, err := in.require("id")
	if err != nil {
		return opts, err
	}
	if opts.Data, err = in.require("data"); err != nil {
		return opts, err
	}
	var file string
	if opts.Cluster, file, err = env.cluster(); err != nil {
		return opts, err
	}
	role, node, ok := opts.Cluster.Lookup(paxos.NodeID(id))
	switch {
	case !ok:
		return opts, usagef("%s: cluster %q has no process %q: its acceptors are %s; its learners are %s",
			file, opts.Cluster.Name, id, ids(opts.Cluster.Acceptors), ids(opts.Cluster.Learners))
	case role == paxos.RoleProposer:
		return opts, usagef("%s is a proposer: it keeps nothing on disk and needs no init; start it with `paxlog proposer --id %s`", id, id)
	}
	opts.Role, opts.Node = role, node
	return opts, nil
}

// ids names nodes in words.
func ids(nodes []config.Node) string {
	text := ""
	for i, n := range nodes {
		if i > 0 {
			text += ", "
		}
		text += string(n.ID)
	}
	return text
}

// runInit initialises the directory. A directory that is initialised already is
// an error that asks for ExitFailed.
func runInit(_ context.Context, env *environment, opts initOptions) error {
	id := wal.NewIdentity(opts.Cluster.Membership(), opts.Role, opts.Node.ID)
	if err := wal.Init(vfs.Default, opts.Data, id); err != nil {
		return err
	}
	_, err := fmt.Fprintf(env.stdout, "%s: initialised for %s %s of cluster %s\n", opts.Data, opts.Role, opts.Node.ID, opts.Cluster.Name)
	return err
}
