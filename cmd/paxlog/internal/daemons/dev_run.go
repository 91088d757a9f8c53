package daemons

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clients"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/node"
	"github.com/paxlog/paxlog/paxos"
)

// startAttempts bounds the attempts to start on free ports, which somebody else
// may take between their choice and their use.
const startAttempts = 5

// runDev runs the cluster until ctx ends, or with opts.Pipe until all of the
// input has been printed, closes cleanly and returns nil.
func runDev(ctx context.Context, env *command.Environment, opts devOptions) (err error) {
	if err := checkAddressSpace(devAddressSpace); err != nil {
		return err
	}
	keep := opts.Data != ""
	if !keep {
		if opts.Data, err = os.MkdirTemp("", "paxlog-dev-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(opts.Data)) }()
	}
	d, err := startDev(env, opts)
	if err != nil {
		return err
	}
	boundHeap(d.memory())
	err = command.UnlessClosed(d.serve(ctx, env, opts, keep))
	env.Log.Info().Str("role", "dev").Msg("stopping")
	if stopped := d.stop(); stopped != nil {
		return errors.Join(err, stopped)
	}
	env.Log.Info().Str("role", "dev").Msg("stopped")
	return err
}

// memory is what all the processes need together while their queues are full.
func (d *devCluster) memory() (bytes int64) {
	for _, role := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleProposer, paxos.RoleLearner} {
		bytes += int64(len(d.Cluster.Nodes(role))) * node.Memory(d.Cluster, role)
	}
	return bytes
}

// startDev opens and starts the cluster.
func startDev(env *command.Environment, opts devOptions) (*devCluster, error) {
	free := opts.BasePort == 0
	for attempt := 1; ; attempt++ {
		if free {
			port, err := FreeBasePort()
			if err != nil {
				return nil, err
			}
			opts.BasePort, opts.PortGiven = port, true
		}
		d, err := openDev(opts)
		if err != nil {
			return nil, err
		}
		err = d.start(env)
		if err == nil {
			return d, nil
		}
		if !free || attempt == startAttempts || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
	}
}

// serve runs until ctx ends or the pipe is empty. keep says that the log outlives this
// run.
func (d *devCluster) serve(ctx context.Context, env *command.Environment, opts devOptions, keep bool) error {
	c, err := d.Connect(ctx, 0, client.WithInflight(clients.InflightRoom))
	if err != nil {
		return err
	}
	defer c.Close()
	if err := d.awaitReady(ctx, c); err != nil {
		return err
	}
	try := "paxlog append hello --config " + d.File
	if d.basePort() == clusterfile.DevBasePort && !d.TLS.On() {
		try = "paxlog append hello"
	}
	env.Log.Info().Str("role", "dev").Str("id", d.Name).Str("addr", d.Proposers[0].Addr).
		Str("data", d.dir).Str("config", d.File).Str("try", try).Msg("ready")
	if opts.Pipe {
		return clients.Pipe(ctx, env, c, d.Limits.EntryBytes, keep)
	}
	untilDone(ctx, env, func() { d.reload(env) })
	return nil
}
