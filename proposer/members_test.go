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
		"a dead one":     {func(p *Proposer, _ *paxos.Member) { leads(p).gone[1].Set(0) }, ""},
		"one that lives": {func(*Proposer, *paxos.Member) {}, "a2 lives and votes: add a4, and then remove a2"},
		"one that lives, by its own id": {func(p *Proposer, m *paxos.Member) {
			m.With, m.Force = "a2-00000001", true
			p.joiners[m.With], p.known[m.With], p.up[m.With] = joiner{"h:1", leads(p).chosenUpTo}, 45, true
		}, "a2 lives and votes, so its disk is not gone"},
		"one that is none":    {func(_ *Proposer, m *paxos.Member) { m.ID = "a9" }, "a9 is no acceptor of this log"},
		"a mistyped newcomer": {func(_ *Proposer, m *paxos.Member) { m.With = "a5" }, "no acceptor a5 has joined"},
		"a member":            {func(_ *Proposer, m *paxos.Member) { m.With = "a3" }, "a3 is an acceptor of this log already"},
		"one far behind":      {func(p *Proposer, _ *paxos.Member) { leads(p).chosenUpTo += 1 << 20; leads(p).next += 1 << 20 }, "a4 has not caught up"},
		"a log of level 1":    {func(p *Proposer, _ *paxos.Member) { p.control.Level = 1 }, "the log has level 1"},
		"too few others":      {func(p *Proposer, _ *paxos.Member) { leads(p).gone[1].Set(0); leads(p).gone[2].Set(0) }, "start the others first"},
		"an addition":         {func(_ *Proposer, m *paxos.Member) { m.Order = paxos.MemberAdd }, ""},
		"an addition that has to arrive": {func(p *Proposer, m *paxos.Member) {
			leads(p).gone[1].Set(0)
			m.Order = paxos.MemberAdd
		}, "until a4 has arrived, 3 acceptors that vote would be needed and there are 2"},
		"a removal": {func(_ *Proposer, m *paxos.Member) { m.Order, m.Force = paxos.MemberRemove, true }, ""},
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

// TestCancelOrder: which order comes of it that a change is to be cancelled, and what is refused.
func TestCancelOrder(t *testing.T) {
	changed := func(x func(configuration.Configuration) configuration.Change) *Proposer {
		p := leader(t, begun())
		h, err := configuration.Begin(configuration.Of(p.cfg.Membership, func(paxos.NodeID) uint64 { return 0 })).Decide(1)
		if err == nil {
			h, err = h.Apply(1, x(h.Now))
		}
		if err != nil {
			t.Fatal(err)
		}
		p.control.Level, p.control.Members = control.LevelMembers, h
		e, err := h.Electorate(2, nil)
		if err != nil {
			t.Fatal(err)
		}
		l := leads(p)
		p.adopt(e)
		n := len(e.Acceptors)
		l.held, l.knows, l.gone, l.doubtful = make([]paxos.Instance, n), make([]uint64, n), make([]paxos.Timer, n), make([]paxos.Timer, n)
		l.chosenUpTo, l.next, p.now = max(l.chosenUpTo, 4), max(l.next, 5), p.now+p.cfg.ElectionMax
		for i, id := range e.Acceptors {
			if id != "a4" {
				l.held[i] = l.chosenUpTo
				l.gone[i].Set(p.now + 1000)
				l.doubtful[i].Set(p.now + 1000)
			}
		}
		p.joiners["a5"], p.known["a5"], p.up["a5"] = joiner{"h:1", l.chosenUpTo}, 55, true
		return p
	}
	newcomer := configuration.Acceptor{ID: "a4", Incarnation: 44, Addr: "h:1"}
	replaced := func(c configuration.Configuration) configuration.Change { return c.Replacement("a2", newcomer) }
	added := func(c configuration.Configuration) configuration.Change { return c.Addition(newcomer, 3, 2) }
	arrives := func(p *Proposer) { leads(p).held[p.place("a4")] = 1 }
	none := func(*Proposer) {}
	for name, test := range map[string]struct {
		change  func(configuration.Configuration) configuration.Change
		set     func(*Proposer)
		m       paxos.Member
		why     string
		want    []paxos.NodeID
		quorums [2]uint64
		voids   paxos.NodeID
	}{
		"a replacement, and nobody comes":     {replaced, none, paxos.Member{}, "", []paxos.NodeID{"a1", "a3"}, [2]uint64{2, 2}, ""},
		"a replacement, and another one":      {replaced, none, paxos.Member{ID: "a4", With: "a5"}, "", []paxos.NodeID{"a1", "a3", "a5"}, [2]uint64{2, 2}, "a4"},
		"an addition":                         {added, none, paxos.Member{}, "", []paxos.NodeID{"a1", "a2", "a3"}, [2]uint64{2, 2}, ""},
		"an addition, and another one":        {added, none, paxos.Member{With: "a5"}, "", []paxos.NodeID{"a1", "a2", "a3", "a5"}, [2]uint64{3, 2}, "a4"},
		"of somebody else":                    {added, none, paxos.Member{ID: "a3"}, "it is a4 that has not arrived", nil, [2]uint64{}, ""},
		"one that has arrived":                {added, arrives, paxos.Member{}, "nothing is to be cancelled", nil, [2]uint64{}, ""},
		"one that answers as a member":        {added, func(p *Proposer) { leads(p).doubtful[p.place("a4")].Set(p.now + 9) }, paxos.Member{}, "nothing is to be cancelled", nil, [2]uint64{}, ""},
		"under a leader that is new":          {added, func(p *Proposer) { leads(p).since = p.now }, paxos.Member{}, "try again", nil, [2]uint64{}, ""},
		"where what is below has to be held":  {replaced, func(p *Proposer) { clear(leads(p).held) }, paxos.Member{}, "the change before is not complete", nil, [2]uint64{}, ""},
		"by one that was replaced":            {replaced, none, paxos.Member{With: "a2"}, "a2 was an acceptor of this log, and does not come back", nil, [2]uint64{}, ""},
		"by one that has not joined":          {replaced, none, paxos.Member{With: "a6"}, "no acceptor a6 has joined", nil, [2]uint64{}, ""},
		"and the others are too few for that": {replaced, func(p *Proposer) { leads(p).gone[p.place("a1")].Set(0) }, paxos.Member{}, "start the others first", nil, [2]uint64{}, ""},
	} {
		p, m := changed(test.change), test.m
		test.set(p)
		m.Order = paxos.MemberCancel
		p.Step("@op", &m)
		if answer := sentTo[*paxos.Membered](p.Flush(), "@op"); test.why != "" {
			if len(answer) != 1 || !strings.Contains(answer[0].Why, test.why) || p.order != nil {
				t.Errorf("%s: %+v", name, answer)
			}
			continue
		}
		if p.order == nil {
			t.Errorf("%s: nothing is ordered", name)
			continue
		}
		x := p.order.change
		if got := acceptorsOf(x.Config); !slices.Equal(got, test.want) || [2]uint64{x.Config.Phase1, x.Config.Phase2} != test.quorums || x.Replaces != test.voids || p.members.Void != test.voids {
			t.Errorf("%s: %v, quorums of %d and %d, in the place of %q (asks nothing of %q)", name, got, x.Config.Phase1, x.Config.Phase2, x.Replaces, p.members.Void)
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
