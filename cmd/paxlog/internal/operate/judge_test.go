package operate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
	"github.com/paxlog/paxlog/transport"
	"github.com/paxlog/paxlog/wire"
)

// state is a cluster of which everything is up and caught up; p1 leads.
func state(acceptors, proposers, learners int) client.Status {
	s := client.Status{Leader: "p1", Quorum: true, Serving: true}
	add := func(role paxos.Role, prefix string, n int) {
		for i := range n {
			p := client.ProcessStatus{Role: role, ProcessState: client.ProcessState{Chosen: 1000, Applied: 1000, Voting: true}}
			p.ID = fmt.Sprintf("%s%d", prefix, i+1)
			s.Processes = append(s.Processes, p)
		}
	}
	add(paxos.RoleAcceptor, "a", acceptors)
	add(paxos.RoleProposer, "p", proposers)
	add(paxos.RoleLearner, "l", learners)
	return s
}

// TestJudge: what can be stopped, for every quorum system and state that matters.
func TestJudge(t *testing.T) {
	down := func(p *client.ProcessStatus) { p.Err = fmt.Errorf("dial: %w", syscall.ECONNREFUSED) }
	failed := func(err error) func(*client.ProcessStatus) { return func(p *client.ProcessStatus) { p.Err = err } }
	drained := func(p *client.ProcessStatus) { p.Drained = true }
	behind := func(n uint64) func(*client.ProcessStatus) {
		return func(p *client.ProcessStatus) { p.Missing, p.Applied = n, paxos.Instance(1000-n) }
	}
	type change = map[string]func(*client.ProcessStatus)
	for _, test := range []struct {
		acceptors, proposers, learners int
		phase1, phase2                 int // 0: majority
		state                          change
		stop                           string
		why                            string // part of the reason; "" if it can be stopped
		oneMore                        string // part of what one more failure would do
	}{
		{3, 2, 2, 0, 0, nil, "a1", "", "if one of a2, a3 fails: appends stop, and so do linearizable reads"},
		{3, 2, 2, 0, 0, nil, "a1 a2", "1 of 3 acceptors would be left, and 2 are needed: there are no others", "already that"},
		{3, 2, 2, 0, 0, nil, "p1", "", "if p2 fails: nobody leads"},
		{3, 2, 2, 0, 0, nil, "p1 p2", "0 of 2 proposers would be left, and 1 is needed", ""},
		{3, 2, 2, 0, 0, nil, "l2", "", "if l1 fails: nobody answers clients"},
		{3, 2, 1, 0, 0, nil, "l1", "0 of 1 learners would be left", ""},
		{3, 2, 2, 0, 0, nil, "a1 p1 l1", "", "if one of a2, a3 fails"},
		{3, 3, 3, 0, 0, nil, "p2", "", "whatever fails next, the log goes on"},
		{5, 3, 3, 0, 0, nil, "a1", "", "whatever fails next, the log goes on"},
		{5, 2, 2, 0, 0, nil, "a1 a2", "", "if one of a3, a4, a5 fails"},
		{5, 2, 2, 0, 0, nil, "a1 a2 a3", "2 of 5 acceptors would be left, and 3 are needed", ""},
		{1, 1, 1, 0, 0, nil, "a1", "0 of 1 acceptors", ""},
		// Flexible quorums: as many as the larger one must be left.
		{4, 2, 2, 3, 2, nil, "a1", "", "the leader goes on, and no other one can be elected"},
		{4, 2, 2, 3, 2, nil, "a1 a2", "2 of 4 acceptors would be left, and 3 are needed", ""},
		{4, 2, 2, 2, 3, nil, "a1", "", "appends stop until one is back, and reads go on"},
		{4, 2, 2, 1, 4, nil, "a1", "3 of 4 acceptors would be left, and 4 are needed", ""},
		// Who does not do its part does not count.
		{3, 2, 2, 0, 0, change{"a3": down}, "a1", "a3 is not up: start a3 (`paxlog status` says how)", ""},
		{3, 2, 2, 0, 0, change{"a3": down}, "a3", "", "if one of a1, a2"},
		{3, 2, 2, 0, 0, change{"a3": drained}, "a1", "a3 is drained: `paxlog undrain a3` first", ""},
		{3, 2, 2, 0, 0, change{"a3": behind(65)}, "a1", "a3 misses 65 instances: wait for a3 to catch up", ""},
		{3, 2, 2, 0, 0, change{"a3": behind(64)}, "a1", "", ""},
		{3, 2, 2, 0, 0, change{"a3": behind(65)}, "a3", "", ""},
		{3, 2, 2, 0, 0, change{"a3": func(p *client.ProcessStatus) { p.Voting = false }}, "a1", "a3 does not vote", ""},
		{3, 2, 2, 0, 0, change{"a3": func(p *client.ProcessStatus) { p.DiskHangs = 7 * time.Second }}, "a1", "a3 has a disk that hangs for 7 s", ""},
		// Who answers otherwise than meant, or not at all, may run: nobody is told to start it.
		{3, 2, 2, 0, 0, change{"a3": failed(&transport.RefusedError{Code: wire.RefusedLog})}, "a1", "a3 runs, and counts for nothing: its directory was initialised anew, or is of another log: `paxlog status` says more of a3", ""},
		{3, 2, 2, 0, 0, change{"a3": failed(&transport.RefusedError{Code: wire.RefusedPlain})}, "a1", "a3 runs, and refuses to be asked: `paxlog status` says more of a3", ""},
		{3, 2, 2, 0, 0, change{"a3": failed(transport.ErrNoAnswer)}, "a1", "a3 runs and does not answer: `paxlog status` says more of a3", ""},
		{3, 2, 2, 0, 0, change{"a3": failed(errors.New("no route"))}, "a1", "a3 could not be asked: `paxlog status` says more of a3", ""},
		{5, 2, 2, 0, 0, change{"a3": down, "a4": down, "a5": drained}, "a1", "a3 is not up, a4 is not up, a5 is drained: start a3, a4 (`paxlog status` says how); `paxlog undrain a5` first", ""},
		{3, 2, 2, 0, 0, change{"p2": drained}, "p1", "p2 is drained", ""},
		{3, 2, 2, 0, 0, change{"p2": down}, "p1", "p2 is not up", ""},
		{3, 2, 2, 0, 0, change{"l2": behind(500)}, "l1", "l2 is 500 instances behind", ""},
		{3, 2, 2, 0, 0, change{"l2": drained}, "l1", "l2 is drained", ""},
		// What is short already is short whoever is stopped.
		{3, 2, 2, 0, 0, change{"a2": down, "a3": down}, "l1", "1 of 3 acceptors would be left", ""},
	} {
		t.Run(fmt.Sprintf("%d%d%d %d,%d %s", test.acceptors, test.proposers, test.learners, test.phase1, test.phase2, test.stop), func(t *testing.T) {
			m := paxos.Membership{Phase1: test.phase1, Phase2: test.phase2}
			if m.Phase1 == 0 {
				m.Phase1, m.Phase2 = test.acceptors/2+1, test.acceptors/2+1
			}
			s := state(test.acceptors, test.proposers, test.learners)
			for i, p := range s.Processes {
				if f := test.state[p.ID]; f != nil {
					f(&s.Processes[i])
				}
				if p.Role == paxos.RoleAcceptor {
					m.Acceptors = append(m.Acceptors, paxos.NodeID(p.ID))
				}
			}
			stop := strings.Fields(test.stop)
			j := Judge(s, m, 64, stop...)
			why := strings.Join(j.Reasons, "; ")
			if j.Yes() != (test.why == "") || !strings.Contains(why, test.why) {
				t.Errorf("reasons %q, not %q", why, test.why)
			}
			if !strings.Contains(j.OneMore, test.oneMore) {
				t.Errorf("one more failure: %q, not %q", j.OneMore, test.oneMore)
			}
			if hands := len(j.Advice) > 0; hands != (j.Yes() && slices.Contains(stop, "p1")) {
				t.Errorf("advice %q", j.Advice)
			}
		})
	}
}

// TestJudgeMembers: who counts is as the leader says, once the acceptors have changed; and
// where they may have, and nobody says how, nothing can be stopped.
func TestJudgeMembers(t *testing.T) {
	file := paxos.Membership{Cluster: "c", Acceptors: []paxos.NodeID{"a1", "a2", "a3"}, Phase1: 2, Phase2: 2, Sessions: 1}
	s := state(4, 2, 2) // a4 came
	s.Members = &client.Members{Epoch: 2, Phase1: 3, Phase2: 3}
	for _, p := range s.Processes[:4] {
		s.Members.List = append(s.Members.List, client.Member{ID: p.ID, IsMember: true})
	}
	if j := Judge(s, membership(&s, file), 10, "a1"); !j.Yes() || j.Acceptors.Need != 3 || j.Acceptors.Survives != 0 {
		t.Errorf("four of which three are needed: %+v", j)
	}
	if j := Judge(s, membership(&s, file), 10, "a1", "a2"); j.Yes() {
		t.Errorf("two of four: %+v", j)
	}
	s.Members.Epoch, s.Members.Phase1, s.Members.Phase2 = 3, 2, 2
	s.Members.List[0].IsMember, s.Processes[0].Former = false, true // a1 went
	if j := Judge(s, membership(&s, file), 10, "a2"); !j.Yes() || j.Acceptors.Of != 3 || j.Acceptors.Need != 2 {
		t.Errorf("one that is none any more counts: %+v", j)
	}
	s.Members, s.Processes[0].Level = nil, control.LevelMembers
	if j := Judge(s, membership(&s, file), 10, "l2"); j.Yes() || !strings.Contains(j.Reasons[0], "try again when one leads") {
		t.Errorf("nobody says who the acceptors are: %+v", j)
	}
}

// TestTrimPlan: the question before a trim says what goes, and how much of it, or that it is all.
func TestTrimPlan(t *testing.T) {
	for _, test := range []struct {
		first, last, to client.Index
		plan            string
	}{
		{3, 1009, 1010, "Entries 3 to 1009, all that there are, are deleted everywhere, for good."},
		{3, 1009, 1009, "Entries 3 to 1008, 1006 of 1007, are deleted everywhere, for good."},
		{3, 1009, 4, "Entries 3 to 3, 1 of 1007, are deleted everywhere, for good."},
		{3, 1009, 3, ""},
		{3, 1009, 1, ""},
		{0, 0, 1, ""},
		{1010, 1009, 1010, ""}, // all was deleted before
	} {
		if got := trimPlan(test.first, test.last, test.to); got != test.plan {
			t.Errorf("%d-%d to %d: %q, not %q", test.first, test.last, test.to, got, test.plan)
		}
	}
}

// TestWhyNoCheckpoint: who trims and is held back is told which learners a checkpoint lacks.
func TestWhyNoCheckpoint(t *testing.T) {
	s := state(3, 2, 2)
	if why := whyNoCheckpoint(s); !strings.HasPrefix(why, "that takes two learners, and all answer: ask again") {
		t.Error(why)
	}
	s.Processes[6].Err = fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
	if why := whyNoCheckpoint(s); !strings.HasPrefix(why, "that takes two learners, and l2 is not up: `paxlog status`") {
		t.Error(why)
	}
	if why := whyNoCheckpoint(state(3, 2, 1)); !strings.HasPrefix(why, "that takes the learner, and") {
		t.Error(why)
	}
}
