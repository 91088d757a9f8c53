package transport

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// BenchmarkPingPong is one message there and one back on an idle connection.
func BenchmarkPingPong(b *testing.B) {
	a := listen(b, config(acceptor, "a1"))
	a.hook = func(e event) {
		if e.what == got {
			a.Send("p1", &paxos.HeartbeatAck{})
		}
	}
	back := make(chan struct{}, 1)
	rec := newRecorder()
	rec.hook = func(e event) {
		if e.what == got {
			back <- struct{}{}
		}
	}
	p := start(b, config(proposer, "p1"), rec)
	p.Dial(a.peer())
	p.await(b, 1, up, "a1")
	m := &paxos.Heartbeat{}
	b.ReportAllocs()
	for b.Loop() {
		p.Send("a1", m)
		<-back
	}
}

// BenchmarkQueue is what queueing a message and taking it again costs.
func BenchmarkQueue(b *testing.B) {
	cfg := config(proposer, "p1")
	c := newConn(New(cfg, nil), nil)
	value := &paxos.Accept{Value: paxos.Value{Batch: make([]byte, 256)}}
	b.ReportAllocs()
	for b.Loop() {
		c.enqueue(value)
		c.take()
	}
}
