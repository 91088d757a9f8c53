package daemons

import (
	"context"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/client"
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
	Join    bool   // the cluster file does not name it: it joins a log that there is
	From    string // where that asks who the processes are, "" for those of the cluster file
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
		Flags: []command.Option{
			command.IDOption, command.DataOption,
			{Name: "join", Usage: "for a process that joins a log which there is, and that the cluster file does not name: it copies the log, and has a part in it once `paxlog member` has made it a member"},
			{Name: "role", Value: "ROLE", Usage: "with --join: acceptor, the default, or learner"},
			{Name: "addr", Value: "HOST:PORT", Usage: "with --join: where the other processes dial it; without it as the cluster file says, if that names it"},
			fromOption,
			{Name: "anew", Usage: "with --join: ID was an acceptor, and its disk is gone; this goes without saying if the cluster file names it"},
		},
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
	if in.On("join") {
		return readJoin(in, opts, file, id, node, role)
	}
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

// readJoin reads what init needs to know of a process that the cluster file does not name.
// named is what that says of the id, if it names it: an acceptor whose disk is gone joins under an id
// that is told from the one it had.
func readJoin(in *command.Input, opts initOptions, file, id string, named config.Node, as paxos.Role) (initOptions, error) {
	role, addr := in.Text("role"), in.Text("addr")
	isAnew := in.On("anew") || as == paxos.RoleAcceptor
	if addr == "" {
		addr = named.Addr
	}
	if addr == "" {
		_, err := in.Require("addr")
		return opts, err
	}
	var err error
	if opts.From, err = readFrom(in); err != nil {
		return opts, err
	}
	switch {
	case role == paxos.RoleProposer.String():
		return opts, command.Usagef("a proposer keeps nothing on disk and needs no init: `paxlog member add %s --role proposer --addr %s`, and start it with `paxlog proposer --id %s --join --addr %s`", id, addr, id, addr)
	case role != "" && role != paxos.RoleAcceptor.String() && role != paxos.RoleLearner.String():
		return opts, in.Bad("role", "must be acceptor or learner")
	case as != 0 && as != paxos.RoleAcceptor:
		return opts, command.Usagef("%s names %s: a newcomer joins under an id that no process of this log has or had", file, id)
	case isAnew && role == paxos.RoleLearner.String():
		return opts, command.Usagef("%s was an acceptor: a learner joins under an id that no process of this log has or had", id)
	case !config.IsName(id):
		return opts, in.Bad("id", "is not an id: use 1 to 32 of the characters A-Z a-z 0-9 _ -")
	case !isListenAddress(addr) || strings.HasPrefix(addr, ":"):
		return opts, in.Bad("addr", "is not HOST:PORT")
	}
	opts.Role, opts.Node, opts.Join = paxos.RoleAcceptor, config.Node{ID: paxos.NodeID(id), Addr: addr}, true
	if role == paxos.RoleLearner.String() {
		opts.Role = paxos.RoleLearner
	}
	if !isAnew {
		return opts, nil
	}
	random, err := wal.NewIncarnation()
	if opts.Node.ID = opts.Node.ID.Anew(random); err == nil && !config.IsName(string(opts.Node.ID)) {
		err = in.Bad("id", "is too long: %s would be its name from now on, and 32 characters are the most", opts.Node.ID)
	}
	return opts, err
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
func runInit(ctx context.Context, env *command.Environment, opts initOptions) error {
	id := wal.NewIdentity(opts.Cluster.Membership(), opts.Role, opts.Node.ID)
	if opts.Join {
		id.Join, id.From = opts.Node.Addr, opts.From
	}
	if opts.From != "" {
		if err := opts.meet(ctx); err != nil {
			return err
		}
	}
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
	text := fmt.Sprintf("%s: initialised for %s %s of cluster %s", opts.Data, opts.Role, opts.Node.ID, opts.Cluster.Name)
	if was := opts.Node.ID.Stem(); was != opts.Node.ID {
		text += fmt.Sprintf(", in the place of %s: start it with --id %s, and then `paxlog member replace %s --with %s`", was, was, was, was)
	}
	_, err := fmt.Fprintln(env.Stdout, text)
	return err
}

// meet finds out whether somebody of the log is at From, before a directory relies on it.
func (opts *initOptions) meet(ctx context.Context) error {
	c, err := client.New(ctx, client.WithConfig(opts.Cluster))
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Meet(ctx, opts.From)
	return err
}
