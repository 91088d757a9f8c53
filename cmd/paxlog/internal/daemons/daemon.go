package daemons

import (
	"errors"
	"net"
	"strconv"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/paxos"
)

// daemonOptions say which process to run.
type daemonOptions struct {
	Cluster *config.Cluster
	File    string // the cluster file
	Role    paxos.Role
	Node    config.Node
	Data    string // the data directory; "" for a proposer
	Listen  string // the address to bind: --listen, else Node.Addr
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
	if opts.Node, err = opts.Cluster.Find(role, paxos.NodeID(id)); err != nil {
		return opts, inFile(opts.File, err)
	}
	if opts.Listen == "" {
		opts.Listen = opts.Node.Addr
	}
	return opts, nil
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
