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
//	proposer.go                    the machine, and what is common to its phases
//	standby.go                     the first phase: who leads, and passing appends on
//	answer.go                      what acceptors say of whom they hear
//	campaign.go, read.go           the second phase: Phase 1 under way, also for an acceptor that has
//	                               forgotten votes; what acceptors report
//	leading.go                     the third phase: in office, and out of it
//	queue.go, propose.go           appends wait in turn, become proposals, and are sent again; which
//	                               votes are asked for, and how much is in flight
//	chosen.go                      votes are counted; what nobody holds is read again
//	judge.go                       what is believed of acceptors
//	control.go, level.go           how a log begins, what it has decided about itself; its level is raised
//	members.go, roster.go          who the acceptors are, who the proposers and learners
//	member_order.go, changing.go   that is to change: whether it may, and how it is done
//	checkpoint.go, retention.go    checkpoints and trims; how much of the log is kept
//	rights.go                      who may ask for what
//	room.go                        disks that are full
//	handover.go                    leaving office in good order
//	report.go                      what status and metrics show
//	limits.go, invariants.go       bounds and waits, with reasons; what is asserted
//
// # Who campaigns
//
// A standby subscribes at the acceptors (Query.Stay). Each tells it at once when it has heard
// no leader for the shortest election timeout, at the end of each further one, and when it
// hears one again (package acceptor, "What is told without being asked"). The standby adds
// the time that has passed since, and waits for its own timeout, which is random: so it
// knows of a dead leader no later than one that asked every heartbeat interval would. When a
// leader has resigned there is no timeout to wait for, and all standbys are told at once. Each
// waits for its random part of a heartbeat interval, lest they all campaign in one moment.
//
// What it was told is only a hint. That the acceptor hears the leader again may have been
// lost on the way, and the standby would depose a healthy leader. So when the hints of a
// Phase 1 quorum add up, it asks all acceptors at once, and campaigns when a Phase 1 quorum
// reports silence of its timeout in answer to a question of the last election timeout.
//
// Example: p1 leads, and a1 and a2 are cut off from it for 200 ms. Both tell p2 of silence.
// a1's next word, that it hears p1 again, is lost. p2 asks a1, a2 and a3, hears from all of
// them that p1 is alive, and goes on standing by. It has cost six messages.
//
// A hint that is lost is told again an election timeout later, as long as it holds. An
// acceptor that takes no subscription, as one of version 2, is asked in each heartbeat
// interval, and its answers count as ever. Those that take it are asked after half of the
// time after which they forget a standby, to find out that they still know it.
//
// # Votes that wait
//
// With one client at a time a leader has nothing to do when an instance is chosen: the
// learner answers the client, and the client's next append comes anyway. To wake it three
// times for that costs more than the append does. So it proposes with Quiet set, and
// acceptors tell it those votes with the next thing that they say to it (package acceptor,
// "Votes that wait"). It asks for votes
//
//   - in an Accept that carries more than one append, fills half of the window (in
//     instances or in bytes), or fills the gap of an election or a repair;
//   - in Accepts for a while, once an append had to wait for votes: it is crowded;
//   - by a heartbeat at once, when something waits, the process stops or hands over, and the
//     votes that this depends on were not asked for;
//   - by every heartbeat, as far as they are synced by then.
//
// What is proposed at once, and what waits for company, depends on how much is in flight
// (due). A leader that is told of votes later would take everything for being in flight.
// So it guesses: an append that says that its client has the results of all that came
// before it (Append.Answered) shows that the instance of the one before is chosen. That
// is a client's word, and only good for a guess: nothing is announced, closed or counted
// by it. A client that lies gets smaller batches. One that does not say it, as those of
// version 2, is answered as before: its votes are asked for.
//
// Safety does not depend on when a leader hears of votes. What depends on it is bounded:
// at most half of the window is proposed again by the next leader although it was chosen,
// and "chosen up to" reaches acceptors one heartbeat later than the votes reach the leader
// at most. While appends come their Accepts announce it; a heartbeat does so ahead of its
// time only when the log is idle.
//
// # Those who append little
//
// Appends take turns (queue.go), so one is soon in a value, whatever others have waiting. But then it is behind
// all that is in flight: each value carries a batch of the others' appends, and acceptors have to write them and
// learners to apply them before its own. Throughput is best with full values and a full window. Whoever waits
// for each result is best off with small ones.
//
// So values are brief while both are there: a client that was served and has nothing left waiting, and has had little
// waiting for a second (no more than LittleBytes, so none with long entries); and another one of which more waits, here
// or where its connection is read (Crowd). Then
//
//   - a value that carries several appends has no more than LittleBytes;
//   - two are in flight, and one more each tick as long as none of them has been there for twice as long as
//     the quickest of the last seconds took.
//
// The leader logs it, once a minute at most. That ends when no such client was served for a quarter of a second. Where all append little, or all append much,
// or one does alone, nothing is brief. Nor is it where an instance takes 8 ms at best: there clients wait for the
// way between hosts, and a window that is not used would make all of them wait for longer.
//
// Example: four clients load events over a connection each, and a fifth appends one entry after the other. Its first
// append is behind 4 MiB in flight, and what comes after is behind little. docs/performance.md has figures: it waits for
// half as long, and the load gets 70 % of its rate.
//
// Nothing of safety rests on this. A client that loads events and keeps a second connection that appends one entry
// at a time slows down its own load, and no one else's that it would not slow down by loading.
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
//
// # Disks that are full
//
// A leader knows what acceptors have room for, and learners by way of them, no older than
// roomTicks; what it has proposed in that time it takes off. It refuses appends (RefuseNoSpace)
// while those that have room are no Phase 2 quorum, or no learner has any: before a disk is full
// in earnest. An acceptor without room is not sent entries and checkpoints as long as the others are a quorum. Who
// is short has room for what is in flight, and for what the log decides about itself: so a
// checkpoint, a trim and a setting are proposed as ever, and appends return by themselves.
//
// Nothing of this is about safety: a leader that goes on proposing fills disks, and one that
// refuses for nothing appends nothing. When somebody becomes short a checkpoint is asked for, while
// everybody can make one: what a trim deletes ends at a checkpoint.
//
// Learners have no connection to the leader, so one acceptor that lies could speak for all of them. The
// leader believes of a learner what two of the acceptors that it hears say, and nothing of one that
// the log does not name. What one that lies can still do:
//
//   - Of itself it says what it likes. Where the others without it are no Phase 2 quorum appends are
//     refused; by not voting it would stop them as well.
//   - Where only one other acceptor is heard it takes back what that one says of a learner: then
//     appends go on until the learner stops applying by itself, and nobody answers them.
//   - It asks for a checkpoint, at most one each second in which entries come (markPause).
//
// Example: a2 says that l1 and l2, all learners, have no room. a1 and a3 say that they have. Appends go
// on. If a3 alone says that l1 is short, since it hears l1 and nobody else does, they go on, too.
//
// Example: a1 and a2 are short, a3 is not. p1 refuses appends and names a1 and a2. `paxlog trim`
// has p1 propose the command; a1 and a2 vote for it on what they have laid by, hold it, and delete.
// Their next answers say that there is room.
//
// # What one acceptor says
//
// A proposer that does not lead knows what the log has decided from what acceptors show: who the
// acceptors are, who the proposers and learners are, and who may do what. It takes what two of the
// acceptors that it asks show alike, or the only one if there are no two, so that no number that one of them has
// made up stands for good. Of the time since which rights are as they are it takes the latest that two know.
//
// A configuration may be known to one only that can still be reached: all that the cluster file names were
// replaced. So a standby to which no Phase 1 quorum answers for some election timeouts asks by what single
// ones have shown, each in turn, and by what is sure between them, until a quorum answers.
//
// Nothing of safety rests on this: who leads by a configuration has found it in Phase 1. What one acceptor
// that lies can still do:
//
//   - Where only one other acceptor is heard, standbys learn nothing new: they refuse to be drained, or judge
//     that by older rights.
//   - Where no quorum answers for long, a standby may ask by its list for a few seconds, in turn with others.
//   - In its promise it can show what it likes, as each acceptor of a Paxos can: who has its key, or its
//     directory, can break the log.
//
// Example: a3 shows a configuration of epoch 2^60 that names nobody who lives. a1 and a2 show another one, or
// none, so the standbys go on asking a1, a2 and a3. If only a3 had copied the newest configuration, and a1 and a2
// had been switched off, p1 would ask by it after 1.5 s.
//
// # Clocks
//
// Each value has a time, by its leader's clock. Learners make of it the time of the log, which never goes
// back, and that one value advances by 7 days at most (package learner). A clock that is years ahead would
// still carry the log there within a few hundred values. So acceptors tell what their clocks show, in
// promises and answers to heartbeats, and a leader takes no time that is more than 10 s ahead of the clock
// in the middle of theirs (of an even number, and its own). The wrong clocks of fewer than half of the acceptors move nothing either.
// Ages (retention) are counted by the same time.
//
// What bounds it, then: the clocks of most acceptors; and, of a leader that ignores them on purpose or is of
// an earlier release, 7 days a value. Nothing of safety rests on time.
//
// # Handing over
//
// A leader hands over when an operator asks for it (Transfer), when it is drained, and when
// its process is told to stop. It takes these steps:
//
//  1. It asks who could lead (Able). A successor must be connected, be a standby that is
//     neither drained nor stopping, and reach as many acceptors as it takes to elect a
//     leader and to go on. If nobody is such a one the leader goes on leading, and says why.
//  2. It proposes nothing new. What it is sent waits in its queue. What is in flight is
//     proposed again, repaired and counted as ever, until it is chosen.
//  3. It sends its last heartbeat, which names the successor and announces all that it got
//     chosen. From then on it is no leader (yielding).
//  4. Each acceptor tells the successor that it is named (Named), and lets its Prepare
//     through although it hears a leader. The successor campaigns as soon as a Phase 1
//     quorum has said so: exactly when it could win. It asks no proposer's leave.
//  5. The new leader tells everybody (Leader, Leads). The old one first tells its clients,
//     which send again there, and only then refuses what has waited. So clients know for
//     sure that the copies at the old leader are in nobody's queue.
//
// Safety does not depend on any of this. The successor's Phase 1 is one like all others,
// under a ballot of its own, and an acceptor promises as it always does. Only the rule that
// keeps candidates away from a live leader, which is there for liveness, has an exception.
// The old leader may not propose after step 3 because acceptors that have promised would
// refuse it, and its clients would wait for a leader that is none: so it has no phase in
// which it could. Exploration (package sim/explore) lets every proposer campaign at every
// moment, whatever acceptors hear, so a successor's campaign is among what it visits.
//
// Nothing hangs, whoever dies. In steps 1 and 2 the leader goes on leading when the time is
// up, and answers that it did. After step 3 the acceptors count the last heartbeat as the
// last that they heard: the others campaign an election timeout later, as after any leader.
// The old leader campaigns again by itself if the successor has not said within that time
// that it leads; acceptors let it, as it is the one that they heard, unless they have
// promised the successor. A process that stops does not, and ends.
//
// Example: p1 names p2, and p2 crashes before its Prepare leaves. 300 ms later p1 campaigns
// at the next round, refuses what waited, and tells the operator that p2 has not said that
// it leads.
//
// Processes of version 2 know no successor. Acceptors of that version take the last
// heartbeat for a resignation, so that any standby may campaign at once, and proposers of
// that version answer no Able, so that nobody hands over to them.
package proposer
