#!/usr/bin/env bash
# What:    hashicorp/raft v1.8.0, Apply(buffer) by a caller that uses its buffer again after the future was answered.
# Guess:   Once Apply is answered, the command is applied and stored, and the buffer is the caller's again.
# Happens: The leader's state machine and its in-memory log store hold the caller's bytes themselves. Writing the next
#          command into the buffer changes the one that was applied, on the leader only: followers decoded their own
#          copies. Nothing compares replicas, so nobody is told.
# Why:     Reusing an encoder's buffer is the usual care for garbage; here replicas differ from then on.
# Paxlog:  Encodes a value when it is sent, and keeps none of the caller's bytes once an append was answered, so all
#          replicas have the same; before the answer of AppendAsync its value must not be changed (client/session.go).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get github.com/hashicorp/raft@v1.8.0; } 2>setup.log || { cat setup.log; exit 1; }
go list -m github.com/hashicorp/raft

cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// machine keeps the commands that it was given.
type machine struct {
	sync.Mutex
	applied [][]byte
}

func (m *machine) Apply(l *raft.Log) any {
	m.Lock()
	defer m.Unlock()
	m.applied = append(m.applied, l.Data)
	return nil
}
func (m *machine) Snapshot() (raft.FSMSnapshot, error) { return nil, fmt.Errorf("none") }
func (m *machine) Restore(r io.ReadCloser) error       { return r.Close() }
func (m *machine) String() string {
	m.Lock()
	defer m.Unlock()
	return fmt.Sprintf("%q", m.applied)
}

func main() {
	ids := []string{"a", "b", "c"}
	var servers []raft.Server
	transports := map[string]*raft.NetworkTransport{} // over TCP, so that followers decode what they get
	for _, id := range ids {
		t, err := raft.NewTCPTransport("127.0.0.1:0", nil, 3, time.Second, io.Discard)
		must(err)
		transports[id] = t
		servers = append(servers, raft.Server{ID: raft.ServerID(id), Address: t.LocalAddr()})
	}
	machines, nodes := map[string]*machine{}, map[string]*raft.Raft{}
	for _, id := range ids {
		cfg := raft.DefaultConfig()
		cfg.LocalID, cfg.Logger = raft.ServerID(id), hclog.NewNullLogger()
		store, snapshots := raft.NewInmemStore(), raft.NewInmemSnapshotStore()
		must(raft.BootstrapCluster(cfg, store, store, snapshots, transports[id], raft.Configuration{Servers: servers}))
		machines[id] = &machine{}
		node, err := raft.NewRaft(cfg, machines[id], store, store, snapshots, transports[id])
		must(err)
		nodes[id] = node
	}
	leader := ""
	for deadline := time.Now().Add(30 * time.Second); leader == ""; time.Sleep(20 * time.Millisecond) {
		for id, n := range nodes {
			if n.State() == raft.Leader {
				leader = id
			}
		}
		if time.Now().After(deadline) {
			panic("no leader")
		}
	}
	buffer := []byte("first ")
	must(nodes[leader].Apply(buffer, time.Second).Error())
	copy(buffer, "second") // the next command; it is answered, so the buffer is ours
	must(nodes[leader].Apply(buffer, time.Second).Error())
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		done := true
		for _, m := range machines {
			m.Lock()
			done = done && len(m.applied) == 2
			m.Unlock()
		}
		if done || time.Now().After(deadline) {
			break
		}
	}
	changed := false
	for _, id := range ids {
		role, want := "follower", `["first " "second"]`
		if id == leader {
			role, want = "leader", `["second" "second"]`
		}
		fmt.Printf("%-9s applied %v\n", role, machines[id])
		changed = changed || machines[id].String() != want
	}
	for _, n := range nodes {
		must(n.Shutdown().Error())
	}
	if changed {
		fmt.Println("CHANGED: the leader was expected to have the second command twice, the followers both")
		os.Exit(1)
	}
}
GO
go run .
