package clients

import (
	"fmt"
	"strings"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
)

// verdict returns nil if a leader with a quorum and a learner serve, else an
// error that asks for ExitUnavailable and says why not, and what to do next.
func verdict(s shapes.Status, c clusterfile.Found, serving bool) error {
	switch {
	case s.Leader != nil && s.Quorum && serving:
		return nil
	case s.Leader != nil && s.Quorum:
		return command.Exitf(command.ExitUnavailable, "no learner serves: %s", startLearner(s, c))
	}
	if refusal := refusedByAll(s); refusal != "" {
		return command.Exitf(command.ExitUnavailable, "every process that answers refuses this client: %s: check the cluster file", refusal)
	}
	reason := "no proposer leads"
	if s.Leader != nil {
		reason = *s.Leader + " leads, but has no answers of a quorum"
	}
	return command.Exitf(command.ExitUnavailable, "%s: %s", reason, whyNoLeader(s, c))
}

// refusedByAll returns a refusal if some process refuses, and none is up.
func refusedByAll(s shapes.Status) string {
	var all []shapes.Process
	for _, a := range s.Acceptors {
		all = append(all, a.Process)
	}
	for _, p := range s.Proposers {
		all = append(all, p.Process)
	}
	for _, l := range s.Learners {
		all = append(all, l.Process)
	}
	refusal := ""
	for _, p := range all {
		if p.Up {
			return ""
		}
		if p.Refused {
			refusal = *p.Error
		}
	}
	return refusal
}

// startLearner says which learners to start.
func startLearner(s shapes.Status, c clusterfile.Found) string {
	down := make([]shapes.Process, len(s.Learners))
	for i, l := range s.Learners {
		down[i] = l.Process
	}
	return howToStart(c, "learner", " --data DIR", down)
}

// whyNoLeader finds what keeps a proposer from leading.
func whyNoLeader(s shapes.Status, c clusterfile.Found) string {
	m := c.Membership()
	var down, waiting, forgotten []shapes.Process
	for _, a := range s.Acceptors {
		switch {
		case !a.Up:
			down = append(down, a.Process)
		case a.Forgot != nil && *a.Forgot:
			forgotten = append(forgotten, a.Process)
		case a.Voting != nil && !*a.Voting:
			waiting = append(waiting, a.Process)
		}
	}
	need := max(m.Phase1, m.Phase2)
	if up := len(s.Acceptors) - len(down); up < need {
		return fmt.Sprintf("%d of %d acceptors are up, and %d are needed: %s", up, len(s.Acceptors), need, howToStart(c, "acceptor", " --data DIR", down))
	}
	if voting := len(s.Acceptors) - len(down) - len(waiting) - len(forgotten); voting < need {
		return fmt.Sprintf("%d of %d acceptors vote, and %d are needed: %s", voting, len(s.Acceptors), need, whyNotVoting(c, down, waiting, forgotten))
	}
	var proposers []shapes.Process
	reason := ""
	for _, p := range s.Proposers {
		if !p.Up {
			proposers = append(proposers, p.Process)
		} else if p.Reason != nil && reason == "" {
			reason = fmt.Sprintf("%s says: %s; ", p.ID, *p.Reason)
		}
	}
	if len(proposers) == len(s.Proposers) {
		return "every proposer is down: " + howToStart(c, "proposer", "", proposers)
	}
	return reason + "an election takes less than a second: ask again, and if that goes on look at the proposers' logs"
}

// whyNotVoting says what acceptors that are up and do not vote wait for.
func whyNotVoting(c clusterfile.Found, down, waiting, forgotten []shapes.Process) string {
	names := func(processes []shapes.Process) string {
		ids := make([]string, len(processes))
		for i, p := range processes {
			ids[i] = string(p.ID)
		}
		return strings.Join(ids, ", ")
	}
	help := "look at their logs"
	if len(down) > 0 {
		help = "start " + names(down)
	}
	if len(forgotten) == 0 {
		return fmt.Sprintf("not vouched for yet: %s; if that goes on, %s", names(waiting), help)
	}
	if len(down)+len(waiting) > 0 {
		return fmt.Sprintf("forgotten votes (an old or damaged directory): %s, to rejoin once enough of the others vote; %s", names(forgotten), help)
	}
	return fmt.Sprintf("forgotten votes (old or damaged directories): %s, too many to let each other rejoin: "+
		"put the newest directory of some of them back; meanwhile the learners still serve `paxlog tail --stale`", names(forgotten))
}

// howToStart says how to start the first of some processes that are down, or what to
// do if it answers as somebody else.
func howToStart(c clusterfile.Found, role, data string, down []shapes.Process) string {
	if len(down) == 0 {
		return "look at their logs"
	}
	first := down[0]
	if first.Refused {
		return fmt.Sprintf("%s: %s: check the cluster file", first.ID, *first.Error)
	}
	if c.Assumed() || clusterfile.IsDev(c) {
		return "start `paxlog dev` again"
	}
	var ids []string
	for _, p := range down {
		ids = append(ids, p.ID)
	}
	return fmt.Sprintf("start %s (`paxlog %s --config %s --id %s%s`)", command.OrList(ids), role, c.File, first.ID, data)
}
