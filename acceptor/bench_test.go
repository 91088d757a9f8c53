package acceptor

import (
	"fmt"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// BenchmarkAccept is the way of votes through an acceptor: so many Accepts that
// arrive together, and the Flush that tells them to the leader and to a learner.
// Each announces the one before, as under load.
func BenchmarkAccept(b *testing.B) {
	for _, together := range []int{1, 16} {
		b.Run(fmt.Sprintf("together-%d", together), func(b *testing.B) {
			a := ready(State{})
			a.Step("l1", &paxos.Poll{Values: true})
			a.Flush()
			value := paxos.Value{Origin: ballot(1, "p1"), Time: 1, Batch: make([]byte, 256)}
			instance, synced := paxos.Instance(0), uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				for range together {
					instance++
					a.Step("p1", &paxos.Accept{Ballot: ballot(1, "p1"), Instance: instance, Value: value, ChosenUpTo: instance - 1})
				}
				if out := a.Flush(); !out.Sync || len(out.SendAfter) != 2 {
					b.Fatalf("%+v", out)
				}
				synced++
				a.Step("a1", &paxos.Synced{Count: synced})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*together), "ns/vote")
		})
	}
}
