package clients

import (
	"strings"
	"testing"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
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
	if err := writeTable(s, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "a1 does not vote: "+why) || strings.Contains(out.String(), "a2 does not vote") {
		t.Errorf("printed:\n%s", out.String())
	}
	if a := s.Acceptors; a[0].Reason == nil || *a[0].Reason != why || a[1].Reason != nil {
		t.Errorf("%+v", s.Acceptors)
	}
}
