// Command raft runs Raft beside Paxlog: go.etcd.io/raft/v3, the library itself, and
// Paxlog's own machines, on the same simulated network, disks and clocks, under the
// same faults, before the same checks. docs/protocol.md and docs/raft.md quote it.
//
//	node.go      a Raft process: the library, its storage, and the state machine
//	storage.go   what it keeps on disk, and how it recovers
//	state.go     the state machine: a log of entries, each applied once
//	message.go   messages as bytes, and as the ladders show them
//	random.go    the library's randomness, from the seed
//	caller.go    a client, the same for both protocols but for its dialect
//	dialect.go   the two dialects
//	side.go      a cluster of either protocol, which the stories drive alike
//	stories.go, questions.go   the scenarios
//	ladder.go    two ladders in two columns
//	seeds.go     Raft under the random faults that Paxlog is tested with
//	figures.go   the comparison in figures
//
// It is a module of its own, so that nothing of Raft is among the dependencies of
// Paxlog. The library draws its election timeouts from a variable of the whole
// process: one Raft cluster runs at a time.
package main
