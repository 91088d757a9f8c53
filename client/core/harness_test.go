package core

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// harness is a machine with one session that is born and entries named by number.
type harness struct {
	*Session
	t       *testing.T
	m       *Machine
	entries []*Append
	calls   []*Call
	sent    []paxos.Envelope
}

// newMachine is a machine to which p1, p2, l1 and l2 are connected, by whom nothing was
// said.
func newMachine() *Machine {
	m := New(Config{Proposers: []paxos.NodeID{"p1", "p2"}, Learners: []paxos.NodeID{"l1", "l2"}, InflightBytes: 1 << 20})
	m.Tick(1, 0)
	for _, id := range []paxos.NodeID{"p1", "p2", "l1", "l2"} {
		m.Step(id, &paxos.PeerUp{ID: id})
	}
	return m
}

func newHarness(t *testing.T, entries int) *harness {
	h := &harness{t: t, m: newMachine()}
	h.Session = h.m.Open([12]byte{1})
	h.bear(0)
	for range entries {
		h.add(0)
	}
	return h
}

// bear answers the question where sessions are born.
func (h *harness) bear(at paxos.Instance) {
	h.t.Helper()
	for _, e := range h.flush() {
		if a, ok := e.Msg.(*paxos.Attach); ok && a.Session == (paxos.SessionID{}) {
			h.m.Step(e.To, &paxos.Attached{Nonce: a.Nonce, Applied: at})
			return
		}
	}
	h.t.Fatal("nobody was asked where sessions are born")
}

func (h *harness) add(deadline paxos.Ticks) *Append {
	a := &Append{Value: fmt.Appendf(nil, "%d", len(h.entries)+1), Deadline: deadline}
	h.entries = append(h.entries, a)
	h.Session.Append(a)
	return a
}

// flush returns what the machine sends.
func (h *harness) flush() []paxos.Envelope {
	out := h.m.Flush().SendNow
	h.sent = append(h.sent, out...)
	return out
}

// send flushes, and returns each Append as FIRST+COUNT>TO.
func (h *harness) send() (out []string) {
	for _, e := range h.flush() {
		if a, ok := e.Msg.(*paxos.Append); ok && a.First != 0 {
			r, rest, err := paxos.NextRun(a.Batch)
			if err != nil || len(rest) > 0 || r.First != a.First || r.Session != a.Session {
				h.t.Fatalf("malformed Append: %+v %v", a, err)
			}
			out = append(out, fmt.Sprintf("%d+%d>%s", r.First, r.Count, e.To))
		}
	}
	return out
}

// appends are the Append messages sent since the harness was last asked for them.
func (h *harness) appends() (out []*paxos.Append) {
	h.flush()
	for _, e := range h.sent {
		if a, ok := e.Msg.(*paxos.Append); ok {
			out = append(out, a)
		}
	}
	h.sent = nil
	return out
}

// sentTo returns the messages of type T in out that went to id.
func sentTo[T paxos.Message](out []paxos.Envelope, id paxos.NodeID) (found []T) {
	for _, e := range out {
		if m, ok := e.Msg.(T); ok && e.To == id {
			found = append(found, m)
		}
	}
	return found
}

func (h *harness) refuse(all []*paxos.Append) {
	for _, a := range all {
		h.m.Step("p1", &paxos.Refused{Session: a.Session, First: a.First, Attempt: a.Attempt, Reason: paxos.RefuseBusy, Detail: "busy"})
	}
}

func (h *harness) result(kind paxos.ResultKind, first, count uint64, index paxos.Index) {
	h.m.Step("l1", &paxos.Result{Session: h.id, Kind: kind, First: first, Count: count, Index: index})
}

func (h *harness) applied(first, count uint64, index paxos.Index) {
	h.result(paxos.ResultApplied, first, count, index)
}

func (h *harness) tick(now paxos.Ticks) { h.m.Tick(now, 0) }

// fates says of each entry: its index, "unknown", "not appended", or "waits".
func (h *harness) fates() (out []string) {
	delivered, calls := h.m.Delivered()
	for _, a := range delivered {
		if a.Owner != nil {
			h.t.Errorf("delivered twice: %s", a.Value)
		}
		a.Owner = true
	}
	h.calls = append(h.calls, slices.Clone(calls)...)
	for _, a := range h.entries {
		var u *UnknownOutcomeError
		switch {
		case a.Owner == nil:
			out = append(out, "waits")
		case a.Err == nil:
			out = append(out, fmt.Sprint(a.Index))
		case errors.As(a.Err, &u):
			out = append(out, "unknown")
		case a.ID != (paxos.AppendID{}):
			h.t.Errorf("entry %s was not appended, and has the append id %v", a.Value, a.ID)
		default:
			out = append(out, "not appended")
		}
	}
	return out
}

func (h *harness) want(what string, got any, want any) {
	h.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		h.t.Errorf("%s: %v, want %v", what, got, want)
	}
}
