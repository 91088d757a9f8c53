package proposer

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestAppendsTakeTurns: an append is behind one of each other client, however many those have sent, and
// those of one client keep their order.
func TestAppendsTakeTurns(t *testing.T) {
	var q appends
	for seq := uint64(1); seq <= 100; seq++ {
		q.push("@1", appendOf(seq, "x"))
		passed := appendOf(seq, "x")
		passed.Client = "@1" // of another proposer
		q.push("p2", passed)
	}
	q.push("@2", appendOf(7, "x"))
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
	if q.bytes != 0 || len(q.lanes) != 0 || q.turns.Len() != 0 {
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
			if m := appendOf(seq, "0123456789"); q.takes(id, m, limit) {
				q.push(id, m)
			}
		}
	}
	if q.bytes < limit/2-200 || q.bytes > limit {
		t.Errorf("%d bytes wait, of %d", q.bytes, limit)
	}
	for n := uint64(1); n <= 20; n++ {
		if !q.takes("@5", appendOf(n, "0123456789"), limit) {
			t.Fatalf("append %d of another client is refused, with %d bytes waiting", n, q.bytes)
		}
		q.push("@5", appendOf(n, "0123456789"))
	}
	if q.bytes > limit {
		t.Errorf("%d bytes wait, of %d", q.bytes, limit)
	}
}
