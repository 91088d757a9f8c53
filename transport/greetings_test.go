package transport

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// closing is a connection that says whether it was closed.
type closing struct {
	net.Conn
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

// TestPlacesAreKept: a place is taken from whoever has been silent for longest, and only if that was
// long enough; until then the one that comes waits. Who is heard to be a process goes last.
func TestPlacesAreKept(t *testing.T) {
	const least = 100 * time.Millisecond
	g := greetings{most: 2, least: least}
	began := time.Unix(1, 0)
	conns := make([]*closing, 5)
	for i := range conns {
		conns[i] = &closing{}
	}
	come := func(i int, after time.Duration) time.Duration { return g.add(conns[i], began.Add(after), false) }
	if come(0, 0) != 0 || come(1, 10*time.Millisecond) != 0 {
		t.Fatal("there is no place where there are two")
	}
	if wait := come(2, 60*time.Millisecond); wait <= 0 || wait > 40*time.Millisecond || conns[0].closed {
		t.Errorf("the third waits %v, and the first was closed: %v", wait, conns[0].closed)
	}
	if come(2, least) != 0 || !conns[0].closed || !g.hasLost(conns[0]) || conns[1].closed {
		t.Error("the third has not taken the place of the first")
	}
	g.heard(conns[1])
	if wait := come(3, 2*least-time.Millisecond); wait <= 0 || conns[1].closed {
		t.Error("a process has lost its place to one that came later than a stranger")
	}
	g.done(conns[2])
	if come(3, 2*least-time.Millisecond) != 0 || conns[1].closed || conns[2].closed {
		t.Error("a place that was given back is not free")
	}
	if come(4, 10*least) != 0 || conns[1].closed || !conns[3].closed {
		t.Error("a process has lost its place where there was a stranger")
	}
	if g.add(conns[2], began.Add(10*least), true) != 0 || !conns[4].closed {
		t.Error("one that comes in a hurry waits")
	}
}

// TestNobodyWaitsWhileAProcessIsMissed: strangers that come fast fill the queue before this process, in
// which one of the cluster that comes back stands, too. So places are kept only while all are here.
func TestNobodyWaitsWhileAProcessIsMissed(t *testing.T) {
	a := listen(t, config(acceptor, "a1"))
	misses := func() bool { return a.misses(a.began.Add(gathering)) }
	if !a.misses(a.began.Add(gathering-1)) || misses() {
		t.Error("it misses others just when it has been up for long, and none has come")
	}
	p1, p2 := connect(t, a, proposer, "p1"), connect(t, a, proposer, "p2")
	a.await(t, 1, up, "p1")
	a.await(t, 1, up, "p2")
	c := connect(t, a, client, "")
	a.await(t, 1, up, "@1")
	_ = c.nc.Close()
	a.await(t, 1, down, "@1")
	if misses() {
		t.Error("it misses somebody, and only a client has gone")
	}
	_ = p1.nc.Close()
	a.await(t, 1, down, "p1")
	if !misses() {
		t.Error("it does not miss p1")
	}
	connect(t, a, proposer, "p1")
	a.await(t, 2, up, "p1")
	if misses() {
		t.Error("it misses somebody when p1 has come back")
	}
	_ = p2.nc.Close()
}

// TestRefusedKeepTheirPlace: a stranger that was refused, and does not end the connection, keeps it for
// as long as if it had been silent: it does not come again at once.
func TestRefusedKeepTheirPlace(t *testing.T) {
	cfg := config(acceptor, "a1")
	cfg.Silent = patience
	a := listen(t, cfg)
	r := dialRaw(t, a)
	h := hello(proposer, "p1", a)
	h.Members.Cluster = "another"
	if m, ok := r.greet(h).(*wire.Refusal); !ok || m.Code != wire.RefusedCluster {
		t.Fatalf("it is answered %+v", m)
	}
	a.await(t, 1, refused, "")
	places := func() int {
		a.greetings.mu.Lock()
		defer a.greetings.mu.Unlock()
		return len(a.greetings.conns)
	}
	if n := places(); n != 1 {
		t.Errorf("%d places are taken", n)
	}
	_ = r.nc.Close()
	eventually(t, "it gives its place back when it leaves", func() bool { return places() == 0 })
}

// TestCutOffIsHeld: a client that is cut off for what it does finds out later than this process, which
// keeps nothing of it but the connection; unless connections are scarce.
func TestCutOffIsHeld(t *testing.T) {
	for _, scarce := range []bool{false, true} {
		cfg := config(acceptor, "a1")
		cfg.Held = patience
		if scarce {
			cfg.Connections = 1
		}
		a := listen(t, cfg)
		r := connect(t, a, client, "")
		a.await(t, 1, up, "@1")
		r.bytes(frame(t, &paxos.Prepare{})) // which clients must not send
		a.await(t, 1, down, "@1")
		if err := r.nc.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, err := r.nc.Read(make([]byte, 1))
		if held := errors.Is(err, os.ErrDeadlineExceeded); held == scarce {
			t.Errorf("connections are scarce: %v, and the client is told %v", scarce, err)
		}
	}
}
