// Command bench measures Paxlog beside etcd, NATS JetStream and hashicorp/raft
// over raft-wal. It starts each system as separate processes on loopback, with
// its data on disk, one system after the other in one run; drives each with the
// same load through its own client library; checks that all entries are there;
// and measures the bare disk in the same run.
//
//	cd bench && go run .
//	cd bench && go run . -quick
//	cd bench && go run . -counts -systems paxlog
//	cd bench && go run . -beside OTHER_BINARY -loads "1 client"
//
// It is a module of its own, so that what it needs stays out of the product. How
// to read the result is in docs/performance.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/paxlog/paxlog/internal/load"
)

// childCommand is the first argument of this program when it is a member of a
// system.
const childCommand = "member"

// members run one process of a system, until they fail.
var members = map[string]func(args []string) error{"etcd": etcdChild, "nats": natsChild, "raft": raftChild}

// memberArgs is how many arguments each of them takes.
const memberArgs = 5

// options say what to measure.
type options struct {
	systems   []system
	scenarios []scenario
	sizes     []int
	runs      int
	warmup    time.Duration
	duration  time.Duration
	diskBytes int64
	json      string // a file; "": none
	dir       string // where data directories are made
	source    string // the root of the Paxlog module
	binary    string // of Paxlog; it is built from source if it is not given
	counts    bool   // count what is done, instead of measuring how fast
	beside    string // another binary of Paxlog to compare with; "": none
	pairs     int    // how often, each in turn

	share, perSecond float64 // of open loops: a share of the highest rate, or so many appends
}

func init() {
	// Children die with the thread that started them: keep main on the one thread
	// that lives as long as the process.
	runtime.LockOSThread()
}

func main() {
	args := os.Args[1:]
	if len(args) == memberArgs+2 && args[0] == childCommand && members[args[1]] != nil {
		fail(members[args[1]](args[2:]))
		return
	}
	opts, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = measure(ctx, opts)
	stop()
	fail(err)
}

// fail ends the program with a message if there is an error.
func fail(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// parse reads the flags.
func parse(args []string) (opts options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	which := f.String("systems", "all", "which to measure, separated by commas: "+strings.Join(namesOf(systems(), system.name), ", "))
	loads := f.String("loads", "all", "which loads: "+strings.Join(namesOf(scenarios, scenario.name), ", ")+"; with -counts or -beside also "+idle.Name+", and with -counts "+filled.Name)
	sizes := f.String("sizes", "16,256,4096", "bytes of a value")
	quick := f.Bool("quick", false, "one short run of each load with 256 bytes; flags given beside it win")
	f.IntVar(&opts.runs, "runs", 3, "how many runs to take the medians of")
	f.DurationVar(&opts.duration, "duration", 5*time.Second, "how long each load is measured")
	f.DurationVar(&opts.warmup, "warmup", time.Second, "how long each load runs before that")
	diskMB := f.Int64("disk-mb", 512, "how much to write for the disk's sequential bandwidth")
	rate := f.String("rate", "", "measure each load in an open loop, too: so many appends due a second, or a share of what the system did, as 50%")
	f.StringVar(&opts.json, "json", "bench.json", "write all figures to this file; - for none")
	f.StringVar(&opts.dir, "dir", "", "make the data directories here, on the disk to measure; else in the system's directory for temporary files")
	f.StringVar(&opts.source, "paxlog", "..", "the root of the Paxlog module")
	f.StringVar(&opts.binary, "binary", "", "a paxlog binary to measure; else it is built from -paxlog")
	f.BoolVar(&opts.counts, "counts", false, "count what each process does for an append and, idle, for a second, instead of measuring how fast it is")
	f.StringVar(&opts.beside, "beside", "", "compare with this other paxlog binary, the one before a change: counts and times of pairs in turn, with the ratio")
	f.IntVar(&opts.pairs, "pairs", 10, "how many pairs -beside takes")
	if err := f.Parse(args); err != nil {
		return opts, err
	}
	if f.NArg() > 0 {
		return opts, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if *quick {
		for name, value := range map[string]string{"runs": "1", "duration": "1s", "warmup": "200ms", "sizes": "256", "disk-mb": "64", "json": "-"} {
			if !given(f, name) {
				if err := f.Set(name, value); err != nil {
					return opts, err
				}
			}
		}
	}
	if err := opts.setRate(*rate); err != nil {
		return opts, err
	}
	opts.diskBytes = *diskMB << 20
	if (opts.counts || opts.beside != "") && !given(f, "sizes") {
		*sizes = "256"
	}
	if opts.json == "-" {
		opts.json = ""
	}
	if opts.systems, err = pick(*which, systems(), system.name); err != nil {
		return opts, err
	}
	if opts.scenarios, err = pick(*loads, opts.possible(), scenario.name); err != nil {
		return opts, err
	}
	for _, text := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > raftMostValue {
			return opts, fmt.Errorf("-sizes: %q is not a number from 0 to %d", text, raftMostValue)
		}
		opts.sizes = append(opts.sizes, n)
	}
	if opts.runs < 1 || opts.pairs < 1 || opts.duration <= 0 || opts.warmup < 0 || opts.diskBytes <= 0 {
		return opts, errors.New("-runs, -pairs, -duration and -disk-mb must be above 0, and -warmup not below")
	}
	if opts.beside != "" && (opts.counts || len(opts.sizes) != 1) {
		return opts, errors.New("-beside counts already, and takes one of -sizes: give it without -counts")
	}
	return opts, nil
}

// setRate reads -rate.
func (o *options) setRate(text string) (err error) {
	number, share := strings.CutSuffix(text, "%")
	switch {
	case text == "":
		return nil
	case share:
		o.share, err = strconv.ParseFloat(number, 64)
		o.share /= 100
	default:
		o.perSecond, err = strconv.ParseFloat(number, 64)
	}
	if err != nil || !(o.share+o.perSecond > 0) {
		return fmt.Errorf("-rate: %q is neither appends a second, as 5000, nor a share, as 50%%", text)
	}
	return nil
}

// open says whether loads are run as open loops, too.
func (o options) open() bool { return o.share+o.perSecond > 0 }

// rate is the rate of an open loop on a system that did so many appends a second.
func (o options) rate(highest float64) float64 {
	if o.perSecond > 0 {
		return o.perSecond
	}
	return max(1, o.share*highest)
}

// possible are the loads that can be chosen.
func (o options) possible() []scenario {
	switch {
	case o.beside != "":
		return append([]scenario{idle}, scenarios...)
	case o.counts:
		return append(append([]scenario{idle}, scenarios...), filled)
	default:
		return scenarios
	}
}

// given says whether a flag was.
func given(f *flag.FlagSet, name string) (ok bool) {
	f.Visit(func(f *flag.Flag) { ok = ok || f.Name == name })
	return ok
}

func namesOf[T any](all []T, name func(T) string) (names []string) {
	for _, x := range all {
		names = append(names, name(x))
	}
	return names
}

// pick chooses by name.
func pick[T any](text string, all []T, name func(T) string) (picked []T, err error) {
	if text == "all" {
		return all, nil
	}
	for _, want := range strings.Split(text, ",") {
		i := slices.IndexFunc(all, func(x T) bool { return name(x) == want })
		if i < 0 {
			return nil, fmt.Errorf("there is no %q: choose of %s", want, strings.Join(namesOf(all, name), ", "))
		}
		picked = append(picked, all[i])
	}
	return picked, nil
}

// measure runs everything, and prints the table. What was measured until a
// failure is still printed.
func measure(ctx context.Context, opts options) error {
	dir, err := os.MkdirTemp(opts.dir, "paxlog-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := opts.build(ctx, dir); err != nil {
		return err
	}
	r := newReport(opts)
	switch {
	case opts.beside != "":
		return compare(ctx, opts, dir, r, os.Stdout)
	case opts.counts:
		err = count(ctx, opts, dir, r, os.Stdout)
	default:
		for run := 1; run <= opts.runs && err == nil; run++ {
			err = measureRun(ctx, opts, r, run, dir)
		}
		r.sum()
		if printed := r.print(os.Stdout); err == nil {
			err = printed
		}
	}
	if opts.json != "" {
		if saved := r.save(opts.json); err == nil {
			err = saved
		}
	}
	return err
}

// build builds Paxlog, unless it is there already or not needed.
func (o *options) build(ctx context.Context, dir string) error {
	needed := o.beside != ""
	for _, s := range o.systems {
		_, ours := s.(*paxlogSystem)
		needed = needed || ours
	}
	if needed && o.binary == "" {
		o.binary = filepath.Join(dir, "bin")
		build := exec.CommandContext(ctx, "go", "build", "-o", o.binary, "./cmd/paxlog")
		build.Dir = o.source
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build in %s: %w\n%s", o.source, err, out)
		}
	}
	for _, s := range o.systems {
		if ours, ok := s.(*paxlogSystem); ok {
			ours.binary = o.binary
		}
	}
	return nil
}

// measureRun measures the disk, then each system. They take turns in being first.
func measureRun(ctx context.Context, opts options, r *report, run int, dir string) error {
	bare := filepath.Join(dir, "disk")
	if err := os.Mkdir(bare, 0o755); err != nil {
		return err
	}
	d, err := measureDisk(bare, min(opts.duration, diskMost), opts.diskBytes)
	if err != nil {
		return err
	}
	r.Disk = append(r.Disk, d)
	if err := os.RemoveAll(bare); err != nil {
		return err
	}
	for i := range opts.systems {
		s := opts.systems[(run-1+i)%len(opts.systems)]
		if err := measureSystem(ctx, opts, r, run, s, filepath.Join(dir, s.name())); err != nil {
			return err
		}
	}
	return nil
}

// measureSystem measures one system, in one run.
func measureSystem(ctx context.Context, opts options, r *report, run int, s system, dir string) error {
	fmt.Fprintf(os.Stderr, "run %d: %s\n", run, s.name())
	return started(ctx, opts, s, dir, func(p *processes) error { return loadSystem(ctx, opts, r, run, s, p) })
}

// started starts a system in a new directory, uses it, and stops it.
func started(ctx context.Context, opts options, s system, dir string, use func(p *processes) error) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	syscall.Sync() // what the one before left unwritten is not this one's to write
	p := newProcesses(dir)
	defer os.RemoveAll(dir)
	defer p.stop()
	defer s.close()
	if err := s.start(ctx, p); err != nil {
		return err
	}
	return use(p)
}

// loadSystem puts each load on a system, and counts its entries.
func loadSystem(ctx context.Context, opts options, r *report, run int, s system, p *processes) error {
	var sent, answered uint64
	one := func(sc scenario, size int, rate float64) (measured, error) {
		m, err := measureLoad(ctx, p, s, sc, size, rate, opts)
		if err != nil {
			return m, err
		}
		sent, answered = sent+m.sent, answered+m.answered
		fmt.Fprintf(os.Stderr, "  %s, %d bytes: %.0f appends/s, p50 %.2f ms, p99 %.1f ms, p99.9 %.1f ms, CPU %.0f + %.0f us, %d errors, %d unsent\n",
			sc.Name, size, m.PerSecond, m.P50, m.P99, m.P999, m.ServerCPU, m.ClientCPU, m.Errors, m.Unsent)
		if m.first != nil {
			fmt.Fprintf(os.Stderr, "  the first error: %v\n", m.first)
		}
		r.Cells = append(r.Cells, cell{System: s.name(), Run: run, scenario: sc, Size: size, measured: m})
		return m, nil
	}
	for _, size := range opts.sizes {
		for _, sc := range opts.scenarios {
			m, err := one(sc, size, 0)
			if err == nil && opts.open() {
				_, err = one(sc.open(), size, opts.rate(m.PerSecond))
			}
			if err != nil {
				return err
			}
		}
	}
	return verify(ctx, s, sent, answered)
}

// measureLoad runs one load, and takes the processor time before and after.
func measureLoad(ctx context.Context, p *processes, s system, sc scenario, size int, rate float64, opts options) (measured, error) {
	before, err := p.usage()
	if err != nil {
		return measured{}, err
	}
	own := ownCPU()
	m, err := sc.runWith(ctx, s, size, load.Config{Warmup: opts.warmup, Duration: opts.duration, Rate: rate}, nil)
	if failed := p.failed(); failed != nil {
		return m, failed
	}
	if err != nil {
		return m, err
	}
	after, err := p.usage()
	if n := float64(m.sent); n > 0 {
		m.ServerCPU = float64((after.cpu - before.cpu).Microseconds()) / n
		m.ClientCPU = float64((ownCPU() - own).Microseconds()) / n
	}
	m.PeakMB = float64(after.peak) / 1e6
	return m, err
}
