package node_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
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

// cluster is a real cluster in this process, on loopback and on disk.
type cluster struct {
	t     testing.TB
	c     *config.Cluster
	dir   string
	nodes map[paxos.NodeID]*node.Node
	log   zerolog.Logger
	mu    sync.Mutex
	fatal map[paxos.NodeID]error
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// newCluster starts a cluster of the given sizes.
func newCluster(t testing.TB, acceptors, proposers, learners int) *cluster {
	t.Helper()
	c := config.Defaults()
	c.Name = "test"
	ports := freePorts(t, acceptors+proposers+learners)
	nodes := func(prefix string, n int) []config.Node {
		var out []config.Node
		for i := range n {
			out = append(out, config.Node{ID: paxos.NodeID(fmt.Sprintf("%s%d", prefix, i+1)), Addr: fmt.Sprintf("127.0.0.1:%d", ports[0])})
			ports = ports[1:]
		}
		return out
	}
	c.Acceptors, c.Proposers, c.Learners = nodes("a", acceptors), nodes("p", proposers), nodes("l", learners)
	c.Quorum.Phase1, c.Quorum.Phase2 = acceptors/2+1, acceptors/2+1
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	k := &cluster{t: t, c: c, dir: t.TempDir(), nodes: map[paxos.NodeID]*node.Node{}, log: zerolog.Nop(), fatal: map[paxos.NodeID]error{}}
	if os.Getenv("PAXLOG_TEST_LOG") != "" {
		k.log = zerolog.New(os.Stderr).With().Timestamp().Logger()
	}
	for _, role := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleLearner} {
		for _, n := range c.Nodes(role) {
			k.init(role, n.ID)
		}
	}
	for _, role := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleLearner, paxos.RoleProposer} {
		for _, n := range c.Nodes(role) {
			k.start(role, n.ID)
		}
	}
	t.Cleanup(func() {
		for id := range k.nodes {
			k.stop(id)
		}
	})
	return k
}

func (k *cluster) path(id paxos.NodeID) string { return filepath.Join(k.dir, string(id)) }

func (k *cluster) init(role paxos.Role, id paxos.NodeID) {
	k.t.Helper()
	if err := wal.Init(vfs.Default, k.path(id), wal.NewIdentity(k.c.Membership(), role, id)); err != nil {
		k.t.Fatal(err)
	}
}

func (k *cluster) start(role paxos.Role, id paxos.NodeID) {
	k.t.Helper()
	n, err := node.Start(node.Options{Cluster: k.c, Role: role, ID: id, Dir: k.path(id), Log: k.log, Fatal: func(err error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.fatal[id] = err
	}})
	if err != nil {
		k.t.Fatal(err)
	}
	k.nodes[id] = n
}

func (k *cluster) stop(id paxos.NodeID) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := k.nodes[id].Stop(ctx); err != nil {
		k.t.Errorf("stop %s: %v", id, err)
	}
	delete(k.nodes, id)
}

func (k *cluster) client(opts ...client.Option) *client.Client {
	k.t.Helper()
	peers := func(nodes []config.Node) (out []client.Peer) {
		for _, n := range nodes {
			out = append(out, client.Peer{ID: string(n.ID), Addr: n.Addr})
		}
		return out
	}
	c, err := client.New(context.Background(), append([]client.Option{
		client.WithCluster("test"), client.WithAcceptors(peers(k.c.Acceptors)...), client.WithProposers(peers(k.c.Proposers)...),
		client.WithLearners(peers(k.c.Learners)...), client.WithTimeout(20 * time.Second),
	}, opts...)...)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestAppendAndTail(t *testing.T) {
	k := newCluster(t, 3, 2, 2)
	c := k.client()
	ctx := context.Background()
	start := time.Now()
	for i := range 20 {
		r, err := c.Append(ctx, fmt.Appendf(nil, "entry %d", i))
		if err != nil {
			t.Fatal(err)
		}
		if r.Index != client.Index(i+1) {
			t.Fatalf("entry %d has index %d", i, r.Index)
		}
		if i == 0 {
			t.Logf("first append after %v", time.Since(start))
		}
	}
	t.Logf("20 appends after %v", time.Since(start))
	n := 0
	for e, err := range c.Tail(ctx, client.TailOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("entry %d", n); string(e.Value) != want || e.Index != client.Index(n+1) {
			t.Fatalf("entry %d: %q at %d", n, e.Value, e.Index)
		}
		n++
	}
	if n != 20 {
		t.Fatalf("%d entries", n)
	}
}
