package transport

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// TestIdleIsAgreed: a connection is kept alive as often as the end needs that gives it up sooner,
// whoever has dialled.
func TestIdleIsAgreed(t *testing.T) {
	cfg := config(acceptor, "a1")
	cfg.Idle = time.Hour // a ping of its own comes after half of that
	l := listen(t, cfg)
	accepted := dialRaw(t, l)
	h := hello(proposer, "p1", l)
	h.Version = wire.Version
	accepted.bytes(append(append([]byte(preface), frame(t, h)...), frame(t, &wire.Offer{Oldest: wire.Oldest, Later: []string{"timeouts.idle_ms=200"}})...))
	accepted.read() // Agreed
	accepted.read() // Welcome
	accepted.pings(3)

	addr, conns := listenRaw(t)
	l.Dial(Peer{acceptor, "a2", addr})
	dialled := next(t, conns)
	dialled.heard()
	if !strings.Contains(strings.Join(dialled.offer.Later, " "), "timeouts.idle_ms=3600000") {
		t.Errorf("it offers %q", dialled.offer.Later)
	}
	dialled.write(&wire.Agreed{Version: wire.Version, Later: []string{"timeouts.idle_ms=1"}})
	dialled.write(&wire.Welcome{Role: acceptor, ID: "a2", Incarnation: 7})
	dialled.pings(3)
}

// pings reads so many pings.
func (r *raw) pings(n int) {
	r.t.Helper()
	for range n {
		if m, err := wire.ReadFrom(r.r, 1<<20, wire.Version); err != nil {
			r.t.Fatal(err)
		} else if _, is := m.(*wire.Ping); !is {
			r.t.Fatalf("%+v", m)
		}
	}
}

// TestTerms: two servers whose limits differ are told so, both, and go on; a client is not asked, nor
// is somebody believed who says what no limit is.
func TestTerms(t *testing.T) {
	type told struct {
		id   paxos.NodeID
		what string
	}
	of := func(role paxos.Role, id paxos.NodeID, entry uint64) (Config, chan told) {
		cfg, got := config(role, id), make(chan told, 10)
		cfg.Terms = []Term{{"limits.entry_bytes", entry}, {"limits.batch_bytes", 7}}
		cfg.Differs = func(id paxos.NodeID, what string) { got <- told{id, what} }
		return cfg, got
	}
	hear := func(got chan told) (told, error) {
		select {
		case x := <-got:
			return x, nil
		case <-time.After(patience):
			return told{}, errors.New("nothing is told")
		}
	}
	acfg, atA := of(acceptor, "a1", 1000)
	pcfg, atP := of(proposer, "p1", 2000)
	a, p := listen(t, acfg), start(t, pcfg, newRecorder())
	p.Dial(a.peer())
	p.await(t, 1, up, "a1")
	a.await(t, 1, up, "p1")
	if x, err := hear(atA); err != nil || x != (told{"p1", "limits.entry_bytes 1000 here, 2000 there"}) {
		t.Errorf("the acceptor is told %+v, %v", x, err)
	}
	if x, err := hear(atP); err != nil || x != (told{"a1", "limits.entry_bytes 2000 here, 1000 there"}) {
		t.Errorf("the proposer is told %+v, %v", x, err)
	}

	for _, later := range [][]string{nil, {"", "=", "limits.entry_bytes", "limits.entry_bytes=", "limits.entry_bytes=-5", "limits.entry_bytes=99999999999999999999"}, {"limits.entry_bytes=1000", "limits.else=5"}} {
		r := dialRaw(t, a)
		h := hello(proposer, "p2", a)
		h.Version = wire.Version
		r.bytes(append(append([]byte(preface), frame(t, h)...), frame(t, &wire.Offer{Oldest: wire.Oldest, Later: later})...))
		r.read() // Agreed
		r.read() // Welcome
	}
	c := dialRaw(t, a)
	h := hello(client, "", a)
	h.Version = wire.Version
	c.bytes(append(append([]byte(preface), frame(t, h)...), frame(t, &wire.Offer{Oldest: wire.Oldest, Later: []string{"limits.entry_bytes=5"}})...))
	c.read() // Agreed
	c.read() // Welcome
	a.await(t, 1, up, "@1")
	select {
	case x := <-atA:
		t.Errorf("it is told of %+v", x)
	default:
	}
}
