package daemons

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/node"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/wal"
)

// stopTimeout bounds how long a daemon finishes what it accepted: a leader that hands over does in an election
// timeout or two, and resigns after timeouts.stall (3 s) at the latest.
const stopTimeout = 5 * time.Second

// serve runs a process until ctx ends, closes it cleanly and returns nil.
func serve(ctx context.Context, env *command.Environment, opts daemonOptions) error {
	if err := checkAddressSpace(addressSpace); err != nil {
		return err
	}
	takeLevel(env, opts.Cluster)
	warnOpen(env, opts.Data)
	boundHeap(node.Memory(opts.Cluster, opts.Role))
	log, known, err := opts.discover(ctx)
	if err != nil { // it goes on with what its file says
		env.Log.Warn().Err(err).Msg("it could not be asked where the processes of the log are by now: this one dials those of its cluster file")
	}
	n, err := node.Start(node.Options{
		Cluster: opts.Cluster, Role: opts.Role, ID: opts.Node.ID, Dir: opts.Data, Listen: opts.Listen, Join: opts.Join, Met: known, MetLog: log,
		Log: env.Log, Fatal: fatal(env),
	})
	if err != nil {
		return opts.explain(err)
	}
	untilDone(ctx, env, func() {
		c, file, err := clusterfile.Load(env)
		reload(env, file, c, err, n)
	})
	env.Log.Info().Str("role", opts.Role.String()).Str("id", string(opts.Node.ID)).Msg("stopping")
	if err := stopNode(string(opts.Node.ID), n); err != nil {
		return err
	}
	env.Log.Info().Str("role", opts.Role.String()).Str("id", string(opts.Node.ID)).Msg("stopped")
	return nil
}

// takeLevel logs from the level on that the cluster file says, unless the command line has said one.
func takeLevel(env *command.Environment, c *config.Cluster) {
	if env.SetLevel != nil {
		env.SetLevel(c.LogLevel)
	}
}

// reload has nodes take what they can of the cluster file as it is now. One that cannot be read, for err, is
// told, and changes nothing; certificates are read again all the same.
func reload(env *command.Environment, file string, c *config.Cluster, err error, nodes ...*node.Node) {
	for _, n := range nodes {
		n.ReloadTLS()
	}
	if err != nil {
		env.Log.Warn().AnErr("reason", err).Str("config", file).Msg("the cluster file cannot be used, and what was read before stays in force")
		return
	}
	takeLevel(env, c)
	for _, n := range nodes {
		n.Reload(c)
	}
}

// untilDone returns when ctx ends. Until then every SIGHUP has reload called.
func untilDone(ctx context.Context, env *command.Environment, reload func()) {
	for {
		select {
		case <-env.Hangups:
			reload()
		case <-ctx.Done():
			return
		}
	}
}

// discover asks the processes of the cluster file, and whoever is at the address From, which log this is, and where its processes are by
// now, for one that joins: as every client, it needs a file that names one which lives. One that
// keeps nothing has to know the log before it is let in.
func (opts *daemonOptions) discover(ctx context.Context) (log paxos.LogID, known []configuration.Process, err error) {
	if opts.Join == "" {
		return log, nil, nil
	}
	c, err := client.New(ctx, client.WithConfig(opts.Cluster))
	if err != nil {
		return log, nil, err
	}
	defer c.Close()
	var alone error
	if opts.From != "" {
		_, alone = c.Meet(ctx, opts.From) // the file may still name somebody
	}
	s, err := c.Status(ctx)
	if err != nil {
		return log, nil, err
	}
	if alone != nil && !slices.ContainsFunc(s.Processes, func(p client.ProcessStatus) bool { return p.Err == nil }) {
		return log, nil, alone
	}
	for _, p := range s.Processes {
		if !p.Former && p.ID != string(opts.Node.ID) {
			known = append(known, configuration.Process{Role: p.Role, ID: paxos.NodeID(p.ID), Addr: p.Addr})
		}
	}
	return c.Log(), known, nil
}

// warnOpen says so if others on the host can look into a data directory: `paxlog init`
// makes it for its owner only.
func warnOpen(env *command.Environment, dir string) {
	if dir == "" || runtime.GOOS == "windows" {
		return
	}
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o077 == 0 {
		return // that it cannot be looked at, or is no directory, is told by who opens it
	}
	env.Log.Warn().Str("directory", dir).Str("mode", info.Mode().Perm().String()).
		Msg("others on this host can read this directory, and so what is in the log: `chmod go= " + dir + "` takes that from them")
}

// stopNode closes a node cleanly, in bounded time.
func stopNode(name string, n *node.Node) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- n.Stop(ctx) }()
	late := time.NewTimer(stopTimeout + time.Second)
	defer late.Stop()
	select {
	case err := <-stopped:
		if err != nil {
			return fmt.Errorf("closing %s: %w", name, err)
		}
		return nil
	case <-late.C:
		return fmt.Errorf("%s did not close within %v: its disk hangs, most likely; nothing that was acknowledged is lost", name, stopTimeout)
	}
}

// fatal returns the function that ends the process when a node must not go on: it
// prints one line, the last on stderr, and exits, before anything else is answered
// or written.
func fatal(e *command.Environment) func(error) {
	var once sync.Once
	return func(err error) {
		once.Do(func() {
			e.EndLog()
			command.PrintLast(e.Stderr, fmt.Sprintf("paxlog: %s\n", shapes.OneLine(err)))
			e.Kill(command.ExitFailed)
		})
	}
}

// explain says what to do when a process could not start.
func (opts daemonOptions) explain(err error) error {
	switch {
	case errors.Is(err, wal.ErrUninitialised):
		return opts.uninitialised()
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s cannot listen on %s: the port is taken by another process: stop that one, or bind another address with --listen", opts.Node.ID, opts.Listen)
	}
	return err
}

// uninitialised says what an empty data directory may mean, which for an acceptor
// is that votes were lost.
func (opts daemonOptions) uninitialised() error {
	what := opts.Data + " is not initialised"
	switch info, err := os.Stat(opts.Data); {
	case errors.Is(err, os.ErrNotExist):
		what = "there is no directory " + opts.Data
	case err == nil && !info.IsDir():
		return fmt.Errorf("%s is a file: a data directory is needed, check --data", opts.Data)
	}
	command := fmt.Sprintf("`paxlog init --config %s --id %s --data %s`", opts.File, opts.Node.ID, opts.Data)
	if opts.Role != paxos.RoleAcceptor {
		return fmt.Errorf("%s: check --data, or initialise it with %s; a learner learns everything again", what, command)
	}
	return fmt.Errorf("%s: check --data. %s may have voted before: then its directory must be restored, for initialising it anew can lose entries. "+
		"Only if it has never run, initialise it with %s. If its disk is gone for good, `paxlog init --join --id %s --data %s` and `paxlog member replace %s --with %s` put an empty one in its place",
		what, opts.Node.ID, command, opts.Node.ID, opts.Data, opts.Node.ID, opts.Node.ID)
}
