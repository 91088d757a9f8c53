package client_test

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/rs/zerolog"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/node"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

// example returns a client of a cluster of its own, in this process, with an empty log.
// An application would use Open.
func example() (c *client.Client, stop func()) {
	cluster := config.Defaults()
	cluster.Name = "example"
	cluster.Acceptors = nodes("a1", "a2", "a3")
	cluster.Proposers, cluster.Learners = nodes("p1"), nodes("l1")
	cluster.Quorum = config.Quorum{Phase1: 2, Phase2: 2}
	var running []*node.Node
	stop = func() {
		if c != nil {
			check(c.Close())
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		for _, n := range running {
			check(n.Stop(ctx))
		}
	}
	for _, role := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleLearner, paxos.RoleProposer} {
		for _, n := range cluster.Nodes(role) {
			fs, dir := vfs.NewMem(), "data"
			if role != paxos.RoleProposer {
				check(wal.Init(fs, dir, wal.NewIdentity(cluster.Membership(), role, n.ID)))
			}
			started, err := node.Start(node.Options{
				Cluster: cluster, Role: role, ID: n.ID, Dir: dir, FS: fs, Log: zerolog.Nop(), Fatal: check,
			})
			check(err)
			running = append(running, started)
		}
	}
	c, err := client.New(context.Background(), client.WithConfig(cluster), client.WithTimeout(20*time.Second))
	check(err)
	return c, stop
}

// nodes are processes on free ports of loopback.
func nodes(ids ...paxos.NodeID) (all []config.Node) {
	for _, id := range ids {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(err)
		defer func() { check(l.Close()) }()
		all = append(all, config.Node{ID: id, Addr: l.Addr().String()})
	}
	return all
}

func check(err error) {
	if err != nil {
		panic(fmt.Sprint("the example cluster: ", err))
	}
}
