package sim

import (
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
)

func TestMain(m *testing.M) {
	// Little is alive at any time and much is garbage soon: collect it less often.
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}

// fullRun is how many seeds must have seen everything that can break.
const fullRun = 1000

// mustHappen is what a full run must have seen, beside every kind of fault.
var mustHappen = []string{
	"leader change", "crash that lost data", "full disk", "start refused by a full disk", "failed write", "failed sync",
	"hung sync", "slow sync", "message lost", "message duplicated", "message reordered", "message replayed",
	"message lost with its connection", "old packet replayed", "clocks that drift", "Pebble store", "torn clone",
	"node lost for good", "campaign failed", "stepped down", "repairing chosen instances that no node holds",
	"directory rolled back", "rejoined: it votes again", "append resolved to never", "append resolved to an index", "session expired", "appends are refused", "there is room on the disk again: it applies on", "trim held back by a hold",
}

// TestSeeds runs PAXLOG_SEEDS seeds (1,000 by default, 100 with -short) from
// PAXLOG_SEED on.
func TestSeeds(t *testing.T) {
	first, n := uint64(1), uint64(fullRun)
	if testing.Short() {
		n = 100
	}
	number := func(name string, to *uint64) {
		if s := os.Getenv(name); s != "" {
			var err error
			if *to, err = strconv.ParseUint(s, 10, 64); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	number("PAXLOG_SEED", &first)
	number("PAXLOG_SEEDS", &n)
	total := map[string]int{}
	var simulated Micros
	failed := 0
	for r := range InOrder(first, n, func(seed uint64) Report { return RunSeed(seed, nil, nil) }) {
		seed := r.Seed
		for k, v := range r.Events {
			if v > 0 {
				total[k]++
			}
		}
		simulated += r.Simulated
		if r.Err != nil {
			t.Errorf("seed %d (%+v): %v\nreplay: go run ./cmd/paxlog sim --seed %d --runs 1", seed, r.Topology, r.Err, seed)
			if failed == 0 && os.Getenv("PAXLOG_SHORTEN") != "no" {
				t.Log(Explain(r))
			}
			if failed++; failed >= 3 {
				break
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(total)) {
		t.Logf("%6d seeds with: %s", total[k], k)
	}
	t.Logf("%v simulated seconds", simulated/Second)
	if n < fullRun || failed > 0 {
		return
	}
	for _, what := range append(slices.Delete(slices.Clone(faultNames[:]), int(HealNetwork), int(HealNetwork)+1), mustHappen...) {
		if total[what] == 0 {
			t.Errorf("in %d seeds there was no %s", n, what)
		}
	}
}

// regressions are seeds that have found a bug. What a seed draws changes with the
// simulator, so each bug of the machines also has a test of its own.
var regressions = []uint64{
	10001246,  // an acceptor that had forgotten votes made commits, crashed, and was taken for one that had not
	60032251,  // of the run itself: an acceptor lost for good while another one had to rejoin once more
	60056009,  // of its client: what a leader said was lost, and the one before it was asked for a minute
	90012666,  // of what is checked: a trim while a newcomer copies, and a larger quorum was asked for than there was where the checkpoint stands
	940514271, // a leader that was deposed, and did not know the log's id yet, refused a session for good
	31125,     // a repair went on below a trim: the leader's window stayed full
	3379,      // a standby did not say when those that let it through stop doing so
}

func TestRegressions(t *testing.T) {
	for _, seed := range regressions {
		if r := RunSeed(seed, nil, nil); r.Err != nil {
			t.Errorf("seed %d: %v\nreplay: go run ./cmd/paxlog sim --seed %d --runs 1", seed, r.Err, seed)
		}
	}
}

// TestScenarios plays every named scenario under several seeds.
func TestScenarios(t *testing.T) {
	for _, sc := range Scenarios {
		t.Run(sc.Name, func(t *testing.T) {
			for seed := uint64(1); seed <= 25; seed++ {
				if r := sc.Play(seed, nil, nil); r.Err != nil {
					t.Fatalf("seed %d: %v\nreplay: go run ./cmd/paxlog sim --scenario %s --seed %d --ladder\n%s", seed, r.Err, sc.Name, seed, Explain(r))
				}
			}
		})
	}
}
