package clients

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
)

func TestVerdicts(t *testing.T) {
	c := clusterfile.Found{Cluster: config.Dev(1), File: "f.yaml"}
	c.Name = "orders"
	down := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	process := func(role paxos.Role, id string, change func(*client.ProcessStatus)) client.ProcessStatus {
		p := client.ProcessStatus{Role: role, Peer: client.Peer{ID: id}, ProcessState: client.ProcessState{State: "standby", Reason: "just started", Voting: true}}
		if change != nil {
			change(&p)
		}
		return p
	}
	dead := func(p *client.ProcessStatus) { p.Err = down }
	refusing := func(p *client.ProcessStatus) { p.Err = &transport.RefusedError{Addr: "h:1", Text: "no"} }
	hung := func(p *client.ProcessStatus) { p.Err = fmt.Errorf("h:1: %w", transport.ErrNoAnswer) }
	unasked := func(p *client.ProcessStatus) { p.Err = context.DeadlineExceeded }
	mute := func(p *client.ProcessStatus) { p.Voting = false }
	for _, test := range []struct {
		a, p, l func(*client.ProcessStatus)
		leader  string
		quorum  bool
		want    string
	}{
		{nil, nil, nil, "p1", true, ""},
		{nil, nil, dead, "p1", true, "no learner serves: start l1 (`paxlog learner --config f.yaml --id l1 --data DIR`)"},
		{nil, dead, nil, "", false, "no proposer leads: every proposer is down: start p1 (`paxlog proposer --config f.yaml --id p1`)"},
		{nil, nil, nil, "", false, "no proposer leads: p1 says: just started; an election takes less than a second: ask again, and if that goes on look at the proposers' logs"},
		{mute, nil, nil, "", false, "no proposer leads: 0 of 2 acceptors vote, and 2 are needed: not vouched for yet: a1, a2; if that goes on, look at their logs"},
		{dead, nil, nil, "p1", false, "p1 leads, but has no answers of a quorum: 0 of 2 acceptors are up, and 2 are needed: start a1 or a2 (`paxlog acceptor --config f.yaml --id a1 --data DIR`)"},
		{refusing, nil, nil, "", false, "no proposer leads: 0 of 2 acceptors are up, and 2 are needed: a1: refused by h:1: no: check the cluster file"},
		{dead, refusing, nil, "", false,
			"no proposer leads: 0 of 2 acceptors are up, and 2 are needed: start a1 or a2 (`paxlog acceptor --config f.yaml --id a1 --data DIR`)"},
		{hung, nil, nil, "", false, "no proposer leads: 0 of 2 acceptors answer, and 2 are needed: a1, a2 run and do not answer: look whether they were stopped, or their disks or hosts hang; their logs may say"},
		{unasked, nil, nil, "", false, "no proposer leads: 0 of 2 acceptors answer, and 2 are needed: a1, a2 could not be asked (context deadline exceeded): check the network and the address, or wait longer with --timeout"},
		{nil, hung, nil, "", false, "no proposer that answers leads: no proposer answers: p1 runs and does not answer: look whether it was stopped, or its disk or host hangs; its log may say"},
		{nil, nil, hung, "p1", true, "no learner serves: l1 runs and does not answer: look whether it was stopped, or its disk or host hangs; its log may say"},
		{nil, nil, unasked, "p1", true, "no learner serves: l1 could not be asked (context deadline exceeded): check the network and the address, or wait longer with --timeout"},
		{unasked, unasked, unasked, "", false, "none of the 4 processes could be asked, so whether they run is not known: a1, a2, p1, l1 could not be asked (context deadline exceeded): check the network and the address, or wait longer with --timeout"},
		{dead, refusing, refusing, "", false, "every process that answers refuses this client: refused by h:1: no: check the cluster file"},
	} {
		s := client.Status{Leader: test.leader, Quorum: test.quorum, Processes: []client.ProcessStatus{
			process(paxos.RoleAcceptor, "a1", test.a), process(paxos.RoleAcceptor, "a2", test.a),
			process(paxos.RoleProposer, "p1", test.p), process(paxos.RoleLearner, "l1", test.l),
		}}
		err := verdict(shapes.NewStatus("orders", s), c, s.Processes[3].Err == nil)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != test.want || (err != nil && command.CodeOf(err) != command.ExitUnavailable) {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

// TestVerdictWithoutTheRemoved: an acceptor that is none any more is neither counted nor to be started.
func TestVerdictWithoutTheRemoved(t *testing.T) {
	c := clusterfile.Found{Cluster: config.Dev(1), File: "f.yaml"}
	c.Name = "orders"
	down := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	s := client.Status{}
	for _, id := range []string{"a1", "a3", "a4"} {
		s.Processes = append(s.Processes, client.ProcessStatus{Role: paxos.RoleAcceptor, Peer: client.Peer{ID: id}, Err: down})
	}
	s.Processes = append(s.Processes, client.ProcessStatus{Role: paxos.RoleAcceptor, Peer: client.Peer{ID: "a2"}, Err: down, Former: true},
		client.ProcessStatus{Role: paxos.RoleProposer, Peer: client.Peer{ID: "p1"}}, client.ProcessStatus{Role: paxos.RoleLearner, Peer: client.Peer{ID: "l1"}})
	const want = "no proposer leads: 0 of 3 acceptors are up, and 2 are needed: start a1, a3 or a4 (`paxlog acceptor --config f.yaml --id a1 --data DIR`)"
	if err := verdict(shapes.NewStatus(c.Name, s), c, false); command.CodeOf(err) != command.ExitUnavailable || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}
