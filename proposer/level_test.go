package proposer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// later is what a release knows that has one level more than this one.
const later = control.Level + 1

// leader leads a log that holds 3 instances, with that state, and knows the later level.
func leader(t *testing.T, state paxos.Encoded) *Proposer {
	t.Helper()
	cfg := knowing()
	cfg.Knows = later
	p, prep := campaigning(t, cfg)
	shown(p, "a1", prep["a1"], 3, later, state)
	shown(p, "a2", prep["a2"], 3, later, state)
	if p.Flush(); leads(p) == nil {
		t.Fatal("it does not lead")
	}
	return p
}

// begun is the state of a log of the level that this code knows.
func begun() paxos.Encoded {
	return control.State{
		Level: control.Level, Log: paxos.LogID{1}, Since: 1, At: 1, FirstIndex: 1, Sessions: 10,
		Config: control.ConfigurationOf(members, func(paxos.NodeID) uint64 { return 0 }),
	}.Encode()
}

// ordered has the leader raise the level at that time, and returns the heartbeat by which it
// asks.
func ordered(t *testing.T, p *Proposer, now paxos.Ticks, level uint64) *paxos.Heartbeat {
	t.Helper()
	p.Tick(now, 5)
	p.Step("@op", &paxos.Raise{Nonce: 4, Level: level})
	out := p.Flush()
	beats := sentTo[*paxos.Heartbeat](out, "a3")
	if len(beats) != 1 || len(sentTo[*paxos.Raised](out, "@op")) > 0 {
		t.Fatalf("%+v", out)
	}
	return beats[0]
}

// answers answers a heartbeat, as acceptors that know these levels do, in their order.
func answers(p *Proposer, b *paxos.Heartbeat, knows ...uint64) paxos.Output {
	for place, k := range knows {
		p.Step(members.Acceptors[place], &paxos.HeartbeatAck{Ballot: b.Ballot, Nonce: b.Nonce, Held: 3, Highest: 3, Knows: k})
	}
	return p.Flush()
}

// TestRaise: a leader proposes a level when all acceptors have shown since it was asked that
// they know it, and says that the log has it when that is chosen.
func TestRaise(t *testing.T) {
	for name, state := range map[string]paxos.Encoded{"raised": begun(), "founded": ""} {
		p := leader(t, state)
		before, _ := control.Decode(state, later)
		old := &paxos.Heartbeat{Ballot: leads(p).ballot, Nonce: 2}
		beat := ordered(t, p, 10, later)
		for _, out := range []paxos.Output{answers(p, old, later, later, later), answers(p, beat, later, later)} {
			if len(sent[*paxos.Accept](out)) > 0 {
				t.Fatalf("%s: proposed before all have answered: %+v", name, out)
			}
		}
		out := answers(p, beat, later, later, later)
		accepts := sentTo[*paxos.Accept](out, "a3")
		if len(accepts) != 1 || accepts[0].Instance != 4 || len(sentTo[*paxos.Raised](out, "@op")) > 0 {
			t.Fatalf("%s: %+v", name, out)
		}
		c, err := control.Parse(accepts[0].Value.Batch)
		g, founds := c.(control.Genesis)
		if raise := (control.Raise{Level: later}); err != nil || founds != (state == "") || !founds && c != raise || founds && (g.Level != later || g.Log != p.cfg.LogID) {
			t.Fatalf("%s: %+v, %v", name, c, err)
		}
		if p.Report().Control.Level != before.Level {
			t.Fatalf("%s: the level is in force before it is chosen", name)
		}
		for _, id := range []paxos.NodeID{"a1", "a2"} {
			p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: 4, Last: 4, Ballot: leads(p).ballot}}})
		}
		got := sentTo[*paxos.Raised](p.Flush(), "@op")
		if len(got) != 1 || got[0].Nonce != 4 || got[0].Before != before.Level || got[0].After != later || got[0].At != 4 || got[0].Log.IsZero() || got[0].Why != "" {
			t.Fatalf("%s: %+v", name, got)
		}
		// Once more changes nothing.
		p.Tick(20, 5)
		p.Step("@op", &paxos.Raise{Nonce: 4, Level: later})
		out = p.Flush()
		if got := sentTo[*paxos.Raised](out, "@op"); len(got) != 1 || got[0].Before != later || got[0].After != later || len(sent[*paxos.Accept](out)) > 0 {
			t.Fatalf("%s, again: %+v", name, out)
		}
	}
}

// TestRaiseAskedAgain: whoever asks again while the level is being raised is answered; it is
// not told that nothing was done.
func TestRaiseAskedAgain(t *testing.T) {
	p := leader(t, begun())
	answers(p, ordered(t, p, 10, later), later, later, later)
	p.Step("@op", &paxos.Raise{Nonce: 5, Level: control.Level})
	if got := sentTo[*paxos.Raised](p.Flush(), "@op"); len(got) != 1 || !strings.Contains(got[0].Why, "already: try again when that is done") {
		t.Fatalf("another level: %+v", got)
	}
	p.Step("@again", &paxos.Raise{Nonce: 6, Level: later})
	if out := p.Flush(); len(sent[*paxos.Raised](out))+len(sent[*paxos.Accept](out)) > 0 {
		t.Fatalf("%+v", out)
	}
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: 4, Last: 4, Ballot: leads(p).ballot}}})
	}
	if got := sent[*paxos.Raised](p.Flush()); len(got) != 1 || got[0].Nonce != 6 || got[0].After != later || got[0].Why != "" {
		t.Fatalf("%+v", got)
	}
}

// TestNothingNewBeforeLevel: what a level allows is proposed when the command that sets it is
// chosen, and not when it is proposed (R10). Else a leader that ends in between leaves a
// command in a log that does not allow it.
func TestNothingNewBeforeLevel(t *testing.T) {
	p := leader(t, "")
	p.cfg.MarkBytes, p.cfg.MarkInstances, p.learners = 1, 1, []paxos.NodeID{"l1"}
	answers(p, ordered(t, p, 10, control.Level), later, later, later)
	for now := paxos.Ticks(11); now < 30; now++ {
		p.Tick(now, 5)
		if out := p.Flush(); len(sent[*paxos.Accept](out)) > 0 {
			t.Fatalf("proposed while the log has no level: %+v", out)
		}
	}
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: 4, Last: 4, Ballot: leads(p).ballot}}})
	}
	accepts := sentTo[*paxos.Accept](p.Flush(), "a1")
	if len(accepts) != 1 || !paxos.IsControl(accepts[0].Value.Batch) {
		t.Fatalf("no checkpoint is begun when the log has a level: %+v", accepts)
	}
}

// TestDecideAboveLevel: what a learner sends is proposed only where the level in force allows it,
// whatever fits the checkpoint that is made: else one learner with a fault stops all processes of
// that level (R10).
func TestDecideAboveLevel(t *testing.T) {
	for level, proposes := range map[uint64]bool{control.ChainLevel - 1: false, control.ChainLevel: true} {
		state, err := control.Decode(begun(), control.Level)
		if err != nil {
			t.Fatal(err)
		}
		state.Level, state.At = level, 3
		state.Under = control.Underway{T: 2, Learners: []paxos.NodeID{"l1"}, From: 3, Offset: 5}
		p := leader(t, state.Encode())
		p.Step("a1", &paxos.Decide{Batch: control.Batch(control.Close{T: 2, Size: 5, Next: 1, By: "l1", Chain: paxos.Chain{1}})})
		if accepts := sentTo[*paxos.Accept](p.Flush(), "a1"); (len(accepts) == 1) != proposes {
			t.Errorf("level %d: %+v", level, accepts)
		}
	}
}

// TestEarlyDecide: a learner may know before the leader that a part of a checkpoint is chosen. The
// part that it sends next waits for that, and is not lost.
func TestEarlyDecide(t *testing.T) {
	state, err := control.Decode(begun(), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	state.At = 3
	state.Under = control.Underway{T: 2, Learners: []paxos.NodeID{"l1"}, From: 3, Offset: 5}
	p := leader(t, state.Encode())
	chunk := func(offset uint64) *paxos.Decide {
		return &paxos.Decide{Batch: control.Batch(control.Chunk{T: 2, Offset: offset, Bytes: "12345"})}
	}
	p.Step("a1", chunk(5))
	first := sentTo[*paxos.Accept](p.Flush(), "a1")
	p.Step("a1", chunk(10))
	if early := sentTo[*paxos.Accept](p.Flush(), "a1"); len(first) != 1 || len(early) != 0 {
		t.Fatalf("%+v, and before that is known to be chosen %+v", first, early)
	}
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: first[0].Instance, Last: first[0].Instance, Ballot: leads(p).ballot}}})
	}
	next := sentTo[*paxos.Accept](p.Flush(), "a1")
	if len(next) != 1 || string(next[0].Value.Batch) != string(chunk(10).Batch) {
		t.Errorf("the next part is %+v", next)
	}
}

// TestRaiseRefused: the leader says who is in the way of a level, and proposes nothing.
func TestRaiseRefused(t *testing.T) {
	for name, test := range map[string]struct {
		level uint64
		knows []uint64
		wait  paxos.Ticks
		want  string
	}{
		"nobody knows it":     {later + 1, nil, 0, "p1 knows levels up to"},
		"no level":            {0, nil, 0, "a level is only raised: ask for one from 1 to"},
		"an older acceptor":   {later, []uint64{later, control.Level, later}, 0, fmt.Sprintf("a2 knows levels up to %d", control.Level)},
		"two older acceptors": {later, []uint64{later, 0, control.Level}, 0, fmt.Sprintf("a2 knows levels up to 0, a3 knows levels up to %d", control.Level)},
		"a silent acceptor":   {later, []uint64{later, later}, 500, "a3 does not answer"},
	} {
		p := leader(t, begun())
		var out paxos.Output
		if test.knows == nil {
			p.Step("@op", &paxos.Raise{Nonce: 4, Level: test.level})
			out = p.Flush()
		} else {
			beat := ordered(t, p, 10, test.level)
			out = answers(p, beat, test.knows...)
			for end := paxos.Ticks(10) + test.wait; p.now < end && len(sentTo[*paxos.Raised](out, "@op")) == 0; {
				p.Tick(p.now+10, 5)
				out = p.Flush()
				leads(p).gone[0].Set(p.now + 100) // it answers other heartbeats
				leads(p).gone[1].Set(p.now + 100)
			}
		}
		got := sentTo[*paxos.Raised](out, "@op")
		if len(got) != 1 || !strings.Contains(got[0].Why, test.want) || len(sent[*paxos.Accept](out)) > 0 {
			t.Errorf("%s: %+v", name, out)
		}
	}
	p := New(knowing())
	p.Step("@op", &paxos.Raise{Nonce: 4, Level: 1})
	if got := sentTo[*paxos.Raised](p.Flush(), "@op"); len(got) != 1 || !strings.Contains(got[0].Why, "p1 does not lead") {
		t.Errorf("a standby: %+v", got)
	}
}

// TestRaiseWithoutRoom: while as much is in flight as may be, an order to raise the level does
// nothing, and the leader does not want to be told the time for it.
func TestRaiseWithoutRoom(t *testing.T) {
	p := leader(t, begun())
	for seq := range uint64(2) { // its window
		p.Step("@c", appendOf(seq+1, "x"))
		p.Flush()
	}
	if leads(p).room(p) {
		t.Fatal("there is room")
	}
	answers(p, ordered(t, p, 10, later), later)
	for next := p.Next(); p.now < 400; {
		p.Tick(p.now+10, 5)
		leads(p).gone[0].Set(p.now + 100)
		leads(p).gone[1].Set(p.now + 100)
		out := p.Flush()
		if len(sentTo[*paxos.Raised](out, "@op")) > 0 {
			t.Fatalf("at %d, and it wanted to be told the time at %d: %+v", p.now, next, out)
		}
		next = p.Next()
	}
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: 4, Last: 5, Ballot: leads(p).ballot}}})
	}
	if got := sentTo[*paxos.Raised](p.Flush(), "@op"); len(got) != 1 || !strings.Contains(got[0].Why, "a2 does not answer, a3 does not answer") {
		t.Errorf("%+v", got)
	}
}

// TestStallNamesTheLevel: a leader whose command is not voted for, since the programs of
// acceptors were replaced by older ones, says so when it resigns.
func TestStallNamesTheLevel(t *testing.T) {
	p := leader(t, begun())
	beat := ordered(t, p, 10, later)
	answers(p, beat, later, later, later)
	for now := p.now; leads(p) != nil; now += 50 {
		p.Tick(now, 5)
		for _, b := range sentTo[*paxos.Heartbeat](p.Flush(), "a1") {
			answers(p, b, later-1, later-1, later)
		}
	}
	want := fmt.Sprintf("it needs level %d, and who does not know that does not vote for it: replace these programs first: a1 knows levels up to %d, a2 knows", later, later-1)
	if !strings.Contains(p.reason, want) || strings.Contains(p.reason, "a3") {
		t.Errorf("it resigns: %s", p.reason)
	}
}
