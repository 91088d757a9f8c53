package proposer

import (
	"slices"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// TestFarVote: a vote far above the log, and a hint of one, make a leader neither hang nor
// hold more than its window; what it reports is proposed before anything else.
func TestFarVote(t *testing.T) {
	cfg := config()
	cfg.Window, cfg.WindowBytes = 8, 1000
	p, prep := campaigning(t, cfg)
	promised(p, "a1", prep["a1"], 0, true, 3, vote(5, 1, "five"), vote(1<<31, 1, "far"))
	promised(p, "a2", prep["a2"], 0, true, 3)
	l := leads(p)
	if l == nil {
		t.Fatal("it does not lead")
	}
	p.Step("@1", appendOf(1, "new"))
	for range 3 {
		if out := p.Flush(); out.Halt != "" || len(l.open) > 8 || l.queue.n != 1 {
			t.Fatalf("%d in flight, %d wait, %s", len(l.open), l.queue.n, out.Halt)
		}
		for _, a := range []paxos.NodeID{"a1", "a2"} {
			p.Step(a, &paxos.Accepted{Runs: []paxos.VoteRun{{First: 1, Last: l.next - 1, Ballot: l.ballot}, {First: 1, Last: 1<<64 - 1, Ballot: l.ballot}}})
		}
	}
	if l.chosenUpTo != 3+3*8 {
		t.Errorf("chosen up to %d", l.chosenUpTo)
	}
	seen := l.seen
	p.Step("a3", &paxos.HeartbeatAck{Ballot: l.ballot, Nonce: 2, Highest: 1 << 60})
	if p.Flush(); l.seen != seen || p.refused != 1 {
		t.Errorf("a hint of a vote at 2^60 was taken: %d", l.seen)
	}
}

// TestReportedOverTheWindow: a leader whose window is smaller than what was reported
// proposes each instance with what is forced there.
func TestReportedOverTheWindow(t *testing.T) {
	cfg := config()
	cfg.Window, cfg.WindowBytes = 2, 1000
	p, prep := campaigning(t, cfg)
	promised(p, "a1", prep["a1"], 0, true, 3, vote(4, 1, "four"), vote(6, 1, "six"), vote(8, 1, "eight"))
	promised(p, "a2", prep["a2"], 0, true, 3)
	l := leads(p)
	p.Step("@1", appendOf(1, "new"))
	got := map[paxos.Instance]string{}
	for range 4 {
		out := p.Flush()
		if out.Halt != "" {
			t.Fatal(out.Halt)
		}
		for _, a := range sentTo[*paxos.Accept](out, "a3") {
			got[a.Instance] = string(a.Value.Batch)
		}
		for _, a := range []paxos.NodeID{"a1", "a2"} {
			p.Step(a, &paxos.Accepted{Runs: []paxos.VoteRun{{First: 1, Last: l.next - 1, Ballot: l.ballot}}})
		}
	}
	if len(got) != 6 || got[4] != "four" || got[5] != "" || got[6] != "six" || got[7] != "" || got[8] != "eight" || got[9] == "" {
		t.Errorf("proposed %v", got)
	}
}

// TestFarRounds: one acceptor with a promise that no elections can have reached neither
// takes this proposer there, nor ends its campaigns. A quorum with such promises does.
func TestFarRounds(t *testing.T) {
	const far = uint64(1) << 61
	reply := func(p *Proposer, from paxos.NodeID, round uint64) {
		p.Step(from, &paxos.QueryReply{Nonce: uint64(p.now), Promised: paxos.Ballot{Round: round, Proposer: "p9"}, Heard: paxos.Ballot{Round: round, Proposer: "p9"}})
	}
	for _, order := range [][]paxos.NodeID{{"a1", "a2", "a3"}, {"a2", "a3", "a1"}, {"a2", "a1", "a3"}} {
		p := New(config())
		p.Tick(1, 0)
		for _, id := range order {
			round := uint64(5)
			if id == "a1" {
				round = far
			}
			reply(p, id, round)
		}
		reply(p, "a1", far) // who came first is judged the next time
		if p.round != 5 || p.refused == 0 || p.phase.leader(p).Round != 5 {
			t.Errorf("%v: one acceptor took it to round %d, led by %v", order, p.round, p.phase.leader(p))
		}
		p.campaign("test", rejoiner{})
		p.Step("a1", &paxos.Reject{Ballot: p.latest, Promised: paxos.Ballot{Round: far, Proposer: "p9"}})
		if p.phase.name() != "preparing" || p.latest.Round != 6 {
			t.Errorf("%v: one acceptor's promise of %d ends a campaign", order, far)
		}
		reply(p, "a2", far) // not heard: it does not stand by
		p.hear(1, far)
		if p.campaign("test", rejoiner{}); p.latest.Round != far+1 {
			t.Errorf("%v: a quorum has promised %d, and round %d is tried", order, far, p.latest.Round)
		}
	}
	p := New(config())
	p.Tick(1, 0)
	p.Step("a1", &paxos.Reject{Ballot: paxos.Ballot{Round: 9, Proposer: "p2"}, Promised: paxos.Ballot{Round: 9, Proposer: "p2"}})
	if p.round != 0 {
		t.Error("the answer to another proposer's ballot was taken")
	}
}

// TestFarHeld: a leader does not begin above what one acceptor alone claims to hold, nor
// does it lead by such a promise.
func TestFarHeld(t *testing.T) {
	const far = paxos.Instance(1) << 50
	p, prep := campaigning(t, config())
	promised(p, "a1", prep["a1"], 0, true, far)
	promised(p, "a2", prep["a2"], 0, true, 7)
	if leads(p) != nil || p.refused == 0 {
		t.Fatal("it leads by a promise that cannot be")
	}
	promised(p, "a3", prep["a3"], 0, true, 6)
	if l := leads(p); l == nil || l.start != 8 {
		t.Fatalf("%+v", p.phase)
	}
	// One that is new says nothing against it.
	p, prep = campaigning(t, config())
	promised(p, "a1", prep["a1"], 0, true, far)
	promised(p, "a2", prep["a2"], 0, true, 0)
	if l := leads(p); l == nil || l.start != far+1 {
		t.Fatal("a leader of a long log does not begin where it ends, beside a new acceptor")
	}
	// Votes that are out of order, or far above what anybody holds.
	for _, votes := range [][]paxos.Vote{{vote(5, 1, ""), vote(5, 1, "")}, {vote(5, 1, ""), vote(4, 1, "")}, {vote(far, 1, "")}} {
		p, prep = campaigning(t, config())
		promised(p, "a1", prep["a1"], 0, true, 3, votes...)
		if c := p.phase.(*preparing); c.read.done.Len() != 0 || p.refused != 1 {
			t.Errorf("%+v was taken", votes)
		}
	}
}

// TestRepairBelowHeld: an acceptor that is behind reports an older vote at an instance that
// another one of the quorum holds. It forces nothing: when the holder is lost, a repair
// proposes there what it reads then.
func TestRepairBelowHeld(t *testing.T) {
	p, prep := campaigning(t, config())
	promised(p, "a1", prep["a1"], 0, true, 4)
	promised(p, "a2", prep["a2"], 0, true, 3, vote(4, 1, "older"))
	p.Flush()
	p.Step("a2", &paxos.Repair{Instance: 4})
	out := p.Flush()
	promised(p, "a2", sentTo[*paxos.Prepare](out, "a2")[0], 0, true, 3, vote(4, 1, "older"))
	promised(p, "a3", sentTo[*paxos.Prepare](out, "a3")[0], 0, true, 3, vote(4, 2, "chosen"))
	out = p.Flush()
	if a := sentTo[*paxos.Accept](out, "a1"); out.Halt != "" || len(a) != 1 || string(a[0].Value.Batch) != "chosen" {
		t.Errorf("%v, %s", a, out.Halt)
	}
}

// repairing returns a leader of a log whose instances up to 100 are chosen, which repairs instance 4.
func repairing(t *testing.T) *Proposer {
	t.Helper()
	p := retained(t, 3, control.Retention{})
	p.Step("a2", &paxos.Repair{Instance: 4})
	out := p.Flush()
	for _, id := range []paxos.NodeID{"a2", "a3"} {
		promised(p, id, sentTo[*paxos.Prepare](out, id)[0], 0, true, 3, vote(4, 2, "chosen"))
	}
	p.Flush()
	if l := leads(p); l.open[4] == nil || l.openBytes != len("chosen") {
		t.Fatalf("it repairs nothing: %d bytes are in flight", l.openBytes)
	}
	return p
}

// TestRepairOfWhatIsTrimmed: a repair is given up when the log is trimmed above it, for nobody votes there
// any more. Else it would take room in the window for as long as the leader leads.
func TestRepairOfWhatIsTrimmed(t *testing.T) {
	p := repairing(t)
	l := leads(p)
	p.Step("@op", &paxos.Order{Nonce: 1, Trim: 20})
	p.Flush()
	choose(p)
	p.Flush()
	if first := p.control.FirstInstance(); first <= 4 || len(l.open) > 0 || l.openBytes > 0 {
		t.Errorf("the log begins at %d, and %d proposals of %d bytes are in flight", first, len(l.open), l.openBytes)
	}
}

// TestRepairIsGivenUp: a repair that nobody votes for, since all who answer hold more, is given up by a
// leader that goes on leading, and begins anew for whoever asks again.
func TestRepairIsGivenUp(t *testing.T) {
	p := repairing(t)
	l := leads(p)
	given := p.now + config().StallTicks + 1
	for p.now < given {
		if l.open[4] == nil {
			t.Fatalf("it was given up %d ms too early", given-p.now)
		}
		p.Tick(min(p.Next(), given), 7e9)
		for _, id := range []paxos.NodeID{"a1", "a2", "a3"} {
			p.Step(id, &paxos.HeartbeatAck{Ballot: l.ballot, Nonce: uint64(p.now), Held: 100})
		}
		p.Flush()
	}
	if leads(p) != l || len(l.open) > 0 || l.openBytes > 0 {
		t.Fatalf("leads: %t, and %d proposals of %d bytes are in flight", leads(p) == l, len(l.open), l.openBytes)
	}
	p.Step("a2", &paxos.Repair{Instance: 4})
	if out := p.Flush(); len(sentTo[*paxos.Prepare](out, "a3")) != 1 {
		t.Error("nobody is asked for what is to be repaired once more")
	}
}

// TestRepairWhereOneHasTrimmed: who has trimmed an instance reports nothing there, so the vote of another one
// there may not be for what was chosen. Nothing is proposed, whether the leader knows of the trim before or by that promise.
func TestRepairWhereOneHasTrimmed(t *testing.T) {
	for _, early := range []bool{true, false} {
		p := retained(t, 3, control.Retention{})
		l := leads(p)
		p.Step("a2", &paxos.Repair{Instance: 4})
		prep := sentTo[*paxos.Prepare](p.Flush(), "a2")[0]
		promised(p, "a3", prep, 0, true, 3, vote(4, 1, "an older one"))
		trimmed := p.control
		if early {
			p.Step("@op", &paxos.Order{Nonce: 1, Trim: 21})
			p.Flush()
			choose(p)
			p.Flush()
			trimmed = p.control
		} else {
			var err error
			if trimmed, err = trimmed.Apply(trimmed.At+1, control.Batch(control.Trim{To: 21}), control.Level); err != nil || trimmed.FirstInstance() <= 4 {
				t.Fatal(trimmed.FirstInstance(), err)
			}
		}
		shown(p, "a1", prep, 100, control.Level, trimmed.Encode())
		if out := p.Flush(); l.open[4] != nil || leads(p) != l {
			t.Errorf("the trim known %t: it proposes %+v, and sends %+v", early, l.open[4], out)
		}
	}
}

// TestOrderOfNoLog: a client's order that no process would know as a command is refused. Were
// it proposed, every process would stop before it for good.
func TestOrderOfNoLog(t *testing.T) {
	p := led(t)
	p.control.Level = 1
	for _, to := range []paxos.Index{0, paxos.Bound, 1<<64 - 1} {
		p.Step("@1", &paxos.Order{Nonce: 1, Trim: to})
		out := p.Flush()
		if r := sentTo[*paxos.Ordered](out, "@1"); len(r) != 1 || r[0].Why == "" || leads(p).deciding.order != nil {
			t.Errorf("%d: answered %+v", to, r)
		}
	}
}

// decidedBy is a state in which an acceptor was replaced by another one, by the change of that epoch, the
// processes have changed, and rights were granted at instance at.
func decidedBy(t *testing.T, gone, comes paxos.NodeID, epoch uint64, at paxos.Instance) *control.State {
	t.Helper()
	s := narrow(t)
	first := configuration.Begin(configuration.Of(members, func(paxos.NodeID) uint64 { return 0 }))
	first.Now.Epoch = epoch - 1
	h, err := first.Decide(configuration.LeastAlpha)
	if err != nil {
		t.Fatal(err)
	}
	if s.Members, err = h.Apply(at-1, h.Now.Replacement(gone, configuration.Acceptor{ID: comes, Incarnation: 44, Addr: "h:4"})); err != nil {
		t.Fatal(err)
	}
	s.Roster = configuration.Roster{Version: epoch, List: []configuration.Process{
		{Role: paxos.RoleProposer, ID: "p1", Addr: "h:21"}, {Role: paxos.RoleProposer, ID: "p9", Addr: "h:29"}, {Role: paxos.RoleLearner, ID: "l" + comes, Addr: "h:31"}}}
	s.At, s.GrantedAt = at, at
	return &s
}

// TestOneWordOfConfiguration: what one acceptor shows of acceptors, processes and rights changes
// nothing, however far its numbers are ahead, and two that show the same are believed afterwards.
func TestOneWordOfConfiguration(t *testing.T) {
	wrong, right := decidedBy(t, "a1", "x1", 1<<50, 1<<50), decidedBy(t, "a3", "a4", 2, 9)
	say := func(p *Proposer, from paxos.NodeID, s *control.State) {
		p.Step(from, &paxos.QueryReply{Nonce: 1000, GrantedAt: s.GrantedAt, Stays: true})
		p.Step(from, &paxos.Configured{State: s.Encode()})
	}
	for name, lies := range map[string]func(p *Proposer){
		"once":           func(p *Proposer) { say(p, "a3", wrong) },
		"again and more": func(p *Proposer) { say(p, "a3", wrong); say(p, "a3", decidedBy(t, "a1", "x1", 1<<51, 1<<51)) },
		"as one that is no member": func(p *Proposer) {
			p.Step("x1", &paxos.PeerUp{ID: "x1", Role: paxos.RoleAcceptor, Incarnation: 44})
			say(p, "a3", wrong)
			say(p, "x1", wrong)
		},
	} {
		p := standingBy(t)
		p.cfg.Knows = control.Level
		lies(p)
		if g, known := p.granted(); p.Members().Changed() || p.Roster().Version > 0 || len(g.Grants) > 0 || !known || !slices.Equal(p.members.Acceptors, members.Acceptors) {
			t.Errorf("%s: it believes one: epoch %d, version %d, rights %v (%v)", name, p.Members().Now.Epoch, p.Roster().Version, g, known)
		}
		say(p, "a1", right)
		say(p, "a2", right)
		if g, known := p.granted(); p.Members().Now.Epoch != 2 || p.Roster().Version != 2 || g.at != 9 || !known || !slices.Equal(p.members.Acceptors, []paxos.NodeID{"a1", "a2", "a4"}) {
			t.Errorf("%s: it does not believe two: epoch %d, version %d, rights %v (%v), acceptors %v", name, p.Members().Now.Epoch, p.Roster().Version, g, known, p.members.Acceptors)
		}
	}
	p := leader(t, begun())
	for _, s := range []*control.State{wrong, decidedBy(t, "a1", "x1", 1<<51, 1<<51)} {
		if say(p, "a3", s); leads(p) == nil {
			t.Error("a leader resigns by the word of one acceptor")
		}
	}
	if say(p, "a1", right); leads(p) == nil {
		t.Error("a leader resigns by what two acceptors say differently")
	}
	if say(p, "a2", right); leads(p) != nil {
		t.Error("a leader goes on although two acceptors show a newer configuration")
	}
}

// TestSingleWordIsTried: a standby to which no quorum answers asks by what single acceptors have shown,
// each in turn, and by what it knew between them, until a quorum answers.
func TestSingleWordIsTried(t *testing.T) {
	p := standingBy(t)
	p.cfg.Knows = control.Level
	p.Step("a1", &paxos.Configured{State: decidedBy(t, "a1", "x1", 1<<50, 1<<50).Encode()})
	p.Step("a3", &paxos.Configured{State: decidedBy(t, "a2", "a4", 2, 9).Encode()})
	var asked [][]paxos.NodeID
	change := func() {
		if n := len(asked); n == 0 || !slices.Equal(asked[n-1], p.members.Acceptors) {
			asked = append(asked, p.members.Acceptors)
		}
	}
	for end := p.now + 20_000; p.now < end; change() {
		p.Flush()
		if p.members.Place("a4") >= 0 { // they live, and a4 and a3 hear nobody else than p2
			for _, a := range []paxos.NodeID{"a3", "a4"} {
				if !p.up[a] {
					p.Step(a, &paxos.PeerUp{ID: a, Role: paxos.RoleAcceptor})
				}
				p.Step(a, &paxos.QueryReply{Nonce: uint64(p.phase.(*standby).answers[p.place(a)].asked), Heard: paxos.Ballot{Round: 4, Proposer: "p2"}, Stays: true})
			}
		}
		p.Tick(min(max(p.Next(), p.now+1), end), 0)
	}
	want := [][]paxos.NodeID{{"a1", "a2", "a3"}, {"a2", "a3", "x1"}, {"a1", "a2", "a3"}, {"a1", "a3", "a4"}}
	if !slices.EqualFunc(asked, want, slices.Equal) {
		t.Errorf("it asks %v, want %v", asked, want)
	}
	if p.Roster().Version != 2 || p.Members().Now.Epoch != 2 {
		t.Errorf("it goes by version %d and epoch %d", p.Roster().Version, p.Members().Now.Epoch)
	}
}

// TestClockAhead: the time of values is no further ahead than the clock in the middle of the acceptors'
// allows, from the first value on; fewer than half of them move nothing; and a clock that is right, or
// behind, is what counts.
func TestClockAhead(t *testing.T) {
	const now, year = paxos.UnixNanos(1_700_000_000e9), paxos.UnixNanos(365 * 24 * 3600e9)
	for name, test := range map[string]struct {
		own       paxos.UnixNanos
		acceptors [3]paxos.UnixNanos
		least     paxos.UnixNanos
		most      paxos.UnixNanos
	}{
		"all are right":                  {now, [3]paxos.UnixNanos{now, now, now}, now, now},
		"it is years ahead":              {now + 80*year, [3]paxos.UnixNanos{now, now, now}, now, now + 11e9},
		"it is behind":                   {now - year, [3]paxos.UnixNanos{now, now, now}, now - year, now - year},
		"and one acceptor is, too":       {now + 80*year, [3]paxos.UnixNanos{now, now + 80*year, now}, now, now + 11e9},
		"one acceptor is behind":         {now, [3]paxos.UnixNanos{now, 1, now}, now, now},
		"one does not say it":            {now + 80*year, [3]paxos.UnixNanos{now, 0, now}, now, now + 11e9},
		"two do not, of releases before": {now + 80*year, [3]paxos.UnixNanos{now, 0, 0}, now + 80*year, now + 80*year},
	} {
		p, prep := campaigning(t, knowing())
		p.Tick(p.now+1, test.own)
		for i, id := range []paxos.NodeID{"a1", "a2", "a3"}[:2] {
			p.Step(id, &paxos.Promise{Ballot: prep[id].Ballot, Nonce: prep[id].Nonce, Last: true, Marks: make([]paxos.Mark, 3), Knows: control.Level, Clock: test.acceptors[i]})
		}
		l := leads(p)
		if l == nil {
			t.Fatalf("%s: it does not lead", name)
		}
		for range 3 {
			p.Tick(p.now+10, test.own)
			for i, id := range []paxos.NodeID{"a1", "a2", "a3"} {
				p.Step(id, &paxos.HeartbeatAck{Ballot: l.ballot, Nonce: uint64(p.now), Clock: test.acceptors[i]})
			}
		}
		p.Tick(p.now+10, test.own)
		p.Step("@1", appendOf(1, "x"))
		p.Flush()
		for i := l.start; i < l.next; i++ {
			if at := l.open[i].value.Time; (i > 1 || test.acceptors[1] == now) && (at < test.least || at > test.most+1e9) {
				t.Errorf("%s: instance %d has the time %d, and not %d to %d", name, i, at, test.least, test.most)
			}
		}
		if l.next < 2 {
			t.Fatalf("%s: nothing is proposed", name)
		}
	}
}
