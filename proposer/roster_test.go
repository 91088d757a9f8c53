package proposer

import (
	"slices"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// filed is the leader of a log whose cluster file names p1, p2 and l1.
func filed(t *testing.T) *Proposer {
	p := leader(t, begun())
	p.named = configuration.Enrol([]configuration.Process{
		{Role: paxos.RoleProposer, ID: "p1", Addr: "h:21"}, {Role: paxos.RoleProposer, ID: "p2", Addr: "h:22"}, {Role: paxos.RoleLearner, ID: "l1", Addr: "h:31"},
	})
	p.deriveRoster()
	p.cfg.Processes = p.named.List
	p.up["p2"] = true
	p.Step("@c", &paxos.PeerUp{ID: "@c", Role: paxos.RoleClient})
	p.Flush()
	return p
}

// TestRosterOrder: what a leader refuses, and why.
func TestRosterOrder(t *testing.T) {
	add := paxos.Member{Order: paxos.MemberAdd, With: "p3", Role: paxos.RoleProposer, Addr: "h:23", Plan: true}
	for name, test := range map[string]struct {
		set  func(*Proposer, *paxos.Member)
		want string
	}{
		"a proposer": {func(*Proposer, *paxos.Member) {}, ""},
		"a learner":  {func(_ *Proposer, m *paxos.Member) { m.With, m.Role = "l2", paxos.RoleLearner }, ""},
		"a move":     {func(_ *Proposer, m *paxos.Member) { m.Order, m.ID, m.Role = paxos.MemberReplace, "l1", 0 }, ""},
		"one that is gone": {func(p *Proposer, m *paxos.Member) {
			p.up["p2"], m.Order, m.ID, m.With = false, paxos.MemberRemove, "p2", ""
		}, ""},
		"one that is there": {func(_ *Proposer, m *paxos.Member) { m.With = "l1" }, "l1 is a process of this log already"},
		"a former acceptor": {func(p *Proposer, m *paxos.Member) {
			p.control.Members.Gone, m.With = []configuration.Acceptor{{ID: "a9"}}, "a9"
		}, "was an acceptor of it"},
		"a former learner": {func(p *Proposer, m *paxos.Member) {
			more := p.named.With(configuration.Process{Role: paxos.RoleLearner, ID: "l2", Addr: "h:32"}, "")
			p.control.Roster = more.With(configuration.Process{}, "l2")
			m.With, m.Role = "l2", paxos.RoleLearner
		}, "nobody lets it copy"},
		"a former proposer": {func(p *Proposer, m *paxos.Member) {
			more := p.named.With(configuration.Process{Role: paxos.RoleProposer, ID: "p3", Addr: "h:23"}, "")
			p.control.Roster = more.With(configuration.Process{}, "p3")
		}, ""},
		"an address in use":     {func(_ *Proposer, m *paxos.Member) { m.Addr = "h:31" }, "h:31 is the address of"},
		"the last learner":      {func(_ *Proposer, m *paxos.Member) { m.Order, m.ID, m.With, m.Role = paxos.MemberRemove, "l1", "", 0 }, "a log needs a learner"},
		"the last that lives":   {func(_ *Proposer, m *paxos.Member) { m.Order, m.ID, m.With = paxos.MemberRemove, "p2", "" }, "none after it"},
		"the leader":            {func(_ *Proposer, m *paxos.Member) { m.Order, m.ID, m.With = paxos.MemberRemove, "p1", "" }, "p1 leads: `paxlog leader transfer` first"},
		"another role":          {func(_ *Proposer, m *paxos.Member) { m.Order, m.ID = paxos.MemberReplace, "l1" }, "l1 is a learner, and no proposer"},
		"a log of level 6":      {func(p *Proposer, _ *paxos.Member) { p.control.Level = control.LevelRoster - 1 }, "the log has level 6"},
		"another one under way": {func(p *Proposer, _ *paxos.Member) { leads(p).deciding.roster = &rosterOrder{} }, "another change is under way"},
	} {
		p, m := filed(t), add
		test.set(p, &m)
		p.Step("@op", &m)
		got := sentTo[*paxos.Membered](p.Flush(), "@op")
		if len(got) != 1 || !strings.Contains(got[0].Why, test.want) || (got[0].Why == "") != (test.want == "") {
			t.Errorf("%s: %+v", name, *got[0])
		}
	}
}

// TestRosterIsDecided: a change is proposed, answered when it is chosen, and told to clients then.
func TestRosterIsDecided(t *testing.T) {
	p := filed(t)
	p.Step("@op", &paxos.Member{Nonce: 7, Order: paxos.MemberReplace, ID: "l1", With: "l2", Addr: "h:32"})
	out := p.Flush()
	accepts := sentTo[*paxos.Accept](out, "a1")
	if len(accepts) != 1 || len(sentTo[*paxos.Membered](out, "@op"))+len(sentTo[*paxos.Directory](out, "@c")) > 0 {
		t.Fatalf("%+v", out)
	}
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: accepts[0].Instance, Last: accepts[0].Instance, Ballot: accepts[0].Ballot}}})
	}
	p.Tick(p.now+1, 5)
	out = p.Flush()
	if got := sentTo[*paxos.Membered](out, "@op"); len(got) != 1 || got[0].Nonce != 7 || got[0].Why != "" || got[0].Version != 1 {
		t.Fatalf("answered %+v, %+v", got, out)
	}
	told := sentTo[*paxos.Directory](out, "@c")
	if len(told) != 1 || told[0].Version != 1 || !told[0].Has(paxos.RoleLearner, "l2") || told[0].Has(paxos.RoleLearner, "l1") || !told[0].Has(paxos.RoleProposer, "p2") {
		t.Errorf("told %+v", told)
	}
	if !slices.Equal(p.learners, []paxos.NodeID{"l2"}) {
		t.Errorf("checkpoints are made by %v", p.learners)
	}
	p.Step("@d", &paxos.PeerUp{ID: "@d", Role: paxos.RoleClient})
	if told := sentTo[*paxos.Directory](p.Flush(), "@d"); len(told) != 1 {
		t.Errorf("who comes later is told %+v", told)
	}
}

// TestNotEnrolled: one that the log has not named, or names no more as a single acceptor says, campaigns
// when nobody has led for long, and not before.
func TestNotEnrolled(t *testing.T) {
	named := func(id paxos.NodeID) []configuration.Process {
		return []configuration.Process{{Role: paxos.RoleProposer, ID: id, Addr: "h:1"}}
	}
	const short, long = 1000, 1000 * paxos.StrangerShare
	for name, test := range map[string]struct {
		list   []configuration.Process
		shown  configuration.Roster
		silent paxos.Ticks
		asks   bool
	}{
		"named by the file":         {named("p1"), configuration.Roster{}, short, true},
		"named by nobody":           {named("p2"), configuration.Roster{}, short, false},
		"named by nobody, for long": {named("p2"), configuration.Roster{}, long, true},
		"named by the log since":    {named("p2"), configuration.Roster{Version: 1, List: named("p1")}, short, true},
		"named no more":             {named("p1"), configuration.Roster{Version: 1, List: named("p2"), Gone: named("p1")}, short, false},
		"named no more, for long":   {named("p1"), configuration.Roster{Version: 1, List: named("p2"), Gone: named("p1")}, long, true},
	} {
		cfg := config()
		cfg.Processes = test.list
		p := New(cfg)
		p.enrol(test.shown)
		p.Tick(1, 5)
		for _, id := range members.Acceptors {
			p.Step(id, &paxos.PeerUp{ID: id})
			p.Step(id, &paxos.QueryReply{Nonce: 1, Silent: test.silent})
		}
		p.Step("p9", &paxos.Able{Nonce: 3})
		p.Tick(2, 5)
		out := p.Flush()
		able := sentTo[*paxos.AbleReply](out, "p9")
		if asks := len(sent[*paxos.Prepare](out)) > 0; asks != test.asks || (able[0].Why == "") != (test.asks && test.silent == short) {
			t.Errorf("%s: it campaigns: %v; %+v", name, asks, able[0])
		}
	}
}

// TestUnnamed: whose Phase 1 does not show that the log names it does not lead.
func TestUnnamed(t *testing.T) {
	for name, version := range map[string]uint64{"named": 1, "named by nobody": 0} {
		cfg := knowing()
		p, prep := campaigning(t, cfg)
		state, err := control.Decode(begun(), control.Level)
		if err != nil {
			t.Fatal(err)
		}
		if version > 0 {
			state.Roster = configuration.Roster{Version: version, List: []configuration.Process{{Role: paxos.RoleProposer, ID: "p1", Addr: "h:1"}, {Role: paxos.RoleLearner, ID: "l1", Addr: "h:2"}}}
		}
		p.cfg.Processes = []configuration.Process{{Role: paxos.RoleProposer, ID: "p2", Addr: "h:3"}}
		shown(p, "a1", prep["a1"], 3, control.Level, state.Encode())
		shown(p, "a2", prep["a2"], 3, control.Level, state.Encode())
		if p.Flush(); (leads(p) != nil) != (version > 0) {
			t.Errorf("%s: it leads: %v, %s", name, leads(p) != nil, p.reason)
		}
	}
}

// TestRosterThatIsShown: a leader goes by what was chosen, and not by what one acceptor shows, before
// it leads or then: else the learners of such a list would be asked for checkpoints, which never come.
func TestRosterThatIsShown(t *testing.T) {
	state, err := control.Decode(begun(), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	file := []configuration.Process{{Role: paxos.RoleProposer, ID: "p1", Addr: "h:21"}, {Role: paxos.RoleLearner, ID: "l1", Addr: "h:31"}}
	state.Roster = configuration.Roster{Version: 9, List: []configuration.Process{file[0], {Role: paxos.RoleLearner, ID: "l9", Addr: "h:39"}}}
	wrong := &paxos.Configured{State: state.Encode()}
	p, prep := campaigning(t, knowing())
	p.cfg.Processes = file
	p.enrol(state.Roster)
	for _, a := range []paxos.NodeID{"a1", "a2"} {
		shown(p, a, prep[a], 3, control.Level, begun())
	}
	p.Flush()
	if leads(p) == nil || !slices.Equal(p.learners, []paxos.NodeID{"l1"}) {
		t.Fatalf("it leads: %v (%s), with the learners %v", leads(p) != nil, p.reason, p.learners)
	}
	if p.Step("a3", wrong); !slices.Equal(p.learners, []paxos.NodeID{"l1"}) {
		t.Errorf("a leader that is shown another list has the learners %v", p.learners)
	}
}
