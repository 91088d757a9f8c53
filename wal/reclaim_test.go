package wal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// reclaim does what package node does when something was trimmed.
func reclaim(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.Reclaim(); err != nil {
		t.Fatal(err)
	}
}

// bulk makes commits of large values that do not compress.
type bulk struct {
	role paxos.Role
	r    *rand.ChaCha8
	at   paxos.Instance
}

const fillBytes = 128 << 10

func (f *bulk) next() []paxos.Record {
	f.at++
	text := make([]byte, fillBytes)
	_, _ = f.r.Read(text)
	run := paxos.Run{Kind: paxos.RunAppend, Session: paxos.SessionID{19: 1}, First: uint64(f.at), Count: 1, Entries: paxos.AppendEntry(nil, text)}
	v := paxos.Value{Batch: run.AppendTo(nil)}
	if f.role == paxos.RoleAcceptor {
		return []paxos.Record{paxos.PutVote{Vote: paxos.Vote{Instance: f.at, Value: v}}, paxos.SetHeld{Held: f.at}}
	}
	return []paxos.Record{
		paxos.PutApplied{Record: paxos.LogRecord{Instance: f.at, First: paxos.Index(f.at), Count: 1, Log: v.Batch}, Value: v},
		paxos.PutSessions{States: []paxos.SessionState{{ID: run.Session, Last: uint64(f.at), Used: uint64(f.at)}}},
		paxos.SetLearner{State: paxos.LearnerState{Applied: f.at, Next: paxos.Index(f.at) + 1, FirstIndex: 1, FirstInstance: 1}},
	}
}

// trimTo deletes what is below an instance.
func (f *bulk) trimTo(first paxos.Instance) []paxos.Record {
	out := []paxos.Record{paxos.Trimmed{Instance: first, Index: paxos.Index(first)}}
	if f.role == paxos.RoleLearner {
		out = append(out, paxos.SetLearner{State: paxos.LearnerState{
			Applied: f.at, Next: paxos.Index(f.at) + 1, FirstIndex: paxos.Index(first), FirstInstance: first,
		}})
	}
	return out
}

// TestSpaceComesBack: what was trimmed is given back, in bytes of the disk, and what stays
// is read as before; after a trim, after a trim of all, and when the process ended between the trim
// and the cut.
func TestSpaceComesBack(t *testing.T) {
	for _, role := range roles {
		t.Run(role.String(), func(t *testing.T) {
			dir := t.TempDir()
			open := func() *Store {
				s, err := Open(dir, identity(role), Options{FS: vfs.Default, Fatal: neverFatal})
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			if err := Init(vfs.Default, dir, identity(role)); err != nil {
				t.Fatal(err)
			}
			s := open()
			f := &bulk{role: role, r: rand.NewChaCha8([32]byte{1})}
			fill := func(n int) {
				for range n {
					mustCommit(t, s, f.next(), false)
				}
			}
			// bytes are what the directory takes, but for the logs of Pebble, of which some are
			// kept to be used again.
			bytes := func() int {
				s.db.TestOnlyWaitForCleaning()
				u, err := UsageOf(dir)
				logs, err2 := filepath.Glob(filepath.Join(dir, dbDir, "*.log"))
				for _, path := range logs {
					info, err := os.Stat(path)
					if err != nil {
						t.Fatal(err)
					}
					u.Bytes -= blocks(info)
				}
				if err := errors.Join(err, err2); err != nil {
					t.Fatal(err)
				}
				return int(u.Bytes)
			}
			// check wants all gone of so many values that were trimmed but what lies in one table.
			check := func(when string, before, values int) {
				t.Helper()
				after := bytes()
				t.Logf("%s: %d MiB, then %d MiB", when, before>>20, after>>20)
				if least := values*fillBytes - 9<<20; before-after < least {
					t.Errorf("%s: of %d bytes trimmed %d came back", when, values*fillBytes, before-after)
				}
			}
			fill(480) // 60 MiB
			flush(t, s)
			before := bytes()
			mustCommit(t, s, f.trimTo(400), true)
			if !s.Reclaimable() {
				t.Fatal("a trim is not noticed")
			}
			reclaim(t, s)
			check("a trim", before, 399)
			if s.Reclaimable() {
				t.Error("there is still something to cut out")
			}
			got := mustLoad(t, s, paxos.Load{Kind: paxos.LoadVotes, To: everything, MaxBytes: 1 << 30})
			if len(got.Votes) != 81 || got.Votes[0].Instance != 400 {
				t.Errorf("%d votes are left", len(got.Votes))
			}

			fill(160)
			flush(t, s)
			before = bytes()
			mustCommit(t, s, f.trimTo(600), true)
			mustClose(t, s)
			s = open()
			if !s.Reclaimable() {
				t.Error("what was trimmed before a start is not noticed")
			}
			reclaim(t, s)
			check("a trim, and a start", before, 200)

			fill(120)
			flush(t, s)
			before = bytes()
			mustCommit(t, s, f.trimTo(f.at+1), true)
			reclaim(t, s)
			check("a trim of all", before, 160)
			fill(3)
			mustClose(t, s)
			s = open()
			if s.Reclaimable() {
				t.Error("after a start there is something to cut out")
			}
			got = mustLoad(t, s, paxos.Load{Kind: paxos.LoadVotes, To: everything, MaxBytes: 1 << 30})
			if len(got.Votes) != 3 {
				t.Errorf("%d votes are left", len(got.Votes))
			}
			mustClose(t, s)
		})
	}
}

// initWithoutCuts makes an acceptor's directory whose files are of a version that knows no cuts.
func initWithoutCuts(t *testing.T, fs vfs.FS) {
	t.Helper()
	initDir(t, fs, paxos.RoleAcceptor)
	id, err := ReadIdentity(fs, dir)
	if err != nil {
		t.Fatal(err)
	}
	db := fs.PathJoin(dir, dbDir)
	if err := fs.RemoveAll(db); err != nil {
		t.Fatal(err)
	}
	d, err := pebble.Open(db, &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatVirtualSSTables - 1, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Set([]byte{keyMeta}, binary.BigEndian.AppendUint64(nil, id.Incarnation), pebble.Sync), d.Close()); err != nil {
		t.Fatal(err)
	}
}

// heldReads is a file system of which, while it is on, tables are read one piece at a time: each read
// is told, and waits until it is let go.
type heldReads struct {
	vfs.FS
	on        atomic.Bool
	told, let chan struct{}
}

func (h *heldReads) Unwrap() vfs.FS { return h.FS }

func (h *heldReads) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := h.FS.Open(name, opts...)
	if err != nil || !strings.HasSuffix(name, ".sst") {
		return f, err
	}
	return heldFile{f, h}, nil
}

type heldFile struct {
	vfs.File
	h *heldReads
}

func (f heldFile) ReadAt(p []byte, at int64) (int, error) {
	if f.h.on.Load() {
		f.h.told <- struct{}{}
		<-f.h.let
	}
	return f.File.ReadAt(p, at)
}

// TestCloseWhileSpaceIsGivenBack: where what was trimmed is read once more, a process that is told to
// stop waits for the read that is under way, and for no other one. The next start gives the space
// back.
func TestCloseWhileSpaceIsGivenBack(t *testing.T) {
	fs := &heldReads{FS: vfs.NewMem(), told: make(chan struct{}), let: make(chan struct{})}
	initWithoutCuts(t, fs)
	var armed atomic.Bool
	s, err := Open(dir, identity(paxos.RoleAcceptor), Options{FS: fs, Fatal: neverFatal, FoldEach: 5, adjust: func(o *pebble.Options) {
		o.EventListener.CompactionBegin = func(pebble.CompactionInfo) { fs.on.Store(armed.Load()) }
	}})
	if err != nil {
		t.Fatal(err)
	}
	f := &bulk{role: paxos.RoleAcceptor, r: rand.NewChaCha8([32]byte{1})}
	for range 4 {
		for range 20 {
			mustCommit(t, s, f.next(), false)
		}
		flush(t, s)
	}
	mustCommit(t, s, f.trimTo(80), true)
	armed.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	swept := make(chan error)
	go func() { swept <- s.Sweep(ctx) }()
	<-fs.told
	cancel()
	if err := <-swept; !errors.Is(err, context.Canceled) {
		t.Errorf("it was told to end: %v", err)
	}
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	for !s.writes.closing.Load() {
		runtime.Gosched()
	}
	fs.let <- struct{}{}
	for waiting := true; waiting; {
		select {
		case <-fs.told:
			t.Error("it reads on")
			fs.on.Store(false)
			fs.let <- struct{}{}
		case err := <-closed:
			if waiting = false; err != nil {
				t.Error(err)
			}
		}
	}
	fs.on.Store(false)
	s = mustOpen(t, fs, paxos.RoleAcceptor)
	if !s.Reclaimable() {
		t.Error("the next start does not go on")
	}
	reclaim(t, s)
	mustClose(t, s)
	s = mustOpen(t, fs, paxos.RoleAcceptor)
	if got := mustLoad(t, s, paxos.Load{Kind: paxos.LoadVotes, To: everything, MaxBytes: 1 << 30}); s.Reclaimable() || len(got.Votes) != 1 {
		t.Errorf("%d votes are left; is there more to give back: %v", len(got.Votes), s.Reclaimable())
	}
	mustClose(t, s)
}

// TestSweepRuns: where commands of sessions were that were trimmed goes, also that of sessions
// that have expired, and no other.
func TestSweepRuns(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleLearner)
	s := mustOpen(t, fs, paxos.RoleLearner)
	const instances = 3 * sweepBatch
	for i := paxos.Instance(1); i <= instances; i++ {
		id := paxos.SessionID{19: byte(i), 18: byte(i >> 8)}
		batch := paxos.Run{Kind: paxos.RunAppend, Session: id, First: 1, Count: 1, Entries: []byte{0}}.AppendTo(nil)
		mustCommit(t, s, []paxos.Record{
			paxos.PutApplied{Record: paxos.LogRecord{Instance: i, First: paxos.Index(i), Count: 1, Log: batch}, Value: paxos.Value{Batch: batch}},
			paxos.PutSessions{States: []paxos.SessionState{{ID: id, Last: 1, Used: uint64(i)}}},
			paxos.SetLearner{State: paxos.LearnerState{Applied: i, Next: paxos.Index(i) + 1, FirstIndex: 1, FirstInstance: 1}},
		}, false)
	}
	runs := func() (n int) {
		lo, hi := prefixRange(keyRun)
		err := s.scan(lo, hi, func([]byte, []byte) (bool, error) {
			n++
			return true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := runs()
	first := paxos.Instance(2*sweepBatch + 10)
	mustCommit(t, s, []paxos.Record{
		paxos.Trimmed{Instance: first, Index: paxos.Index(first)},
		paxos.SetLearner{State: paxos.LearnerState{Applied: instances, Next: instances + 1, FirstIndex: paxos.Index(first), FirstInstance: first}},
	}, false)
	reclaim(t, s)
	if left, most := runs(), instances-int(first)+1; left > most || left < most-20 || before < instances-20 {
		t.Errorf("%d runs, then %d, of which %d are kept", before, left, most)
	}
	for i := first - 3; i <= instances; i++ {
		l := paxos.Load{Kind: paxos.LoadRuns, Session: paxos.SessionID{19: byte(i), 18: byte(i >> 8)}, Seq: 1, UpToSeq: 1, From: first}
		if got := mustLoad(t, s, l); len(got.Runs) != 0 != (i >= first) {
			t.Fatal(fmt.Sprint(i, got.Runs))
		}
	}
	mustClose(t, s)
}
