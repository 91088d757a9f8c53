package core

import (
	"errors"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

var errEnough = errors.New("the caller has left")

// TestGiveUpAlone: who gives up does so alone. What was sent stays, is unknown, and the
// others are appended; what was never sent is taken out.
func TestGiveUpAlone(t *testing.T) {
	h := newHarness(t, 3)
	h.send()
	buffer := h.entries[1].Value
	h.GiveUp(h.entries[1], errEnough)
	copy(buffer, "X") // the caller uses it again
	h.want("fates", h.fates(), "[waits unknown waits]")
	if u := h.entries[1].Err; !errors.Is(u, errEnough) || h.entries[1].ID != (paxos.AppendID{Session: h.id, Seq: 2}) {
		t.Errorf("%v", u)
	}
	h.resend()
	for _, a := range h.appends() {
		r, _, _ := paxos.NextRun(a.Batch)
		_, rest := paxos.NextEntry(r.Entries)
		if second, _ := paxos.NextEntry(rest); r.Count == 3 && string(second) != "2" {
			t.Errorf("sent again with what the caller wrote there since: %q", second)
		}
	}
	h.applied(1, 3, 11)
	h.want("fates", h.fates(), "[11 unknown 13]")
	if h.bytes != 0 || h.m.Pending() != 0 {
		t.Errorf("%d bytes, %d pending", h.bytes, h.m.Pending())
	}
}

// TestGiveUpUnsent: an entry that no proposer can have is certainly not appended, and
// its number goes to the next.
func TestGiveUpUnsent(t *testing.T) {
	for name, prepare := range map[string]func(h *harness){
		"no proposer": func(h *harness) {
			h.m.Step("p1", &paxos.PeerDown{ID: "p1"})
			h.m.Step("p2", &paxos.PeerDown{ID: "p2"})
			h.flush()
		},
		"all refused": func(h *harness) { h.refuse(h.appends()) },
	} {
		h := newHarness(t, 2)
		prepare(h)
		h.GiveUp(h.entries[0], errEnough)
		h.want(name, h.fates(), "[not appended waits]")
		if err := h.entries[0].Err; !errors.Is(err, ErrUnavailable) || !errors.Is(err, errEnough) {
			t.Errorf("%s: %v", name, err)
		}
		h.m.Step("p1", &paxos.PeerUp{ID: "p1"})
		h.tick(1000)
		for _, a := range h.appends() {
			r, _, _ := paxos.NextRun(a.Batch)
			if v, _ := paxos.NextEntry(r.Entries); r.First != 1 || r.Count != 1 || string(v) != "2" {
				t.Errorf("%s: sent %d+%d %q", name, r.First, r.Count, v)
			}
		}
		h.applied(1, 1, 7)
		h.want(name, h.fates(), "[not appended 7]")
		if h.bytes != 0 {
			t.Errorf("%s: %d bytes", name, h.bytes)
		}
	}
}

// TestToldNumbers: a number that a caller was told is never used for another entry, even
// when all attempts that carried it were refused afterwards.
func TestToldNumbers(t *testing.T) {
	h := newHarness(t, 2)
	sent := h.appends()
	h.GiveUp(h.entries[0], errEnough)
	h.refuse(sent)
	h.GiveUp(h.entries[1], errEnough)
	h.want("fates", h.fates(), "[unknown not appended]")
	h.add(0)
	h.tick(1000)
	for _, a := range h.appends() {
		r, _, _ := paxos.NextRun(a.Batch)
		if v, _ := paxos.NextEntry(r.Entries); r.First != 1 || string(v) != "1" {
			t.Errorf("number %d is %q now", r.First, v)
		}
	}
	h.applied(1, 2, 4)
	h.want("fates", h.fates(), "[unknown not appended 5]")

	h = newHarness(t, 2)
	sent = h.appends()
	h.GiveUp(h.entries[1], errEnough)
	h.refuse(sent)
	h.GiveUp(h.entries[0], errEnough) // the number after it was told: it keeps its own, or there were a gap
	h.want("fates", h.fates(), "[unknown unknown]")
	h.add(0)
	h.tick(1000)
	h.want("sent", h.send(), "[1+3>p1]")
}

// TestDeadlines: an entry that was sent is given up alone; what was not sent and is of a
// stream ends the session, so that nothing after it is appended without it.
func TestDeadlines(t *testing.T) {
	h := newHarness(t, 0)
	h.add(100)
	h.send()
	h.m.Step("p1", &paxos.PeerDown{ID: "p1"})
	h.m.Step("p2", &paxos.PeerDown{ID: "p2"})
	h.add(200)
	h.tick(99)
	h.want("before", h.fates(), "[waits waits]")
	h.tick(100)
	h.want("at the first", h.fates(), "[unknown waits]")
	h.tick(200)
	h.want("at the second", h.fates(), "[unknown not appended]")
	if h.Err() != nil {
		t.Errorf("the session has ended: %v", h.Err())
	}
	third := h.add(300)
	third.Stream = true
	h.add(400).Stream = true
	h.flush()
	h.tick(300)
	h.want("at the third", h.fates(), "[unknown not appended not appended not appended]")
	if !errors.Is(h.Err(), ErrSessionEnded) || !errors.Is(h.entries[3].Err, ErrSessionEnded) || errors.Is(third.Err, ErrSessionEnded) {
		t.Errorf("%v; %v; %v", h.Err(), third.Err, h.entries[3].Err)
	}
}

// TestRoom: entries given up on keep their place in the budget until they are answered;
// those taken out give it back.
func TestRoom(t *testing.T) {
	h := newHarness(t, 0)
	h.m.cfg.InflightBytes = 2 * (1 + EntryOverhead)
	if h.add(0); !h.Room(1) {
		t.Error("no room for two")
	}
	h.flush()
	h.GiveUp(h.entries[0], errEnough)
	h.add(0)
	h.flush()
	if h.Room(1) {
		t.Error("room for three")
	}
	h.applied(1, 2, 1)
	if !h.Room(1) || !h.Room(1<<30) {
		t.Error("no room although all is answered: one entry is always admitted")
	}
}
