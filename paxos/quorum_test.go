package paxos

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"testing/quick"
)

// acceptors returns n ids in order.
func acceptorIDs(n int) []NodeID {
	out := make([]NodeID, n)
	for i := range out {
		out[i] = NodeID(fmt.Sprintf("a%02d", i+1))
	}
	return out
}

func membership(n, phase1, phase2 int) Membership {
	return Membership{Cluster: "test", Acceptors: acceptorIDs(n), Phase1: phase1, Phase2: phase2, Sessions: 1}
}

// TestSet compares Set with a map: a message delivered twice counts once.
func TestSet(t *testing.T) {
	same := func(members []uint8, phase1, phase2 uint8) bool {
		m := membership(MaxAcceptors, int(phase1%65), int(phase2%65))
		var s Set
		dumb := map[int]bool{}
		for _, i := range members {
			i := int(i % MaxAcceptors)
			s, dumb[i] = s.With(i), true
		}
		ok := s.Len() == len(dumb)
		for i := range MaxAcceptors {
			ok = ok && s.Has(i) == dumb[i]
		}
		return ok && m.IsPhase1(s) == (len(dumb) >= m.Phase1) && m.IsPhase2(s) == (len(dumb) >= m.Phase2)
	}
	if err := quick.Check(same, &quick.Config{MaxCount: 2000}); err != nil {
		t.Fatal(err)
	}
}

func TestSetOfStrangers(t *testing.T) {
	// Place returns -1 for who is no acceptor: such a one is in no set.
	for _, i := range []int{-1, -64, MaxAcceptors, 1 << 20} {
		if s := Set(0).With(i); s.Len() != 0 || ^Set(0) != (^Set(0)).With(i) || (^Set(0)).Has(i) {
			t.Errorf("place %d counts as a member", i)
		}
	}
}

// subsets calls f with each set of size of the first n acceptors, as a word.
func subsets(n, size int, f func(uint)) {
	for s := range uint(1) << n {
		if bits.OnesCount(s) == size {
			f(s)
		}
	}
}

// allIntersect says, by trying, whether there are quorums of these sizes and all
// of one phase meet all of the other.
func allIntersect(n, phase1, phase2 int) bool {
	found, meet := 0, true
	subsets(n, phase1, func(a uint) {
		subsets(n, phase2, func(b uint) {
			found++
			meet = meet && a&b != 0
		})
	})
	return found > 0 && meet
}

// TestQuorumsMustIntersect is hazard 25.
func TestQuorumsMustIntersect(t *testing.T) {
	for n := range 7 {
		for phase1 := -1; phase1 <= n+1; phase1++ {
			for phase2 := -1; phase2 <= n+1; phase2++ {
				err := membership(n, phase1, phase2).Validate()
				if want := allIntersect(n, phase1, phase2); (err == nil) != want {
					t.Errorf("n=%d phase1=%d phase2=%d: all intersect: %v, Validate: %v", n, phase1, phase2, want, err)
				}
			}
		}
	}
}

// TestPhasesMeet: what IsPhase1 and IsPhase2 take for quorums of a valid
// membership do meet.
func TestPhasesMeet(t *testing.T) {
	law := func(n, phase1, phase2 uint8, a, b uint64) bool {
		size := int(n%MaxAcceptors) + 1
		m := membership(size, int(phase1)%size+1, int(phase2)%size+1)
		if m.Validate() != nil {
			return true
		}
		all := Set(1)<<size - 1
		p, q := Set(a)&all, Set(b)&all
		return !m.IsPhase1(p) || !m.IsPhase2(q) || p&q != 0
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 20_000}); err != nil {
		t.Fatal(err)
	}
}

func TestMembershipRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Membership)
		want  string
	}{
		"no name":           {func(m *Membership) { m.Cluster = "" }, "no name"},
		"no acceptor":       {func(m *Membership) { m.Acceptors = nil }, "no acceptor"},
		"too many":          {func(m *Membership) { *m = membership(65, 33, 33) }, "over the limit of 64"},
		"a phase of 0":      {func(m *Membership) { m.Phase1, m.Phase2 = 0, 3 }, "phase1=0"},
		"a phase too large": {func(m *Membership) { m.Phase2 = 4 }, "phase2=4"},
		"no intersection":   {func(m *Membership) { m.Phase1 = 1 }, "their sum must exceed 3"},
		"no sessions":       {func(m *Membership) { m.Sessions = 0 }, "sessions must be at least 1, not 0"},
		"an id twice":       {func(m *Membership) { m.Acceptors[1] = m.Acceptors[0] }, "distinct and sorted"},
		"unsorted":          {func(m *Membership) { slices.Reverse(m.Acceptors) }, "distinct and sorted"},
		"an empty id":       {func(m *Membership) { m.Acceptors[0] = "" }, "distinct and sorted"},
	} {
		m := membership(3, 2, 2)
		c.spoil(&m)
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something with %q", name, err, c.want)
		}
	}
	for _, n := range []int{1, 64} {
		if err := membership(n, n, 1).Validate(); err != nil {
			t.Errorf("%d acceptors: %v", n, err)
		}
	}
}

func TestPlace(t *testing.T) {
	m := membership(64, 33, 32)
	for i, id := range m.Acceptors {
		if m.Place(id) != i {
			t.Errorf("%s is at place %d, not %d", id, m.Place(id), i)
		}
	}
	for _, id := range []NodeID{"", "@1", "a", "a011", "a65", "p01"} {
		if m.Place(id) != -1 {
			t.Errorf("%q has place %d", id, m.Place(id))
		}
	}
}

// TestDifference is hazard 28: whatever differs is named, with both sides.
func TestDifference(t *testing.T) {
	here := membership(3, 2, 2)
	for _, c := range []struct {
		change func(*Membership)
		want   string
	}{
		{func(*Membership) {}, ""},
		{func(m *Membership) { m.Cluster = "x" }, `cluster "test" here, "x" there`},
		{func(m *Membership) { m.Acceptors = m.Acceptors[:2] }, "acceptors [a01 a02 a03] here, [a01 a02] there"},
		{func(m *Membership) { m.Acceptors[2] = "a04" }, "acceptors [a01 a02 a03] here, [a01 a02 a04] there"},
		{func(m *Membership) { m.Phase1 = 3 }, "quorums phase1=2 phase2=2 here, phase1=3 phase2=2 there"},
		{func(m *Membership) { m.Phase2 = 3 }, "quorums phase1=2 phase2=2 here, phase1=2 phase2=3 there"},
		{func(m *Membership) { m.Sessions = 7 }, "limits.sessions 1 here, 7 there"},
		{func(m *Membership) { m.Cluster, m.Sessions = "x", 7 }, `cluster "test" here, "x" there; limits.sessions 1 here, 7 there`},
	} {
		there := membership(3, 2, 2)
		c.change(&there)
		if got := here.Difference(there); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// history is what n acceptors accepted before a poll: at instance i+1, the
// acceptors of the word history[i].
type history []uint

// highest is what acceptor a answers to a poll.
func (h history) highest(a int) (top Instance) {
	for i, by := range h {
		if by&(1<<a) != 0 {
			top = Instance(i + 1)
		}
	}
	return top
}

// histories calls f with every history of the given length.
func histories(n, instances int, f func(history)) {
	h := make(history, instances)
	for code := range uint(1) << (n * instances) {
		for i := range h {
			h[i] = code >> (n * i) & (1<<n - 1)
		}
		f(h)
	}
}

// readPoint asks m for the read point after the acceptors in s have answered.
func readPoint(m Membership, h history, s uint) (Instance, bool) {
	var answers []Instance
	for a := range m.Acceptors {
		if s&(1<<a) != 0 {
			answers = append(answers, h.highest(a))
		}
	}
	return m.ReadPoint(answers)
}

// dumbPoint is the highest instance that a Phase 2 quorum may have accepted, as
// far as the answers of s tell: those who did not answer may have accepted anything.
func dumbPoint(m Membership, h history, s uint) (point Instance) {
	for i := Instance(1); i <= Instance(len(h)); i++ {
		may := 0
		for a := range m.Acceptors {
			if s&(1<<a) == 0 || h.highest(a) >= i {
				may++
			}
		}
		if may >= m.Phase2 {
			point = i
		}
	}
	return point
}

// TestReadPoint tries every history of up to three instances, every size of a
// Phase 2 quorum and every set of acceptors that answered, of up to five.
func TestReadPoint(t *testing.T) {
	tried := 0
	for n := 1; n <= 5; n++ {
		instances := 3
		if n == 5 {
			instances = 2
		}
		for phase2 := 1; phase2 <= n; phase2++ {
			m := membership(n, n, phase2)
			histories(n, instances, func(h history) {
				for s := range uint(1) << n {
					tried++
					checkReadPoint(t, m, h, s)
				}
			})
			if t.Failed() {
				return
			}
		}
	}
	t.Logf("%d cases", tried)
}

func checkReadPoint(t *testing.T, m Membership, h history, s uint) {
	n, answered := len(m.Acceptors), bits.OnesCount(s)
	point, ok := readPoint(m, h, s)
	// Too few answered exactly if some Phase 2 quorum lies among the silent.
	if ok != (n-answered < m.Phase2) {
		t.Fatalf("n=%d phase2=%d, %d answered: ok=%v", n, m.Phase2, answered, ok)
	}
	if !ok {
		return
	}
	for i, by := range h {
		if bits.OnesCount(by) >= m.Phase2 && Instance(i+1) > point {
			t.Fatalf("n=%d phase2=%d history=%b answered=%b: instance %d may have been answered, the point is %d", n, m.Phase2, h, s, i+1, point)
		}
	}
	if want := dumbPoint(m, h, s); point != want {
		t.Fatalf("n=%d phase2=%d history=%b answered=%b: point %d, want %d", n, m.Phase2, h, s, point, want)
	}
	for a := range n {
		if further, ok := readPoint(m, h, s|1<<a); !ok || further > point {
			t.Fatalf("n=%d phase2=%d history=%b answered=%b: one answer more raised the point from %d to %d", n, m.Phase2, h, s, point, further)
		}
	}
}

func TestReadPointKeepsItsArgument(t *testing.T) {
	answers := []Instance{3, 1, 2}
	if _, ok := membership(3, 2, 2).ReadPoint(answers); !ok || !slices.Equal(answers, []Instance{3, 1, 2}) {
		t.Fatalf("the answers became %v", answers)
	}
}
