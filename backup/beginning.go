package backup

import (
	"crypto/sha256"
	"fmt"

	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// # How a restored log begins
//
// Package control (Descent) says what a restored log is. Its first instances are made here,
// as leaders and learners would have made them:
//
//	since        genesis, with the ancestors          trimmed
//	since+1      Mark: a checkpoint is asked for      trimmed; Base.T, the state after it is the base
//	since+2      Chunk: the base
//	since+3      Close, by the first learner
//	since+4      Confirm, by the second one (or the first, if it is alone)
//	since+5      Trim, up to the first entry
//	since+6 ...  the entries that are restored, up to Descent.Upto
//
// All of it is held by every acceptor and applied at every learner before any of them starts, so
// nobody has to be asked whether it was chosen. What comes later is chosen above Upto, as in any
// log. Somebody who begins with nothing takes the base, since what is below was trimmed.

// firstValues is how many values stand before those of the entries.
const firstValues = 4

// origin is the ballot of the first values: no proposer's.
var origin = paxos.Ballot{Round: 1, Proposer: "restore"}

// beginning is how a restored log begins.
type beginning struct {
	state  learner.State // after Base.T: the base
	values []paxos.Value // that follow
}

// begin returns how a log begins, of which g is the genesis, at instance since. Time is that of
// the log before its first entry.
func begin(g control.Genesis, since paxos.Instance, learners []paxos.NodeID, time paxos.UnixNanos) (beginning, error) {
	var state control.State
	var chain paxos.Chain
	for i, c := range []control.Command{g, control.Mark{Learners: learners}} {
		var err error
		v := paxos.Value{Origin: origin, Time: time, Batch: control.Batch(c)}
		if state, err = state.Apply(since+paxos.Instance(i), v.Batch, control.Level); err != nil {
			return beginning{}, err
		}
		chain = chain.Next(since+paxos.Instance(i), &v)
	}
	t := since + 1
	b := beginning{state: learner.State{
		LearnerState: paxos.LearnerState{Applied: t, Next: g.Descent.First, Time: time, Floor: since, FirstIndex: g.Descent.First, FirstInstance: t + 1, Chain: chain, Below: chain},
		Control:      state.Encode(),
	}}
	encoded := b.replay().State()
	if len(encoded) > partBytes {
		return b, fmt.Errorf("the state at the beginning takes %d bytes", len(encoded))
	}
	sum := control.Sum(sha256.Sum256(encoded))
	for _, c := range []control.Command{
		control.Chunk{T: t, Bytes: string(encoded)},
		control.Close{T: t, Size: uint64(len(encoded)), Sum: sum, Next: g.Descent.First, Time: time, By: learners[0], Chain: chain},
		control.Confirm{T: t, Sum: sum, By: learners[min(1, len(learners)-1)]},
		control.Trim{To: g.Descent.First},
	} {
		b.values = append(b.values, paxos.Value{Origin: origin, Time: time, Batch: control.Batch(c)})
	}
	return b, nil
}

// replay is a learner that has the base.
func (b beginning) replay() *learner.Replay {
	m := paxos.Membership{Cluster: "-", Acceptors: []paxos.NodeID{"-"}, Phase1: 1, Phase2: 1, Sessions: 1}
	return learner.ReplayFrom(learner.Config{Membership: m, Knows: control.Level}, b.state)
}

// Until says where a restored log is to end; the zero Until is where the backup does.
type Until struct {
	Index paxos.Index     // nothing above it
	Time  paxos.UnixNanos // nothing later
}

// cut is what of a record is restored, and whether anything after it may be.
func (u Until) cut(r paxos.LogRecord) (paxos.LogRecord, bool) {
	if u.Time != 0 && r.Time > u.Time {
		r.Count, r.Log = 0, nil
		return r, false
	}
	if u.Index == 0 || r.First+paxos.Index(r.Count) <= u.Index+1 {
		return r, true
	}
	if r.First > u.Index {
		r.Count, r.Log = 0, nil
		return r, false
	}
	r.Count = uint64(u.Index + 1 - r.First)
	r.Log = firstEntries(r.Log, r.Count)
	return r, false
}

// firstEntries are the runs of the first n entries of a log, n being at least 1.
func firstEntries(log []byte, n uint64) (out []byte) {
	for n > 0 {
		run, rest, err := paxos.NextRun(log)
		if err != nil {
			return out
		}
		if run.Kind == paxos.RunAppend {
			part := firstOf(run, min(n, run.Count))
			out = part.AppendTo(out)
			n -= part.Count
		}
		log = rest
	}
	return out
}

// firstOf is a run of the first n commands of one.
func firstOf(r paxos.Run, n uint64) paxos.Run {
	rest := r.Skip(n)
	r.Entries, r.Count = r.Entries[:len(r.Entries)-len(rest.Entries)], n
	return r
}

// pieces splits the log of a record into batches of at most so many bytes, but for one that
// has a single entry: the new cluster may take smaller ones than the old.
func pieces(log []byte, most int) (out [][]byte) {
	if len(log) <= most {
		return [][]byte{log}
	}
	var piece []byte
	for len(log) > 0 {
		run, rest, err := paxos.NextRun(log)
		if err != nil {
			break
		}
		for run.Count > 0 {
			n := fitting(run, most-len(piece)-runBytes)
			if n == 0 && len(piece) > 0 {
				out, piece = append(out, piece), nil
				continue
			}
			part := firstOf(run, max(1, n))
			piece = part.AppendTo(piece)
			run = run.Skip(part.Count)
		}
		log = rest
	}
	return append(out, piece)
}

// runBytes is what a run takes beside its entries, at most.
const runBytes = 1 + 20 + 2*10

// fitting is how many of the first entries of a run take at most so many bytes.
func fitting(r paxos.Run, most int) (n uint64) {
	size := 0
	for e := r.Entries; len(e) > 0 && n < r.Count; n++ {
		before := len(e)
		_, e = paxos.NextEntry(e)
		if size += before - len(e); size > most {
			break
		}
	}
	return n
}

// largest is the longest entry of a log.
func largest(log []byte) (most int) {
	for len(log) > 0 {
		run, rest, err := paxos.NextRun(log)
		if err != nil {
			break
		}
		for e := run.Entries; len(e) > 0; {
			var entry []byte
			entry, e = paxos.NextEntry(e)
			most = max(most, len(entry))
		}
		log = rest
	}
	return most
}
