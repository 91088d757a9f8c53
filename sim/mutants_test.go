package sim

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// mutant is a bug that other implementations shipped, put back into this code at
// one place. Row is its place in the list of such bugs in docs/assurance.md.
type mutant struct {
	row      int
	name     string
	file     string
	old, new string
	// seeds says that simulation must catch it; else the unit tests of its package
	// do, since it takes a rarer coincidence or other code than the machines.
	seeds bool
}

var mutants = []mutant{
	{1, "accept does not raise promised", "acceptor/phase2.go", "	a.promise(m.Ballot)\n	a.hear(m.Ballot)\n	if a.votes", "	a.hear(m.Ballot)\n	if a.votes", true},
	{2, "ballots are the same in each run", "proposer/preparing.go", "Proposer: p.cfg.ID, Run: p.cfg.Run}", "Proposer: p.cfg.ID}", false},
	{3, "votes of any ballot count for the leader", "proposer/leading.go", "		if r.Ballot != l.ballot {\n			continue\n		}\n", "", false},
	{4, "votes leave before their sync", "acceptor/phase2.go", "		a.Out.Sync = true\n		for _, s", "		for _, s", true},
	{4, "promises leave before their sync", "acceptor/phase1.go", "		a.Out.Sync = true\n", "", true},
	{5, "recovery takes any accepted value", "proposer/preparing.go", "old.Ballot.Less(v.Ballot)", "false", false},
	{6, "a page is taken whatever its number", "proposer/preparing.go", "m.Nonce != c.nonce || m.Page != c.next", "m.Nonce != c.nonce", false},
	{6, "one page is taken for the whole promise", "proposer/preparing.go", "	case m.Last:\n", "	case true:\n", true},
	{7, "reported instances are filled with no-ops", "proposer/leading.go", "			v, ok := values[l.next]\n", "			v, ok := paxos.Value{}, values == nil\n", true},
	{8, "a vote counts each time it is told", "paxos/quorum.go", "return s | 1<<uint(i)", "return s<<1 | 1", true},
	{9, "votes at different ballots add up", "learner/choose.go", "		if s.ballots[i].ballot == b {", "		if true {", true},
	{10, "chosenUpTo covers votes of any ballot", "acceptor/phase2.go", "a.votes[a.held+1] == a.announced", "!a.votes[a.held+1].IsZero()", true},
	{12, "repeats are applied again", "learner/apply.go", "	case end <= last:\n		l.use(r.Session)\n		l.answerStored(r.Session, r.First, end)\n		return none\n	case r.First <= last:", "	case false:", true},
	{13, "a later command is applied over a gap", "learner/apply.go", "	case r.First > last+1:", "	case false:", true},
	{14, "an instance that was never learned is skipped", "learner/choose.go", "		if v == nil {\n			return\n		}", "		if v == nil && l.highest > l.state.Applied+1 {\n			l.state.Applied++\n			continue\n		}\n		if v == nil {\n			return\n		}", true},
	{18, "a leader with hung disks keeps leading", "proposer/upkeep.go", "p.now-o.born > p.cfg.StallTicks", "false", false},
	{18, "an acceptor with a hung disk answers heartbeats", "acceptor/phase1.go", "	if !a.hung() {", "	if true {", false},
	{19, "a returning proposer deposes a live leader", "acceptor/phase1.go", "	return a.now-a.heardAt < a.cfg.ElectionTicks && !a.heard.SameRun(b)", "	return false", false},
	{20, "a proposer campaigns only when all acceptors are silent", "proposer/standby.go", "	if p.cfg.Membership.IsPhase1(silent) {", "	if silent.Len() == len(s.answers) {", true},
	{21, "a client's result is told for whatever is applied", "learner/apply.go", "		Index: index, Instance: rec.Instance", "		Index: index + 1, Instance: rec.Instance", true},
	{24, "sessions expire in another order after a restart", "learner/session.go", "cmp.Compare(a.Used, b.Used)", "cmp.Compare(b.Used, a.Used)", true},
	{25, "quorums need not intersect", "paxos/quorum.go", "	case m.Phase1+m.Phase2 <= n:", "	case false:", false},
	{27, "an expired session begins anew", "learner/apply.go", "id.Birth() >= l.state.Floor &&", "", true},
	{29, "a wiped acceptor votes at once", "acceptor/phase1.go", "	case !a.admitted:\n		a.reject(from, m.Ballot, m.Nonce, paxos.RejectNotAdmitted)\n		return\n", "", false},
	{30, "a read takes the lowest answer for its point", "paxos/quorum.go", "return sorted[len(sorted)-k], true", "return sorted[0], true", true},
	{31, "a page is called held by a later mark", "acceptor/phase1.go", "Nonce: p.nonce, From: p.from, Held: p.held, Runs: p.runs, Values: m.Votes[:n]", "Nonce: p.nonce, From: p.from, Held: a.held, Runs: p.runs, Values: m.Votes", false},
	{32, "a late Accept overwrites what is held", "acceptor/phase2.go", "	case m.Instance <= a.held:", "	case false:", true},
	{33, "nobody repairs what only a lost acceptor held", "proposer/upkeep.go", "m.Instance == 0 || m.Instance > l.chosenUpTo", "m.Instance >= 0", false},
	{34, "a vote counts for every ballot of its instance", "learner/choose.go", "t.votes = t.votes.With(place)", "t.votes = t.votes.With(place)\n			for k := range l.slot(i).ballots {\n				l.slot(i).ballots[k].votes = l.slot(i).ballots[k].votes.With(place)\n			}", true},
	{35, "heartbeats of a deposed leader count", "acceptor/phase1.go", "	a.learnChosen(m.Ballot, m.ChosenUpTo)\n	if m.Ballot.Less(a.promised) {", "	a.learnChosen(m.Ballot, m.ChosenUpTo)\n	a.hear(m.Ballot)\n	if m.Ballot.Less(a.promised) {", false},
	{35, "answers to old heartbeats keep a leader", "proposer/leading.go", "l.fresh[place] = max(l.fresh[place], sent)", "l.fresh[place] = p.now", false},
}

var failedSeed = regexp.MustCompile(`seed (\d+)`)

// TestMutants puts each bug back into a copy of this code and fails when one
// survives. It takes minutes, so it runs only with PAXLOG_MUTANTS=1, or with a
// part of a name.
func TestMutants(t *testing.T) {
	only := os.Getenv("PAXLOG_MUTANTS")
	if only == "" {
		t.Skip("set PAXLOG_MUTANTS=1, or to a part of a mutant's name")
	}
	root := t.TempDir()
	copyModule(t, "..", root)
	for _, m := range mutants {
		t.Run(fmt.Sprintf("%d %s", m.row, m.name), func(t *testing.T) {
			if only != "1" && !strings.Contains(m.name, only) {
				t.Skip()
			}
			path := filepath.Join(root, m.file)
			original, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Count(string(original), m.old) != 1 {
				t.Fatalf("%s: the place of the change is there %d times: bring this mutant up to date", m.file, strings.Count(string(original), m.old))
			}
			changed := strings.Replace(string(original), m.old, m.new, 1)
			if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := os.WriteFile(path, original, 0o644); err != nil {
					t.Fatal(err)
				}
			}()
			by := kill(t, root, m)
			if by == "" {
				t.Errorf("it survives: nothing notices this bug")
			}
			t.Log("caught by " + by)
		})
	}
}

// kill runs what must notice m and says what did.
func kill(t *testing.T, root string, m mutant) string {
	t.Helper()
	runTests := func(env []string, args ...string) (string, bool) {
		cmd := exec.Command("go", append([]string{"test"}, args...)...)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		if bytes.Contains(out, []byte("[build failed]")) {
			t.Fatalf("the mutant does not compile:\n%s", out)
		}
		return string(out), err != nil
	}
	if m.seeds {
		out, caught := runTests([]string{"PAXLOG_SEED=1", "PAXLOG_SEEDS=1500", "PAXLOG_MUTANTS=", "PAXLOG_SHORTEN=no"}, "./sim", "-run", "TestSeeds|TestScenarios", "-timeout", "5m", "-failfast")
		if !caught {
			return ""
		}
		if s := failedSeed.FindStringSubmatch(out); s != nil {
			n, _ := strconv.Atoi(s[1])
			return fmt.Sprintf("simulation, %d seeds", n)
		}
		return "simulation"
	}
	pkg := "./" + filepath.ToSlash(filepath.Dir(m.file))
	if _, caught := runTests(nil, pkg); caught {
		return "the tests of " + pkg
	}
	return ""
}

// copyModule copies the sources of the module.
func copyModule(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && rel != "." {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		if !d.Type().IsRegular() || !strings.HasSuffix(path, ".go") && !strings.HasPrefix(d.Name(), "go.") && !strings.Contains(path, "testdata") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}
