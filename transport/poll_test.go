package transport

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// polled reports whether a poller reads the connection of a client.
func (p *process) polled(id paxos.NodeID) bool {
	c := p.conn(id)
	return c != nil && c.polled.Load()
}

// TestPolled: what clients send comes in order, however it is cut, and whoever reads it.
func TestPolled(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		p := listen(t, config(proposer, "p1"))
		polls(t, p, func() *raw { return connect(t, p, client, "") })
	})
	t.Run("TLS", func(t *testing.T) {
		f := newFiles(t)
		p := listen(t, f.config(proposer, "p1", require))
		polls(t, p, func() *raw {
			r := f.dialRaw(p, client, "app")
			if _, ok := r.greet(hello(client, "", p)).(*wire.Welcome); !ok {
				t.Fatal("it is not welcome")
			}
			r.version = wire.Oldest
			return r
		})
	})
}

func polls(t *testing.T, p *process, connect func() *raw) {
	const clients, messages = 30, 20
	names := map[paxos.NodeID]*raw{}
	for i := range clients {
		r := connect()
		names[p.await(t, i+1, up, "").id] = r
	}
	if runtime.GOOS == "linux" {
		eventually(t, "every client is polled", func() bool {
			for id := range names {
				if !p.polled(id) {
					return false
				}
			}
			return true
		})
	}
	for n := range messages {
		i := 0
		for _, r := range names {
			m := frame(t, &paxos.Append{Attempt: uint64(n + 1)})
			switch i++; {
			case i%3 == 0: // in two pieces
				r.bytes(m[:5])
				r.bytes(m[5:])
			case i%7 == 0 && n == messages/2: // more at once than a poller reads
				r.bytes(append(frame(t, &paxos.Append{Batch: make([]byte, 2*ioBuffer)}), m...))
			default:
				r.bytes(m)
			}
		}
	}
	for id, r := range names {
		_ = r.nc.Close()
		p.await(t, 1, down, id)
		last := uint64(0)
		for _, e := range p.of(got, id) {
			if m := e.msg.(*paxos.Append); m.Attempt > 0 { // else it is the large one
				if m.Attempt != last+1 {
					t.Errorf("%s: %d came after %d", id, m.Attempt, last)
				}
				last = m.Attempt
			}
		}
		if last != messages {
			t.Errorf("%s: %d of %d came", id, last, messages)
		}
	}
}

// TestLargeIsNotPolled: a client that sends much at once has a reader of its own from
// then on, and one that comes with the handshake is not lost.
func TestLargeIsNotPolled(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		p := listen(t, config(proposer, "p1"))
		largeIsNotPolled(t, p, dialRaw(t, p))
	})
	t.Run("TLS", func(t *testing.T) {
		f := newFiles(t)
		p := listen(t, f.config(proposer, "p1", require))
		largeIsNotPolled(t, p, f.dialRaw(p, client, "app"))
	})
}

func largeIsNotPolled(t *testing.T, p *process, r *raw) {
	r.bytes(append([]byte(preface), frame(t, hello(client, "", p))...))
	r.version = wire.Oldest            // it makes no Offer
	r.write(&paxos.Append{Attempt: 1}) // it may lie in the buffer that the handshake read
	p.await(t, 1, got, "@1")
	r.write(&paxos.Append{Batch: make([]byte, 2*ioBuffer)})
	p.await(t, 2, got, "@1")
	if p.polled("@1") {
		t.Error("it is still polled")
	}
	r.write(&paxos.Append{Attempt: 2})
	p.await(t, 3, got, "@1")
}

// TestPolledIdle: a client that only pings is kept, and one that sends no whole frame in
// time is not.
func TestPolledIdle(t *testing.T) {
	cfg := config(proposer, "p1")
	cfg.Idle = 300 * time.Millisecond
	p := listen(t, cfg)
	drips, pings := connect(t, p, client, ""), connect(t, p, client, "")
	half := frame(t, &paxos.Append{Batch: make([]byte, 1000)})[:500]
	go drip(drips, half, 5*time.Millisecond) // until it is cut
	for range 4 {
		m, err := wire.Read(pings.r, 1<<20)
		if _, ping := m.(*wire.Ping); !ping {
			t.Fatalf("%+v, %v", m, err)
		}
		pings.write(&wire.Ping{})
	}
	e := p.await(t, 1, down, "")
	if !errors.Is(e.err, os.ErrDeadlineExceeded) {
		t.Error(e.err)
	}
	pings.write(&paxos.Append{Attempt: 1})
	if got := p.await(t, 1, got, ""); got.id == e.id || len(p.of(down, "")) != 1 {
		t.Errorf("%s was cut, and it is %s that sent the drip", e.id, got.id)
	}
}
