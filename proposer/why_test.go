package proposer

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestWhyNobodyLeads: a standby that too few acceptors answer says so, to status
// and to who appends, and not what once made it a standby.
func TestWhyNobodyLeads(t *testing.T) {
	p := New(config())
	ask := func(now paxos.Ticks) string {
		t.Helper()
		p.Tick(now, 5)
		p.Flush()
		p.Step("@1", &paxos.StatusQuery{Nonce: 1})
		replies := sent[*paxos.StatusReply](p.Flush())
		if len(replies) != 1 {
			t.Fatalf("%d replies", len(replies))
		}
		return replies[0].Reason
	}
	if got := ask(1); got != "just started" {
		t.Errorf("at the start: %q", got)
	}
	p.Step("a1", &paxos.QueryReply{Nonce: 1})
	const want = "1 of 3 acceptors answer p1, and 2 are needed"
	p.Tick(160, 5)
	p.Step("a1", &paxos.QueryReply{Nonce: 160})
	if got := ask(200); got != want {
		t.Errorf("alone with a1: %q", got)
	}
	p.Step("@1", appendOf(1, "x"))
	if r := sent[*paxos.Refused](p.Flush()); len(r) != 1 || r[0].Detail != "no leader: "+want {
		t.Errorf("an append is refused with %+v", r)
	}
	p.Step("a2", &paxos.QueryReply{Nonce: 200})
	if got := ask(210); got != "just started" {
		t.Errorf("with a2: %q", got)
	}
}
