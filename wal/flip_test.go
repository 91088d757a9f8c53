package wal

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// files lists the files under a directory of fs.
func files(t *testing.T, fs vfs.FS, path string) []string {
	t.Helper()
	names, err := fs.List(path)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	var out []string
	for _, n := range names {
		p := fs.PathJoin(path, n)
		info, err := fs.Stat(p)
		switch {
		case err != nil:
			t.Fatal(err)
		case info.IsDir():
			out = append(out, files(t, fs, p)...)
		case info.Size() > 0:
			out = append(out, p)
		}
	}
	return out
}

// TestFlippedByte flips one byte of each file of an acceptor. Opening or reading
// must fail, or find what was there. What Pebble cannot tell is a lost tail: the
// end of its log or of its MANIFEST. Then what is found must be what some first
// commits made, never a value that was not written.
func TestFlippedByte(t *testing.T) {
	t.Parallel()
	role := paxos.RoleAcceptor
	mem := vfs.NewCrashableMem()
	initDir(t, mem, role)
	s := mustOpen(t, mem, role)
	w := newWork(rand.New(rand.NewPCG(1, 0)), role)
	states := []string{w.m.state(role)}
	for i := range 40 {
		mustCommit(t, s, w.next(), true)
		states = append(states, w.m.state(role))
		if i == 15 {
			flush(t, s)
		}
	}
	base := mem.CrashClone(vfs.CrashCloneCfg{}) // as a crash leaves it: a log without an end mark
	mustClose(t, s)

	r := rand.New(rand.NewPCG(2, 0))
	tally := map[string]int{}
	for _, name := range files(t, base, dir) {
		data := readFile(t, base, name)
		// Everywhere, and at the very ends more often.
		var places []int
		for range flips {
			places = append(places, r.IntN(len(data)))
		}
		places = append(places, 0, len(data)-1)
		for _, place := range places {
			flip := byte(1 + r.IntN(255))
			fs := base.CrashClone(vfs.CrashCloneCfg{})
			damaged := slices.Clone(data)
			damaged[place] ^= flip
			mustWriteFile(t, fs, name, damaged)
			got, how := readFlipped(fs)
			n := slices.Index(states, got)
			switch {
			case how != "":
			case n == len(states)-1:
				how = "the same"
			case n >= 0 && (strings.HasSuffix(name, ".log") || strings.Contains(name, "MANIFEST")):
				how = "silently, a first part"
			default:
				t.Errorf("%s, byte %d of %d changed by %#x: a state that never was, or a loss that is not known (%d commits)\n%s",
					name, place, len(data), flip, n, got)
				how = "WRONG"
			}
			tally[fmt.Sprintf("%-32s %s", name, how)]++
		}
	}
	for _, line := range slices.Sorted(func(yield func(string) bool) {
		for k := range tally {
			if !yield(k) {
				return
			}
		}
	}) {
		t.Logf("%3d  %s", tally[line], line)
	}
}

// readFlipped opens and reads everything, or says how that failed. Pebble also
// reads tables in goroutines of its own, and may find the damage there first.
func readFlipped(fs vfs.FS) (string, string) {
	type result struct{ state, how string }
	results := make(chan result, 2)
	go func() {
		defer func() {
			if recover() != nil {
				results <- result{how: "refused: a panic"}
			}
		}()
		fatal := func(error) {
			select {
			case results <- result{how: "refused"}:
			default:
			}
		}
		s, err := Open(dir, identity(paxos.RoleAcceptor), Options{FS: fs, Fatal: fatal})
		if err != nil {
			fatal(err)
			return
		}
		abandon(s)
		state, err := stateOf(s)
		if err != nil {
			fatal(err)
		}
		_ = s.Close()
		results <- result{state: state}
	}()
	r := <-results
	return r.state, r.how
}
