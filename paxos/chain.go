package paxos

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Chain is a running hash over values, in the order of their instances: equal chains of an
// instance are of equal values up to it. The zero Chain is that of no value. Package learner
// says what it is for.
type Chain [sha256.Size]byte

// Next is the chain of instance i, where v was chosen, if c is the chain of the instance
// before:
//
//	SHA-256(c, i, time of v, round and process of its origin, SHA-256(batch of v), proposer of its origin)
//
// Numbers are 8 bytes, big endian. All but the last part have one length, so that no two
// values are hashed as the same bytes. A batch is hashed once, however many entries it has.
func (c Chain) Next(i Instance, v *Value) Chain {
	batch := sha256.Sum256(v.Batch)
	var room [160]byte
	b := append(room[:0], c[:]...)
	for _, n := range [...]uint64{uint64(i), uint64(v.Time), v.Origin.Round, v.Origin.Process} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = append(append(b, batch[:]...), v.Origin.Proposer...)
	return sha256.Sum256(b)
}

// IsZero reports whether c is the chain of no value.
func (c Chain) IsZero() bool { return c == Chain{} }

// String is c in hex.
func (c Chain) String() string { return hex.EncodeToString(c[:]) }
