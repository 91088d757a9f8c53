// Package cluster is for tests: it runs the real binary as separate processes,
// harms them, puts a load on them, and checks the history that the load saw.
//
// A Cluster belongs to one test and ends with it. Its processes die with the
// test, also when that is killed.
package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/paxos"
)

// Cluster is a cluster of separate processes.
type Cluster struct {
	t      testing.TB
	Dir    string // of the cluster file, and of the data unless DataIn says otherwise
	File   string // the cluster file
	Config *config.Cluster

	addr  func(paxos.NodeID) string
	under func(paxos.NodeID) []string
	init  string // the program that makes the directories, "" for this release's
	data  map[paxos.NodeID]string
	made  func(*Cluster)

	mu      sync.Mutex
	running map[paxos.NodeID]*Process
	addrs   map[paxos.NodeID]string // of those that joined
}

// Option changes how a Cluster is made.
type Option func(*Cluster)

// At says where each process listens; without it, on free ports of loopback.
func At(addr func(paxos.NodeID) string) Option { return func(k *Cluster) { k.addr = addr } }

// Under puts each daemon behind a command that runs it, as nice does.
func Under(command func(paxos.NodeID) []string) Option {
	return func(k *Cluster) { k.under = command }
}

// InitBy has another program than this release's make the data directories.
func InitBy(program string) Option { return func(k *Cluster) { k.init = program } }

// With changes the cluster file before anything is initialised.
func With(change func(*config.Cluster)) Option { return func(k *Cluster) { change(k.Config) } }

// DataIn puts the data directory of one process into a directory.
func DataIn(id paxos.NodeID, dir string) Option {
	return func(k *Cluster) { k.data[id] = filepath.Join(dir, string(id)) }
}

// Made replaces the initialising of directories: f makes those of a cluster whose file is
// written, where Data says.
func Made(f func(*Cluster)) Option { return func(k *Cluster) { k.made = f } }

// New initialises and starts a cluster of these sizes. With -short the test is skipped.
func New(t testing.TB, acceptors, proposers, learners int, opts ...Option) *Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("a cluster of processes takes its time: run without -short")
	}
	k := &Cluster{
		t: t, Dir: t.TempDir(), Config: config.Defaults(),
		data: map[paxos.NodeID]string{}, running: map[paxos.NodeID]*Process{}, addrs: map[paxos.NodeID]string{},
	}
	for _, o := range opts {
		o(k)
	}
	if k.addr == nil {
		k.addr = freeAddr(t)
	}
	add := func(prefix string, n int) (out []config.Node) {
		for i := range n {
			id := paxos.NodeID(fmt.Sprintf("%s%d", prefix, i+1))
			out = append(out, config.Node{ID: id, Addr: k.addr(id)})
		}
		return out
	}
	c := k.Config
	c.Name = "process-test"
	c.Acceptors, c.Proposers, c.Learners = add("a", acceptors), add("p", proposers), add("l", learners)
	c.Quorum.Phase1, c.Quorum.Phase2 = acceptors/2+1, acceptors/2+1
	yaml, err := c.FileYAML()
	if err != nil {
		t.Fatal(err)
	}
	k.File = filepath.Join(k.Dir, "paxlog.yaml")
	if err := os.WriteFile(k.File, yaml, 0o644); err != nil {
		t.Fatal(err)
	}
	if k.made != nil {
		k.made(k)
	}
	for _, id := range k.IDs() {
		if id[0] != 'p' && k.made == nil {
			k.initialise(id)
		}
	}
	t.Cleanup(func() {
		for _, id := range k.IDs() {
			if log := k.Kill(id); t.Failed() {
				t.Logf("the end of what %s logged:\n%s", id, log[max(0, len(log)-800):])
			}
		}
	})
	for _, id := range k.IDs() {
		k.Start(id)
	}
	return k
}

// initialise makes the data directory of an acceptor or learner.
func (k *Cluster) initialise(id paxos.NodeID) {
	k.t.Helper()
	program := k.init
	if program == "" {
		program = Binary(k.t)
	}
	if out, err := exec.Command(program, "init", "--config", k.File, "--id", string(id), "--data", k.Data(id)).CombinedOutput(); err != nil {
		k.t.Fatalf("%s init of %s: %v: %s", program, id, err, out)
	}
}

// freeAddr hands out ports of loopback that are free now, none of them twice.
func freeAddr(t testing.TB) func(paxos.NodeID) string {
	given := map[string]bool{}
	return func(paxos.NodeID) string {
		for {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := l.Addr().String()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if !given[addr] {
				given[addr] = true
				return addr
			}
		}
	}
}

// Data is the data directory of an acceptor or learner.
func (k *Cluster) Data(id paxos.NodeID) string {
	if dir, ok := k.data[id]; ok {
		return dir
	}
	return filepath.Join(k.Dir, string(id))
}

// IDs are all processes: acceptors, proposers, learners.
func (k *Cluster) IDs() (ids []paxos.NodeID) {
	for _, role := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleProposer, paxos.RoleLearner} {
		for _, n := range k.Config.Nodes(role) {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// Run runs a command to its end and returns its output and exit code.
func (k *Cluster) Run(args ...string) (stdout, stderr string, code int) {
	k.t.Helper()
	cmd := exec.Command(Binary(k.t), args...)
	cmd.Dir = k.Dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		k.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Must runs a command that shall succeed and returns its output.
func (k *Cluster) Must(args ...string) string {
	k.t.Helper()
	out, errs, code := k.Run(args...)
	if code != 0 {
		k.t.Fatalf("paxlog %v: exit %d\n%s", args, code, errs)
	}
	return out
}

// Start starts a process of the cluster.
func (k *Cluster) Start(id paxos.NodeID) *Process {
	k.t.Helper()
	role, _, ok := k.Config.Lookup(id)
	if !ok {
		k.t.Fatalf("no %s", id)
	}
	args := []string{Binary(k.t), role.String(), "--config", k.File, "--id", string(id)}
	if role != paxos.RoleProposer {
		args = append(args, "--data", k.Data(id))
	}
	if k.under != nil {
		args = append(k.under(id), args...)
	}
	p := k.start(args)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running[id] = p
	return p
}

// Address is that of a process that the cluster file does not name.
func (k *Cluster) Address(id paxos.NodeID) string { return k.joined(id) }

// Join initialises and starts a process that the cluster file does not name. Its role is told by the
// first letter of its id.
func (k *Cluster) Join(id paxos.NodeID) *Process {
	k.t.Helper()
	if role := roleOf(id); role != paxos.RoleProposer {
		k.Must("init", "--config", k.File, "--join", "--role", role.String(), "--id", string(id), "--addr", k.joined(id), "--data", k.Data(id))
	}
	return k.StartJoined(id)
}

// joined is the address of a process that joins.
func (k *Cluster) joined(id paxos.NodeID) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.addrs[id] == "" {
		k.addrs[id] = k.addr(id)
	}
	return k.addrs[id]
}

func roleOf(id paxos.NodeID) paxos.Role {
	return map[byte]paxos.Role{'a': paxos.RoleAcceptor, 'p': paxos.RoleProposer, 'l': paxos.RoleLearner}[id[0]]
}

// StartJoined starts a process that has joined.
func (k *Cluster) StartJoined(id paxos.NodeID) *Process {
	k.t.Helper()
	role := roleOf(id)
	args := []string{Binary(k.t), role.String(), "--config", k.File, "--id", string(id)}
	if role == paxos.RoleProposer {
		args = append(args, "--join", "--addr", k.joined(id))
	} else {
		args = append(args, "--data", k.Data(id))
	}
	p := k.start(args)
	k.t.Cleanup(func() {
		if log := k.Kill(id); k.t.Failed() {
			k.t.Logf("the end of what %s logged:\n%s", id, log[max(0, len(log)-1600):])
		}
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running[id] = p
	return p
}

// StartWith starts the program with any arguments; the cluster does not know it.
func (k *Cluster) StartWith(args ...string) *Process {
	k.t.Helper()
	return k.start(append([]string{Binary(k.t)}, args...))
}

func (k *Cluster) start(args []string) *Process {
	k.t.Helper()
	p, err := start(args)
	if err != nil {
		k.t.Fatal(err)
	}
	return p
}

// Process is the process of an id, nil after it was killed.
func (k *Cluster) Process(id paxos.NodeID) *Process {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.running[id]
}

// Signal sends a signal to a process, if it runs.
func (k *Cluster) Signal(id paxos.NodeID, s syscall.Signal) {
	if p := k.Process(id); p != nil {
		_ = p.cmd.Process.Signal(s)
	}
}

// Kill is kill -9; it returns when the process is gone, with what it logged.
func (k *Cluster) Kill(id paxos.NodeID) string {
	k.mu.Lock()
	p := k.running[id]
	delete(k.running, id)
	k.mu.Unlock()
	if p == nil {
		return ""
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return p.Stderr()
}

// Client returns a client of the cluster that ends with the test.
func (k *Cluster) Client(opts ...client.Option) *client.Client {
	k.t.Helper()
	peers := func(role paxos.Role) (out []client.Peer) {
		for _, n := range k.Config.Nodes(role) {
			out = append(out, client.Peer{ID: string(n.ID), Addr: n.Addr})
		}
		return out
	}
	c, err := client.New(context.Background(), append([]client.Option{
		client.WithCluster(k.Config.Name), client.WithAcceptors(peers(paxos.RoleAcceptor)...),
		client.WithProposers(peers(paxos.RoleProposer)...), client.WithLearners(peers(paxos.RoleLearner)...),
		client.WithTLS(k.Config.TLS),
	}, opts...)...)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Leader waits until somebody leads with a quorum.
func (k *Cluster) Leader(c *client.Client) paxos.NodeID {
	k.t.Helper()
	var leader string
	k.Await("somebody leads with a quorum", func() bool {
		s := k.Status(c)
		leader = s.Leader
		return s.Leader != "" && s.Quorum
	})
	return paxos.NodeID(leader)
}

// Status asks every process.
func (k *Cluster) Status(c *client.Client) client.Status {
	k.t.Helper()
	s, err := c.Status(context.Background())
	if err != nil {
		k.t.Fatal(err)
	}
	return s
}

// patience bounds every wait: a test fails rather than hangs.
const patience = time.Minute

// Await waits until a condition holds.
func (k *Cluster) Await(what string, holds func() bool) {
	k.t.Helper()
	for began := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > patience {
			k.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
