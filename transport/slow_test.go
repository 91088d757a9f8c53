package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	cluster "github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// TestSlowHandshakes is hazard 23: a handshake ends after its time, whatever the
// other end sends in it, and however often.
func TestSlowHandshakes(t *testing.T) {
	cfg := config(acceptor, "a1")
	cfg.Handshake = time.Hour
	a := start(t, cfg, newRecorder())
	greeting := append([]byte(preface), frame(t, hello(proposer, "p1", a))...)
	welcome := frame(t, &wire.Welcome{Role: acceptor, ID: "a2"})
	for name, end := range map[string]struct {
		sends []byte
		greet func(*conn) error
	}{
		"a listener": {greeting, func(c *conn) error { _, err := c.answerHello(); return err }},
		"a dialler":  {welcome, func(c *conn) error { _, err := c.sayHello(Peer{Role: acceptor, ID: "a2"}, true); return err }},
	} {
		for _, n := range []int{0, 1, len(end.sends) / 2, len(end.sends) - 1} {
			nc := &memoryConn{sends: end.sends[:n]}
			if err := end.greet(newConn(a.Network, nc)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s, silence after %d bytes: %v", name, n, err)
			}
		}
		nc := &memoryConn{sends: end.sends, step: 25 * time.Minute}
		if err := end.greet(newConn(a.Network, nc)); !errors.Is(err, os.ErrDeadlineExceeded) || nc.took > 3 {
			t.Errorf("%s, a byte every 25 of 60 minutes: %d bytes, %v", name, nc.took, err)
		}
		// In time, it ends well, and its bound does not outlive it.
		nc = &memoryConn{sends: end.sends, step: time.Hour / time.Duration(len(end.sends)+1)}
		if err := end.greet(newConn(a.Network, nc)); err != nil || !nc.deadline.IsZero() {
			t.Errorf("%s, slowly but in time: %v, deadline %v", name, err, nc.deadline)
		}
	}
}

// TestSlowFrames: a frame must come to its end within the idle time, and many may
// follow each other for longer.
func TestSlowFrames(t *testing.T) {
	cfg := config(acceptor, "a1")
	cfg.Idle = time.Hour
	rec := newRecorder()
	a := start(t, cfg, rec)
	query := frame(t, &paxos.Query{Nonce: 1})
	nc := &memoryConn{sends: slices.Repeat(query, 20), step: 2 * time.Minute}
	if err := newConn(a.Network, nc).readLoop("p1", proposer); !errors.Is(err, os.ErrDeadlineExceeded) || len(rec.of(got, "p1")) != 20 {
		t.Errorf("20 frames in %v: %d came, %v", nc.passed, len(rec.of(got, "p1")), err)
	}
	nc = &memoryConn{sends: query, step: 25 * time.Minute}
	if err := newConn(a.Network, nc).readLoop("p2", proposer); !errors.Is(err, os.ErrDeadlineExceeded) || nc.took > 3 {
		t.Errorf("a byte every 25 of 60 minutes: %d bytes, %v", nc.took, err)
	}
}

// pipes is a listener whose connections are made in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error {
	close(p)
	return nil
}

func (pipes) Addr() net.Addr { return memoryAddr{} }

// TestStrangersAreBounded: those that do not say who they are take a bounded number of places. Who
// comes when all are taken takes that of the one that was silent for longest, and it is told why.
func TestStrangersAreBounded(t *testing.T) {
	cfg := config(acceptor, "a1")
	cfg.Greetings = 2
	a := start(t, cfg, newRecorder())
	ln := make(pipes)
	a.Network.mu.Lock()
	a.listener = ln
	a.Network.mu.Unlock()
	a.wg.Add(1)
	go a.acceptLoop(ln)
	dial := func() net.Conn {
		here, there := net.Pipe()
		t.Cleanup(func() { _ = here.Close() })
		ln <- there
		return here
	}
	first := dial()
	for range 50 {
		dial()
	}
	if _, err := first.Write([]byte(preface)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the first of fifty strangers is still listened to: %v", err)
	}
	if e := a.await(t, 1, refused, ""); !errors.Is(e.err, ErrCrowd) {
		t.Errorf("the first was closed because of %v", e.err)
	}
	if _, ok := newRaw(t, dial()).greet(hello(proposer, "p1", a)).(*wire.Welcome); !ok {
		t.Error("a process that says who it is has no place among silent ones")
	}
	a.await(t, 1, up, "p1")
	a.greetings.mu.Lock()
	defer a.greetings.mu.Unlock()
	if n := len(a.greetings.conns); n > 2 {
		t.Errorf("%d strangers are listened to", n)
	}
}

// TestProcessesKeepTheirPlace: who has proved to be a process of the cluster, and who says it and
// has to wait, is not pushed out by strangers, however many come meanwhile.
func TestProcessesKeepTheirPlace(t *testing.T) {
	f := newFiles(t)
	for what, mode := range map[string]cluster.TLSMode{"proved": require, "said": cluster.TLSOff} {
		cfg := config(acceptor, "a1")
		if mode != cluster.TLSOff {
			cfg = f.config(acceptor, "a1", mode)
		}
		cfg.Greetings = 3
		a := listen(t, cfg)
		flood := func() {
			for range 50 {
				nc, err := net.Dial("tcp", a.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
			}
			a.await(t, 45, refused, "")
		}
		isHeard := func() bool {
			a.greetings.mu.Lock()
			defer a.greetings.mu.Unlock()
			return slices.ContainsFunc(a.greetings.conns, func(g greeter) bool { return g.isProcess })
		}
		var p *raw
		if mode == cluster.TLSOff {
			a.identity.settled = make(chan struct{}) // as where nothing is known of the log yet
			p = dialRaw(t, a)
			p.bytes(append([]byte(preface), frame(t, hello(proposer, "p1", a))...))
		} else {
			p = f.dialRaw(a, proposer, "p1")
		}
		eventually(t, what, isHeard)
		flood()
		if !isHeard() {
			t.Errorf("%s: strangers have pushed it out", what)
		}
		if mode == cluster.TLSOff {
			close(a.identity.settled)
			a.await(t, 1, up, "p1")
		} else if _, ok := p.greet(hello(proposer, "p1", a)).(*wire.Welcome); !ok {
			t.Errorf("%s: it is not welcome", what)
		}
	}
}

// TestSilentOnesTakeLittle: a connection has the memory to read with once it has said who it is, and
// what came together with the greeting is not lost by that.
func TestSilentOnesTakeLittle(t *testing.T) {
	a := listen(t, config(acceptor, "a1"))
	if c := newConn(a.Network, &memoryConn{}); c.r.Size() > helloBuffer {
		t.Errorf("a stranger takes %d bytes", c.r.Size())
	}
	r := dialRaw(t, a)
	says := append([]byte(preface), frame(t, hello(client, "", a))...)
	for n := range uint64(100) {
		says = append(says, frame(t, &paxos.StatusQuery{Nonce: 1 + n})...)
	}
	r.bytes(says)
	a.await(t, 100, got, "@1")
}

// TestSlowClients: what waits for all clients together is bounded, and the one for which most waits
// is cut off; who reads keeps his connection, and servers do not count.
func TestSlowClients(t *testing.T) {
	cfg := config(learner, "l1")
	cfg.QueueBytes, cfg.ClientBytes = 8<<20, 4<<20
	a := start(t, cfg, newRecorder())
	conns := map[paxos.NodeID]*conn{}
	for _, id := range []paxos.NodeID{"@1", "@2", "@3", "a1"} {
		c := newConn(a.Network, &memoryConn{})
		if id.IsClient() {
			c.drop, c.share = false, a.budget
		}
		conns[id] = c
		a.links[id] = &link{role: client, accepted: c}
	}
	send := func(id paxos.NodeID, kib int) {
		for range kib / 100 {
			a.enqueue(conns[id], id, &paxos.Page{Values: []paxos.Vote{{Value: paxos.Value{Batch: make([]byte, 100<<10)}}}})
		}
	}
	send("a1", 6000)
	send("@1", 1000)
	send("@2", 2000)
	for range 30 { // it reads as much as it asks for
		send("@3", 200)
		for len(conns["@3"].take()) > 0 {
		}
	}
	if n := a.budget.used.Load(); n < 3000<<10 || n > 3100<<10 {
		t.Errorf("%d bytes are counted, of 3000 KiB that wait", n)
	}
	send("@3", 1500)
	for id, want := range map[paxos.NodeID]error{"@1": nil, "@2": ErrSlow, "@3": nil, "a1": nil} {
		if why := conns[id].why(); !errors.Is(why, want) {
			t.Errorf("%s: %v", id, why)
		}
	}
	conns["@1"].close(errors.New("test"))
	for len(conns["@3"].take()) > 0 {
	}
	if n := a.budget.used.Load(); n != 0 {
		t.Errorf("%d bytes are counted when nothing waits", n)
	}
}

// TestRefusalsOfStrangers: what a stranger says of itself neither fills a refusal,
// which then could not be read, nor reaches a terminal or a log as it is; and a
// dialler is as careful with what a listener says.
func TestRefusalsOfStrangers(t *testing.T) {
	a := start(t, config(acceptor, "a1"), newRecorder())
	long, text := paxos.NodeID(strings.Repeat("\xff\x1b[2J\n", 42)), strings.Repeat("\xff\x1b[2J\n", 2700)
	for name, change := range map[string]func(*wire.Hello){
		"its id":        func(h *wire.Hello) { h.ID = long },
		"its id, twice": func(h *wire.Hello) { h.ID, h.Members.Phase1 = long, 3 },
		"its cluster":   func(h *wire.Hello) { h.Members.Cluster = text },
		"its acceptors": func(h *wire.Hello) { h.Members.Acceptors = []paxos.NodeID{long} },
		"whom it means": func(h *wire.Hello) { h.ToID = long },
	} {
		h := hello(proposer, "p1", a)
		change(h)
		nc := &memoryConn{sends: append([]byte(preface), frame(t, h)...), closes: true}
		_, err := newConn(a.Network, nc).answerHello()
		if m, ok := answered(t, nc).(*wire.Refusal); !ok || len(m.Text) > refusalBytes+100 || strings.ContainsAny(m.Text, "\x1b\n") {
			t.Errorf("%s: refused with %.200q", name, fmt.Sprint(m))
		}
		if err == nil || len(err.Error()) > refusalBytes+1000 || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%s: told %.200q", name, err)
		}
	}
	for _, answer := range []paxos.Message{&wire.Welcome{Role: acceptor, ID: long}, &wire.Refusal{Text: text}} {
		nc := &memoryConn{sends: frame(t, answer)}
		_, err := newConn(a.Network, nc).sayHello(Peer{Role: acceptor, ID: "a2"}, true)
		if err == nil || len(err.Error()) > refusalBytes+1000 || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("a dialler is told %.200q", err)
		}
	}
}
