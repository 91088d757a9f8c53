// Package acceptor is the acceptor machine. An acceptor promises ballots, votes for
// proposals, tells its votes, and keeps what was chosen.
//
// It implements the acceptor of "Paxos Made Simple" (Lamport 2001), sections 2.2 and
// 3. One promise covers all instances. Beyond the paper, an acceptor
//
//   - remembers how far it holds what was chosen (held.go; package paxos, "Why it is safe");
//   - refuses candidates while it hears a live leader (hearing.go), and tells standbys
//     whom it hears (standbys.go);
//   - copies instances that it missed (copy.go);
//   - knows what the log has decided about itself up to held (control.go);
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
// # Where to look
//
//	acceptor.go                  the machine
//	promise.go, vote.go          Phase 1 and Phase 2: what it promises, and what it votes for
//	tell.go                      whom it tells its votes, and when
//	judge.go                     what a message may claim
//	held.go, copy.go, pages.go   what it knows to be chosen; what it missed; what others miss
//	hearing.go, standbys.go      whom it hears lead, and who is told of that
//	subscribe.go                 learners that are told each vote
//	control.go, members.go       what the log has decided about itself; who its processes are
//	admission.go, vouch.go       who keeps it from voting; what it says of others
//	marks.go, rejoin.go          how far directories have come; the way back of one that has forgotten
//	room.go                      a disk that is full
//	report.go                    what status and metrics show
//	limits.go, invariants.go     bounds, with reasons; what is asserted
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
// Example of why one word must be enough: a1, a2 and p1 choose a value at instance 7. a2's directory is
// initialised anew. Of those that are up only l1 remembers the old a2. If a2 voted because
// a3 vouches for it, a2 and a3 could choose another value at instance 7.
//
// The acceptor stays up: it serves what it holds, copies what is chosen, shows the
// reason in its status, logs it once a minute, and asks the peer again. It votes as soon
// as that peer vouches, and the others have as at any start. The handshake has refused
// processes that are proven to be of another log before the machine hears of them.
//
// # Two processes of one directory
//
// A disk is copied, and the acceptors of both are started. They have one incarnation. Each knows what it
// promised and voted for itself, and not what the other one did. Example: p1 leads with a1 and a2. The copy of
// a1 promises p2's ballot. Then p1 and a1 and a2 choose a value that p2's Phase 1, at the copy and a3, has not seen.
//
// Marks find that out as soon as both have made a commit and one hears of the other's. Until then this holds:
// a peer keeps the connections of one process of an id, by random bits that the handshake shows
// (transport.Config.Process), those of the latest that came, and tells the other one why it is cut off (Twin). Who
// is told does not vote until that peer vouches for it again, which it can only do by taking the connection
// over, and then the other one is told. So of two processes that are connected to one peer at once, one votes at a
// time, but for what is under way. Not told are two whose peers have nobody in common, or that come one after the
// other, each when the other's connections have ended: there marks have to do.
//
// While both run, a peer that dials goes back to the process at the address that it has, and the other one comes
// again later and later. One that finds that the other has voted meanwhile has to rejoin, which voids what the
// other promised. Both say so until somebody stops one. If the peer that told it has gone for good meanwhile, the
// one that is left has to be started again.
//
// # Votes that wait
//
// A learner needs a vote at once, for it answers the client. The leader needs it only to
// go on: to know what is chosen, and to make room for more. So the leader says in its
// Accept whether it can wait (Quiet), and a vote that it can wait for is told
//
//   - to the learners, when it is durable, as any other;
//   - to the leader when it asks: by its next Accept that is not Quiet, or by a heartbeat
//     that asks (Ask). Both are answered, when everything so far is durable, with all votes
//     under the leader's ballot above its ChosenUpTo;
//   - to the leader, when it is durable, for a moment after a heartbeat that asks
//     (overtakenTicks), whatever its Accept says;
//   - to the leader with the answer to the next heartbeat in any case, once it is synced.
//
// The third is for Accepts that a heartbeat overtakes: heartbeats are urgent, and values wait
// for one another. Example: the leader proposes at instance 7 with Quiet set, and is asked to
// hand over. Its heartbeat asks, and comes before that Accept. An acceptor that did not go on
// telling would leave the vote to the next heartbeat, and the handover would take 50 ms. What
// is kept for it is a ballot, in memory: who forgets it, or keeps it for too long, tells votes
// later, or earlier, and both are allowed at any time.
//
// Nothing is kept of what a leader was told. Each answer tells all that may be missing to
// it, so that a message that is lost loses nothing: the next heartbeat brings it.
//
// The answer to a heartbeat leaves at once, also while a sync is under way: leaders resign
// for want of it. So it tells those votes only whose sync is done, and shows the mark of the
// latest commit whose sync is done. A mark shown before that could be lost in a crash, and
// the acceptor would be taken for one that has forgotten something.
//
// A vote waits only if a learner, which has a store of its own, is told it in the same
// flush, with the mark of its commit. Else nobody alive might remember it. Example: a1 tells
// nobody its vote at instance 5, a2 tells the leader, and 5 is chosen by these two once the
// leader's next heartbeat is answered. If a1's directory then loses its tail, no peer knows
// a higher mark of a1 than its own, and a1 votes on as if it had never voted at 5.
//
// A leader of version 2 does not know Quiet, so all its votes are told at once.
//
// # A value and its vote
//
// One acceptor sends a learner the values that it votes for (Poll.Values). A value and its
// vote leave together, in one write, if no sync is under way: the vote follows within one
// sync, and to wake the learner twice costs more than it is worth. While a sync is under
// way nobody knows how long it takes, and the vote's own comes after it: then the value
// leaves at once. So a disk that hangs keeps back the values of one sync, and no others.
// A learner that has the votes of a quorum and lacks the value asks one of those that
// voted (package learner, "A value that does not come").
//
// Safety does not depend on when a value is sent: it says what was proposed under a ballot,
// and only votes say that it was chosen.
//
// # What is told without being asked
//
// A standby that has subscribed (Query.Stay) is told at once when this acceptor has heard
// nobody for the election timeout, again at the end of each further one, and when it hears
// somebody again, somebody else, or that the leader has resigned. What the standby makes of
// it, and why it takes it for a hint only: package proposer, "Who campaigns".
//
// A learner that has subscribed (Poll.Stay) is told what a Poll would be answered, without
// asking, when that changes and votes do not show it: held rises with a heartbeat, or by a
// copy. It is told at most once in a heartbeat interval, counted from the last that it was
// told. So a learner knows within such an interval how far an idle log is chosen, as if it
// asked in each of them.
//
// Each such message is the whole state, so the next one makes up for one that was lost.
// Only the last one before all is quiet must not get lost. So a drop ends the subscription
// at both ends:
//
//   - the connection ends: the acceptor forgets the subscriber (PeerDown), which asks anew
//     when it is back (PeerUp);
//   - the queue to the subscriber overflows, or one of two connections ends (Dropped), or a
//     second one comes: the acceptor says that the subscription has ended (Ended) in each
//     heartbeat interval, until the subscriber asks anew;
//   - whatever else happens, the subscriber asks anew after half of the time after which an
//     acceptor forgets it.
//
// Example of a drop that ended it at one end only: a1's queue to l1 overflows, votes at 5 and
// the PollReply that shows held 5 are dropped. If l1 took itself for subscribed, and a1
// believed that it has told everything, l1 would stay at 4 until it renews.
//
// Processes of version 2 do not ask for this. A subscriber that is not told that it is one (Stays), as from
// an acceptor of version 2, or from one that does not vote, asks in each heartbeat interval.
// Linearizable reads always ask.
//
// # Copying
//
// An acceptor that misses much copies it from one source, several pages at once where the log grows
// fast (package paging): else whoever is to take the place of another one would never arrive on a busy
// cluster. It asks for more when its store has what came, and takes pages in the order of the log.
//
// # A disk that is full
//
// The driver says what there is room for (DiskRoom), and answers to heartbeats pass it on to the
// leader, with what learners say of themselves in Poll. An acceptor that is short promises and
// votes as ever. It is for the leader not to propose entries to it (package proposer, "Disks that
// are full"); what an acceptor is asked to vote for somebody waits for, and no vote is refused: one
// that was given by another acceptor may have to be chosen so that a trim can be.
//
// What it refuses itself is copying, since others have that: it copies small gaps only, as votes
// above a gap are kept in memory. If it lacks more, the command that trims is above that, and what
// it has keeps it from getting there. So it asks the others where the log begins by now, and
// deletes what is below: they hold the state that stands in its place (takeTrim, takeTrimmed).
//
// Example: a1's disk is full at 1000. a2 and a3 go on, and at 5000 the log is trimmed up to 4000. a1
// hears so from a2, takes all below 4000 for held, deletes it, and copies from there.
//
// # What stops an acceptor
//
// Only its own state does: an invariant of invariants.go that is broken. What a peer
// says is never asserted. A message that contradicts a vote (another value at the same
// instance under the same ballot) is refused, counted and told, and the acceptor goes on.
package acceptor
