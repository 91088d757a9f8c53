package daemons

import (
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

// daemonOptions say which process to run.
type daemonOptions struct {
	Cluster *config.Cluster
	File    string // the cluster file
	Role    paxos.Role
	Node    config.Node
	Data    string // the data directory; "" for a proposer
	Listen  string // the address to bind: --listen, else Node.Addr
	Join    string // where others dial one that joins, "" if the cluster file names it
	From    string // where one that joins asks who the processes are, beside those of the file; "": nowhere
}

// readDaemonOptions reads the flags of a process of the given role.
func readDaemonOptions(in *command.Input, env *command.Environment, role paxos.Role) (daemonOptions, error) {
	opts := daemonOptions{Role: role}
	if err := in.NoArguments(); err != nil {
		return opts, err
	}
	id, err := in.Require("id")
	if err != nil {
		return opts, err
	}
	if role != paxos.RoleProposer {
		if opts.Data, err = in.Require("data"); err != nil {
			return opts, err
		}
	}
	opts.Listen = in.Text("listen")
	if opts.Listen != "" && !isListenAddress(opts.Listen) {
		return opts, in.Bad("listen", "is not HOST:PORT")
	}
	if opts.Cluster, opts.File, err = clusterfile.Load(env); err != nil {
		return opts, err
	}
	if role == paxos.RoleProposer && in.On("join") {
		return opts, opts.joinAs(in, id)
	}
	if opts.Node, err = opts.Cluster.Find(role, paxos.NodeID(id)); !opts.joins(id, err == nil) && err != nil {
		return opts, inFile(opts.File, err)
	}
	if opts.Listen == "" {
		opts.Listen = opts.Node.Addr
	}
	return opts, nil
}

// joinAs reads who a proposer is that joins: it has no directory that says so.
func (opts *daemonOptions) joinAs(in *command.Input, id string) error {
	addr, err := in.Require("addr")
	_, _, named := opts.Cluster.Lookup(paxos.NodeID(id))
	switch {
	case err != nil:
		return err
	case named:
		return command.Usagef("%s names %s: start it without --join", opts.File, id)
	case !config.IsName(id):
		return in.Bad("id", "is not an id: use 1 to 32 of the characters A-Z a-z 0-9 _ -")
	case !isListenAddress(addr) || strings.HasPrefix(addr, ":"):
		return in.Bad("addr", "is not HOST:PORT")
	}
	if opts.From, err = readFrom(in); err != nil {
		return err
	}
	opts.Node, opts.Join = config.Node{ID: paxos.NodeID(id), Addr: addr}, addr
	if opts.Listen == "" {
		opts.Listen = addr
	}
	return nil
}

var fromOption = command.Option{Name: "from", Value: "HOST:PORT", Usage: "with --join: of any process of the log, which is asked who the others are; without it those of the cluster file are, of which one has to live"}

// readFrom reads it, "" if it is not given.
func readFrom(in *command.Input) (string, error) {
	from := in.Text("from")
	if from == "" {
		return "", nil
	}
	if why := config.CheckAddr(from); why != "" {
		return "", in.Bad("from", "%s", why)
	}
	return from, nil
}

// joins reports whether the data directory is of a process that joins, by this role and id, or is the
// one with which an acceptor of this id that has lost its own comes back. One that the cluster file names
// is none by its own id.
func (opts *daemonOptions) joins(id string, named bool) bool {
	if opts.Role == paxos.RoleProposer {
		return false
	}
	held, err := wal.ReadIdentity(vfs.Default, opts.Data)
	if err != nil || held.Join == "" || held.Role != opts.Role.String() || held.ID == paxos.NodeID(id) && named || held.ID != paxos.NodeID(id) && held.ID.Stem() != paxos.NodeID(id) {
		return false
	}
	opts.Node, opts.Join, opts.From = config.Node{ID: held.ID, Addr: held.Join}, held.Join, held.From
	return true
}

// inFile names the cluster file in an error about what it holds.
func inFile(file string, err error) error {
	var invalid *config.Error
	if errors.As(err, &invalid) && invalid.File == "" {
		invalid.File = file
	}
	return err
}

// isListenAddress reports whether addr is HOST:PORT; the host may be empty and
// the port 0.
func isListenAddress(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}
