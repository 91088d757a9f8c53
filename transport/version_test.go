package transport

import (
	"errors"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
	"github.com/paxlog/paxlog/wire"
)

// oldRefusal is how a process of version 2 answers a greeting of a later one.
var oldRefusal = &wire.Refusal{Code: wire.RefusedVersion, Text: "protocol version 2 here, 3 there"}

// readOld reads a frame as a process of version 2 does.
func (r *raw) readOld() any {
	r.t.Helper()
	for {
		m, err := wire.ReadFrom(r.r, 1<<26, 2)
		if err != nil {
			r.t.Fatal(err)
		}
		if _, ping := m.(*wire.Ping); !ping {
			return m
		}
	}
}

// TestOldListener: a listener of version 2 refuses the range, and is greeted at once as it
// expects. What it does not know is not sent to it. After each connection the range is
// offered again, since a newer process may run there then.
func TestOldListener(t *testing.T) {
	addr, conns := listenRaw(t)
	p := start(t, config(client, ""), newRecorder())
	p.Dial(Peer{learner, "l1", addr})
	for i := range 2 {
		r := next(t, conns)
		if h := r.heard(); h.Version != wire.Version || r.offer.Oldest != wire.Oldest {
			t.Errorf("it began with %+v, %+v", h, r.offer)
		}
		r.write(oldRefusal)
		_ = r.nc.Close()
		r = next(t, conns)
		if h := r.heard(); h.Version != 2 {
			t.Errorf("it came again with %+v", h)
		}
		r.write(&wire.Welcome{Role: learner, ID: "l1"})
		p.await(t, i+1, up, "l1")
		p.Send("l1", &paxos.Detach{})
		p.Send("l1", &paxos.Attach{Nonce: 1})
		if m, ok := r.readOld().(*paxos.Attach); !ok || m.Nonce != 1 {
			t.Errorf("%+v was sent to version 2", m)
		}
		if n := p.conn("l1").newer; n != 1 {
			t.Errorf("%d messages were too new", n)
		}
		_ = r.nc.Close()
		p.await(t, i+1, down, "l1")
	}
	if n := len(p.of(refused, "")); n > 0 {
		t.Errorf("a version that can be spoken was told %d times", n)
	}
}

// TestControlValuesOfOldVersion: what carries a control value is not sent to a process of version
// 2, which would pass over it (R10): alone, among other values, or in a promise.
func TestControlValuesOfOldVersion(t *testing.T) {
	addr, conns := listenRaw(t)
	p := start(t, config(acceptor, "a1"), newRecorder())
	p.Dial(Peer{learner, "l1", addr})
	r := next(t, conns)
	r.heard()
	r.write(oldRefusal)
	_ = r.nc.Close()
	r = next(t, conns)
	r.heard()
	r.write(&wire.Welcome{Role: learner, ID: "l1"})
	p.await(t, 1, up, "l1")
	command := paxos.Value{Batch: control.Batch(control.Raise{Level: 9})}
	for _, v := range []paxos.Value{command, {Batch: paxos.Fence(paxos.SessionID{1})}} {
		p.Send("l1", &paxos.Relay{Instance: 7, Value: v})
		p.Send("l1", &paxos.Page{Nonce: 1, Values: []paxos.Vote{{Instance: 6}, {Instance: 7, Value: v}}})
	}
	if m, ok := r.readOld().(*paxos.Relay); !ok || paxos.IsControl(m.Value.Batch) {
		t.Errorf("%+v was sent to version 2", m)
	}
	if m, ok := r.readOld().(*paxos.Page); !ok || paxos.IsControl(m.Values[1].Value.Batch) {
		t.Errorf("%+v was sent to version 2", m)
	}
	if n := p.conn("l1").newer; n != 2 {
		t.Errorf("%d messages were too new", n)
	}
}

// TestOldListenerThatRefuses: one that refuses the old greeting, too, is not asked twice
// each time.
func TestOldListenerThatRefuses(t *testing.T) {
	addr, conns := listenRaw(t)
	p := start(t, config(proposer, "p1"), newRecorder())
	p.Dial(Peer{acceptor, "a1", addr})
	for i, version := range []uint64{3, 2, 2, 2} {
		r := next(t, conns)
		if h := r.heard(); h.Version != version {
			t.Errorf("greeting %d is of version %d, not %d", i, h.Version, version)
		}
		if version == 3 {
			r.write(oldRefusal)
		} else {
			r.write(&wire.Refusal{Code: wire.RefusedCluster, Text: "the cluster files differ"})
		}
		_ = r.nc.Close()
	}
	var why *RefusedError
	if e := p.await(t, 1, refused, "a1"); !errors.As(e.err, &why) || why.Text != "the cluster files differ" {
		t.Error(e.err)
	}
}

// TestOldDialler: who greets in version 2 is served in it.
func TestOldDialler(t *testing.T) {
	l := listen(t, config(learner, "l1"))
	r := connect(t, l, client, "") // it says version 2
	l.await(t, 1, up, "@1")
	l.Send("@1", &paxos.Detached{})
	l.Send("@1", &paxos.Attached{Nonce: 1})
	if m, ok := r.readOld().(*paxos.Attached); !ok || m.Nonce != 1 {
		t.Errorf("%+v was sent to version 2", m)
	}
	r.bytes(frame(t, &paxos.Detach{}))
	if e := l.await(t, 1, down, "@1"); !errors.Is(e.err, wire.ErrFrame) || !strings.Contains(e.err.Error(), "newer than version 2") {
		t.Error(e.err)
	}
}

// TestNewerDialler: of two ranges the highest version in both is taken; what a later
// version says beside it is passed over.
func TestNewerDialler(t *testing.T) {
	l := listen(t, config(learner, "l1"))
	greet := func(version, oldest uint64) any {
		r := dialRaw(t, l)
		h := hello(client, "", l)
		h.Version = version
		r.bytes(append(append([]byte(preface), frame(t, h)...), frame(t, &wire.Offer{Oldest: oldest, Later: []string{"level 7", ""}})...))
		return r.read()
	}
	for _, c := range []struct{ version, oldest, want uint64 }{{3, 2, 3}, {9, 2, 3}, {9, 3, 3}, {1 << 63, 0, 3}} {
		if m, ok := greet(c.version, c.oldest).(*wire.Agreed); !ok || m.Version != c.want {
			t.Errorf("%d to %d is answered %+v", c.oldest, c.version, m)
		}
	}
	m, ok := greet(9, 4).(*wire.Refusal)
	if !ok || m.Code != wire.RefusedVersion || m.Text != "versions 2 to 3 of the protocol are spoken here, 4 to 9 there" {
		t.Errorf("4 to 9 is answered %+v", m)
	}
}

// TestNewVersion: two processes of this version speak it.
func TestNewVersion(t *testing.T) {
	l := listen(t, config(learner, "l1"))
	p := start(t, config(client, ""), newRecorder())
	p.Dial(l.peer())
	p.await(t, 1, up, "l1")
	p.Send("l1", &paxos.Detach{})
	l.await(t, 1, got, "@1")
	l.Send("@1", &paxos.Detached{})
	p.await(t, 1, got, "l1")
}

// TestStrangersAreToldACode: a process that is not known to be of this log learns that it
// is refused and for what kind of reason; one that is known is told all.
func TestStrangersAreToldACode(t *testing.T) {
	cfg := config(acceptor, "a1")
	cfg.Remembered = func(id paxos.NodeID) uint64 { return map[paxos.NodeID]uint64{"a2": 9}[id] }
	a := listen(t, cfg)
	for _, known := range [][]wire.Known{nil, {{ID: "a2", Incarnation: 9}}} {
		h := hello(proposer, "p1", a)
		h.Version, h.Members.Phase1 = wire.Version, 3
		r := dialRaw(t, a)
		r.bytes(append(append([]byte(preface), frame(t, h)...), frame(t, &wire.Offer{Oldest: 2, Known: known})...))
		m, ok := r.read().(*wire.Refusal)
		if !ok || m.Code != wire.RefusedQuorums || (m.Text != "") != (known != nil) {
			t.Errorf("who knows %v is answered %+v", known, m)
		}
	}
	for i, want := range []wire.RefusalCode{wire.RefusedAcceptors, wire.RefusedSessions, wire.RefusedCluster, wire.RefusedIdentity} {
		h := hello(proposer, "p1", a)
		h.Version = wire.Version
		[]func(){
			func() { h.Members.Acceptors = []paxos.NodeID{"a1"} }, func() { h.Members.Sessions++ },
			func() { h.Members.Cluster = "other" }, func() { h.ToID = "a3" },
		}[i]()
		r := dialRaw(t, a)
		r.bytes(append(append([]byte(preface), frame(t, h)...), frame(t, &wire.Offer{Oldest: 2})...))
		m, ok := r.read().(*wire.Refusal)
		if !ok || m.Code != want || m.Text != "" {
			t.Errorf("code %d was to be told: %+v", want, m)
		}
		if text := meaning(want, a.peer(), config(proposer, "p1")); strings.Contains(text, "with code") {
			t.Errorf("code %d has no meaning of its own", want)
		}
	}
}
