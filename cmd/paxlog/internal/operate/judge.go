package operate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/paxlog/paxlog/client"
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
}

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
		switch why := whyNot(p, chosen, lag); {
		case slices.Contains(stop, p.ID):
		case why != "":
			left.Without = append(left.Without, fmt.Sprintf("%s %s", p.ID, why))
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

// whyNot says why a process does not do its part, or "".
func whyNot(p client.ProcessStatus, chosen paxos.Instance, lag uint64) string {
	switch {
	case p.Err != nil:
		return "is not up"
	case p.Drained:
		return "is drained"
	case p.Role == paxos.RoleAcceptor && !p.Voting:
		return "does not vote"
	case p.Role == paxos.RoleAcceptor && p.DiskHangs > 0:
		return fmt.Sprintf("has a disk that hangs for %d s", int(p.DiskHangs.Seconds()))
	case p.Role == paxos.RoleAcceptor && p.Missing > lag:
		return fmt.Sprintf("misses %d instances", p.Missing)
	case p.Role == paxos.RoleLearner && p.Reason != "":
		return "is wrong, and serves nobody"
	case p.Role == paxos.RoleLearner && uint64(chosen-min(chosen, p.Applied)) > lag:
		return fmt.Sprintf("is %d instances behind", chosen-p.Applied)
	}
	return ""
}

// refusal says that too few are left, why, and what to do.
func (l *Left) refusal(role paxos.Role, n int) string {
	text := fmt.Sprintf("%d of %d %ss would be left, and %d %s needed", n, l.Of, role, l.Need, map[bool]string{true: "is", false: "are"}[l.Need == 1])
	if len(l.Without) == 0 {
		return text + ": there are no others in the cluster file"
	}
	next := "start it, or wait until it has caught up (`paxlog status`)"
	if strings.HasSuffix(l.Without[0], "is drained") {
		next = "`paxlog undrain " + strings.Fields(l.Without[0])[0] + "` first"
	}
	return fmt.Sprintf("%s: %s: %s", text, strings.Join(l.Without, ", "), next)
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
