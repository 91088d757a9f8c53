package proposer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// TestMemberOrder: what a leader refuses, and why.
func TestMemberOrder(t *testing.T) {
	fresh := func() *Proposer {
		p := leader(t, begun())
		p.control.Level, p.control.Members = control.LevelMembers, configuration.Begin(configuration.Of(p.cfg.Membership, func(paxos.NodeID) uint64 { return 0 }))
		for i := range leads(p).gone {
			leads(p).gone[i].Set(p.now + 1000)
		}
		p.joiners["a4"], p.known["a4"], p.up["a4"] = joiner{"h:1", leads(p).chosenUpTo}, 44, true
		return p
	}
	replace := paxos.Member{Order: paxos.MemberReplace, ID: "a2", With: "a4", Plan: true}
	for name, test := range map[string]struct {
		set  func(*Proposer, *paxos.Member)
		want string
	}{
		"a dead one":          {func(p *Proposer, _ *paxos.Member) { leads(p).gone[1].Set(0) }, ""},
		"one that lives":      {func(*Proposer, *paxos.Member) {}, "a2 lives and votes: add a4, and then remove a2"},
		"one that is none":    {func(_ *Proposer, m *paxos.Member) { m.ID = "a9" }, "a9 is no acceptor of this log"},
		"a mistyped newcomer": {func(_ *Proposer, m *paxos.Member) { m.With = "a5" }, "no acceptor a5 has joined"},
		"a member":            {func(_ *Proposer, m *paxos.Member) { m.With = "a3" }, "a3 is an acceptor of this log already"},
		"one far behind":      {func(p *Proposer, _ *paxos.Member) { leads(p).chosenUpTo += 1 << 20; leads(p).next += 1 << 20 }, "a4 has not caught up"},
		"a log of level 1":    {func(p *Proposer, _ *paxos.Member) { p.control.Level = 1 }, "the log has level 1"},
		"too few others":      {func(p *Proposer, _ *paxos.Member) { leads(p).gone[1].Set(0); leads(p).gone[2].Set(0) }, "start the others first"},
		"an addition":         {func(_ *Proposer, m *paxos.Member) { m.Order = paxos.MemberAdd }, ""},
		"a removal":           {func(_ *Proposer, m *paxos.Member) { m.Order, m.Force = paxos.MemberRemove, true }, ""},
		"a change under way": {func(p *Proposer, _ *paxos.Member) {
			p.members.After, p.members.From = p.members.Before, 100
		}, "the change before is not complete"},
	} {
		p, m := fresh(), replace
		test.set(p, &m)
		p.Step("@op", &m)
		got := sentTo[*paxos.Membered](p.Flush(), "@op")
		if len(got) != 1 || !strings.Contains(got[0].Why, test.want) || (got[0].Why == "") != (test.want == "") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestNewerConfigurationInPhase1: whose Phase 1 shows a configuration that it did not campaign
// with begins anew by that one, and proposes nothing before (R5).
func TestNewerConfigurationInPhase1(t *testing.T) {
	p, prep := campaigning(t, knowing())
	state, err := control.Decode(begun(), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	first := configuration.Begin(configuration.Of(members, func(paxos.NodeID) uint64 { return 0 }))
	decided, err := first.Decide(configuration.LeastAlpha)
	if err != nil {
		t.Fatal(err)
	}
	state.Members, err = decided.Apply(2, decided.Now.Replacement("a3", configuration.Acceptor{ID: "a4", Incarnation: 44}))
	if err != nil {
		t.Fatal(err)
	}
	state.At = 2
	const held = 200 // beyond the instance from which the change is in force
	shown(p, "a1", prep["a1"], held, control.Level, state.Encode())
	shown(p, "a2", prep["a2"], held, control.Level, state.Encode())
	out := p.Flush()
	if leads(p) != nil || len(sent[*paxos.Accept](out)) > 0 {
		t.Errorf("it leads, with promises of the configuration before only: %+v", out)
	}
	var asked []paxos.NodeID
	for _, id := range []paxos.NodeID{"a1", "a2", "a3", "a4"} {
		for _, m := range sentTo[*paxos.Prepare](out, id) {
			if !prep["a1"].Ballot.Less(m.Ballot) {
				t.Errorf("%s is asked again under %s", id, m.Ballot)
			}
			asked = append(asked, id)
		}
	}
	if !slices.Equal(asked, []paxos.NodeID{"a1", "a2", "a4"}) {
		t.Errorf("it asks %v for the next ballot", asked)
	}
}

// TestLeadsBelow is R3 for a leader that has no quorum of the next configuration, since a newcomer
// has not arrived: it proposes below that one only, whatever waits, and campaigns once more when
// all of that is chosen.
func TestLeadsBelow(t *testing.T) {
	p, prep := campaigning(t, knowing())
	state, err := control.Decode(begun(), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	first := configuration.Begin(configuration.Of(members, func(paxos.NodeID) uint64 { return 0 }))
	decided, err := first.Decide(4)
	if err != nil {
		t.Fatal(err)
	}
	state.Members, err = decided.Apply(2, decided.Now.Addition(configuration.Acceptor{ID: "a4", Incarnation: 44}, 3, 3))
	if err != nil {
		t.Fatal(err)
	}
	state.At = 2 // and from 6 on a4 is a member
	shown(p, "a1", prep["a1"], 2, control.Level, state.Encode())
	shown(p, "a2", prep["a2"], 2, control.Level, state.Encode())
	out := p.Flush()
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		again := sentTo[*paxos.Prepare](out, id)
		if len(again) == 0 {
			t.Fatalf("%s is not asked again: %+v", id, out)
		}
		shown(p, id, again[0], 2, control.Level, state.Encode())
	}
	if p.Flush(); leads(p) != nil {
		t.Fatal("it leads at once, and might have had a quorum of both in a moment")
	}
	p.Tick(p.now+p.cfg.ElectionMax+2, 0)
	if leads(p) == nil {
		t.Fatal("it does not lead, with a quorum of the configuration before")
	}
	p.cfg.Window, p.cfg.BatchBytes = 8, 1 // nothing else holds it back
	ballot, last := p.latest, paxos.Instance(2)
	for p.latest == ballot && last < 20 { // until it campaigns once more
		before := last
		p.Step("@1", appendOf(uint64(last), "x"))
		p.Step("@1", appendOf(uint64(last)+100, "y"))
		for _, m := range sent[*paxos.Accept](p.Flush()) {
			last = max(last, m.Instance)
		}
		for _, id := range []paxos.NodeID{"a1", "a2"} {
			p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: 3, Last: last, Ballot: ballot}}})
		}
		if p.Tick(p.now+20, 0); last == before && p.latest == ballot {
			break
		}
	}
	if last != 5 {
		t.Errorf("it proposes up to instance %d, and with a4 a quorum decides from 6 on", last)
	}
	if out = p.Flush(); !ballot.Less(p.latest) || len(sentTo[*paxos.Prepare](out, "a4")) != 1 {
		t.Errorf("it does not campaign among the new members: %+v", out)
	}
}

// TestManyNewcomers: however many acceptors have come and gone since a proposer began, the next one
// may join.
func TestManyNewcomers(t *testing.T) {
	p := leader(t, begun())
	for i := range 3 * paxos.MaxAcceptors {
		id := paxos.NodeID(fmt.Sprintf("b%d", i))
		p.Step(id, &paxos.PeerUp{ID: id, Role: paxos.RoleAcceptor, Incarnation: 7})
		p.Step(id, &paxos.Join{Addr: "h:1"})
		if _, joins := p.joiners[id]; !joins {
			t.Fatalf("the newcomer %d is not taken", i)
		}
		p.Step(id, &paxos.PeerDown{ID: id})
	}
	if len(p.known) > 2*paxos.MaxAcceptors {
		t.Errorf("%d incarnations are remembered", len(p.known))
	}
}
