// Package check judges runs: a Checker is told all that processes write, send and
// recover, and all that clients ask and are answered, and ends the run with a Violation
// at the first invariant that does not hold.
//
//	votes.go    acceptors: P1, P5, P6
//	leader.go   leaders: P2, P3, and what is claimed to be chosen (P4)
//	log.go      learners: L1, L4, L5, sessions, what clients are told
//	checkpoint.go  checkpoints in the log: D3, R2
//	call.go     the calls of clients and their answers, also those of another protocol
//	history.go  at the end, the history of all calls: L2, L3, L6
//
// It knows nothing of how processes run: machines, clocks and networks stay outside.
package check
