package wal

import (
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// TestMemTablesDiffer: no two acceptors of a log fill their memtables at the same
// instance, of which each would then have to wait for both.
func TestMemTablesDiffer(t *testing.T) {
	m := paxos.Membership{Cluster: "test", Acceptors: []paxos.NodeID{"a1", "a2", "a3", "a4", "a5"}, Phase1: 3, Phase2: 3, Sessions: 10}
	taken := map[uint64]paxos.NodeID{}
	for _, id := range m.Acceptors {
		fs := vfs.NewMem()
		if err := Init(fs, "data", NewIdentity(m, paxos.RoleAcceptor, id)); err != nil {
			t.Fatal(err)
		}
		var size uint64
		s, err := Open("data", NewIdentity(m, paxos.RoleAcceptor, id), Options{FS: fs, Fatal: neverFatal, adjust: func(o *pebble.Options) { size = o.MemTableSize }})
		if err != nil {
			t.Fatal(err)
		}
		if size > maxMemTable || size < maxMemTable/2 || int64(size) != s.writes.memTable {
			t.Errorf("%s: %d bytes, and its logs are made for %d", id, size, s.writes.memTable)
		}
		if other, ok := taken[size]; ok {
			t.Errorf("%s and %s: both %d bytes", id, other, size)
		}
		taken[size] = id
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
