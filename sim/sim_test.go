package sim

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
)

// TestSeeds runs PAXLOG_SEEDS seeds (200 by default) from PAXLOG_SEED on.
func TestSeeds(t *testing.T) {
	first, n := uint64(1), uint64(200)
	if s := os.Getenv("PAXLOG_SEED"); s != "" {
		first, _ = strconv.ParseUint(s, 10, 64)
	}
	if s := os.Getenv("PAXLOG_SEEDS"); s != "" {
		n, _ = strconv.ParseUint(s, 10, 64)
	}
	var trace func(string)
	if os.Getenv("PAXLOG_TRACE") != "" {
		trace = func(s string) { t.Log(s) }
	}
	total := map[string]int{}
	var simulated Micros
	failed := 0
	for seed := first; seed < first+n; seed++ {
		r := RunSeed(seed, nil, trace)
		for k, v := range r.Events {
			if v > 0 {
				total[k]++
			}
		}
		simulated += r.Simulated
		if r.Err != nil {
			t.Errorf("seed %d (%+v): %v\nreplay: PAXLOG_SEED=%d PAXLOG_SEEDS=1 PAXLOG_TRACE=1 go test ./sim -run TestSeeds -v", seed, r.Topology, r.Err, seed)
			if failed++; failed >= 5 {
				break
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(total)) {
		t.Logf("%6d seeds with: %s", total[k], k)
	}
	t.Logf("%v simulated seconds", simulated/Second)
}

// TestScenarios plays every named scenario under several seeds.
func TestScenarios(t *testing.T) {
	for _, sc := range Scenarios {
		t.Run(sc.Name, func(t *testing.T) {
			for seed := uint64(1); seed <= 25; seed++ {
				if r := sc.Play(seed, nil, nil); r.Err != nil {
					t.Fatalf("seed %d: %v\nreplay: go run ./cmd/paxlog sim --scenario %s --seed %d --ladder", seed, r.Err, sc.Name, seed)
				}
			}
		})
	}
}
