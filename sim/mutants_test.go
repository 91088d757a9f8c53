package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// Bounds of one mutant. A simulation that needs more seeds than seedsBound, as
// the median over firstSeeds, has not noticed.
const (
	seedsBound = 1500
	buildBound = 3 * time.Minute
	testBound  = time.Minute
	hangBound  = 15 * time.Second // of a mutant that hangs; without it, its test takes about one
	simBound   = 4 * time.Minute
)

var firstSeeds = [3]uint64{1, 1_000_001, 2_000_001}

// caught is what noticed a mutant.
type caught struct {
	by    string
	seeds int // the median, of simulation
}

// chosenMutants are those that PAXLOG_MUTANTS asks for: all of them (1), every n-th from the k-th
// on (k/n), or those with that text in their name or file.
func chosenMutants(t *testing.T, only string) (chosen []mutant) {
	var k, n int
	if _, err := fmt.Sscanf(only, "%d/%d", &k, &n); err != nil {
		n = 0
	} else if n < 1 || k < 0 || k >= n {
		t.Fatalf("PAXLOG_MUTANTS=%s: must be k/n, with k from 0 to n-1", only)
	}
	for i, m := range mutants {
		if only == "1" || n > 0 && i%n == k || strings.Contains(m.name, only) || strings.Contains(m.file, only) {
			chosen = append(chosen, m)
		}
	}
	return chosen
}

// TestMutants puts each bug back and fails when one survives. It takes many minutes,
// so it runs only with PAXLOG_MUTANTS (chosenMutants).
//
// No file is changed: the compiler is given the changed one in place of the
// original, and only what must notice the mutant is built and run.
func TestMutants(t *testing.T) {
	only := os.Getenv("PAXLOG_MUTANTS")
	if only == "" {
		t.Skip("set PAXLOG_MUTANTS=1, to k/n for one of n parts, or to a part of a mutant's name or file")
	}
	chosen := chosenMutants(t, only)
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{root: root, dir: t.TempDir()}
	if !t.Run("without a bug", func(t *testing.T) { h.baseline(t, chosen) }) {
		return
	}
	began := time.Now()
	results := make([]caught, len(chosen))
	t.Run("with", func(t *testing.T) {
		for i, m := range chosen {
			t.Run(fmt.Sprintf("%d %s", m.row, m.name), func(t *testing.T) {
				t.Parallel()
				results[i] = h.put(t, m)
			})
		}
	})
	t.Logf("%d mutants in %v\n%s", len(chosen), time.Since(began).Round(time.Second), summary(chosen, results))
}

// TestMutantsHavePlaces keeps the mutants up to date with every change, not only when
// they are put back: the place of each is there once.
func TestMutantsHavePlaces(t *testing.T) {
	for _, m := range chosenMutants(t, "1") {
		if _, err := m.mutated(".."); err != nil {
			t.Errorf("%d %s: %v", m.row, m.name, err)
		}
	}
}

// mutated is the file of m, in the module at root, with the bug in it.
func (m mutant) mutated(root string) (string, error) {
	original, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(original), m.old); n != 1 {
		return "", fmt.Errorf("%s: the place of the change is there %d times: bring this mutant up to date", m.file, n)
	}
	return strings.Replace(string(original), m.old, m.new, 1), nil
}

// summary is the table that is printed at the end.
func summary(chosen []mutant, results []caught) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "row\tmutant\tcaught by\tseeds")
	for i, m := range chosen {
		by, seeds := results[i].by, ""
		if by == "" {
			by = "NOTHING"
		}
		if results[i].seeds > 0 {
			seeds = strconv.Itoa(results[i].seeds)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", m.row, m.name, by, seeds)
	}
	_ = w.Flush() // to memory
	return b.String()
}

// harness builds and runs test binaries.
type harness struct {
	root string
	dir  string
	mu   sync.Mutex
	made int
}

// testPackage is the package, as a path in the module, of what must notice m.
func (m mutant) testPackage() string {
	switch {
	case m.by == simulation:
		return "sim"
	case m.in != "":
		return m.in
	}
	return filepath.ToSlash(filepath.Dir(m.file))
}

// baseline makes sure that what must notice the mutants is there, and passes
// while there is no bug.
func (h *harness) baseline(t *testing.T, chosen []mutant) {
	tests := map[string][]string{}
	for _, m := range chosen {
		if m.by != simulation {
			tests[m.testPackage()] = append(tests[m.testPackage()], m.by)
		}
	}
	for pkg, names := range tests {
		t.Run(pkg, func(t *testing.T) {
			t.Parallel()
			slices.Sort(names)
			names = slices.Compact(names)
			bin, err := h.build(pkg, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			out, err := h.run(pkg, bin, nil, testBound, "^("+strings.Join(names, "|")+")$", "-test.v")
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, name := range names {
				if !strings.Contains(out, "--- PASS: "+name+" ") {
					t.Errorf("there is no test %s", name)
				}
			}
		})
	}
}

// put puts m back and returns what noticed it.
func (h *harness) put(t *testing.T, m mutant) caught {
	source, err := m.mutated(h.root)
	if err != nil {
		t.Fatal(err)
	}
	pkg := m.testPackage()
	bin, err := h.build(pkg, m.file, []byte(source))
	if err != nil {
		t.Fatalf("the mutant does not compile: %v", err)
	}
	defer os.Remove(bin)
	by := caught{}
	if m.by == simulation {
		by = h.simulate(t, bin, m.says)
	} else {
		by.by = h.test(t, pkg, bin, m)
	}
	if by.by == "" {
		t.Error("it survives: nothing notices this bug")
	}
	return by
}

// test runs the test that must notice m and says how it did, or returns "".
func (h *harness) test(t *testing.T, pkg, bin string, m mutant) string {
	bound := testBound
	if m.hang {
		bound = hangBound
	}
	out, err := h.run(pkg, bin, nil, bound, "^"+m.by+"$", "-test.v", "-test.failfast")
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		if !m.hang {
			t.Logf("it does not end:\n%s", out)
			return ""
		}
		return m.by + ", which hangs"
	case !strings.Contains(out, m.says):
		t.Errorf("it is noticed, and not by %q:\n%s", m.says, out)
		return m.by
	case strings.Contains(out, "--- FAIL: "+m.by):
		return m.by
	case strings.Contains(out, "=== RUN   "+m.by):
		return m.by + ", which crashes"
	}
	t.Logf("%v:\n%s", err, out)
	return ""
}

var failedAfter = regexp.MustCompile(`(?m)^after (\d+) seeds: `)

// simulate runs seeds until one notices, from each of firstSeeds on.
func (h *harness) simulate(t *testing.T, bin, says string) caught {
	var took []int
	for i, first := range firstSeeds {
		bound := seedsBound
		if i == 2 {
			if took[0] > seedsBound && took[1] > seedsBound {
				break // whatever the third one takes
			}
			if took[0] <= seedsBound && took[1] <= seedsBound {
				bound = max(took[0], took[1]) // beyond it the third one is not the median
			}
		}
		env := []string{fmt.Sprintf("PAXLOG_UNTIL=%d", bound), fmt.Sprintf("PAXLOG_SEED=%d", first)}
		out, err := h.run("sim", bin, env, simBound, "^TestUntilCaught$", "-test.v")
		n := seedsBound + 1
		if s := failedAfter.FindStringSubmatch(out); s != nil {
			n, _ = strconv.Atoi(s[1]) // digits
		} else if err != nil {
			t.Fatalf("neither caught nor not: %v\n%s", err, out)
		}
		if n <= seedsBound && !strings.Contains(out, says) {
			t.Errorf("it is noticed, and not by %q:\n%s", says, out)
		}
		took = append(took, n)
	}
	slices.Sort(took)
	if took[1] > seedsBound {
		return caught{}
	}
	return caught{simulation, took[1]}
}

// build compiles the tests of a package, with file replaced by content.
func (h *harness) build(pkg, file string, content []byte) (string, error) {
	h.mu.Lock()
	h.made++
	name := filepath.Join(h.dir, strconv.Itoa(h.made))
	h.mu.Unlock()
	args := []string{"test", "-c", "-vet=off", "-ldflags=-w", "-o", name + ".test"}
	if file != "" {
		overlay, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(h.root, file): name + ".go"}})
		if err != nil {
			return "", err
		}
		if err := errors.Join(os.WriteFile(name+".go", content, 0o600), os.WriteFile(name+".json", overlay, 0o600)); err != nil {
			return "", err
		}
		args = append(args, "-overlay", name+".json")
	}
	out, err := h.command(buildBound, h.root, nil, "go", append(args, "./"+pkg)...)
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return name + ".test", nil
}

// run runs tests of a binary where go test would.
func (h *harness) run(pkg, bin string, env []string, bound time.Duration, tests string, flags ...string) (string, error) {
	return h.command(bound, filepath.Join(h.root, pkg), env, bin, append(flags, "-test.run", tests)...)
}

func (h *harness) command(bound time.Duration, dir string, env []string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.WaitDelay = time.Second // children may hold its output open
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "PAXLOG_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return string(out), err
}

// TestUntilCaught runs at most PAXLOG_UNTIL seeds from PAXLOG_SEED on and fails at
// the first that notices something.
func TestUntilCaught(t *testing.T) {
	bound, err := strconv.Atoi(os.Getenv("PAXLOG_UNTIL"))
	if err != nil {
		t.Skip("run by TestMutants")
	}
	first, err := strconv.ParseUint(os.Getenv("PAXLOG_SEED"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= bound; n++ {
		if err := seedSays(first + uint64(n) - 1); err != nil {
			fmt.Printf("after %d seeds: %v\n", n, err)
			t.FailNow()
		}
	}
}

// seedSays is what a seed finds, also if it is a panic of a machine.
func seedSays(seed uint64) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return RunSeed(seed, nil, nil).Err
}
