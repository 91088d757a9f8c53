package sim

import "testing"

// BenchmarkSeeds tells how many times as fast as the clock simulation is.
func BenchmarkSeeds(b *testing.B) {
	var simulated Micros
	for i := range b.N {
		simulated += RunSeed(uint64(i+1), nil, nil).Simulated
	}
	b.ReportMetric(float64(simulated)/float64(Second)/b.Elapsed().Seconds(), "x")
}
