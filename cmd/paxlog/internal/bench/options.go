package bench

import (
	"slices"
	"strconv"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clients"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
)

// Bounds of bench, which keep its memory bounded.
const (
	mostClients  = 100_000
	mostInflight = 1 << 20
	mostMemory   = 1 << 30 // of values that are not answered
	mostRate     = 1e8
)

// onlyIn says which modes an option of bench belongs to, if not to all.
var onlyIn = map[string][]string{
	"clients":  {modeAppend, modeCatchup},
	"conns":    {modeAppend, modeCatchup},
	"inflight": {modeAppend, modeCatchup},
	"size":     {modeAppend, modeCatchup},
	"rate":     {modeAppend, modeCatchup},
	"warmup":   {modeAppend, modeCatchup},
	"total":    {modeAppend, modeTail},
	"check":    {modeAppend},
	"share":    {modeAppend, modeCatchup},
}

// readOptions reads the flags of bench.
func readOptions(in *command.Input, env *command.Environment) (options, error) {
	opts := options{Mode: in.Text("mode"), Check: in.On("check"), CSV: in.On("csv"), Share: in.On("share")}
	err := in.NoArguments()
	if err == nil {
		err = in.CheckValue("mode")
	}
	if err != nil {
		return opts, err
	}
	for name, modes := range onlyIn {
		if in.Given[name] && !slices.Contains(modes, opts.Mode) {
			return opts, command.Usagef("bench: --%s belongs to --mode %s", name, command.OrList(modes))
		}
	}
	if opts.Check && opts.Share {
		return opts, command.Usagef("bench: --check needs a session of its own for each client: leave out --share")
	}
	format, err := in.Output()
	if err != nil {
		return opts, err
	}
	opts.JSON = format == "json"
	if opts.CSV && opts.JSON {
		return opts, command.Usagef("bench: --csv prints lines, and --output json one object: leave one of them out")
	}
	if err := readLoad(in, &opts); err != nil {
		return opts, err
	}
	if err := readTimes(in, &opts); err != nil {
		return opts, err
	}
	if opts.Cluster, err = clusterfile.Find(env); err != nil {
		return opts, err
	}
	if limit := opts.Cluster.Limits.EntryBytes; opts.Size > limit {
		return opts, in.Bad("size", "entries of this cluster have at most %d bytes", limit)
	}
	if opts.Learner, err = opts.Cluster.Learner(in); err != nil {
		return opts, err
	}
	return opts, checkCatchup(in, opts)
}

// checkCatchup refuses what catchup cannot measure.
func checkCatchup(in *command.Input, opts options) error {
	switch {
	case opts.Mode != modeCatchup:
		return nil
	case opts.Learner == "":
		return command.Usagef("bench: --mode catchup needs --learner ID: the learner that starts empty")
	case len(opts.Cluster.Learners) < 2 && opts.Clients > 0:
		return command.Usagef("bench: --mode catchup needs a second learner, which answers the appends meanwhile; --clients 0 appends nothing")
	}
	return nil
}

// readLoad reads the flags about clients.
func readLoad(in *command.Input, opts *options) error {
	least := 1
	if opts.Mode == modeCatchup {
		least = 0
	}
	var err error
	if opts.Clients, err = count(in, "clients", least, mostClients); err != nil {
		return err
	}
	if opts.Inflight, err = count(in, "inflight", 1, mostInflight); err != nil {
		return err
	}
	opts.Conns = (opts.Clients + 9) / 10
	if in.Text("conns") != "" {
		if opts.Conns, err = count(in, "conns", 1, mostClients); err != nil {
			return err
		}
		opts.Conns = min(opts.Conns, opts.Clients)
	}
	var ok bool
	if opts.Size, ok = config.ParseSize(in.Text("size")); !ok {
		return in.Bad("size", "must be a number of bytes, such as 256 or 4KiB")
	}
	if room := opts.Clients * opts.Inflight; room > mostMemory/max(opts.Size, clients.EntryOverhead) {
		return command.Usagef("bench: %d clients with %d appends of %d bytes in flight take more than 1 GiB of memory: choose less of one of them", opts.Clients, opts.Inflight, opts.Size)
	}
	if text := in.Text("rate"); text != "" {
		if opts.Rate, err = strconv.ParseFloat(text, 64); err != nil || !(opts.Rate > 0 && opts.Rate <= mostRate) {
			return in.Bad("rate", "must be a number above 0: appends a second")
		}
	}
	return nil
}

// count reads a whole number.
func count(in *command.Input, name string, least, most int) (int, error) {
	n, err := strconv.Atoi(in.Text(name))
	if err != nil || n < least || n > most {
		return 0, in.Bad(name, "must be a number from %d to %d", least, most)
	}
	return n, nil
}

// readTimes reads the flags about time. A given total replaces the duration.
func readTimes(in *command.Input, opts *options) error {
	var err error
	if opts.Timeout, err = in.Timeout(); err != nil {
		return err
	}
	if opts.Duration, err = time.ParseDuration(in.Text("duration")); err != nil || opts.Duration <= 0 {
		return in.Bad("duration", "must be a duration above 0, such as 10s or 1m")
	}
	if text := in.Text("total"); text != "" && opts.Mode != modeCatchup {
		if in.Given["duration"] && in.Given["total"] {
			return command.Usagef("bench: --duration and --total both say when to stop: leave one of them out")
		}
		if opts.Total, err = strconv.ParseUint(text, 10, 62); err != nil || opts.Total == 0 {
			return in.Bad("total", "must be a number from 1")
		}
		if !in.Given["duration"] {
			opts.Duration = 0
		} else {
			opts.Total = 0 // the environment's, which the command line overrides
		}
	}
	if opts.Total == 0 {
		opts.Warmup = time.Second
	}
	if text := in.Text("warmup"); text != "" {
		if opts.Warmup, err = time.ParseDuration(text); err != nil || opts.Warmup < 0 {
			return in.Bad("warmup", "must be a duration, such as 1s, or 0 for none")
		}
	}
	return nil
}
