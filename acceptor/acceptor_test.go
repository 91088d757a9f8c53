package acceptor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

var members = paxos.Membership{Cluster: "t", Acceptors: []paxos.NodeID{"a1", "a2", "a3"}, Phase1: 2, Phase2: 2, Sessions: 10}

func config() Config {
	return Config{
		ID: "a1", Membership: members, Incarnation: 7, Sources: []paxos.NodeID{"a2", "a3", "l1"},
		ElectionTicks: 150, RetryTicks: 100, StallTicks: 1500, IdleTicks: 5000, PageBytes: 1 << 20, CopyPages: 16,
	}
}

func ballot(round uint64, p paxos.NodeID) paxos.Ballot {
	return paxos.Ballot{Round: round, Proposer: p, Process: 1}
}

// ready returns an admitted acceptor that has heard nobody for a long time.
func ready(st State) *Acceptor {
	a := New(config(), st)
	a.Tick(1, 0)
	a.admission.admitted = true
	a.now = 10_000 // not by Tick, for which that would be a pause
	a.Flush()
	return a
}

func sent[T paxos.Message](out paxos.Output) (found []T) {
	for _, e := range append(append([]paxos.Envelope{}, out.SendNow...), out.SendAfter...) {
		if m, ok := e.Msg.(T); ok {
			found = append(found, m)
		}
	}
	return found
}

func wrote[T paxos.Record](out paxos.Output) (found []T) {
	for _, r := range out.Writes {
		if x, ok := r.(T); ok {
			found = append(found, x)
		}
	}
	return found
}

// relation is <, = or > some fixed point.
var relations = map[string]int{"<": -1, "=": 0, ">": 1}

// TestAcceptExhaustive plays Accept with every relation of its ballot's round and
// proposer to the promise, of its instance to held, and every vote that may be
// there already, and compares with the rule stated plainly.
func TestAcceptExhaustive(t *testing.T) {
	const held = paxos.Instance(5)
	promised := ballot(5, "p3")
	for round, dr := range relations {
		for proposer, dp := range relations {
			for instance, di := range relations {
				for _, old := range []string{"none", "lower", "same"} {
					name := fmt.Sprintf("round%s proposer%s instance%s vote=%s", round, proposer, instance, old)
					b := ballot(uint64(5+dr), paxos.NodeID(fmt.Sprintf("p%d", 3+dp)))
					i := paxos.Instance(int(held) + di)
					votes := map[paxos.Instance]paxos.Ballot{}
					switch {
					case i <= held: // below held nothing is remembered
					case old == "lower":
						votes[i] = ballot(1, "p1")
					case old == "same" && !promised.Less(b):
						votes[i] = b
					}
					a := ready(State{Promised: promised, Held: held, Votes: votes})
					hadSame := votes[i] == b
					a.Step(b.Proposer, &paxos.Accept{Ballot: b, Instance: i, Value: paxos.Value{Origin: b, Batch: text("x")}})
					out := a.Flush()

					accepted, rejected := sent[*paxos.Accepted](out), sent[*paxos.Reject](out)
					switch {
					case i <= held:
						if len(out.Loads) != 1 || len(accepted)+len(rejected)+len(out.Writes) != 0 {
							t.Errorf("%s: at or below held it must be answered with what is held: %+v", name, out)
						}
					case b.Less(promised):
						if len(rejected) != 1 || rejected[0].Promised != promised || len(accepted)+len(out.Writes) != 0 {
							t.Errorf("%s: below promised it must be refused, and change nothing: %+v", name, out)
						}
					default:
						if len(accepted) != 1 || len(out.SendNow) != 0 {
							t.Errorf("%s: it must be accepted, and told only when durable: %+v", name, out)
						}
						puts, promises := wrote[paxos.PutVote](out), wrote[paxos.SetPromised](out)
						if hadSame != (len(puts) == 0) {
							t.Errorf("%s: written %d times", name, len(puts))
						}
						if promised.Less(b) != (len(promises) == 1) || a.promised != b {
							t.Errorf("%s: accepting at %v must raise promised to it: %v", name, b, promises)
						}
						if len(out.Writes) > 0 && !out.Sync {
							t.Errorf("%s: written without a sync", name)
						}
					}
				}
			}
		}
	}
}

// TestPrepareExhaustive plays Prepare with every relation to the promise, while a
// live leader is heard or not, admitted or not.
func TestPrepareExhaustive(t *testing.T) {
	promised := ballot(5, "p3")
	for round, dr := range relations {
		for proposer, dp := range relations {
			for _, heard := range []string{"nobody", "another", "itself"} {
				for _, admitted := range []bool{true, false} {
					name := fmt.Sprintf("round%s proposer%s heard=%s admitted=%v", round, proposer, heard, admitted)
					b := ballot(uint64(5+dr), paxos.NodeID(fmt.Sprintf("p%d", 3+dp)))
					a := ready(State{Promised: promised, Held: 5})
					a.admission.admitted = admitted
					switch heard {
					case "another":
						a.hear(ballot(5, "px"))
					case "itself":
						a.hear(ballot(4, b.Proposer))
					}
					a.Step(b.Proposer, &paxos.Prepare{Ballot: b, Nonce: 9, From: 1})
					out := a.Flush()
					rejected := sent[*paxos.Reject](out)
					grants := admitted && !b.Less(promised) && (b == promised || heard != "another")
					if !grants {
						if len(rejected) != 1 || rejected[0].Nonce != 9 || len(out.Writes)+len(out.Loads) != 0 || a.promised != promised {
							t.Errorf("%s: it must be refused and change nothing: %+v", name, out)
						}
						continue
					}
					if len(rejected) != 0 || a.promised != b || len(out.Loads) != 1 || out.Loads[0].From != 6 {
						t.Errorf("%s: it must be promised, and everything above held be read: %+v", name, out)
					}
					if promised.Less(b) != (len(wrote[paxos.SetPromised](out)) == 1) || promised.Less(b) != out.Sync {
						t.Errorf("%s: a raised promise must be written and synced: %+v", name, out)
					}
					// The page leaves when durable; with a higher promise in between, never.
					a.Step("a1", &paxos.Loaded{Load: out.Loads[0]})
					if got := sent[*paxos.Promise](a.Flush()); len(got) != 1 || !got[0].Last || got[0].Held != 5 {
						t.Errorf("%s: page %+v", name, got)
					}
				}
			}
		}
	}
}

func TestPageIsVoidAfterHigherPromise(t *testing.T) {
	a := ready(State{})
	a.Step("p1", &paxos.Prepare{Ballot: ballot(1, "p1"), Nonce: 1, From: 1})
	load := a.Flush().Loads[0]
	a.hearing.at = -1000
	a.Step("p2", &paxos.Prepare{Ballot: ballot(2, "p2"), Nonce: 2, From: 1})
	a.Flush()
	a.Step("a1", &paxos.Loaded{Load: load})
	out := a.Flush()
	if len(sent[*paxos.Promise](out)) != 0 || len(sent[*paxos.Reject](out)) != 1 {
		t.Fatalf("a page of an older promise left: %+v", out)
	}
}

// TestHeld: chosenUpTo under ballot N says nothing of a value that was accepted
// under an older one (P5), and a held instance never changes (P6).
func TestHeld(t *testing.T) {
	old, n := ballot(1, "p1"), ballot(2, "p2")
	a := ready(State{Promised: n, Votes: map[paxos.Instance]paxos.Ballot{1: n, 2: old, 3: n}})
	a.Step("p2", &paxos.Heartbeat{Ballot: n, Nonce: 1, ChosenUpTo: 3})
	out := a.Flush()
	if a.held != 1 || len(wrote[paxos.SetHeld](out)) != 1 || out.Sync {
		t.Fatalf("held %d, want 1, without a sync: %+v", a.held, out)
	}
	// The rest is copied from a node that holds it; a late Accept changes nothing.
	a.Step("a1", &paxos.PeerUp{ID: "a2", Role: paxos.RoleAcceptor})
	for tick := paxos.Ticks(10_000); len(sent[*paxos.Fetch](out)) == 0 && tick < 11_000; tick += 10 {
		a.Tick(tick, 0)
		out = a.Flush()
	}
	f := sent[*paxos.Fetch](out)
	if len(f) != 1 || f[0].From != 2 {
		t.Fatalf("no copy was asked for: %+v", out)
	}
	value := paxos.Value{Origin: n, Batch: text("chosen")}
	a.Step("a2", &paxos.Page{Nonce: f[0].Nonce, From: 2, Held: 2, Values: []paxos.Vote{{Instance: 2, Ballot: n, Value: value}, {Instance: 3, Ballot: n, Value: value}}})
	out = a.Flush()
	if got := wrote[paxos.PutVote](out); len(got) != 1 || got[0].Vote.Instance != 2 || !got[0].Vote.Value.Equal(value) {
		t.Fatalf("copied %+v, want instance 2 only: 3 is not held at the source", got)
	}
	if a.held != 3 { // 3 was voted for at n, and the hole before it is filled
		t.Fatalf("held %d, want 3", a.held)
	}
	a.Step("p9", &paxos.Accept{Ballot: ballot(9, "p9"), Instance: 2, Value: paxos.Value{Batch: text("late")}})
	if out = a.Flush(); len(out.Writes) != 0 {
		t.Fatalf("a late Accept wrote %+v", out.Writes)
	}
}

// TestHungSync: an acceptor whose sync hangs stops answering heartbeats (and
// starts again), so that its leader notices.
func TestHungSync(t *testing.T) {
	a := ready(State{})
	b := ballot(1, "p1")
	beat := func(tick paxos.Ticks) int {
		a.Tick(tick, 0)
		a.Step("p1", &paxos.Heartbeat{Ballot: b, Nonce: uint64(tick)})
		return len(sent[*paxos.HeartbeatAck](a.Flush()))
	}
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 1})
	if out := a.Flush(); !out.Sync {
		t.Fatal("an accept without a sync")
	}
	for tick := paxos.Ticks(10_010); tick <= 11_500; tick += 10 {
		if beat(tick) != 1 {
			t.Fatalf("no answer at %d", tick)
		}
	}
	if beat(11_510) != 0 {
		t.Fatal("an answer while a sync hangs")
	}
	a.Step("a1", &paxos.Synced{Count: 1})
	if beat(11_520) != 1 {
		t.Fatal("no answer after the sync")
	}
}

// TestHeartbeatBelowPromised refreshes nothing.
func TestHeartbeatBelowPromised(t *testing.T) {
	a := ready(State{Promised: ballot(5, "p1")})
	a.Step("p2", &paxos.Heartbeat{Ballot: ballot(4, "p2"), Nonce: 3})
	out := a.Flush()
	if len(sent[*paxos.HeartbeatAck](out)) != 0 || len(sent[*paxos.Reject](out)) != 1 {
		t.Fatalf("%+v", out)
	}
	a.Step("p3", &paxos.Query{Nonce: 1})
	if q := sent[*paxos.QueryReply](a.Flush()); len(q) != 1 || q[0].Silent < 150 {
		t.Fatalf("a deposed leader's heartbeat counts as life: %+v", q)
	}
}

// TestResign lets others in at once.
func TestResign(t *testing.T) {
	a := ready(State{})
	b := ballot(1, "p1")
	a.Step("p1", &paxos.Heartbeat{Ballot: b, Nonce: 1})
	a.Step("p2", &paxos.Prepare{Ballot: ballot(2, "p2"), Nonce: 1, From: 1})
	if out := a.Flush(); len(sent[*paxos.Reject](out)) != 1 {
		t.Fatalf("a live leader was deposed: %+v", out)
	}
	a.Step("p1", &paxos.Heartbeat{Ballot: b, Nonce: 2, Resign: true})
	a.Step("p2", &paxos.Prepare{Ballot: ballot(2, "p2"), Nonce: 2, From: 1})
	if out := a.Flush(); len(sent[*paxos.Reject](out)) != 0 {
		t.Fatalf("refused although the leader resigned: %+v", out)
	}
}

// TestPauseCountsAsHearing: an acceptor that is told the time much later than it asked for
// refuses candidates for one timeout. One that was left alone for as long, and told the
// time when it asked for it, does not.
func TestPauseCountsAsHearing(t *testing.T) {
	a := ready(State{})
	for now := a.Next(); now < 20_000; now = a.Next() {
		a.Tick(now, 0)
		a.Flush()
	}
	if silent := a.Report().Silent; silent < 19_000 {
		t.Fatalf("it was told the time when it asked for it, and says that it heard somebody %d ms ago", silent)
	}
	a.Step("a1", &paxos.Late{By: 100})
	a.Tick(20_000, 0)
	a.Step("p2", &paxos.Prepare{Ballot: ballot(2, "p2"), Nonce: 1, From: 1})
	if out := a.Flush(); len(sent[*paxos.Reject](out)) != 1 {
		t.Fatalf("promised right after a pause: %+v", out)
	}
}

// TestWipedAcceptor: a directory initialised anew under its old id does not vote while
// one peer remembers the old one, whoever else vouches. The process stays up, says so
// once a minute and in its status, and asks that peer again. It votes when that peer
// vouches, be it that another process stood at its address.
func TestWipedAcceptor(t *testing.T) {
	a := New(config(), State{})
	for _, id := range []paxos.NodeID{"a2", "l1"} {
		a.Step("a1", &paxos.PeerUp{ID: id})
	}
	a.Tick(1, 0)
	out := a.Flush()
	if v := sent[*paxos.Vouch](out); len(v) != 2 || v[0].Incarnation != 7 {
		t.Fatalf("asked %+v", v)
	}
	a.Step("p1", &paxos.Prepare{Ballot: ballot(9, "p1"), Nonce: 1, From: 1})
	a.Step("p1", &paxos.Accept{Ballot: ballot(9, "p1"), Instance: 1})
	out = a.Flush()
	if len(out.Writes) != 0 || len(sent[*paxos.Reject](out)) != 2 {
		t.Fatalf("voted before it was vouched for: %+v", out)
	}
	a.Step("l1", &paxos.Vouched{Known: 7}) // a learner alone does not admit
	if a.admission.admitted {
		t.Fatal("admitted by a learner")
	}
	a.Step("l1", &paxos.Vouched{Known: 6})
	a.Step("a2", &paxos.Vouched{Known: 7})
	a.Step("a3", &paxos.Vouched{Known: 7})
	told, asked := 0, 0
	for now := paxos.Ticks(1); now <= 10*warnTicks; now += 100 {
		a.Tick(now, 0)
		out := a.Flush()
		for _, n := range out.Notes {
			if !n.Warn || !strings.Contains(n.Text, "l1 remembers a1 by incarnation 0000000000000006") {
				t.Fatalf("it says %+v", n)
			}
			told++
		}
		asked += len(sent[*paxos.Vouch](out))
		if out.Halt != "" || a.admission.admitted {
			t.Fatalf("at %d: admitted %v, %s", now, a.admission.admitted, out.Halt)
		}
	}
	if most := int(10*warnTicks/againTicks) + 1; told < 9 || told > 11 || asked < most-10 || asked > most {
		t.Fatalf("told %d times in 10 minutes, asked %d", told, asked)
	}
	a.Step("@1", &paxos.StatusQuery{Nonce: 3})
	if r := sent[*paxos.StatusReply](a.Flush()); len(r) != 1 || r[0].Voting || !strings.Contains(r[0].Reason, "stop it") {
		t.Fatalf("status: %+v", r)
	}
	a.Step("l1", &paxos.Vouched{Known: 7})
	if !a.admission.admitted || a.Report().WhyNotVoting != "" {
		t.Fatal("it does not vote although everybody vouches for it")
	}
}

// TestDeniedLate: a peer that was away contradicts an acceptor that votes already. It
// votes no more, and what it voted in this flush is not told.
func TestDeniedLate(t *testing.T) {
	a := ready(State{})
	a.Step("p1", &paxos.Accept{Ballot: ballot(1, "p1"), Instance: 1})
	a.Step("l1", &paxos.Vouched{Known: 6})
	a.Step("p1", &paxos.Accept{Ballot: ballot(1, "p1"), Instance: 2})
	out := a.Flush()
	if len(sent[*paxos.Accepted](out)) != 0 || len(sent[*paxos.Reject](out)) != 1 || out.Halt != "" {
		t.Fatalf("%+v", out)
	}
}

// TestVouchRemembers: the first incarnation told is remembered, durably, before
// it is vouched for.
func TestVouchRemembers(t *testing.T) {
	a := ready(State{})
	for n, want := range []uint64{5, 5} {
		a.Step("a2", &paxos.Vouch{Incarnation: uint64(5 + n), Mark: paxos.Mark{Process: 1}})
		out := a.Flush()
		v := sent[*paxos.Vouched](out)
		if len(v) != 1 || v[0].Known != want || len(out.SendNow) != 0 || out.Sync != (n == 0) {
			t.Fatalf("%d: %+v", n, out)
		}
	}
}

// asks has a copy from a source, who was asked by that nonce for what follows held.
func (a *Acceptor) asks(source paxos.NodeID, nonce uint64) {
	a.copy.source, a.copy.nonce = source, nonce
	a.copy.pages.Asks(a.held+1, nonce)
}

// TestPageWhileHeldMoves: a value read before held passed its instance is not
// told as what is held: it may be a vote that the chosen value replaced.
func TestPageWhileHeldMoves(t *testing.T) {
	old := ballot(1, "p1")
	stale := paxos.Vote{Instance: 2, Ballot: old, Value: paxos.Value{Batch: []byte("never chosen")}}
	one := paxos.Vote{Instance: 1, Ballot: old, Value: paxos.Value{Batch: []byte("one")}}
	copyTwo := func(a *Acceptor) {
		a.asks("a2", 1)
		a.Step("a2", &paxos.Page{Nonce: 1, From: 2, Held: 2, Values: []paxos.Vote{{Instance: 2, Ballot: ballot(2, "p2"), Value: paxos.Value{Batch: []byte("chosen")}}}})
		a.Flush()
	}
	start := func(from paxos.NodeID, m paxos.Message) (*Acceptor, paxos.Load) {
		a := ready(State{Promised: old, Held: 1, Votes: map[paxos.Instance]paxos.Ballot{2: old}})
		a.Step(from, m)
		return a, a.Flush().Loads[0]
	}

	a, load := start("a3", &paxos.Fetch{Nonce: 5, From: 1, Values: true})
	copyTwo(a)
	a.Step("a1", &paxos.Loaded{Load: load, Votes: []paxos.Vote{one, stale}})
	if p := sent[*paxos.Page](a.Flush()); len(p) != 1 || p[0].Held != 1 || len(p[0].Values) != 1 {
		t.Fatalf("page %+v: instance 2 must not be in it", p)
	}

	a, load = start("a3", &paxos.Fetch{Nonce: 5, From: 2, Values: true})
	copyTwo(a)
	a.Step("a1", &paxos.Loaded{Load: load, Votes: []paxos.Vote{stale}})
	if out := a.Flush(); len(out.SendAfter) != 0 || len(out.Loads) != 1 {
		t.Fatalf("%+v: it must be read again", out)
	}

	a, load = start("p3", &paxos.Prepare{Ballot: ballot(3, "p3"), Nonce: 1, From: 1})
	copyTwo(a)
	a.Step("a1", &paxos.Loaded{Load: load, Votes: []paxos.Vote{stale}})
	out := a.Flush()
	if len(out.SendAfter) != 0 || len(out.Loads) != 1 || out.Loads[0].From != 3 {
		t.Fatalf("%+v: a promise of everything above held must be read again", out)
	}
}

// TestUnadmittedAnswersNoPoll: it may have forgotten votes, which a linearizable
// read would miss.
func TestUnadmittedAnswersNoPoll(t *testing.T) {
	for _, admitted := range []bool{false, true} {
		a := New(config(), State{})
		a.Tick(1, 0)
		a.admission.admitted = admitted
		a.Step("l1", &paxos.Poll{Nonce: 4})
		if got := len(sent[*paxos.PollReply](a.Flush())); (got == 1) != admitted {
			t.Errorf("admitted %v: %d answers", admitted, got)
		}
	}
}

// TestStranger: an acceptor that shows another incarnation than is remembered is
// told so, and nothing it says counts.
func TestStranger(t *testing.T) {
	a := ready(State{Peers: paxos.Peers{"a2": {Incarnation: 5}}, Votes: map[paxos.Instance]paxos.Ballot{}})
	a.known = 3
	a.asks("a2", 1)
	a.Step("a1", &paxos.PeerUp{ID: "a2", Role: paxos.RoleAcceptor, Incarnation: 6})
	a.Step("a2", &paxos.Page{Nonce: 1, From: 1, Held: 1, Values: []paxos.Vote{{Instance: 1, Ballot: ballot(1, "p1")}}})
	a.Step("a2", &paxos.Vouch{Incarnation: 6})
	out := a.Flush()
	if v := sent[*paxos.Vouched](out); a.held != 0 || len(v) != 1 || v[0].Known != 5 {
		t.Fatalf("held %d, told %+v", a.held, v)
	}
	a.Step("a1", &paxos.PeerUp{ID: "a2", Role: paxos.RoleAcceptor, Incarnation: 5})
	a.Step("a2", &paxos.Page{Nonce: 1, From: 1, Held: 1, Values: []paxos.Vote{{Instance: 1, Ballot: ballot(1, "p1")}}})
	if a.held != 1 {
		t.Fatal("the acceptor that is remembered is not listened to")
	}
}

// TestDiskHangsInStatus: while a sync is under way for longer than usual status says so,
// and counts as accepted only what was synced before; when it is done, all.
func TestDiskHangsInStatus(t *testing.T) {
	b := ballot(1, "p1")
	a := ready(State{})
	is := func(when string, accepted paxos.Instance, hangs paxos.Ticks) {
		t.Helper()
		a.Step("c", &paxos.StatusQuery{Nonce: 1})
		r := sent[*paxos.StatusReply](a.Flush())
		if len(r) != 1 || r[0].Highest != accepted || r[0].DiskHangs != hangs {
			t.Errorf("%s: %+v; want %d accepted, and a disk that hangs for %d", when, r, accepted, hangs)
		}
	}
	vote := func(i paxos.Instance) {
		a.Step("p1", &paxos.Accept{Ballot: b, Instance: i})
		if out := a.Flush(); !out.Sync {
			t.Fatal("an accept without a sync")
		}
	}
	is("at first", 0, 0)
	began := a.now
	vote(1)
	is("while it is synced", 0, 0)
	a.Step("a1", &paxos.Synced{Count: 1})
	is("synced", 1, 0)
	vote(2)
	a.Tick(began+600, 0)
	vote(3)
	is("not yet long", 1, 0)
	a.Tick(began+12_000, 0)
	is("hung", 1, 12_000)
	a.Step("a1", &paxos.Synced{Count: 2})
	is("the older one is done", 2, 11_400)
	a.Step("a1", &paxos.Synced{Count: 3})
	is("all are done", 3, 0)

	a = ready(State{Promised: b, Held: 4, Votes: map[paxos.Instance]paxos.Ballot{6: b}})
	is("after a start", 6, 0)
}

// TestCopyPagesInTurn: an acceptor that copies has several pages under way after the first, takes one that comes too
// early when those before it are here, and asks when its store has what came.
func TestCopyPagesInTurn(t *testing.T) {
	a := ready(State{Votes: map[paxos.Instance]paxos.Ballot{}})
	a.Step("a1", &paxos.PeerUp{ID: "a2", Role: paxos.RoleAcceptor})
	a.known = 500
	page := func(f *paxos.Fetch) *paxos.Page {
		m := &paxos.Page{Nonce: f.Nonce, From: f.From, Held: 500}
		for i := range paxos.Instance(16) {
			m.Values = append(m.Values, paxos.Vote{Instance: f.From + i, Ballot: ballot(1, "p1")})
		}
		return m
	}
	a.now += 200
	a.tickCopy()
	first := sent[*paxos.Fetch](a.Flush())[0]
	a.Step("a2", page(first))
	next := sent[*paxos.Fetch](a.Flush())
	if len(next) != 1 || next[0].From != 17 {
		t.Fatalf("after the first page it asks for %+v", next)
	}
	a.known = 510 // so fast does the log grow
	a.Step("a2", page(next[0]))
	out := a.Flush()
	more := sent[*paxos.Fetch](out)
	if now := sent[*paxos.Fetch](paxos.Output{SendNow: out.SendNow}); len(now) > 0 || len(more) < 3 || more[0].From != 33 || more[1].From != 49 {
		t.Fatalf("it asks for %+v, and for %+v before its store has the first page", more, now)
	}
	a.Step("a2", page(more[1]))
	if a.held != 32 {
		t.Fatalf("held %d", a.held)
	}
	if a.Step("a2", page(more[0])); a.held != 64 {
		t.Fatalf("held %d", a.held)
	}
}
