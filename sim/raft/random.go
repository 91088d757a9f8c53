package main

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"sync"

	"github.com/paxlog/paxlog/paxos"
)

// chance is held by the one Raft cluster that runs: the library draws from
// crypto/rand.Reader, a variable of the process, whenever an election timeout begins.
var chance sync.Mutex

// seedChance makes the library draw from the seed until the cluster is closed.
func seedChance(seed uint64) (restore func()) {
	if !chance.TryLock() {
		panic("two Raft clusters at once")
	}
	before := rand.Reader
	rand.Reader = &seeded{paxos.Rand{State: seed ^ 0x656c656374}}
	return func() {
		rand.Reader = before
		chance.Unlock()
	}
}

type seeded struct{ rng paxos.Rand }

var _ io.Reader = (*seeded)(nil)

func (s *seeded) Read(p []byte) (int, error) {
	for n := 0; n < len(p); n += 8 {
		var word [8]byte
		binary.BigEndian.PutUint64(word[:], s.rng.Uint64())
		copy(p[n:], word[:])
	}
	return len(p), nil
}
