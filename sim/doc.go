// Package sim is the simulated driver: it runs the same machines as package
// node, on a network, disks and clocks that one seed decides, hundreds of
// times faster than real time, and checks every invariant on the way.
//
//	plan.go      what a seed decides before a run: the cluster, and what breaks when
//	run.go       a run: the faults of the plan, then healing, then the judgement
//	faults.go    what each fault does
//	world.go     time and events (queue.go)
//	node.go      processes, crashes, restarts: what package node does
//	disk.go      syncs, and disks that hang, fail or are full
//	network.go   delay, loss, duplication, reordering, replay, partitions
//	store.go     a data directory, of which package model says what it holds; pebble.go the real one beside it
//	client.go    a client as a machine: appends, resends, reads, resolves
//	hash.go      one number for all that happened
//	minimise.go  a run that fails, made shorter, and package picture draws it
//	scenario.go  situations with a name
//	rehearsal.go a change of the acceptors of a log that there is, before it is made
//	guest.go     what another protocol needs to run here beside Paxlog: sim/raft
//
// A machine is never inspected: package check is told what it writes, sends, recovers
// and answers, which is all that counts.
//
// Nothing here reads a clock or waits for one. One run is done by one goroutine,
// but for those of Pebble; several runs may be under way at once.
package sim
