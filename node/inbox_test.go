package node

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// TestServersGoFirst: however much clients have sent, what a server sends after that is stepped
// before it, and each client is behind one message of each other.
func TestServersGoFirst(t *testing.T) {
	b := newInbox(1 << 20)
	for n := range 3000 {
		b.putRemote(item{from: "@1", msg: &paxos.Attach{Nonce: uint64(n)}, size: 10})
	}
	items, more := b.take()
	if len(items) != maxClient || !more {
		t.Fatalf("%d messages are stepped at once, and more %v", len(items), more)
	}
	b.putRemote(item{from: "@2", msg: &paxos.StatusQuery{}, size: 10})
	b.putRemote(item{from: "a1", msg: &paxos.Heartbeat{}, size: 10})
	b.put(item{from: "a2", msg: &paxos.Synced{}})
	items, _ = b.take()
	var order []paxos.NodeID
	for _, it := range items[:4] {
		order = append(order, it.from)
	}
	if !slices.Equal(order, []paxos.NodeID{"a1", "a2", "@1", "@2"}) {
		t.Errorf("the order is %v", order)
	}
	left := len(items)
	for more = true; more; {
		items, more = b.take()
		left += len(items)
	}
	if left != 3000-maxClient+3 || b.waiting() != 0 || b.ofClients.Load() != 0 {
		t.Errorf("%d were taken after that, %d wait, %d bytes", left, b.waiting(), b.ofClients.Load())
	}
}

// TestClientsWaitForThemselves: a client that sends more than its share has its reader wait, and
// nobody else's.
func TestClientsWaitForThemselves(t *testing.T) {
	b := newInbox(8 << 20)
	sent := make(chan int)
	go func() {
		n := 0
		for range 100 {
			b.putRemote(item{from: "@1", msg: &paxos.Append{}, size: 1 << 20})
			n++
			select {
			case sent <- n:
			case <-time.After(10 * time.Second):
				return
			}
		}
		close(sent)
	}()
	n := 0
	for more := true; more; {
		select {
		case n = <-sent:
		case <-time.After(200 * time.Millisecond):
			more = false
		}
	}
	if n != 2 || !b.crowded("@1") {
		t.Fatalf("%d MiB of one client wait in an inbox of 8; crowded: %v", n, b.crowded("@1"))
	}
	b.putRemote(item{from: "@2", msg: &paxos.StatusQuery{}, size: 100})
	b.putRemote(item{from: "a1", msg: &paxos.Heartbeat{}, size: 4 << 20})
	if b.crowded("@2") {
		t.Error("the other client is crowded")
	}
	for more := true; more; {
		b.take()
		_, more = <-sent
	}
}

// TestLeftIsLast: that a client has left is stepped after what it had sent, and nothing of it is
// kept.
func TestLeftIsLast(t *testing.T) {
	b := newInbox(1 << 20)
	for c := range 100 {
		id := paxos.NodeID(fmt.Sprintf("@%d", c))
		b.put(item{from: "l1", msg: &paxos.PeerUp{ID: id}})
		for range c % 3 {
			b.putRemote(item{from: id, msg: &paxos.Attach{}, size: 10})
		}
		b.left(id, item{from: "l1", msg: &paxos.PeerDown{ID: id}})
	}
	items, _ := b.take()
	gone, came := map[paxos.NodeID]bool{}, map[paxos.NodeID]bool{}
	for _, it := range items {
		switch m := it.msg.(type) {
		case *paxos.PeerUp:
			came[m.ID] = true
		case *paxos.PeerDown:
			gone[m.ID] = true
		default:
			if gone[it.from] || !came[it.from] {
				t.Errorf("a message of %s is stepped when it is not connected", it.from)
			}
		}
	}
	if len(gone) != 100 || len(b.lanes) != 0 || b.waiting() != 0 || b.turns.Len() != 0 {
		t.Errorf("%d have left; %d lanes, %d messages are kept", len(gone), len(b.lanes), b.waiting())
	}
}

// TestInboxAllocates nothing for one message after the other of many clients.
func TestInboxAllocatesNothing(t *testing.T) {
	b := newInbox(1 << 20)
	ids := make([]paxos.NodeID, 100)
	for i := range ids {
		ids[i] = paxos.NodeID(fmt.Sprintf("@%d", i))
	}
	m := &paxos.Attach{}
	step := func() {
		for _, id := range ids {
			b.putRemote(item{from: id, msg: m, size: 10})
		}
		items, _ := b.take()
		b.recycle(items)
	}
	step()
	if n := testing.AllocsPerRun(100, step); n > 0.5 {
		t.Errorf("%v allocations", n)
	}
}

// TestOneQuestionOfEach: of the questions how a process is that a client sends at a time the last
// one is answered.
func TestOneQuestionOfEach(t *testing.T) {
	b := newInbox(1 << 20)
	for n := range 2000 {
		for _, id := range []paxos.NodeID{"@1", "@2"} {
			b.putRemote(item{from: id, msg: &paxos.StatusQuery{Nonce: uint64(n)}, size: 10})
		}
	}
	items, more := b.take()
	if len(items) != 2 || more {
		t.Fatalf("%d questions are stepped", len(items))
	}
	for _, it := range items {
		if q := it.msg.(*paxos.StatusQuery); q.Nonce != 1999 {
			t.Errorf("%s is answered question %d", it.from, q.Nonce)
		}
	}
	b.putRemote(item{from: "@1", msg: &paxos.StatusQuery{Nonce: 7}, size: 10})
	if items, _ = b.take(); len(items) != 1 || b.ofClients.Load() != 0 {
		t.Errorf("%d questions, %d bytes", len(items), b.ofClients.Load())
	}
}

// TestFloodOfQuestionsWaits: the reader of a client that asks without end waits for the answer.
func TestFloodOfQuestionsWaits(t *testing.T) {
	b := newInbox(1 << 20)
	ask := func() { b.putRemote(item{from: "@1", msg: &paxos.StatusQuery{Nonce: 1}, size: 10}) }
	for range maxRepeats + 2 {
		if b.crowded("@1") {
			t.Fatal("a few questions are taken for a flood")
		}
		ask()
	}
	if !b.crowded("@1") || b.crowded("@2") {
		t.Fatal("the flood is not found out, or another's")
	}
	asked := make(chan bool)
	go func() {
		ask()
		close(asked)
	}()
	select {
	case <-asked:
		t.Fatal("its reader does not wait")
	case <-time.After(50 * time.Millisecond):
	}
	if items, _ := b.take(); len(items) != 1 {
		t.Fatalf("%d questions are stepped", len(items))
	}
	<-asked
}

// TestCrowds: a machine that wants to know it is told of which clients much stays, after what is stepped of them, and
// not at each turn.
func TestCrowds(t *testing.T) {
	for _, tells := range []bool{false, true} {
		now := time.Unix(1, 0)
		b := newInbox(1 << 20)
		b.tellsCrowds, b.now = tells, func() time.Time { return now }
		for range 3*maxClient + crowdBytes/100 + 1 {
			b.putRemote(item{from: "@1", msg: &paxos.Append{}, size: 100})
			b.putRemote(item{from: "@2", msg: &paxos.Append{}, size: 1})
		}
		for turn := range 3 {
			items, _ := b.take()
			var told []paxos.NodeID
			for _, it := range items[2*maxClient:] {
				told = append(told, it.msg.(*paxos.Crowd).Client)
			}
			want := []paxos.NodeID{"@1"}
			if !tells || turn == 1 {
				want = nil
			}
			if !slices.Equal(told, want) {
				t.Errorf("turn %d: it is told of %v", turn, told)
			}
			if turn == 1 {
				now = now.Add(crowdEach)
			}
		}
	}
}

// TestPassedOnTakesTurns: appends that a standby passes on are behind one of each client, and not ahead as what
// servers say; and those that wait when the connection to it ends are lost with that.
func TestPassedOnTakesTurns(t *testing.T) {
	b := newInbox(1 << 20)
	for range 500 {
		b.putRemote(item{from: "p2", msg: &paxos.Append{Client: "@7"}, size: 10})
	}
	b.putRemote(item{from: "@1", msg: &paxos.Append{}, size: 10})
	b.putRemote(item{from: "p2", msg: &paxos.Leads{}, size: 10})
	items, more := b.take()
	if _, first := items[0].msg.(*paxos.Leads); !first || len(items) != 1+2*maxClient || !more {
		t.Fatalf("%d are stepped, the first is %T, more %v", len(items), items[0].msg, more)
	}
	b = newInbox(1 << 20)
	for range 500 {
		b.putRemote(item{from: "p2", msg: &paxos.Append{Client: "@7"}, size: 10})
	}
	b.putRemote(item{from: "@1", msg: &paxos.Append{}, size: 10})
	b.lost("p2", item{from: "p1", msg: &paxos.PeerDown{ID: "p2"}})
	b.lost("a1", item{from: "p1", msg: &paxos.PeerDown{ID: "a1"}})
	items, more = b.take()
	if len(items) != 3 || items[2].from != "@1" || more || b.ofClients.Load() != 0 || b.waiting() != 0 {
		t.Errorf("%d are stepped after the connection has ended, more %v; %d bytes, %d messages are kept", len(items), more, b.ofClients.Load(), b.waiting())
	}
}
