package transport

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// Two clusters of one name and of the same ids: what their processes know.
var (
	logA = incarnations{"a1": 0xa1, "a2": 0xa2, "a3": 0xa3}
	logB = incarnations{"a1": 0xb1, "a2": 0xb2, "a3": 0xb3}
)

// of is the configuration of a process that remembers known.
func of(known incarnations, role paxos.Role, id paxos.NodeID) Config {
	cfg := config(role, id)
	cfg.Incarnation = known[id]
	if role == acceptor || role == learner {
		cfg.Remembered = func(id paxos.NodeID) uint64 { return known[id] }
	}
	return cfg
}

func isOtherLog(err error) bool {
	var why *RefusedError
	return errors.As(err, &why) && why.Code == wire.RefusedLog
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		mine, theirs incarnations
		want         kinship
	}{
		{nil, nil, unproven},
		{logA, nil, unproven},
		{nil, logA, unproven},
		{logA, logA, sameLog},
		{logA, logB, otherLog},
		{logA, incarnations{"a2": 0xa2}, sameLog},
		{logA, incarnations{"a2": 0xb2}, otherLog},
		{logA, incarnations{"a1": 0xb1, "a2": 0xb2, "a3": 0xa3}, sameLog}, // two directories were initialised anew
		{incarnations{"a1": 0xa1}, incarnations{"a2": 0xb2}, unproven},
		{logA, incarnations{"x": 7}, unproven},
	} {
		if got := c.mine.compare(c.theirs); got != c.want {
			t.Errorf("%v and %v: %d, not %d", c.mine, c.theirs, got, c.want)
		}
		if got := c.theirs.compare(c.mine); got != c.want {
			t.Errorf("%v and %v, the other way: %d, not %d", c.theirs, c.mine, got, c.want)
		}
	}
}

// TestLearnerOfAnotherLog: a learner of A listens where that of B did. B's acceptors
// refuse it and are refused, stay up, and both sides say what both know.
func TestLearnerOfAnotherLog(t *testing.T) {
	l := listen(t, of(logA, learner, "l1"))
	b := start(t, of(logB, acceptor, "a2"), newRecorder())
	b.Dial(l.peer())
	e := b.await(t, 1, refused, "l1")
	if !isOtherLog(e.err) {
		t.Errorf("a2 is told %v", e.err)
	}
	for _, want := range []string{"00000000000000a3", "00000000000000b3", l.peer().Addr, "of another log"} {
		if !strings.Contains(e.err.Error(), want) {
			t.Errorf("a2 does not say %q: %v", want, e.err)
		}
	}
	e = l.await(t, 1, refused, "")
	for _, want := range []string{"acceptor \"a2\"", "00000000000000a3", "00000000000000b3", "of another log"} {
		if !strings.Contains(e.err.Error(), want) {
			t.Errorf("l1 does not say %q: %v", want, e.err)
		}
	}
	if len(b.of(up, ""))+len(l.of(up, "")) > 0 {
		t.Error("one let the other in")
	}
}

// TestAcceptorOfAnotherLog: a proposer whose file names an acceptor of A among those of B
// holds to B, whoever answers first, and so does one that restarts; A's is refused.
func TestAcceptorOfAnotherLog(t *testing.T) {
	a1, a2 := listen(t, of(logB, acceptor, "a1")), listen(t, of(logB, acceptor, "a2"))
	a3 := listen(t, of(logA, acceptor, "a3"))
	for _, order := range [][]*process{{a1, a2, a3}, {a3, a1, a2}} {
		p := start(t, config(proposer, "p1"), newRecorder())
		p.Dial(order[0].peer(), order[1].peer(), order[2].peer())
		p.await(t, 1, up, "a1")
		p.await(t, 1, up, "a2")
		if e := p.await(t, 1, refused, "a3"); !isOtherLog(e.err) {
			t.Errorf("of a3 is told %v", e.err)
		}
		if len(p.of(up, "a3")) > 0 {
			t.Error("a3 was let in")
		}
		if got := p.identity.known(); got.compare(logB) != sameLog || got["a3"] != 0xb3 {
			t.Errorf("p1 holds to %v", got)
		}
	}
}

// TestFirstMetIsHeldTo: a process that keeps nothing holds to the log that it met, also
// when nobody of it is left; and shows others which one that is.
func TestFirstMetIsHeldTo(t *testing.T) {
	c := start(t, config(client, ""), newRecorder())
	l1 := listen(t, of(logA, learner, "l1"))
	c.Dial(l1.peer())
	c.await(t, 1, up, "l1")
	within(t, "Close", l1.Close)
	c.await(t, 1, down, "l1")
	l2 := listen(t, of(logB, learner, "l2"))
	c.Dial(l2.peer())
	if e := c.await(t, 1, refused, "l2"); !isOtherLog(e.err) {
		t.Error(e.err)
	}
	if e := l2.await(t, 1, refused, ""); !strings.Contains(e.err.Error(), "client") || !strings.Contains(e.err.Error(), "00000000000000a1") {
		t.Error(e.err)
	}
	l3 := listen(t, of(logA, learner, "l3"))
	c.Dial(l3.peer())
	c.await(t, 1, up, "l3")
}

// TestAsk: a client that asks the acceptors of its file believes them, and not the learner
// that it reaches first.
func TestAsk(t *testing.T) {
	a1, a2 := listen(t, of(logB, acceptor, "a1")), listen(t, of(logB, acceptor, "a2"))
	l := listen(t, of(logA, learner, "l1"))
	c := start(t, config(client, ""), newRecorder())
	c.Ask(a1.peer(), a2.peer(), Peer{acceptor, "a3", "127.0.0.1:1"})
	c.Dial(l.peer())
	if e := c.await(t, 1, refused, "l1"); !isOtherLog(e.err) {
		t.Error(e.err)
	}
	if ups, told := len(c.of(up, "")), c.of(refused, "a3"); ups > 0 || len(told) > 0 {
		t.Errorf("%d are up, and of those asked is told %v", ups, told)
	}
}

// TestStrangerThatCameFirst: a proposer that knows nothing lets a client in, and cuts it
// off as soon as acceptors show that it is of another log.
func TestStrangerThatCameFirst(t *testing.T) {
	p := listen(t, config(proposer, "p1"))
	a1, a2 := listen(t, of(logB, acceptor, "a1")), listen(t, of(logB, acceptor, "a2"))
	h := hello(client, "", p)
	h.Version, h.Incarnation = wire.Version, 0
	r := dialRaw(t, p)
	r.bytes(append(append([]byte(preface), frame(t, h)...), frame(t, &wire.Offer{Oldest: 2, Known: logA.list()})...))
	p.await(t, 1, up, "@1")
	for _, want := range []string{"*wire.Agreed", "*wire.Welcome"} {
		if m := r.read(); fmt.Sprintf("%T", m) != want {
			t.Fatalf("%+v, not %s", m, want)
		}
	}
	p.Dial(a1.peer())
	p.Dial(a2.peer())
	if e := p.await(t, 1, down, "@1"); !isOtherLog(e.err) {
		t.Error(e.err)
	}
	if m, ok := r.read().(*wire.Refusal); !ok || m.Code != wire.RefusedLog {
		t.Errorf("the stranger is told %+v", m)
	}
	p.await(t, 1, up, "a1")
	if p.identity.known().compare(logA) != otherLog {
		t.Error("p1 holds to the stranger's log")
	}
}

// TestInitialisedAnew: an acceptor that shows nothing but another directory is let in by
// who remembers, so that its machine tells it, and by nobody else (hazards 11 and 29).
func TestInitialisedAnew(t *testing.T) {
	anew := candidate{role: acceptor, id: "a1", known: incarnations{"a1": 9}}
	known := candidate{role: acceptor, id: "a1", known: incarnations{"a1": 9, "a2": 0xb2}}
	l := start(t, of(logB, learner, "l1"), newRecorder())
	if k, _ := l.identity.judge(anew); k != unproven {
		t.Errorf("a learner that remembers takes it for %d", k)
	}
	if k, _ := l.identity.judge(known); k != sameLog {
		t.Errorf("one that knows the others is taken for %d", k)
	}
	if k, _ := l.identity.judge(candidate{role: acceptor, id: "a1", known: logA}); k != otherLog {
		t.Errorf("one of another log is taken for %d", k)
	}
	p := start(t, config(proposer, "p1"), newRecorder())
	if _, err := p.identity.admit(context.Background(), candidate{role: acceptor, id: "a2", known: logB}, "b"); err != nil {
		t.Fatal(err)
	}
	if k, _ := p.identity.judge(anew); k != otherLog {
		t.Errorf("a proposer takes it for %d", k)
	}
}

// TestImpostor: an acceptor that shows another directory does not take the place of the
// one that is remembered and connected, though it may come when that is gone.
func TestImpostor(t *testing.T) {
	l := listen(t, of(logB, learner, "l1"))
	real := start(t, of(logB, acceptor, "a1"), newRecorder())
	real.Dial(l.peer())
	l.await(t, 1, up, "a1")
	cfg := of(incarnations{"a1": 9}, acceptor, "a1")
	impostor := start(t, cfg, newRecorder())
	impostor.Dial(l.peer())
	e := impostor.await(t, 1, refused, "l1")
	var why *RefusedError
	if !errors.As(e.err, &why) || why.Code != wire.RefusedIncarnation || !strings.Contains(why.Text, "0000000000000009") {
		t.Errorf("it is told %v", e.err)
	}
	if len(l.of(down, "")) > 0 {
		t.Error("the one that is known was disturbed")
	}
	within(t, "Close", real.Close)
	impostor.await(t, 1, up, "l1")
	if e := l.await(t, 2, up, "a1"); e.incarnation != 9 {
		t.Errorf("its incarnation is told as %x", e.incarnation)
	}
}

// TestDoubt: an acceptor that knows nothing but itself takes from a peer that knows it
// otherwise the word that it must not vote, and nothing else.
func TestDoubt(t *testing.T) {
	for _, dials := range []bool{true, false} {
		a := listen(t, of(incarnations{"a1": 9}, acceptor, "a1"))
		b := listen(t, of(logA, acceptor, "a2"))
		if dials {
			a.Dial(b.peer())
		} else {
			b.Dial(a.peer())
		}
		a.await(t, 1, up, "a2")
		b.await(t, 1, up, "a1")
		b.Send("a1", &paxos.Vouch{Incarnation: 0xa2})
		b.Send("a1", &paxos.Page{Held: 7})
		b.Send("a1", &paxos.Vouched{Known: 0xa1})
		b.Send("a1", &paxos.Fetch{})
		b.Send("a1", &paxos.Vouched{Known: 0xa1})
		a.await(t, 2, got, "a2")
		for _, e := range a.of(got, "") {
			if _, ok := e.msg.(*paxos.Vouched); !ok {
				t.Errorf("%T was believed", e.msg)
			}
		}
	}
}

// TestLargest: of several logs, that of most acceptors counts, then that of most peers,
// then the first.
func TestLargest(t *testing.T) {
	a3, l1, p1 := candidate{role: acceptor, id: "a3", known: logA}, candidate{role: learner, id: "l1", known: logA}, candidate{role: proposer, id: "p1", known: logA}
	b1, b2 := candidate{role: acceptor, id: "a1", known: incarnations{"a1": 0xb1}}, candidate{role: acceptor, id: "a2", known: logB}
	bl := candidate{role: learner, id: "l2", known: logB}
	for i, c := range []struct {
		met  []candidate
		want incarnations
	}{
		{[]candidate{a3, b1, b2}, logB},
		{[]candidate{b1, a3, b2}, logB},
		{[]candidate{l1, p1, b2}, logB},
		{[]candidate{bl, l1, p1}, logA},
		{[]candidate{bl, l1}, logB},
		{[]candidate{l1, bl}, logA},
	} {
		id := newIdentity(config(client, ""))
		id.candidates = c.met
		if got := id.largest(); got.known.compare(c.want) != sameLog {
			t.Errorf("case %d: %v", i, got.known)
		}
	}
}

// TestStrangerBeforeALogIsKnown: who dials a process that does not know its log yet is let
// in when it does, or not at all. A learner copies what an acceptor says is chosen, and
// remembers its directory: it could take neither back.
func TestStrangerBeforeALogIsKnown(t *testing.T) {
	for _, role := range []paxos.Role{learner, proposer} {
		cfg := config(role, "x")
		cfg.Handshake = 100 * time.Millisecond
		if role == learner {
			cfg.Remembered = func(paxos.NodeID) uint64 { return 0 }
		}
		x := listen(t, cfg)
		stranger := start(t, of(logA, learner, "l9"), newRecorder())
		unknown := start(t, config(proposer, "p9"), newRecorder()) // it may turn out to be of either
		stranger.Dial(x.peer())
		unknown.Dial(x.peer())
		c := start(t, config(client, ""), newRecorder())
		c.Dial(x.peer())
		c.await(t, 1, up, "x") // who asks how it is hears that nothing is known yet
		stranger.await(t, 1, refused, "x")
		unknown.await(t, 1, refused, "x")
		a := listen(t, of(logB, acceptor, "a2"))
		x.Dial(a.peer())
		x.await(t, 1, up, "a2")
		for n := 1; ; n++ {
			if isOtherLog(stranger.await(t, n, refused, "x").err) {
				break
			}
		}
		unknown.await(t, 1, up, "x")
		x.await(t, 1, up, "p9")
		if n := len(x.of(up, "l9")); n > 0 {
			t.Errorf("a %s let the stranger in", role)
		}
	}
}

// TestNewLearnerBesideAWipedAcceptor: a learner that remembers nothing of an acceptor has
// nothing to tell one that was initialised anew. It would vouch for it, and keep the
// right one from voting once that is restored.
func TestNewLearnerBesideAWipedAcceptor(t *testing.T) {
	cfg := config(learner, "l2")
	cfg.Remembered = func(paxos.NodeID) uint64 { return 0 }
	l := listen(t, cfg)
	a2 := listen(t, of(logB, acceptor, "a2"))
	l.Dial(a2.peer())
	l.await(t, 1, up, "a2")
	wiped := listen(t, of(incarnations{"a1": 9}, acceptor, "a1"))
	wiped.Dial(l.peer())
	l.Dial(wiped.peer())
	if e := l.await(t, 1, refused, "a1"); !isOtherLog(e.err) {
		t.Errorf("l2 is told %v", e.err)
	}
	wiped.await(t, 1, refused, "l2")
	if n := len(l.of(up, "a1")); n > 0 {
		t.Error("it was let in")
	}
	real := start(t, of(logB, acceptor, "a1"), newRecorder())
	real.Dial(l.peer())
	if e := l.await(t, 1, up, "a1"); e.incarnation != logB["a1"] {
		t.Errorf("%x was let in", e.incarnation)
	}
}

// TestImpostorOnTheOtherConnection: of two acceptors under one id, the one that is
// remembered counts, whoever dialled, and in whatever order they come.
func TestImpostorOnTheOtherConnection(t *testing.T) {
	for _, dialsReal := range []bool{true, false} {
		for _, realFirst := range []bool{true, false} {
			t.Run(fmt.Sprintf("dials real %t, first %t", dialsReal, realFirst), func(t *testing.T) {
				l := listen(t, of(logB, learner, "l1"))
				real := listen(t, of(logB, acceptor, "a1"))
				impostor := listen(t, of(incarnations{"a1": 9}, acceptor, "a1"))
				dialled, dialler := real, impostor
				if !dialsReal {
					dialled, dialler = impostor, real
				}
				first, second := func() { l.Dial(dialled.peer()) }, func() { dialler.Dial(l.peer()) }
				if realFirst != dialsReal {
					first, second = second, first
				}
				first()
				l.await(t, 1, up, "a1")
				second()
				if realFirst {
					if dialsReal {
						impostor.await(t, 1, refused, "l1")
					} else {
						l.await(t, 1, refused, "a1")
					}
				} else {
					l.await(t, 2, up, "a1")
					impostor.await(t, 1, down, "l1")
				}
				ups := l.of(up, "a1")
				if last := ups[len(ups)-1].incarnation; last != logB["a1"] {
					t.Errorf("%x was let in last", last)
				}
				eventually(t, "the one that is remembered hears l1", func() bool {
					l.Send("a1", &paxos.Vouched{Known: 5})
					return len(real.of(got, "l1")) > 0
				})
				if n := len(impostor.of(got, "")); n > 0 {
					t.Error("the impostor hears what is meant for the one that is remembered")
				}
			})
		}
	}
}

// TestMostAreHeldTo: a proposer that met only an acceptor whose directory was initialised
// anew goes over to the log of the others as soon as they are most.
func TestMostAreHeldTo(t *testing.T) {
	p := start(t, config(proposer, "p1"), newRecorder())
	anew := listen(t, of(incarnations{"a1": 9}, acceptor, "a1"))
	p.Dial(anew.peer())
	p.await(t, 1, up, "a1")
	a2, a3 := listen(t, of(logB, acceptor, "a2")), listen(t, of(logB, acceptor, "a3"))
	p.Dial(a2.peer())
	if e := p.await(t, 1, refused, "a2"); !isOtherLog(e.err) {
		t.Errorf("while one knows this and one that: %v", e.err)
	}
	p.Dial(a3.peer())
	p.await(t, 1, up, "a3")
	p.await(t, 1, up, "a2")
	p.await(t, 1, down, "a1")
	if e := p.await(t, 1, refused, "a1"); !isOtherLog(e.err) {
		t.Error(e.err)
	}
	a4 := listen(t, of(logA, acceptor, "a2")) // and what most have shown stays
	p.Dial(a4.peer(), Peer{acceptor, "a3", a4.peer().Addr})
	for n := 1; !isOtherLog(p.await(t, n, refused, "a2").err) || n < 2; n++ {
	}
	if k := p.identity.known(); k.compare(logB) != sameLog {
		t.Errorf("p1 holds to %v", k)
	}
}
