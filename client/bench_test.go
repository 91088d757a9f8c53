package client

import (
	"fmt"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// BenchmarkSession is the way of entries through a session's core: so many that
// are queued, the Appends that carry them, and their results.
func BenchmarkSession(b *testing.B) {
	for _, entries := range []int{1, 1000} {
		b.Run(fmt.Sprintf("entries-%d", entries), func(b *testing.B) {
			c, s := newCore(), &Session{c: &Client{}}
			c.id, c.born = paxos.NewSessionID(0, [12]byte{1}), true
			value := make([]byte, 256)
			origin := paxos.Ballot{Round: 1, Proposer: "p1", Process: 1}
			b.SetBytes(int64(entries * len(value)))
			b.ReportAllocs()
			for b.Loop() {
				for range entries {
					c.add(1, &Pending{value: value, session: s})
				}
				last := c.entries[entries-1]
				for m := c.take(1, "p1"); m != nil; m = c.take(1, "p1") {
					run, _, err := paxos.NextRun(m.Batch)
					if err != nil {
						b.Fatal(err)
					}
					c.onResult(1, &paxos.Result{
						Session: c.id, Kind: paxos.ResultApplied, First: run.First, Count: run.Count,
						Index: paxos.Index(run.First), Instance: 1, Origin: origin, Time: 1,
					})
				}
				if !last.finished.Load() {
					b.Fatal("no answer")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*entries), "ns/entry")
		})
	}
}
