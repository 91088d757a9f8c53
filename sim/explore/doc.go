// Package explore visits every reachable state of small clusters of the real machines,
// breadth first, and checks each.
//
//	config.go     the clusters, by name; changes.go those whose acceptors change
//	explore.go    the walk: levels of states, and what was found
//	step.go       what follows a state: one input of one process
//	node.go       a process and its driver: acceptors and proposers; learner.go learners, and a client
//	table.go      numbers for states of processes and for messages, fingerprints for whole states
//	canonical.go  copies of machines, and bytes that are equal for equal states
//	prologue.go   first steps that are played and not searched
//	check.go      the invariants, and the way to a state that breaks one
//	change.go     what changes of the acceptors need: a log that has begun, newcomers, R3, R4 and R7
//
// Nothing is drawn and nothing has a time: a message may arrive at any moment, twice, or
// never. Package sim is the other way round: one long run of a large cluster for each seed.
package explore
