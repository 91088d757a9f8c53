package proposer

import (
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// ledWith returns a leader that is connected to other proposers and a client.
func ledWith(t *testing.T, others ...paxos.NodeID) *Proposer {
	t.Helper()
	p := led(t)
	for _, id := range others {
		p.Step("p1", &paxos.PeerUp{ID: id, Role: paxos.RoleProposer})
	}
	p.Step("p1", &paxos.PeerUp{ID: "@c", Role: paxos.RoleClient})
	p.Flush()
	return p
}

func able(p *Proposer, from paxos.NodeID, reach int, why string) {
	p.Step(from, &paxos.AbleReply{Nonce: uint64(p.now), Reach: reach, Why: why})
}

func lastHeartbeats(out paxos.Output) (found []*paxos.Heartbeat) {
	for _, m := range sent[*paxos.Heartbeat](out) {
		if m.Resign {
			found = append(found, m)
		}
	}
	return found
}

// TestHandOver: it asks, finishes what is in flight while later appends wait, names its
// successor once, and refuses what waited only after clients were told who leads.
func TestHandOver(t *testing.T) {
	p := ledWith(t, "p2", "p3")
	p.Step("@c", appendOf(1, "in flight"))
	p.Flush()
	p.Step("@op", &paxos.Transfer{Nonce: 9})
	if out := p.Flush(); len(sentTo[*paxos.Able](out, "p2")) != 1 || len(sentTo[*paxos.Able](out, "p3")) != 1 {
		t.Fatalf("both should be asked: %+v", out)
	}
	able(p, "p2", 2, "")
	able(p, "p3", 3, "")
	p.Step("@c", appendOf(2, "waits"))
	if out := p.Flush(); len(sent[*paxos.Accept](out))+len(lastHeartbeats(out)) != 0 {
		t.Fatalf("something new was proposed, or it left while an instance was in flight: %+v", out)
	}
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: 1, Last: 1, Ballot: leads(p).ballot}}})
	}
	ballot := leads(p).ballot
	out := p.Flush()
	last := lastHeartbeats(out)
	if len(last) != 3 || last[0].Next != "p3" || last[0].ChosenUpTo != 1 || last[0].Ballot != ballot {
		t.Fatalf("p3 reaches most and should be named: %+v", out)
	}
	p.Tick(30, 5)
	p.Step("@c", appendOf(3, "waits, too"))
	if out := p.Flush(); len(sent[*paxos.Accept](out))+len(sent[*paxos.Heartbeat](out))+len(sent[*paxos.Refused](out))+len(sent[*paxos.Leader](out)) != 0 {
		t.Fatalf("what is sent to it waits: %+v", out)
	}
	b := paxos.Ballot{Round: ballot.Round + 1, Proposer: "p3", Process: 5}
	p.Step("p3", &paxos.Leads{Ballot: b})
	out = p.Flush()
	told, refused := -1, 0
	for i, e := range out.SendNow {
		switch m := e.Msg.(type) {
		case *paxos.Leader:
			if told = i; m.Ballot != b {
				t.Errorf("clients are told %v", m.Ballot)
			}
		case *paxos.Refused:
			if refused++; told < 0 {
				t.Error("refused before clients were told who leads")
			}
		}
	}
	done := sentTo[*paxos.Transferred](out, "@op")
	if refused != 2 || len(done) != 1 || done[0].Nonce != 9 || done[0].To != "p3" || done[0].Ballot != b || done[0].Waited != 28 || done[0].Why != "" {
		t.Errorf("%d refused, %+v", refused, done)
	}
	p.Step("@c", appendOf(3, "passed on"))
	if out := p.Flush(); len(sentTo[*paxos.Append](out, "p3")) != 1 {
		t.Errorf("it stands by: %+v", out)
	}
}

// TestHandOverRefused: a successor that is not there, or cannot lead, is refused with the
// reason, and the leader goes on.
func TestHandOverRefused(t *testing.T) {
	for name, c := range map[string]struct {
		to     paxos.NodeID
		others []paxos.NodeID
		then   func(p *Proposer)
		why    string
	}{
		"itself":        {to: "p1", others: []paxos.NodeID{"p2"}, why: "p1 leads already"},
		"not connected": {to: "p3", others: []paxos.NodeID{"p2"}, why: "p3 is not connected to p1"},
		"alone":         {why: "no other proposer is connected"},
		"drained": {to: "p2", others: []paxos.NodeID{"p2"}, why: "p2 cannot lead: it is drained", then: func(p *Proposer) {
			able(p, "p2", 3, "it is drained")
			p.Tick(p.now+10, 5) // asked again
			able(p, "p2", 3, "it is drained")
			p.Tick(p.now+90, 5)
		}},
		"none of two": {others: []paxos.NodeID{"p2", "p3"}, why: "cannot lead", then: func(p *Proposer) {
			able(p, "p2", 1, "1 of 3 acceptors answer p2, and 2 are needed")
			able(p, "p3", 0, "it is stopping")
			p.Tick(p.now+100, 5)
		}},
		"no answer": {to: "p2", others: []paxos.NodeID{"p2"}, why: "p2 has not answered within 100 ms", then: func(p *Proposer) {
			p.Tick(p.now+100, 5)
		}},
		"an answer to an earlier question": {to: "p2", others: []paxos.NodeID{"p2"}, why: "p2 has not answered", then: func(p *Proposer) {
			p.Step("p2", &paxos.AbleReply{Nonce: 1, Reach: 3})
			p.Tick(p.now+100, 5)
		}},
		"lost": {to: "p2", others: []paxos.NodeID{"p2"}, why: "p2 was lost", then: func(p *Proposer) {
			able(p, "p2", 3, "")
			p.Step("p1", &paxos.PeerDown{ID: "p2"})
			p.Tick(p.now+1, 5)
		}},
		"in flight for too long": {to: "p2", others: []paxos.NodeID{"p2"}, why: "instance 1 was not chosen within 300 ms", then: func(p *Proposer) {
			able(p, "p2", 3, "")
			p.Flush()
			for _, place := range []int{0, 1} {
				leads(p).gone[place].Set(10_000)
			}
			p.Tick(p.now+300, 5)
		}},
		"no quorum any more": {to: "p2", others: []paxos.NodeID{"p2"}, why: "p1 has stepped down", then: func(p *Proposer) {
			able(p, "p2", 3, "")
			p.Tick(p.now+301, 5)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := ledWith(t, c.others...)
			p.Step("@c", appendOf(1, "in flight"))
			p.Flush()
			p.Step("@op", &paxos.Transfer{Nonce: 3, To: c.to})
			if c.then != nil {
				c.then(p)
			}
			out := p.Flush()
			answer := sentTo[*paxos.Transferred](out, "@op")
			if len(answer) != 1 || answer[0].Nonce != 3 || !strings.Contains(answer[0].Why, c.why) {
				t.Fatalf("answered %+v", answer)
			}
			if l := leads(p); l != nil && l.handing != nil {
				t.Error("it still hands over")
			}
		})
	}
}

// TestSuccessorFails: nothing hangs when the successor does not take over.
func TestSuccessorFails(t *testing.T) {
	for _, stopping := range []bool{false, true} {
		p := ledWith(t, "p2")
		if stopping {
			p.Step("p1", &paxos.Stopping{})
		} else {
			p.Step("@op", &paxos.Transfer{Nonce: 3, To: "p2"})
		}
		able(p, "p2", 3, "")
		if out := p.Flush(); len(lastHeartbeats(out)) != 3 || out.Stopped {
			t.Fatalf("it should hand over: %+v", out)
		}
		p.Step("@c", appendOf(1, "waits"))
		p.Tick(p.now+300, 5)
		out := p.Flush()
		if len(sent[*paxos.Refused](out)) != 1 {
			t.Error("what waited is to be refused")
		}
		answer, again := sentTo[*paxos.Transferred](out, "@op"), sent[*paxos.Prepare](out)
		switch {
		case stopping && (!out.Stopped || len(again) > 0):
			t.Errorf("it should stop: %+v", out)
		case !stopping && (len(answer) != 1 || !strings.Contains(answer[0].Why, "p2 has not said within 300 ms that it leads") || len(again) != 3):
			t.Errorf("it should take up again: %+v", out)
		}
	}
}

// TestStoppingHandsOver: a leader that stops names the best successor by itself, and ends
// when that one leads. Without one it finishes its queue and resigns.
func TestStoppingHandsOver(t *testing.T) {
	p := ledWith(t, "p2")
	p.Step("p1", &paxos.Stopping{})
	able(p, "p2", 3, "")
	p.Step("@c", appendOf(1, "waits"))
	if out := p.Flush(); out.Stopped || len(sent[*paxos.Refused](out)) != 0 || len(lastHeartbeats(out)) != 3 {
		t.Fatalf("%+v", out)
	}
	p.Step("p2", &paxos.Leads{Ballot: paxos.Ballot{Round: 9, Proposer: "p2"}})
	if out := p.Flush(); !out.Stopped || len(sent[*paxos.Refused](out)) != 1 {
		t.Errorf("%+v", out)
	}
	p = ledWith(t)
	p.Step("p1", &paxos.Stopping{})
	p.Tick(p.now+1, 5)
	if out := p.Flush(); !out.Stopped || len(lastHeartbeats(out)) != 3 || lastHeartbeats(out)[0].Next != "" {
		t.Errorf("%+v", out)
	}
}

// TestNamed: who is named campaigns at once, once a ballot, if a Phase 1 quorum says so.
func TestNamed(t *testing.T) {
	leader := paxos.Ballot{Round: 7, Proposer: "p2"}
	named := func(p *Proposer, from ...paxos.NodeID) int {
		for _, id := range from {
			p.Step(id, &paxos.Named{Ballot: leader})
		}
		return len(sent[*paxos.Prepare](p.Flush()))
	}
	standby := func() *Proposer {
		p := New(config())
		p.Tick(1, 5)
		p.Flush()
		return p
	}
	p := standby()
	if n := named(p, "a1", "a1", "l1"); n != 0 {
		t.Errorf("%d Prepares by the word of one acceptor", n)
	}
	if n := named(p, "a3"); n != 3 || p.latest.Round != 8 {
		t.Errorf("%d Prepares, at %v", n, p.latest)
	}
	p.phase.(*preparing).fail(p, "for a test")
	if n := named(p, "a1", "a2", "a3"); n != 0 {
		t.Error("one ballot names a successor once")
	}
	p = standby()
	named(p, "a1")
	p.Tick(200, 5)
	if n := named(p, "a2"); n != 0 {
		t.Error("what was said long ago counts")
	}
	p = standby()
	p.hearGranted("a1", 0)
	p.hearGranted("a2", 0)
	p.Step("@op", &paxos.Drain{Nonce: 1})
	if n := named(p, "a1", "a2", "a3"); n != 0 {
		t.Error("a drained proposer campaigns")
	}
	p = standby()
	p.Step("p1", &paxos.Stopping{})
	if n := named(p, "a1", "a2", "a3"); n != 0 {
		t.Error("one that stops campaigns")
	}
}

// TestDrain: a drained proposer does not campaign, is able to nothing, and says so. One that
// leads hands over first, and is not drained if it cannot.
func TestDrain(t *testing.T) {
	p := New(config())
	p.Tick(1, 5)
	p.hearGranted("a1", 0)
	p.hearGranted("a2", 0)
	p.Step("@op", &paxos.Drain{Nonce: 4})
	for _, id := range members.Acceptors {
		p.Step(id, &paxos.PeerUp{ID: id}) // which is asked at once
		p.Step(id, &paxos.QueryReply{Nonce: 1, Silent: 1000})
	}
	p.Step("p2", &paxos.Able{Nonce: 8})
	p.Tick(2, 5)
	out := p.Flush()
	if d := sentTo[*paxos.Drained](out, "@op"); len(d) != 1 || *d[0] != (paxos.Drained{Nonce: 4, Drained: true}) {
		t.Errorf("answered %+v", d)
	}
	if r := sentTo[*paxos.AbleReply](out, "p2"); len(r) != 1 || r[0].Nonce != 8 || !strings.Contains(r[0].Why, "`paxlog undrain p1`") {
		t.Errorf("answered %+v", r)
	}
	if len(sent[*paxos.Prepare](out)) != 0 || !strings.Contains(p.Report().WhyNot, "drained") {
		t.Errorf("it campaigns: %+v", out)
	}
	p.Step("@op", &paxos.Drain{Nonce: 5, Undo: true})
	p.Tick(3, 5)
	if out := p.Flush(); len(sent[*paxos.Prepare](out)) != 3 || p.Report().Drained {
		t.Errorf("it does not campaign: %+v", out)
	}

	p = ledWith(t)
	p.Step("@op", &paxos.Drain{Nonce: 4})
	if d := sentTo[*paxos.Drained](p.Flush(), "@op"); len(d) != 1 || d[0].Drained || !strings.Contains(d[0].Why, "no other proposer") || leads(p) == nil {
		t.Errorf("answered %+v", d)
	}
	p = ledWith(t, "p2")
	p.Step("@op", &paxos.Drain{Nonce: 4})
	able(p, "p2", 3, "")
	p.Flush()
	p.Step("p2", &paxos.Leads{Ballot: paxos.Ballot{Round: 9, Proposer: "p2"}})
	if d := sentTo[*paxos.Drained](p.Flush(), "@op"); len(d) != 1 || !d[0].Drained || !p.Report().Drained {
		t.Errorf("answered %+v", d)
	}
}

// TestAble: a standby that reaches no quorum says so.
func TestAble(t *testing.T) {
	p := New(config())
	p.Tick(1, 5)
	p.Step("a1", &paxos.QueryReply{Nonce: 1})
	p.Step("p2", &paxos.Able{Nonce: 8})
	p.Step("a2", &paxos.QueryReply{Nonce: 1})
	p.Step("p2", &paxos.Able{Nonce: 9, Level: p.cfg.Knows})
	p.Step("p2", &paxos.Able{Nonce: 10, Level: p.cfg.Knows + 1})
	r := sentTo[*paxos.AbleReply](p.Flush(), "p2")
	if len(r) != 3 || !strings.Contains(r[2].Why, "replace that first") || r[0].Reach != 1 || !strings.Contains(r[0].Why, "1 of 3 acceptors answer p1, and 2 are needed") || *r[1] != (paxos.AbleReply{Nonce: 9, Reach: 2}) {
		t.Errorf("answered %+v", r)
	}
}
