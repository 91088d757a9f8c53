package paxos

import "bytes"

// Value is what one instance chooses. Origin and Time are those of the first
// proposal that carried it, and stay when a later leader proposes it again.
type Value struct {
	Origin Ballot
	Time   UnixNanos
	// Batch holds runs of commands (see Run); an empty batch is a no-op.
	// It is shared, never written to once it is in a Value.
	Batch []byte `codec:"-"`
}

// IsNoop reports whether v carries no command.
func (v Value) IsNoop() bool { return len(v.Batch) == 0 }

// Equal reports whether v and o are the same value.
func (v Value) Equal(o Value) bool {
	return v.Origin == o.Origin && v.Time == o.Time && bytes.Equal(v.Batch, o.Batch)
}

// Vote is a proposal at an instance that some acceptor accepted (or, at or below
// what the acceptor holds, the value chosen there).
type Vote struct {
	Instance Instance
	Ballot   Ballot
	Value    Value
}

// VoteRun says that one acceptor voted at Ballot for each instance in
// [First, Last], without the values.
type VoteRun struct {
	First, Last Instance
	Ballot      Ballot
}

// AppendRun extends runs by one vote, in ascending instance order, merging
// neighbours of the same ballot.
func AppendRun(runs []VoteRun, i Instance, b Ballot) []VoteRun {
	if n := len(runs); n > 0 && runs[n-1].Last+1 == i && runs[n-1].Ballot == b {
		runs[n-1].Last = i
		return runs
	}
	return append(runs, VoteRun{First: i, Last: i, Ballot: b})
}
