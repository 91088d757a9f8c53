package sim

import (
	"testing"

	"github.com/paxlog/paxlog/sim/check"
)

// TestLevels: while programs are replaced by newer and older ones, and somebody has the level
// raised without asking who knows it, nobody proposes, votes for, passes over or keeps what it
// does not know (R10). All that can come of it happens in these seeds.
func TestLevels(t *testing.T) {
	total, raised := map[string]int{}, map[uint64]int{}
	ran := 0
	for seed := uint64(1); ran < 60; seed++ {
		p := DrawPlan(seed)
		if p.Programs == nil || p.Store != ModelStore {
			continue
		}
		ran++
		var c *Cluster
		r := runPlan(p, watch{setUp: func(k *Cluster) { c = k }})
		if r.Err != nil {
			t.Fatalf("seed %d: %v\nreplay: go run ./cmd/paxlog sim --seed %d --runs 1\n%s", seed, r.Err, seed, Explain(r))
		}
		for what, n := range r.Events {
			if n > 0 {
				total[what]++
			}
		}
		raised[c.Check.Level()]++
	}
	t.Logf("of %d seeds so many ended at level: %v", ran, raised)
	for _, what := range []string{
		"raises the level of the log",
		"program replaced by an older one",
		"start refused: the log has a level that the program does not know",
		"the log has a command that this version does not know: nothing from there on is applied here; use a newer version of paxlog",
	} {
		t.Logf("%4d seeds with: %s", total[what], what)
		if total[what] == 0 {
			t.Errorf("in %d seeds there was none: %s", ran, what)
		}
	}
	if raised[check.Newest] == 0 || raised[0] == 0 {
		t.Errorf("levels at the end: %v", raised)
	}
}
