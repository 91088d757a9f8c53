// Package configuration says which acceptors vote at which instance of a log, and what a
// proposer needs of them. Its types are values; it does no I/O, and knows nothing of how a
// configuration comes to be chosen.
//
//	configuration.go  who accepts, and what may follow
//	history.go        what a log has decided: which configuration is in force where
//	electorate.go     what a proposer counts as a quorum around a change
//	roster.go         who the proposers and learners are, of which no quorum is counted
//	encoding.go       the one form of each
//
// # Alpha
//
// The acceptors of a log change while it runs, by changes that are chosen in it as entries are
// (Lamport, "Paxos Made Simple", section 3; "Reconfiguring a State Machine", 2010). A change
// chosen at instance i is in force from i + alpha on. Alpha is a constant of the log, decided
// by a command of its own before the first change; leaders decide at least 128. So whoever knows what
// was chosen up to n knows the configuration of every instance up to n + alpha (ConfigAt), and
// that many instances may be in flight.
//
// R3: a leader proposes at k only when it knows everything at or below k - alpha to be chosen,
// and only after a Phase 1 at its ballot with a quorum of every configuration that is in force
// at an instance from its start to k. One promise of an acceptor covers all instances.
//
// R4: votes at k count only from members of the configuration in force at k, with the
// incarnation that it names.
//
// R5: a proposer that hears of a newer configuration than it campaigned with begins its Phase 1
// anew with that one.
//
// # Replacing an acceptor that is dead
//
// A member x is dead, and its successor y copies the log. x may not be dead: somebody may start
// its old directory again, or several copies of it, and each may have forgotten what it promised
// and voted for. R7 keeps that from harm.
//
// (a) The leader that replaces x asks x for nothing, and counts it in no quorum of either phase,
// from its Phase 1 on. So does every later leader that finds the change, chosen or merely voted
// for. One that has counted x and finds the change begins anew, at another ballot: it never
// proposes the change itself under a ballot whose Phase 1 counted x.
//
// (b) The change is proposed at i only when a Phase 2 quorum without x holds everything below i.
// An acceptor votes for a change only if it holds all below, and the commit of that vote comes
// after what it holds: so the quorum that chooses the change has all of it on disk.
//
// The argument. Let the change be chosen at ballot b. Each quorum that chooses it, and the
// Phase 1 quorum of b, is without x.
//
//   - Above b, each Phase 1 quorum of the old configuration meets the Phase 2 quorum of b in an
//     acceptor, which is not x. So its leader finds the change, and drops x.
//   - Below b, nothing more is chosen at or above i. A Phase 2 quorum of such a ballot meets the
//     Phase 1 quorum of b in an acceptor other than x, since both are counted in the old
//     configuration. It voted before it promised b, and then b has found that vote and proposes
//     what it forces, below i; or it does not vote any more.
//   - What was chosen with x's help before has a voter that is not x and promised b, or holds
//     it. It is found by b, and by all above b, in somebody who remembers.
//
// So nothing rests on x any more, whoever runs its directory.
//
// The successor y neither promises nor votes before it holds everything below the instance from
// which the change is in force, and finds itself named there. So a Phase 1 quorum with y in it
// starts at or above that instance, and is one of the new configuration only. It is durable by
// then, too: what x had and a quorum of the others holds, y has.
//
// What is promised of a directory that has forgotten something begins when the change is chosen.
// Before that x is a member like any other: whoever runs an old copy of it then is kept from
// voting by its peers' memory of its mark (package paxos, "Rejoining"), and by nothing here. (b)
// makes it a little better: while the change is proposed, what lies below it stays.
//
// The model in model_test.go finds what goes wrong if a part is left out.
//
// Late promise: acceptors are a0, a1 and x. Ballot 2 proposes the change at 1, and a0 votes for
// it. Ballot 5 leads with the promises of a1 and x. a0's promise to 5 comes late, and shows it the
// change. 5 proposes it, and a0 and x choose it: x has voted for its own end. A copy of x
// that has forgotten this and a1 then elect ballot 7, which sees nothing of the change, and
// chooses another value at 1.
//
// A leader that has counted x: ballot 5 leads with the promises of a0 and x, proposes the change
// at 1, and a1 and x choose it. A copy of x and a0 elect ballot 7, as above.
//
// Without (b): an instance below the change is chosen by a0 and x, and a1 lacks it. The change
// is proposed. Its leader is lost before a1 votes. A copy of x and a1 elect a leader that sees
// neither the change nor the instance, and choose another value there.
//
// R8: the change is complete when a Phase 2 quorum of the new configuration holds everything
// below the instance from which it is in force. No second change is proposed before; and one
// that is chosen before the first is in force changes nothing, for everybody.
//
// # Adding and removing a member that lives
//
// Then nobody is left out, and R3 to R5 are enough: the leader's Phase 1 has a quorum of both
// configurations, and counts votes at each instance by the one in force there.
//
// # A newcomer that has not arrived
//
// R3 asks for a quorum of the next configuration only where that is in force. A candidate takes one
// of both, for then it goes on without a pause. If it gets none in time it makes do with one of the
// configuration before: it proposes below the instance from which the next one is in force, and
// campaigns once more when all of that is chosen. A standby begins so, too, when a quorum of
// the configuration before has heard nobody for several election timeouts.
//
// Example: a4 is added to a1, a2 and a3; the change is chosen; the leader is lost before it has
// filled the instances below, and the machine of a2 dies. a4 cannot arrive, since it cannot hold
// what is not chosen yet, and without it there is no quorum of three. So a1 and a3 let somebody
// lead who fills these instances. Then a4 arrives, and is the third.
//
// # A newcomer that never arrives
//
// The machine of a newcomer y may be lost after the change is chosen and before y has arrived. The
// change is cancelled by one more change, as any other: it removes y, or it replaces y by another
// newcomer z. It needs no rule of its own.
//
//   - R8 asks for what is below the first change's instance, and not for y. A log that goes on
//     without y holds that at a Phase 2 quorum, so the next change may be proposed; a leader proposes
//     it only where the first one is in force.
//   - R7 says nothing of x having arrived. If z replaces y, then y is asked for nothing, and whoever
//     starts its directory does no harm. If y is removed it is a member that lives, as far as anybody
//     knows: if it arrives after all, its votes count below the instance from which it is none, and
//     it has forgotten nothing.
//   - A late leader may find the second change merely voted for. Who votes for a change holds
//     everything below it. So the Phase 1 that finds this vote begins where the first change is in
//     force, and two configurations are enough for its Electorate.
//   - The member x that y has replaced does not come back: what it votes and promises counts nowhere
//     any more. It can come as a newcomer only, under another id.
//
// Why not sooner, where the first change is not in force yet, so that it never is: a cancel chosen
// between i and i + alpha would have to be known by who proposes at i + alpha. But R3 lets a leader
// propose there that knows what is chosen up to i only, by the configuration with y. Example, alpha
// is 2: the change is chosen at 3, the cancel at 4. One leader knows 3, and gets a value chosen at 5
// by the configuration with y; the next one knows 4, and gets another value chosen there by the one
// without.
//
// So a log that cannot go on without y cannot cancel. It comes to that if so many members are lost
// before y has arrived that those who are left are no quorum of the configuration with y, though
// they were one of that before. A replacement makes no difference here, for y and x are one loss
// each. An addition does: a leader declines it where the log would stop until y has arrived.
//
// # Rejoining around a change
//
// A directory that has forgotten something rejoins (package paxos, "Rejoining") once a change that
// is under way is complete, by the promises of enough members of the new configuration. Where a
// leader's Phase 1 begins below the instance from which that is in force, since acceptors have
// lost what they held, it takes enough of both: the one that forgot was counted in quorums
// of both.
//
// # What is not here yet
//
// A directory that has forgotten something rejoins as package paxos says, and not by a change. An
// id that was a member does not come back, so a wiped disk joins under another one.
package configuration
