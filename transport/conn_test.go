package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

func TestOrderIsPreserved(t *testing.T) {
	const n = 3000
	cfg := config(acceptor, "a1")
	a := listen(t, cfg)
	cfg = config(proposer, "p1")
	cfg.QueueBytes = 2 * n * wire.ItemOverhead
	p := start(t, cfg, newRecorder())
	p.Dial(a.peer())
	p.await(t, 1, up, "a1")
	for _, m := range beats(0, n) {
		p.Send("a1", m)
	}
	a.await(t, n, got, "p1")
	if nonces := a.nonces("p1"); len(nonces) != n || !inOrder(nonces) {
		t.Errorf("%d messages came, in order: %v", len(nonces), inOrder(nonces))
	}
}

// TestReconnect: a listener that goes away and comes back is found again, and
// what is sent then arrives.
func TestReconnect(t *testing.T) {
	a := listen(t, config(acceptor, "a1"))
	peer := a.peer()
	p := start(t, config(proposer, "p1"), newRecorder())
	p.Dial(peer)
	p.await(t, 1, up, "a1")
	within(t, "Close", a.Close)
	if e := p.await(t, 1, down, "a1"); e.role != acceptor || e.err == nil {
		t.Errorf("%+v", e)
	}
	p.await(t, 2, refused, "a1")
	p.Send("a1", &paxos.Query{}) // lost

	again := start(t, config(acceptor, "a1"), newRecorder())
	eventually(t, "the port is bound again", func() bool { return again.Listen(peer.Addr) == nil })
	p.await(t, 2, up, "a1")
	p.Send("a1", &paxos.Query{Nonce: 2})
	if m := again.await(t, 1, got, "p1").msg.(*paxos.Query); m.Nonce != 2 {
		t.Errorf("%+v came first", m)
	}
}

// TestIdleConnections: pings keep a connection on which nothing is sent.
func TestIdleConnections(t *testing.T) {
	cfg := config(acceptor, "a1")
	cfg.Idle = 450 * time.Millisecond
	a := listen(t, cfg)
	r := connect(t, a, proposer, "p1")
	for range 4 { // in all, longer than Idle
		m, err := wire.Read(r.r, 1<<20)
		if _, ping := m.(*wire.Ping); !ping {
			t.Fatalf("%+v, %v", m, err)
		}
		r.write(&wire.Ping{})
	}
	r.write(&paxos.Query{})
	a.await(t, 1, got, "p1")
	if len(a.of(down, "")) > 0 || len(a.of(got, "")) != 1 {
		t.Error("it went down, or a ping was handed on")
	}
}

// TestSlowSenders is hazard 23: a frame that does not come to its end within the
// idle time ends the connection, even if a byte of it comes now and then.
func TestSlowSenders(t *testing.T) {
	half := frame(t, &paxos.Accept{Value: paxos.Value{Batch: make([]byte, 1000)}})[:500]
	for name, send := range map[string]func(*raw){
		"silence":      func(*raw) {},
		"half a frame": func(r *raw) { r.bytes(half) },
		"a drip":       func(r *raw) { drip(r, half, 5*time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(acceptor, "a1")
			cfg.Idle = 60 * time.Millisecond
			a := listen(t, cfg)
			r := connect(t, a, proposer, "p1")
			send(r)
			r.ended()
			if e := a.await(t, 1, down, "p1"); !errors.Is(e.err, os.ErrDeadlineExceeded) {
				t.Error(e.err)
			}
			if len(a.of(got, "")) > 0 {
				t.Error("half a message was handed on")
			}
		})
	}
}

// TestBadFrames: a connection that sends what it must not is closed at once.
func TestBadFrames(t *testing.T) {
	cfg := config(acceptor, "a1")
	cfg.FrameBytes = 4096
	spoilt := frame(t, &paxos.Query{})
	spoilt[len(spoilt)-1] ^= 1
	claim := append(binary.BigEndian.AppendUint32(nil, 1<<30), make([]byte, 4)...)
	for name, c := range map[string]struct {
		role paxos.Role
		id   paxos.NodeID
		sent []byte
		want string
	}{
		"a frame over the limit":         {proposer, "p1", frame(t, &paxos.Accept{Value: paxos.Value{Batch: make([]byte, 4096)}}), "the limit is 4096"},
		"a claim of 1 GiB":               {proposer, "p1", claim, "a body of 1073741824 bytes, the limit is 4096"},
		"a bad checksum":                 {proposer, "p1", spoilt, "checksum"},
		"HTTP":                           {proposer, "p1", []byte("GET / HTTP/1.1\r\n\r\n"), "the limit is"},
		"a client's prepare":             {client, "@1", frame(t, &paxos.Prepare{}), "a client may not send *paxos.Prepare here"},
		"a client's refusal":             {client, "@1", frame(t, &paxos.Reject{}), "a client may not send *paxos.Reject here"},
		"a client's append to no leader": {client, "@1", frame(t, &paxos.Append{}), "a client may not send *paxos.Append here"},
		"a learner's accept":             {learner, "l1", frame(t, &paxos.Accept{}), "a learner may not send *paxos.Accept here"},
		"an acceptor's refusal":          {acceptor, "a2", frame(t, &paxos.Reject{}), "a acceptor may not send *paxos.Reject here"},
		"a proposer's vote":              {proposer, "p1", frame(t, &paxos.Accepted{}), "a proposer may not send *paxos.Accepted here"},
		"a second greeting":              {proposer, "p1", frame(t, &wire.Hello{}), "a proposer may not send *wire.Hello here"},
		"a welcome":                      {proposer, "p1", frame(t, &wire.Welcome{}), "a proposer may not send *wire.Welcome here"},
		"a refusal":                      {proposer, "p1", frame(t, &wire.Refusal{}), "a proposer may not send *wire.Refusal here"},
	} {
		t.Run(name, func(t *testing.T) {
			a := listen(t, cfg)
			r := connect(t, a, c.role, c.id)
			r.bytes(c.sent)
			r.ended()
			if e := a.await(t, 1, down, c.id); !errors.Is(e.err, wire.ErrFrame) || !strings.Contains(e.err.Error(), c.want) {
				t.Errorf("told %v, want ErrFrame with %q", e.err, c.want)
			}
			if len(a.of(got, "")) > 0 {
				t.Error("it was handed on")
			}
		})
	}
}

// TestBadFramesFromAListener: the end that dialled judges by the same rules.
func TestBadFramesFromAListener(t *testing.T) {
	addr, conns := listenRaw(t)
	p := start(t, config(proposer, "p1"), newRecorder())
	p.Dial(Peer{acceptor, "a1", addr})
	r := next(t, conns)
	r.heard()
	r.welcome(&wire.Welcome{Role: acceptor, ID: "a1"})
	r.write(&paxos.Prepare{})
	if e := p.await(t, 1, down, "a1"); !errors.Is(e.err, wire.ErrFrame) {
		t.Error(e.err)
	}
	next(t, conns).heard() // it dials again
}

// large is a message of 64 KiB and a little.
var large = &paxos.Accept{Value: paxos.Value{Batch: make([]byte, 64<<10)}}

// conn returns p's connection to id.
func (p *process) conn(id paxos.NodeID) *conn {
	p.Network.mu.Lock()
	defer p.Network.mu.Unlock()
	return p.links[id].best()
}

// TestStoppedServer is hazard 36: a peer that stops reading costs its queue and
// what is sent to it, and nothing else.
func TestStoppedServer(t *testing.T) {
	addr, conns := listenRaw(t)
	a2 := listen(t, config(acceptor, "a2"))
	p := start(t, config(proposer, "p1"), newRecorder())
	p.Dial(Peer{acceptor, "a1", addr})
	p.Dial(a2.peer())
	stopped := next(t, conns)
	stopped.heard()
	stopped.welcome(&wire.Welcome{Role: acceptor, ID: "a1"})
	p.await(t, 1, up, "a1")
	p.await(t, 1, up, "a2")

	const n = 2000 // 128 MiB to a1, less than its queue to a2
	within(t, "Send", func() {
		for _, m := range beats(0, n) {
			p.Send("a1", large)
			p.Send("a2", m)
		}
	})
	a2.await(t, n, got, "p1")
	if !inOrder(a2.nonces("p1")) {
		t.Error("messages to the other peer changed their order")
	}
	c := p.conn("a1")
	c.mu.Lock()
	queued, dropped := c.bytes, c.dropped
	c.mu.Unlock()
	if queued > p.cfg.QueueBytes || dropped == 0 {
		t.Errorf("%d bytes are queued, the limit is %d; %d messages were dropped", queued, p.cfg.QueueBytes, dropped)
	}
	if e := p.of(down, ""); len(e) > 0 {
		t.Fatalf("a full queue to a server closed the connection: %v", e[0].err)
	}

	// When it reads again, whole frames come, and new messages get through.
	arrived := make(chan int)
	go func() {
		for frames := 0; ; frames++ {
			m, err := wire.Read(stopped.r, 1<<20)
			if _, marker := m.(*paxos.Heartbeat); marker || err != nil {
				arrived <- frames
				return
			}
		}
	}()
	frames := 0
	eventually(t, "a message gets through", func() bool {
		p.Send("a1", &paxos.Heartbeat{})
		select {
		case frames = <-arrived:
			return true
		default:
			return false
		}
	})
	if frames == 0 || frames >= n {
		t.Errorf("%d frames of %d came after all", frames, n)
	}
	if e := p.of(down, ""); len(e) > 0 {
		t.Errorf("the connection ended: %v", e[0].err)
	}
}

// TestServerStoppedForLong: who takes nothing for the idle time is given up.
func TestServerStoppedForLong(t *testing.T) {
	addr, conns := listenRaw(t)
	cfg := config(proposer, "p1")
	cfg.Idle = 300 * time.Millisecond
	p := start(t, cfg, newRecorder())
	p.Dial(Peer{acceptor, "a1", addr})
	r := next(t, conns)
	r.heard()
	r.welcome(&wire.Welcome{Role: acceptor, ID: "a1"})
	p.await(t, 1, up, "a1")
	ping, pings := frame(t, &wire.Ping{}), make(chan struct{})
	go func() { // it is alive all the while
		defer close(pings)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := r.nc.Write(ping); err != nil {
				return
			}
		}
	}()
	eventually(t, "the peer is given up", func() bool {
		p.Send("a1", large)
		return len(p.of(down, "a1")) > 0
	})
	if e := p.await(t, 1, down, "a1"); !errors.Is(e.err, os.ErrDeadlineExceeded) {
		t.Error(e.err)
	}
	within(t, "the end of the connection", func() { <-pings })
}

// TestStoppedClient: a client that does not read is cut off; another is served.
func TestStoppedClient(t *testing.T) {
	l := listen(t, config(learner, "l1"))
	connect(t, l, client, "")
	l.await(t, 1, up, "@1") // clients are numbered when they are up
	other := connect(t, l, client, "")
	l.await(t, 1, up, "@2")
	page := &paxos.LogPage{Records: []paxos.LogRecord{{Log: make([]byte, 64<<10)}}}
	within(t, "Send", func() {
		for len(l.of(down, "")) == 0 {
			l.Send("@1", page)
		}
	})
	if e := l.await(t, 1, down, "@1"); !errors.Is(e.err, ErrSlow) || e.role != client {
		t.Errorf("%+v", e)
	}
	l.Send("@1", page) // it is gone: dropped
	l.Send("@2", &paxos.Found{Nonce: 3})
	if m := other.read().(*paxos.Found); m.Nonce != 3 {
		t.Errorf("%+v", m)
	}
}

// TestOneLargeMessage: what is larger than the queue still goes, alone.
func TestOneLargeMessage(t *testing.T) {
	a := listen(t, config(acceptor, "a1"))
	cfg := config(proposer, "p1")
	cfg.QueueBytes = 1
	p := start(t, cfg, newRecorder())
	p.Dial(a.peer())
	p.await(t, 1, up, "a1")
	p.Send("a1", large)
	if m := a.await(t, 1, got, "p1").msg.(*paxos.Accept); len(m.Value.Batch) != 64<<10 {
		t.Errorf("a batch of %d bytes", len(m.Value.Batch))
	}
}

// TestFullQueueAtTheStart: a server is not cut off by what is sent to it between
// PeerUp and the start of its connection's loops.
func TestFullQueueAtTheStart(t *testing.T) {
	rec := newRecorder()
	cfg := config(acceptor, "a1")
	cfg.QueueBytes = 10 * wire.ItemOverhead
	a := start(t, cfg, rec)
	rec.hook = func(e event) {
		if e.what == up {
			for range 100 {
				a.Send(e.id, &paxos.Reject{Nonce: 1})
			}
		}
	}
	if err := a.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	r := connect(t, a, proposer, "p1")
	for range 10 {
		if m := r.read().(*paxos.Reject); m.Nonce != 1 {
			t.Errorf("%+v", m)
		}
	}
	r.write(&paxos.Query{})
	a.await(t, 1, got, "p1")
	if e := a.of(down, ""); len(e) > 0 {
		t.Errorf("cut off: %v", e[0].err)
	}
}

// TestBlockedReceiver: a handler that takes no more from one stops only that one.
func TestBlockedReceiver(t *testing.T) {
	rec := newRecorder()
	release := make(chan struct{})
	rec.hook = func(e event) {
		if e.what == got && e.id == "p1" {
			<-release
		}
	}
	a := start(t, config(acceptor, "a1"), rec)
	if err := a.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	blocked, free := connect(t, a, proposer, "p1"), connect(t, a, proposer, "p2")
	for _, m := range beats(0, 10) {
		blocked.write(m)
	}
	for _, m := range beats(0, 10) {
		free.write(m)
	}
	a.await(t, 10, got, "p2")
	if n := len(a.of(got, "p1")); n != 0 {
		t.Errorf("%d messages passed the blocked handler", n)
	}
	close(release)
	a.await(t, 10, got, "p1")
	if !inOrder(a.nonces("p1")) {
		t.Error("out of order")
	}
}

// TestReplacedConnection: a peer that dials anew takes the place of its old
// connection, and is down only when the last one is.
func TestReplacedConnection(t *testing.T) {
	a := listen(t, config(acceptor, "a1"))
	first := connect(t, a, proposer, "p1")
	a.await(t, 1, up, "p1")
	second := connect(t, a, proposer, "p1")
	a.await(t, 2, up, "p1")
	first.ended()
	a.Send("p1", &paxos.QueryReply{Nonce: 4})
	if m := second.read().(*paxos.QueryReply); m.Nonce != 4 {
		t.Errorf("%+v", m)
	}
	if n := len(a.of(down, "")); n != 0 {
		t.Errorf("down %d times while a connection is open", n)
	}
	_ = second.nc.Close()
	a.await(t, 1, down, "p1")
}

// TestBothDial: two acceptors dial each other. Either connection serves, and a
// peer is down when both have ended.
func TestBothDial(t *testing.T) {
	addr, conns := listenRaw(t)
	a := listen(t, config(acceptor, "a1"))
	a.Dial(Peer{acceptor, "a2", addr})
	dialed := next(t, conns)
	dialed.heard()
	dialed.welcome(&wire.Welcome{Role: acceptor, ID: "a2"})
	a.await(t, 1, up, "a2")
	accepted := connect(t, a, acceptor, "a2")
	a.await(t, 2, up, "a2")

	a.Send("a2", &paxos.Vouch{Incarnation: 1})
	if m := dialed.read().(*paxos.Vouch); m.Incarnation != 1 {
		t.Errorf("%+v", m)
	}
	dialed.write(&paxos.Vouched{Known: 1})
	accepted.write(&paxos.Vouched{Known: 2})
	a.await(t, 2, got, "a2")

	_ = dialed.nc.Close()
	eventually(t, "the other connection is used", func() bool { return a.usesAccepted("a2") })
	a.Send("a2", &paxos.Vouch{Incarnation: 2})
	if m := accepted.read().(*paxos.Vouch); m.Incarnation != 2 {
		t.Errorf("%+v", m)
	}
	if n := len(a.of(down, "")); n != 0 {
		t.Errorf("down %d times while a connection is open", n)
	}
	next(t, conns) // it dials again, and is not answered
	_ = accepted.nc.Close()
	a.await(t, 1, down, "a2")
}

func (p *process) usesAccepted(id paxos.NodeID) bool {
	p.Network.mu.Lock()
	defer p.Network.mu.Unlock()
	l := p.links[id]
	return l != nil && l.best() == l.accepted
}

// TestUpAndDownInOrder: when a peer comes back at once, the handler hears that it
// went before it hears that it came: the last word is what holds.
func TestUpAndDownInOrder(t *testing.T) {
	rec := newRecorder()
	leaving, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	rec.hook = func(e event) {
		if e.what == down {
			once.Do(func() { close(leaving) })
			<-release
		}
	}
	a := start(t, config(acceptor, "a1"), rec)
	if err := a.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	first := connect(t, a, proposer, "p1")
	a.await(t, 1, up, "p1")
	_ = first.nc.Close()
	within(t, "PeerDown", func() { <-leaving })
	connect(t, a, proposer, "p1")
	overtaken := time.After(100 * time.Millisecond)
	for waiting := true; waiting && len(a.of(up, "p1")) < 2; {
		select {
		case <-overtaken:
			waiting = false
		default:
			runtime.Gosched()
		}
	}
	close(release)
	a.await(t, 2, up, "p1")
	a.await(t, 1, down, "p1")
	a.recorder.mu.Lock()
	defer a.recorder.mu.Unlock()
	if last := a.events[len(a.events)-1]; last.what != up {
		t.Errorf("p1 is connected, but the last thing told of it is %q", last.what)
	}
}

// TestDrain: what was queued before is written before Drain returns.
func TestDrain(t *testing.T) {
	a := listen(t, config(acceptor, "a1"))
	p := start(t, config(proposer, "p1"), newRecorder())
	p.Dial(a.peer())
	p.await(t, 1, up, "a1")
	for _, m := range beats(0, 1000) {
		p.Send("a1", m)
	}
	p.Drain(context.Background())
	within(t, "Close", p.Close)
	a.await(t, 1000, got, "p1")
}

func TestDrainGivesUp(t *testing.T) {
	addr, conns := listenRaw(t)
	cfg := config(proposer, "p1")
	cfg.QueueBytes = 1 << 30
	p := start(t, cfg, newRecorder())
	p.Dial(Peer{acceptor, "a1", addr})
	r := next(t, conns)
	r.heard()
	r.welcome(&wire.Welcome{Role: acceptor, ID: "a1"})
	p.await(t, 1, up, "a1")
	for range 1000 { // more than the system's buffers take
		p.Send("a1", large)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	within(t, "Drain", func() { p.Drain(ctx) })
	if ctx.Err() == nil {
		t.Error("it says that a stopped peer took everything")
	}
}

// TestCloseWaitsForTheHandler: no call is under way when Close has returned.
func TestCloseWaitsForTheHandler(t *testing.T) {
	rec := newRecorder()
	entered, release := make(chan struct{}), make(chan struct{})
	rec.hook = func(e event) {
		if e.what == got {
			close(entered)
			<-release
		}
	}
	a := start(t, config(acceptor, "a1"), rec)
	if err := a.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	r := connect(t, a, proposer, "p1")
	r.write(&paxos.Query{})
	<-entered
	go func() {
		r.ended() // Close has begun
		close(release)
	}()
	within(t, "Close", a.Close)
	if len(a.of(got, "p1")) != 1 || len(a.of(down, "p1")) != 1 {
		t.Error("Close returned while the handler was told something")
	}
}

// TestNothingIsLeft: Close ends every goroutine, whatever its connection was
// doing, and may be called twice.
func TestNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	a := listen(t, config(acceptor, "a1"))
	p := start(t, config(proposer, "p1"), newRecorder())
	p.Dial(a.peer())
	p.Dial(Peer{acceptor, "a2", ln.Addr().String()})
	p.Dial(Peer{acceptor, "a3", dead.Addr().String()})
	greeted, silent := connect(t, a, client, ""), dialRaw(t, a)
	silent.bytes([]byte(preface))
	full := connect(t, a, client, "")
	p.await(t, 1, up, "a1")
	p.await(t, 1, refused, "a3")
	a.await(t, 3, up, "")
	for _, m := range beats(0, 100) {
		p.Send("a1", m)
		a.Send("@2", &paxos.StatusReply{})
	}
	if runtime.NumGoroutine() <= before {
		t.Error("no goroutine serves all this")
	}
	for range 2 {
		within(t, "Close", a.Close)
		within(t, "Close", p.Close)
	}
	for _, r := range []*raw{greeted, silent, full} {
		r.ended()
	}
	_ = ln.Close()
	eventually(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
	if ups, downs := len(a.of(up, "")), len(a.of(down, "")); ups != downs {
		t.Errorf("%d came, %d went", ups, downs)
	}
}

// TestUrgentOvertakes: a heartbeat does not wait behind values that wait.
func TestUrgentOvertakes(t *testing.T) {
	cfg := config(acceptor, "a1")
	cfg.QueueBytes = 4 << 20
	c := newConn(New(cfg, nil), nil)
	value := make([]byte, 100<<10)
	for i := range 20 {
		c.enqueue(&paxos.Accept{Instance: paxos.Instance(i + 1), Value: paxos.Value{Batch: value}})
	}
	c.enqueue(&paxos.Heartbeat{Nonce: 7})
	first := c.take()
	if _, ok := first[0].msg.(*paxos.Heartbeat); !ok {
		t.Fatalf("%T is written first", first[0].msg)
	}
	got, last := 0, paxos.Instance(0)
	for batch := first[1:]; len(batch) > 0; batch = c.take() {
		if len(batch) > 4 {
			t.Errorf("%d values in one write: an urgent message would wait for all of them", len(batch))
		}
		for _, m := range batch {
			if i := m.msg.(*paxos.Accept).Instance; i != last+1 {
				t.Fatalf("instance %d after %d", i, last)
			}
			got, last = got+1, last+1
		}
	}
	if got != 20 || c.bytes != 0 {
		t.Errorf("%d values, %d bytes left over", got, c.bytes)
	}
}

// TestQuiet: a connection is quiet since something was last written, so that one on which
// messages flow is not pinged.
func TestQuiet(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	go func() { _, _ = io.Copy(io.Discard, there) }() // until here is closed
	w := writer{stream: asStream(here), idle: time.Minute}
	nothing := func(b []byte) ([]byte, error) { return b, nil }
	one := func(b []byte) ([]byte, error) { return append(b, 1), nil }
	before := time.Now()
	for _, encode := range []func([]byte) ([]byte, error){one, nothing} {
		if _, err := w.write(encode); err != nil {
			t.Fatal(err)
		}
	}
	wrote := w.last
	if wrote.Before(before) || w.quiet(wrote.Add(time.Hour)) != time.Hour {
		t.Errorf("wrote at %v, begun at %v, and an hour later it is quiet for %v", wrote, before, w.quiet(wrote.Add(time.Hour)))
	}
	if _, err := w.write(nothing); err != nil || w.last != wrote {
		t.Errorf("nothing was written (%v), and it counts", err)
	}
}
