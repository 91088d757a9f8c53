package faults

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// contents is what inspect says of a data directory, and whether all of it can be
// read. ok is false if it cannot be opened.
func contents(t *testing.T, k *cluster.Cluster, dir string) (state string, sound, ok bool) {
	t.Helper()
	out, _, code := k.Run("inspect", dir, "-o", "json")
	if code != 0 {
		return "", false, false
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(out), &fields); err != nil {
		t.Fatalf("inspect: %v: %s", err, out)
	}
	delete(fields, "dir")
	_, _, code = k.Run("inspect", dir, "--verify")
	return fmt.Sprint(fields), code == 0, true
}

// outcome is what became of a process on a damaged directory.
type outcome string

const (
	refused   outcome = "refused"
	unchanged outcome = "harmless: all is there"
	later     outcome = "starts; reading the damaged part ends it"
	older     outcome = "an earlier state"
)

// patient is a process whose directory is damaged again and again.
type patient struct {
	t    *testing.T
	k    *cluster.Cluster
	c    *client.Client
	id   paxos.NodeID
	copy string // of its directory, as sound as it was last
	said map[string]bool
}

// suffer stops the process, damages its directory, starts it again and says what
// became of it. Afterwards it runs, on a sound directory.
func (p *patient) suffer(name string, damage func(dir string) error) outcome {
	p.t.Helper()
	dir := p.k.Data(p.id)
	p.k.Kill(p.id)
	restore(p.t, p.copy, dir)
	before, _, ok := contents(p.t, p.k, dir)
	if !ok {
		p.t.Fatalf("%s: the directory is damaged before it is damaged", name)
	}
	restore(p.t, dir, p.copy) // without what inspect left
	if err := damage(dir); err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	probe := dir + ".probe"
	restore(p.t, probe, dir)
	after, sound, opens := contents(p.t, p.k, probe)
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
	} else if !opens {
		p.t.Errorf("%s: inspect cannot open it, and it serves", name)
	} else if after != before {
		got = older
	} else if !sound {
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
	for _, id := range []paxos.NodeID{"a1", "l1"} {
		p := &patient{t: t, k: k, c: c, id: id, copy: filepath.Join(k.Dir, "copy-"+string(id)), said: map[string]bool{}}
		tally := map[string]int{}
		for _, kind := range []string{"IDENTITY", "LOCK", "OPTIONS", "MANIFEST", "marker", "sst", "log"} {
			if id == "a1" && (kind == "log" || kind == "MANIFEST") {
				continue
			}
			for _, how := range slices.Sorted(maps.Keys(damages)) {
				got := p.suffer(fmt.Sprintf("%s, %s %s", id, kind, how), func(dir string) error {
					file := anyOf(rng, dataFiles(t, dir), kind)
					if file == "" {
						t.Fatalf("%s has no %s", id, kind)
					}
					return damages[how](rng, file)
				})
				tally[fmt.Sprintf("%-9s %-15s %s", kind, how, got)]++
				if got == older && id == "a1" {
					t.Errorf("%s, %s %s: it votes in an earlier state", id, kind, how)
				}
			}
		}
		for _, line := range slices.Sorted(maps.Keys(tally)) {
			t.Logf("%s  %d  %s", id, tally[line], line)
		}
	}
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
