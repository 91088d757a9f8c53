// Package acceptor is the acceptor machine. An acceptor promises ballots, votes for
// proposals, tells its votes, and keeps what was chosen.
//
// It implements the acceptor of "Paxos Made Simple" (Lamport 2001), sections 2.2 and
// 3. One promise covers all instances. Beyond the paper, an acceptor
//
//   - marks how far it holds what was chosen (held.go; package paxos, "Why it is safe");
//   - refuses candidates while it hears a live leader (hearing.go);
//   - copies instances that it missed (copy.go);
//   - does not vote before its peers have vouched for it (admission.go), and, if it has
//     forgotten votes, not before it has rejoined (rejoin.go).
//
// A leader that hands over names its successor in its last heartbeat. The acceptor tells the
// successor (Named), and lets its Prepare through at once, while others are still refused.
// Who has promised, or is kept from promising, is decided as ever: naming is about liveness
// only, and a wrong name costs at most one election timeout.
//
// An acceptor does no I/O and reads no clock. A driver calls it, from one goroutine, as
// paxos.Machine says. An acceptor owns its promise, the ballots of its votes above held,
// and held. Values are in the store only; the acceptor reads them back by loads.
//
// # Who keeps an acceptor from voting
//
// A peer that remembers an acceptor by another incarnation says one of two things: this
// directory was initialised anew and may have voted before, or the peer belongs to
// another log and stands at an address that was used before. The acceptor cannot tell
// which. So one peer's word never ends the process, for a stranger at an old address
// would then end every acceptor of the log. And one peer's word is enough to keep the
// acceptor from voting, for that peer may be the only one that saw the old votes.
//
// Example of the second: a1, a2 and p1 choose a value at instance 7. a2's directory is
// initialised anew. Of those that are up only l1 remembers the old a2. If a2 voted because
// a3 vouches for it, a2 and a3 could choose another value at instance 7.
//
// The acceptor stays up: it serves what it holds, copies what is chosen, shows the
// reason in its status, logs it once a minute, and asks the peer again. It votes as soon
// as that peer vouches, and the others have as at any start. The handshake has refused
// processes that are proven to be of another log before the machine hears of them.
//
// # What stops an acceptor
//
// Only its own state does: an invariant of invariants.go that is broken. What a peer
// says is never asserted. A message that contradicts a vote (another value at the same
// instance under the same ballot) is refused, counted and told, and the acceptor goes on.
package acceptor
