package bench

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/load"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// seenAt is what one look shows: the highest instance chosen, and the learner.
type seenAt struct {
	at      time.Duration
	chosen  paxos.Instance
	applied paxos.Instance
	last    paxos.Index
	down    bool
}

func (s seenAt) status() client.Status {
	l := client.ProcessStatus{Peer: client.Peer{ID: "l2"}, Role: paxos.RoleLearner}
	l.Applied, l.Last = s.applied, s.last
	if s.down {
		l.Err, l.ProcessState = errors.New("down"), client.ProcessState{}
	}
	p := client.ProcessStatus{Peer: client.Peer{ID: "p1"}, Role: paxos.RoleProposer, ProcessState: client.ProcessState{Chosen: s.chosen}}
	return client.Status{Processes: []client.ProcessStatus{p, l}}
}

// TestCatchup plays what a learner shows, look by look.
func TestCatchup(t *testing.T) {
	second := time.Second
	for name, test := range map[string]struct {
		looks []seenAt
		want  string // entries and seconds, and what was said
	}{
		"started anew": {[]seenAt{
			{at: second, chosen: 1000, down: true}, {at: 2 * second, chosen: 1100, applied: 10, last: 100},
			{at: 3 * second, chosen: 1200, applied: 600, last: 6000}, {at: 4 * second, chosen: 1300, applied: 1200, last: 12100},
		}, "12000 in 2 l2 is down: start it now, with an empty data directory"},
		"never behind": {[]seenAt{{at: second, chosen: 1000, down: true}}, "- in - l2 is down: start it now, with an empty data directory"},
		"behind already": {[]seenAt{
			{at: second, chosen: 1000, applied: 10, last: 100}, {at: 2 * second, chosen: 1100, applied: 20, last: 200},
			{at: 3 * second, chosen: 1200, applied: 1150, last: 11500},
		}, "11300 in 1 "},
		"not behind, then started anew": {[]seenAt{
			{at: second, chosen: 1000, applied: 995, last: 9950}, {at: 2 * second, chosen: 1100, applied: 1095, last: 9950}, {at: 3 * second, chosen: 1200, down: true},
			{at: 4 * second, chosen: 1300, applied: 1, last: 10}, {at: 5 * second, chosen: 1400, applied: 1390, last: 13910},
		}, "13900 in 1 l2 is not behind: stop it, and start it again with an empty data directory"},
		"caught up at once": {[]seenAt{
			{at: second, chosen: 1000, down: true}, {at: 2 * second, chosen: 1100, applied: 1090, last: 5000}, {at: 3 * second, chosen: 1200, applied: 1190, last: 6000},
		}, "6000 in 2 l2 is down: start it now, with an empty data directory l2 caught up within a moment: the figures take it to have been empty when it was last seen down"},
	} {
		clock := &fakeClock{}
		var said []string
		c := &catchup{
			opts: options{Learner: "l2", Duration: second, Timeout: time.Minute}, clock: clock, lines: &lines{},
			load: load.New(load.Config{}),
			say:  func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) },
		}
		for i := range c.latency {
			c.latency[i] = load.NewHistogram()
		}
		for _, s := range test.looks {
			clock.at = s.at
			if err := c.look(s.status()); err != nil {
				t.Fatal(err)
			}
		}
		clock.at += second
		c.enter(phases)
		r := c.result()
		if got := fmt.Sprintf("%s in %s %s", shapes.OrDash(r.Entries), decimal(r.Seconds), strings.Join(said, " ")); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

// TestCatchupPatience: neither a learner that does not start nor one that is stuck
// is waited for without end.
func TestCatchupPatience(t *testing.T) {
	clock := &fakeClock{}
	c := &catchup{
		opts: options{Learner: "l2", Timeout: 5 * time.Second}, clock: clock, lines: &lines{}, say: func(string, ...any) {},
		load: load.New(load.Config{}),
	}
	for i := range c.latency {
		c.latency[i] = load.NewHistogram()
	}
	if err := c.look(seenAt{chosen: 1000, down: true}.status()); err != nil {
		t.Fatal(err)
	}
	clock.at = 6 * time.Second
	if err := c.look(seenAt{chosen: 1000, down: true}.status()); command.CodeOf(err) != command.ExitUnavailable {
		t.Errorf("not started: %v", err)
	}
	clock.at = 4 * time.Second
	if err := c.look(seenAt{chosen: 1000, applied: 5}.status()); err != nil || c.phase != phaseDuring {
		t.Fatalf("phase %d, %v", c.phase, err)
	}
	clock.at += catchupStall + time.Second
	if err := c.look(seenAt{chosen: 1000, applied: 5}.status()); command.CodeOf(err) != command.ExitUnavailable || !strings.Contains(err.Error(), "at instance 5 of 1000") {
		t.Errorf("stuck: %v", err)
	}
}

// fakeClock is a clock that only the test moves.
type fakeClock struct{ at time.Duration }

func (c *fakeClock) Now() time.Duration { return c.at }

func (c *fakeClock) Wait(until time.Duration, _, _ <-chan struct{}) { c.at = until }
