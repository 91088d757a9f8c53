package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// kindOf is what a file of a data directory is for: IDENTITY, LOCK, OPTIONS,
// MANIFEST, marker, log or sst.
func kindOf(path string) string {
	name := filepath.Base(path)
	if ext := filepath.Ext(name); ext == ".log" || ext == ".sst" {
		return ext[1:]
	}
	kind, _, _ := strings.Cut(name, "-")
	kind, _, _ = strings.Cut(kind, ".")
	return kind
}

// damages are ways to damage a file.
var damages = map[string]func(rng *rand.Rand, path string) error{
	"a byte flipped": func(rng *rand.Rand, path string) error {
		data, err := os.ReadFile(path)
		if err != nil || len(data) == 0 {
			return err // nothing can be flipped
		}
		data[rng.IntN(len(data))] ^= byte(1 + rng.IntN(255))
		return os.WriteFile(path, data, 0o644)
	},
	"cut short": func(rng *rand.Rand, path string) error {
		info, err := os.Stat(path)
		if err != nil || info.Size() == 0 {
			return err
		}
		return os.Truncate(path, rng.Int64N(info.Size()))
	},
	"removed": func(_ *rand.Rand, path string) error { return os.Remove(path) },
}

// dataFiles lists the files of a data directory.
func dataFiles(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// restore makes dir a copy of another directory.
func restore(t *testing.T, dir, from string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// state is what inspect says of a data directory.
type state struct {
	all     string  // "" if it cannot be opened
	commits float64 // of an acceptor
	sworn   string  // by an acceptor: its promise, and the ballot under which it rejoined
}

// contents is the state of a data directory, and what is found wrong when all of it
// is read.
func contents(t *testing.T, k *cluster.Cluster, dir string) (s state, wrong error) {
	t.Helper()
	out, errs, code := k.Run("inspect", dir, "-o", "json")
	if code != 0 {
		return state{}, errors.New(errs)
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(out), &fields); err != nil {
		t.Fatalf("inspect: %v: %s", err, out)
	}
	delete(fields, "dir")
	s.all = fmt.Sprint(fields)
	s.commits, _ = fields["commits"].(float64)
	s.sworn = fmt.Sprint(fields["promised"], fields["rejoined_under"])
	if _, errs, code = k.Run("inspect", dir, "--verify"); code != 0 {
		wrong = errors.New(errs)
	}
	return s, wrong
}

// outcome is what became of a process on a damaged directory.
type outcome string

const (
	refused   outcome = "refused"
	unchanged outcome = "harmless: all is there"
	unsynced  outcome = "harmless: what it had copied, and told nobody, is copied again"
	later     outcome = "starts; reading the damaged part ends it"
	older     outcome = "an earlier state"
)

// patient is a process whose directory is damaged again and again.
type patient struct {
	t    *testing.T
	k    *cluster.Cluster
	c    *client.Client
	l    *cluster.Load // stopped
	id   paxos.NodeID
	copy string // of its directory, as sound as it was last
	said map[string]bool
}

func newPatient(t *testing.T, k *cluster.Cluster, c *client.Client, l *cluster.Load, id paxos.NodeID) *patient {
	return &patient{t: t, k: k, c: c, l: l, id: id, copy: filepath.Join(k.Dir, "copy-"+string(id)), said: map[string]bool{}}
}

// sufferAll damages files of each kind in each way, as often as PAXLOG_ROUNDS says.
func (p *patient) sufferAll(rng *rand.Rand, kinds ...string) {
	p.t.Helper()
	tally := map[string]int{}
	for range cluster.Number(p.t, "PAXLOG_ROUNDS", 1) {
		for _, kind := range kinds {
			for _, how := range slices.Sorted(maps.Keys(damages)) {
				got := p.suffer(fmt.Sprintf("%s, %s %s", p.id, kind, how), func(dir string) error {
					file := anyOf(rng, dataFiles(p.t, dir), kind)
					if file == "" {
						return fmt.Errorf("there is no %s", kind)
					}
					return damages[how](rng, file)
				})
				tally[fmt.Sprintf("%-9s %-15s %s", kind, how, got)]++
			}
		}
	}
	for _, line := range slices.Sorted(maps.Keys(tally)) {
		p.t.Logf("%s  %d  %s", p.id, tally[line], line)
	}
}

// suffer stops the process, damages its directory, starts it again and says what
// became of it. Afterwards it runs, on a sound directory.
func (p *patient) suffer(name string, damage func(dir string) error) outcome {
	p.t.Helper()
	dir := p.k.Data(p.id)
	p.tellsAll()
	p.k.Kill(p.id)
	restore(p.t, p.copy, dir)
	before, sound := contents(p.t, p.k, dir)
	if sound != nil {
		p.t.Fatalf("%s: before it, %v", name, sound)
	}
	restore(p.t, dir, p.copy) // without what inspect left
	if err := damage(dir); err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	probe := dir + ".probe"
	restore(p.t, probe, dir)
	after, wrong := contents(p.t, p.k, probe)
	process := p.k.Start(p.id)
	got := unchanged
	if p.ends(process) {
		got = refused
		line := lastWords(p.t, p.k, p.id)
		if !strings.Contains(line, "damaged") && !strings.Contains(line, "belongs to another") && !strings.Contains(line, "has format") {
			p.t.Errorf("%s: it does not say what is wrong: %s", name, line)
		}
		if said := strings.ReplaceAll(line, dir, "DIR"); !p.said[said] {
			p.said[said] = true
			p.t.Logf("%s: %s", name, said)
		}
	} else if after.all == "" {
		p.t.Errorf("%s: it serves, and inspect says %v", name, wrong)
	} else if after.all != before.all {
		got = p.mustBeOlder(name, process, before, after, wrong)
	} else if wrong != nil {
		got = later
	}
	if got == refused || got == later {
		p.k.Kill(p.id)
		restore(p.t, dir, p.copy)
		p.k.Start(p.id)
	}
	caughtUp(p.k, p.c, p.id)
	return got
}

// tellsAll returns when peers know of every commit of an acceptor: an entry has been
// answered for which its vote was needed. Commits that nobody was told of may be
// lost without anybody noticing, and are under way at any time under a load.
func (p *patient) tellsAll() {
	p.t.Helper()
	if p.id[0] != 'a' {
		return
	}
	for _, n := range p.k.Config.Acceptors {
		if n.ID != p.id {
			p.k.Signal(n.ID, syscall.SIGSTOP)
			defer p.k.Signal(n.ID, syscall.SIGCONT)
			break // the others are a quorum, with it
		}
	}
	if err := p.l.Append(); err != nil {
		p.t.Fatalf("with the vote of %s: %v", p.id, err)
	}
}

// mustBeOlder checks a process that serves with another state than it had: it is an
// earlier one, in itself sound; and an acceptor that has lost commits is told so.
func (p *patient) mustBeOlder(name string, process *cluster.Process, before, after state, wrong error) outcome {
	p.t.Helper()
	evidence := fmt.Sprintf("%s\nbefore %s\nafter  %s", name, before.all, after.all)
	if wrong != nil {
		p.t.Errorf("it serves in a state that it never had: %v\n%s", wrong, evidence)
	}
	switch {
	case p.id[0] != 'a':
	case after.commits == before.commits:
		if after.sworn != before.sworn {
			p.t.Errorf("it has lost what it promised, and has as many commits as before\n%s", evidence)
		}
		return unsynced
	default:
		p.k.Await(string(p.id)+" learns what it has forgotten: "+evidence, func() bool { return strings.Contains(process.Stderr(), "has forgotten") })
	}
	return older
}

// ends waits until a process has ended, or serves.
func (p *patient) ends(process *cluster.Process) (ended bool) {
	p.k.Await(string(p.id)+" ends or serves", func() bool {
		select {
		case <-process.Done():
			ended = true
		default:
		}
		return ended || strings.Contains(process.Stderr(), `"message":"ready"`)
	})
	return ended
}

// TestDamagedFiles damages files of every kind in the directories of an acceptor
// and of a learner, and starts them again in their cluster. Each refuses in a
// sentence, or has all it had. A learner may also have an earlier state, from which
// it learns on. (What an acceptor's log and MANIFEST may hide is in
// forgotten_test.go.)
func TestDamagedFiles(t *testing.T) {
	rng := cluster.Seed(t, "./faults")
	k := cluster.New(t, 3, 2, 2)
	c := k.Client(client.WithTimeout(20 * time.Second))
	l := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 3, Pace: pace, Bytes: 500})
	l.Await(300, "at the start")
	for _, id := range []paxos.NodeID{"a1", "l1"} {
		k.Kill(id) // its next start makes tables of its log
		k.Start(id)
		caughtUp(k, c, id)
	}
	l.Await(100, "for the log")
	l.Stop()
	newPatient(t, k, c, l, "a1").sufferAll(rng, "IDENTITY", "LOCK", "OPTIONS", "marker", "sst")
	newPatient(t, k, c, l, "l1").sufferAll(rng, "IDENTITY", "LOCK", "OPTIONS", "MANIFEST", "marker", "sst", "log")
	k.Kill("a3") // a1 is needed
	l.Start()
	l.Await(100, "with those that were damaged")
	k.Check(l)
}

// anyOf picks one of the files of a kind, the newest more often, "" if there is
// none.
func anyOf(rng *rand.Rand, files []string, kind string) string {
	var some []string
	for _, f := range files {
		if kindOf(f) == kind {
			some = append(some, f)
		}
	}
	if len(some) == 0 {
		return ""
	}
	if rng.IntN(2) == 0 {
		return slices.Max(some)
	}
	return some[rng.IntN(len(some))]
}
