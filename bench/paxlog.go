package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/load"
)

// paxlogSystem is Paxlog: three acceptors, a leader and a standby, one learner.
type paxlogSystem struct {
	binary string
	label  string // "": its own name
	each   bool   // each client has a session of its own; else those of a connection share its
	opts   []client.Option
	admin  *client.Client
	first  client.Index // the log's length before the load
}

func (s *paxlogSystem) name() string {
	if s.label != "" {
		return s.label
	}
	if s.each {
		return "paxlog-sessions"
	}
	return "paxlog"
}

func (s *paxlogSystem) start(ctx context.Context, p *processes) error {
	ports, err := freePorts(6)
	if err != nil {
		return err
	}
	var file strings.Builder
	fmt.Fprintln(&file, "cluster: bench")
	nodes := map[string][]client.Peer{}
	for i, id := range []string{"a1", "a2", "a3", "p1", "p2", "l1"} {
		nodes[id[:1]] = append(nodes[id[:1]], client.Peer{ID: id, Addr: at(ports[i])})
	}
	for _, role := range []string{"acceptors", "proposers", "learners"} {
		fmt.Fprintf(&file, "%s:\n", role)
		for _, n := range nodes[role[:1]] {
			fmt.Fprintf(&file, "  - {id: %s, addr: \"%s\"}\n", n.ID, n.Addr)
		}
	}
	config := filepath.Join(p.dir, "paxlog.yaml")
	if err := os.WriteFile(config, []byte(file.String()), 0o644); err != nil {
		return err
	}
	for _, role := range []string{"acceptor", "learner", "proposer"} {
		for _, n := range nodes[role[:1]] {
			if err := s.member(p, s.binary, config, role, n.ID); err != nil {
				return err
			}
		}
	}
	s.opts = []client.Option{
		client.WithCluster("bench"), client.WithProposers(nodes["p"]...), client.WithLearners(nodes["l"]...),
		client.WithTimeout(patience), client.WithInflight(64 << 20),
	}
	if s.admin, err = client.New(ctx, s.opts...); err != nil {
		return err
	}
	return p.until(ctx, "paxlog does not answer", func(ctx context.Context) error {
		r, err := s.admin.Append(ctx, []byte("ready"))
		s.first = r.Index
		return err
	})
}

// member initialises one process and starts it.
func (s *paxlogSystem) member(p *processes, binary, config, role, id string) error {
	args := []string{role, "--config", config, "--id", id}
	if role != "proposer" {
		data := filepath.Join(p.dir, id)
		if out, err := exec.Command(binary, "init", "--config", config, "--id", id, "--data", data).CombinedOutput(); err != nil {
			return fmt.Errorf("paxlog init: %w\n%s", err, out)
		}
		args = append(args, "--data", data)
	}
	return p.spawn(id, binary, args...)
}

func (s *paxlogSystem) count(ctx context.Context) (uint64, error) {
	_, last, err := s.admin.End(ctx)
	return uint64(last - s.first), err
}

func (s *paxlogSystem) close() {
	if s.admin != nil {
		_ = s.admin.Close()
	}
}

type paxlogConn struct {
	c    *client.Client
	each bool
}

func (s *paxlogSystem) dial(ctx context.Context) (conn, error) {
	c, err := client.New(ctx, s.opts...)
	if err != nil {
		return nil, err
	}
	if _, _, err := c.End(ctx); err != nil { // it connects in the background otherwise
		_ = c.Close()
		return nil, err
	}
	return paxlogConn{c, s.each}, nil
}

func (c paxlogConn) session() load.Session {
	if c.each {
		return load.OwnSession(c.c)
	}
	return load.SharedSession(c.c)
}

func (c paxlogConn) close() { _ = c.c.Close() }
