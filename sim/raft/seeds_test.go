package main

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/paxlog/paxlog/sim"
	"github.com/paxlog/paxlog/sim/check"
)

var both = options{preVote: true, checkQuorum: true}

// seedCount is how many seeds a test plays; PAXLOG_SEEDS asks for more.
func seedCount(t *testing.T, usual uint64) uint64 {
	text := os.Getenv("PAXLOG_SEEDS")
	if text == "" {
		return usual
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatalf("PAXLOG_SEEDS=%s: %v", text, err)
	}
	return n
}

// TestSeeds plays Raft under random faults: the checks that judge Paxlog find nothing
// wrong with it, and every kind of fault happens.
func TestSeeds(t *testing.T) {
	events := map[string]int{}
	for seed := uint64(1); seed <= seedCount(t, 30); seed++ {
		for _, opts := range []options{{}, both, {preVote: true, checkQuorum: true, compact: 20}} {
			r := runRaft(seed, opts)
			if r.err != nil {
				t.Fatalf("seed %d, %+v: %v", seed, opts, r.err)
			}
			for what, n := range r.events {
				events[what] += n
			}
		}
	}
	for kind := sim.CrashNode; kind < sim.HealNetwork; kind++ {
		if !slices.Contains(leftOut, kind) && events[kind.String()] == 0 {
			t.Errorf("no seed had a fault of the kind: %s", kind)
		}
	}
}

// TestPlantedBugs: what is wrong with a Raft is found by the check that finds nothing
// wrong with the library as it should be used.
func TestPlantedBugs(t *testing.T) {
	t.Run("told before it is on disk", func(t *testing.T) {
		found := first(1, 20, options{preVote: true, checkQuorum: true, forgetful: true})
		var stopped *libraryStopped
		var violation *check.Violation
		if !errors.As(found, &stopped) && !errors.As(found, &violation) {
			t.Errorf("found: %v", found)
		}
	})
	// An option of the library, and not its default. In this seed a host is cut off and
	// a disk hangs; no process is paused, and all clocks run alike.
	t.Run("reads by lease", func(t *testing.T) {
		found := first(1514, 1514, options{preVote: true, checkQuorum: true, lease: true})
		var violation *check.Violation
		if !errors.As(found, &violation) || violation.Invariant != "linearizable read" {
			t.Errorf("found: %v", found)
		}
	})
}

// TestSameSeedSameRun plays seeds twice.
func TestSameSeedSameRun(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := uint64(1); seed <= 10; seed++ {
		a, b := runRaft(seed, both), runRaft(seed, both)
		if a.hash != b.hash || a.messages != b.messages {
			t.Errorf("seed %d: %x and %x", seed, a.hash, b.hash)
		}
		seen[a.hash] = true
	}
	if len(seen) < 10 {
		t.Errorf("10 seeds are %d runs", len(seen))
	}
}
