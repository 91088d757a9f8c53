package daemons

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
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

// Init is the command init.
func Init() *command.Command {
	return &command.Command{
		Name:    "init",
		Group:   command.GroupDaemons,
		Summary: "initialise an acceptor's or learner's data directory, once",
		Details: "Fails if the directory is initialised already, by anybody. An acceptor that\n" +
			"lost its directory must not be initialised anew: restore the directory, or\n" +
			"entries can be lost. Proposers keep nothing on disk and need no init.",
		Example: "paxlog init --config paxlog.yaml --id a1 --data /var/lib/paxlog/a1",
		Flags:   []command.Option{command.IDOption, command.DataOption},
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readInitOptions(in, env)
			if err != nil {
				return err
			}
			return runInit(ctx, env, opts)
		},
	}
}

// readInitOptions reads the flags of init. The id tells the role.
func readInitOptions(in *command.Input, env *command.Environment) (initOptions, error) {
	var opts initOptions
	if err := in.NoArguments(); err != nil {
		return opts, err
	}
	id, err := in.Require("id")
	if err != nil {
		return opts, err
	}
	if opts.Data, err = in.Require("data"); err != nil {
		return opts, err
	}
	var file string
	if opts.Cluster, file, err = clusterfile.Load(env); err != nil {
		return opts, err
	}
	role, node, ok := opts.Cluster.Lookup(paxos.NodeID(id))
	switch {
	case !ok:
		return opts, command.Usagef("%s: cluster %q has no process %q: its acceptors are %s; its learners are %s",
			file, opts.Cluster.Name, id, ids(opts.Cluster.Acceptors), ids(opts.Cluster.Learners))
	case role == paxos.RoleProposer:
		return opts, command.Usagef("%s is a proposer: it keeps nothing on disk and needs no init; start it with `paxlog proposer --id %s`", id, id)
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
func runInit(_ context.Context, env *command.Environment, opts initOptions) error {
	id := wal.NewIdentity(opts.Cluster.Membership(), opts.Role, opts.Node.ID)
	if err := wal.Init(vfs.Default, opts.Data, id); err != nil {
		return err
	}
	if kind, err := wal.InMemory(opts.Data); err == nil && kind != "" {
		lost := "what " + string(opts.Node.ID) + " promised, and entries with it"
		if opts.Role == paxos.RoleLearner {
			lost = "it, and " + string(opts.Node.ID) + " has to learn everything again"
		}
		env.Log.Warn().Str("data", opts.Data).Str("file_system", kind).Msg("the directory lies in memory: a reboot loses " + lost + "; use it for trials only")
	}
	_, err := fmt.Fprintf(env.Stdout, "%s: initialised for %s %s of cluster %s\n", opts.Data, opts.Role, opts.Node.ID, opts.Cluster.Name)
	return err
}
