package wal

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// raise promises and votes in a round of a proposer, at the instance of that number.
func raise(t *testing.T, s *Store, round uint64, proposer paxos.NodeID) {
	t.Helper()
	b := paxos.Ballot{Round: round, Proposer: proposer}
	mustCommit(t, s, []paxos.Record{paxos.SetPromised{Ballot: b}, paxos.PutVote{Vote: paxos.Vote{Instance: paxos.Instance(round), Ballot: b}}}, true)
}

// rounds are the promised round, and how many votes for each proposer are left.
func rounds(t *testing.T, s *Store) (promised, p1, p2 uint64) {
	t.Helper()
	st, err := s.Acceptor()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range st.Votes {
		if b.Proposer == "p1" {
			p1++
		} else {
			p2++
		}
	}
	return st.Promised.Round, p1, p2
}

// named are the paths of Pebble's files with this in their names, in order.
func named(t *testing.T, fs vfs.FS, part string) []string {
	t.Helper()
	db := path.Join(dir, dbDir)
	names, err := fs.List(db)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, n := range names {
		if strings.Contains(n, part) && !strings.HasPrefix(n, "marker") {
			out = append(out, path.Join(db, n))
		}
	}
	slices.Sort(out)
	return out
}

// newestManifest is the path of the MANIFEST in use.
func newestManifest(t *testing.T, fs vfs.FS) string {
	t.Helper()
	return slices.Max(named(t, fs, "MANIFEST"))
}

// TestShortManifest cuts the MANIFEST at every length. Pebble takes a cut for its
// end. Opening must refuse, or find an earlier state, which what is written then
// goes on from: never one with a hole, nor one whose later writes come back and win
// over new ones.
func TestShortManifest(t *testing.T) {
	for name, make := range map[string]func(t *testing.T, s *Store) *Store{
		"an empty log": func(t *testing.T, s *Store) *Store {
			for r := range uint64(30) {
				raise(t, s, r+1, "p1")
				if r%10 == 9 {
					mustClose(t, s)
					s = mustOpen(t, s.writes.FS, paxos.RoleAcceptor) // its log goes into a table
				}
				if r == 19 {
					if err := s.db.Compact(t.Context(), []byte{0}, []byte{255}, false); err != nil { // which is no longer numbered
						t.Fatal(err)
					}
				}
			}
			mustClose(t, s)
			return mustOpen(t, s.writes.FS, paxos.RoleAcceptor) // only the last edit tells how far the numbers go
		},
		"many tables": func(t *testing.T, s *Store) *Store {
			for r := range uint64(60) {
				raise(t, s, r+1, "p1")
				if r%5 == 3 {
					flush(t, s)
				}
			}
			return s
		},
		"an edit that tells of writes in a log":          func(t *testing.T, s *Store) *Store { return tellOfLog(t, s, true) },
		"an edit that tells of writes in Open's own log": func(t *testing.T, s *Store) *Store { return tellOfLog(t, s, false) },
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewCrashableMem()
			initDir(t, mem, paxos.RoleAcceptor)
			s := make(t, mustOpen(t, mem, paxos.RoleAcceptor))
			base := mem.CrashClone(vfs.CrashCloneCfg{})
			mustClose(t, s)
			manifest := newestManifest(t, base)
			data := readFile(t, base, manifest)
			tally := map[string]int{}
			for length := range data {
				fs := base.CrashClone(vfs.CrashCloneCfg{})
				mustWriteFile(t, fs, manifest, data[:length])
				tally[goesOn(t, fs, fmt.Sprintf("cut to %d of %d bytes", length, len(data)))]++
			}
			t.Log(tally)
			if tally["refused"] == 0 {
				t.Error("nothing was refused: this does not test what it should")
			}
		})
	}
}

// TestNoManifest: where the MANIFEST in use is missing, it is that which people are
// told, and not what would be missing if it were empty.
func TestNoManifest(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleAcceptor)
	for round := range uint64(3) {
		s := mustOpen(t, fs, paxos.RoleAcceptor)
		raise(t, s, round+1, "p1")
		mustClose(t, s)
	}
	if err := fs.Remove(newestManifest(t, fs)); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir, identity(paxos.RoleAcceptor), Options{FS: fs, Fatal: neverFatal})
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "could not open manifest file") {
		t.Error(err)
	}
}

// tellOfLog leaves a MANIFEST with an edit of a compaction made when five writes were
// in the log that followed the tables, and then edits that leave out this log, which
// has been used again under another number. Without them the numbers of writes show
// no hole. The log is one that a flush made, or Open did.
func tellOfLog(t *testing.T, s *Store, flushed bool) *Store {
	t.Helper()
	round := uint64(0)
	five := func() {
		for range 5 {
			round++
			raise(t, s, round, "p1")
		}
	}
	five()
	if flushed {
		flush(t, s)
	} else {
		mustClose(t, s)
		s = mustOpen(t, s.writes.FS, paxos.RoleAcceptor)
	}
	five()
	manifest := newestManifest(t, s.opts.FS)
	before, first, err := readManifest(s.opts.FS, manifest)
	if err != nil {
		t.Fatal(err)
	}
	logs := named(t, s.opts.FS, ".log")
	log := logs[len(logs)-1] // the one written to
	// Keys that the log does not have, so that it is not flushed. Pebble compacts so
	// few tables only when told.
	if err := s.db.Compact(t.Context(), numberKey(keyVote, 1), numberKey(keyVote, 5), false); err != nil {
		t.Fatal(err)
	}
	after, same, err := readManifest(s.opts.FS, manifest)
	if err != nil {
		t.Fatal(err)
	}
	if after <= before || same != first {
		t.Fatalf("the edit tells of writes up to %d after %d, and names log %d after %d: this does not test what it should", after, before, same, first)
	}
	flush(t, s)
	for slices.Contains(named(t, s.opts.FS, ".log"), log) {
		five()
		flush(t, s)
		if round > 100 {
			t.Fatalf("%s is still there: this does not test what it should", log)
		}
	}
	five()
	return s
}

// goesOn opens a directory that rounds 1, 2, 3, ... were written to, writes on, and
// checks that what it finds after two more starts is what it wrote.
func goesOn(t *testing.T, fs vfs.FS, name string) string {
	t.Helper()
	s, err := Open(dir, identity(paxos.RoleAcceptor), Options{FS: fs, Fatal: neverFatal})
	if err != nil {
		return "refused"
	}
	promised, votes, _ := rounds(t, s)
	if votes != promised {
		t.Errorf("%s: round %d is promised, and there are %d votes", name, promised, votes)
	}
	const more = uint64(40) // rounds, so that their numbers reach those of hidden writes
	for r := range more {
		raise(t, s, promised+r+1, "p2")
	}
	for range 2 {
		mustClose(t, s)
		s = mustOpen(t, fs, paxos.RoleAcceptor)
	}
	if now, p1, p2 := rounds(t, s); now != promised+more || p1 != votes || p2 != more {
		t.Errorf("%s: of round %d with %d votes and then %d more, round %d with %d votes and %d more are left", name, promised, votes, more, now, p1, p2)
	}
	mustClose(t, s)
	return "goes on"
}
