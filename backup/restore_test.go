package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
	"github.com/paxlog/paxlog/wal"
)

// five is a cluster of five acceptors and two learners, to be restored into a file system.
func five(fs vfs.FS) Target {
	return Target{
		FS: fs, Dir: "new", Members: members("b1", "b2", "b3", "b4", "b5"), Learners: []paxos.NodeID{"m1", "m2"},
		BatchBytes: 1 << 20, EntryBytes: 1 << 20, Log: paxos.LogID{99}, Now: 1e18, Fatal: func(err error) { panic(err) },
	}
}

// small is a cluster of one acceptor and one learner.
func small(fs vfs.FS) Target {
	t := five(fs)
	t.Members, t.Learners = members("b1"), []paxos.NodeID{"m1"}
	return t
}

// opened opens a directory that was made, verifies all of it, and calls f with it.
func opened(t testing.TB, target Target, role paxos.Role, id paxos.NodeID, f func(*wal.Store, wal.Summary)) {
	t.Helper()
	dir := target.FS.PathJoin(target.Dir, string(id))
	s, err := wal.Open(dir, wal.NewIdentity(target.Members, role, id), wal.Options{FS: target.FS, Fatal: target.Fatal})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(); err != nil {
		t.Fatal(err)
	}
	sum, err := s.Summary()
	if err != nil {
		t.Fatal(err)
	}
	f(s, sum)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// logIn reads all entries that a learner's directory has.
func logIn(t testing.TB, s *wal.Store, first, last paxos.Index) (out []paxos.LogRecord) {
	t.Helper()
	for first <= last {
		m, err := s.Load(paxos.Load{Kind: paxos.LoadLog, Index: first, UpTo: last, MaxBytes: 1 << 20})
		if err != nil || len(m.Log) == 0 {
			t.Fatalf("index %d: %v", first, err)
		}
		out = append(out, m.Log...)
		end := m.Log[len(m.Log)-1]
		first = end.First + paxos.Index(end.Count)
	}
	return out
}

// checkRestored looks at all directories: every acceptor holds the same, every learner has the
// entries wanted, with their indexes, times and ballots, and everybody knows the log.
func checkRestored(t testing.TB, target Target, r Restored, want []paxos.LogRecord) {
	t.Helper()
	var first *wal.Summary
	for _, id := range target.Members.Acceptors {
		opened(t, target, paxos.RoleAcceptor, id, func(s *wal.Store, sum wal.Summary) {
			if first == nil {
				first = &sum
			}
			if sum.Held != first.Held || sum.Control.Encode() != first.Control.Encode() || sum.Control.Log != target.Log || sum.Above != 0 {
				t.Fatalf("%s: %+v", id, sum)
			}
			if len(sum.Peers) != len(target.Members.Acceptors)-1 {
				t.Fatalf("%s remembers %+v", id, sum.Peers)
			}
			for _, a := range sum.Control.Config.Acceptors {
				if a.ID != id && sum.Peers[a.ID].Incarnation != a.Incarnation {
					t.Fatalf("%s remembers %s by %x, and its log knows %x", id, a.ID, sum.Peers[a.ID].Incarnation, a.Incarnation)
				}
				if a.ID == id && a.Incarnation != sum.Identity.Incarnation {
					t.Fatalf("%s has incarnation %x, and its log knows %x", id, sum.Identity.Incarnation, a.Incarnation)
				}
			}
		})
	}
	for _, id := range target.Learners {
		opened(t, target, paxos.RoleLearner, id, func(s *wal.Store, sum wal.Summary) {
			if sum.Learner.Applied != first.Held || sum.Learner.FirstIndex != r.First || sum.Learner.Next != r.Last+1 || sum.Sessions != 0 || sum.Control.Encode() != first.Control.Encode() {
				t.Fatalf("%s: %+v", id, sum)
			}
			same(t, logIn(t, s, r.First, r.Last), want)
		})
	}
}

// same compares records but for their instances.
func same(t testing.TB, got, want []paxos.LogRecord) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		if g.First != w.First || g.Count != w.Count || g.Origin != w.Origin || g.Time != w.Time || !bytes.Equal(g.Log, onlyEntries(w.Log)) {
			t.Fatalf("record %d: %+v, want %+v", i, g, w)
		}
	}
}

// onlyEntries are the runs of a log that have entries.
func onlyEntries(log []byte) (out []byte) {
	for len(log) > 0 {
		r, rest, err := paxos.NextRun(log)
		if err != nil {
			break
		}
		if r.Kind == paxos.RunAppend {
			out = r.AppendTo(out)
		}
		log = rest
	}
	return out
}

// TestRestore: three acceptors become five, whatever the log was like; and the log that was
// restored is backed up and restored once more.
func TestRestore(t *testing.T) {
	for seed := range uint64(4) {
		l := newLog(t, seed, seed%2)
		l.grow(t, 30)
		if seed == 1 {
			l.checkpoint(t, true)
			l.grow(t, 10)
		}
		first := l.first
		one, _ := take(t, l, Options{})
		l.grow(t, 10)
		two, made := take(t, l, Options{Since: earlier(t, one)})
		target := five(vfs.NewMem())
		r, err := Restore(files(one, two), target)
		if err != nil {
			t.Fatal(err)
		}
		if r.Last != made.Last || r.From != (control.Ancestor{Log: l.log, Last: made.To}) {
			t.Fatalf("seed %d: %+v", seed, r)
		}
		checkRestored(t, target, r, l.kept(first, made.To))
		again(t, target, r, l, first, made.To)
	}
}

// again backs up a restored learner and a restored acceptor, and restores that.
func again(t *testing.T, target Target, r Restored, l *testLog, first, to paxos.Instance) {
	t.Helper()
	var backups [][]byte
	for role, id := range map[paxos.Role]paxos.NodeID{paxos.RoleLearner: "m2", paxos.RoleAcceptor: "b4"} {
		opened(t, target, role, id, func(s *wal.Store, _ wal.Summary) {
			var b bytes.Buffer
			if _, err := Take(context.Background(), OfDirectory(s), &b, Options{Cluster: "orders"}); err != nil {
				t.Fatal(err)
			}
			backups = append(backups, b.Bytes())
		})
	}
	for _, b := range backups {
		second := five(target.FS)
		second.Dir, second.Log = fmt.Sprintf("again %d", len(b)), paxos.LogID{100}
		if err := target.FS.RemoveAll(second.Dir); err != nil {
			t.Fatal(err)
		}
		x, err := Restore(files(b), second)
		if err != nil {
			t.Fatal(err)
		}
		if x.First != r.First || x.Last != r.Last || x.From.Log != target.Log {
			t.Fatalf("%+v", x)
		}
		checkRestored(t, second, x, l.kept(first, to))
		opened(t, second, paxos.RoleAcceptor, "b1", func(_ *wal.Store, sum wal.Summary) {
			a := sum.Control.Descent.Ancestors
			if len(a) != 2 || a[0] != r.From || a[1] != x.From {
				t.Fatalf("%+v", a)
			}
			for birth, want := range map[paxos.Instance]paxos.LogID{0: l.log, to: l.log, to + 1e9: l.log, a[1].Last: target.Log, a[1].Last + 1e9: target.Log} {
				if got, is := sum.Control.AncestorOf(birth); !is || got != want {
					t.Errorf("born at %d: of log %v, %v", birth, got, is)
				}
			}
			if _, is := sum.Control.AncestorOf(sum.Held); is {
				t.Error("a session of this log is taken for an ancestor's")
			}
		})
	}
}

// TestRestoreUntil: what is asked for is restored and nothing behind it, also if it ends in the
// middle of an instance.
func TestRestoreUntil(t *testing.T) {
	l := newLog(t, 3, 1)
	l.grow(t, 12)
	b, made := take(t, l, Options{})
	for last := paxos.Index(1); last <= made.Last; last++ {
		target := small(vfs.NewMem())
		target.Until.Index = last
		r, err := Restore(files(b), target)
		if err != nil || r.Last != last {
			t.Fatalf("to %d: %+v, %v", last, r, err)
		}
		var want []paxos.LogRecord
		for _, w := range l.kept(1, made.To) {
			if w.First+paxos.Index(w.Count) > last+1 && w.First <= last {
				w.Count = uint64(last + 1 - w.First)
				w.Log = firstEntries(w.Log, w.Count)
			}
			if w.First <= last {
				want = append(want, w)
			}
		}
		checkRestored(t, target, r, want)
	}
	for i := paxos.Instance(1); i <= made.To; i++ {
		target := small(vfs.NewMem())
		target.Until.Time = paxos.UnixNanos(i)*1e9 + 5
		r, err := Restore(files(b), target)
		if err != nil {
			t.Fatal(err)
		}
		checkRestored(t, target, r, l.kept(1, i))
	}
	target := small(vfs.NewMem())
	target.Until.Index = made.Last + 1
	if _, err := Restore(files(b), target); !errors.Is(err, ErrNothing) {
		t.Error(err)
	}
}

// TestRestoreIntoSmallerBatches: a new cluster may take smaller values than the old one; an entry
// that is too large for it is refused.
func TestRestoreIntoSmallerBatches(t *testing.T) {
	l := newLog(t, 3, 1)
	l.grow(t, 30)
	b, made := take(t, l, Options{})
	target := five(vfs.NewMem())
	target.BatchBytes, target.EntryBytes = 60, 40
	r, err := Restore(files(b), target)
	if err != nil {
		t.Fatal(err)
	}
	opened(t, target, paxos.RoleLearner, "m1", func(s *wal.Store, _ wal.Summary) {
		got := logIn(t, s, r.First, r.Last)
		if len(got) <= len(l.kept(1, made.To)) {
			t.Error("nothing was split")
		}
		if a, b := entriesIn(got), entriesIn(l.kept(1, made.To)); !bytes.Equal(a, b) {
			t.Error("other entries")
		}
	})
	target = five(vfs.NewMem())
	target.EntryBytes = 10
	if _, err := Restore(files(b), target); err == nil || !strings.Contains(err.Error(), "limits.entry_bytes") {
		t.Error(err)
	}
	if entries, err := target.FS.List(""); err == nil && len(entries) > 0 {
		t.Errorf("it left %v", entries)
	}
}

// entriesIn are the entries of records, one after the other, each with its session and number.
func entriesIn(records []paxos.LogRecord) (out []byte) {
	for _, r := range records {
		for log := r.Log; len(log) > 0; {
			run, rest, err := paxos.NextRun(log)
			if err != nil {
				panic(err)
			}
			for run.Count > 0 {
				out = firstOf(run, 1).AppendTo(out)
				run = run.Skip(1)
			}
			log = rest
		}
	}
	return out
}

// TestRestoreRefuses: over something that is there, of an increment alone, of damaged backups,
// nothing is made.
func TestRestoreRefuses(t *testing.T) {
	l := newLog(t, 3, 1)
	l.grow(t, 30)
	b, _ := take(t, l, Options{})
	l.grow(t, 30)
	two, _ := take(t, l, Options{Since: earlier(t, b)})
	harmed := bytes.Clone(two)
	harmed[len(harmed)/2] ^= 4
	fs := vfs.NewMem()
	for name, x := range map[string][][]byte{"an increment alone": {two}, "damaged": {b, harmed}, "none": {}} {
		if _, err := Restore(files(x...), five(fs)); err == nil {
			t.Errorf("%s is restored", name)
		}
		if entries, err := fs.List(""); err != nil || len(entries) > 0 {
			t.Fatalf("%s: it left %v, %v", name, entries, err)
		}
	}
	if _, err := Restore(files(b), five(fs)); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(files(b), five(fs)); err == nil || !strings.Contains(err.Error(), "writes over nothing") {
		t.Error(err)
	}
	other := five(fs)
	other.Dir = "other"
	if err := fs.MkdirAll("other.restoring/precious", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(files(b), other); err == nil || !strings.Contains(err.Error(), "no restore made it") {
		t.Error(err)
	}
	if _, err := fs.Stat("other.restoring/precious"); err != nil {
		t.Error(err)
	}
}

// TestOldSessionsEnd: in a restored log no session of the old one appends anything: not one that
// the old log would have gone on with, and not one that began there later. New ones do.
func TestOldSessionsEnd(t *testing.T) {
	l := newLog(t, 3, 1)
	l.grow(t, 30)
	b, made := take(t, l, Options{})
	target := small(vfs.NewMem())
	if _, err := Restore(files(b), target); err != nil {
		t.Fatal(err)
	}
	opened(t, target, paxos.RoleLearner, "m1", func(s *wal.Store, sum wal.Summary) {
		st, err := s.Learner()
		if err != nil {
			t.Fatal(err)
		}
		r := learner.ReplayFrom(learner.Config{Membership: target.Members, Knows: control.Level}, st)
		append := func(id paxos.SessionID, seq uint64) uint64 {
			written, _ := r.Apply(paxos.Value{Time: 1e18, Batch: l.run(id, seq, 1)})
			return recordOf(written).Count
		}
		for id, last := range l.next {
			if append(id, last+1) > 0 || append(id, 1) > 0 {
				t.Errorf("session %s goes on", id)
			}
		}
		for _, birth := range []paxos.Instance{0, 1, made.To, made.To + 1000} {
			if append(paxos.NewSessionID(birth, paxos.Stamp{}, [12]byte{77}), 1) > 0 {
				t.Errorf("a session that was born at %d in the old log begins here", birth)
			}
		}
		if append(paxos.NewSessionID(sum.Learner.Applied, paxos.Stamp{}, [12]byte{78}), 1) != 1 {
			t.Error("a new session appends nothing")
		}
	})
}

// TestNewcomerOfARestoredLog: who begins with nothing, and gets the values of an acceptor and
// the checkpoint at which the log begins, has the same log as those that were restored.
func TestNewcomerOfARestoredLog(t *testing.T) {
	l := newLog(t, 3, 1)
	l.grow(t, 30)
	b, _ := take(t, l, Options{})
	target := five(vfs.NewMem())
	if _, err := Restore(files(b), target); err != nil {
		t.Fatal(err)
	}
	var want paxos.Encoded
	var next paxos.Index
	opened(t, target, paxos.RoleLearner, "m1", func(_ *wal.Store, sum wal.Summary) { want, next = sum.Control.Encode(), sum.Learner.Next })
	opened(t, target, paxos.RoleAcceptor, "b1", func(s *wal.Store, sum wal.Summary) {
		d := OfDirectory(s)
		x, err := d.Extent(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		k := &taking{ctx: context.Background(), src: d, x: x}
		base, err := k.checkpoint(sum.Control.Base)
		if err != nil {
			t.Fatal(err)
		}
		m := learner.Config{Membership: target.Members, Knows: control.Level}
		r, err := learner.NewReplay(m, base)
		if err != nil {
			t.Fatal(err)
		}
		for r.Applied() < sum.Held {
			votes, err := k.values(r.Applied() + 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range votes {
				if _, known := r.Apply(v.Value); !known {
					t.Fatal(v.Instance)
				}
			}
		}
		if log, got := r.Log(); got != want || log.Next != next {
			t.Errorf("%+v, next %d, want %d", log, log.Next, next)
		}
	})
}
