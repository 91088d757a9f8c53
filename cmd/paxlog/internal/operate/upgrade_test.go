package operate

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/paxos"
)

// able is a cluster of which every process is up and knows level 2; the log has level 1.
func able() client.Status {
	s := state(3, 2, 2)
	for i := range s.Processes {
		p := &s.Processes[i]
		p.Program, p.Oldest, p.Speaks, p.Knows, p.Log, p.Level = "v9", 2, 3, 2, client.LogID{1}, 1
		if p.Role != paxos.RoleProposer {
			p.Format, p.Converts = 4, 4
		}
	}
	return s
}

// TestJudgeUpgrade: what is in the way of a level, and what it would change.
func TestJudgeUpgrade(t *testing.T) {
	none := able()
	none.Leader = ""
	for name, test := range map[string]struct {
		status  client.Status
		change  func(p *client.ProcessStatus)
		of      string
		to      uint64
		in      string // part of what is in the way; "" if nothing is
		changes string // part of what would change
	}{
		"able":           {able(), nil, "", 2, "", "it cannot be undone"},
		"done":           {able(), nil, "", 1, "", ""},
		"left behind":    {able(), func(p *client.ProcessStatus) { p.Knows = 0 }, "l1", 1, "l1 knows level 0, and the log has level 1: it takes part no more", ""},
		"done, one down": {able(), func(p *client.ProcessStatus) { p.Err = errors.New("refused") }, "l2", 1, "", ""},
		"removed":        {able(), func(p *client.ProcessStatus) { p.Err, p.Former = errors.New("refused"), true }, "a2", 2, "", ""},
		"down":           {able(), func(p *client.ProcessStatus) { p.Err = errors.New("refused") }, "l2", 2, "l2 is not up (refused)", ""},
		"older":          {able(), func(p *client.ProcessStatus) { p.Knows = 1 }, "p2", 2, "p2 runs v9, which knows level 1", ""},
		"of level 0":     {able(), func(p *client.ProcessStatus) { p.ProcessState = client.ProcessState{} }, "a2", 2, "a2 knows level 0, and the log has level 1", ""},
		"nobody leads":   {none, nil, "", 2, "no proposer leads", ""},
		"an old format":  {able(), func(p *client.ProcessStatus) { p.Format = 3 }, "a1", 2, "", "3 becomes 4 (a1)"},
	} {
		for i := range test.status.Processes {
			if p := &test.status.Processes[i]; p.ID == test.of {
				test.change(p)
			}
		}
		u := JudgeUpgrade(test.status, test.to)
		if got := strings.Join(u.Obstacles, "; "); test.in == "" && got != "" || !strings.Contains(got, test.in) || len(u.Obstacles) > 1 {
			t.Errorf("%s: in the way: %q", name, got)
		}
		if got := strings.Join(u.Changes(), "; "); !strings.Contains(got, test.changes) || u.Done() != (got == "") {
			t.Errorf("%s: changes %q", name, got)
		}
		if u.Level != 1 || u.Log != (client.LogID{1}) {
			t.Errorf("%s: log %v, level %d", name, u.Log, u.Level)
		}
	}
}

// TestJudgeLevelless: a log of level 0 gets its id, and processes of the release that began it are in
// the way.
func TestJudgeLevelless(t *testing.T) {
	s := able()
	for i := range s.Processes {
		p := &s.Processes[i]
		if p.Log, p.Level = (client.LogID{}), 0; p.ID == "a2" {
			p.ProcessState = client.ProcessState{}
		} else if p.Format > 0 {
			p.Format = 3
		}
	}
	u := JudgeUpgrade(s, 1)
	changes := strings.Join(u.Changes(), "; ")
	if fmt.Sprint(u.Obstacles) != "[a2 runs a release that knows level 0 only: replace its program]" || u.Level != 0 || !u.Log.IsZero() || u.Done() {
		t.Errorf("%+v", u)
	}
	for _, want := range []string{"level 1: an id for the log", "3 becomes 4 (a1 a3 l1 l2)", "version 2 of the protocol only are refused"} {
		if !strings.Contains(changes, want) {
			t.Errorf("%q is not in %s", want, changes)
		}
	}
}

// TestBehind: who has not heard of the level, or not converted its directory, is waited for; a
// proposer that does not lead hears of it when it does.
func TestBehind(t *testing.T) {
	s := able()
	for i, level := range []uint64{2, 1, 2, 0, 2, 2, 2} {
		s.Processes[i].Level = level
	}
	s.Processes[5].Format = 3
	u := JudgeUpgrade(s, 2)
	if got := fmt.Sprint(u.behind()); got != "[a2 l1]" {
		t.Error(got)
	}
	s.Processes[1].Err = errors.New("refused") // nobody waits for one that is down
	u = JudgeUpgrade(s, 2)
	if got := fmt.Sprint(u.behind(), u.down()); got != "[l1] [a2]" {
		t.Error(got)
	}
}
