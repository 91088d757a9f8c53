package shapes

import (
	"fmt"

	"github.com/paxlog/paxlog/client"
)

// Members is what `member -o json` prints.
type Members struct {
	Epoch     uint64   `json:"epoch"`
	Phase1    int      `json:"phase1"`
	Phase2    int      `json:"phase2"`
	Acceptors []Member `json:"acceptors"`
}

// Member is one acceptor.
type Member struct {
	ID          string  `json:"id"`
	Role        string  `json:"role"`
	Addr        *string `json:"addr"`
	Incarnation *string `json:"incarnation"`
	Member      bool    `json:"member"`
	Up          bool    `json:"up"`
	State       string  `json:"state"`
	Behind      uint64  `json:"behind"`
}

// MembersOf is m as JSON. addrs are those of the cluster file.
func MembersOf(m client.Members, addrs map[string]string) Members {
	out := Members{Epoch: m.Epoch, Phase1: m.Phase1, Phase2: m.Phase2, Acceptors: []Member{}}
	for _, a := range m.List {
		s := Member{ID: a.ID, Role: "acceptor", Member: a.IsMember, Up: a.Up, Behind: a.Behind, State: MemberState(m, a)}
		if a.Addr == "" {
			a.Addr = addrs[a.ID]
		}
		if a.Addr != "" {
			s.Addr = &a.Addr
		}
		if a.Incarnation != 0 {
			text := fmt.Sprintf("%016x", a.Incarnation)
			s.Incarnation = &text
		}
		out.Acceptors = append(out.Acceptors, s)
	}
	return out
}

// MemberState is what a person wants to know of an acceptor.
func MemberState(m client.Members, a client.Member) string {
	switch {
	case a.Gone:
		for _, other := range m.List {
			if other.IsMember && other.Up && !other.Votes {
				return fmt.Sprintf("no member any more; keep it until %s votes", other.ID)
			}
		}
		return "no member any more: it may be switched off"
	case !a.Up:
		return "down"
	case a.IsMember && a.Votes:
		return "voting"
	case a.IsMember:
		return fmt.Sprintf("does not vote yet, %d instances behind", a.Behind)
	}
	return fmt.Sprintf("copies the log and does not vote, %d instances behind", a.Behind)
}
