package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/paxlog/paxlog/paxos"
)

// logged is a file that a log writer writes, and what records makes of it.
type logged struct {
	buf     bytes.Buffer
	records records
	writes  []uint64 // the last whole record after each write
	ends    []int    // and how long the file was
	err     error
}

func (w *logged) Write(p []byte) (int, error) {
	w.err = errors.Join(w.err, w.records.follow(int64(w.buf.Len()), p))
	n, err := w.buf.Write(p)
	w.writes, w.ends = append(w.writes, w.records.last), append(w.ends, w.buf.Len())
	return n, err
}

func (w *logged) Sync() error { return w.err }

// TestRecords: of a log of records of all sizes, the number of the last whole one is known
// after each write, whichever layout Pebble uses.
func TestRecords(t *testing.T) {
	for _, offsets := range []bool{false, true} {
		t.Run(fmt.Sprint(offsets), func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 1))
			w := &logged{}
			l := record.NewLogWriter(w, 7, record.LogWriterConfig{WriteWALSyncOffsets: func() bool { return offsets }})
			number := uint64(10)
			var numbers []uint64
			var ends []int64 // of each record, if it is the last
			for i := range 2000 {
				size := []int{batchrepr.HeaderLen, 30, 300, 32 << 10, 100 << 10}[r.IntN(5)] + r.IntN(40)
				b := make([]byte, size)
				count := uint32(1 + r.IntN(3))
				if i%10 == 9 {
					count = 0 // only a sync
				}
				binary.LittleEndian.PutUint64(b, number)
				binary.LittleEndian.PutUint32(b[8:], count)
				var wg sync.WaitGroup
				var err error
				wg.Add(1)
				end, werr := l.SyncRecord(b, &wg, &err)
				wg.Wait()
				if err := errors.Join(err, werr); err != nil {
					t.Fatal(err)
				}
				if count > 0 {
					numbers, ends = append(numbers, number), append(ends, end)
				}
				number += uint64(count)
				if w.records.last != numbers[len(numbers)-1] {
					t.Fatalf("record %d is synced, the last one known is %d", number, w.records.last)
				}
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			// No write was taken to hold more than it did.
			for i, last := range w.writes {
				for j, n := range numbers {
					end := ends[j]
					if end%logBlock == 0 {
						end -= syncedHeader - 1 // Pebble counts the padding, which it may write later
					}
					if n <= last && end > int64(w.ends[i]) {
						t.Fatalf("after %d bytes record %d is taken for written, which ends at %d", w.ends[i], n, ends[j])
					}
				}
			}
		})
	}
}

// TestRecordsRefuses what is no log of Pebble's, without a panic.
func TestRecordsRefuses(t *testing.T) {
	for _, p := range [][]byte{make([]byte, 64), bytes.Repeat([]byte{4}, 64), bytes.Repeat([]byte{13}, 64), bytes.Repeat([]byte{5}, 64), {1, 2, 3}} {
		var r records
		if err := r.follow(0, p); !errors.Is(err, errLayout) {
			t.Errorf("% x: %v", p[:3], err)
		}
	}
}

// TestDurable: a commit is durable when its sync is over and not before, and its memory
// may be given back when Pebble knows of it; also one that fills a memtable.
func TestDurable(t *testing.T) {
	mem := vfs.NewMem()
	members := paxos.Membership{Cluster: "c", Acceptors: []paxos.NodeID{"a1"}, Phase1: 1, Phase2: 1, Sessions: 1}
	id := NewIdentity(members, paxos.RoleAcceptor, "a1")
	if err := Init(mem, "data", id); err != nil {
		t.Fatal(err)
	}
	reached, open := make(chan struct{}), make(chan struct{})
	var hangs atomic.Bool
	gate := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData && hangs.Swap(false) {
			reached <- struct{}{}
			<-open
		}
		return nil
	})
	told := make(chan struct{}, 100)
	s, err := Open("data", id, Options{FS: errorfs.Wrap(mem, gate), Fatal: func(err error) { panic(err) }, Synced: func() { told <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	apply := func(i paxos.Instance, size int) *Commit {
		c := s.NewCommit(1, size)
		err := c.Add([]paxos.Record{paxos.PutVote{Vote: paxos.Vote{Instance: i, Value: paxos.Value{Batch: make([]byte, size)}}}})
		if err := errors.Join(err, c.Apply(true)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	hangs.Store(true)
	first := apply(1, 100)
	<-reached
	if first.Durable() || first.Spent() {
		t.Error("durable before the sync")
	}
	close(open)
	<-told
	if !first.Durable() {
		t.Error("told, but not durable")
	}
	second := apply(2, 100)
	<-told
	if !second.Durable() || first.Spent() {
		t.Errorf("durable %v, the first one spent %v, which the sync of the second may have to tell", second.Durable(), first.Spent())
	}
	for i := range 2 {
		c := apply(paxos.Instance(10+i), 100)
		<-told
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if !first.Spent() {
		t.Error("Pebble has told the first one, and it is not spent")
	}
	first.Close()
	large := apply(3, maxMemTable)
	if !large.Durable() || !large.Spent() {
		t.Error("a large commit is waited for, but not durable")
	}
	large.Close()
	empty := s.NewCommit(0, 0)
	if err := empty.Apply(true); err != nil {
		t.Fatal(err)
	}
	if !empty.Durable() {
		t.Error("nothing to sync, but not durable")
	}
	if err := second.Wait(); err != nil {
		t.Fatal(err)
	}
	second.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

const spentCommits = 50_000

// TestSpent commits while other goroutines take the processors away between any two steps:
// no batch is given back that Pebble is still to tell, which would end the process.
func TestSpent(t *testing.T) {
	mem := vfs.NewMem()
	initDir(t, mem, paxos.RoleAcceptor)
	s := mustOpen(t, mem, paxos.RoleAcceptor)
	defer mustClose(t, s)
	var busy sync.WaitGroup
	stop := make(chan struct{})
	for range 2 * runtime.GOMAXPROCS(0) {
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					runtime.Gosched()
				}
			}
		})
	}
	var waiting []*Commit
	for i := range spentCommits {
		c := s.NewCommit(1, 10)
		err := c.Add([]paxos.Record{paxos.PutVote{Vote: paxos.Vote{Instance: paxos.Instance(i + 1), Value: paxos.Value{Batch: []byte("0123456789")}}}})
		if err := errors.Join(err, c.Apply(true)); err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, c)
		for len(waiting) > 0 && waiting[0].Spent() {
			waiting[0].Close()
			waiting = waiting[1:]
		}
		if len(waiting) > 100 {
			if err := waiting[len(waiting)-1].Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range waiting {
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	close(stop)
	busy.Wait()
}

// TestMayWait: whatever Pebble has to rotate its log for was said before.
func TestMayWait(t *testing.T) {
	mem := vfs.NewMem()
	initDir(t, mem, paxos.RoleAcceptor)
	s := mustOpen(t, mem, paxos.RoleAcceptor)
	defer mustClose(t, s)
	r := rand.New(rand.NewPCG(2, 2))
	rotations, cautious, commits := int64(0), 0, 0
	for i := paxos.Instance(1); rotations < 6; i++ {
		size := r.IntN(600)
		c := s.NewCommit(1, size)
		err := c.Add([]paxos.Record{
			paxos.SetMark{Commits: uint64(i)},
			paxos.PutVote{Vote: paxos.Vote{Instance: i, Value: paxos.Value{Batch: make([]byte, size)}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		before, mayWait := s.writes.logs.Load(), c.MayWait()
		if err := c.Apply(false); err != nil {
			t.Fatal(err)
		}
		commits++
		if mayWait {
			cautious++
		}
		if n := s.writes.logs.Load() - before; n > 0 {
			if rotations += n; !mayWait {
				t.Errorf("commit %d rotated the log, unforeseen", i)
			}
		}
		c.Close()
	}
	if cautious*3 > commits {
		t.Errorf("of %d commits %d were said to wait perhaps", commits, cautious)
	}
}
