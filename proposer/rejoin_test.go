package proposer

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// asks steps a request to rejoin, and returns the grants and the campaign's Prepare.
func asks(p *Proposer, m *paxos.Rejoin) (grants []*paxos.Rejoined, prepare *paxos.Prepare) {
	p.Step("a3", m)
	out := p.Flush()
	if s := sentTo[*paxos.Prepare](out, "a1"); len(s) > 0 {
		prepare = s[0]
	}
	return sentTo[*paxos.Rejoined](out, "a3"), prepare
}

// heard lets the leader hear from a1 and a2.
func heard(p *Proposer, mono paxos.Ticks) {
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		p.Step(id, &paxos.HeartbeatAck{Ballot: leads(p).ballot, Nonce: uint64(p.now)})
	}
	p.Tick(mono, 5)
	p.Flush()
}

// rejoining returns a leader under whose ballot run 9 of a3 may rejoin.
func rejoining(t *testing.T) *Proposer {
	t.Helper()
	p := led(t)
	heard(p, p.now+config().ElectionMax)
	heard(p, p.now+1)
	_, m := asks(p, &paxos.Rejoin{Process: 9})
	if m == nil || m.Rejoin != "a3" {
		t.Fatalf("no campaign for a3: %+v", m)
	}
	promised(p, "a3", m, 0, true, 0) // it has forgotten what it promised: it does not count
	promised(p, "a1", m, 0, true, 0)
	if leads(p) != nil {
		t.Fatal("leads by a promise of the acceptor that has forgotten")
	}
	promised(p, "a2", m, 0, true, 0, vote(1, 1, "x"))
	if l := leads(p); l == nil || l.upTo != 1 {
		t.Fatalf("%+v", p.phase)
	}
	if g := sentTo[*paxos.Rejoined](p.Flush(), "a3"); len(g) != 1 || g[0].Process != 9 || g[0].UpTo != 1 || g[0].Ballot != m.Ballot {
		t.Fatalf("granted %+v", g)
	}
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: 1, Last: 1, Ballot: m.Ballot}}})
	}
	return p
}

// TestRejoinIsOfOneRun: a grant is repeated to the run that asked for it. Another run
// may have forgotten votes of this very ballot: it takes a campaign of its own.
func TestRejoinIsOfOneRun(t *testing.T) {
	p := rejoining(t)
	if g, m := asks(p, &paxos.Rejoin{Process: 9}); len(g) != 1 || m != nil {
		t.Fatalf("the same run: %+v, %+v", g, m)
	}
	heard(p, p.now+config().ElectionMax)
	heard(p, p.now+1)
	if g, m := asks(p, &paxos.Rejoin{Process: 10}); len(g) != 0 || m != nil {
		t.Fatalf("at once after another: %+v, %+v", g, m)
	}
	for until := p.now + config().StallTicks; p.now < until; {
		heard(p, p.now+config().ElectionMin)
	}
	if g, m := asks(p, &paxos.Rejoin{Process: 10}); len(g) != 0 || m == nil {
		t.Fatalf("another run: %+v, %+v", g, m)
	}
}

// TestRejoinAboveVoid: a ballot below one that has voided the promises since cannot be
// granted; the campaign goes above it.
func TestRejoinAboveVoid(t *testing.T) {
	p := rejoining(t)
	for until := p.now + config().StallTicks; p.now < until; {
		heard(p, p.now+config().ElectionMin)
	}
	void := paxos.Ballot{Round: 70, Proposer: "p2"}
	if g, m := asks(p, &paxos.Rejoin{Process: 9, Void: void}); len(g) != 0 || m == nil || !void.Less(m.Ballot) {
		t.Fatalf("%+v, %+v", g, m)
	}
}

// TestForgottenPromise: a promise does not count once another one shows that its
// acceptor has rejoined since; that acceptor is asked again.
func TestForgottenPromise(t *testing.T) {
	p, prep := campaigning(t, config())
	promised(p, "a1", prep["a1"], 0, true, 0)
	marks := make([]paxos.Mark, 3)
	marks[0].Life = paxos.Ballot{Round: 3, Proposer: "p2"}
	p.Step("a2", &paxos.Promise{Ballot: prep["a2"].Ballot, Nonce: prep["a2"].Nonce, Last: true, Marks: marks})
	if leads(p) != nil {
		t.Fatal("leads by a promise that was forgotten")
	}
	m := sentTo[*paxos.Prepare](p.Flush(), "a1")
	if len(m) != 1 || m[0].Nonce == prep["a1"].Nonce {
		t.Fatalf("not asked anew: %+v", m)
	}
	promised(p, "a1", m[0], 0, true, 0)
	if leads(p) != nil {
		t.Fatal("leads by a promise of the old life")
	}
	p.Step("a1", &paxos.Promise{Ballot: m[0].Ballot, Nonce: m[0].Nonce, Last: true, Marks: marks})
	if leads(p) == nil {
		t.Fatal("a promise of the new life does not count")
	}
}

// TestNoCampaignThatMustFail: an acceptor that has just connected may be about to be
// found to have forgotten votes. A campaign that needs it waits: it would void the
// promises of one that asks, whose directory may yet be put right, for nothing.
func TestNoCampaignThatMustFail(t *testing.T) {
	p := led(t)
	heard(p, p.now+config().ElectionMax)
	heard(p, p.now+1)
	p.Step("p1", &paxos.PeerUp{ID: "a2", Role: paxos.RoleAcceptor})
	p.Flush()
	if _, m := asks(p, &paxos.Rejoin{Process: 9}); m != nil {
		t.Fatal("a campaign without knowing that a2 may vote")
	}
	heard(p, p.now+1)
	if _, m := asks(p, &paxos.Rejoin{Process: 9}); m == nil {
		t.Fatal("no campaign although both others vote")
	}
}

// TestPatienceGrows: where promises take longer than an election timeout, a later
// campaign waits for them.
func TestPatienceGrows(t *testing.T) {
	p, _ := campaigning(t, config())
	p.failed = 2
	p.phase.(*preparing).wait(p)
	p.Tick(p.now+3*config().ElectionMax, 5)
	if _, ok := p.phase.(*preparing); !ok {
		t.Fatal("given up after the third failure as soon as after the first")
	}
	p.Tick(p.now+2*config().ElectionMax, 5)
	if _, ok := p.phase.(*standby); !ok || p.failed != 3 {
		t.Fatal("never given up")
	}
}
