package proposer

import (
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// roomSaid has an acceptor answer a heartbeat of p with what it says of disks.
func roomSaid(p *Proposer, from paxos.NodeID, room paxos.Room, learners ...paxos.RoomOf) {
	p.Tick(p.now+1, 1)
	p.Step(from, &paxos.HeartbeatAck{Ballot: leads(p).ballot, Nonce: uint64(p.now), Room: room, DiskFree: 1_500_000, Learners: learners})
}

// TestRefusesWithoutRoom: appends are refused when too few acceptors, or no learner, have room,
// and only then; who lacks it is named; what the log decides about itself is proposed all the same.
func TestRefusesWithoutRoom(t *testing.T) {
	full, plenty := paxos.RoomFor(0), paxos.RoomFor(1<<40)
	l1, l2 := paxos.RoomOf{ID: "l1", Room: full, Free: 900_000}, paxos.RoomOf{ID: "l2", Room: plenty}
	for name, c := range map[string]struct {
		a1, a2, a3 paxos.Room
		learners   []paxos.RoomOf
		refuses    string
	}{
		"nobody says":                     {},
		"plenty":                          {a1: plenty, a2: plenty, a3: plenty, learners: []paxos.RoomOf{l2}},
		"one acceptor is full":            {a1: full, a2: plenty, a3: plenty},
		"one is full, others are old":     {a1: full},
		"two are full":                    {a1: full, a2: plenty, a3: full, refuses: "a1 has 1.5 MB left, a3 has 1.5 MB left"},
		"one learner is full":             {a1: plenty, learners: []paxos.RoomOf{l1, l2}},
		"the only learner is full":        {a1: plenty, learners: []paxos.RoomOf{l1}, refuses: "l1 has 0.9 MB left"},
		"a little room, for what is said": {a1: paxos.RoomFor(8 << 10), a2: paxos.RoomFor(8 << 10), a3: paxos.RoomFor(8 << 10)},
	} {
		p := led(t)
		roomSaid(p, "a1", c.a1, c.learners...)
		roomSaid(p, "a2", c.a2, c.learners...)
		roomSaid(p, "a3", c.a3)
		p.Step("@1", appendOf(1, "one"))
		out := p.Flush()
		refused := sentTo[*paxos.Refused](out, "@1")
		switch {
		case c.refuses == "" && len(refused) > 0:
			t.Errorf("%s: %+v", name, refused[0])
		case c.refuses != "" && (len(refused) != 1 || refused[0].Reason != paxos.RefuseNoSpace || !strings.Contains(refused[0].Detail, c.refuses)):
			t.Errorf("%s: %+v", name, refused)
		case c.refuses != p.Report().Refuses && !strings.Contains(p.Report().Refuses, c.refuses):
			t.Errorf("%s: status says %q", name, p.Report().Refuses)
		}
		if c.refuses != "" { // who wants to know what became of an append is told all the same
			fence := paxos.Run{Kind: paxos.RunFence}
			p.Step("@1", &paxos.Append{Batch: fence.AppendTo(nil)})
			if out := p.Flush(); len(sentTo[*paxos.Refused](out, "@1")) > 0 || len(sentTo[*paxos.Accept](out, "a2")) != 1 {
				t.Errorf("%s: a fence is not proposed: %+v", name, out.SendNow)
			}
			roomSaid(p, "a1", plenty, l2)
			roomSaid(p, "a2", plenty, l2)
			p.Step("@1", appendOf(1, "one"))
			if refused := sentTo[*paxos.Refused](p.Flush(), "@1"); len(refused) > 0 {
				t.Errorf("%s, and then there is room: %+v", name, refused[0])
			}
		}
	}
}

// TestOneWordOfLearners: what one acceptor says of learners neither refuses appends nor has them
// taken; two that say the same do; those that are not heard any more, and learners that the log does
// not name, do not count.
func TestOneWordOfLearners(t *testing.T) {
	full, plenty := paxos.RoomFor(0), paxos.RoomFor(1<<40)
	of := func(id paxos.NodeID, r paxos.Room) paxos.RoomOf { return paxos.RoomOf{ID: id, Room: r} }
	type list = []paxos.RoomOf
	short, roomy := list{of("l1", full)}, list{of("l1", plenty)}
	for name, c := range map[string]struct {
		a1, a2, a3 list
		silent     []paxos.NodeID // acceptors whose answers are old
		refuses    bool
	}{
		"one of three lies":                     {short, roomy, roomy, nil, false},
		"one speaks, the others say nothing":    {short, nil, nil, nil, false},
		"two say it":                            {short, short, nil, nil, true},
		"two say it, and one denies it":         {short, short, roomy, nil, true},
		"one says it twice":                     {append(short, short...), nil, nil, nil, false},
		"one hides behind one that it made up":  {append(list{of("l9", plenty)}, short...), short, short, nil, true},
		"one hides behind one that is switched": {append(list{of("l2", plenty)}, short...), short, short, nil, true},
		"another one has room":                  {append(list{of("l2", plenty)}, short...), append(list{of("l2", plenty)}, short...), short, nil, false},
		"of two that are heard one denies it":   {short, roomy, short, []paxos.NodeID{"a3"}, false},
		"of two that are heard both say it":     {short, short, roomy, []paxos.NodeID{"a3"}, true},
		"both of whom the log does not know":    {list{of("l9", full)}, list{of("l9", full)}, nil, nil, false},
	} {
		p := led(t)
		p.learners = []paxos.NodeID{"l1", "l2"}
		for id, list := range map[paxos.NodeID]list{"a1": c.a1, "a2": c.a2, "a3": c.a3} {
			roomSaid(p, id, plenty, list...)
		}
		l := leads(p)
		for _, id := range c.silent {
			l.gone[p.place(id)].Set(0)
		}
		if why := l.short(p, 0); (why != "") != c.refuses {
			t.Errorf("%s: %q", name, why)
		}
	}
}

// TestShortAgainAndAgain: an acceptor that says again and again that somebody became short costs no
// checkpoint for each time.
func TestShortAgainAndAgain(t *testing.T) {
	p := retained(t, 0, control.Retention{})
	p.learners, p.cfg.MarkBytes, p.cfg.MarkInstances = []paxos.NodeID{"l1"}, 1<<30, 1<<30
	l := leads(p)
	marks := 0
	for range 40 { // 4 s
		for _, room := range []paxos.Room{paxos.RoomFor(1 << 40), paxos.RoomFor(0)} {
			roomSaid(p, "a1", paxos.RoomFor(1<<40), paxos.RoomOf{ID: "l1", Room: room})
		}
		roomSaid(p, "a2", paxos.RoomFor(1<<40))
		p.Tick(p.now+97, 1)
		l.deciding.retain.fresh = true // entries come
		for _, c := range commanded(t, p.Flush()) {
			if _, is := c.(control.Mark); is {
				marks++
			}
		}
		for _, id := range []paxos.NodeID{"a1", "a2"} {
			p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: l.start, Last: l.next - 1, Ballot: l.ballot}}})
		}
		p.control.Under.T = 0 // the learners are done
	}
	if marks < 2 || marks > 5 {
		t.Errorf("%d checkpoints in 4 s", marks)
	}
}

// TestWhatIsProposedTakesRoom: what was proposed since acceptors have said what they have room
// for is taken off, for as long as it may not have been measured.
func TestWhatIsProposedTakesRoom(t *testing.T) {
	p := led(t)
	room := paxos.RoomFor(60)
	for _, id := range []paxos.NodeID{"a1", "a2", "a3"} {
		roomSaid(p, id, room)
	}
	p.Step("@1", appendOf(1, strings.Repeat("x", 45)))
	p.Flush()
	p.Step("@1", appendOf(2, strings.Repeat("x", 45)))
	if refused := sentTo[*paxos.Refused](p.Flush(), "@1"); len(refused) != 1 || refused[0].First != 2 {
		t.Errorf("beyond what there is room for: %+v", refused)
	}
	for range roomTicks / 100 {
		p.Tick(p.now+100, 1)
		p.Flush()
		for _, id := range []paxos.NodeID{"a1", "a2", "a3"} {
			roomSaid(p, id, room)
		}
	}
	p.Step("@1", appendOf(2, strings.Repeat("x", 45)))
	if refused := sentTo[*paxos.Refused](p.Flush(), "@1"); len(refused) != 0 {
		t.Errorf("and later: %+v", refused[0])
	}
}

// TestFullAcceptorIsLeftOut: entries are not sent to an acceptor that lacks room while others
// do without it; if they do not, it is sent them again with all others.
func TestFullAcceptorIsLeftOut(t *testing.T) {
	p := led(t)
	roomSaid(p, "a3", paxos.RoomFor(0))
	p.Step("@1", appendOf(1, "one"))
	out := p.Flush()
	if len(sentTo[*paxos.Accept](out, "a1")) != 1 || len(sentTo[*paxos.Accept](out, "a3")) != 0 {
		t.Errorf("proposed to a1 %v, to a3 %v", sentTo[*paxos.Accept](out, "a1"), sentTo[*paxos.Accept](out, "a3"))
	}
	for name, c := range map[string]struct {
		command control.Command
		taken   int
	}{"a part of a checkpoint": {control.Chunk{T: 1, Bytes: "x"}, 0}, "a trim": {control.Trim{To: 1}, 1}} {
		l := leads(p)
		l.propose(p, l.next, paxos.Value{Batch: control.Batch(c.command)}, false)
		l.next++
		out := p.Flush()
		if to := sentTo[*paxos.Accept](out, "a3"); len(sentTo[*paxos.Accept](out, "a1")) != 1 || len(to) != c.taken {
			t.Errorf("%s: proposed to a3 %v", name, to)
		}
	}
	p.Step("a1", &paxos.PeerUp{ID: "a1", Role: paxos.RoleAcceptor})
	p.Step("a3", &paxos.PeerUp{ID: "a3", Role: paxos.RoleAcceptor})
	p.Flush()
	again := 0
	for range 30 {
		p.Tick(p.now+50, 1)
		out = p.Flush()
		again += len(sentTo[*paxos.Accept](out, "a3"))
		for _, id := range []paxos.NodeID{"a1", "a2", "a3"} {
			p.Step(id, &paxos.HeartbeatAck{Ballot: leads(p).ballot, Nonce: uint64(p.now)})
		}
	}
	if again == 0 {
		t.Error("what is not chosen is never sent to a3")
	}
}
