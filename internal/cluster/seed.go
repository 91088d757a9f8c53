package cluster

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Seed returns a random source, that of PAXLOG_SEED if it is set, and logs the
// command that repeats the test with it. The order of harm repeats; its timing
// cannot.
func Seed(t testing.TB, dir string) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("PAXLOG_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("PAXLOG_SEED: %v", err)
		}
	}
	t.Logf("again: PAXLOG_SEED=%d go test %s -run '^%s$' -v -count=1", seed, dir, t.Name())
	return rand.New(rand.NewPCG(seed, 0))
}

// Number is a number from the environment, or usual if it is not set.
func Number(t testing.TB, name string, usual int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return usual
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
