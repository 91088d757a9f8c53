package paxos

const (
	acceptors = Roles(1 << RoleAcceptor)
	proposers = Roles(1 << RoleProposer)
	learners  = Roles(1 << RoleLearner)
	clients   = Roles(1 << RoleClient)
	servers   = acceptors | proposers | learners
)

// Messages is the one table of messages. Who frames them, who may send them, what
// overtakes what, what counts towards a queue and how drawings show them comes from here,
// and the table in doc.go is written from it (go test ./paxos -run TestDocTable -update). A new
// message is one struct, with the method MessageKind, and one row.
var Messages = NewTable(
	NewRow[Prepare](proposers, acceptors, "a campaign, or a repair read (To != 0)", urgent),
	NewRow[Promise](acceptors, proposers, "numbered page of votes", durable("the promise and the votes"),
		votesIn(func(m Message) []Vote { return m.(*Promise).Votes }), Elements(func(m Message) int { return len(m.(*Promise).Marks) })),
	NewRow[Accept](proposers, acceptors, "from a leader: one proposal, and chosenUpTo",
		OneValue(func(m Message) *[]byte { return &m.(*Accept).Value.Batch })),
	NewRow[Accepted](acceptors, proposers|learners, "to the leader and subscribed learners", durable("the votes")),
	NewRow[Relay](acceptors, learners, "a value ahead of its vote", upkeep,
		OneValue(func(m Message) *[]byte { return &m.(*Relay).Value.Batch })),
	NewRow[Reject](acceptors, proposers, "refusal with the promised ballot", urgent, durable("that promise")),
	NewRow[Heartbeat](proposers, acceptors, "from a leader: liveness and chosenUpTo", urgent, upkeep,
		Elements(func(m Message) int { return len(m.(*Heartbeat).Marks) })),
	NewRow[HeartbeatAck](acceptors, proposers, "repeats ballot and nonce, and tells votes that are synced", urgent, upkeep,
		Elements(func(m Message) int { a := m.(*HeartbeatAck); return len(a.Runs) + len(a.Learners) })),
	NewRow[Query](proposers, acceptors, "from a standby: how long have you heard no leader?", urgent, upkeep),
	NewRow[QueryReply](acceptors, proposers, "how long, and whom it heard last", urgent, upkeep, durable("the promise it shows")),
	NewRow[Poll](learners, acceptors, "subscribe, and ask for the read point", urgent, upkeep),
	NewRow[PollReply](acceptors, learners, "the read point", urgent, upkeep, durable("the votes it counts")),
	NewRow[Fetch](acceptors|learners, acceptors|learners, "a range of instances", upkeep),
	NewRow[Page](acceptors|learners, servers|clients, "the answer; to a leader the value held where it proposed",
		durable("the votes in it"), upkeep, votesIn(func(m Message) []Vote { return m.(*Page).Values })),
	NewRow[Vouch](acceptors, servers, "do you know me otherwise?", urgent, upkeep, durable("the process that it names")),
	NewRow[Vouched](servers, acceptors, "what it remembers", urgent, upkeep, durable("what it remembers")),
	NewRow[Repair](acceptors, proposers, "to the leader: nobody can tell me, or a learner (Poll.Stuck), this instance", urgent),
	NewRow[Rejoin](acceptors, proposers, "to the leader: I have forgotten votes, let me vote again", urgent, upkeep),
	NewRow[Rejoined](proposers, acceptors, "from the leader: do, once you hold all up to an instance", urgent, upkeep,
		Elements(func(m Message) int { return len(m.(*Rejoined).Marks) })),
	NewRow[Leads](proposers, proposers, "I lead, on each change; with no ballot: no more", upkeep, Since(3)),

	NewRow[Named](acceptors, proposers, "the leader has handed over to you: campaign at once", urgent, Since(3)),
	NewRow[Able](proposers, proposers, "from a leader that wants to hand over: could you lead?", urgent, upkeep, Since(3)),
	NewRow[AbleReply](proposers, proposers, "how many acceptors it reaches, or why it could not", urgent, upkeep, Since(3)),

	NewRow[Decide](learners|acceptors, acceptors|proposers, "a part of a checkpoint; an acceptor passes it on to the leader", upkeep, Since(3),
		OneValue(func(m Message) *[]byte { return &m.(*Decide).Batch })),
	NewRow[Join](acceptors, proposers, "I copy the log, and would be a member", upkeep, Since(3)),
	NewRow[Configured](acceptors, proposers|learners|acceptors, "the newest configuration that I hold", upkeep, Since(3)),

	NewRow[Chained](learners, learners, "how far I have applied, and the chain there", upkeep, Since(3)),

	NewRow[Append](clients|proposers, proposers, "commands of one session; a standby passes them on to the leader",
		OneValue(func(m Message) *[]byte { return &m.(*Append).Batch }), needsOf(appends, "append; a fence append or admin")),
	NewRow[Refused](proposers, clients|proposers, "dropped, never queued; through the standby that passed it on"),
	NewRow[Leader](proposers, clients, "who leads, on each change", upkeep),
	NewRow[Attach](clients, learners, "I wait for results of this session", upkeep, needs(RightAppend)),
	NewRow[Attached](learners, clients, "where the log stands", upkeep),
	NewRow[Result](learners, clients, "what became of commands"),
	NewRow[Locate](clients, learners, "where the log starts and ends (linearizable)", needs(RightRead)),
	NewRow[Located](learners, clients, "the answer"),
	NewRow[Read](clients, learners, "entries from an index", upkeep, needs(RightRead)),
	NewRow[LogPage](learners, clients, "the entries", upkeep,
		recordsIn(func(m Message) []LogRecord { return m.(*LogPage).Records })),
	NewRow[Lookup](clients, learners, "the index of one command, and its session's state", upkeep, needs(RightAppend|RightRead|RightAdmin)),
	NewRow[Found](learners, clients, "the answer"),
	NewRow[StatusQuery](clients, servers, "how are you?", urgent, upkeep, needs(public)),
	NewRow[StatusReply](servers, clients, "the state of one process", urgent, upkeep),
	NewRow[Results](learners, clients, "commands of several sessions that were applied just now",
		Elements(func(m Message) int { return len(m.(*Results).Applied) })),
	NewRow[Detach](clients, learners, "I wait no more", upkeep, Since(3), needs(public)),
	NewRow[Detached](learners, clients, "you are told no more: attach again if you wait", upkeep, Since(3)),
	NewRow[Withdraw](clients, learners, "nobody waits any more for that Locate, Read or Lookup", upkeep, Since(3), needs(public)),
	NewRow[Transfer](clients, proposers, "to the leader: hand over", urgent, Since(3), needs(RightAdmin)),
	NewRow[Transferred](proposers, clients, "who leads now, and for how long appends waited; or why not", urgent, Since(3)),
	NewRow[Drain](clients, servers, "you are about to be stopped; or not any more", urgent, Since(3), needs(RightAdmin)),
	NewRow[Drained](servers, clients, "done; or why not", urgent, Since(3)),
	NewRow[Order](clients, proposers, "to the leader: keep entries below an index no more", urgent, Since(3), needs(RightAdmin)),
	NewRow[Ordered](proposers, clients, "the first index kept, before and after; or why not", urgent, Since(3)),
	NewRow[Raise](clients, proposers, "to the leader: raise the level of the log", urgent, Since(3), needs(RightAdmin)),
	NewRow[Raised](proposers, clients, "the level, before and after; or why not", urgent, Since(3)),
	NewRow[Copy](clients, learners, "the values chosen from an instance on, for a backup", upkeep, Since(3), needs(RightRead)),
	NewRow[Settle](clients, proposers, "to the leader: how much of the log is kept", urgent, Since(3), looks(func(m Message) bool { return m.(*Settle).Set })),
	NewRow[Settled](proposers, clients, "that, and how much there is; or why not", urgent, Since(3)),
	NewRow[Member](clients, proposers, "to the leader: change the acceptors, or tell how they are", urgent, Since(3), looks(func(m Message) bool { return m.(*Member).Order != MemberList })),
	NewRow[Membered](proposers, clients, "done; or why not; and how they are", urgent, Since(3),
		Elements(func(m Message) int { return len(m.(*Membered).List) })),
	NewRow[Permit](clients, proposers, "to the leader: grant rights to somebody, or take them, or tell who has which", urgent, Since(3),
		looks(func(m Message) bool { return m.(*Permit).Grant|m.(*Permit).Revoke != 0 })),
	NewRow[Permitted](proposers, clients, "who has which rights; or why nothing was done", urgent, Since(3),
		Elements(func(m Message) int { return len(m.(*Permitted).List) })),
	NewRow[NotPermitted](servers, clients, "you may not ask for that, and what it takes", Since(3)),
	NewRow[Unsettled](proposers, clients, "I lead no more: what you asked for may be done yet, or not", urgent, Since(3)),
	NewRow[Directory](servers, clients, "who the processes of the log are by now, and where", upkeep, Since(3),
		Elements(func(m Message) int { return len(m.(*Directory).List) })),
	NewRow[Elsewhere](learners, clients, "I am drained: use another learner; or not any more", upkeep, Since(3)),
)
