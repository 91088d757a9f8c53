// Package core is the client machine: sessions, which proposer and which learner to
// use, sending again, reading, and resolving what became of an append. It is a
// paxos.Machine like the three roles: it has no clock, lock, channel or connection.
// Package client drives it on a real network and lends it to applications; package
// sim drives the same machine in its simulated world.
//
// # Where to look
//
//	machine.go                the machine, and whom it cannot use
//	session.go, results.go    appends: numbered, sent, sent again, given up; their answers
//	leader.go                 which proposer is used
//	learner.go                which learner is used
//	directory.go              who the processes of the log are by now
//	call.go, answers.go       reading and resolving: what is asked, of whom; what the answers mean
//	limits.go, errors.go      patience, with reasons; what a caller decides on
//
// # How it is driven
//
// A driver tells the time with Tick, hands over what arrives with Step (also PeerUp
// and PeerDown), and calls what applications ask for: Open, Append, GiveUp, End, Ask,
// Withdraw. Each of these may decide something. Flush returns the messages to send;
// Delivered returns the appends and calls that are answered. Next says when the machine
// next has something to do that no message brings: until then it need not be told the
// time. No method may be called concurrently.
//
// # An append
//
// A session is one ordered stream of commands, numbered 1, 2, 3, ... An entry has its
// number once it is sent for the first time; it is sent again, under the same number,
// after every failure, until a learner answers. So it is applied at most once, and
// after all before it. The leader gets it, through any proposer; the learner in use
// answers it, since the session is attached there before its first append leaves.
//
// What is certain of an entry follows from how often it was sent and not refused
// (Append.maybe): a refusal names the attempt that it refuses, so an entry of which
// every attempt was refused, or that was never sent, is certainly not in the log. All
// others are unknown while they have no answer. This rests on a connection that delivers
// a message at most once, as TCP does: of a message that arrived twice one copy could be
// refused and the other one appended. Exactly once does not rest on it.
//
// # Giving up
//
// A caller's patience ends its own wait and nobody else's. An entry that was sent
// stays in its session, which sends it again until it is answered: a hole would stop
// all that come after it. Its caller is told the unknown outcome with the append id.
// An entry that was never sent is taken out, and its caller is told that it certainly
// was not appended. If it belongs to a stream (Append.Stream) whatever was queued after
// it must not be appended without it: the session ends there, and all that is taken out
// with it certainly was not appended.
//
// Example: entries 7 and 8 of a stream are sent, 9 and 10 wait for room. At their
// deadline 7 and 8 are unknown, and stay. At the deadline of 9 the session ends: 9 and
// 10 were not appended; 7 and 8 may be.
//
// # Which learner, which proposer
//
// The machine uses one learner as long as it is connected and answers. It leaves a
// learner that is connected and of no use, once for all who wait (tryOthers). Proposers
// disagree about who leads for as long as a cut lasts; leader.go says whom the
// machine believes.
package core
