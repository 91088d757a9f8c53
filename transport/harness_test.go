package transport

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

const (
	acceptor = paxos.RoleAcceptor
	proposer = paxos.RoleProposer
	learner  = paxos.RoleLearner
	client   = paxos.RoleClient
)

type what string

const (
	up      what = "up"
	down    what = "down"
	got     what = "got"
	refused what = "refused"
)

// event is one call of a Handler.
type event struct {
	what what
	id   paxos.NodeID
	role paxos.Role
	addr string
	msg  paxos.Message
	err  error

	incarnation uint64
	principal   paxos.Principal
}

// recorder is a Handler that keeps what it is told.
type recorder struct {
	hook func(event) // called first, if not nil

	mu      sync.Mutex
	events  []event
	changed chan struct{}
}

func newRecorder() *recorder { return &recorder{changed: make(chan struct{})} }

func (r *recorder) add(e event) {
	if r.hook != nil {
		r.hook(e)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *recorder) Receive(from paxos.NodeID, m paxos.Message, _ int) {
	r.add(event{what: got, id: from, msg: m})
}

func (r *recorder) Rest() {}

func (r *recorder) PeerUp(m *paxos.PeerUp) {
	r.add(event{what: up, id: m.ID, role: m.Role, incarnation: m.Incarnation, principal: m.Principal})
}

func (r *recorder) PeerDown(id paxos.NodeID, role paxos.Role, why error) {
	r.add(event{what: down, id: id, role: role, err: why})
}

func (r *recorder) Refused(id paxos.NodeID, addr string, why error) {
	r.add(event{what: refused, id: id, addr: addr, err: why})
}

// of lists the events of one kind, about id if it is not empty.
func (r *recorder) of(w what, id paxos.NodeID) (out []event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.what == w && (id == "" || e.id == id) {
			out = append(out, e)
		}
	}
	return out
}

// await waits for n events of a kind about id, and returns the n-th.
func (r *recorder) await(t testing.TB, n int, w what, id paxos.NodeID) event {
	t.Helper()
	deadline := time.After(patience)
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		if found := r.of(w, id); len(found) >= n {
			return found[n-1]
		}
		select {
		case <-changed:
		case <-deadline:
			r.mu.Lock()
			defer r.mu.Unlock()
			t.Fatalf("waited in vain for %q of %q, %d times; %d events, the last of them %+v", w, id, n, len(r.events), r.events[max(0, len(r.events)-5):])
		}
	}
}

// eventually waits until ok holds; for what tells nobody when it changes.
func eventually(t testing.TB, goal string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("waited in vain until", goal)
		}
	}
}

// within runs f, which must return in time.
func within(t testing.TB, name string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s does not return", name)
	}
}

func members() paxos.Membership {
	return paxos.Membership{Cluster: "test", Acceptors: []paxos.NodeID{"a1", "a2", "a3"}, Phase1: 2, Phase2: 2, Sessions: 10}
}

func config(role paxos.Role, id paxos.NodeID) Config {
	return Config{
		Members: members(), Role: role, ID: id, Incarnation: 7,
		FrameBytes: 1 << 20, QueueBytes: 1 << 20, Connections: 200,
		Dial: patience, Handshake: patience, Idle: patience, Silent: time.Millisecond, Held: time.Millisecond,
	}
}

// process is a network and what it was told.
type process struct {
	*Network
	*recorder
	cfg Config
}

// start opens a network that closes with the test.
func start(t testing.TB, cfg Config, rec *recorder) *process {
	t.Helper()
	p := &process{New(cfg, rec), rec, cfg}
	t.Cleanup(func() { within(t, "Close", p.Close) })
	return p
}

// listen opens a network that listens on a free port.
func listen(t testing.TB, cfg Config) *process {
	t.Helper()
	p := start(t, cfg, newRecorder())
	if err := p.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return p
}

// peer is how others dial p.
func (p *process) peer() Peer { return Peer{p.cfg.Role, p.cfg.ID, p.Addr().String()} }

// raw is the other end of a connection, driven by hand.
type raw struct {
	t       testing.TB
	nc      net.Conn
	r       *bufio.Reader
	offer   *wire.Offer // of the greeting that was heard
	version uint64      // of the protocol that both ends speak
}

func newRaw(t testing.TB, nc net.Conn) *raw {
	t.Helper()
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &raw{t: t, nc: nc, r: bufio.NewReader(nc), version: wire.Version}
}

func dialRaw(t testing.TB, p *process) *raw {
	t.Helper()
	nc, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return newRaw(t, nc)
}

func (r *raw) bytes(b []byte) {
	r.t.Helper()
	if _, err := r.nc.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

// frame is how m looks to a process of the oldest version, as connections made by hand are,
// or as it first was.
func frame(t testing.TB, m paxos.Message) []byte {
	t.Helper()
	b, err := wire.AppendFor(nil, m, wire.Oldest)
	if err != nil {
		b, err = wire.Append(nil, m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (r *raw) write(m paxos.Message) {
	r.t.Helper()
	b, err := wire.AppendFor(nil, m, r.version)
	if err != nil {
		r.t.Fatal(err)
	}
	r.bytes(b)
}

// read returns the next message that is no ping.
func (r *raw) read() any {
	r.t.Helper()
	return r.readAs(r.version)
}

// readAs reads the next message but pings, as one of that version.
func (r *raw) readAs(version uint64) any {
	r.t.Helper()
	for {
		m, err := wire.ReadFrom(r.r, 1<<26, version)
		if err != nil {
			r.t.Fatal(err)
		}
		if _, ping := m.(*wire.Ping); !ping {
			return m
		}
	}
}

// ended waits for the end of the connection and returns what came before it.
func (r *raw) ended() []byte {
	r.t.Helper()
	b, err := io.ReadAll(r.r)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Fatalf("the connection stays open; it sent %q", b)
	}
	return b
}

func hello(from paxos.Role, id paxos.NodeID, to *process) *wire.Hello {
	h := &wire.Hello{Version: wire.Oldest, Members: members(), Role: from, ID: id, Incarnation: 9, ToRole: to.cfg.Role, ToID: to.cfg.ID}
	if from == client {
		h.Members = paxos.Membership{Cluster: "test"}
	}
	return h
}

// greet says h and returns the answer.
func (r *raw) greet(h *wire.Hello) any {
	r.t.Helper()
	r.bytes(append([]byte(preface), frame(r.t, h)...))
	return r.read()
}

// connect opens a connection to p that is welcome.
func connect(t testing.TB, p *process, role paxos.Role, id paxos.NodeID) *raw {
	t.Helper()
	r := dialRaw(t, p)
	if answer, ok := r.greet(hello(role, id, p)).(*wire.Welcome); !ok || *answer != (wire.Welcome{Role: p.cfg.Role, ID: p.cfg.ID, Incarnation: 7}) {
		t.Fatalf("%s %s was answered %+v", role, id, answer)
	}
	r.version = wire.Oldest // it made no Offer
	return r
}

// listenRaw accepts connections that the test drives by hand.
func listenRaw(t testing.TB) (addr string, conns <-chan *raw) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan *raw, 100)
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			out <- newRaw(t, nc)
		}
	}()
	return ln.Addr().String(), out
}

func next(t testing.TB, conns <-chan *raw) *raw {
	t.Helper()
	select {
	case r := <-conns:
		return r
	case <-time.After(patience):
		t.Fatal("nobody dials")
		return nil
	}
}

// heard reads a greeting, and the offer that follows it.
func (r *raw) heard() *wire.Hello {
	r.t.Helper()
	b := make([]byte, len(preface))
	if _, err := io.ReadFull(r.r, b); err != nil || string(b) != preface {
		r.t.Fatalf("a greeting began with %q, %v", b, err)
	}
	h, ok := r.read().(*wire.Hello)
	if !ok {
		r.t.Fatal("no greeting")
	}
	if h.Version > wire.Oldest {
		if r.offer, ok = r.read().(*wire.Offer); !ok {
			r.t.Fatal("no offer")
		}
	}
	return h
}

// welcome answers a greeting that heard has read.
func (r *raw) welcome(w *wire.Welcome, known ...wire.Known) {
	r.t.Helper()
	r.write(&wire.Agreed{Version: wire.Version, Known: known})
	r.write(w)
}

// beats are heartbeats numbered from first.
func beats(first, n int) (out []paxos.Message) {
	for i := range n {
		out = append(out, &paxos.Heartbeat{Nonce: uint64(first + i)})
	}
	return out
}

// nonces lists the numbers of the heartbeats that came from id.
func (r *recorder) nonces(id paxos.NodeID) (out []uint64) {
	for _, e := range r.of(got, id) {
		if m, ok := e.msg.(*paxos.Heartbeat); ok {
			out = append(out, m.Nonce)
		}
	}
	return out
}

func inOrder(n []uint64) bool {
	return slices.IsSorted(n) && len(slices.Compact(slices.Clone(n))) == len(n)
}
