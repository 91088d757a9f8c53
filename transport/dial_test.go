package transport

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// TestBackoff: only a connection that was of use makes the next attempt come at once.
func TestBackoff(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	var b backoff
	for i, c := range []struct {
		outcome outcome
		want    time.Duration
	}{
		{unreachable, ms(20)}, {unreachable, ms(40)}, {unreachable, ms(80)}, {unreachable, ms(160)}, {unreachable, ms(320)},
		{unreachable, ms(500)}, {unreachable, ms(500)}, // who is not there may be back any moment
		{useless, ms(1000)}, {useless, ms(2000)}, {useless, ms(4000)}, {useless, ms(5000)}, {useless, ms(5000)},
		{unreachable, ms(500)}, {served, ms(20)}, {useless, ms(40)},
		{replaced, ms(80)}, {replaced, ms(160)}, {served, ms(20)},
	} {
		if got := b.after(c.outcome); got != c.want {
			t.Errorf("step %d: %v, not %v", i, got, c.want)
		}
	}
	for range 20 {
		b.after(replaced)
	}
	if got := b.after(replaced); got != 30*time.Second {
		t.Errorf("two under one id meet every %v", got)
	}
}

// TestListenerThatAcceptsAndCloses: each attempt is told with the same words, without the
// port that it came from, so that a log can leave out repeats.
func TestListenerThatAcceptsAndCloses(t *testing.T) {
	addr, conns := listenRaw(t)
	p := start(t, config(proposer, "p1"), newRecorder())
	p.Dial(Peer{acceptor, "a1", addr})
	texts := map[string]bool{}
	for i := range 4 {
		r := next(t, conns)
		if i < 2 { // before anything is read, so that the connection is reset
			_ = r.nc.(*net.TCPConn).SetLinger(0)
		} else {
			r.heard()
		}
		_ = r.nc.Close()
		texts[p.await(t, i+1, refused, "a1").err.Error()] = true
	}
	if len(texts) > 2 { // though it ended, or was reset while reading or writing, or while connecting
		t.Errorf("told: %v", texts)
	}
	for text := range texts {
		if strings.Contains(text, "->") {
			t.Errorf("it names a port that is another one each time: %s", text)
		}
	}
}

// TestReplacedIsTold: of two processes under one id each learns that the other one took
// its connection.
func TestReplacedIsTold(t *testing.T) {
	l := listen(t, of(incarnations{"a1": 7}, learner, "l1"))
	first := start(t, config(acceptor, "a1"), newRecorder())
	first.Dial(l.peer())
	first.await(t, 1, up, "l1")
	second := start(t, config(acceptor, "a1"), newRecorder())
	second.Dial(l.peer())
	for i, p := range []*process{first, second} { // the first comes again
		e := p.await(t, 1, refused, "l1")
		var why *RefusedError
		if !errors.As(e.err, &why) || why.Code != wire.RefusedReplaced || why.Addr != l.peer().Addr || !strings.Contains(why.Text, "two run under one id") {
			t.Errorf("process %d is told %v", i, e.err)
		}
	}
	if e := l.await(t, 1, refused, "a1"); !errors.Is(e.err, ErrReplaced) {
		t.Error(e.err)
	}
}

// TestTwinsInBothDirections: a2 dials a1, and another process under the id a1 dials a2. Only the one that came
// last is heard, and the other one is told why; of one process both directions serve.
func TestTwinsInBothDirections(t *testing.T) {
	as := func(id paxos.NodeID, process uint64) Config {
		cfg := of(incarnations{"a1": 7, "a2": 8}, acceptor, id)
		cfg.Process = process
		return cfg
	}
	first, a2 := listen(t, as("a1", 1)), listen(t, as("a2", 5))
	a2.Dial(first.peer())
	first.await(t, 1, up, "a2")
	first.Dial(a2.peer())
	a2.await(t, 2, up, "a1")
	first.await(t, 2, up, "a2")

	second := start(t, as("a1", 2), newRecorder())
	second.Dial(a2.peer())
	second.await(t, 1, up, "a2")
	for k := 1; k <= 2; k++ { // by the one that it dialled, and by the other one
		var why *RefusedError
		if e := first.await(t, k, refused, "a2"); !errors.As(e.err, &why) || why.Code != wire.RefusedReplaced {
			t.Errorf("the first is told %v", e.err)
		}
	}
	first.await(t, 3, up, "a2") // a2 dials the address that it has
	var why *RefusedError
	if e := second.await(t, 1, refused, "a2"); !errors.As(e.err, &why) || why.Code != wire.RefusedReplaced {
		t.Errorf("the second is told %v", e.err)
	}
	a2.await(t, 3, refused, "a1")
	for _, e := range a2.of(refused, "a1") {
		if !errors.Is(e.err, ErrReplaced) {
			t.Error(e.err)
		}
	}
	if n := len(a2.of(refused, "a1")); n > 3 {
		t.Errorf("a2 is told %d times that one has taken the place of another", n)
	}
}

// TestNoAnswer: a process that takes connections and hangs is another thing than none.
func TestNoAnswer(t *testing.T) {
	addr, _ := listenRaw(t)
	cfg := config(client, "")
	cfg.Handshake = 20 * time.Millisecond
	p := start(t, cfg, newRecorder())
	p.Dial(Peer{acceptor, "a1", addr})
	if e := p.await(t, 1, refused, "a1"); !errors.Is(e.err, ErrNoAnswer) || errors.Is(e.err, ErrUnresolved) {
		t.Error(e.err)
	}
}

// dns is a name server that a test answers for.
type dns struct{ asked chan chan []string }

func (d *dns) lookup(ctx context.Context, _ string) ([]string, error) {
	answer := make(chan []string)
	select {
	case d.asked <- answer:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case hosts := <-answer:
		if hosts == nil {
			return nil, errors.New("no such host")
		}
		return hosts, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestSlowNameServer: name servers that take longer than dialling may are waited for, and
// while they are asked again the address that they told is used.
func TestSlowNameServer(t *testing.T) {
	a := listen(t, config(acceptor, "a1"))
	_, port, err := net.SplitHostPort(a.peer().Addr)
	if err != nil {
		t.Fatal(err)
	}
	d := &dns{make(chan chan []string, 10)}
	cfg := config(proposer, "p1")
	cfg.Dial, cfg.Lookup = time.Second, d.lookup
	p := start(t, cfg, newRecorder())
	p.Dial(Peer{acceptor, "a1", "host-of-a1:" + port})
	(<-d.asked) <- nil
	if e := p.await(t, 1, refused, "a1"); !errors.Is(e.err, ErrUnresolved) || !strings.Contains(e.err.Error(), "host-of-a1") {
		t.Error(e.err)
	}
	slow := <-d.asked
	// 127.0.0.2 takes no connections, and the next address is tried.
	slow <- []string{"127.0.0.2", "127.0.0.1"}
	a.await(t, 1, up, "p1")
	p.await(t, 1, up, "a1")
	within(t, "closing the connection", func() { p.conn("a1").close(errors.New("test")) })
	a.await(t, 2, up, "p1") // though nobody answers this time
	p.await(t, 2, up, "a1")
}

func TestNames(t *testing.T) {
	n := &Network{ctx: context.Background()}
	for addr, want := range map[string]string{"10.0.0.1:7": "", "[::1]:7": "", ":7": "", "bad": "", "h:7": "h", "localhost:http": "localhost"} {
		if s := newNames(n, addr); s.host != want {
			t.Errorf("of %s is resolved %q", addr, s.host)
		}
	}
	s := newNames(n, "h:7")
	s.take([]string{"a:7", "b:7", "c:7"})
	s.worked("c:7")
	s.take([]string{"a:7", "b:7", "c:7"})
	if !slices.Equal(s.last, []string{"c:7", "b:7", "a:7"}) {
		t.Errorf("what worked last goes first: %v", s.last)
	}
	s.take([]string{"x:7"})
	if !slices.Equal(s.last, []string{"x:7"}) {
		t.Errorf("old addresses are kept: %v", s.last)
	}
}

// pipe is a connection without a file descriptor, as one of package tls is.
type pipe struct{ net.Conn }

// TestStreamWithoutDescriptor: frames go over any connection.
func TestStreamWithoutDescriptor(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	n := start(t, config(proposer, "p1"), newRecorder())
	c := newConn(n.Network, pipe{near})
	c.version = wire.Version
	done := make(chan error, 1)
	go func() { done <- c.run("a1", acceptor) }()
	r := newRaw(t, far)
	for i := range uint64(3) {
		c.enqueue(&paxos.Query{Nonce: i})
		c.push()
		if m, ok := r.read().(*paxos.Query); !ok || m.Nonce != i {
			t.Fatalf("%+v", m)
		}
	}
	r.write(&paxos.QueryReply{Nonce: 7})
	n.await(t, 1, got, "a1")
	c.close(errors.New("test"))
	<-done
}
