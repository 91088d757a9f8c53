package transport

import (
	"errors"
	"strings"
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
