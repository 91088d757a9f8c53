package transport

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// ofLog is a process that knows to be of a log.
func ofLog(cfg Config, log byte) Config {
	cfg.Log = func() paxos.LogID { return paxos.LogID{log} }
	return cfg
}

// TestAnotherLogID: processes that know different logs refuse each other, although they know
// the acceptors alike (R1); each names both logs. One that knows none is let in.
func TestAnotherLogID(t *testing.T) {
	l1 := listen(t, ofLog(of(logA, learner, "l1"), 1))
	for name, c := range map[string]struct {
		cfg Config
		in  bool
	}{
		"another log": {ofLog(of(logA, acceptor, "a1"), 2), false},
		"this log":    {ofLog(of(logA, acceptor, "a2"), 1), true},
		"none yet":    {of(logA, acceptor, "a3"), true},
	} {
		p := start(t, c.cfg, newRecorder())
		p.Dial(l1.peer())
		if c.in {
			p.await(t, 1, up, "l1")
			continue
		}
		here, there := p.await(t, 1, refused, "l1"), l1.await(t, 1, refused, "")
		for _, e := range []error{here.err, there.err} {
			if !strings.Contains(e.Error(), paxos.LogID{1}.String()) || !strings.Contains(e.Error(), paxos.LogID{2}.String()) {
				t.Errorf("%s: told %v", name, e)
			}
		}
		var refusal *RefusedError
		if !errors.As(here.err, &refusal) || refusal.Code != wire.RefusedLog || len(p.of(up, "l1")) > 0 {
			t.Errorf("%s: %v", name, here.err)
		}
	}
}

// TestOldVersionOfBegunLog: a process that speaks the oldest version only cannot take part in
// a log that has an id, and is told so in words; in a log without one it can.
func TestOldVersionOfBegunLog(t *testing.T) {
	a := listen(t, ofLog(config(acceptor, "a1"), 1))
	r := dialRaw(t, a)
	h := hello(proposer, "p1", a)
	h.Version = wire.Oldest
	if m, ok := r.greet(h).(*wire.Refusal); !ok || m.Code != wire.RefusedVersion || !strings.Contains(m.Text, "was begun by a newer release") {
		t.Errorf("it was answered %+v", m)
	}
	connect(t, listen(t, config(acceptor, "a1")), proposer, "p1")
}

// TestWipedMajority: two of three acceptors are initialised anew at once. A proposer or a
// client that starts then waits for the third, which shows the id of the log that there is,
// and holds to that: most acceptors would have it begin another log.
func TestWipedMajority(t *testing.T) {
	a1, a2 := candidate{role: acceptor, id: "a1", known: incarnations{"a1": 9}}, candidate{role: acceptor, id: "a2", known: incarnations{"a2": 8}}
	a3, l1 := candidate{role: acceptor, id: "a3", known: logA, log: paxos.LogID{1}}, candidate{role: learner, id: "l1", known: logA, log: paxos.LogID{1}}
	for name, c := range map[string]struct {
		role paxos.Role
		met  []candidate
	}{
		"a proposer": {proposer, []candidate{a1, a2, a3}}, "a proposer, in another order": {proposer, []candidate{a3, a1, a2}},
		"a client": {client, []candidate{a1, a2, a3, l1}}, "a client, without a3": {client, []candidate{a1, a2, l1}},
	} {
		i := newIdentity(config(c.role, "x"))
		for _, m := range c.met {
			i.dials(Peer{Role: m.role, ID: m.id})
		}
		for _, m := range c.met {
			i.heard(m)
		}
		i.close()
		select {
		case <-i.settled:
		default:
			t.Fatalf("%s has heard of all, and is undecided", name)
		}
		if i.log() != (paxos.LogID{1}) || i.known()["a1"] != logA["a1"] {
			t.Errorf("%s holds to log %q and %v", name, i.log(), i.known())
		}
		for _, m := range []candidate{a1, a2} {
			if k, _ := i.judge(m); k != otherLog {
				t.Errorf("%s takes %s for %d", name, m.id, k)
			}
		}
	}
}

// TestIDsOfStrangers: at the address of a learner of a log without an id answers that of
// another log. Acceptors that know one another are believed before its id.
func TestIDsOfStrangers(t *testing.T) {
	stranger := candidate{role: learner, id: "l1", known: logA, log: paxos.LogID{1}}
	i := newIdentity(config(client, ""))
	i.candidates = []candidate{stranger, {role: acceptor, id: "a1", known: logB}, {role: acceptor, id: "a2", known: logB}}
	if got := i.largest(); !got.id.IsZero() || got.known.compare(logB) != sameLog {
		t.Errorf("%+v is believed", got)
	}
}

// TestHeldToByID: a process that keeps nothing holds to the id that it met, also when the
// acceptors that it knows are gone and others under their ids answer.
func TestHeldToByID(t *testing.T) {
	l1 := listen(t, ofLog(of(logA, learner, "l1"), 1))
	c := start(t, config(client, ""), newRecorder())
	c.Dial(l1.peer())
	c.await(t, 1, up, "l1")
	within(t, "Close", l1.Close)
	c.await(t, 1, down, "l1")
	anew := listen(t, ofLog(of(logA, learner, "l2"), 2)) // with the same acceptors, as far as it says
	c.Dial(anew.peer())
	var refusal *RefusedError
	if e := c.await(t, 1, refused, "l2"); !errors.As(e.err, &refusal) || refusal.Code != wire.RefusedLog || refusal.Log != (paxos.LogID{2}) {
		t.Errorf("it is told %v", e.err)
	}
}

// TestLogLearnedWhileConnected: who is connected when a log begins is told which one it is,
// holds to it, and is cut off if it turns out to be of another one.
func TestLogLearnedWhileConnected(t *testing.T) {
	var begun atomic.Bool
	late := func(cfg Config, log byte) Config {
		cfg.Log = func() (id paxos.LogID) {
			if begun.Load() {
				id[0] = log
			}
			return id
		}
		return cfg
	}
	a1 := listen(t, late(of(logA, acceptor, "a1"), 1))
	mine, other := start(t, config(client, ""), newRecorder()), start(t, late(of(logA, learner, "l9"), 2), newRecorder())
	mine.Dial(a1.peer())
	mine.await(t, 1, up, "a1")
	other.Dial(a1.peer())
	other.await(t, 1, up, "a1")
	begun.Store(true)
	a1.LogKnown()
	other.await(t, 1, down, "a1")
	eventually(t, "the client knows the log", func() bool { return mine.identity.log() == paxos.LogID{1} })
	if n := len(mine.of(down, "")); n > 0 {
		t.Error("the client was cut off")
	}
}

// TestLogIsToldBeforeAnswers: whoever is answered after a log is known knows which one the
// answer is of.
func TestLogIsToldBeforeAnswers(t *testing.T) {
	var begun atomic.Bool
	cfg := of(logA, learner, "l1")
	cfg.Log = func() (id paxos.LogID) {
		if begun.Load() {
			id[0] = 1
		}
		return id
	}
	l1 := listen(t, cfg)
	r, known := newRecorder(), make(chan paxos.LogID, 1)
	mine := start(t, config(client, ""), r)
	r.hook = func(e event) {
		if e.what == got {
			known <- mine.identity.log()
		}
	}
	mine.Dial(l1.peer())
	mine.await(t, 1, up, "l1")
	answered := l1.await(t, 1, up, "").id
	begun.Store(true)
	l1.LogKnown()
	l1.Send(answered, &paxos.Located{Nonce: 1})
	if log := <-known; log != (paxos.LogID{1}) {
		t.Errorf("answered while the log is %v here", log)
	}
}

// TestPinnedLog: a client that was told which log to use lets in nobody else.
func TestPinnedLog(t *testing.T) {
	for log, sees := range map[byte]string{1: "", 2: paxos.LogID{2}.String(), 0: "it knows no log by an id"} {
		cfg := config(client, "")
		cfg.Pinned = paxos.LogID{1}
		c := start(t, cfg, newRecorder())
		l := listen(t, ofLog(of(logA, learner, "l1"), log))
		c.Dial(l.peer())
		if sees == "" {
			c.await(t, 1, up, "l1")
			continue
		}
		for _, want := range []string{sees, cfg.Pinned.String()} {
			if e := c.await(t, 1, refused, "l1"); !strings.Contains(e.err.Error(), want) {
				t.Errorf("of log %d: %v", log, e.err)
			}
		}
	}
}
