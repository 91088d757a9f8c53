package core

import (
	"fmt"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// BenchmarkSession is the way of entries through the machine: so many that are queued,
// the Appends that carry them, and their results.
func BenchmarkSession(b *testing.B) {
	for _, entries := range []int{1, 1000} {
		b.Run(fmt.Sprintf("entries-%d", entries), func(b *testing.B) {
			m := newMachine()
			s := m.Open([12]byte{1})
			for _, e := range m.Flush().SendNow {
				if a, ok := e.Msg.(*paxos.Attach); ok {
					m.Step(e.To, &paxos.Attached{Nonce: a.Nonce})
				}
			}
			value := make([]byte, 256)
			origin := paxos.Ballot{Round: 1, Proposer: "p1", Process: 1}
			index := paxos.Index(1)
			b.SetBytes(int64(entries * len(value)))
			b.ReportAllocs()
			for b.Loop() {
				for range entries {
					s.Append(&Append{Value: value})
				}
				for out := m.Flush().SendNow; len(out) > 0; out = m.Flush().SendNow {
					for _, e := range out {
						a, ok := e.Msg.(*paxos.Append)
						if !ok {
							continue
						}
						run, _, err := paxos.NextRun(a.Batch)
						if err != nil {
							b.Fatal(err)
						}
						m.Step("l1", &paxos.Result{
							Session: a.Session, Kind: paxos.ResultApplied, First: run.First, Count: run.Count,
							Index: index, Instance: 1, Origin: origin, Time: 1,
						})
						index += paxos.Index(run.Count)
					}
				}
				done, _ := m.Delivered()
				if len(done) != entries {
					b.Fatalf("%d answers", len(done))
				}
				clear(done)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*entries), "ns/entry")
		})
	}
}
