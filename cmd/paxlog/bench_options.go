package main

import (
	"slices"
	"strconv"
	"time"

	"github.com/paxlog/paxlog/config"
)

// Bounds of bench, which keep its memory bounded.
const (
	benchMostClients  = 100_000
	benchMostInflight = 1 << 20
	benchMostMemory   = 1 << 30 // of values that are not answered
	benchMostRate     = 1e8
)

// benchOnly says which modes an option of bench belongs to, if not to all.
var benchOnly = map[string][]string{
	"clients":  {benchAppend, benchCatchup},
	"conns":    {benchAppend, benchCatchup},
	"inflight": {benchAppend, benchCatchup},
	"size":     {benchAppend, benchCatchup},
	"rate":     {benchAppend, benchCatchup},
	"warmup":   {benchAppend, benchCatchup},
	"total":    {benchAppend, benchTail},
	"check":    {benchAppend},
	"share":    {benchAppend, benchCatchup},
}

// benchOptions reads the flags of bench.
func (in *input) benchOptions(env *environment) (benchOptions, error) {
	opts := benchOptions{Mode: in.text("mode"), Check: in.on("check"), CSV: in.on("csv"), Share: in.on("share")}
	err := in.noArguments()
	if err == nil {
		err = in.checkValue("mode")
	}
	if err != nil {
		return opts, err
	}
	for name, modes := range benchOnly {
		if in.given[name] && !slices.Contains(modes, opts.Mode) {
			return opts, usagef("bench: --%s belongs to --mode %s", name, orList(modes))
		}
	}
	if opts.Check && opts.Share {
		return opts, usagef("bench: --check needs a session of its own for each client: leave out --share")
	}
	format, err := in.output()
	if err != nil {
		return opts, err
	}
	opts.JSON = format == "json"
	if opts.CSV && opts.JSON {
		return opts, usagef("bench: --csv prints lines, and --output json one object: leave one of them out")
	}
	if err := in.benchLoad(&opts); err != nil {
		return opts, err
	}
	if err := in.benchTimes(&opts); err != nil {
		return opts, err
	}
	if opts.Cluster, err = env.clientCluster(); err != nil {
		return opts, err
	}
	if limit := opts.Cluster.Limits.EntryBytes; opts.Size > limit {
		return opts, in.bad("size", "entries of this cluster have at most %d bytes", limit)
	}
	if opts.Learner, err = opts.Cluster.learner(in); err != nil {
		return opts, err
	}
	return opts, in.benchCatchup(opts)
}

// benchCatchup refuses what catchup cannot measure.
func (in *input) benchCatchup(opts benchOptions) error {
	switch {
	case opts.Mode != benchCatchup:
		return nil
	case opts.Learner == "":
		return usagef("bench: --mode catchup needs --learner ID: the learner that starts empty")
	case len(opts.Cluster.Learners) < 2 && opts.Clients > 0:
		return usagef("bench: --mode catchup needs a second learner, which answers the appends meanwhile; --clients 0 appends nothing")
	}
	return nil
}

// benchLoad reads the flags about clients.
func (in *input) benchLoad(opts *benchOptions) error {
	least := 1
	if opts.Mode == benchCatchup {
		least = 0
	}
	var err error
	if opts.Clients, err = in.count("clients", least, benchMostClients); err != nil {
		return err
	}
	if opts.Inflight, err = in.count("inflight", 1, benchMostInflight); err != nil {
		return err
	}
	opts.Conns = (opts.Clients + 9) / 10
	if in.text("conns") != "" {
		if opts.Conns, err = in.count("conns", 1, benchMostClients); err != nil {
			return err
		}
		opts.Conns = min(opts.Conns, opts.Clients)
	}
	var ok bool
	if opts.Size, ok = config.ParseSize(in.text("size")); !ok {
		return in.bad("size", "must be a number of bytes, such as 256 or 4KiB")
	}
	if room := opts.Clients * opts.Inflight; room > benchMostMemory/max(opts.Size, entryOverhead) {
		return usagef("bench: %d clients with %d appends of %d bytes in flight take more than 1 GiB of memory: choose less of one of them", opts.Clients, opts.Inflight, opts.Size)
	}
	if text := in.text("rate"); text != "" {
		if opts.Rate, err = strconv.ParseFloat(text, 64); err != nil || !(opts.Rate > 0 && opts.Rate <= benchMostRate) {
			return in.bad("rate", "must be a number above 0: appends a second")
		}
	}
	return nil
}

// count reads a whole number.
func (in *input) count(name string, least, most int) (int, error) {
	n, err := strconv.Atoi(in.text(name))
	if err != nil || n < least || n > most {
		return 0, in.bad(name, "must be a number from %d to %d", least, most)
	}
	return n, nil
}

// benchTimes reads the flags about time. A given total replaces the duration.
func (in *input) benchTimes(opts *benchOptions) error {
	var err error
	if opts.Timeout, err = in.timeout(); err != nil {
		return err
	}
	if opts.Duration, err = time.ParseDuration(in.text("duration")); err != nil || opts.Duration <= 0 {
		return in.bad("duration", "must be a duration above 0, such as 10s or 1m")
	}
	if text := in.text("total"); text != "" && opts.Mode != benchCatchup {
		if in.given["duration"] && in.given["total"] {
			return usagef("bench: --duration and --total both say when to stop: leave one of them out")
		}
		if opts.Total, err = strconv.ParseUint(text, 10, 62); err != nil || opts.Total == 0 {
			return in.bad("total", "must be a number from 1")
		}
		if !in.given["duration"] {
			opts.Duration = 0
		} else {
			opts.Total = 0 // the environment's, which the command line overrides
		}
	}
	if opts.Total == 0 {
		opts.Warmup = time.Second
	}
	if text := in.text("warmup"); text != "" {
		if opts.Warmup, err = time.ParseDuration(text); err != nil || opts.Warmup < 0 {
			return in.bad("warmup", "must be a duration, such as 1s, or 0 for none")
		}
	}
	return nil
}
