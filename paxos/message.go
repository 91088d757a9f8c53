package paxos

// Message is what machines exchange. The set is closed: messages.go has a row for each
// message that travels. Messages are not changed once they are sent, since a driver may
// hand the same one to several receivers.
type Message interface{ MessageKind() Kind }

// Prepare asks for a promise of Ballot (Paxos Made Simple, Phase 1a) for all
// instances at once, and for page number Page of what was accepted, from
// instance From on. With To != 0 it is a repair read of [From, To] by a leader.
// Nonce is that of the whole read at this acceptor; a page that does not come is
// asked for again with it. Rejoin, if not empty, is an acceptor that has forgotten
// what it promised: its promises are void until it rejoins under Ballot.
type Prepare struct {
	Ballot Ballot
	Nonce  uint64 `bound:"3"`
	Page   uint64
	From   Instance
	To     Instance
	Rejoin NodeID
}

// Promise is page number Page of the answer to Prepare: votes in ascending
// instance order. The next page begins after the last of them. The pages 0 .. k,
// of which k says Last, are together everything the acceptor accepted above Held
// (or within the range asked for). A vote at or below Held is a chosen value.
// Marks are the sender's own mark and what it remembers of the others', by place.
// Control is what the log has decided about itself up to Held, and Knows the highest level
// that the sender knows. Of says whose the marks are, if not of the acceptors of the cluster
// file, in their order.
type Promise struct {
	Ballot Ballot
	Nonce  uint64 `bound:"3"`
	Page   uint64
	Last   bool
	Held   Instance
	Marks  ByPlace[Mark]
	Votes  []Vote

	Control Encoded         `since:"3"`
	Knows   uint64          `since:"3"`
	Of      ByPlace[NodeID] `since:"3"`
	Clock   UnixNanos       `since:"3"` // of the sender, 0 if it does not say it
}

// Accept asks to accept Value at Instance under Ballot (Phase 2a), and announces
// that every instance <= ChosenUpTo is chosen. Quiet says that the leader can go on
// without the vote: it may learn of it later (package acceptor, "Votes that wait").
type Accept struct {
	Ballot     Ballot
	Instance   Instance
	Value      Value
	ChosenUpTo Instance
	Quiet      bool `since:"3"`
}

// Accepted tells votes of the sender (Phase 2b), and the mark of the commit that
// they are in. A leader that asked is told all votes under its ballot above its
// ChosenUpTo, also those that it was not told before.
type Accepted struct {
	Runs []VoteRun
	Held Instance
	Mark Mark
}

// Relay carries a value to a learner ahead of its vote.
type Relay struct {
	Ballot   Ballot
	Instance Instance
	Value    Value
}

// RejectReason says why an acceptor refused.
type RejectReason byte

// The reasons.
const (
	RejectPromised    RejectReason = 1 // it promised a higher ballot
	RejectLeaderAlive RejectReason = 2 // it hears from another live leader or candidate
	RejectNotAdmitted RejectReason = 3 // its peers have not vouched for it yet, or it has forgotten votes
	RejectClaim       RejectReason = 4 // the ballot cannot be, or its proposer is not in the acceptor's cluster file
)

// Reject refuses what was asked under Ballot and shows the promised ballot.
type Reject struct {
	Ballot   Ballot
	Nonce    uint64 `bound:"3"` // of the Prepare or Heartbeat refused; 0 for an Accept
	Promised Ballot
	Reason   RejectReason
}

// Heartbeat is sent by a leader in each heartbeat interval. Nonce is the leader's
// clock when it was sent. Marks are the highest that it has seen of each acceptor,
// by place. With Resign it is the last one of its ballot: others may campaign at once, or,
// if there is a Next, that proposer alone. Ask asks for the votes that are not synced yet,
// too, as soon as they are. Of is as in Promise.
type Heartbeat struct {
	Ballot     Ballot
	Nonce      uint64
	ChosenUpTo Instance
	Resign     bool
	Marks      ByPlace[Mark]
	Next       NodeID          `since:"3"`
	Ask        bool            `since:"3"`
	Of         ByPlace[NodeID] `since:"3"`
}

// HeartbeatAck repeats what it answers.
// Highest is a hint, not a vote: the highest instance it accepted or is accepting.
// Runs are the votes under Ballot, above the ChosenUpTo of the heartbeat, that are
// already synced, and Mark is that of the latest commit that is; without votes it is zero.
// Knows is the highest level that the sender knows. Room is what the sender has room for on its
// disk, DiskFree what is free there, and Learners say the same of the learners that are subscribed.
type HeartbeatAck struct {
	Ballot  Ballot
	Nonce   uint64
	Held    Instance
	Highest Instance
	Runs    []VoteRun `since:"3"`
	Mark    Mark      `since:"3"`
	Knows   uint64    `since:"3"`

	Room     Room     `since:"3"`
	DiskFree uint64   `since:"3"`
	Learners []RoomOf `since:"3"`

	Clock UnixNanos `since:"3"` // of the sender, 0 if it does not say it
}

// Query asks an acceptor what it hears. Only standbys send it. With Stay the sender wants
// to be told from now on, without asking, when that changes.
type Query struct {
	Nonce uint64
	Stay  bool `since:"3"`
}

// QueryReply says for how long the acceptor has heard neither a live leader nor
// a candidate that it promised, and whom it heard last. Nonce is that of the sender's
// latest Query: this was said after that one arrived. Stays grants what Stay asked for, and
// Ended takes it back, since something of it was lost.
type QueryReply struct {
	Nonce    uint64
	Promised Ballot
	Heard    Ballot
	Silent   Ticks
	Stays    bool `since:"3"`
	Ended    bool `since:"3"`
	// GrantedAt is the instance at which the rights that the sender knows of changed last.
	GrantedAt Instance `since:"3"`
}

// Poll subscribes a learner to an acceptor's votes for a while, and asks for
// the read point. Stuck, if not 0, is an instance that the learner cannot get. With Stay
// the learner wants to be told the read point from now on, without asking, when it changes.
// Room is what the learner has room for on its disk, and DiskFree what is free there.
type Poll struct {
	Nonce  uint64 `bound:"3"`
	Values bool   // also send Relay
	Stuck  Instance
	Stay   bool `since:"3"`

	Room     Room   `since:"3"`
	DiskFree uint64 `since:"3"`
}

// PollReply says what the acceptor holds and the highest instance it has accepted
// (at least Held). One that nobody asked for has no nonce. Stays grants what Stay asked
// for, and Ended takes it back, since something of it was lost.
type PollReply struct {
	Nonce   uint64 `bound:"3"`
	Held    Instance
	Highest Instance
	Stays   bool `since:"3"`
	Ended   bool `since:"3"`
}

// Fetch asks an acceptor or a learner for instances from From on.
type Fetch struct {
	Nonce  uint64 `bound:"3"`
	From   Instance
	Values bool // the values too, not only votes
}

// Page answers Fetch. Held is how far the sender holds what is chosen (of a learner: its applied instance).
// Runs are the sender's votes above it from From on. Values are consecutive in
// the sender's store from From on; one at or below Held is the chosen value.
// First is the first instance that the sender keeps: if it is above From, what was
// asked for was trimmed there, and Control is what the log has decided about itself as far
// as the sender holds it, which says what stands in its place. An acceptor that has trimmed
// nothing may say 0.
type Page struct {
	Nonce  uint64 `bound:"3"`
	From   Instance
	Held   Instance
	Runs   []VoteRun
	Values []Vote
	First  Instance `since:"3"`

	Control Encoded `since:"3"`
}

// Vouch introduces an acceptor, at each start, to a peer: its incarnation, and the
// mark that its directory has, with the bits of this process.
type Vouch struct {
	Incarnation uint64 `bound:"none"`
	Mark        Mark
}

// Vouched tells under which incarnation the peer remembers the asker (the one that
// it sent, unless its directory was initialised anew), and with which mark. Asked is
// the mark of the question.
type Vouched struct {
	Asked Mark
	Known uint64 `bound:"none"`
	Mark  Mark
}

// Rejoin asks a leader to let the sender vote again, although it has forgotten
// promises and votes: those of processes before Process. Void is the highest ballot that is
// known to have voided its promises.
type Rejoin struct {
	Process uint64 `bound:"none"`
	Void    Ballot
}

// Rejoined answers Rejoin of the same Process: once the sender holds every instance
// <= UpTo it may promise Ballot and vote. Marks are what the leader knows of the
// acceptors, by place; Of is as in Promise.
type Rejoined struct {
	Process uint64 `bound:"none"`
	Ballot  Ballot
	UpTo    Instance
	Marks   ByPlace[Mark]
	Of      ByPlace[NodeID] `since:"3"`
}

// Repair tells a leader that an instance which is chosen cannot be had anywhere.
type Repair struct{ Instance Instance }

// Leads says under which ballot the sender leads; a zero ballot takes that back. A standby
// that reaches no acceptor knows the leader by it.
type Leads struct{ Ballot Ballot }

// Chained tells another learner the chain of the sender's newest applied instance.
type Chained struct {
	Instance Instance
	Chain    Chain
}

func (*Chained) MessageKind() Kind      { return 53 }
func (*Prepare) MessageKind() Kind      { return 16 }
func (*Promise) MessageKind() Kind      { return 17 }
func (*Accept) MessageKind() Kind       { return 18 }
func (*Accepted) MessageKind() Kind     { return 19 }
func (*Relay) MessageKind() Kind        { return 20 }
func (*Reject) MessageKind() Kind       { return 21 }
func (*Heartbeat) MessageKind() Kind    { return 22 }
func (*HeartbeatAck) MessageKind() Kind { return 23 }
func (*Query) MessageKind() Kind        { return 24 }
func (*QueryReply) MessageKind() Kind   { return 25 }
func (*Poll) MessageKind() Kind         { return 26 }
func (*PollReply) MessageKind() Kind    { return 27 }
func (*Fetch) MessageKind() Kind        { return 28 }
func (*Page) MessageKind() Kind         { return 29 }
func (*Vouch) MessageKind() Kind        { return 30 }
func (*Vouched) MessageKind() Kind      { return 31 }
func (*Rejoin) MessageKind() Kind       { return 33 }
func (*Rejoined) MessageKind() Kind     { return 34 }
func (*Leads) MessageKind() Kind        { return 35 }
func (*Repair) MessageKind() Kind       { return 32 }

// Local messages.

// Synced says that the first Count outputs with Sync are durable.
type Synced struct{ Count uint64 }

// PeerUp says that messages can be sent to ID from now on; anything sent to it
// before may be lost.
type PeerUp struct {
	ID          NodeID
	Role        Role
	Incarnation uint64 // of an acceptor's data directory; 0 if it is not known
	// Principal is that of a client which has connected to this process, else "".
	Principal Principal
}

// PeerDown says that ID is not connected any more.
type PeerDown struct{ ID NodeID }

// Dropped says that something which was sent to ID, or by it, may be lost although ID is
// connected: the queue was full, or one of two connections has ended.
type Dropped struct{ ID NodeID }

// Twin says that ID, while it was connected, was dialled by another process under the id of this one, and
// has ended this one's connection for that one's: a copy of this data directory is alive somewhere.
type Twin struct{ ID NodeID }

// DiskRoom says what there is room for on the disk: Values as usual, and when that is used up
// Beyond, in bytes, for what is under way. Free is what is free on the volume.
type DiskRoom struct {
	Values Room
	Beyond uint64
	Free   uint64
}

// Late says that the next Tick comes much later than the machine asked for: the process
// was stopped, or did not get a processor. What happened meanwhile is not known, and what
// was sent meanwhile may not have been read yet. It is measured against the time that was
// asked for and never against the last Tick: a machine that asked for nothing is not late,
// however long it was left alone.
type Late struct{ By Ticks }

// Crowd says that more has come of a client than is stepped at a time, and waits: it does not wait for results
// before it sends on.
type Crowd struct{ Client NodeID }

// Stopping says that the process is about to end in good order.
type Stopping struct{}

func (*Late) MessageKind() Kind     { return Local }
func (*DiskRoom) MessageKind() Kind { return Local }
func (*Stopping) MessageKind() Kind { return Local }
func (*Crowd) MessageKind() Kind    { return Local }
func (*Loaded) MessageKind() Kind   { return Local }
func (*Synced) MessageKind() Kind   { return Local }
func (*PeerUp) MessageKind() Kind   { return Local }
func (*PeerDown) MessageKind() Kind { return Local }
func (*Dropped) MessageKind() Kind  { return Local }
func (*Twin) MessageKind() Kind     { return Local }

// Role is what a process is.
type Role byte

// The roles. Their values are part of the handshake.
const (
	RoleAcceptor Role = 1
	RoleProposer Role = 2
	RoleLearner  Role = 3
	RoleClient   Role = 4
)

// String is the role's name as the command line spells it.
func (r Role) String() string {
	switch r {
	case RoleAcceptor:
		return "acceptor"
	case RoleProposer:
		return "proposer"
	case RoleLearner:
		return "learner"
	case RoleClient:
		return "client"
	}
	return "unknown role"
}
