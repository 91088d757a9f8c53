package paxos

import (
	"cmp"
	"fmt"
	"strings"
)

// Bound is above every number of the protocol that counts something: rounds, instances,
// indexes, sequence numbers, times in nanoseconds (until 2116). Package wire refuses what is
// not below it, so sums of two never overflow. Random bits have no bound.
const Bound = 1 << 62

// MaxJump is how far a round or an instance may lie beyond what is known, once a quorum has
// shown that. Elections and appends do not get so far while a process looks away: 2^32
// instances are five days at 10,000 a second, and whoever was away for longer asks.
const MaxJump = 1 << 32

// NodeID names a process: "a1", "p1", "l1" as in the cluster file. A client is
// named by its transport with a leading '@', which no cluster file may contain.
type NodeID string

// IsClient reports whether id was given to a client connection.
func (id NodeID) IsClient() bool { return len(id) > 0 && id[0] == '@' }

// anewDigits are the hexadecimal digits by which a directory that is initialised anew is told from the
// one before it.
const anewDigits = 8

// Anew is the id of an acceptor that is to take the place of id, whose directory is gone: id, "-", and
// digits of the random bits. An id never comes back once it was that of a member, so the directory's is
// another one. It has up to 9 characters more.
func (id NodeID) Anew(random uint64) NodeID {
	return id.Stem() + NodeID(fmt.Sprintf("-%0*x", anewDigits, random>>(64-4*anewDigits)))
}

// Stem is the id without what Anew has added: a2 of a2-1f3c9a02, and of a2.
func (id NodeID) Stem() NodeID {
	at := len(id) - anewDigits - 1
	if at < 1 || id[at] != '-' || strings.Trim(string(id[at+1:]), "0123456789abcdef") != "" {
		return id
	}
	return id[:at]
}

// Instance numbers one execution of single-decree Paxos. The first is 1; 0 means none.
type Instance uint64

// Index is an entry's place in the log. The first is 1; 0 means none.
type Index uint64

// Ticks is a monotone clock in milliseconds. It drives timeouts only.
type Ticks int64

// UnixNanos is a wall-clock time. It stamps values; nothing depends on it.
type UnixNanos int64

// Ballot numbers a proposer's attempt. Ballots are ordered by Round, then
// Proposer, then Process. Process is 64 random bits drawn at each start of a proposer,
// so that a proposer, which keeps nothing on disk, never uses a ballot twice.
// The zero Ballot is below every other.
type Ballot struct {
	Round    uint64
	Proposer NodeID
	Process  uint64 `bound:"none"`
}

// Compare returns -1, 0 or 1 as b is below, equal to or above o.
func (b Ballot) Compare(o Ballot) int {
	if c := cmp.Compare(b.Round, o.Round); c != 0 {
		return c
	}
	if c := cmp.Compare(b.Proposer, o.Proposer); c != 0 {
		return c
	}
	return cmp.Compare(b.Process, o.Process)
}

// Less reports whether b is below o.
func (b Ballot) Less(o Ballot) bool { return b.Compare(o) < 0 }

// IsZero reports whether b is the ballot below all others.
func (b Ballot) IsZero() bool { return b == Ballot{} }

// SameProcess reports whether both ballots were made by one process of one proposer.
func (b Ballot) SameProcess(o Ballot) bool { return b.Proposer == o.Proposer && b.Process == o.Process }

// String is ROUND.PROPOSER, the form that people see; it leaves Process out.
func (b Ballot) String() string {
	if b.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%d.%s", b.Round, b.Proposer)
}
