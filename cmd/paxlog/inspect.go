package main

import "context"

// inspectOptions say which data directory to read.
type inspectOptions struct {
	Dir    string
	Verify bool // read and check all of it
	JSON   bool
}

func inspectCommand() *command {
	return &command{
		name:    "inspect",
		group:   groupOther,
		args:    "DIR",
		summary: "show what a data directory holds, offline",
		details: "Shows identity, promised ballot, instances and log of an acceptor's or learner's\n" +
			"directory, which no process may be using. It changes nothing.",
		example: "paxlog inspect /var/lib/paxlog/a1 --verify",
		flags: []option{
			{name: "verify", usage: "read and check all of it"},
			outputOption("plain", "json"),
		},
		files: true,
		action: func(ctx context.Context, env *environment, in *input) error {
			opts := inspectOptions{Verify: in.on("verify")}
			format, err := in.output()
			if err != nil {
				return err
			}
			opts.JSON = format == "json"
			if opts.Dir, err = in.oneArgument(); err != nil {
				return err
			}
			return runInspect(ctx, env, opts)
		},
	}
}
