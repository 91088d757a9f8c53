package clients

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
	"github.com/paxlog/paxlog/wire"
)

// TestStatusSaysWhyNotVoting: an acceptor that is up and does not vote says why, below the
// table, and in JSON.
func TestStatusSaysWhyNotVoting(t *testing.T) {
	const why = "l1 remembers a1 by incarnation 0000000000000006"
	s := shapes.NewStatus("orders", client.Status{Processes: []client.ProcessStatus{
		{Role: paxos.RoleAcceptor, Peer: client.Peer{ID: "a1"}, ProcessState: client.ProcessState{Reason: why}},
		{Role: paxos.RoleAcceptor, Peer: client.Peer{ID: "a2"}, ProcessState: client.ProcessState{Voting: true}},
	}})
	var out strings.Builder
	if err := writeTable(s, time.Now(), &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "a1 does not vote: "+why) || strings.Contains(out.String(), "a2 does not vote") {
		t.Errorf("printed:\n%s", out.String())
	}
	if a := s.Acceptors; a[0].Reason == nil || *a[0].Reason != why || a[1].Reason != nil {
		t.Errorf("%+v", s.Acceptors)
	}
}

// TestStatusSaysWhatHasNoTLS: connections without TLS, and certificates that end soon, are told
// below the table, and in JSON; where TLS is off, neither.
func TestStatusSaysWhatHasNoTLS(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	soon, late := now.AddDate(0, 0, 29), now.AddDate(0, 0, 31)
	s := shapes.NewStatus("orders", client.Status{Processes: []client.ProcessStatus{
		{Role: paxos.RoleAcceptor, Peer: client.Peer{ID: "a1"}, ProcessState: client.ProcessState{TLS: config.TLSAccept, Plain: []string{"p1", "l1"}, PlainClients: 2, CertEnds: late}},
		{Role: paxos.RoleAcceptor, Peer: client.Peer{ID: "a2"}, ProcessState: client.ProcessState{TLS: config.TLSRequire, CertEnds: soon}},
		{Role: paxos.RoleAcceptor, Peer: client.Peer{ID: "a3"}, ProcessState: client.ProcessState{TLS: config.TLSOff}},
		{Role: paxos.RoleLearner, Peer: client.Peer{ID: "l1"}, ProcessState: client.ProcessState{TLS: config.TLSAccept, PlainClients: 1, CertEnds: late}},
	}})
	var out strings.Builder
	if err := writeTable(s, now, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a1 has connections without TLS: p1, l1, clients (2)\n", "l1 has connections without TLS: clients (1)\n", "a2 has a certificate that ends at 2030-01-30T00:00:00Z: renew it"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
	for _, not := range []string{"a1 has a certificate", "a2 has connections", "a3 has"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("%q in:\n%s", not, out.String())
		}
	}
	a := s.Acceptors
	if *a[0].TLS != "accept" || len(*a[0].PlainPeers) != 2 || *a[0].PlainClients != 2 || *a[0].CertEnds != "2030-02-01T00:00:00Z" || a[2].PlainPeers != nil || a[2].CertEnds != nil || *a[2].TLS != "off" {
		t.Errorf("%+v", a)
	}
}

// TestStatusSaysWhatTheDiskHolds: what a directory takes and what is free are in the table
// and in JSON, dashes and null where they are not known, and a learner's disk that hangs.
func TestStatusSaysWhatTheDiskHolds(t *testing.T) {
	s := shapes.NewStatus("orders", client.Status{Processes: []client.ProcessStatus{
		{Role: paxos.RoleAcceptor, Peer: client.Peer{ID: "a1"}, ProcessState: client.ProcessState{Voting: true, DiskBytes: 1_234_567, DiskFree: 52_100_000_000}},
		{Role: paxos.RoleAcceptor, Peer: client.Peer{ID: "a2"}, ProcessState: client.ProcessState{Voting: true}},
		{Role: paxos.RoleLearner, Peer: client.Peer{ID: "l1"}, ProcessState: client.ProcessState{DiskBytes: 999_900, DiskFree: 512, DiskHangs: 3 * time.Second}},
	}})
	var out strings.Builder
	if err := writeTable(s, time.Now(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1.2 MB  52 GB", "-       -", "1.0 MB  512 B", "disk hangs 3 s"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
	if a := s.Acceptors; *a[0].Bytes != 1_234_567 || *a[0].Free != 52_100_000_000 || a[1].Bytes != nil || *s.Learners[0].Hangs != 3000 {
		t.Errorf("%+v", s)
	}
}

// TestStatusSaysWhereTheLogBegins: the first line has the epoch of the configuration and the first
// index, as the learner says that knows most; one that is wrong does not count, and what nobody
// says is a dash, and null in JSON.
func TestStatusSaysWhereTheLogBegins(t *testing.T) {
	learner := func(id string, first paxos.Index, wrong string) client.ProcessStatus {
		return client.ProcessStatus{Role: paxos.RoleLearner, Peer: client.Peer{ID: id}, ProcessState: client.ProcessState{First: first, Last: 90, Reason: wrong}}
	}
	for want, s := range map[string]client.Status{
		", epoch 3, first index 40\n": {Epoch: 3, Processes: []client.ProcessStatus{learner("l1", 7, ""), learner("l2", 40, ""), learner("l3", 60, "another log")}},
		", epoch -, first index -\n":  {Processes: []client.ProcessStatus{learner("l1", 0, "")}},
	} {
		shape := shapes.NewStatus("orders", s)
		var out strings.Builder
		if err := writeTable(shape, time.Now(), &out); err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(out.String(), "\n"); !strings.HasSuffix(first+"\n", want) {
			t.Errorf("%q, want %q", first, want)
		}
		if known := shape.FirstIndex != nil; known != (s.Epoch != 0) || known && *shape.FirstIndex != 40 {
			t.Errorf("%v", shape.FirstIndex)
		}
	}
}

// TestStatusSaysHowNotUp: the table tells a process that is down from one that runs, and from one that was
// removed, and says below it why the former are so; in JSON neither is up, and both have an error.
func TestStatusSaysHowNotUp(t *testing.T) {
	s := shapes.NewStatus("orders", client.Status{Processes: []client.ProcessStatus{
		{Role: paxos.RoleAcceptor, Peer: client.Peer{ID: "a1", Addr: "h:1"}, Err: fmt.Errorf("dial: %w", syscall.ECONNREFUSED)},
		{Role: paxos.RoleAcceptor, Peer: client.Peer{ID: "a2", Addr: "h:2"}, Err: &transport.RefusedError{Addr: "h:2", Code: wire.RefusedLog, Text: "initialised anew"}},
		{Role: paxos.RoleAcceptor, Peer: client.Peer{ID: "a3", Addr: "h:3"}, Err: transport.ErrNoAnswer},
		{Role: paxos.RoleAcceptor, Peer: client.Peer{ID: "a4", Addr: "h:4"}, Err: fmt.Errorf("dial: %w", syscall.ECONNREFUSED), Former: true},
	}})
	var out strings.Builder
	if err := writeTable(s, time.Now(), &out); err != nil {
		t.Fatal(err)
	}
	table := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{"a1 acceptor h:1 no -", "a2 acceptor h:2 refused -", "a3 acceptor h:3 hangs -", "a4 acceptor h:4 no removed -", "a2: refused by h:2: initialised anew"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
	if strings.Contains(table, "a4: ") {
		t.Errorf("nobody has to do anything about a4:\n%s", out.String())
	}
	for _, a := range s.Acceptors {
		if a.Up || a.Error == nil {
			t.Errorf("%+v", a)
		}
	}
}
