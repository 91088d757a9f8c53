package wal

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// counting is a file system that counts the bytes written to logs and to all files.
type counting struct {
	vfs.FS
	logs, all atomic.Int64
}

func (c *counting) wrap(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &countingFile{f, c, strings.HasSuffix(name, ".log")}, nil
}

func (c *counting) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := c.FS.Create(name, category)
	return c.wrap(name, f, err)
}

func (c *counting) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := c.FS.ReuseForWrite(old, name, category)
	return c.wrap(name, f, err)
}

type countingFile struct {
	vfs.File
	c   *counting
	log bool
}

func (f *countingFile) count(n int) {
	f.c.all.Add(int64(n))
	if f.log {
		f.c.logs.Add(int64(n))
	}
}

func (f *countingFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.count(n)
	return n, err
}

func (f *countingFile) WriteAt(p []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(p, at)
	f.count(n)
	return n, err
}

// appended is what a benchmark appends.
type appended struct {
	role    paxos.Role
	entries int // of an instance
	size    int // of an entry
	votes   int // acceptor: instances of a commit
	each    int // learner: sessions, which take turns at the entries of an instance
	total   int // bytes
	text    bool
	copies  bool // acceptor: every other instance is one that it copies, far below
}

func (a appended) String() string {
	kind := "random"
	if a.text {
		kind = "text"
	}
	if a.copies {
		kind = "copies"
	}
	if a.role == paxos.RoleAcceptor {
		return fmt.Sprintf("acceptor/votes=%d/bytes=%d/%s", a.votes, a.entries*a.size, kind)
	}
	return fmt.Sprintf("learner/sessions=%d/entries=%dx%d/%s", a.each, a.entries, a.size, kind)
}

// filler gives pieces of a pool of random bytes, or of lines as services log them.
type filler struct {
	rng  *rand.Rand
	pool []byte
}

func newFiller(text bool) *filler {
	f := &filler{rng: rand.New(rand.NewPCG(1, 0)), pool: make([]byte, 16<<20)}
	if !text {
		_, _ = rand.NewChaCha8([32]byte{1}).Read(f.pool) // it cannot fail
		return f
	}
	for n, i := 0, 0; n < len(f.pool); i++ {
		n += copy(f.pool[n:], fmt.Sprintf("2026-11-24T10:%02d:%02d.%06dZ INFO handler request done method=GET path=/v1/items/%d status=200 user=%x took=%dus\n",
			i/60000%60, i/1000%60, f.rng.Uint64()%1e6, f.rng.Uint64()%100000, f.rng.Uint64()>>32, f.rng.Uint64()%10000))
	}
	return f
}

func (f *filler) next(n int) []byte {
	at := f.rng.IntN(len(f.pool) - n)
	return f.pool[at : at+n]
}

// next returns the records of a commit, as the role makes them.
func (a appended) next(first paxos.Instance, f *filler) []paxos.Record {
	origin := paxos.Ballot{Round: 1, Proposer: "p1", Process: 1}
	if a.role == paxos.RoleAcceptor {
		records := []paxos.Record{paxos.SetMark{Commits: uint64(first)}, paxos.SetHeld{Held: first - 1}}
		for i := range a.votes {
			at := first + paxos.Instance(i)
			if a.copies && i%2 == 1 {
				at += 1 << 30
			}
			v := paxos.Value{Origin: origin, Time: 1, Batch: f.next(a.entries * a.size)}
			records = append(records, paxos.PutVote{Vote: paxos.Vote{Instance: at, Ballot: origin, Value: v}})
		}
		return records
	}
	var log []byte
	var states []paxos.SessionState
	count := a.entries / a.each
	for i := range a.each {
		r := paxos.Run{
			Kind: paxos.RunAppend, Session: paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{1, byte(i * 7), byte(i), byte(i >> 8)}),
			First: uint64(first-1)*uint64(count) + 1, Count: uint64(count),
		}
		for range count {
			r.Entries = paxos.AppendEntry(r.Entries, f.next(a.size))
		}
		log = r.AppendTo(log)
		states = append(states, paxos.SessionState{ID: r.Session, Last: r.First + uint64(count) - 1, Used: uint64(first)})
	}
	index := paxos.Index(uint64(first-1)*uint64(a.entries) + 1)
	rec := paxos.LogRecord{Instance: first, First: index, Count: uint64(a.entries), Origin: origin, Time: 1, Log: log}
	return []paxos.Record{
		paxos.PutApplied{Record: rec, Value: paxos.Value{Origin: origin, Time: 1, Batch: log}},
		paxos.PutSessions{States: states},
		paxos.SetLearner{State: paxos.LearnerState{Applied: first, Next: index + paxos.Index(a.entries)}},
	}
}

// BenchmarkWritten appends to a store on the real disk as fast as it takes it, and
// reports what that costs: bytes written for each byte appended, processor time, and
// the peak of memory; and how fast all of it is read again in order. The figures of
// the package doc are its. An iteration takes seconds and 10 GB of disk; the peak is
// that of the process, so run one benchmark in a process where it matters.
func BenchmarkWritten(b *testing.B) {
	const kib, mib = 1 << 10, 1 << 20
	for _, a := range []appended{
		{role: paxos.RoleAcceptor, votes: 1, entries: 256, size: 256, total: 2048 * mib},
		{role: paxos.RoleAcceptor, votes: 1, entries: 256, size: 256, total: 2048 * mib, text: true},
		{role: paxos.RoleAcceptor, votes: 2, entries: 256, size: 256, total: 4096 * mib, copies: true},
		{role: paxos.RoleAcceptor, votes: 16, entries: 1, size: 4 * kib, total: 2048 * mib},
		{role: paxos.RoleAcceptor, votes: 64, entries: 1, size: 256, total: 1024 * mib},
		{role: paxos.RoleLearner, each: 1, entries: 256, size: 256, total: 2048 * mib},
		{role: paxos.RoleLearner, each: 1000, entries: 1000, size: 256, total: 1024 * mib},
	} {
		b.Run(a.String()+"/default", func(b *testing.B) {
			for b.Loop() {
				written(b, a, untuned)
			}
		})
		b.Run(a.String()+"/tuned", func(b *testing.B) {
			for b.Loop() {
				written(b, a, nil)
			}
		})
	}
}

// untuned are Pebble's defaults, with the memtables that this package had before.
func untuned(o *pebble.Options) {
	var d pebble.Options
	o.Experimental.SpanPolicyFunc = nil
	o.MemTableSize = 64 << 20
	o.TargetFileSizes, o.Levels = d.TargetFileSizes, d.Levels
	o.L0CompactionThreshold, o.L0StopWritesThreshold, o.L0CompactionFileThreshold = 0, 0, 0
}

func written(b *testing.B, a appended, adjust func(*pebble.Options)) {
	data := filepath.Join(b.TempDir(), "data")
	fs := &counting{FS: vfs.Default}
	id := identity(a.role)
	if err := Init(fs, data, id); err != nil {
		b.Fatal(err)
	}
	f := newFiller(a.text)
	resetPeak(b)
	s, err := Open(data, id, Options{FS: fs, Fatal: neverFatal, adjust: adjust})
	if err != nil {
		b.Fatal(err)
	}
	began, busy := time.Now(), cpuTime(b)
	size, first := 0, paxos.Instance(1)
	for size < a.total {
		records := a.next(first, f)
		c := s.NewCommit(len(records), max(a.votes, 1)*a.entries*a.size)
		if err := c.Add(records); err != nil {
			b.Fatal(err)
		}
		if err := c.Apply(false); err != nil {
			b.Fatal(err)
		}
		c.Close()
		size += max(1, a.votes) * a.entries * a.size
		first += paxos.Instance(max(1, a.votes))
	}
	took := time.Since(began)
	flush(b, s)
	for s.db.Metrics().Compact.NumInProgress > 0 {
		time.Sleep(20 * time.Millisecond)
	}
	busy = cpuTime(b) - busy
	peak := readPeak(b)
	if testing.Verbose() {
		b.Log("\n", s.db.Metrics())
	}
	const mib = 1 << 20
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(fs.all.Load())/float64(size), "written/B")
	b.ReportMetric(float64(fs.logs.Load())/float64(size), "log/B")
	b.ReportMetric(float64(peak)/mib, "peak-MiB")
	b.ReportMetric(busy.Seconds()*1000/(float64(size)/mib), "cpu-ms/MiB")
	b.ReportMetric(float64(size)/mib/took.Seconds(), "MiB/s")
	b.ReportMetric(float64(s.db.Metrics().Total().TablesCount), "tables")

	began = time.Now()
	read := readInOrder(b, s)
	b.ReportMetric(float64(read)/mib/time.Since(began).Seconds(), "read-MiB/s")
	mustClose(b, s)
	if err := os.RemoveAll(data); err != nil {
		b.Fatal(err)
	}
}

// readInOrder reads pages as a tail of a learner does, or what copies from an acceptor.
func readInOrder(b *testing.B, s *Store) (size int) {
	b.Helper()
	l := paxos.Load{Kind: paxos.LoadVotes, From: 1, To: everything, MaxBytes: 1 << 20, Index: 1, UpTo: everything}
	if s.id.Role == paxos.RoleLearner.String() {
		l.Kind = paxos.LoadLog
	}
	for {
		page, err := s.Load(l)
		if err != nil {
			b.Fatal(err)
		}
		for _, v := range page.Votes {
			size += len(v.Value.Batch)
			l.From = v.Instance + 1
		}
		for _, r := range page.Log {
			size += len(r.Log)
			l.Index = r.First + paxos.Index(r.Count)
		}
		if !page.More {
			return size
		}
	}
}

// cpuTime is the processor time of the process so far.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resetPeak forgets the peak of memory so far, where the system can: Linux.
func resetPeak(b *testing.B) {
	b.Helper()
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// readPeak is the peak of memory in bytes since resetPeak, 0 where it is not known.
func readPeak(b *testing.B) (peak int) {
	b.Helper()
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &peak); n == 1 {
			return peak << 10
		}
	}
	return 0
}
