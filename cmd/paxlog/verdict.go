package main

import (
	"fmt"
	"strings"

	"github.com/paxlog/paxlog/paxos"
)

// verdict returns nil if a leader with a quorum and a learner serve, else an
// error that asks for ExitUnavailable and says why not, and what to do next.
func (s statusJSON) verdict(c clientCluster, serving bool) error {
	switch {
	case s.Leader != nil && s.Quorum && serving:
		return nil
	case s.Leader != nil && s.Quorum:
		return exitf(ExitUnavailable, "no learner serves: %s", s.startLearner(c))
	}
	if refusal := s.refusedByAll(); refusal != "" {
		return exitf(ExitUnavailable, "every process that answers refuses this client: %s: check the cluster file", refusal)
	}
	reason := "no proposer leads"
	if s.Leader != nil {
		reason = *s.Leader + " leads, but has no answers of a quorum"
	}
	return exitf(ExitUnavailable, "%s: %s", reason, s.whyNoLeader(c))
}

// refusedByAll returns a refusal if some process refuses, and none is up.
func (s statusJSON) refusedByAll() string {
	var all []processJSON
	for _, a := range s.Acceptors {
		all = append(all, a.processJSON)
	}
	for _, p := range s.Proposers {
		all = append(all, p.processJSON)
	}
	for _, l := range s.Learners {
		all = append(all, l.processJSON)
	}
	refusal := ""
	for _, p := range all {
		if p.Up {
			return ""
		}
		if p.refused {
			refusal = *p.Error
		}
	}
	return refusal
}

// startLearner says which learners to start.
func (s statusJSON) startLearner(c clientCluster) string {
	down := make([]processJSON, len(s.Learners))
	for i, l := range s.Learners {
		down[i] = l.processJSON
	}
	return c.start("learner", " --data DIR", down)
}

// whyNoLeader finds what keeps a proposer from leading.
func (s statusJSON) whyNoLeader(c clientCluster) string {
	m := c.Membership()
	var down, waiting, forgotten []processJSON
	for _, a := range s.Acceptors {
		switch {
		case !a.Up:
			down = append(down, a.processJSON)
		case a.Forgot != nil && *a.Forgot:
			forgotten = append(forgotten, a.processJSON)
		case a.Voting != nil && !*a.Voting:
			waiting = append(waiting, a.processJSON)
		}
	}
	need := max(m.Phase1, m.Phase2)
	if up := len(s.Acceptors) - len(down); up < need {
		return fmt.Sprintf("%d of %d acceptors are up, and %d are needed: %s", up, len(s.Acceptors), need, c.start("acceptor", " --data DIR", down))
	}
	if voting := len(s.Acceptors) - len(down) - len(waiting) - len(forgotten); voting < need {
		return fmt.Sprintf("%d of %d acceptors vote, and %d are needed: %s", voting, len(s.Acceptors), need, c.whyNotVoting(down, waiting, forgotten))
	}
	var proposers []processJSON
	reason := ""
	for _, p := range s.Proposers {
		if !p.Up {
			proposers = append(proposers, p.processJSON)
		} else if p.Reason != nil && reason == "" {
			reason = fmt.Sprintf("%s says: %s; ", p.ID, *p.Reason)
		}
	}
	if len(proposers) == len(s.Proposers) {
		return "every proposer is down: " + c.start("proposer", "", proposers)
	}
	return reason + "an election takes less than a second: ask again, and if that goes on look at the proposers' logs"
}

// whyNotVoting says what acceptors that are up and do not vote wait for.
func (c clientCluster) whyNotVoting(down, waiting, forgotten []processJSON) string {
	names := func(processes []processJSON) string {
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

// start says how to start the first of some processes that are down, or what to
// do if it answers as somebody else.
func (c clientCluster) start(role, data string, down []processJSON) string {
	if len(down) == 0 {
		return "look at their logs"
	}
	first := down[0]
	if first.refused {
		return fmt.Sprintf("%s: %s: check the cluster file", first.ID, *first.Error)
	}
	if c.Assumed() || isDev(c) {
		return "start `paxlog dev` again"
	}
	var ids []string
	for _, p := range down {
		ids = append(ids, p.ID)
	}
	return fmt.Sprintf("start %s (`paxlog %s --config %s --id %s%s`)", orList(ids), role, c.File, first.ID, data)
}

// isDev reports whether c is the cluster of `paxlog dev`, whose processes are not
// started one by one.
func isDev(c clientCluster) bool {
	if c.Name != "dev" || len(c.Acceptors) != 3 || len(c.Proposers) != 2 || len(c.Learners) != 1 {
		return false
	}
	role, _, ok := c.Lookup("l1")
	return ok && role == paxos.RoleLearner
}
