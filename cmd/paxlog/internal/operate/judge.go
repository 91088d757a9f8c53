package operate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// Judgement is what stopping some processes would leave.
type Judgement struct {
	Stop      []string
	Reasons   []string // why not; none if they can be stopped
	Acceptors Left
	Proposers Left
	Learners  Left
	OneMore   string // what one more failure would do
	Advice    []string
}

// Left are the processes of one role that would be left and do their part.
type Left struct {
	IDs      []string
	Of       int      // in the cluster
	Need     int      // of them
	Without  []string // those that are not stopped and do not count, with the reason
	Survives int      // how many more may fail

	next map[remedy][]string // what to do about those that do not count, by their ids
}

// remedy is what to do about a process that does not do its part.
type remedy byte

const (
	startIt remedy = iota // nobody takes connections at its address
	undrainIt
	awaitIt // it comes on by itself
	lookAtIt
)

// Yes reports whether the processes can be stopped.
func (j *Judgement) Yes() bool { return len(j.Reasons) == 0 }

// membership is that of the configuration in force, as the leader knows it, else that of the
// cluster file.
func membership(s *client.Status, file paxos.Membership) paxos.Membership {
	if s.Members == nil || s.Members.Epoch < 2 {
		return file
	}
	file.Phase1, file.Phase2, file.Acceptors = s.Members.Phase1, s.Members.Phase2, nil
	for _, a := range s.Members.List {
		if a.IsMember {
			file.Acceptors = append(file.Acceptors, paxos.NodeID(a.ID))
		}
	}
	return file
}

// Judge says what would be left of a cluster of these members, in that state, without
// the processes that are to be stopped. An acceptor that misses more instances than lag
// does not count, and neither does a learner: until they have caught up, what the others
// have nobody else has.
func Judge(s client.Status, m paxos.Membership, lag uint64, stop ...string) Judgement {
	j := Judgement{
		Stop:      stop,
		Acceptors: Left{Need: m.Need()}, Proposers: Left{Need: 1}, Learners: Left{Need: 1},
	}
	chosen := paxos.Instance(0)
	for _, p := range s.Processes {
		if p.Err == nil {
			chosen = max(chosen, p.Chosen, p.Applied)
		}
	}
	for _, p := range s.Processes {
		if p.Former {
			continue
		}
		left := j.of(p.Role)
		left.Of++
		switch why, next := whyNot(p, chosen, lag); {
		case slices.Contains(stop, p.ID):
		case why != "":
			left.Without = append(left.Without, fmt.Sprintf("%s %s", p.ID, why))
			if left.next == nil {
				left.next = map[remedy][]string{}
			}
			left.next[next] = append(left.next[next], p.ID)
		default:
			left.IDs = append(left.IDs, p.ID)
		}
	}
	for _, role := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleProposer, paxos.RoleLearner} {
		left := j.of(role)
		left.Survives = max(0, len(left.IDs)-left.Need)
		if n := len(left.IDs); n < left.Need {
			j.Reasons = append(j.Reasons, left.refusal(role, n))
		}
	}
	if s.MayDiffer() {
		j.Reasons = append(j.Reasons, "the acceptors of this log can be others than those of the cluster file, and no leader has said which they are: try again when one leads (`paxlog status`)")
	}
	j.OneMore = j.oneMore(m)
	if slices.Contains(stop, s.Leader) && j.Yes() {
		j.Advice = append(j.Advice, s.Leader+" leads: it hands over when it is told to stop (SIGTERM), or now by `paxlog leader transfer`")
	}
	return j
}

func (j *Judgement) of(role paxos.Role) *Left {
	switch role {
	case paxos.RoleAcceptor:
		return &j.Acceptors
	case paxos.RoleProposer:
		return &j.Proposers
	}
	return &j.Learners
}

// whyNot says why a process does not do its part, or "", and what to do about it.
func whyNot(p client.ProcessStatus, chosen paxos.Instance, lag uint64) (why string, next remedy) {
	switch {
	case p.Err != nil && shapes.TroubleOf(p.Err) == shapes.Down:
		return whyUnasked(p.Err), startIt
	case p.Err != nil: // it may run: a second one beside it does harm
		return whyUnasked(p.Err), lookAtIt
	case p.Drained:
		return "is drained", undrainIt
	case p.Role == paxos.RoleAcceptor && !p.Voting:
		return "does not vote", lookAtIt
	case p.Role == paxos.RoleAcceptor && p.DiskHangs > 0:
		return fmt.Sprintf("has a disk that hangs for %d s", int(p.DiskHangs.Seconds())), lookAtIt
	case p.Role == paxos.RoleAcceptor && p.Missing > lag:
		return fmt.Sprintf("misses %d instances", p.Missing), awaitIt
	case p.Role == paxos.RoleLearner && p.Reason != "":
		return "is wrong, and serves nobody", lookAtIt
	case p.Role == paxos.RoleLearner && uint64(chosen-min(chosen, p.Applied)) > lag:
		return fmt.Sprintf("is %d instances behind", chosen-p.Applied), awaitIt
	}
	return "", 0
}

// whyUnasked says of a process that could not be asked what that means.
func whyUnasked(err error) string {
	switch shapes.TroubleOf(err) {
	case shapes.Down:
		return "is not up"
	case shapes.Hangs:
		return "runs and does not answer"
	case shapes.Refuses:
		if client.IsOtherLog(err) {
			return "runs, and counts for nothing: its directory was initialised anew, or is of another log"
		}
		return "runs, and refuses to be asked"
	}
	return "could not be asked"
}

// refusal says that too few are left, why, and what to do.
func (l *Left) refusal(role paxos.Role, n int) string {
	text := fmt.Sprintf("%d of %d %ss would be left, and %d %s needed", n, l.Of, role, l.Need, map[bool]string{true: "is", false: "are"}[l.Need == 1])
	if len(l.Without) == 0 {
		return text + ": there are no others in the cluster file"
	}
	return fmt.Sprintf("%s: %s: %s", text, strings.Join(l.Without, ", "), l.remedies())
}

// remedies says what to do so that those count again that do not.
func (l *Left) remedies() string {
	var parts []string
	add := func(of remedy, format string) {
		if ids := l.next[of]; len(ids) > 0 {
			parts = append(parts, fmt.Sprintf(format, strings.Join(ids, ", ")))
		}
	}
	add(startIt, "start %s (`paxlog status` says how)")
	for _, id := range l.next[undrainIt] {
		parts = append(parts, fmt.Sprintf("`paxlog undrain %s` first", id))
	}
	add(awaitIt, "wait for %s to catch up (`paxlog status`)")
	add(lookAtIt, "`paxlog status` says more of %s")
	return strings.Join(parts, "; ")
}

// oneMore says what one more failure would do.
func (j *Judgement) oneMore(m paxos.Membership) string {
	if !j.Yes() {
		return "more than that cannot be asked: already that would stop the log"
	}
	var fatal []string
	if j.Acceptors.Survives == 0 {
		what := "appends stop, and so do linearizable reads, until one is back"
		if n := len(j.Acceptors.IDs); n-1 >= m.Phase2 {
			what = "the leader goes on, and no other one can be elected until one is back"
		} else if n-1 >= len(m.Acceptors)-m.Phase2+1 {
			what = "appends stop until one is back, and reads go on"
		}
		fatal = append(fatal, fmt.Sprintf("if one of %s fails: %s", strings.Join(j.Acceptors.IDs, ", "), what))
	}
	if j.Proposers.Survives == 0 {
		fatal = append(fatal, fmt.Sprintf("if %s fails: nobody leads, and appends stop until a proposer is back; reads go on", j.Proposers.IDs[0]))
	}
	if j.Learners.Survives == 0 {
		fatal = append(fatal, fmt.Sprintf("if %s fails: nobody answers clients until a learner is back", j.Learners.IDs[0]))
	}
	if len(fatal) == 0 {
		return "whatever fails next, the log goes on"
	}
	return strings.Join(fatal, "; ")
}
