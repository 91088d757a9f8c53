package proposer

import (
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
