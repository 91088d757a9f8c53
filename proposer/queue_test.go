package proposer

import (
	"fmt"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestAppendsTakeTurns: an append is behind one of each other client, however many those have sent, and
// those of one client keep their order.
func TestAppendsTakeTurns(t *testing.T) {
	var q appends
	for seq := uint64(1); seq <= 100; seq++ {
		q.push(queued{"@1", "", appendOf(seq, "x")})
		passed := appendOf(seq, "x")
		passed.Client = "@1" // of another proposer
		q.push(queued{"p2", "", passed})
	}
	q.push(queued{"@2", "", appendOf(7, "x")})
	next := map[paxos.NodeID]uint64{"@1": 1, "p2": 1, "@2": 7}
	for i := 0; q.n > 0; i++ {
		x := q.pop()
		if x.msg.First != next[x.from] {
			t.Fatalf("append %d of %s comes where %d should", x.msg.First, x.from, next[x.from])
		}
		if next[x.from]++; x.from == "@2" && i > 2 {
			t.Errorf("%d appends of others went before it", i)
		}
	}
	if q.bytes != 0 || len(q.lanes)+len(q.shares) != 0 || q.turns.Len() != 0 {
		t.Errorf("%d bytes, %d clients are left", q.bytes, len(q.lanes))
	}
}

// TestShareOfTheQueue: a few clients that send without end do not fill the queue for others, and
// it is never over its limit.
func TestShareOfTheQueue(t *testing.T) {
	var q appends
	const limit = 20_000
	for seq := uint64(1); seq <= 1000; seq++ {
		for _, id := range []paxos.NodeID{"@1", "@2", "@3", "@4"} {
			if x := (queued{id, "", appendOf(seq, "0123456789")}); q.takes(x, limit) {
				q.push(x)
			}
		}
	}
	if q.bytes < limit/2-200 || q.bytes > limit {
		t.Errorf("%d bytes wait, of %d", q.bytes, limit)
	}
	for n := uint64(1); n <= 20; n++ {
		x := queued{"@5", "", appendOf(n, "0123456789")}
		if !q.takes(x, limit) {
			t.Fatalf("append %d of another client is refused, with %d bytes waiting", n, q.bytes)
		}
		q.push(x)
	}
	if q.bytes > limit {
		t.Errorf("%d bytes wait, of %d", q.bytes, limit)
	}
}

// TestPrincipalsTakeTurns: an append is behind one of each other principal, over however many connections
// those send, and behind one of each other client of its own.
func TestPrincipalsTakeTurns(t *testing.T) {
	var q appends
	for seq := uint64(1); seq <= 10; seq++ {
		for i := range 100 {
			q.push(queued{paxos.NodeID(fmt.Sprintf("@%d", i)), "many", appendOf(seq, "x")})
		}
	}
	for seq := uint64(1); seq <= 3; seq++ {
		q.push(queued{"@1000", "few", appendOf(seq, "x")})
		q.push(queued{"p2", "few", appendOf(seq, "x")})
	}
	last := map[paxos.NodeID]uint64{}
	for i, few := 0, 0; q.n > 0; i++ {
		x := q.pop()
		if x.msg.First != last[x.from]+1 {
			t.Fatalf("append %d of %s comes after %d", x.msg.First, x.from, last[x.from])
		}
		last[x.from] = x.msg.First
		if x.who == "few" {
			if few++; i > 2*few {
				t.Errorf("%d appends went before the %d. of a principal with few", i, few)
			}
		}
	}
	if q.bytes != 0 || len(q.lanes)+len(q.shares) != 0 || q.turns.Len() != 0 {
		t.Errorf("%d bytes, %d clients are left", q.bytes, len(q.lanes))
	}
}

// TestShareOfAPrincipal: one that sends without end, over ever more connections, does not fill the queue for
// others; alone it may have all of it.
func TestShareOfAPrincipal(t *testing.T) {
	const limit = 20_000
	flood := func(q *appends, who paxos.Principal) {
		for i := range 3000 {
			if x := (queued{paxos.NodeID(fmt.Sprintf("@%d", i)), who, appendOf(1, "0123456789")}); q.takes(x, limit) {
				q.push(x)
			}
		}
	}
	var alone appends
	if flood(&alone, "a"); alone.bytes < limit-200 || alone.bytes > limit {
		t.Errorf("alone it has %d bytes of %d", alone.bytes, limit)
	}
	var q appends
	q.push(queued{"@x", "b", appendOf(1, "0123456789")})
	flood(&q, "a")
	if q.bytes > limit*3/4 {
		t.Errorf("beside another one it has %d bytes of %d", q.bytes, limit)
	}
	for n := uint64(2); n <= 20; n++ {
		x := queued{"@x", "b", appendOf(n, "0123456789")}
		if !q.takes(x, limit) {
			t.Fatalf("append %d of another principal is refused, with %d bytes waiting", n, q.bytes)
		}
		q.push(x)
	}
	if x := (queued{"@y", "c", appendOf(1, "0123456789")}); !q.takes(x, limit) {
		t.Errorf("a third one is refused, with %d bytes waiting", q.bytes)
	}
}
