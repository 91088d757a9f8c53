// Package proposer is the proposer machine. A proposer stands by; it campaigns when a
// Phase 1 quorum of acceptors reports silence; and when it leads, it orders clients'
// appends into instances and gets each chosen.
//
// It implements the proposer of "Paxos Made Simple" (Lamport 2001), sections 2.2 and 3:
// one Phase 1 for all instances, after which every following instance takes Phase 2
// only. A proposer keeps nothing on disk. Its ballots carry random bits of the process,
// so none is ever used twice.
//
// A proposer does no I/O and reads no clock. A driver calls it, from one goroutine, as
// paxos.Machine says. A proposer never answers an append: learners do. It only says when
// it dropped one.
//
// # Where to look
//
//	proposer.go   the machine, and what is common to its phases
//	standby.go    the first phase: who leads, and passing appends on
//	campaign.go   the second: Phase 1 under way; read.go: what acceptors report
//	leading.go    the third: in office, and out of it
//	propose.go    appends become proposals        chosen.go   votes are counted
//	resend.go     what may be lost is sent again  repair.go   what nobody holds
//	rejoin.go     an acceptor that has forgotten votes
//	limits.go     bounds and waits, with reasons  invariants.go   what is asserted
//
// # Appends that are passed on
//
// A standby passes appends on to the leader. It learns who leads from the acceptors,
// and from the leader itself: who leads says so to every proposer that it is connected
// to. The second is needed by a standby that reaches no acceptor.
//
// A message between proposers is lost when their connection breaks. The standby cannot
// tell whether the leader has it: Refused would be a lie, for the leader may propose it.
// So the standby tells its clients Leader with no ballot, which means "send again what I
// was sent and is not answered". Sending twice is harmless: learners apply each command
// once.
package proposer
