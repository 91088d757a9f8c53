package main

import (
	"context"
	"strconv"

	"github.com/paxlog/paxlog/config"
)

// devOptions say how to run a whole cluster in one process.
type devOptions struct {
	Data     string // "": a fresh temporary directory
	BasePort int    // 0: free ports; else acceptors at +1, proposers at +101, learner at +201
	// PortGiven: BasePort was asked for, and is not merely the default, which the
	// addresses of an existing cluster file override.
	PortGiven bool
	Pipe      bool // append standard input, print the log, and end with it
}

func devCommand() *command {
	return &command{
		name:    "dev",
		group:   groupDaemons,
		summary: "run a whole cluster, named dev, in one process on loopback",
		details: "Three acceptors, two proposers and a learner, on TCP and on disk. It initialises\n" +
			"itself, writes DIR/paxlog.yaml and survives restarts: an existing DIR/paxlog.yaml\n" +
			"is used as it is, on other ports if --base-port says so. Client commands that\n" +
			"find no cluster file use the addresses of the default ports.\n\n" +
			"With --pipe it also appends standard input, an entry a line, prints the learned\n" +
			"log as it grows from then on, and ends when all of the input has been printed;\n" +
			"without --data it then uses a temporary directory and free ports.",
		example: "paxlog dev\npaxlog dev --pipe < some.log",
		flags: []option{
			{name: "data", value: "DIR", usage: "the data directory; else ./paxlog-dev, or a temporary one with --pipe", files: true},
			{name: "base-port", value: "N", usage: "acceptors listen on N+1 to N+3, proposers on N+101 and N+102, the learner on N+201; else 7100"},
			{name: "pipe", usage: "append standard input and print the log"},
		},
		daemon: true,
		quiet:  func(in *input) bool { return in.on("pipe") },
		action: func(ctx context.Context, env *environment, in *input) error {
			opts, err := in.devOptions()
			if err != nil {
				return err
			}
			return runDev(ctx, env, opts)
		},
	}
}

// devOptions reads the flags of dev.
func (in *input) devOptions() (devOptions, error) {
	opts := devOptions{Data: in.text("data"), Pipe: in.on("pipe")}
	if err := in.noArguments(); err != nil {
		return opts, err
	}
	if in.given["config"] {
		return opts, usagef("dev writes its own cluster file: leave --config out, and say --data for another directory")
	}
	temporary := opts.Pipe && opts.Data == ""
	if !temporary {
		opts.BasePort = devBasePort
		if opts.Data == "" {
			opts.Data = "./paxlog-dev"
		}
	}
	if text := in.text("base-port"); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port < 1 || port > config.MaxBasePort {
			return opts, in.bad("base-port", "must be a number from 1 to %d", config.MaxBasePort)
		}
		opts.BasePort, opts.PortGiven = int(port), true
	}
	return opts, nil
}
