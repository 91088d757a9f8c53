package tools

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/sim"
	"github.com/paxlog/paxlog/sim/explore"
	"github.com/paxlog/paxlog/sim/picture"
)

// simOptions say what to simulate.
type simOptions struct {
	Seed     uint64
	Runs     uint64
	Scenario *sim.Scenario   // nil: random faults
	Explore  *explore.Config // instead: visit every state of this configuration
	States   uint64          // of them, at most
	List     bool
	Ladder   bool
	Trace    bool
	JSON     bool
}

// Sim is the command sim.
func Sim() *command.Command {
	return &command.Command{
		Name:    "sim",
		Group:   command.GroupOther,
		Summary: "run the very same machines in a simulator that breaks things",
		Details: "Each seed is a whole cluster, with its network, disks and clocks, under crashes,\n" +
			"lost data, partitions, pauses, failed, full and hung disks; every invariant is\n" +
			"checked after every step. The same seed is the same run, and has the same hash.\n" +
			"Exit code 1 says that an invariant was violated, and prints how to replay it and\n" +
			"the shortest such run as a ladder of messages.",
		Example: "paxlog sim --runs 1000\npaxlog sim --list\npaxlog sim --scenario ladder --ladder\npaxlog sim --explore small",
		Flags: []command.Option{
			{Name: "seed", Value: "N", Usage: "the first seed; else a random one"},
			{Name: "runs", Value: "COUNT", Usage: "how many seeds to run", Preset: "100"},
			{Name: "scenario", Value: "NAME", Usage: "play this named scenario instead of random faults"},
			{Name: "explore", Value: "NAME", Usage: "visit every state of this small cluster instead"},
			{Name: "states", Value: "COUNT", Usage: "with --explore: end after so many states", Preset: "1000000"},
			{Name: "beside", Value: "raft", Usage: "name the command that plays a scenario on Paxlog and on Raft"},
			{Name: "list", Usage: "list the named scenarios and explorations"},
			{Name: "ladder", Usage: "print the messages of one run as a ladder"},
			{Name: "trace", Usage: "print everything that happens in one run"},
			command.OutputOption("plain", "json"),
		},
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			if in.Given["beside"] {
				return besideRaft(env, in)
			}
			opts, err := readSimOptions(in)
			if err != nil {
				return err
			}
			return runSim(ctx, env, opts)
		},
	}
}

// readSimOptions reads the flags of sim.
func readSimOptions(in *command.Input) (simOptions, error) {
	opts := simOptions{List: in.On("list"), Ladder: in.On("ladder"), Trace: in.On("trace")}
	if err := in.NoArguments(); err != nil {
		return opts, err
	}
	format, err := in.Output()
	if err != nil {
		return opts, err
	}
	opts.JSON = format == "json"
	if opts.Runs, err = strconv.ParseUint(in.Text("runs"), 10, 32); err != nil || opts.Runs == 0 {
		return opts, in.Bad("runs", "must be a number from 1")
	}
	if text := in.Text("seed"); text != "" {
		if opts.Seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			return opts, in.Bad("seed", "must be a number from 0")
		}
	} else if opts.Seed, err = randomSeed(); err != nil {
		return opts, err
	}
	if name := in.Text("scenario"); name != "" {
		sc, ok := sim.FindScenario(name)
		if !ok {
			return opts, in.Bad("scenario", "there is no such scenario; `paxlog sim --list` lists them")
		}
		opts.Scenario = &sc
	}
	if err := exploreOptions(in, &opts); err != nil {
		return opts, err
	}
	if (opts.Ladder || opts.Trace) && !in.Given["runs"] {
		opts.Runs = 1
	}
	if (opts.Ladder || opts.Trace) && opts.Runs > 1 {
		return opts, command.Usagef("sim: --ladder and --trace show one run: leave out --runs")
	}
	return opts, nil
}

// besideRaft names the command that plays a scenario on both protocols. It is in a
// module of its own: this one has nothing of Raft in it.
func besideRaft(env *command.Environment, in *command.Input) error {
	if err := in.NoArguments(); err != nil {
		return err
	}
	format, err := in.Output()
	if err != nil {
		return err
	}
	if in.Text("beside") != "raft" {
		return in.Bad("beside", "must be raft")
	}
	line := "cd sim/raft && go run ."
	switch name := in.Text("scenario"); {
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") != "":
		return in.Bad("scenario", "there is no such scenario; `cd sim/raft && go run . -list` lists them")
	case name == "":
		line += " -list"
	case format == "json":
		line += " -scenario " + name + " -beside -o json"
	default:
		line += " -scenario " + name + " -beside -ladder"
	}
	if seed := in.Text("seed"); seed != "" {
		if _, err := strconv.ParseUint(seed, 10, 64); err != nil {
			return in.Bad("seed", "must be a number from 0")
		}
		line += " -seed " + seed
	}
	if _, err := fmt.Fprintln(env.Stderr, "Raft is in a module of its own; run this in a checkout of Paxlog's sources:"); err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Stdout, line)
	return err
}

// randomSeed draws a seed that is short enough to type.
func randomSeed() (uint64, error) {
	var b [4]byte
	_, err := rand.Read(b[:])
	return uint64(binary.BigEndian.Uint32(b[:])), err
}

// runSim runs the seeds. Its errors ask for ExitFailed.
func runSim(ctx context.Context, env *command.Environment, opts simOptions) error {
	if opts.List {
		for _, sc := range sim.Scenarios {
			if _, err := fmt.Fprintf(env.Stdout, "%-22s %s\n", sc.Name, sc.Summary); err != nil {
				return err
			}
		}
		return listExplorations(env)
	}
	if opts.Explore != nil {
		return runExplore(ctx, env, opts)
	}
	total := SimTotal{Seed: opts.Seed, by: map[string]uint64{}}
	// Little is alive at any time and much is garbage soon: collect it less often.
	defer debug.SetGCPercent(debug.SetGCPercent(simGCPercent))
	start := time.Now()
	var failed error // only of a single run, which prints
	for r := range sim.InOrder(opts.Seed, opts.Runs, func(seed uint64) sim.Report {
		r, err := opts.one(env, seed)
		if err != nil {
			failed = err
		}
		return r
	}) {
		if failed != nil {
			return failed
		}
		total.add(r)
		total.Seconds = time.Since(start).Seconds()
		total.progress(env, opts)
		if r.Err != nil {
			total.Violation = r.Err.Error()
			if !opts.Trace && !opts.Ladder {
				total.Shortened = sim.Explain(r)
			}
			break
		}
		if ctx.Err() != nil {
			break
		}
	}
	if err := command.UnlessClosed(total.print(env, opts)); err != nil {
		return err
	}
	if total.Violation != "" {
		return command.Exitf(command.ExitFailed, "seed %d: %s; replay it with `paxlog sim%s --seed %d --runs 1`, or with --trace or --ladder",
			opts.Seed+total.Runs-1, total.Violation, opts.scenarioFlag(), opts.Seed+total.Runs-1)
	}
	return context.Cause(ctx)
}

const simGCPercent = 800

func (opts simOptions) scenarioFlag() string {
	if opts.Scenario == nil {
		return ""
	}
	return " --scenario " + opts.Scenario.Name
}

// one runs one seed, and prints its ladder or trace.
func (opts simOptions) one(env *command.Environment, seed uint64) (sim.Report, error) {
	var failed error
	var trace func(string)
	if opts.Trace {
		trace = func(line string) {
			if _, err := fmt.Fprintln(env.Stdout, line); err != nil && failed == nil {
				failed = err
			}
		}
	}
	var ladder *picture.Ladder
	if opts.Ladder {
		ladder = &picture.Ladder{}
	}
	var r sim.Report
	if opts.Scenario != nil {
		r = opts.Scenario.Play(seed, ladder, trace)
	} else {
		r = sim.RunSeed(seed, ladder, trace)
	}
	if ladder != nil {
		if _, err := fmt.Fprint(env.Stdout, ladder.Picture(0)); err != nil {
			return r, err
		}
	}
	return r, failed
}

// SimTotal is what all runs did together.
type SimTotal struct {
	Seed      uint64    `json:"seed"`
	Runs      uint64    `json:"runs"`
	Seconds   float64   `json:"seconds"`
	Simulated float64   `json:"simulated_seconds"`
	Steps     uint64    `json:"steps"`
	Chosen    int       `json:"chosen"`
	Answers   int       `json:"answers"`
	SeedsWith []covered `json:"seeds_with"`
	Messages  uint64    `json:"messages"`
	Hash      string    `json:"hash"` // of the run, or over those of all runs
	Violation string    `json:"violation,omitempty"`
	Shortened string    `json:"shortened,omitempty"`

	hash  uint64
	by    map[string]uint64 // seeds, by what happened in them
	drawn time.Time
}

// covered is how many seeds something happened in.
type covered struct {
	What  string `json:"what"`
	Seeds uint64 `json:"seeds"`
}

func (t *SimTotal) add(r sim.Report) {
	t.Runs++
	t.Simulated += float64(r.Simulated) / float64(sim.Second)
	t.Steps += r.Steps
	t.Chosen += r.Chosen
	t.Answers += r.Answers
	t.Messages += r.Messages
	t.hash = t.hash*31 + r.Hash
	t.Hash = fmt.Sprintf("%016x", t.hash)
	for what, n := range r.Events {
		if n > 0 {
			t.by[what]++
		}
	}
}

// line is the state of things in one line.
func (t *SimTotal) line() string {
	return fmt.Sprintf("%d runs, %.0f simulated seconds in %.1f s (%.0f times as fast), %d steps, %d instances chosen, %d appends answered",
		t.Runs, t.Simulated, t.Seconds, t.Simulated/max(t.Seconds, 1e-9), t.Steps, t.Chosen, t.Answers)
}

// progress draws the line on a terminal.
func (t *SimTotal) progress(env *command.Environment, opts simOptions) {
	if now := time.Now(); command.IsTerminal(env.Stderr) && !opts.Ladder && !opts.Trace && now.Sub(t.drawn) >= command.ProgressInterval {
		t.drawn = now
		fmt.Fprintf(env.Stderr, "\r%s\x1b[K", t.line())
	}
}

func (t *SimTotal) print(env *command.Environment, opts simOptions) error {
	if !t.drawn.IsZero() {
		fmt.Fprint(env.Stderr, "\r\x1b[K")
	}
	for _, what := range slices.Sorted(maps.Keys(t.by)) {
		t.SeedsWith = append(t.SeedsWith, covered{what, t.by[what]})
	}
	if opts.JSON {
		return shapes.NewEncoder(env.Stdout).Encode(t)
	}
	if opts.Ladder || opts.Trace {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "seeds %d to %d: %s\n", t.Seed, t.Seed+t.Runs-1, t.line())
	fmt.Fprintf(&b, "hash of all that happened: %s\n", t.Hash)
	for _, c := range t.SeedsWith {
		fmt.Fprintf(&b, "%8d with: %s\n", c.Seeds, c.What)
	}
	if t.Shortened != "" {
		fmt.Fprintf(&b, "\n%s", t.Shortened)
	}
	_, err := fmt.Fprint(env.Stdout, b.String())
	return err
}
