// Package paxos is the vocabulary of Paxlog: ballots, instances, values, messages,
// quorums, and the contract between a role and whatever drives it. It does no I/O. The
// machines (packages acceptor, proposer, learner, and client/core) import this package, what
// lies in it (packages control, configuration, rights), and nothing else of the module.
//
// # Glossary
//
// Each word has this one meaning, in code, logs and documents alike. The first are those that one
// needs for all others; the rest stands by subject.
//
//	quorum      as many acceptors as it takes, for electing a leader (a Phase 1 quorum) or for
//	            choosing a value (a Phase 2 quorum); each of the former meets each of the
//	            latter. Two of three, unless the log says otherwise
//	Phase 1     a proposer asks acceptors to promise its ballot and to report their votes;
//	            once for all instances. Phase 2: it asks them to vote for a proposal
//	campaign    a Phase 1 under way; a candidate is who campaigns
//	leader      a proposer whose Phase 1 is complete, until it resigns, or knows of a higher
//	            ballot; there may be two for a while, and only one of them gets anything chosen
//	command     what is applied once: the append of an entry, a fence, or a control command
//	batch       the commands that one value carries, in order
//	no-op       a value without a command; it fills an instance that was voted for in part
//	ballot      a proposer's attempt, totally ordered; no ballot is used twice
//	instance    one execution of single-decree Paxos: 1, 2, 3, ...
//	value       what an instance chooses: an ordered batch of commands, a no-op, or a
//	            control value
//	control     said of a value or command by which the log decides about itself: that it
//	            begins (genesis), what it allows (level); takes an instance and no index
//	level       what may be proposed in a log; 0 if it has no genesis
//	log id      random bits that name a log for ever; in its genesis
//	proposal    a value under a ballot
//	vote        a proposal that an acceptor accepted at an instance
//	promised    the highest ballot that an acceptor promised; covers all instances
//	chosen      said of a value that a Phase 2 quorum accepted at one ballot
//	held        how far an acceptor has got: every instance <= held is in its store and
//	            known to be chosen; immutable, exempt from the promise
//	chosenUpTo  a leader's announcement: every instance <= it is chosen
//	entry       what a user appends; its index is its place in the log: 1, 2, ...
//	session     one ordered stream of commands of a client, numbered 1, 2, ...
//	append id   a session and a number: names one append for ever, in one log
//	attempt     one sending of an append; a refusal names it, so that the others stay open
//	run         a stretch without a gap: of commands of one session in a batch (Run), of
//	            instances at which an acceptor voted under one ballot (VoteRun)
//	birth       the applied instance at which a session's learner stood
//	fence       a command that closes a session for good
//	principal   who a client is, as its connection proves it; anonymous if it proves nothing
//	owner       of a session: who made it, as its id says; nobody's session is anybody's
//	grant       which rights (append, read, admin) the log gives a principal
//	floor       sessions born below it that are unknown have expired
//	origin      the ballot that first carried a value; stays when it is proposed again
//	process     one start of an acceptor, proposer or learner, told apart from earlier
//	            ones by random bits
//	incarnation a random number drawn when a data directory is initialised
//	mark        how far an acceptor's directory has come: its life, and its commits so
//	            far; shown in its messages and remembered by its peers
//	twin        another process with a copy of an acceptor's directory
//	life        the ballot under which an acceptor last rejoined; zero at first
//	forgotten   said of promises and votes that an acceptor told, and that its directory
//	            has lost
//	vouching    a peer's answer that it knows no other incarnation of an acceptor,
//	            and no higher mark
//	rejoining   how an acceptor that has forgotten votes comes to vote again
//	member      an acceptor of the configuration in force
//	configuration  who the acceptors are and how large their quorums; each has an epoch
//	relay       the acceptor that sends a learner values, with its votes; the others send
//	            votes only (Relay)
//	page        one of several messages that answer together, so that none is too large
//	repair      a leader reads again an instance that nobody can tell, and gets it chosen
//	checkpoint  what learners have made of all values up to an instance, in the log itself;
//	            complete when two learners agree on it, or the only one has made it
//	trim        the command by which entries below an index are kept no more
//	version     of the protocol that two processes speak; a release is a program, which
//	            speaks some versions and knows levels up to one
//	standby     a proposer that does not lead; passes appends on
//	chain       a running hash over what a learner applied; equal at learners that have
//	            applied the same
//	wrong       said of a learner whose log or state is not what follows from what was
//	            chosen: it serves nobody
//	load        a read of durable state, done beside the machine (Load, Loaded)
//
// # Messages
//
// What travels, by number. "durable" says what must be on an acceptor's disk before the
// message may leave: it travels in Output.SendAfter, all others may travel in SendNow.
// An urgent message overtakes what waits on its connection. "takes" says which right a client
// needs for it, "since" the first version of the protocol that has it. messages.go is where it
// comes from, and table.go says what each column means.
//
//	16 Prepare       proposer          -> acceptor                     urgent   a campaign, or a repair read (To != 0)
//	17 Promise       acceptor          -> proposer                     values   numbered page of votes; durable: the promise and the votes
//	18 Accept        proposer          -> acceptor                     values   from a leader: one proposal, and chosenUpTo
//	19 Accepted      acceptor          -> proposer, learner                     to the leader and subscribed learners; durable: the votes
//	20 Relay         acceptor          -> learner                      values   a value ahead of its vote
//	21 Reject        acceptor          -> proposer                     urgent   refusal with the promised ballot; durable: that promise
//	22 Heartbeat     proposer          -> acceptor                     urgent   from a leader: liveness and chosenUpTo
//	23 HeartbeatAck  acceptor          -> proposer                     urgent   repeats ballot and nonce, and tells votes that are synced
//	24 Query         proposer          -> acceptor                     urgent   from a standby: how long have you heard no leader?
//	25 QueryReply    acceptor          -> proposer                     urgent   how long, and whom it heard last; durable: the promise it shows
//	26 Poll          learner           -> acceptor                     urgent   subscribe, and ask for the read point
//	27 PollReply     acceptor          -> learner                      urgent   the read point; durable: the votes it counts
//	28 Fetch         acceptor, learner -> acceptor, learner                     a range of instances
//	29 Page          acceptor, learner -> everybody                    values   the answer; to a leader the value held where it proposed; durable: the votes in it
//	30 Vouch         acceptor          -> any                          urgent   do you know me otherwise?; durable: the process that it names
//	31 Vouched       any               -> acceptor                     urgent   what it remembers; durable: what it remembers
//	32 Repair        acceptor          -> proposer                     urgent   to the leader: nobody can tell me, or a learner (Poll.Stuck), this instance
//	33 Rejoin        acceptor          -> proposer                     urgent   to the leader: I have forgotten votes, let me vote again
//	34 Rejoined      proposer          -> acceptor                     urgent   from the leader: do, once you hold all up to an instance
//	35 Leads         proposer          -> proposer                     since 3  I lead, on each change; with no ballot: no more
//	48 Named         acceptor          -> proposer                     urgent, since 3  the leader has handed over to you: campaign at once
//	49 Able          proposer          -> proposer                     urgent, since 3  from a leader that wants to hand over: could you lead?
//	50 AbleReply     proposer          -> proposer                     urgent, since 3  how many acceptors it reaches, or why it could not
//	51 Decide        acceptor, learner -> acceptor, proposer           values, since 3  a part of a checkpoint; an acceptor passes it on to the leader
//	53 Chained       learner           -> learner                      since 3  how far I have applied, and the chain there
//	60 Join          acceptor          -> proposer                     since 3  I copy the log, and would be a member
//	61 Configured    acceptor          -> any                          since 3  the newest configuration that I hold
//	64 Append        proposer, client  -> proposer                     values   commands of one session; a standby passes them on to the leader; takes append; a fence append or admin
//	65 Refused       proposer          -> proposer, client                      dropped, never queued; through the standby that passed it on
//	66 Leader        proposer          -> client                                who leads, on each change
//	67 Attach        client            -> learner                               I wait for results of this session; takes append
//	68 Attached      learner           -> client                                where the log stands
//	69 Result        learner           -> client                                what became of commands
//	70 Locate        client            -> learner                               where the log starts and ends (linearizable); takes read
//	71 Located       learner           -> client                                the answer
//	72 Read          client            -> learner                               entries from an index; takes read
//	73 LogPage       learner           -> client                       values   the entries
//	74 Lookup        client            -> learner                               the index of one command, and its session's state; takes append or read or admin
//	75 Found         learner           -> client                                the answer
//	76 StatusQuery   client            -> any                          urgent   how are you?; takes no right
//	77 StatusReply   any               -> client                       urgent   the state of one process
//	78 Results       learner           -> client                                commands of several sessions that were applied just now
//	79 Detach        client            -> learner                      since 3  I wait no more; takes no right
//	80 Detached      learner           -> client                       since 3  you are told no more: attach again if you wait
//	81 Withdraw      client            -> learner                      since 3  nobody waits any more for that Locate, Read or Lookup; takes no right
//	96 Transfer      client            -> proposer                     urgent, since 3  to the leader: hand over; takes admin
//	97 Transferred   proposer          -> client                       urgent, since 3  who leads now, and for how long appends waited; or why not
//	98 Drain         client            -> any                          urgent, since 3  you are about to be stopped; or not any more; takes admin
//	99 Drained       any               -> client                       urgent, since 3  done; or why not
//	100 Elsewhere     learner           -> client                       since 3  I am drained: use another learner; or not any more
//	101 Order         client            -> proposer                     urgent, since 3  to the leader: keep entries below an index no more; takes admin
//	102 Ordered       proposer          -> client                       urgent, since 3  the first index kept, before and after; or why not
//	103 Copy          client            -> learner                      since 3  the values chosen from an instance on, for a backup; takes read
//	104 Raise         client            -> proposer                     urgent, since 3  to the leader: raise the level of the log; takes admin
//	105 Raised        proposer          -> client                       urgent, since 3  the level, before and after; or why not
//	106 Settle        client            -> proposer                     urgent, since 3  to the leader: how much of the log is kept; takes admin, or any to look
//	107 Settled       proposer          -> client                       urgent, since 3  that, how much there is, and who holds a trim back; or why not
//	108 Retain        client            -> proposer                     urgent, since 3  to the leader: trim nothing from an index on, for a named hold; or no longer for that; takes admin
//	110 Member        client            -> proposer                     urgent, since 3  to the leader: change the acceptors, or tell how they are; takes admin, or any to look
//	111 Membered      proposer          -> client                       urgent, since 3  done; or why not; and how they are
//	112 Directory     any               -> client                       since 3  who the processes of the log are by now, and where
//	120 Permit        client            -> proposer                     urgent, since 3  to the leader: grant rights to somebody, or take them, or tell who has which; takes admin, or any to look
//	121 Permitted     proposer          -> client                       urgent, since 3  who has which rights; or why nothing was done
//	122 NotPermitted  any               -> client                       since 3  you may not ask for that, and what it takes
//	123 Unsettled     proposer          -> client                       urgent, since 3  I lead no more: what you asked for may be done yet, or not
//	124 Adjust        client            -> proposer                     urgent, since 3  to the leader: how many sessions are remembered, and what each principal may have; takes admin, or any to look
//	125 Adjusted      proposer          -> client                       urgent, since 3  what the log decides of that; or why nothing was done
//
// Local messages (Loaded, Synced, PeerUp, PeerDown, Dropped, Twin, Late, Crowd, Stopping) are stepped by
// the driver and never travel.
//
// # Why it is safe
//
// Single-decree Paxos (Lamport, "Paxos Made Simple", section 2) holds for each
// instance: an acceptor accepts a proposal numbered n iff it has not promised a
// higher one (P1a); a leader proposes at an instance the value of the
// highest-numbered proposal that its Phase 1 quorum reported there, or its own
// if none did (P2c). Section 3 runs infinitely many instances with one Phase 1,
// so promised is one ballot for all of them. Quorums of the two phases need
// only intersect each other (Howard et al., "Flexible Paxos", 2016).
//
// Four additions need their own argument, below. Changing the acceptors is argued in package
// configuration, checkpoints and trims in package control, and a log that is restored in package
// backup.
//
// # Held
//
// An acceptor raises held over instance I for one of two reasons.
//
//   - It copied the value at I from a process that holds I.
//   - The leader of ballot N announced chosenUpTo >= I, and the acceptor's own vote at I
//     has ballot N. The leader of N proposes one value at I. Either it saw that value
//     chosen at N, or it had to propose it because it had been chosen before. So the
//     value of that vote is the chosen one.
//
// A vote of an older ballot is not covered by the announcement. Example: a1 votes for x at
// instance 4 under ballot 1. Under ballot 2 y is chosen there by a2 and a3, and the leader
// announces chosenUpTo 4. If a1 marked its x as held, it would serve x as chosen.
//
// A held value never changes, so it needs no promise. Who tells it tells a fact, and does
// not vote.
//
// # How a log begins
//
// The first leader of an empty log proposes genesis at instance 1: the log's id, its level,
// the acceptors. It is a proposal like any other, so at most one is chosen, however many
// leaders begin a log at once. A leader proposes it only if its Phase 1 quorum holds nothing
// and nobody of it has voted at instance 1, which is when P2c leaves it the choice; and only
// if everybody of that quorum knows the level. Else the log begins at level 0, with an entry.
//
// What control values decide is a function of the values chosen, in order. An acceptor that
// holds an instance, and a learner that has applied it, know that function up to there, and
// write what it gives with held, or applied. A new leader begins with what goes with the
// highest held of its quorum. It is right to: all of that is chosen, and the leader learns of
// what is above by proposing it.
//
// # Starting above held
//
// A new leader starts at max(held)+1 over its Phase 1 quorum. Everything at or below is
// chosen, so there is nothing to propose.
//
// If the only holder is lost, the value is still in the votes of a Phase 2 quorum. The
// leader reads the instance at a Phase 1 quorum under its own ballot. All of them have
// promised that ballot, so no older vote can appear later. The leader proposes what the
// votes force. It gives such a proposal up where the log is trimmed above it, or nobody votes
// for it for long. A later repair does not propose a second value there under one ballot: the
// instance is chosen, so the votes of every such quorum force the same one. Below a trim it
// proposes nothing: who has trimmed reports nothing there, and what others report may be older.
//
// # Rejoining
//
// An acceptor A finds out, by its peers' marks, that its directory has forgotten commits of
// earlier processes. From then on A neither promises nor votes. It votes again as follows.
//
//  1. A asks the leader, and names its present process. It takes no permission for another one.
//  2. The leader campaigns at a new ballot N, made after A's process had begun. Its quorum
//     S is without A. S is a Phase 1 quorum, and so large that it meets every quorum that A
//     was counted in, of either phase, in another acceptor (Membership.IsRejoin).
//  3. Each of S writes down, before it promises N, that A's promises are void until A rejoins
//     with life N.
//  4. A copies every instance up to the highest that S reported or holds. Then A promises N,
//     and votes.
//
// What A voted for is not lost. A voted only at ballots whose Phase 1 was complete. Such a
// quorum meets S in an acceptor that had promised that ballot before N, so N is higher. If a
// forgotten vote of A counts towards a chosen value, then another member of that Phase 2
// quorum is in S, and voted before it promised N: it reported the instance, or holds it. So A
// holds the chosen value.
//
// What A promised does no harm. For ballots up to N, A promises N. For a ballot b above N,
// Phase 1 was not complete when S promised N. A quorum that completes it together with A's
// forgotten promise contains one of S, which shows A's life N. The candidate then drops that
// promise, and has to ask A again.
//
// Lives are ballots. The quorums of two rejoins that were completed meet, being Phase 1
// quorums of more than half. So the later one has the higher ballot. An acceptor that rejoins
// is told the lives of the others, lest it forget those. Marks are ordered by life first: a
// new life makes up for all that was forgotten before it.
//
// While A may not vote, its commits do not count, and that it has forgotten something is
// durable. Else a crash before it has rejoined would hide the loss.
//
// This is as good as the peers that remember. If nobody who is asked has seen what A has
// forgotten, A votes as if it had not forgotten. And it takes all others but those that a
// quorum can do without: of three acceptors, none may be down meanwhile.
//
// # Who may keep whom from voting
//
// One peer's word never ends a process. One word of a process that is of the same log keeps
// an acceptor from voting, until that peer takes it back. Package acceptor says why, and what of
// two processes with copies of one directory ("Two processes of one directory").
//
// # Invariants
//
// Machines check their own state while they run (Outbox.Violated). An invariant that is
// broken stops the process before anything that follows from it is written or sent. A message
// that contradicts what a machine knows is the sender's fault: it is refused, counted and
// told, and stops nobody.
//
// # What a peer may claim
//
// Numbers that count something are below 2^62 (Bound), and strings and lists have a longest
// length: package wire refuses the rest where it decodes, so that no sum in a machine
// overflows. Random bits are compared for equality only.
//
// A ballot is used by its own proposer, and only if the acceptor's cluster file names that
// one. This is judged before anything else of the message is taken. A round or an instance
// may lie at most 2^32 (MaxJump) beyond what a quorum shows: who has not heard a quorum
// does not judge, for the log may be old, and it is new.
//
// # Counting
//
// Quorum members are the ids that the transport authenticated in the
// handshake, kept in sets; a message delivered twice counts once. Votes are
// counted for each ballot apart: equal values at different ballots never add up.
package paxos
