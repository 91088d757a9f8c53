package proposer

import (
	"fmt"
	"slices"
	"strings"
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

// littleTest is a leader with a large window, and who appends to it.
type littleTest struct {
	*Proposer
	*leading
	t    *testing.T
	seq  map[paxos.NodeID]uint64
	told int // times that it was logged that values are small
}

// entryOfLittle is how long the entries are of littleTest.
const entryOfLittle = 40

func newLittleTest(t *testing.T) *littleTest {
	cfg := config()
	cfg.Window, cfg.WindowBytes, cfg.BatchBytes, cfg.LittleBytes, cfg.QueueBytes = 100, 1<<20, 16_000, 250, 1<<20
	p, prep := campaigning(t, cfg)
	promised(p, "a1", prep["a1"], 0, true, 0)
	promised(p, "a2", prep["a2"], 0, true, 0)
	p.Flush()
	return &littleTest{Proposer: p, leading: leads(p), t: t, seq: map[paxos.NodeID]uint64{}}
}

func (x *littleTest) push(from paxos.NodeID, n int) {
	for range n {
		x.seq[from]++
		x.Step(from, appendOf(x.seq[from], strings.Repeat("x", entryOfLittle)))
	}
}

// values are the lengths of what is proposed now.
func (x *littleTest) values() (sizes []int) {
	out := x.Proposer.Flush()
	for _, n := range out.Notes {
		if strings.HasPrefix(n.Text, "values are small") {
			x.told++
		}
	}
	for _, a := range sentTo[*paxos.Accept](out, "a1") {
		if len(a.Value.Batch) > 0 {
			sizes = append(sizes, len(a.Value.Batch))
		}
	}
	return sizes
}

// isFull reports whether values are as large as may be, and more than a few are in flight.
func (x *littleTest) isFull(sizes []int) bool {
	return len(sizes) > eagerInstances && slices.Max(sizes) > x.cfg.BatchBytes-2*(entryOfLittle+appendOverhead)
}

// drain gets all chosen that waits.
func (x *littleTest) drain() {
	x.t.Helper()
	for choose(x.Proposer); x.queue.n > 0; choose(x.Proposer) {
		if len(x.values()) == 0 {
			x.t.Fatalf("%d appends are left waiting", x.queue.n)
		}
	}
	x.values()
	if x.queue.large != 0 {
		x.t.Errorf("%d clients with much waiting are counted, and nobody waits", x.queue.large)
	}
}

// tick is d ticks, after which all acceptors are heard still.
func (x *littleTest) tick(d paxos.Ticks) {
	for i := range x.gone {
		x.gone[i].Set(x.Proposer.now + d + 1000)
	}
	x.Tick(x.Proposer.now+d, 5)
}

// TestThoseWhoAppendLittle: beside a client that has much waiting, values are brief and few are in flight while
// another one appends now and then; and full, in a full window, when it has gone, or none is there that has much.
func TestThoseWhoAppendLittle(t *testing.T) {
	x := newLittleTest(t)
	brief := x.cfg.LittleBytes
	for n := range 200 {
		x.push(paxos.NodeID(fmt.Sprintf("@c%d", n)), 2)
	}
	if x.values(); x.isBrief(x.Proposer) {
		t.Error("values are brief where all append little")
	}
	x.drain()
	x.push("@1", 2000)
	if sizes := x.values(); !x.isFull(sizes) {
		t.Errorf("where one has much waiting, and nobody else has anything: %v", sizes)
	}
	x.drain()
	x.push("@1", 2000)
	x.push("@2", 1)
	sizes := x.values() // the first has the append of @2
	if n := len(sizes); n == 0 || n > eagerInstances || !x.isBrief(x.Proposer) || n > 1 && slices.Max(sizes[1:]) > brief {
		t.Errorf("while another one appends little: %v", sizes)
	}
	choose(x.Proposer)
	if sizes = x.values(); len(sizes) == 0 || len(sizes) > eagerInstances || slices.Max(sizes) > brief {
		t.Errorf("when all in flight is chosen: %v", sizes)
	}
	x.tick(1)
	if sizes = x.values(); len(sizes) != 1 {
		t.Errorf("a tick later, when nothing is late: %v", sizes)
	}
	for range 2 * briefTicks / 3 {
		x.tick(1)
		if sizes = x.values(); len(sizes) > 0 {
			t.Fatalf("while what is in flight is late: %v", sizes)
		}
	}
	if next := x.Proposer.Next(); next < x.Proposer.now+5 {
		t.Errorf("it wants to be told the time in %d ticks, for nothing", next-x.Proposer.now)
	}
	x.push("@2", 1)
	x.drain()
	if x.told != 1 {
		t.Errorf("that values are small is logged %d times in less than a minute", x.told)
	}
	x.tick(briefTicks)
	x.push("@1", 2000)
	if sizes := x.values(); !x.isFull(sizes) {
		t.Errorf("when the other one has gone: %v", sizes)
	}
}

// TestWhoLoadsMuchIsHeavy: a client that had much waiting lately, here or where it is read, does not count as one that
// appends little because little of it waits for a moment.
func TestWhoLoadsMuchIsHeavy(t *testing.T) {
	x := newLittleTest(t)
	x.push("@1", 1)
	x.Step("p1", &paxos.Crowd{Client: "@1"})
	x.drain()
	x.push("@3", 2000)
	x.push("@1", 1)
	if x.values(); x.isBrief(x.Proposer) {
		t.Error("values are brief for one of two that load much")
	}
	x.drain()
	q := appends{little: 100}
	served := func(from paxos.NodeID, appends, entry int) bool {
		small := q.small
		for range appends {
			q.push(queued{from, "", appendOf(1, strings.Repeat("x", entry))})
		}
		for q.n > 0 {
			q.pop()
		}
		return q.small > small
	}
	if served("@1", 3, 60) || served("@2", 3, 60) || !served("@3", 1, 1) {
		t.Error("clients that append little are not told from others")
	}
	if q.now += heavyTicks - 1; served("@1", 1, 1) || served("@2", 3, 60) {
		t.Error("one that had much waiting counts as one that appends little")
	}
	if q.now++; !served("@1", 1, 1) || served("@2", 1, 1) {
		t.Error("one that had little waiting for long does not count as one that appends little")
	}
	if q.crowd("@nobody"); len(q.heavy) != 2 {
		t.Errorf("%d clients are remembered as those who load much", len(q.heavy))
	}
	if served("@4", 3, 60); len(q.heavy) != 2 { // @1 is forgotten
		t.Errorf("%d clients are remembered as those who load much, one of them of long ago", len(q.heavy))
	}
}

// TestQuickest: what counts is the least of this window of time and of the one before, none of an earlier one.
func TestQuickest(t *testing.T) {
	var q quickest
	if q.least() != 0 {
		t.Error("something is known before anything was chosen")
	}
	for _, c := range []struct{ at, took, want paxos.Ticks }{
		{100, 7, 7}, {101, 3, 3}, {102, 5, 3},
		{100 + quickestTicks, 9, 3}, {101 + quickestTicks, 8, 3},
		{100 + 2*quickestTicks, 9, 8}, {101 + 2*quickestTicks, 0, 0},
		{100 + 3*quickestTicks, 6, 0}, {100 + 4*quickestTicks, 6, 6},
	} {
		if q.add(c.at, c.took); q.least() != c.want {
			t.Errorf("at %d, after one took %d: %d, not %d", c.at, c.took, q.least(), c.want)
		}
	}
}
