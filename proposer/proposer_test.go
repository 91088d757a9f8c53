package proposer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

var members = paxos.Membership{Cluster: "t", Acceptors: []paxos.NodeID{"a1", "a2", "a3"}, Phase1: 2, Phase2: 2, Sessions: 10}

func config() Config {
	return Config{
		ID: "p1", Membership: members, Process: 77, Seed: 1,
		HeartbeatTicks: 50, ElectionMin: 150, ElectionMax: 300, RetryTicks: 100, StallTicks: 1500,
		Window: 2, WindowBytes: 1000, BatchBytes: 100, EntryBytes: 50, QueueBytes: 200,
	}
}

func sent[T paxos.Message](out paxos.Output) (found []T) {
	for _, e := range out.SendNow {
		if m, ok := e.Msg.(T); ok {
			found = append(found, m)
		}
	}
	return found
}

func sentTo[T paxos.Message](out paxos.Output, to paxos.NodeID) (found []T) {
	for _, e := range out.SendNow {
		if m, ok := e.Msg.(T); ok && e.To == to {
			found = append(found, m)
		}
	}
	return found
}

func vote(i paxos.Instance, round uint64, value string) paxos.Vote {
	return paxos.Vote{Instance: i, Ballot: paxos.Ballot{Round: round, Proposer: "px"}, Value: paxos.Value{Batch: []byte(value)}}
}

// campaigning returns a proposer that has just sent Prepare, and its Prepares.
func campaigning(t *testing.T, cfg Config) (*Proposer, map[paxos.NodeID]*paxos.Prepare) {
	t.Helper()
	p := New(cfg)
	p.Tick(1, 5)
	for _, id := range members.Acceptors {
		p.Step("p1", &paxos.PeerUp{ID: id, Role: paxos.RoleAcceptor})
		p.Step(id, &paxos.QueryReply{Nonce: 1, Silent: 1000, Promised: paxos.Ballot{Round: 7, Proposer: "px"}})
	}
	p.Flush()
	p.Tick(2, 5)
	out := p.Flush()
	prepares := map[paxos.NodeID]*paxos.Prepare{}
	for _, id := range members.Acceptors {
		m := sentTo[*paxos.Prepare](out, id)
		if len(m) != 1 || m[0].Ballot.Round != 8 || m[0].Ballot.Process != 77 {
			t.Fatalf("no campaign above the round heard of: %+v", out)
		}
		prepares[id] = m[0]
	}
	return p, prepares
}

func promised(p *Proposer, from paxos.NodeID, m *paxos.Prepare, page uint64, last bool, held paxos.Instance, votes ...paxos.Vote) {
	p.Step(from, &paxos.Promise{Ballot: m.Ballot, Nonce: m.Nonce, Page: page, Last: last, Held: held, Marks: make([]paxos.Mark, 3), Votes: votes})
}

func leads(p *Proposer) *leading { l, _ := p.phase.(*leading); return l }

// led returns a leader of an empty log.
func led(t *testing.T) *Proposer {
	t.Helper()
	p, prep := campaigning(t, config())
	promised(p, "a1", prep["a1"], 0, true, 0)
	promised(p, "a2", prep["a2"], 0, true, 0)
	p.Flush()
	if leads(p) == nil {
		t.Fatal("it does not lead")
	}
	return p
}

// TestForcedValues: at each instance the highest-numbered proposal of the quorum,
// whoever reports it and in whatever order; a held value over every ballot; holes
// are filled; nothing reported is left out; the start is above everything held.
func TestForcedValues(t *testing.T) {
	cfg := config()
	cfg.Window = 4
	for _, order := range [][]paxos.NodeID{{"a1", "a2"}, {"a2", "a1"}} {
		p, prep := campaigning(t, cfg)
		for _, id := range order {
			if id == "a1" {
				promised(p, "a1", prep["a1"], 0, false, 2, vote(3, 1, "old"), vote(4, 5, "newer"))
				promised(p, "a1", prep["a1"], 1, true, 2, vote(7, 2, "seven"))
			} else {
				promised(p, "a2", prep["a2"], 0, true, 3, vote(4, 4, "older"), vote(5, 1, "five"), vote(7, 6, "seven, newer"))
			}
		}
		out := p.Flush()
		got := map[paxos.Instance]string{}
		for _, a := range sentTo[*paxos.Accept](out, "a3") {
			got[a.Instance] = string(a.Value.Batch)
		}
		want := map[paxos.Instance]string{4: "newer", 5: "five", 6: "", 7: "seven, newer"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("order %v: proposed %v, want %v (3 is held, 6 is a hole)", order, got, want)
		}
	}
}

// TestPages: a lost, repeated or foreign page never completes a promise.
func TestPages(t *testing.T) {
	p, prep := campaigning(t, config())
	promised(p, "a1", prep["a1"], 0, true, 0)
	promised(p, "a1", prep["a1"], 0, true, 0) // one acceptor twice is one
	if leads(p) != nil {
		t.Fatal("one acceptor made a quorum", p.Out.Halt)
	}
	promised(p, "a2", prep["a2"], 1, true, 0) // page 0 was lost
	other := *prep["a2"]
	other.Nonce++
	promised(p, "a2", &other, 0, true, 0)     // another read's nonce
	promised(p, "l1", prep["a2"], 0, true, 0) // no acceptor
	old := *prep["a2"]
	old.Ballot.Process = 1
	promised(p, "a2", &old, 0, true, 0) // an earlier run's ballot
	if leads(p) != nil {
		t.Fatal("leads by pages that do not fit")
	}
	promised(p, "a2", prep["a2"], 0, false, 0)
	promised(p, "a2", prep["a2"], 1, true, 0)
	if leads(p) == nil {
		t.Fatal("does not lead by a whole quorum")
	}
}

func appendOf(seq uint64, entry string) *paxos.Append {
	var s paxos.SessionID
	r := paxos.Run{Kind: paxos.RunAppend, Session: s, First: seq, Count: 1, Entries: paxos.AppendEntry(nil, []byte(entry))}
	return &paxos.Append{Session: s, First: seq, Attempt: seq, Batch: r.AppendTo(nil)}
}

// TestWindow: an append is proposed at once while the window has room, and what
// waits goes out together; no second Phase 1 happens.
func TestWindow(t *testing.T) {
	p := led(t)
	for seq := uint64(1); seq <= 4; seq++ {
		p.Step("@1", appendOf(seq, "x"))
		out := p.Flush()
		if n := len(sentTo[*paxos.Accept](out, "a1")); (n == 1) != (seq <= 2) || len(sent[*paxos.Prepare](out)) != 0 {
			t.Fatalf("append %d: %d Accepts %s", seq, n, out.Halt)
		}
	}
	b := leads(p).ballot
	p.Step("a1", &paxos.Accepted{Runs: []paxos.VoteRun{{First: 1, Last: 2, Ballot: b}}})
	p.Step("a1", &paxos.Accepted{Runs: []paxos.VoteRun{{First: 1, Last: 2, Ballot: b}}}) // twice is once
	p.Step("a2", &paxos.Accepted{Runs: []paxos.VoteRun{{First: 1, Last: 2, Ballot: paxos.Ballot{Round: 1, Proposer: "p0"}}}})
	if p.Flush(); leads(p).chosenUpTo != 0 {
		t.Fatal("chosen by one acceptor, or by votes at two ballots")
	}
	p.Step("a3", &paxos.Accepted{Runs: []paxos.VoteRun{{First: 1, Last: 1, Ballot: b}}})
	out := p.Flush()
	acc := sentTo[*paxos.Accept](out, "a1")
	if len(acc) != 1 || acc[0].Instance != 3 || acc[0].ChosenUpTo != 1 {
		t.Fatalf("after instance 1: %+v", acc)
	}
	n := 0
	for batch := acc[0].Value.Batch; len(batch) > 0; n++ {
		var err error
		if _, batch, err = paxos.NextRun(batch); err != nil {
			t.Fatal(err)
		}
	}
	if n != 2 {
		t.Fatalf("%d appends in the batch, want both that waited", n)
	}
}

// TestQueueBound: beyond its bound an append is refused, which means dropped.
func TestQueueBound(t *testing.T) {
	p := led(t)
	refused, accepted := 0, 0
	for seq := uint64(1); seq <= 30; seq++ {
		p.Step("@1", appendOf(seq, "0123456789"))
		out := p.Flush()
		for _, r := range sent[*paxos.Refused](out) {
			if r.Reason != paxos.RefuseBusy || r.Attempt != seq {
				t.Fatalf("%+v", r)
			}
			refused++
		}
		if accepted += len(sentTo[*paxos.Accept](out, "a1")); out.Halt != "" {
			t.Fatal(out.Halt)
		}
	}
	if l := leads(p); refused == 0 || refused+l.queue.n+accepted != 30 || l.queue.bytes > config().QueueBytes {
		t.Fatalf("refused %d, queued %d (%d bytes), proposed %d", refused, leads(p).queue.n, leads(p).queue.bytes, accepted)
	}
	// Stepping down refuses what is queued, and tells the acceptors.
	queued := leads(p).queue.n
	leads(p).resign(p, "test", 0)
	out := p.Flush()
	if len(sent[*paxos.Refused](out)) != queued || len(sent[*paxos.Heartbeat](out)) != 3 || !sent[*paxos.Heartbeat](out)[0].Resign {
		t.Fatalf("%+v", out)
	}
}

func TestMalformedAppendsAreRefused(t *testing.T) {
	p := led(t)
	good := appendOf(1, "x")
	long := appendOf(1, string(make([]byte, 51)))
	for name, m := range map[string]*paxos.Append{
		"empty":         {},
		"garbage":       {Batch: []byte("garbage that is no batch at all")},
		"two runs":      {First: 1, Batch: append(append([]byte{}, good.Batch...), good.Batch...)},
		"other session": {Session: paxos.SessionID{1}, First: 1, Batch: good.Batch},
		"other place":   {First: 2, Batch: good.Batch},
		"too large":     long,
	} {
		p.Step("@1", m)
		out := p.Flush()
		if r := sent[*paxos.Refused](out); len(r) != 1 || r[0].Reason != paxos.RefuseMalformed || len(sent[*paxos.Accept](out)) != 0 {
			t.Errorf("%s: %+v", name, out.SendNow)
		}
	}
}

// TestStepDownWithoutQuorum: only answers that repeat the ballot and a heartbeat
// sent within the timeout keep a leader in office.
func TestStepDownWithoutQuorum(t *testing.T) {
	for name, ack := range map[string]func(b paxos.Ballot, now paxos.Ticks) *paxos.HeartbeatAck{
		"none": func(paxos.Ballot, paxos.Ticks) *paxos.HeartbeatAck { return nil },
		"of old beats": func(b paxos.Ballot, _ paxos.Ticks) *paxos.HeartbeatAck {
			return &paxos.HeartbeatAck{Ballot: b, Nonce: 2}
		},
		"of other ballot": func(b paxos.Ballot, now paxos.Ticks) *paxos.HeartbeatAck {
			b.Process++
			return &paxos.HeartbeatAck{Ballot: b, Nonce: uint64(now)}
		},
		"from the future": func(b paxos.Ballot, now paxos.Ticks) *paxos.HeartbeatAck {
			return &paxos.HeartbeatAck{Ballot: b, Nonce: uint64(now + 1000)}
		},
		"fresh": func(b paxos.Ballot, now paxos.Ticks) *paxos.HeartbeatAck {
			return &paxos.HeartbeatAck{Ballot: b, Nonce: uint64(now)}
		},
	} {
		p := led(t)
		b := leads(p).ballot
		for now := paxos.Ticks(10); now <= 1000 && leads(p) != nil; now += 10 {
			p.Tick(now, 0)
			p.Flush()
			if m := ack(b, now); m != nil {
				p.Step("a1", m)
				p.Step("a2", m)
			}
		}
		if (leads(p) != nil) != (name == "fresh") {
			t.Errorf("answers %s: leads %v", name, leads(p) != nil)
		}
	}
}

// TestStall: a leader whose oldest instance is not chosen for long resigns,
// although heartbeats are answered.
func TestStall(t *testing.T) {
	p := led(t)
	p.Step("@1", appendOf(1, "x"))
	p.Flush()
	b := leads(p).ballot
	resent := 0
	for now := paxos.Ticks(10); leads(p) != nil; now += 10 {
		if now > 2000 {
			t.Fatal("it still leads")
		}
		p.Tick(now, 0)
		resent += len(sentTo[*paxos.Accept](p.Flush(), "a1"))
		for _, id := range members.Acceptors {
			p.Step(id, &paxos.HeartbeatAck{Ballot: b, Nonce: uint64(now)})
		}
	}
	if resent < 1 || resent > 6 {
		t.Errorf("sent again %d times within 1.5 s, want once or a few times with growing pauses", resent)
	}
}

// TestCampaignNeedsSilentQuorum: a standby campaigns only if a Phase 1 quorum has
// reported silence lately.
func TestCampaignNeedsSilentQuorum(t *testing.T) {
	for name, silent := range map[string][]paxos.Ticks{"one of three": {1000, 0, 0}, "two of three": {1000, 1000, 0}, "none": {0, 0, 0}} {
		p := New(config())
		p.Tick(1, 0)
		for _, id := range members.Acceptors {
			p.Step(id, &paxos.PeerUp{ID: id})
		}
		campaigned := false
		for now := paxos.Ticks(1); now < 2000 && !campaigned; now += 10 {
			p.Tick(now, 0)
			out := p.Flush()
			for i, id := range members.Acceptors {
				for _, q := range sentTo[*paxos.Query](out, id) {
					p.Step(id, &paxos.QueryReply{Nonce: q.Nonce, Silent: silent[i], Heard: paxos.Ballot{Round: 1, Proposer: "p2"}})
				}
			}
			p.Tick(now+1, 0)
			campaigned = len(sent[*paxos.Prepare](p.Flush())) > 0
		}
		if campaigned != (name == "two of three") {
			t.Errorf("%s silent: campaigned %v", name, campaigned)
		}
	}
	// Nor do answers to what this process did not ask count, as if an earlier one's question
	// was on its way until now.
	p := New(config())
	for now := paxos.Ticks(1); now < 2000; now += 10 {
		p.Tick(now, 0)
		for _, id := range members.Acceptors {
			p.Step(id, &paxos.QueryReply{Nonce: uint64(now), Silent: 1000})
		}
		if len(sent[*paxos.Prepare](p.Flush())) > 0 {
			t.Fatal("campaigned by answers to questions that it did not ask")
		}
	}
	// Old answers are no evidence.
	p = New(config())
	p.Tick(1, 0)
	for _, id := range members.Acceptors {
		p.Step(id, &paxos.QueryReply{Nonce: 1, Silent: 1})
	}
	for now := paxos.Ticks(200); now < 3000; now += 10 {
		p.Tick(now, 0)
		if out := p.Flush(); len(sent[*paxos.Prepare](out)) != 0 {
			t.Fatal("campaigned without fresh answers")
		}
	}
}

// TestForward: a standby passes appends on to the leader that the acceptors hear,
// once, and relays its refusal.
func TestForward(t *testing.T) {
	p := New(config())
	p.Tick(1, 0)
	p.Step("p1", &paxos.PeerUp{ID: "p2", Role: paxos.RoleProposer})
	p.Step("a1", &paxos.QueryReply{Nonce: 1, Silent: 3, Heard: paxos.Ballot{Round: 4, Proposer: "p2"}})
	p.Step("@7", appendOf(1, "x"))
	out := p.Flush()
	if f := sentTo[*paxos.Append](out, "p2"); len(f) != 1 || f[0].Client != "@7" {
		t.Fatalf("%+v", out.SendNow)
	}
	p.Step("p2", &paxos.Refused{First: 1, Attempt: 1, Client: "@7", Reason: paxos.RefuseBusy})
	if r := sentTo[*paxos.Refused](p.Flush(), "@7"); len(r) != 1 || r[0].Attempt != 1 {
		t.Fatalf("the refusal was not relayed: %+v", r)
	}
	forwarded := appendOf(2, "y")
	forwarded.Client = "@3"
	p.Step("p3", forwarded)
	if out := p.Flush(); len(sentTo[*paxos.Append](out, "p2")) != 0 || len(sentTo[*paxos.Refused](out, "p3")) != 1 {
		t.Fatalf("an append travels in circles: %+v", out.SendNow)
	}
}

// TestRepair: the leader reads a chosen instance that nobody holds at a Phase 1
// quorum, proposes what that forces, and never a no-op in its place.
func TestRepair(t *testing.T) {
	p, prep := campaigning(t, config())
	promised(p, "a1", prep["a1"], 0, true, 5)
	promised(p, "a2", prep["a2"], 0, true, 3)
	p.Flush()
	p.Step("a2", &paxos.Repair{Instance: 4})
	p.Step("a3", &paxos.Repair{Instance: 4}) // one at a time
	out := p.Flush()
	reads := map[paxos.NodeID]*paxos.Prepare{}
	for _, id := range members.Acceptors {
		if m := sentTo[*paxos.Prepare](out, id); len(m) == 1 {
			reads[id] = m[0]
		}
	}
	if len(reads) != 3 || reads["a2"].From != 4 || reads["a2"].To != 5 || reads["a2"].Ballot != leads(p).ballot {
		t.Fatalf("%+v", reads)
	}
	promised(p, "a2", reads["a2"], 0, true, 3, vote(4, 2, "was chosen"))
	promised(p, "a3", reads["a3"], 0, true, 3, vote(4, 1, "older"))
	out = p.Flush()
	acc := sentTo[*paxos.Accept](out, "a2")
	if len(acc) != 1 || acc[0].Instance != 4 || string(acc[0].Value.Batch) != "was chosen" {
		t.Fatalf("proposed %+v", acc)
	}
	if len(out.Notes) == 0 { // instance 5 is in no vote: data was lost, and that is said
		t.Fatal("the loss of instance 5 was not told")
	}
}

// TestHeldElsewhere: an acceptor that holds another value than the leader proposes
// ends its leadership; the same value counts as chosen.
func TestHeldElsewhere(t *testing.T) {
	for _, same := range []bool{true, false} {
		p := led(t)
		p.Step("@1", appendOf(1, "x"))
		v := sentTo[*paxos.Accept](p.Flush(), "a1")[0].Value
		if !same {
			v.Batch = []byte("another")
		}
		p.Step("a1", &paxos.Page{From: 1, Held: 1, Values: []paxos.Vote{{Instance: 1, Value: v}}})
		p.Flush()
		if l := leads(p); (l != nil) != same || (same && l.chosenUpTo != 1) {
			t.Errorf("same value %v: leads %v", same, l != nil)
		}
	}
}

// TestBallotsDiffer: two runs of a proposer never use the same ballot.
func TestBallotsDiffer(t *testing.T) {
	one, two := config(), config()
	two.Process = 78
	_, a := campaigning(t, one)
	p := New(two)
	p.round = 7
	p.campaign("test", rejoiner{})
	if b := p.phase.(*preparing).ballot; b == a["a1"].Ballot || b.Round != a["a1"].Ballot.Round {
		t.Fatalf("%v twice", b)
	}
}

// TestSlowPages: a page that is slow to come is taken, although it was asked for
// again; only the missing page is; and no page comes unasked.
func TestSlowPages(t *testing.T) {
	p, prep := campaigning(t, config())
	promised(p, "a1", prep["a1"], 0, true, 0)
	for tick := paxos.Ticks(10); tick < 250; tick += 10 { // longer than RetryTicks
		p.Tick(tick, 0)
	}
	again := sentTo[*paxos.Prepare](p.Flush(), "a2")
	if len(again) == 0 || again[0].Nonce != prep["a2"].Nonce || again[0].Page != 0 {
		t.Fatalf("asked again: %+v", again)
	}
	promised(p, "a2", prep["a2"], 0, false, 0, vote(1, 1, "one"))
	next := sentTo[*paxos.Prepare](p.Flush(), "a2")
	if len(next) != 1 || next[0].Page != 1 || next[0].From != 2 || next[0].Nonce != prep["a2"].Nonce {
		t.Fatalf("the next page: %+v", next)
	}
	promised(p, "a2", prep["a2"], 0, false, 0, vote(1, 1, "one")) // the answer to the repetition
	if out := p.Flush(); len(out.SendNow) != 0 {
		t.Fatalf("%+v", out.SendNow)
	}
	promised(p, "a2", prep["a2"], 1, true, 0)
	if leads(p) == nil {
		t.Fatal("it does not lead")
	}
}

// TestRenewal: an acceptor promised a higher ballot to a candidate that failed.
// The leader, whom a quorum follows, campaigns above it; a lone leader resigns.
func TestRenewal(t *testing.T) {
	for _, quorum := range []bool{true, false} {
		p := led(t)
		b := leads(p).ballot
		for tick := paxos.Ticks(10); tick <= 400; tick += 10 {
			p.Step("a2", &paxos.HeartbeatAck{Ballot: b, Nonce: uint64(tick - 10)})
			if quorum || tick < 200 {
				p.Step("a3", &paxos.HeartbeatAck{Ballot: b, Nonce: uint64(tick - 10)})
			}
			p.Step("a1", &paxos.HeartbeatAck{Ballot: b, Nonce: uint64(tick - 10)})
			p.Tick(tick, 0)
		}
		p.Flush()
		if !quorum {
			leads(p).gone[2].Set(0)
		}
		p.Step("a1", &paxos.Reject{Ballot: b, Promised: paxos.Ballot{Round: 50, Proposer: "p2"}})
		out := p.Flush()
		prepares := sentTo[*paxos.Prepare](out, "a1")
		if quorum != (len(prepares) == 1 && prepares[0].Ballot.Round == 51) || leads(p) != nil {
			t.Errorf("quorum %v: %+v", quorum, prepares)
		}
	}
}

// TestFill: a leader fills up to the highest vote it hears of, so that readers need
// not wait for it.
func TestFill(t *testing.T) {
	p := led(t)
	b := leads(p).ballot
	p.Step("a3", &paxos.HeartbeatAck{Ballot: b, Nonce: 2, Highest: 2})
	p.Tick(10, 0)
	acc := sentTo[*paxos.Accept](p.Flush(), "a1")
	if len(acc) != 2 || !acc[0].Value.IsNoop() || acc[1].Instance != 2 {
		t.Fatalf("%+v", acc)
	}
}

// TestWindowBytes: values in flight are bounded in bytes; one always fits.
func TestWindowBytes(t *testing.T) {
	cfg := config()
	cfg.Window, cfg.WindowBytes, cfg.QueueBytes = 100, 1, 10_000
	p, prep := campaigning(t, cfg)
	promised(p, "a1", prep["a1"], 0, true, 0)
	promised(p, "a2", prep["a2"], 0, true, 0)
	for seq := uint64(1); seq <= 5; seq++ {
		p.Step("@1", appendOf(seq, "0123456789"))
		p.Flush()
	}
	if l := leads(p); len(l.open) != 1 || l.queue.n != 4 {
		t.Fatalf("%d in flight, %d waiting", len(l.open), l.queue.n)
	}
}

// TestWaitingForCompany: while instances are in flight an append waits, so that the
// next instance carries more; it does not wait if it fills a share of a batch, nor for
// longer than a share of what instances take.
func TestWaitingForCompany(t *testing.T) {
	cfg := config()
	cfg.Window, cfg.WindowBytes, cfg.BatchBytes, cfg.QueueBytes = 100, 1<<20, 1200, 1<<20
	p, prep := campaigning(t, cfg)
	promised(p, "a1", prep["a1"], 0, true, 0)
	promised(p, "a2", prep["a2"], 0, true, 0)
	p.Flush()
	l := leads(p)
	instances := func(bytes int) int {
		seq := uint64(l.next) + uint64(l.queue.n)
		p.Step("@1", appendOf(seq, strings.Repeat("x", bytes)))
		return len(sentTo[*paxos.Accept](p.Flush(), "a1"))
	}
	l.took = 40
	for want := range 2 {
		if n := instances(1); n != 1 {
			t.Fatalf("append %d was proposed %d times at once", want+1, n)
		}
	}
	if n := instances(1); n != 0 {
		t.Fatal("a third small append was proposed at once")
	}
	if n := instances(45); n != 1 || l.queue.n != 0 {
		t.Fatalf("a share of a batch: %d proposals, %d waiting", n, l.queue.n)
	}
	if n := instances(1); n != 0 {
		t.Fatal("proposed at once after that")
	}
	p.Tick(p.now+l.took/patience+1, 5)
	if n := len(sentTo[*paxos.Accept](p.Flush(), "a1")); n != 1 {
		t.Fatalf("after a share of what instances take: %d proposals", n)
	}
}
