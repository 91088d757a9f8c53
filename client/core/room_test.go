package core

import (
	"errors"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestNoSpace: an append that is refused for want of room is sent again until its time is up; then
// it certainly was not appended, and says for want of what. An answer before that makes up for it.
func TestNoSpace(t *testing.T) {
	h := newHarness(t, 0)
	h.add(1000)
	refuse := func(all []*paxos.Append) {
		for _, a := range all {
			h.m.Step("p1", &paxos.Refused{Session: a.Session, First: a.First, Attempt: a.Attempt, Reason: paxos.RefuseNoSpace, Detail: "a1 has 1.0 MB left"})
		}
	}
	times := 0
	for now := paxos.Ticks(1); now < 1100; now += 10 {
		h.tick(now)
		all := h.appends()
		times += len(all)
		refuse(all)
	}
	err := h.entries[0].Err
	if times < 3 || !errors.Is(err, ErrNoSpace) || !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnknownOutcome) {
		t.Errorf("sent %d times, %v", times, err)
	}
	if want := "not available: no space: a1 has 1.0 MB left"; err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}
