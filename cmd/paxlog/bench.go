package main

import (
	"context"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// The modes of bench.
const (
	benchAppend  = "append"
	benchTail    = "tail"
	benchCatchup = "catchup"
)

// benchOptions say what to measure.
type benchOptions struct {
	Cluster  clientCluster
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

func benchCommand() *command {
	return &command{
		name:    "bench",
		group:   groupClients,
		summary: "measure throughput and latency under a load",
		details: "Appends random values and prints how many a second were answered, and after how\n" +
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
		example: "paxlog bench --clients 1000 --conns 100 --duration 30s\n" +
			"paxlog bench --clients 16 --rate 5000 --csv > run.csv\n" +
			"paxlog bench --clients 4 --inflight 256 --total 1000000 --check -o json\n" +
			"paxlog bench --mode catchup --learner l2 --timeout 5m",
		flags: []option{
			{name: "mode", value: "MODE", usage: "append, tail or catchup", preset: benchAppend, values: []string{benchAppend, benchTail, benchCatchup}},
			{name: "clients", value: "COUNT", usage: "how many append, each in a session of its own", preset: "64"},
			{name: "conns", value: "COUNT", usage: "how many connections they share; else one for ten"},
			{name: "share", usage: "the clients of a connection share its session, too"},
			{name: "inflight", value: "COUNT", usage: "unanswered appends of one client", preset: "1"},
			{name: "size", value: "BYTES", usage: "bytes of one entry, such as 256 or 4KiB", preset: "256"},
			{name: "duration", value: "DURATION", usage: "for how long to measure", preset: "10s"},
			{name: "total", value: "COUNT", usage: "measure so many instead, without warm-up"},
			{name: "rate", value: "COUNT", usage: "appends due a second; else as many as are answered"},
			{name: "warmup", value: "DURATION", usage: "how long to append before measuring; else 1s"},
			{name: "check", usage: "tail back what was appended, and verify it"},
			{name: "csv", usage: "print a line each second; the summary goes to standard error"},
			outputOption("plain", "json"),
			learnerOption,
			{name: "timeout", value: "DURATION", usage: "how long to wait for each append; 0 waits for ever", preset: "10s"},
		},
		action: func(ctx context.Context, env *environment, in *input) error {
			opts, err := in.benchOptions(env)
			if err != nil {
				return err
			}
			switch opts.Mode {
			case benchTail:
				return runBenchTail(ctx, env, opts)
			case benchCatchup:
				return runBenchCatchup(ctx, env, opts)
			}
			return runBench(ctx, env, opts)
		},
	}
}
