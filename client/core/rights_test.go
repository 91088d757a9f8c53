package core

import (
	"errors"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestAppendNotPermitted: a refusal for want of a right ends the session at once; what was only
// refused certainly was not appended, and what may be under way elsewhere is unknown.
func TestAppendNotPermitted(t *testing.T) {
	for _, twice := range []bool{false, true} {
		h := newHarness(t, 2)
		all := h.appends()
		if twice { // a second copy is under way to another leader
			h.m.Step("p2", &paxos.Leader{Ballot: paxos.Ballot{Round: 2, Proposer: "p2"}})
			h.appends()
		}
		h.m.Step("p1", &paxos.Refused{Session: h.id, First: all[0].First, Attempt: all[0].Attempt, Reason: paxos.RefuseRights, Detail: "grant it"})
		done, _ := h.m.Delivered()
		if len(done) != 2 {
			t.Fatalf("%d of 2 are answered", len(done))
		}
		for _, a := range done {
			if want := map[bool]error{false: ErrNotPermitted, true: ErrUnknownOutcome}[twice]; !errors.Is(a.Err, want) || errors.Is(a.Err, ErrNotPermitted) == twice || !strings.Contains(a.Err.Error(), "grant it") {
				t.Errorf("under way elsewhere: %v: %v", twice, a.Err)
			}
		}
	}
	h := newHarness(t, 1)
	h.appends()
	h.m.Step("p1", &paxos.Refused{Session: h.id, First: 1, Attempt: 99, Reason: paxos.RefuseRights}) // of none that was sent
	if h.Err() != nil {
		t.Errorf("a refusal of nothing ended it: %v", h.Err())
	}
}

// TestNotPermitted: whatever was asked for ends with what the process says, at once.
func TestNotPermitted(t *testing.T) {
	m := newMachine()
	born := m.Open([12]byte{1})
	var calls []*Call
	for _, kind := range []CallKind{CallEnd, CallRead, CallPage} {
		k := &Call{Kind: kind, From: 1}
		calls = append(calls, k)
		m.Ask(k)
	}
	session := paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{9})
	resolve := &Call{Kind: CallResolve, ID: paxos.AppendID{Session: session, Seq: 1}}
	m.Ask(resolve)
	for _, e := range m.Flush().SendNow {
		switch q := e.Msg.(type) {
		case *paxos.Attach:
			m.Step(e.To, &paxos.NotPermitted{Nonce: q.Nonce, Why: "grant it"})
		case *paxos.Locate:
			m.Step(e.To, &paxos.NotPermitted{Nonce: q.Nonce, Why: "grant it"})
		case *paxos.Read:
			m.Step(e.To, &paxos.NotPermitted{Nonce: q.Nonce, Why: "grant it"})
		case *paxos.Lookup:
			m.Step(e.To, &paxos.Found{Nonce: q.Nonce})
		}
	}
	if !errors.Is(born.Err(), ErrNotPermitted) {
		t.Errorf("a session that would begin: %v", born.Err())
	}
	for _, k := range calls {
		if !k.done || !errors.Is(k.Err, ErrNotPermitted) || !strings.Contains(k.Err.Error(), "grant it") {
			t.Errorf("call %d: %v", k.Kind, k.Err)
		}
	}
	m.Step("p1", &paxos.Refused{Session: session, Reason: paxos.RefuseRights, Detail: "grant it"})
	if !errors.Is(resolve.Err, ErrNotPermitted) {
		t.Errorf("a fence: %v", resolve.Err)
	}
	chosen := &Call{Kind: CallResolve, ID: paxos.AppendID{Session: session, Seq: 1}}
	m.Ask(chosen)
	for _, q := range sentTo[*paxos.Lookup](m.Flush().SendNow, "l1") {
		m.Step("l1", &paxos.Found{Nonce: q.Nonce, Index: 7})
	}
	m.Step("p1", &paxos.Refused{Session: session, Reason: paxos.RefuseRights, Detail: "grant it"})
	if !chosen.done || chosen.Err != nil || chosen.Index != 7 {
		t.Errorf("a fence where it is chosen: %+v", chosen)
	}
}

// TestDetachedForWantOfARight: a learner that tells no more of a session ends nothing: what the
// leader says of its entries is certain.
func TestDetachedForWantOfARight(t *testing.T) {
	h := newHarness(t, 1)
	h.appends()
	h.m.Step("l1", &paxos.NotPermitted{Session: h.id, Why: "grant it"})
	if done, _ := h.m.Delivered(); len(done) != 0 || h.Err() != nil || !strings.Contains(h.Why(), "grant it") {
		t.Errorf("%v, %v, %q", done, h.Err(), h.Why())
	}
	h.tick(h.m.now + attachWait)
	if again := sentTo[*paxos.Attach](h.flush(), "l1"); len(again) != 1 {
		t.Errorf("it asks again: %v", again)
	}
	h.m.Step("p1", &paxos.Refused{Session: h.id, First: 1, Attempt: 1, Reason: paxos.RefuseRights, Detail: "grant it"})
	if done, _ := h.m.Delivered(); len(done) != 1 || !errors.Is(done[0].Err, ErrNotPermitted) {
		t.Errorf("%v, %v", done, h.Err())
	}
}
