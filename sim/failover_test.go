package sim

import (
	"os"
	"slices"
	"strconv"
	"testing"
)

// failures are ways to lose the leader, which is p3 of five hosts.
var failures = []struct {
	name string
	harm func(s *stage)
}{
	{"the leader crashes", func(s *stage) { s.nodes["p3"].Crash() }},
	{"the leader is paused", func(s *stage) { s.nodes["p3"].Pause() }},
	{"quorum-loss", func(s *stage) { s.apart(2, 3, 4, 5) }},
	{"constrained-election", func(s *stage) {
		s.cutHosts(1, 3)
		s.progress(Second, "with host 1 left behind")
		s.apart(2, 3, 4, 5)
	}},
}

// apart cuts the links among hosts.
func (s *stage) apart(hosts ...int) {
	for k, i := range hosts {
		for _, j := range hosts[k+1:] {
			s.cutHosts(i, j)
		}
	}
}

// TestFailover measures for how long clients wait after the leader is lost: until each has an
// answer that was not under way when it happened. PAXLOG_FAILOVERS says over how many seeds.
func TestFailover(t *testing.T) {
	seeds := 5
	if n, err := strconv.Atoi(os.Getenv("PAXLOG_FAILOVERS")); err == nil {
		seeds = n
	}
	for _, f := range failures {
		var took []Micros
		for seed := range seeds {
			s := &stage{seed: uint64(seed + 1)}
			s.hosts(5)
			s.lead(3)
			f.harm(s)
			began := s.now
			s.progress(recovery, "after "+f.name)
			if s.err != nil {
				t.Fatalf("%s, seed %d: %v", f.name, seed+1, s.err)
			}
			took = append(took, s.now-began)
		}
		slices.Sort(took)
		t.Logf("%-22s median %4d ms, 99 of 100 within %4d ms, at most %4d ms, over %d seeds", f.name,
			took[seeds/2]/Millisecond, took[seeds*99/100]/Millisecond, took[seeds-1]/Millisecond, seeds)
	}
}
