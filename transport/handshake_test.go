package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

func TestWelcome(t *testing.T) {
	a := listen(t, config(acceptor, "a1"))
	p := start(t, config(proposer, "p1"), newRecorder())
	p.Dial(a.peer())
	if e := p.await(t, 1, up, "a1"); e.role != acceptor {
		t.Errorf("a1 is a %s", e.role)
	}
	if e := a.await(t, 1, up, "p1"); e.role != proposer || e.principal != "" {
		t.Errorf("p1 is a %s, and the principal %q", e.role, e.principal)
	}
	p.Send("a1", &paxos.Query{Nonce: 1})
	if m := a.await(t, 1, got, "p1").msg.(*paxos.Query); m.Nonce != 1 {
		t.Errorf("%+v", m)
	}
	a.Send("p1", &paxos.QueryReply{Nonce: 1})
	p.await(t, 1, got, "a1")
	p.Send("a2", &paxos.Query{}) // there is no a2: dropped
}

// TestClientNames: clients are named by the listener, whatever they say, and nobody in
// particular.
func TestClientNames(t *testing.T) {
	a := listen(t, config(acceptor, "a1"))
	for i, claim := range []paxos.NodeID{"", "a2", "@1"} {
		r := connect(t, a, client, claim)
		id := paxos.NodeID(fmt.Sprintf("@%d", i+1))
		if e := a.await(t, 1, up, id); e.principal != paxos.Anonymous {
			t.Errorf("a client that proves nothing is %q", e.principal)
		}
		r.write(&paxos.StatusQuery{Nonce: 5})
		a.await(t, 1, got, id)
		a.Send(id, &paxos.StatusReply{Nonce: 5})
		if m := r.readAs(wire.Oldest).(*paxos.StatusReply); m.Nonce != 5 {
			t.Errorf("%+v", m)
		}
	}
}

// TestRefusals: each is told to a dialler of version 2 in words, and kept from the handler
// as a peer (hazards 25 and 28).
func TestRefusals(t *testing.T) {
	a := listen(t, config(acceptor, "a1"))
	for i, c := range []struct {
		role   paxos.Role
		id     paxos.NodeID
		change func(*wire.Hello)
		code   wire.RefusalCode
		text   string
	}{
		{client, "", func(h *wire.Hello) { h.Version = 0 }, wire.RefusedVersion, "versions 2 to 3 of the protocol are spoken here, 0 to 0 there"},
		{proposer, "p1", func(h *wire.Hello) { h.Members.Cluster = "other" }, wire.RefusedCluster, `this is cluster "test", not "other"`},
		{client, "", func(h *wire.Hello) { h.Members.Cluster = "" }, wire.RefusedCluster, `this is cluster "test", not ""`},
		{acceptor, "a2", func(h *wire.Hello) { h.Members.Acceptors[2] = "a4" }, wire.RefusedCluster, "the cluster files of a1 (here) and a2 (there) differ: acceptors [a1 a2 a3] here, [a1 a2 a4] there"},
		{learner, "l1", func(h *wire.Hello) { h.Members.Acceptors = nil }, wire.RefusedCluster, "the cluster files of a1 (here) and l1 (there) differ: acceptors [a1 a2 a3] here, [] there"},
		{proposer, "p1", func(h *wire.Hello) { h.Members.Phase1 = 3 }, wire.RefusedCluster, "the cluster files of a1 (here) and p1 (there) differ: quorums phase1=2 phase2=2 here, phase1=3 phase2=2 there"},
		{proposer, "p1", func(h *wire.Hello) { h.Members.Phase2 = 1 }, wire.RefusedCluster, "the cluster files of a1 (here) and p1 (there) differ: quorums phase1=2 phase2=2 here, phase1=2 phase2=1 there"},
		{learner, "l1", func(h *wire.Hello) { h.Members.Sessions = 11 }, wire.RefusedCluster, "the cluster files of a1 (here) and l1 (there) differ: limits.sessions 10 here, 11 there"},
		{proposer, "p1", func(h *wire.Hello) { h.ToID = "a2" }, wire.RefusedIdentity, "this is acceptor a1, not acceptor a2"},
		{client, "", func(h *wire.Hello) { h.ToRole, h.ToID = learner, "l1" }, wire.RefusedIdentity, "this is acceptor a1, not learner l1"},
		{proposer, "p1", func(h *wire.Hello) { h.ToRole = 0 }, wire.RefusedIdentity, "this is acceptor a1, not unknown role a1"},
		{acceptor, "a4", nil, wire.RefusedIdentity, `acceptor "a4" does not belong to this cluster`},
		{acceptor, "", nil, wire.RefusedIdentity, `acceptor "" does not belong to this cluster`},
		{proposer, "", nil, wire.RefusedIdentity, `proposer "" does not belong to this cluster`},
		{proposer, "a2", nil, wire.RefusedIdentity, `proposer "a2" does not belong to this cluster`},
		{learner, "a3", nil, wire.RefusedIdentity, `learner "a3" does not belong to this cluster`},
		{proposer, "@1", nil, wire.RefusedIdentity, `proposer "@1" does not belong to this cluster`},
		{0, "p1", nil, wire.RefusedIdentity, `unknown role "p1" does not belong to this cluster`},
		{5, "p1", nil, wire.RefusedIdentity, `unknown role "p1" does not belong to this cluster`},
		{255, "p1", nil, wire.RefusedIdentity, `unknown role "p1" does not belong to this cluster`},
	} {
		h := hello(c.role, c.id, a)
		if c.change != nil {
			c.change(h)
		}
		r := dialRaw(t, a)
		answer, ok := r.greet(h).(*wire.Refusal)
		if !ok || answer.Code != c.code || answer.Text != c.text {
			t.Errorf("%+v was answered %+v\nwant %d %q", h, answer, c.code, c.text)
		}
		if rest := r.ended(); len(rest) > 0 {
			t.Errorf("%q followed a refusal", rest)
		}
		if e := a.await(t, i+1, refused, ""); e.addr == "" || !strings.HasSuffix(e.err.Error(), c.text) {
			t.Errorf("the listener was told %q about %q", e.err, e.addr)
		}
	}
	if n := len(a.of(up, "")); n > 0 {
		t.Errorf("%d of those refused are peers", n)
	}
	connect(t, a, acceptor, "a2")
	connect(t, a, client, "")
}

// TestRefusalIsTold: the process that dials learns why it is refused, and goes
// on trying.
func TestRefusalIsTold(t *testing.T) {
	a := listen(t, config(acceptor, "a1"))
	cfg := config(proposer, "p1")
	cfg.Members.Phase1, cfg.Members.Phase2 = 3, 1
	p := start(t, cfg, newRecorder())
	p.Dial(a.peer())
	e := p.await(t, 2, refused, "a1")
	var why *RefusedError
	want := "the cluster file there has other quorums than phase1=3 phase2=1, as the file here has; its log says which"
	if !errors.As(e.err, &why) || why.Code != wire.RefusedQuorums || why.Text != want || why.Addr != a.peer().Addr || e.addr != why.Addr {
		t.Errorf("told: %v", e.err)
	}
	if len(p.of(up, "")) > 0 {
		t.Error("a peer that refuses is up")
	}
	want = "the cluster files of a1 (here) and p1 (there) differ: quorums phase1=2 phase2=2 here, phase1=3 phase2=1 there"
	if e := a.await(t, 1, refused, ""); !strings.HasSuffix(e.err.Error(), want) {
		t.Errorf("the listener was told %v", e.err)
	}
}

// TestTooManyConnections: the last places are for servers: half, where there are few.
func TestTooManyConnections(t *testing.T) {
	cfg := config(acceptor, "a1")
	const servers = 2
	cfg.Connections = servers + 2
	a := listen(t, cfg)
	settled := func(n int) {
		eventually(t, fmt.Sprint(n, " connections are counted"), func() bool {
			a.Network.mu.Lock()
			defer a.Network.mu.Unlock()
			return a.accepted == n
		})
	}
	full := func(role paxos.Role, id paxos.NodeID, open int) {
		t.Helper()
		r := dialRaw(t, a)
		answer, ok := r.greet(hello(role, id, a)).(*wire.Refusal)
		if want := fmt.Sprintf("%d connections are open already", open); !ok || answer.Code != wire.RefusedFull || answer.Text != want {
			t.Errorf("connection %d was answered %+v", open+1, answer)
		}
		r.ended()
		settled(open)
	}
	first := connect(t, a, client, "")
	connect(t, a, client, "")
	full(client, "", 2)
	for i := range servers {
		connect(t, a, proposer, paxos.NodeID(fmt.Sprint("p", i)))
	}
	full(acceptor, "a2", servers+2)
	_ = first.nc.Close()
	settled(servers + 1)
	connect(t, a, acceptor, "a2")
}

// TestGarbageOnThePort: strangers are closed, told about, and hurt nobody.
func TestGarbageOnThePort(t *testing.T) {
	a := listen(t, config(acceptor, "a1"))
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 4096)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	greeting := frame(t, hello(proposer, "p1", a))
	spoilt := bytes.Clone(greeting)
	spoilt[len(spoilt)-1] ^= 1
	large := binary.BigEndian.AppendUint32([]byte(preface), helloBytes+1)
	for i, c := range []struct {
		sent []byte
		want string
	}{
		{[]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), `"GET / HT" is no greeting of paxlog`},
		{[]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), "it begins with TLS, which this process does not speak"},
		{noise, "is no greeting of paxlog"},
		{[]byte("paxlog/2" + string(greeting)), `"paxlog/2" is no greeting of paxlog`},
		{greeting, "is no greeting of paxlog"},
		{append([]byte(preface), noise...), "invalid frame"},
		{append([]byte(preface), spoilt...), "checksum"},
		{append(large, make([]byte, 4)...), "the limit is 65536"},
		{append([]byte(preface), frame(t, &paxos.Prepare{})...), "*paxos.Prepare where a greeting should be"},
		{append([]byte(preface), frame(t, &wire.Ping{})...), "*wire.Ping where a greeting should be"},
		{append([]byte(preface), frame(t, &wire.Welcome{})...), "*wire.Welcome where a greeting should be"},
	} {
		s := dialRaw(t, a)
		s.bytes(c.sent)
		if b := s.ended(); len(b) > 0 {
			t.Errorf("%.20q was answered %q", c.sent, b)
		}
		if e := a.await(t, i+1, refused, ""); !errors.Is(e.err, wire.ErrFrame) || !strings.Contains(e.err.Error(), c.want) {
			t.Errorf("%.20q: told %v, want ErrFrame with %q", c.sent, e.err, c.want)
		}
	}
	connect(t, a, proposer, "p1")
	a.await(t, 1, up, "p1")
}

// TestSilentGreetings: who does not say who it is has the handshake's time, no more.
func TestSilentGreetings(t *testing.T) {
	cfg := config(acceptor, "a1")
	cfg.Handshake = 50 * time.Millisecond
	a := listen(t, cfg)
	greeting := append([]byte(preface), frame(t, hello(proposer, "p1", a))...)
	for i, n := range []int{0, 3, len(preface), len(preface) + 5, len(greeting) / 2, len(greeting) - 1} {
		r := dialRaw(t, a)
		r.bytes(greeting[:n])
		if b := r.ended(); len(b) > 0 {
			t.Errorf("%q was answered %q", greeting[:n], b)
		}
		if e := a.await(t, i+1, refused, ""); !errors.Is(e.err, os.ErrDeadlineExceeded) {
			t.Errorf("after %d bytes: %v", n, e.err)
		}
	}
	// Nor does it help to send a little now and then.
	r := dialRaw(t, a)
	drip(r, greeting[:len(greeting)-1], 5*time.Millisecond)
	r.ended()
	if e := a.await(t, 7, refused, ""); !errors.Is(e.err, os.ErrDeadlineExceeded) {
		t.Error(e.err)
	}
}

// drip writes a byte of b in each interval until the connection ends, then stays silent.
func drip(r *raw, b []byte, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for i := range b {
		<-tick.C
		if _, err := r.nc.Write(b[i : i+1]); err != nil {
			return
		}
	}
}

// TestStrangeListeners: what answers a dialler must be what it meant.
func TestStrangeListeners(t *testing.T) {
	agreed := frame(t, &wire.Agreed{Version: wire.Version})
	agreed = agreed[:len(agreed):len(agreed)]
	for name, c := range map[string]struct {
		answer []byte
		want   string
		is     error
	}{
		"HTTP":             {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), "did not answer as a paxlog process", wire.ErrFrame},
		"nothing":          {nil, "did not answer as a paxlog process", nil},
		"another message":  {frame(t, &paxos.Leader{}), "*paxos.Leader in answer to a greeting", wire.ErrFrame},
		"another acceptor": {append(agreed, frame(t, &wire.Welcome{Role: acceptor, ID: "a2"})...), "acceptor a2 answers there, not acceptor a1", nil},
		"another role":     {append(agreed, frame(t, &wire.Welcome{Role: learner, ID: "a1"})...), "learner a1 answers there, not acceptor a1", nil},
		"no version":       {frame(t, &wire.Welcome{Role: acceptor, ID: "a1"}), "a welcome before a version is agreed on", wire.ErrFrame},
		"another version":  {frame(t, &wire.Agreed{Version: wire.Version + 1}), "version 4 is agreed on, which was not offered", wire.ErrFrame},
		"version 1":        {frame(t, &wire.Agreed{Version: 1}), "version 1 is agreed on, which was not offered", wire.ErrFrame},
		"two versions":     {append(agreed, agreed...), "version 3 is agreed on, which was not offered", wire.ErrFrame},
		"half an answer":   {frame(t, &wire.Welcome{Role: acceptor, ID: "a1"})[:9], "inside a frame", wire.ErrFrame},
	} {
		t.Run(name, func(t *testing.T) {
			addr, conns := listenRaw(t)
			p := start(t, config(proposer, "p1"), newRecorder())
			p.Dial(Peer{acceptor, "a1", addr})
			r := next(t, conns)
			if h := r.heard(); h.ID != "p1" || h.Role != proposer || h.ToID != "a1" || h.ToRole != acceptor || h.Incarnation != 7 || members().Difference(h.Members) != "" {
				t.Errorf("the greeting is %+v", h)
			}
			r.bytes(c.answer)
			_ = r.nc.Close()
			e := p.await(t, 1, refused, "a1")
			if !strings.Contains(e.err.Error(), c.want) || (c.is != nil && !errors.Is(e.err, c.is)) {
				t.Errorf("told %v", e.err)
			}
			if len(p.of(up, "")) > 0 {
				t.Error("it is up")
			}
		})
	}
}

func TestSilentListener(t *testing.T) {
	addr, conns := listenRaw(t)
	cfg := config(proposer, "p1")
	cfg.Handshake = 50 * time.Millisecond
	p := start(t, cfg, newRecorder())
	p.Dial(Peer{acceptor, "a1", addr})
	next(t, conns)
	if e := p.await(t, 1, refused, "a1"); !errors.Is(e.err, os.ErrDeadlineExceeded) {
		t.Error(e.err)
	}
	next(t, conns) // it tries again
}

func TestListenOnATakenPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := start(t, config(acceptor, "a1"), newRecorder())
	if p.Addr() != nil {
		t.Error("an address before Listen")
	}
	if err := p.Listen(ln.Addr().String()); err == nil {
		t.Error("two listen on one port")
	}
}

// TestImpostors: a server does not get in under the name of one of another role, nor under that of
// the process that it dials, and so takes nobody's place.
func TestImpostors(t *testing.T) {
	cfg := config(acceptor, "a1")
	cfg.Named = func(id paxos.NodeID) paxos.Role {
		return map[paxos.NodeID]paxos.Role{"a1": acceptor, "a2": acceptor, "p1": proposer, "l1": learner}[id]
	}
	a := listen(t, cfg)
	p1 := connect(t, a, proposer, "p1")
	a.await(t, 1, up, "p1") // until then nothing is sent to it
	for id, role := range map[paxos.NodeID]paxos.Role{"p1": learner, "l1": proposer, "a1": acceptor} {
		r := dialRaw(t, a)
		if m, ok := r.greet(hello(role, id, a)).(*wire.Refusal); !ok || m.Code != wire.RefusedIdentity {
			t.Errorf("%s %s was answered %+v", role, id, m)
		}
		r.ended()
	}
	connect(t, a, proposer, "p9") // a file that is newer may name it
	a.Send("p1", &paxos.QueryReply{Nonce: 7})
	if m, ok := p1.read().(*paxos.QueryReply); !ok || m.Nonce != 7 {
		t.Errorf("the proposer was sent %+v", m)
	}
	if n := len(a.of(down, "p1")); n != 0 {
		t.Errorf("the proposer lost its place %d times", n)
	}
}
