package tools

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/sim/explore"
)

// exploreOptions reads the flags of sim that are about exploring.
func exploreOptions(in *command.Input, opts *simOptions) (err error) {
	name := in.Text("explore")
	if name == "" {
		if in.Given["states"] {
			return command.Usagef("sim: --states goes with --explore")
		}
		return nil
	}
	x, ok := explore.Find(name)
	if !ok {
		return in.Bad("explore", "there is no such exploration; `paxlog sim --list` lists them")
	}
	for _, other := range []string{"seed", "runs", "scenario", "ladder", "trace"} {
		if in.Given[other] {
			return command.Usagef("sim: --explore visits every state: leave out --%s", other)
		}
	}
	opts.Explore = &x
	if opts.States, err = strconv.ParseUint(in.Text("states"), 10, 64); err != nil || opts.States == 0 {
		return in.Bad("states", "must be a number from 1")
	}
	if opts.States > math.MaxUint32 {
		return in.Bad("states", "must be at most %d", uint32(math.MaxUint32))
	}
	return nil
}

func listExplorations(env *command.Environment) error {
	if _, err := fmt.Fprintln(env.Stdout, "\nwith --explore:"); err != nil {
		return err
	}
	for _, x := range explore.Configs {
		if _, err := fmt.Fprintf(env.Stdout, "%-22s %s\n", x.Name, x.Summary); err != nil {
			return err
		}
	}
	return nil
}

// Explored is what `sim --explore NAME -o json` prints.
type Explored struct {
	Exploration string  `json:"exploration"`
	States      uint64  `json:"states"`
	Transitions uint64  `json:"transitions"`
	Depth       int     `json:"depth"`
	Complete    bool    `json:"complete"`
	Renamings   int     `json:"renamings"`
	Executed    uint64  `json:"steps_of_machines"`
	Chosen      uint64  `json:"states_with_chosen"`
	Changed     uint64  `json:"states_with_changed,omitempty"`
	After       uint64  `json:"states_after_change,omitempty"`
	Seconds     float64 `json:"seconds"`
	Violation   string  `json:"violation,omitempty"`
	Ladder      string  `json:"ladder,omitempty"`

	interrupted bool
}

// runExplore visits states. Its errors ask for ExitFailed.
func runExplore(ctx context.Context, env *command.Environment, opts simOptions) error {
	start := time.Now()
	drawn := false
	r := opts.Explore.Explore(ctx, opts.States, func(r explore.Result) {
		if command.IsTerminal(env.Stderr) {
			drawn = true
			fmt.Fprintf(env.Stderr, "\r%d states, depth %d, %.0f states/s\x1b[K", r.States, r.Depth, float64(r.States)/time.Since(start).Seconds())
		}
	})
	if drawn {
		fmt.Fprint(env.Stderr, "\r\x1b[K")
	}
	out := Explored{
		Exploration: opts.Explore.Name, States: r.States, Transitions: r.Transitions, Depth: r.Depth, Complete: r.Complete, Renamings: r.Symmetry,
		Executed: r.Executed, Chosen: r.Chosen, Changed: r.Changed, After: r.After, Seconds: time.Since(start).Seconds(), Ladder: r.Ladder,
	}
	if r.Err != nil {
		out.Violation = r.Err.Error()
	}
	out.interrupted = ctx.Err() != nil
	if err := command.UnlessClosed(out.print(env, opts)); err != nil {
		return err
	}
	if r.Err != nil {
		return command.Exitf(command.ExitFailed, "exploration %s: %s; the same command finds it again", out.Exploration, out.Violation)
	}
	return context.Cause(ctx)
}

func (o Explored) print(env *command.Environment, opts simOptions) error {
	if opts.JSON {
		return shapes.NewEncoder(env.Stdout).Encode(o)
	}
	end := "all states visited"
	switch {
	case o.interrupted:
		end = "interrupted"
	case o.Violation != "":
		end = "not all states visited: an invariant is violated"
	case !o.Complete:
		end = "not all states visited: raise --states to go on"
	}
	around := ""
	if o.Changed > 0 {
		around = fmt.Sprintf(", a change of the acceptors in %d, something where it is in force in %d", o.Changed, o.After)
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	_, err := fmt.Fprintf(env.Stdout, "%s: %d distinct states, %d transitions, depth %d, %s\n"+
		"%d renamings of acceptors count as one, %d steps of real machines, something chosen in %d states%s, %.1f s, %d MiB\n%s",
		o.Exploration, o.States, o.Transitions, o.Depth, end, o.Renamings, o.Executed, o.Chosen, around, o.Seconds, memory.Sys>>20, o.Ladder)
	return err
}
