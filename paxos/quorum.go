package paxos

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// MaxAcceptors bounds the acceptor set so that a set of them fits one word.
const MaxAcceptors = 64

// Membership is what all processes of a cluster must agree on. It is part of
// every handshake and of every data directory.
type Membership struct {
	Cluster   string
	Acceptors []NodeID // sorted, distinct
	Phase1    int      // size of a Phase 1 quorum
	Phase2    int      // size of a Phase 2 quorum
	Sessions  int      // sessions remembered; all learners must expire alike
}

// Validate returns an error unless any Phase 1 quorum intersects any Phase 2
// quorum (Flexible Paxos) and each acceptor is named once.
func (m Membership) Validate() error {
	n := len(m.Acceptors)
	switch {
	case m.Cluster == "":
		return fmt.Errorf("the cluster has no name")
	case n == 0:
		return fmt.Errorf("there is no acceptor")
	case n > MaxAcceptors:
		return fmt.Errorf("%d acceptors, over the limit of %d", n, MaxAcceptors)
	case m.Phase1 < 1 || m.Phase1 > n || m.Phase2 < 1 || m.Phase2 > n:
		return fmt.Errorf("quorum sizes phase1=%d phase2=%d must lie between 1 and the number of acceptors, %d", m.Phase1, m.Phase2, n)
	case m.Phase1+m.Phase2 <= n:
		return fmt.Errorf("quorums of phase1=%d and phase2=%d among %d acceptors need not intersect: their sum must exceed %d", m.Phase1, m.Phase2, n, n)
	case m.Sessions < 1:
		return fmt.Errorf("sessions must be at least 1, not %d", m.Sessions)
	}
	for i, id := range m.Acceptors {
		if id == "" || (i > 0 && m.Acceptors[i-1] >= id) {
			return fmt.Errorf("acceptor ids must be distinct and sorted: %v", m.Acceptors)
		}
	}
	return nil
}

// Difference says in words how o differs from m, or returns "" if it does not.
func (m Membership) Difference(o Membership) string {
	var d []string
	if m.Cluster != o.Cluster {
		d = append(d, fmt.Sprintf("cluster %q here, %q there", m.Cluster, o.Cluster))
	}
	if !slices.Equal(m.Acceptors, o.Acceptors) {
		d = append(d, fmt.Sprintf("acceptors %v here, %v there", m.Acceptors, o.Acceptors))
	}
	if m.Phase1 != o.Phase1 || m.Phase2 != o.Phase2 {
		d = append(d, fmt.Sprintf("quorums phase1=%d phase2=%d here, phase1=%d phase2=%d there", m.Phase1, m.Phase2, o.Phase1, o.Phase2))
	}
	if m.Sessions != o.Sessions {
		d = append(d, fmt.Sprintf("limits.sessions %d here, %d there", m.Sessions, o.Sessions))
	}
	return strings.Join(d, "; ")
}

// ByPlace is something for each acceptor, by its place in Membership.Acceptors.
type ByPlace[T any] []T

// Places is for how many acceptors there is something. Who renames acceptors knows by
// this method a list whose order is theirs.
func (b ByPlace[T]) Places() int { return len(b) }

// Set is a set of acceptors, by their place in Membership.Acceptors. Adding a
// member twice counts it once.
type Set uint64

// Len is the number of members.
func (s Set) Len() int { return bits.OnesCount64(uint64(s)) }

// Has reports whether the i-th acceptor is a member.
func (s Set) Has(i int) bool { return i >= 0 && s&(1<<uint(i)) != 0 }

// With returns s with the i-th acceptor in it.
func (s Set) With(i int) Set { return s | 1<<uint(i) }

// Without returns s without the i-th acceptor.
func (s Set) Without(i int) Set { return s &^ (1 << uint(i)) }

// Place returns id's place in the acceptor list, or -1 if it is no acceptor.
func (m Membership) Place(id NodeID) int {
	i, ok := slices.BinarySearch(m.Acceptors, id)
	if !ok {
		return -1
	}
	return i
}

// IsPhase1 and IsPhase2 report whether s is a quorum of that phase.
func (m Membership) IsPhase1(s Set) bool { return s.Len() >= m.Phase1 }

// IsPhase2 reports whether s is a Phase 2 quorum.
func (m Membership) IsPhase2(s Set) bool { return s.Len() >= m.Phase2 }

// Need is how many acceptors it takes to elect a leader and to go on under it.
func (m Membership) Need() int { return max(m.Phase1, m.Phase2) }

// IsRejoin reports whether the promises of s, none of which has forgotten anything,
// suffice to let one that has rejoin: s meets whatever quorum of either phase that
// one was counted in, in another member. See "Rejoining" in the package doc.
func (m Membership) IsRejoin(s Set) bool {
	return s.Len() > len(m.Acceptors)-min(m.Phase1, m.Phase2)
}

// CanRejoin reports whether an acceptor that has forgotten something can rejoin: not
// if a quorum of either phase is a single acceptor, whose word nobody else has, and
// not if one takes all acceptors, so that the others can choose nothing without it.
func (m Membership) CanRejoin() bool {
	return min(m.Phase1, m.Phase2) > 1 && max(m.Phase1, m.Phase2) < len(m.Acceptors)
}

// ReadPoint computes up to which instance a linearizable read must wait. answers
// holds, for each acceptor that answered a poll sent after the read arrived, the
// highest instance it holds or has accepted. An answered append was accepted by
// Phase2 acceptors, so by at least k = Phase2-n+r of the r that answered: it lies
// at or below the k-th largest answer. A further answer can only lower the point.
// ok is false while too few answered for k to be at least 1.
func (m Membership) ReadPoint(answers []Instance) (point Instance, ok bool) {
	return ReadPoint(len(m.Acceptors), m.Phase2, answers)
}

// ReadPoint is Membership.ReadPoint among n acceptors, with Phase 2 quorums of that size.
func ReadPoint(n, phase2 int, answers []Instance) (point Instance, ok bool) {
	k := phase2 - n + len(answers)
	if k < 1 {
		return 0, false
	}
	sorted := slices.Clone(answers)
	slices.Sort(sorted)
	return sorted[len(sorted)-k], true
}
