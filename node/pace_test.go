package node

import (
	"fmt"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// TestPace: a client that asks for more than it may in a window gets a reader of its own, which rests
// once for each allowance, and longer the later it woke up; appends are not counted, and one that
// asks for less is never held up.
func TestPace(t *testing.T) {
	now := time.Unix(1, 0)
	b := newInbox(64 << 20)
	b.now = func() time.Time { return now }
	send := func(id paxos.NodeID, m paxos.Message, n int) {
		for range n {
			b.putRemote(item{from: id, msg: m, size: 10})
			if b.waits > 1000 {
				b.take()
			}
		}
	}
	cost, asks := costOf(&paxos.Attach{})
	if cost == 0 || !asks {
		t.Fatal("an Attach is no question")
	}
	few := allowance / cost
	for _, id := range []paxos.NodeID{"@1", "@2", "@3"} {
		send(id, &paxos.Attach{}, firstAllowance/cost)
	}
	if send("@3", &paxos.Attach{}, 1); b.crowded("@1") || !b.crowded("@3") {
		t.Error("who has just come may ask for more, or less, than it should")
	}
	b.left("@3", item{from: "a1", msg: &paxos.PeerDown{ID: "@3"}})
	now = now.Add(paceWindow)
	for range 5 { // in five windows
		send("@1", &paxos.Attach{}, few)
		send("@2", &paxos.Append{}, 10*allowance)
		now = now.Add(paceWindow)
	}
	for _, id := range []paxos.NodeID{"@1", "@2"} {
		if d := b.rest(id, 0); d != 0 || b.crowded(id) {
			t.Errorf("%s rests for %v", id, d)
		}
	}
	send("@1", &paxos.Attach{}, few+1)
	now = now.Add(paceWindow / 2)
	send("@1", &paxos.Attach{}, few)
	if !b.crowded("@1") || b.crowded("@2") {
		t.Error("who asks for too much has no reader of its own, or another one has")
	}
	if d := b.rest("@1", 0); d != leastRest {
		t.Errorf("on an idle machine it rests for %v", d)
	}
	if d := b.rest("@1", 0); d != 0 {
		t.Errorf("it rests again, for %v, though it has asked for nothing since", d)
	}
	send("@1", &paxos.Attach{}, few+1)
	now = now.Add(leastRest)
	if d := b.rest("@1", 10*time.Millisecond); d != restTimes*10*time.Millisecond {
		t.Errorf("where threads wait for 10 ms it rests for %v", d)
	}
	send("@1", &paxos.Attach{}, few+1)
	if d := b.rest("@1", time.Hour); d != mostRest {
		t.Errorf("it rests for %v at most", d)
	}
	b.left("@1", item{from: "a1", msg: &paxos.PeerDown{ID: "@1"}})
	if n := b.floods.Load(); n != 0 {
		t.Errorf("%d clients flood this process when the one that did has left", n)
	}
}

// TestFloodsRestTogether: readers of many clients that ask for too much rest one after the other, so that together they
// get what one would.
func TestFloodsRestTogether(t *testing.T) {
	now := time.Unix(1, 0)
	b := newInbox(64 << 20)
	b.now = func() time.Time { return now }
	cost, _ := costOf(&paxos.Attach{})
	ask := func(id paxos.NodeID) {
		for range allowance/cost + 1 {
			b.putRemote(item{from: id, msg: &paxos.Attach{}, size: 10})
		}
	}
	for n := range 10 {
		id := paxos.NodeID(fmt.Sprintf("@%d", n))
		ask(id)
		if d := b.rest(id, 0); d != time.Duration(n+1)*leastRest {
			t.Errorf("reader %d rests for %v", n, d)
		}
	}
	now = now.Add(10 * leastRest)
	ask("@3")
	if d := b.rest("@3", 0); d != leastRest {
		t.Errorf("when all have rested, the next one rests for %v", d)
	}
	for range 1000 {
		ask("@4")
		if d := b.rest("@4", time.Second); d > mostRest {
			t.Fatalf("a reader rests for %v", d)
		}
	}
	now = now.Add(mostRest)
	ask("@50")
	if d := b.rest("@50", 0); d != leastRest {
		t.Errorf("after a flood the next one rests for %v", d)
	}
	now = now.Add(paceWindow)
	ask("@60")
	now = now.Add(2 * paceWindow)
	if d := b.rest("@60", 0); d != 0 {
		t.Errorf("one that asked for much long ago rests for %v", d)
	}
}

// TestQuestionsOfThoseThatLeft: what a client asked is not stepped when it has left, and what it
// appended is.
func TestQuestionsOfThoseThatLeft(t *testing.T) {
	b := newInbox(1 << 20)
	for range 100 {
		b.putRemote(item{from: "@1", msg: &paxos.Read{}, size: 10})
		b.putRemote(item{from: "@1", msg: &paxos.Append{}, size: 10})
		b.putRemote(item{from: "@2", msg: &paxos.Read{}, size: 10})
	}
	b.left("@1", item{from: "l1", msg: &paxos.PeerDown{ID: "@1"}})
	b.left("@2", item{from: "l1", msg: &paxos.PeerDown{ID: "@2"}})
	appended, gone := 0, 0
	for more := true; more; {
		var items []item
		items, more = b.take()
		for _, it := range items {
			switch m := it.msg.(type) {
			case *paxos.Append:
				appended++
			case *paxos.PeerDown:
				if gone++; m.ID == "@1" && appended != 100 {
					t.Errorf("%d appends are stepped before it has left", appended)
				}
			default:
				t.Errorf("%T is stepped", m)
			}
		}
	}
	if appended != 100 || gone != 2 || b.ofClients.Load() != 0 || b.waiting() != 0 || b.turns.Len() != 0 {
		t.Errorf("%d appends; %d have left; %d bytes, %d messages, %d lanes are kept", appended, gone, b.ofClients.Load(), b.waiting(), b.turns.Len())
	}
}

// TestReaderOfOneThatLeft: the reader of a client that has ended its connection does not wait for room, and
// what the client asked is not stepped meanwhile.
func TestReaderOfOneThatLeft(t *testing.T) {
	b := newInbox(8 << 20)
	read := make(chan bool)
	go func() {
		for range 3 { // of which two fit
			b.putRemote(item{from: "@1", msg: &paxos.Read{}, size: 3 << 20})
		}
		close(read)
	}()
	for b.waiting() < 1 {
		select {
		case <-read:
			t.Fatal("its reader does not wait")
		case <-time.After(time.Millisecond):
		}
	}
	b.gone("@1")
	select {
	case <-read:
	case <-time.After(10 * time.Second):
		t.Fatal("its reader waits for room")
	}
	if items, more := b.take(); len(items) > 0 || more || b.ofClients.Load() != 0 {
		t.Errorf("%d messages are stepped, %d bytes are kept", len(items), b.ofClients.Load())
	}
}
