package learner

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// benchFirst is a sequence number whose encoding has as many bytes as those that
// follow it, so that a batch can be numbered anew in place.
const benchFirst = uint64(1) << 35

// benchBatch is a value of so many entries, in equal runs of different sessions.
type benchBatch struct {
	bytes   []byte
	at      []int // where each run's first number stands
	perRun  uint64
	entries int
	first   uint64
}

func newBenchBatch(runs, perRun, size int) (*benchBatch, []paxos.SessionState) {
	batch := &benchBatch{perRun: uint64(perRun), entries: runs * perRun, first: benchFirst}
	var sessions []paxos.SessionState
	for i := range runs {
		s := paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{1, byte(i), byte(i >> 8)})
		sessions = append(sessions, paxos.SessionState{ID: s, Last: benchFirst - 1, Used: uint64(i + 1)})
		r := paxos.Run{Kind: paxos.RunAppend, Session: s, First: benchFirst, Count: uint64(perRun)}
		for range perRun {
			r.Entries = paxos.AppendEntry(r.Entries, make([]byte, size))
		}
		batch.at = append(batch.at, len(batch.bytes)+1+len(s))
		batch.bytes = r.AppendTo(batch.bytes)
	}
	return batch, sessions
}

// next numbers the batch as the commands that follow.
func (b *benchBatch) next() []byte {
	for _, at := range b.at {
		binary.PutUvarint(b.bytes[at:], b.first)
	}
	b.first += b.perRun
	return b.bytes
}

// BenchmarkApply is the way of a value through a learner: its relay, the votes of
// a quorum, and the Flush that applies it and answers a client that is attached. Level 1
// has no chain, level 3 has one.
func BenchmarkApply(b *testing.B) {
	for _, shape := range []struct {
		runs, perRun, size int
		level              uint64
	}{{1, 1, 256, 1}, {1, 1, 256, 3}, {1, 16, 256, 1}, {1, 16, 256, 3}, {1, 1000, 100, 1}, {1, 1000, 100, 3}, {1000, 1, 100, 1}, {1000, 1, 100, 3}} {
		b.Run(fmt.Sprintf("sessions-%d-entries-%d-level-%d", shape.runs, shape.runs*shape.perRun, shape.level), func(b *testing.B) {
			began, err := control.State{}.Apply(1, genesis(shape.level), control.Level)
			if err != nil {
				b.Fatal(err)
			}
			batch, sessions := newBenchBatch(shape.runs, shape.perRun, shape.size)
			cfg := config()
			cfg.Knows = control.Level
			cfg.Membership.Sessions, cfg.PageBytes, cfg.EntryBytes, cfg.AheadBytes = 65536, 1<<20, 1<<20, 64<<20
			l := New(cfg, State{LearnerState: paxos.LearnerState{Applied: 1, Next: 1, Uses: uint64(shape.runs)}, Sessions: sessions, Control: began.Encode()})
			for _, s := range sessions {
				l.Step("@1", &paxos.Attach{Session: s.ID, From: benchFirst})
			}
			l.Tick(1, 0)
			l.Flush()
			instance := paxos.Instance(1)
			b.SetBytes(int64(len(batch.bytes)))
			b.ReportAllocs()
			for b.Loop() {
				instance++
				v := paxos.Value{Origin: ballot(1), Time: paxos.UnixNanos(instance), Batch: batch.next()}
				l.Step("a1", &paxos.Relay{Ballot: ballot(1), Instance: instance, Value: v})
				votes := &paxos.Accepted{Runs: []paxos.VoteRun{{First: instance, Last: instance, Ballot: ballot(1)}}}
				for _, id := range members.Acceptors {
					l.Step(id, votes)
				}
				told := 0
				for _, e := range l.Flush().SendNow {
					if r, ok := e.Msg.(*paxos.Results); ok {
						told += len(r.Applied)
					}
				}
				if told != shape.runs {
					b.Fatalf("%d runs were told", told)
				}
			}
			if want := paxos.Index(b.N * batch.entries); l.last() != want {
				b.Fatalf("the log ends at %d, not %d", l.last(), want)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch.entries), "ns/entry")
		})
	}
}
