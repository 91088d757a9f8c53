package bench

import (
	"context"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/paxos"
)

// The modes of bench.
const (
	modeAppend  = "append"
	modeTail    = "tail"
	modeCatchup = "catchup"
)

// options say what to measure.
type options struct {
	Cluster  clusterfile.Found
	Mode     string
	Clients  int           // that append, each in a session of its own
	Conns    int           // connections to the cluster that they share
	Share    bool          // the clients of a connection share its session, too
	Inflight int           // appends of one client that are not answered
	Size     int           // bytes of one entry
	Duration time.Duration // for how long to measure; 0: until Total
	Total    uint64        // how many appends or entries to measure; 0: until Duration
	Rate     float64       // appends a second of all clients; 0: as fast as answers come
	Warmup   time.Duration // at the beginning, not measured
	Check    bool          // tail back what was appended
	CSV      bool          // print a line each second
	JSON     bool          // print an object
	Learner  paxos.NodeID  // that is measured; "" for any
	Timeout  time.Duration // for each append; 0 waits for ever
}

// Command is the command bench.
func Command() *command.Command {
	return &command.Command{
		Name:    "bench",
		Group:   command.GroupClients,
		Summary: "measure throughput and latency under a load",
		Details: "Appends random values and prints how many a second were answered, and after how\n" +
			"long. Each client is a session with one append outstanding, unless --inflight\n" +
			"says more. Without --rate it sends the next as soon as one is answered. With\n" +
			"--rate appends are due on a schedule, and latency counts from when each was due,\n" +
			"also if its client had to wait for earlier answers first. What is sent during the\n" +
			"warm-up is appended, but not counted. With --share the clients of a connection\n" +
			"append in one session, like the threads of a program that uses one client.\n\n" +
			"--mode tail measures reading the log from its start, at one learner.\n" +
			"--mode catchup waits for the learner --learner to be behind, so start one that\n" +
			"is empty when it says so; it measures how fast that one learns, until it has\n" +
			"caught up, and what appends at the other learners do before, meanwhile and\n" +
			"after. --timeout is for how long it waits.\n\n" +
			"Failed appends are counted, and the first one told. An interrupted run still\n" +
			"prints what it measured. Entries stay in the log.",
		Example: "paxlog bench --clients 1000 --conns 100 --duration 30s\n" +
			"paxlog bench --clients 16 --rate 5000 --csv > run.csv\n" +
			"paxlog bench --clients 4 --inflight 256 --total 1000000 --check -o json\n" +
			"paxlog bench --mode catchup --learner l2 --timeout 5m",
		Flags: []command.Option{
			{Name: "mode", Value: "MODE", Usage: "append, tail or catchup", Preset: modeAppend, Values: []string{modeAppend, modeTail, modeCatchup}},
			{Name: "clients", Value: "COUNT", Usage: "how many append, each in a session of its own", Preset: "64"},
			{Name: "conns", Value: "COUNT", Usage: "how many connections they share; else one for ten"},
			{Name: "share", Usage: "the clients of a connection share its session, too"},
			{Name: "inflight", Value: "COUNT", Usage: "unanswered appends of one client", Preset: "1"},
			{Name: "size", Value: "BYTES", Usage: "bytes of one entry, such as 256 or 4KiB", Preset: "256"},
			{Name: "duration", Value: "DURATION", Usage: "for how long to measure", Preset: "10s"},
			{Name: "total", Value: "COUNT", Usage: "measure so many instead, without warm-up"},
			{Name: "rate", Value: "COUNT", Usage: "appends due a second; else as many as are answered"},
			{Name: "warmup", Value: "DURATION", Usage: "how long to append before measuring; else 1s"},
			{Name: "check", Usage: "tail back what was appended, and verify it"},
			{Name: "csv", Usage: "print a line each second; the summary goes to standard error"},
			command.OutputOption("plain", "json"),
			command.LearnerOption,
			{Name: "timeout", Value: "DURATION", Usage: "how long to wait for each append; 0 waits for ever", Preset: "10s"},
		},
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readOptions(in, env)
			if err != nil {
				return err
			}
			switch opts.Mode {
			case modeTail:
				return runTail(ctx, env, opts)
			case modeCatchup:
				return runCatchup(ctx, env, opts)
			}
			return runAppends(ctx, env, opts)
		},
	}
}
