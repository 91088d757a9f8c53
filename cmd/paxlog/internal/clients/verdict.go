package clients

import (
	"fmt"
	"slices"
	"strings"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
)

// verdict returns nil if a leader with a quorum and a learner serve, else an
// error that asks for ExitUnavailable and says why not, and what to do next.
func verdict(s shapes.Status, c clusterfile.Found, serving bool) error {
	s.Acceptors, s.Proposers, s.Learners = ofTheLog(s.Acceptors), ofTheLog(s.Proposers), ofTheLog(s.Learners)
	switch {
	case s.Leader != nil && s.Quorum && serving:
		return nil
	case s.Leader != nil && s.Quorum:
		return command.Exitf(command.ExitUnavailable, "no learner serves: %s", whyNoLearner(s, c))
	}
	all := slices.Concat(silent(s.Acceptors), silent(s.Proposers), silent(s.Learners))
	if len(all) == len(s.Acceptors)+len(s.Proposers)+len(s.Learners) {
		if i := find(all, shapes.Refuses); i >= 0 {
			return command.Exitf(command.ExitUnavailable, "every process that answers refuses this client: %s: check the cluster file", *all[i].Error)
		}
		if find(all, shapes.Down) < 0 && find(all, shapes.Hangs) < 0 {
			return command.Exitf(command.ExitUnavailable, "none of the %d processes could be asked, so whether they run is not known: %s", len(all), remedy(c, "", "", all))
		}
	}
	reason := "no proposer leads"
	switch proposers := silent(s.Proposers); {
	case s.Leader != nil:
		reason = *s.Leader + " leads, but has no answers of a quorum"
	case find(proposers, shapes.Hangs) >= 0 || find(proposers, shapes.Unasked) >= 0:
		reason = "no proposer that answers leads"
	}
	return command.Exitf(command.ExitUnavailable, "%s: %s", reason, whyNoLeader(s, c))
}

// whyNoLearner says what to do where no learner serves.
func whyNoLearner(s shapes.Status, c clusterfile.Found) string {
	away := silent(s.Learners)
	var wrong []string
	for _, l := range s.Learners {
		if l.Up && l.Reason != nil {
			wrong = append(wrong, l.ID)
		}
	}
	if len(wrong) == 0 {
		return remedy(c, "learner", " --data DIR", away)
	}
	text := fmt.Sprintf("%s has another log than was chosen: make its directory anew (`paxlog init`)", command.OrList(wrong))
	if len(away) > 0 {
		text += "; " + remedy(c, "learner", " --data DIR", away)
	}
	return text
}

// otherLog returns an error that asks for ExitFailed if a process says that it is of another
// log than the one that is meant.
func otherLog(s client.Status, meant client.LogID) error {
	for _, p := range s.Processes {
		if p.Err == nil && !meant.IsZero() && !p.Log.IsZero() && p.Log != meant {
			return command.Exitf(command.ExitFailed, "%s is of log %s, and log %s is asked for: check the cluster file and the addresses in it", p.ID, p.Log, meant)
		}
	}
	return nil
}

// ofProcess is what Acceptor, Proposer and Learner have in common.
type ofProcess interface{ What() shapes.Process }

// ofTheLog are those that are of the log still.
func ofTheLog[P ofProcess](all []P) (some []P) {
	for _, p := range all {
		if !p.What().Former {
			some = append(some, p)
		}
	}
	return some
}

// silent are the processes of which nothing is known.
func silent[P ofProcess](all []P) (out []shapes.Process) {
	for _, p := range all {
		if what := p.What(); !what.Up {
			out = append(out, what)
		}
	}
	return out
}

// find is the place of the first process with that trouble, or -1.
func find(all []shapes.Process, trouble shapes.Trouble) int {
	return slices.IndexFunc(all, func(p shapes.Process) bool { return p.Trouble == trouble })
}

// whyNoLeader finds what keeps a proposer from leading.
func whyNoLeader(s shapes.Status, c clusterfile.Found) string {
	m := c.Membership()
	away := silent(s.Acceptors)
	var waiting, forgotten []shapes.Process
	var hung []string
	for _, a := range s.Acceptors {
		switch {
		case !a.Up:
		case a.Hangs != nil && *a.Hangs > 0:
			hung = append(hung, fmt.Sprintf("%s for %d s", a.ID, *a.Hangs/1000))
		case a.Forgot != nil && *a.Forgot:
			forgotten = append(forgotten, a.Process)
		case a.Voting != nil && !*a.Voting:
			waiting = append(waiting, a.Process)
		}
	}
	need := max(m.Phase1, m.Phase2)
	if up := len(s.Acceptors) - len(away); up < need {
		are := "are up"
		if find(away, shapes.Hangs) >= 0 || find(away, shapes.Unasked) >= 0 {
			are = "answer"
		}
		return fmt.Sprintf("%d of %d acceptors %s, and %d are needed: %s", up, len(s.Acceptors), are, need, remedy(c, "acceptor", " --data DIR", away))
	}
	voting := len(s.Acceptors) - len(away) - len(waiting) - len(forgotten) - len(hung)
	if voting < need && len(hung) > 0 {
		return fmt.Sprintf("%d of %d acceptors vote, and %d are needed: disks hang (%s): look at the kernel's log on those machines; they go on when their disks do",
			voting, len(s.Acceptors), need, strings.Join(hung, ", "))
	}
	if voting < need {
		return fmt.Sprintf("%d of %d acceptors vote, and %d are needed: %s", voting, len(s.Acceptors), need, whyNotVoting(c, away, waiting, forgotten))
	}
	proposers := silent(s.Proposers)
	if len(proposers) == len(s.Proposers) {
		every := "every proposer is down: "
		if find(proposers, shapes.Hangs) >= 0 || find(proposers, shapes.Unasked) >= 0 {
			every = "no proposer answers: "
		}
		return every + remedy(c, "proposer", "", proposers)
	}
	reason := ""
	for _, p := range s.Proposers {
		if p.Up && p.Reason != nil && reason == "" {
			reason = fmt.Sprintf("%s says: %s; ", p.ID, *p.Reason)
		}
	}
	if find(proposers, shapes.Hangs) >= 0 || find(proposers, shapes.Unasked) >= 0 {
		reason += remedy(c, "proposer", "", proposers) + "; "
	}
	return reason + "an election takes less than a second: ask again, and if that goes on look at the proposers' logs"
}

// whyNotVoting says what acceptors that are up and do not vote wait for.
func whyNotVoting(c clusterfile.Found, away, waiting, forgotten []shapes.Process) string {
	help := "look at their logs"
	if len(away) > 0 {
		help = remedy(c, "acceptor", " --data DIR", away)
	}
	if len(forgotten) == 0 {
		return fmt.Sprintf("not vouched for yet: %s; if that goes on, %s", list(waiting), help)
	}
	if len(away)+len(waiting) > 0 {
		return fmt.Sprintf("forgotten votes (an old or damaged directory): %s, to rejoin once enough of the others vote; %s", list(forgotten), help)
	}
	return fmt.Sprintf("forgotten votes (old or damaged directories): %s, too many to let each other rejoin: "+
		"put the newest directory of some of them back; meanwhile the learners still serve `paxlog tail --stale`", list(forgotten))
}

// idsOf are the ids of processes.
func idsOf(processes []shapes.Process) []string {
	ids := make([]string, len(processes))
	for i, p := range processes {
		ids[i] = p.ID
	}
	return ids
}

// list names processes.
func list(processes []shapes.Process) string { return strings.Join(idsOf(processes), ", ") }

// remedy says what to do about processes of which nothing is known. Only one that is
// certainly not there is to be started: a second one beside it that hangs does harm.
func remedy(c clusterfile.Found, role, data string, away []shapes.Process) string {
	with := func(trouble shapes.Trouble) (some []shapes.Process) {
		for _, p := range away {
			if p.Trouble == trouble {
				some = append(some, p)
			}
		}
		return some
	}
	var parts []string
	if p := with(shapes.Refuses); len(p) > 0 {
		parts = append(parts, fmt.Sprintf("%s: %s: check the cluster file", p[0].ID, *p[0].Error))
	}
	if p := with(shapes.Down); len(p) > 0 {
		start := "start `paxlog dev` again"
		if !c.Assumed() && !clusterfile.IsDev(c) {
			start = fmt.Sprintf("start %s (`paxlog %s --config %s --id %s%s`)", command.OrList(idsOf(p)), role, c.File, p[0].ID, data)
		}
		parts = append(parts, start)
	}
	if p := with(shapes.Hangs); len(p) > 0 {
		form := "%s runs and does not answer: look whether it was stopped, or its disk or host hangs; its log may say"
		if len(p) > 1 {
			form = "%s run and do not answer: look whether they were stopped, or their disks or hosts hang; their logs may say"
		}
		parts = append(parts, fmt.Sprintf(form, list(p)))
	}
	if p := with(shapes.Unasked); len(p) > 0 {
		parts = append(parts, fmt.Sprintf("%s could not be asked (%s): check the network and the address, or wait longer with --timeout", list(p), *p[0].Error))
	}
	if len(parts) == 0 {
		return "look at their logs"
	}
	return strings.Join(parts, "; ")
}
