package daemons

import (
	"context"
	"strconv"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
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
	TLS       bool // make certificates, and take connections with TLS only
}

// Dev is the command dev.
func Dev() *command.Command {
	return &command.Command{
		Name:    "dev",
		Group:   command.GroupDaemons,
		Summary: "run a whole cluster, named dev, in one process on loopback",
		Details: "Three acceptors, two proposers and a learner, on TCP and on disk. It initialises\n" +
			"itself, writes DIR/paxlog.yaml and survives restarts: an existing DIR/paxlog.yaml\n" +
			"is used as it is, on other ports if --base-port says so. Client commands that\n" +
			"find no cluster file use the addresses of the default ports.\n\n" +
			"With --pipe it also appends standard input, an entry a line, prints the learned\n" +
			"log as it grows from then on, and ends when all of the input has been printed;\n" +
			"without --data it then uses a temporary directory and free ports.",
		Example: "paxlog dev\npaxlog dev --tls\npaxlog dev --pipe < some.log",
		Flags: []command.Option{
			{Name: "data", Value: "DIR", Usage: "the data directory; else ./paxlog-dev, or a temporary one with --pipe", Files: true},
			{Name: "base-port", Value: "N", Usage: "acceptors listen on N+1 to N+3, proposers on N+101 and N+102, the learner on N+201; else 7100"},
			{Name: "pipe", Usage: "append standard input and print the log"},
			{Name: "tls", Usage: "make authorities and certificates in DIR/tls, and take connections with TLS only, from then on"},
		},
		Daemon: true,
		Quiet:  func(in *command.Input) bool { return in.On("pipe") },
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readDevOptions(in)
			if err != nil {
				return err
			}
			return runDev(ctx, env, opts)
		},
	}
}

// readDevOptions reads the flags of dev.
func readDevOptions(in *command.Input) (devOptions, error) {
	opts := devOptions{Data: in.Text("data"), Pipe: in.On("pipe"), TLS: in.On("tls")}
	if err := in.NoArguments(); err != nil {
		return opts, err
	}
	if in.Given["config"] {
		return opts, command.Usagef("dev writes its own cluster file: leave --config out, and say --data for another directory")
	}
	temporary := opts.Pipe && opts.Data == ""
	if !temporary {
		opts.BasePort = clusterfile.DevBasePort
		if opts.Data == "" {
			opts.Data = clusterfile.DevData
		}
	}
	if text := in.Text("base-port"); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port < 1 || port > config.MaxBasePort {
			return opts, in.Bad("base-port", "must be a number from 1 to %d", config.MaxBasePort)
		}
		opts.BasePort, opts.PortGiven = int(port), true
	}
	return opts, nil
}
