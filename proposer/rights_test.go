package proposer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// narrow is a state in which ops has everything, app may append, and everybody may read.
func narrow(t *testing.T) control.State {
	t.Helper()
	s, err := control.Decode(begun(), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range []paxos.Permission{{Name: "ops", Rights: paxos.AllRights}, {Name: "app", Rights: paxos.RightAppend}, {Name: paxos.Anonymous, Rights: paxos.RightRead}} {
		if s, err = s.Apply(paxos.Instance(2+i), control.Batch(control.SetGrant{Permission: p}), control.Level); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// come connects clients: @1 is ops, @2 app, @3 nobody in particular.
func come(p *Proposer) {
	for id, who := range map[paxos.NodeID]paxos.Principal{"@1": "ops", "@2": "app", "@3": paxos.Anonymous} {
		p.Step("p1", &paxos.PeerUp{ID: id, Role: paxos.RoleClient, Principal: who})
	}
	p.Flush()
}

// TestLeaderJudges: a leader takes from each client what it may send, and answers the rest; of an
// append that a standby passes on it judges whose that says it is, and nobody's own word.
func TestLeaderJudges(t *testing.T) {
	p := leadsAbove(t, narrow(t), 10)
	come(p)
	for name, test := range map[string]struct {
		from    paxos.NodeID
		says    paxos.Principal
		refused bool
	}{
		"ops":                        {"@1", "", false},
		"app":                        {"@2", "", false},
		"nobody":                     {"@3", "", true},
		"nobody, as app":             {"@3", "app", true},
		"one who is not known":       {"@9", "app", true},
		"app, through a standby":     {"p2", "app", false},
		"nobody, through a standby":  {"p2", paxos.Anonymous, true},
		"nothing, through a standby": {"p2", "", true},
	} {
		m := appendOf(1, "x")
		m.Principal = test.says
		p.Step(test.from, m)
		out := p.Flush()
		refusals := sentTo[*paxos.Refused](out, test.from)
		if got := len(refusals) == 1 && refusals[0].Reason == paxos.RefuseRights; got != test.refused {
			t.Errorf("%s: %+v", name, refusals)
		} else if test.refused && !strings.Contains(refusals[0].Detail, "paxlog grant") {
			t.Errorf("%s: %q", name, refusals[0].Detail)
		}
	}
	for from, may := range map[paxos.NodeID]bool{"@1": true, "@2": false, "@3": false} {
		for _, m := range []paxos.Message{&paxos.Order{Nonce: 7, Trim: 1}, &paxos.Raise{Nonce: 7, Level: control.Level}, &paxos.Settle{Nonce: 7, Set: true}, &paxos.Retain{Nonce: 7, Name: "x", At: 1}, &paxos.Drain{Nonce: 7, Undo: true},
			&paxos.Transfer{Nonce: 7, To: "p1"}, &paxos.Member{Nonce: 7, Order: paxos.MemberRemove, ID: "a9"}, &paxos.Permit{Nonce: 7, Name: "x", Grant: paxos.RightRead}} {
			p.Step(from, m)
			denied := sentTo[*paxos.NotPermitted](p.Flush(), from)
			if (len(denied) == 0) != may || !may && denied[0].Nonce != 7 {
				t.Errorf("%T of %s: %+v", m, from, denied)
			}
		}
	}
	p.Step("@3", &paxos.StatusQuery{Nonce: 1})
	p.Step("@3", &paxos.Permit{Nonce: 2})
	out := p.Flush()
	if len(sentTo[*paxos.StatusReply](out, "@3")) != 1 || len(sentTo[*paxos.Permitted](out, "@3")) != 1 {
		t.Error("who may read may not look")
	}
}

// asked has a leader change rights, and returns its answer.
func asked(t *testing.T, p *Proposer, from paxos.NodeID, m *paxos.Permit) *paxos.Permitted {
	t.Helper()
	p.Step(from, m)
	for i := 0; ; i++ {
		out := p.Flush()
		if a := sentTo[*paxos.Permitted](out, from); len(a) == 1 {
			return a[0]
		}
		l := leads(p)
		if i == 5 || l == nil {
			t.Fatal("no answer")
		}
		for _, id := range []paxos.NodeID{"a1", "a2"} {
			p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: l.start, Last: l.next - 1, Ballot: l.ballot}}})
		}
	}
}

// TestPermit: rights change when the command is chosen, again is the same, and nobody locks the
// door who does not have the key.
func TestPermit(t *testing.T) {
	s, err := control.Decode(begun(), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	p := leadsAbove(t, s, 10)
	come(p)
	list := func(a *paxos.Permitted) string { return fmt.Sprint(a.List, a.Why) }
	for _, test := range []struct {
		from paxos.NodeID
		ask  paxos.Permit
		want string
	}{
		{"@3", paxos.Permit{}, "[{anonymous append,read,admin}]"},
		{"@3", paxos.Permit{Name: "anonymous", Revoke: paxos.RightAdmin}, "nobody could undo it"},
		{"@1", paxos.Permit{Name: "anonymous", Revoke: paxos.RightAdmin}, "nobody could undo it"},
		{"@3", paxos.Permit{Name: "ops", Grant: paxos.RightAdmin}, "[{anonymous append,read,admin} {ops admin}]"},
		{"@3", paxos.Permit{Name: "ops", Grant: paxos.RightAdmin}, "[{anonymous append,read,admin} {ops admin}]"},
		{"@3", paxos.Permit{Name: "ops", Grant: paxos.RightRead}, "[{anonymous append,read,admin} {ops read,admin}]"},
		{"@2", paxos.Permit{Name: "anonymous", Revoke: paxos.RightAdmin}, "could not undo it"},
		{"@1", paxos.Permit{Name: "anonymous", Revoke: paxos.RightAdmin | paxos.RightAppend}, "[{anonymous read} {ops read,admin}]"},
		{"@1", paxos.Permit{Name: "ops", Revoke: paxos.RightAdmin}, "nobody could undo it"},
		{"@1", paxos.Permit{Name: "app", Grant: paxos.RightAdmin}, "[{anonymous read} {app admin} {ops read,admin}]"},
		{"@2", paxos.Permit{Name: "ops", Revoke: paxos.AllRights}, "[{anonymous read} {app admin}]"},
		{"@2", paxos.Permit{Name: "a b", Grant: paxos.RightRead}, "is no name"},
		{"@2", paxos.Permit{Name: "x", Grant: 64}, "does not know"},
	} {
		if got := list(asked(t, p, test.from, &test.ask)); !strings.Contains(got, test.want) {
			t.Errorf("%s asks %+v: %s, want %s", test.from, test.ask, got, test.want)
		}
	}
}

// TestPermitBelowLevel: a log of a lower level grants nothing.
func TestPermitBelowLevel(t *testing.T) {
	s, err := control.Decode(begun(), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	s.Level = control.LevelRights - 1
	p := leadsAbove(t, s, 10)
	come(p)
	if a := asked(t, p, "@3", &paxos.Permit{Name: "ops", Grant: paxos.RightAdmin}); !strings.Contains(a.Why, "paxlog upgrade status") {
		t.Errorf("%+v", a)
	}
}

// TestReportedGrantsHold: a new leader judges by a change of rights that its Phase 1 quorum shows
// above held: somebody may have been told that it holds.
func TestReportedGrantsHold(t *testing.T) {
	s, err := control.Decode(begun(), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	p, prep := campaigning(t, knowing())
	taken := func(i paxos.Instance, name paxos.Principal, r paxos.Rights) paxos.Vote {
		return paxos.Vote{Instance: i, Ballot: paxos.Ballot{Round: 1, Proposer: "p2"}, Value: paxos.Value{
			Origin: paxos.Ballot{Round: 1, Proposer: "p2"}, Batch: control.Batch(control.SetGrant{Permission: paxos.Permission{Name: name, Rights: r}})}}
	}
	votes := []paxos.Vote{taken(11, "ops", paxos.AllRights), taken(12, paxos.Anonymous, paxos.RightRead)}
	shown(p, "a1", prep["a1"], 10, control.Level, s.Encode(), votes...)
	shown(p, "a2", prep["a2"], 10, control.Level, s.Encode())
	if p.Flush(); leads(p) == nil {
		t.Fatal("it does not lead")
	}
	come(p)
	p.Step("@3", appendOf(1, "x"))
	if r := sentTo[*paxos.Refused](p.Flush(), "@3"); len(r) != 1 || r[0].Reason != paxos.RefuseRights {
		t.Errorf("before it is chosen again: %+v", r)
	}
}

// TestStandbyJudges: a standby that has heard of no acceptor what rights there are is drained by
// nobody; it passes appends on with the principal of the connection, whatever a client says.
func TestStandbyJudges(t *testing.T) {
	p := standingBy(t) // its acceptors have said that nothing was granted
	drained := func(from paxos.NodeID) (string, bool) {
		p.Step(from, &paxos.Drain{Nonce: 1})
		out := p.Flush()
		if a := sentTo[*paxos.Drained](out, from); len(a) == 1 {
			return a[0].Why, a[0].Drained
		}
		return sentTo[*paxos.NotPermitted](out, from)[0].Why, false
	}
	come(p)
	if why, done := drained("@3"); !done {
		t.Fatalf("without grants: %s", why)
	}
	p.Step("@3", &paxos.Drain{Nonce: 1, Undo: true})
	p.cfg.Knows = control.Level
	s := narrow(t)
	for _, a := range []paxos.NodeID{"a1", "a2"} {
		p.Step(a, &paxos.QueryReply{Nonce: 1000, GrantedAt: s.GrantedAt})
	}
	if why, done := drained("@1"); done || !strings.Contains(why, "has not heard") {
		t.Errorf("of grants that it has not got: %v, %s", done, why)
	}
	for _, a := range []paxos.NodeID{"a1", "a2"} {
		p.Step(a, &paxos.Configured{State: s.Encode()})
	}
	if why, done := drained("@2"); done || !strings.Contains(why, "grant app admin") {
		t.Errorf("by app: %v, %s", done, why)
	}
	if why, done := drained("@1"); !done {
		t.Errorf("by ops: %s", why)
	}
	p.Step("p2", &paxos.PeerUp{ID: "p2", Role: paxos.RoleProposer})
	p.Step("p2", &paxos.Leads{Ballot: paxos.Ballot{Round: 4, Proposer: "p2"}})
	for id, who := range map[paxos.NodeID]paxos.Principal{"@2": "app", "@3": paxos.Anonymous, "@9": paxos.Anonymous} {
		m := appendOf(1, "x")
		m.Principal, m.Client = "ops", ""
		p.Step(id, m)
		if passed := sentTo[*paxos.Append](p.Flush(), "p2"); len(passed) != 1 || passed[0].Principal != who || passed[0].Client != id {
			t.Errorf("of %s: %+v", id, passed)
		}
	}
	fresh := New(config())
	fresh.Tick(1, 0)
	p = fresh
	if why, done := drained("@3"); done || !strings.Contains(why, "has not heard") {
		t.Errorf("just started: %v, %s", done, why)
	}
}

// TestPermitIsJudgedAgain: a change that was asked for is judged by what is chosen before it is
// proposed.
func TestPermitIsJudgedAgain(t *testing.T) {
	p := leadsAbove(t, narrow(t), 10)
	come(p)
	p.Step("@1", &paxos.Permit{Nonce: 1, Name: "app", Grant: paxos.RightAdmin})
	s := p.control
	s.Grants, _ = s.Grants.With("boss", paxos.RightAdmin)
	s.Grants, _ = s.Grants.With("ops", paxos.RightRead)
	p.control = s // as another leader had it chosen
	out := p.Flush()
	if a := sentTo[*paxos.Permitted](out, "@1"); len(a) != 1 || a[0].Why == "" || slices.ContainsFunc(commanded(t, out), func(c control.Command) bool { _, is := c.(control.SetGrant); return is }) {
		t.Errorf("who has admin no more changes rights: %+v", a)
	}
}

// ownedBy is an append, or the fence, of a session that a principal made in the log of begun.
func ownedBy(who paxos.Principal, log paxos.LogID, first uint64) *paxos.Append {
	id := paxos.NewSessionID(1, paxos.NewStamp(log, paxos.OwnerOf(who)), [12]byte{3})
	r := paxos.Run{Kind: paxos.RunFence, Session: id}
	if first > 0 {
		r = paxos.Run{Kind: paxos.RunAppend, Session: id, First: first, Count: 1, Entries: paxos.AppendEntry(nil, []byte("x"))}
	}
	return &paxos.Append{Session: id, First: first, Attempt: 1, Batch: r.AppendTo(nil)}
}

// TestSessionsOfOthers: nobody appends to a session that another principal made, directly or
// through a standby; to end it takes admin; and a session of another log is none here.
func TestSessionsOfOthers(t *testing.T) {
	log, other := paxos.LogID{1}, paxos.LogID{2}
	s, err := control.Decode(begun(), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	for _, open := range []bool{true, false} {
		if !open {
			s = narrow(t)
		}
		for name, test := range map[string]struct {
			from   paxos.NodeID
			m      *paxos.Append
			says   paxos.Principal
			denied bool
		}{
			"its own":                            {"@2", ownedBy("app", log, 1), "", false},
			"its own, passed on":                 {"p2", ownedBy("app", log, 1), "app", false},
			"another's":                          {"@1", ownedBy("app", log, 1), "", true},
			"another's, by name":                 {"@1", ownedBy("app", log, 1), "app", true},
			"another's, passed on":               {"p2", ownedBy("app", log, 1), "ops", true},
			"another's, of nobody":               {"@3", ownedBy("app", log, 1), "", true},
			"another's, passed on of nobody":     {"p2", ownedBy("app", log, 1), paxos.Anonymous, true},
			"by one who cannot tell":             {"p2", ownedBy("app", log, 1), "", !open},
			"anybody's":                          {"@2", ownedBy(paxos.Anonymous, log, 1), "", false},
			"the end of its own":                 {"@2", ownedBy("app", log, 0), "", false},
			"the end of another's, with admin":   {"@1", ownedBy("app", log, 0), "", false},
			"the end of another's, without":      {"@2", ownedBy("ops", log, 0), "", !open},
			"the end of another's, passed on":    {"p2", ownedBy("ops", log, 0), "app", !open},
			"its own, of another log":            {"@2", ownedBy("app", other, 1), "", true},
			"the end of its own, of another log": {"@2", ownedBy("app", other, 0), "", true},
		} {
			p := leadsAbove(t, s, 10)
			come(p)
			test.m.Principal = test.says
			p.Step(test.from, test.m)
			refused := sentTo[*paxos.Refused](p.Flush(), test.from)
			if (len(refused) == 1) != test.denied || test.denied && (refused[0].Reason != paxos.RefuseRights || refused[0].Detail == "") {
				t.Errorf("without grants: %v: %s: %+v", open, name, refused)
			}
		}
	}
	p := standingBy(t)
	come(p)
	p.Step("p2", &paxos.PeerUp{ID: "p2", Role: paxos.RoleProposer})
	p.Step("p2", &paxos.Leads{Ballot: paxos.Ballot{Round: 4, Proposer: "p2"}})
	p.Flush()
	p.Step("@1", ownedBy("app", log, 1))
	if out := p.Flush(); len(sentTo[*paxos.Refused](out, "@1")) != 1 || len(sentTo[*paxos.Append](out, "p2")) != 0 {
		t.Error("a standby passes on what is not its sender's")
	}
	p.judging.gate.Blind = true
	p.Step("@1", ownedBy("app", log, 1))
	if out := sentTo[*paxos.Append](p.Flush(), "p2"); len(out) != 1 || out[0].Principal != "" {
		t.Errorf("one that cannot tell clients apart passes on %+v", out)
	}
	p.judging.gate.Blind = false
	p.Step("@1", ownedBy("app", log, 0))
	if out := p.Flush(); len(sentTo[*paxos.Append](out, "p2")) != 1 {
		t.Error("a standby does not leave to the leader who may end a session")
	}
}

// TestDeposedLeaderRefusesNothingForGood: what a leader refuses for good it knows. One that does not know
// the level that has such sessions, the log's id, or whether it still leads, sends the client elsewhere.
func TestDeposedLeaderRefusesNothingForGood(t *testing.T) {
	log := paxos.LogID{1}
	s := narrow(t)
	older, unfounded := s, control.State{}
	older.Level, older.Grants, older.GrantedAt = control.LevelRights-1, nil, 0
	for name, test := range map[string]struct {
		state  control.State
		from   paxos.NodeID
		m      *paxos.Append
		late   bool // its heartbeats are not answered
		reason paxos.RefuseReason
	}{
		"it may":                                {s, "@2", ownedBy("app", log, 1), false, 0},
		"it may, and the leader is late":        {s, "@2", ownedBy("app", log, 1), true, 0},
		"it may not":                            {s, "@3", appendOf(1, "x"), false, paxos.RefuseRights},
		"it may not, and the leader is late":    {s, "@3", appendOf(1, "x"), true, paxos.RefuseNoLeader},
		"another log's":                         {s, "@2", ownedBy("app", paxos.LogID{2}, 1), true, paxos.RefuseRights},
		"of a level that the leader has missed": {older, "@2", ownedBy("app", log, 1), false, paxos.RefuseNoLeader},
		"of a log that was founded since":       {unfounded, "@2", ownedBy("app", log, 1), false, paxos.RefuseNoLeader},
	} {
		p := leadsAbove(t, test.state, 10)
		come(p)
		if test.late { // and still within its longest timeout
			p.now += p.cfg.ElectionMin
		}
		p.Step(test.from, test.m)
		refused := sentTo[*paxos.Refused](p.Flush(), test.from)
		if (len(refused) == 0) != (test.reason == 0) || len(refused) > 0 && (refused[0].Reason != test.reason || refused[0].Detail == "") {
			t.Errorf("%s: %+v", name, refused)
		}
	}
}
