// Package sim is the simulated driver: it runs the same machines as package
// node, on a network, disks and a clock that one seed decides, thousands of
// times faster than real time, and checks every invariant on the way.
//
//	world.go    events, nodes, crashes, restarts: what package node does
//	network.go  delay, loss, duplication, reordering, replay, partitions
//	store.go    a disk that loses what was not synced
//	client.go   a client as a machine: appends, resends, reads, resolves
//	check.go    the invariants of ARCHITECTURE.md, on everything that happens
//	faults.go   what one seed breaks, and when
//
// A machine is never inspected: the checkers see what it writes, sends and
// answers, which is all that counts.
package sim
