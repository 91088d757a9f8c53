package proposer

import (
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestInvariants breaks each invariant by hand, one at a time, and expects the proposer
// to stop with its name.
func TestInvariants(t *testing.T) {
	for name, breaks := range map[string]func(*Proposer, *leading){
		"a leader leads under the ballot of its latest campaign": func(p *Proposer, _ *leading) { p.latest.Round++ },
		"chosenUpTo is never lowered":                            func(_ *Proposer, l *leading) { l.announced = 5 },
		"nothing is chosen that was not proposed":                func(_ *Proposer, l *leading) { l.chosenUpTo = l.next },
		"instances in flight are within the window":              func(p *Proposer, l *leading) { l.next += paxos.Instance(p.cfg.Window) },
		"bytes in flight are those of open proposals":            func(_ *Proposer, l *leading) { l.openBytes = -1 },
		"bytes that wait are those of the queue":                 func(_ *Proposer, l *leading) { l.queue.bytes = 7 },
		"the queue is within its bound": func(p *Proposer, l *leading) {
			l.queue.push(queued{"@1", paxos.Anonymous, appendOf(2, "x")})
			l.queue.bytes = p.cfg.QueueBytes + 1
			l.packedAt, l.took = p.now, 100 // it waits
			l.next++
			l.propose(p, l.next, paxos.Value{}, false)
		},
		"a leader proposes once at an instance":   func(p *Proposer, l *leading) { l.propose(p, l.next-1, paxos.Value{}, false) },
		"chosenUpTo covers chosen instances only": func(p *Proposer, l *leading) { l.close(p, l.next-1, l.open[l.next-1]) },
		"no ballot is used twice":                 func(p *Proposer, _ *leading) { p.round = 0; p.campaign("test", rejoiner{}) },
		"nothing is proposed before Phase 1 is complete": func(p *Proposer, _ *leading) {
			p.campaign("test", rejoiner{})
			p.lead(p.phase.(*preparing))
		},
		"an acceptor rejoins by the promises of enough others": func(p *Proposer, _ *leading) {
			p.campaign("test", rejoiner{id: "a3"})
			c := p.phase.(*preparing)
			c.read.done = paxos.Set(0).With(0).With(2)
			p.lead(c)
		},
		"a new leader proposes what Phase 1 reported, at every instance": func(p *Proposer, l *leading) {
			l.forced = map[paxos.Instance]paxos.Value{1: {Batch: []byte("another")}}
			l.assertAgain(p, 1, paxos.Value{})
		},
	} {
		p := led(t)
		p.Step("@1", appendOf(1, "x")) // instance 1 is open
		if halt := p.Flush().Halt; halt != "" {
			t.Fatal(halt)
		}
		breaks(p, leads(p))
		if halt := p.Flush().Halt; !strings.Contains(halt, "invariant broken: "+name) {
			t.Errorf("%s: %q", name, halt)
		}
	}
}

// TestClaims: a standby that reaches no acceptor learns from the leader itself who leads,
// and passes appends on. It believes a proposer of itself only, and no more once the
// connection is lost or the proposer says that it leads no more.
func TestClaims(t *testing.T) {
	claim := paxos.Ballot{Round: 4, Proposer: "p2"}
	for name, c := range map[string]struct {
		then func(*Proposer)
		want bool
	}{
		"the leader says so": {func(*Proposer) {}, true},
		"it resigns":         {func(p *Proposer) { p.Step("p2", &paxos.Leads{}) }, false},
		"it is lost":         {func(p *Proposer) { p.Step("p1", &paxos.PeerDown{ID: "p2"}) }, false},
		"it speaks of others": {func(p *Proposer) {
			p.Step("p2", &paxos.Leads{Ballot: paxos.Ballot{Round: 5, Proposer: "p3"}})
		}, false},
	} {
		p := New(config())
		p.Tick(1, 0)
		p.Step("p1", &paxos.PeerUp{ID: "p2", Role: paxos.RoleProposer})
		p.Step("p1", &paxos.PeerUp{ID: "@7", Role: paxos.RoleClient})
		p.Step("p2", &paxos.Leads{Ballot: claim})
		if l := sentTo[*paxos.Leader](p.Flush(), "@7"); len(l) != 2 || l[1].Ballot != claim {
			t.Fatalf("%s: clients are told %+v", name, l)
		}
		c.then(p)
		p.Step("@7", appendOf(1, "x"))
		out := p.Flush()
		passed, refused := sentTo[*paxos.Append](out, "p2"), sentTo[*paxos.Refused](out, "@7")
		if (len(passed) == 1) != c.want || (len(refused) == 1) == c.want {
			t.Errorf("%s: %+v", name, out.SendNow)
		}
	}
}

// TestLeaderClaims: who leads tells the proposers that it is connected to, and those that
// connect later, and takes it back.
func TestLeaderClaims(t *testing.T) {
	p, prep := campaigning(t, config())
	p.Step("p1", &paxos.PeerUp{ID: "p2", Role: paxos.RoleProposer})
	promised(p, "a1", prep["a1"], 0, true, 0)
	promised(p, "a2", prep["a2"], 0, true, 0)
	if l := sentTo[*paxos.Leads](p.Flush(), "p2"); len(l) != 1 || l[0].Ballot != leads(p).ballot {
		t.Fatalf("told %+v", l)
	}
	p.Step("p1", &paxos.PeerUp{ID: "p3", Role: paxos.RoleProposer})
	out := p.Flush()
	if l := sentTo[*paxos.Leads](out, "p3"); len(l) != 1 || l[0].Ballot != leads(p).ballot || len(sentTo[*paxos.Leads](out, "p2")) != 0 {
		t.Fatalf("told %+v", out.SendNow)
	}
	leads(p).resign(p, "test", 0)
	if l := sent[*paxos.Leads](p.Flush()); len(l) != 2 || !l[0].Ballot.IsZero() {
		t.Fatalf("told %+v", l)
	}
}

// TestPassedOnAndLost: when the connection over which appends were passed on is lost, and
// also when it comes back before that was noticed, clients are told to send again. They
// are not told that the append was dropped: the leader may have it.
func TestPassedOnAndLost(t *testing.T) {
	for name, loss := range map[string]paxos.Message{"down": &paxos.PeerDown{ID: "p2"}, "up again": &paxos.PeerUp{ID: "p2", Role: paxos.RoleProposer}} {
		p := New(config())
		p.Tick(1, 0)
		p.Step("p1", &paxos.PeerUp{ID: "p2", Role: paxos.RoleProposer})
		p.Step("p1", &paxos.PeerUp{ID: "@7", Role: paxos.RoleClient})
		b := paxos.Ballot{Round: 4, Proposer: "p2"}
		p.Step("a1", &paxos.QueryReply{Nonce: 1, Silent: 3, Heard: b})
		p.Flush()
		p.Step("p1", loss)
		if l := sentTo[*paxos.Leader](p.Flush(), "@7"); len(l) != 0 {
			t.Errorf("%s: told %+v although nothing was passed on", name, l)
		}
		p.Step("p1", &paxos.PeerUp{ID: "p2", Role: paxos.RoleProposer})
		p.Step("@7", appendOf(1, "x"))
		p.Flush()
		p.Step("p1", loss)
		out := p.Flush()
		if l := sentTo[*paxos.Leader](out, "@7"); len(l) != 2 || !l[0].Ballot.IsZero() || l[1].Ballot != b || len(sent[*paxos.Refused](out)) != 0 {
			t.Errorf("%s: told %+v", name, out.SendNow)
		}
	}
}
