package shapes

import (
	"fmt"

	"github.com/paxlog/paxlog/client"
)

// Members is what `member -o json` prints.
type Members struct {
	Epoch     uint64   `json:"epoch"`
	Version   uint64   `json:"version"` // of who the proposers and learners are, 0: as the cluster file says
	Phase1    int      `json:"phase1"`
	Phase2    int      `json:"phase2"`
	Coming    *string  `json:"coming"` // an acceptor that has come and not arrived, null if there is none
	Acceptors []Member `json:"acceptors"`
	Proposers []Member `json:"proposers"`
	Learners  []Member `json:"learners"`
}

// Member is one process.
type Member struct {
	ID          string  `json:"id"`
	Role        string  `json:"role"`
	Addr        *string `json:"addr"`
	Incarnation *string `json:"incarnation"` // of an acceptor's data directory
	Member      bool    `json:"member"`
	Up          *bool   `json:"up"` // null if it is not known
	State       string  `json:"state"`
	Behind      *uint64 `json:"behind"` // instances; null of a proposer, and if it is not known
}

// MembersOf is m as JSON. addrs are those of the cluster file, and s is what the processes say of
// themselves, which tells how learners are.
func MembersOf(m client.Members, addrs map[string]string, s *client.Status) Members {
	out := Members{Epoch: m.Epoch, Version: m.Version, Phase1: m.Phase1, Phase2: m.Phase2, Coming: Known(m.Coming, m.Coming != ""), Acceptors: []Member{}, Proposers: []Member{}, Learners: []Member{}}
	for _, a := range m.List {
		x := Member{ID: a.ID, Role: a.Role.String(), Member: a.IsMember}
		if a.Addr == "" {
			a.Addr = addrs[a.ID]
		}
		x.Addr = Known(a.Addr, a.Addr != "")
		switch a.Role {
		case client.RoleProposer:
			x.Up, x.State = &a.Up, proposerState(m, a, s)
			out.Proposers = append(out.Proposers, x)
		case client.RoleLearner:
			x.Up, x.Behind, x.State = learnerState(a, s)
			out.Learners = append(out.Learners, x)
		default:
			x.Role = client.RoleAcceptor.String() // an older leader does not say it
			x.Up, x.Behind, x.State = &a.Up, &a.Behind, MemberState(m, a)
			x.Incarnation = Known(fmt.Sprintf("%016x", a.Incarnation), a.Incarnation != 0)
			out.Acceptors = append(out.Acceptors, x)
		}
	}
	return out
}

func proposerState(m client.Members, a client.Member, s *client.Status) string {
	switch {
	case a.Gone:
		return "no member any more: it may be switched off"
	case s != nil && s.Leader == a.ID:
		return "leading"
	case a.Up:
		return "standby"
	}
	return "down, or not connected to the leader"
}

// learnerState is what a learner says of itself.
func learnerState(a client.Member, s *client.Status) (up *bool, behind *uint64, state string) {
	switch {
	case a.Gone:
		return nil, nil, "no member any more: it may be switched off"
	case s == nil:
		return nil, nil, "not asked"
	}
	for _, p := range s.Processes {
		if p.ID != a.ID {
			continue
		}
		lives := p.Err == nil
		if !lives {
			return &lives, nil, "down"
		}
		chosen := HighestChosen(*s)
		lag := uint64(chosen - min(chosen, p.Applied))
		switch {
		case p.Reason != "":
			state = "serves nobody: " + Printable(p.Reason)
		case lag > 0:
			state = fmt.Sprintf("serves, %d instances behind", lag)
		default:
			state = "serves"
		}
		return &lives, &lag, state
	}
	return nil, nil, "not asked"
}

// MemberState is what a person wants to know of an acceptor.
func MemberState(m client.Members, a client.Member) string {
	switch {
	case a.Gone:
		for _, other := range m.List {
			if other.Role == a.Role && other.IsMember && other.Up && !other.Votes {
				return fmt.Sprintf("no member any more; keep it until %s votes", other.ID)
			}
		}
		return "no member any more: it may be switched off"
	case !a.Up && a.ID == m.Coming:
		return "down, and has not arrived: start it, or take it out again (`paxlog member cancel`)"
	case !a.Up:
		return "down"
	case a.IsMember && a.Votes:
		return "voting"
	case a.IsMember:
		return fmt.Sprintf("does not vote yet, %d instances behind", a.Behind)
	}
	return fmt.Sprintf("copies the log and does not vote, %d instances behind", a.Behind)
}
