package faults

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/rs/zerolog"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/node"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

// dataDir is the data directory on each disk in memory.
const dataDir = "data"

// memory is a cluster in this process: real nodes on TCP, each with a disk in
// memory that can be copied.
type memory struct {
	t     testing.TB
	c     *config.Cluster
	disks map[paxos.NodeID]*vfs.MemFS
	nodes map[paxos.NodeID]*node.Node
	logs  map[paxos.NodeID]*lockedBuffer
	fatal map[paxos.NodeID]chan error
}

// lockedBuffer can be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newMemory returns a cluster of three acceptors, a proposer and a learner that
// does not run yet.
func newMemory(t testing.TB) *memory {
	t.Helper()
	m := &memory{
		t: t, c: config.Defaults(), disks: map[paxos.NodeID]*vfs.MemFS{}, nodes: map[paxos.NodeID]*node.Node{},
		logs: map[paxos.NodeID]*lockedBuffer{}, fatal: map[paxos.NodeID]chan error{},
	}
	m.c.Name = "memory"
	var open []net.Listener
	add := func(ids ...paxos.NodeID) (out []config.Node) {
		for _, id := range ids {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, l)
			out = append(out, config.Node{ID: id, Addr: l.Addr().String()})
		}
		return out
	}
	m.c.Acceptors, m.c.Proposers, m.c.Learners = add("a1", "a2", "a3"), add("p1"), add("l1")
	for _, l := range open {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	m.c.Quorum = config.Quorum{Phase1: 2, Phase2: 2}
	// Short, for thousands of starts; a leader lets an acceptor rejoin once in a stall.
	times := &m.c.Timeouts
	times.Heartbeat, times.ElectionMin, times.ElectionMax, times.Stall = 20*time.Millisecond, 60*time.Millisecond, 120*time.Millisecond, 300*time.Millisecond
	for _, id := range []paxos.NodeID{"a1", "a2", "a3", "l1"} {
		m.disks[id] = vfs.NewCrashableMem()
		role, _, _ := m.c.Lookup(id)
		if err := wal.Init(m.disks[id], dataDir, wal.NewIdentity(m.c.Membership(), role, id)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// start starts nodes. An error is that of the first that does not start.
func (m *memory) start(ids ...paxos.NodeID) error {
	for _, id := range ids {
		role, _, _ := m.c.Lookup(id)
		log, fatal := &lockedBuffer{}, make(chan error, 1)
		opts := node.Options{
			Cluster: m.c, Role: role, ID: id, Log: zerolog.New(log),
			Fatal: func(err error) { fatal <- err },
		}
		if role != paxos.RoleProposer {
			opts.Dir, opts.FS = dataDir, m.disks[id]
		}
		n, err := node.Start(opts)
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		m.nodes[id], m.logs[id], m.fatal[id] = n, log, fatal
	}
	return nil
}

// stop stops nodes. One that has ended fatally may never stop: a process would
// have, and here it is left behind.
func (m *memory) stop(ids ...paxos.NodeID) {
	var all sync.WaitGroup
	for _, id := range ids {
		n := m.nodes[id]
		if n == nil {
			continue
		}
		delete(m.nodes, id)
		done := make(chan struct{})
		go func() {
			defer close(done)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = n.Stop(ctx) // its disk is looked at afterwards
		}()
		all.Go(func() {
			select {
			case <-done:
			case <-time.After(5 * time.Second):
			}
		})
	}
	all.Wait()
}

func (m *memory) stopAll() {
	var ids []paxos.NodeID
	for id := range maps.Keys(m.nodes) {
		ids = append(ids, id)
	}
	m.stop(ids...)
}

// client returns a client, which the caller closes.
func (m *memory) client() *client.Client {
	m.t.Helper()
	peers := func(nodes []config.Node) (out []client.Peer) {
		for _, n := range nodes {
			out = append(out, client.Peer{ID: string(n.ID), Addr: n.Addr})
		}
		return out
	}
	c, err := client.New(context.Background(), client.WithCluster(m.c.Name), client.WithTimeout(20*time.Second),
		client.WithAcceptors(peers(m.c.Acceptors)...), client.WithProposers(peers(m.c.Proposers)...), client.WithLearners(peers(m.c.Learners)...))
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// acceptorStatus is what an acceptor says of itself, the zero value if nothing.
func acceptorStatus(c *client.Client, id string) client.ProcessState {
	s, err := c.Status(context.Background())
	if err != nil {
		return client.ProcessState{}
	}
	for _, p := range s.Processes {
		if p.ID == id && p.Err == nil {
			return p.ProcessState
		}
	}
	return client.ProcessState{}
}
