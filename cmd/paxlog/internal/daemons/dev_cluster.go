package daemons

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/rs/zerolog"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/credentials/issue"
	"github.com/paxlog/paxlog/node"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

// devCluster is a whole cluster in this process. Its cluster file is written when
// every directory has been initialised: that it exists says that they were.
type devCluster struct {
	clusterfile.Found
	dir     string
	lock    io.Closer // of dir
	nodes   []devNode // in the order in which they were started
	closing atomic.Bool
}

type devNode struct {
	*node.Node
	id   paxos.NodeID
	role paxos.Role
}

// devLock is the file in the directory that a dev holds locked while it runs.
const devLock = "LOCK"

// openDev reads or makes the cluster file and the data directories in opts.Data. Two
// that start at once must not both find a directory empty, so it locks, then looks;
// but a directory that is not of a dev is left without a lock file.
func openDev(opts devOptions) (*devCluster, error) {
	d := &devCluster{dir: opts.Data, Found: clusterfile.Found{File: filepath.Join(opts.Data, clusterfile.DefaultName)}}
	if _, err := d.read(opts); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return nil, err
	}
	lock, err := wal.Lock(vfs.Default, filepath.Join(d.dir, devLock))
	if errors.Is(err, wal.ErrBusy) {
		return nil, fmt.Errorf("another `paxlog dev` runs in %s (%w): stop that one, or choose another directory with --data", d.dir, err)
	}
	if err != nil {
		return nil, err
	}
	d.lock = lock
	if err := d.fill(opts); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return d, nil
}

// read reads the cluster file, or makes up one. It reports whether there is a file.
func (d *devCluster) read(opts devOptions) (found bool, err error) {
	existing, err := config.Load(d.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.Cluster = config.Dev(opts.BasePort)
		return false, nil
	case err != nil:
		return false, err
	}
	if d.Cluster = existing; !clusterfile.IsDev(d.Found) {
		return false, command.Exitf(command.ExitUsage, "%s is not of `paxlog dev`, but of cluster %q: choose another directory with --data", d.File, existing.Name)
	}
	if opts.PortGiven {
		d.move(opts.BasePort)
	}
	return true, nil
}

// devCertDays is how long the certificates of a dev are valid: nobody renews them.
const devCertDays = 3650

// secure makes the certificates that there are not yet, and has the cluster use them.
func (d *devCluster) secure() error {
	dir := issue.Dir{Path: filepath.Join(d.dir, "tls"), Cluster: d.Name, Now: time.Now}
	if _, err := os.Stat(dir.Path); errors.Is(err, fs.ErrNotExist) {
		if _, err := dir.Authorities(devCertDays); err != nil {
			return err
		}
	}
	make := func(role paxos.Role, id string) (err error) {
		if !dir.Has(id) {
			_, err = dir.Make(role, id, devCertDays)
		}
		return err
	}
	for _, role := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleProposer, paxos.RoleLearner} {
		for _, n := range d.Nodes(role) {
			if err := make(role, string(n.ID)); err != nil {
				return err
			}
		}
	}
	if err := make(paxos.RoleClient, "client"); err != nil {
		return err
	}
	d.Cluster.TLS = issue.Section(config.TLSRequire, "tls")
	d.Cluster.TLS.Base = d.dir
	return nil
}

// fill makes what the directory, which is locked, does not have yet.
func (d *devCluster) fill(opts devOptions) error {
	once, err := d.read(opts)
	if err != nil {
		return err
	}
	if opts.TLS && !d.TLS.On() {
		if err := d.secure(); err != nil {
			return err
		}
	}
	if err := d.initialise(once); err != nil || once {
		return err // ports that were moved are saved once they work
	}
	return d.save()
}

// move gives every process the address that it has with another base port.
func (d *devCluster) move(basePort int) {
	to := config.Dev(basePort)
	for _, role := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleProposer, paxos.RoleLearner} {
		for i, n := range to.Nodes(role) {
			d.Nodes(role)[i].Addr = n.Addr
		}
	}
}

// path is the data directory of a node.
func (d *devCluster) path(id paxos.NodeID) string { return filepath.Join(d.dir, string(id)) }

// initialise initialises the directories that are not yet. If they all were once,
// an acceptor whose directory is gone may have voted: it is not made anew.
func (d *devCluster) initialise(once bool) error {
	for _, role := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleLearner} {
		for _, n := range d.Nodes(role) {
			_, err := wal.ReadIdentity(vfs.Default, d.path(n.ID))
			if !errors.Is(err, wal.ErrUninitialised) {
				continue // what is wrong with it shows when it is opened
			}
			if once && role == paxos.RoleAcceptor {
				return fmt.Errorf("%s is gone, and %s may have voted: restore it, or remove all of %s to begin with an empty log", d.path(n.ID), n.ID, d.dir)
			}
			if err := wal.Init(vfs.Default, d.path(n.ID), wal.NewIdentity(d.Membership(), role, n.ID)); err != nil {
				return err
			}
		}
	}
	return nil
}

// save writes the cluster file, whole or not at all, unless it is there already.
func (d *devCluster) save() error {
	text, err := d.FileYAML()
	if err != nil {
		return err
	}
	if old, err := config.Load(d.File); err == nil {
		if same, err := old.FileYAML(); err == nil && string(same) == string(text) {
			return nil // as it is, with whatever comments it has
		}
	}
	tmp := d.File + ".tmp"
	if err := os.WriteFile(tmp, text, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, d.File)
}

// reload has every process read again what it can.
func (d *devCluster) reload(env *command.Environment) {
	c, err := config.Load(d.File)
	var nodes []*node.Node
	for _, n := range d.nodes {
		nodes = append(nodes, n.Node)
	}
	reload(env, d.File, c, err, nodes...)
}

// start runs every process. If one cannot start, it stops the others.
func (d *devCluster) start(env *command.Environment) error {
	log := env.Log.Hook(d)
	fatal := fatal(env)
	beside := len(d.Acceptors) + len(d.Learners) + len(d.Proposers) - 1
	for _, role := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleLearner, paxos.RoleProposer} {
		for _, n := range d.Nodes(role) {
			dir := ""
			if role != paxos.RoleProposer {
				dir = d.path(n.ID)
			}
			started, err := node.Start(node.Options{Cluster: d.Cluster, Role: role, ID: n.ID, Dir: dir, Beside: beside, Log: log, Fatal: fatal})
			if err != nil {
				if errors.Is(err, syscall.EADDRINUSE) {
					err = fmt.Errorf("%s cannot listen on %s: %w: if another `paxlog dev` runs, stop it, else choose other ports with --base-port", n.ID, n.Addr, syscall.EADDRINUSE)
				}
				return errors.Join(err, d.stop())
			}
			d.nodes = append(d.nodes, devNode{started, n.ID, role})
		}
	}
	if err := d.save(); err != nil {
		return errors.Join(err, d.stop())
	}
	return nil
}

// Run implements zerolog.Hook. It leaves out what says nothing when all processes
// are one: that a part is ready, and that they find and, at the end, lose each
// other.
func (d *devCluster) Run(e *zerolog.Event, level zerolog.Level, message string) {
	switch message {
	case "ready", "peer connected", "peer not reachable":
		e.Discard()
	}
	if d.closing.Load() && level < zerolog.ErrorLevel {
		e.Discard()
	}
}

// stop closes the proposers first, which finish what they accepted, then all
// others, and lets another dev have the directory.
func (d *devCluster) stop() error {
	d.closing.Store(true)
	var failed []error
	for _, role := range []paxos.Role{paxos.RoleProposer, paxos.RoleLearner, paxos.RoleAcceptor} {
		var wg sync.WaitGroup
		errs := make([]error, len(d.nodes))
		for i, n := range d.nodes {
			if n.role == role {
				wg.Go(func() { errs[i] = stopNode(string(n.id), n.Node) })
			}
		}
		wg.Wait()
		failed = append(failed, errs...)
	}
	d.nodes = nil
	return errors.Join(append(failed, d.lock.Close())...)
}

// readyPoll is the time between two looks whether the cluster serves.
const readyPoll = 25 * time.Millisecond

// awaitReady returns when an append can succeed, or ctx's cause.
func (d *devCluster) awaitReady(ctx context.Context, c *client.Client) error {
	for _, n := range d.nodes {
		select {
		case <-n.Ready():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	for {
		s, err := c.Status(ctx)
		if err != nil {
			return err
		}
		if s.Leader != "" && s.Quorum && s.Serving {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Free ports are looked for here: below the ports that systems give to outgoing
// connections, one of which might take a port before it is bound.
const (
	lowestFreePort  = 10_000
	highestFreePort = 32_000
)

// FreeBasePort finds a base port of which no port that dev needs is taken at the
// moment.
func FreeBasePort() (int, error) {
	for range 1000 {
		if base := lowestFreePort + rand.IntN(highestFreePort-lowestFreePort); AllFree(config.Dev(base)) {
			return base, nil
		}
	}
	return 0, errors.New("no free ports are found on 127.0.0.1: choose some with --base-port")
}

// AllFree reports whether every address of c can be bound.
func AllFree(c *config.Cluster) bool {
	for _, role := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleProposer, paxos.RoleLearner} {
		for _, n := range c.Nodes(role) {
			l, err := net.Listen("tcp", n.Addr)
			if err != nil {
				return false
			}
			_ = l.Close()
		}
	}
	return true
}

// basePort is the base port of d, as its first acceptor tells.
func (d *devCluster) basePort() int {
	_, port, err := net.SplitHostPort(d.Acceptors[0].Addr)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(port)
	return n - 1
}
