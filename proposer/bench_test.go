package proposer

import (
	"fmt"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// benchLeader returns a leader of an empty log with ordinary limits.
func benchLeader(b *testing.B) *Proposer {
	b.Helper()
	cfg := config()
	cfg.Window, cfg.WindowBytes, cfg.BatchBytes, cfg.EntryBytes, cfg.QueueBytes = 64, 16<<20, 1<<20, 1<<20, 64<<20
	p := New(cfg)
	p.Tick(1, 5)
	for _, id := range members.Acceptors {
		p.Step("p1", &paxos.PeerUp{ID: id, Role: paxos.RoleAcceptor})
		p.Step(id, &paxos.QueryReply{Nonce: 1, Silent: 1000})
	}
	p.Flush()
	p.Tick(2, 5)
	for _, e := range p.Flush().SendNow {
		if m, ok := e.Msg.(*paxos.Prepare); ok {
			promised(p, e.To, m, 0, true, 0)
		}
	}
	if p.Flush(); leads(p) == nil {
		b.Fatal("it does not lead")
	}
	return p
}

// BenchmarkLead is the way of appends through a leader: so many that arrive
// together, each of a session of its own; the Flush that packs them and proposes;
// and the votes of a quorum and of the third acceptor.
func BenchmarkLead(b *testing.B) {
	for _, together := range []int{1, 1000} {
		b.Run(fmt.Sprintf("together-%d", together), func(b *testing.B) {
			p := benchLeader(b)
			appends := make([]*paxos.Append, together)
			for i := range appends {
				s := paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{1, byte(i), byte(i >> 8)})
				r := paxos.Run{Kind: paxos.RunAppend, Session: s, First: 1, Count: 1, Entries: paxos.AppendEntry(nil, make([]byte, 256))}
				appends[i] = &paxos.Append{Session: s, First: 1, Attempt: 1, Batch: r.AppendTo(nil)}
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, m := range appends {
					p.Step("@1", m)
				}
				proposed := sentTo[*paxos.Accept](p.Flush(), "a1")
				if len(proposed) == 0 {
					b.Fatal("nothing was proposed")
				}
				first, last := proposed[0], proposed[len(proposed)-1]
				votes := &paxos.Accepted{Runs: []paxos.VoteRun{{First: first.Instance, Last: last.Instance, Ballot: first.Ballot}}}
				for _, id := range members.Acceptors {
					p.Step(id, votes)
				}
				p.Flush()
			}
			if l := leads(p); len(l.open) != 0 || l.queue.n != 0 {
				b.Fatalf("%d proposals and %d appends are left", len(l.open), l.queue.n)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*together), "ns/append")
		})
	}
}
