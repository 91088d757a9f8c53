package proposer

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// standingBy is a standby that the acceptors tell by themselves whom they hear: p2. It is
// told the time as it asks for it.
func standingBy(t *testing.T) *Proposer {
	t.Helper()
	cfg := config()
	cfg.HeartbeatTicks, cfg.RenewTicks = 50, 1500
	p := New(cfg)
	p.Tick(1000, 0)
	for _, id := range members.Acceptors {
		p.Step("p1", &paxos.PeerUp{ID: id, Role: paxos.RoleAcceptor})
	}
	asked := sent[*paxos.Query](p.Flush())
	if len(asked) != 3 || !asked[0].Stay || asked[0].Nonce != 1000 {
		t.Fatalf("it asks %+v", asked)
	}
	for _, id := range members.Acceptors {
		p.Step(id, &paxos.QueryReply{Nonce: 1000, Silent: 3, Heard: paxos.Ballot{Round: 4, Proposer: "p2"}, Stays: true})
	}
	p.Flush()
	return p
}

// until tells p the times that it asks for, up to one, and returns when it sent messages of
// type T.
func until[T paxos.Message](p *Proposer, end paxos.Ticks) (at []paxos.Ticks) {
	for {
		for range sent[T](p.Flush()) {
			at = append(at, p.now)
		}
		if p.now == end {
			return at
		}
		p.Tick(min(max(p.Next(), p.now+1), end), 0)
	}
}

func replies(p *Proposer, nonce uint64, silent paxos.Ticks, from ...paxos.NodeID) {
	for _, id := range from {
		p.Step(id, &paxos.QueryReply{Nonce: nonce, Silent: silent, Heard: paxos.Ballot{Round: 4, Proposer: "p2"}, Stays: nonce == uint64(p.now)})
	}
}

// TestHintsAreConfirmed: silence that acceptors tell by themselves makes a standby ask when
// its own timeout is over, and nothing else: it campaigns when a Phase 1 quorum confirms it.
func TestHintsAreConfirmed(t *testing.T) {
	p := standingBy(t)
	timeout := p.phase.(*standby).timeout
	if at := until[*paxos.Query](p, 1400); len(at) != 0 {
		t.Errorf("it asks at %d although it is told what changes", at)
	}
	replies(p, 1000, 150, "a1")
	if at := until[*paxos.Query](p, 1500); len(at) != 0 {
		t.Errorf("one acceptor has heard nobody, and it asks at %d", at)
	}
	replies(p, 1000, 150, "a2")
	due := 1500 + timeout - 150
	if at := until[*paxos.Query](p, due); len(at) != 3 || at[0] != due {
		t.Fatalf("it asks at %d, and its timeout is over at %d", at, due)
	}
	if at := until[*paxos.Prepare](p, due+4); len(at) != 0 {
		t.Fatal("it campaigns, and nobody has confirmed that the leader is silent")
	}
	// What a1 told was true then. That it heard the leader again was lost.
	replies(p, uint64(due), 2, "a1")
	replies(p, uint64(due), timeout, "a2")
	if at := until[*paxos.Prepare](p, due+1000); len(at) != 0 {
		t.Fatal("it deposes a leader that a quorum hears")
	}
	// Hints that are long enough by themselves are no more than that.
	p = standingBy(t)
	until[*paxos.Query](p, 1400)
	replies(p, 1000, 450, "a1", "a2")
	spread := p.phase.(*standby).spread(p)
	if asked, campaigned := until[*paxos.Query](p, 1400+spread), until[*paxos.Prepare](p, 1404+spread); len(asked) != 3 || asked[0] != 1400+spread || len(campaigned) != 0 {
		t.Errorf("it asked at %d, and campaigned at %d", asked, campaigned)
	}
}

// TestConfirmed: a standby campaigns as soon as a Phase 1 quorum has confirmed the silence,
// and asks again if an answer does not come.
func TestConfirmed(t *testing.T) {
	p := standingBy(t)
	timeout := p.phase.(*standby).timeout
	until[*paxos.Query](p, 1400)
	replies(p, 1000, 150, "a1", "a2", "a3")
	due := 1400 + timeout - 150
	until[*paxos.Query](p, due)
	replies(p, uint64(due), timeout-1, "a1") // its clock is slower
	replies(p, uint64(due), timeout, "a2")
	at := until[*paxos.Query](p, due+10)
	if len(at) != 3 || at[0] != due+10 {
		t.Fatalf("it asks again at %d", at)
	}
	replies(p, uint64(due+10), timeout+9, "a1")
	if at := until[*paxos.Prepare](p, due+11); len(at) != 3 {
		t.Errorf("it is confirmed, and it does not campaign: %v", at)
	}
}

// TestLeaderKnownFromSubscription: what an acceptor has told holds until it says otherwise,
// its connection ends, or it does not answer.
func TestLeaderKnownFromSubscription(t *testing.T) {
	leader := func(p *Proposer) paxos.NodeID { return p.phase.leader(p).Proposer }
	p := standingBy(t)
	if until[*paxos.Query](p, 2400); leader(p) != "p2" {
		t.Error("nothing has changed, and it knows of no leader")
	}
	if at := until[*paxos.Query](p, 2500); len(at) != 3 {
		t.Errorf("it renews %d times", len(at))
	}
	// Nobody answers: it asks in each heartbeat interval, and believes nothing for long.
	if at := until[*paxos.Query](p, 2650); len(at) != 9 {
		t.Errorf("it asked at %d", at)
	}
	if until[*paxos.Query](p, 2700); leader(p) != "" {
		t.Error("nobody answers, and it knows of a leader")
	}
	replies(p, 2700, 0, "a1")
	if leader(p) != "p2" {
		t.Error("a1 answers, and it knows of no leader")
	}
	p.Step("p1", &paxos.PeerDown{ID: "a1"})
	if leader(p) != "" {
		t.Error("a1 has left, and it knows of a leader")
	}

	for name, lost := range map[string]func(*Proposer){
		"the acceptor says so":   func(p *Proposer) { p.Step("a1", &paxos.QueryReply{Nonce: 1000, Ended: true}) },
		"its own queue was full": func(p *Proposer) { p.Step("p1", &paxos.Dropped{ID: "a1"}) },
	} {
		p := standingBy(t)
		until[*paxos.Query](p, 1200)
		if lost(p); len(until[*paxos.Query](p, 1201)) != 1 {
			t.Errorf("%s: it does not ask anew", name)
		}
	}
}
