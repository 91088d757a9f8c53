package paxos

// Append carries commands of one session, as one run or one fence, to a
// proposer. A standby forwards it to the leader and fills in Client. Answered is a hint:
// the client has the results of all commands of the session below it.
type Append struct {
	Session SessionID
	First   uint64 // of the run; 0 for a fence
	Attempt uint64 // the client's number for this message; a refusal repeats it
	Client  NodeID // who sent it, if a standby passed it on
	Batch   []byte `codec:"-"`

	Answered uint64 `since:"3"`
	// Principal is that of Client, as the standby that passed it on knows it; empty if that asks no
	// client who it is.
	Principal Principal `since:"3"`
}

// RefuseReason says why a proposer dropped an Append.
type RefuseReason byte

// The reasons. RefuseNoLeader and RefuseBusy pass: try again later or elsewhere.
const (
	RefuseNoLeader  RefuseReason = 1 // no leader is known here, or it cannot be reached from here
	RefuseBusy      RefuseReason = 2 // the leader's queue is full
	RefuseMalformed RefuseReason = 3 // not one well-formed run within the limits
	RefuseRights    RefuseReason = 4 // whoever sent it may not; Detail says what it takes
	RefuseNoSpace   RefuseReason = 5 // too few disks have room for it; a proposer that does not know it takes it for one that passes
)

// Refused says that the Append of Session with that Attempt was dropped, never
// queued.
type Refused struct {
	Session SessionID
	First   uint64
	Attempt uint64
	Client  NodeID
	Reason  RefuseReason
	Detail  string
}

// Leader tells a client which proposer leads, as far as the sender knows. What the client
// sent to an earlier leader and is not answered should be sent again.
//
// A zero ballot says that none is known, or that what the sender passed on to a leader
// may be lost with their connection. What the client sent to the sender and is not
// answered should be sent again.
type Leader struct{ Ballot Ballot }

// Attach asks a learner for the results of Session from sequence number From on,
// those applied already included, for as long as the connection lasts. The zero
// session attaches nothing.
type Attach struct {
	Nonce   uint64
	Session SessionID
	From    uint64
}

// Attached answers Attach. Applied is where a new session's birth is.
type Attached struct {
	Nonce     uint64
	Session   SessionID
	Applied   Instance
	MaxEntry  int // bytes of one entry
	MaxBatch  int // bytes of one Append's batch
	LastIndex Index

	// Stamp goes into the id of a session that begins here, of whoever asked.
	Stamp Stamp `since:"3"`
}

// Detach says that the sender waits for no more results of Session.
type Detach struct{ Session SessionID }

// Detached says that the receiver is told no more results of Session over this
// connection: a later Attach of it came over another one, or more sessions are
// attached here than the learner keeps. A client that still waits attaches again.
type Detached struct{ Session SessionID }

// Withdraw says that nobody waits any more for the answer to the Locate, Read or
// Lookup of that Nonce.
type Withdraw struct{ Nonce uint64 }

// ResultKind says what became of commands.
type ResultKind byte

// The kinds.
const (
	ResultApplied ResultKind = 1 // entries Index .. Index+Count-1
	ResultGap     ResultKind = 2 // dropped: First is the command expected next
	ResultExpired ResultKind = 3 // dropped: the session expired; First is never applied
	ResultBelow   ResultKind = 5 // applied, below the index Index, from which on entries are kept
	// ResultForgotten: nothing is known of the session any more, and what it made may have
	// been trimmed; nothing from First on is applied from now on.
	ResultForgotten ResultKind = 6
	// ResultOfAncestor: the session is of a log that this one was restored from; nothing from
	// First on is applied here.
	ResultOfAncestor ResultKind = 7
	ResultFenced     ResultKind = 4 // the session is closed; nothing after First-1 is ever applied
)

// Result tells a client what became of commands First .. First+Count-1 of its session. A
// learner sends it in answer to Attach, and when commands are dropped; what has just been
// applied goes out as Results.
type Result struct {
	Session  SessionID
	Kind     ResultKind
	First    uint64
	Count    uint64
	Index    Index
	Instance Instance
	Origin   Ballot
	Time     UnixNanos
}

// Results tells a client which commands of its sessions were applied just now, out
// of one instance.
type Results struct {
	Instance Instance
	Origin   Ballot
	Time     UnixNanos
	Applied  []AppliedRun
}

// AppliedRun says that commands First .. First+Count-1 of a session are the entries
// Index .. Index+Count-1.
type AppliedRun struct {
	Session SessionID
	First   uint64
	Count   uint64
	Index   Index
}

// Add adds a run, to the last one if it continues that.
func (r *Results) Add(a AppliedRun) {
	if n := len(r.Applied); n > 0 {
		if last := &r.Applied[n-1]; last.Session == a.Session && last.First+last.Count == a.First && last.Index+Index(last.Count) == a.Index {
			last.Count += a.Count
			return
		}
	}
	r.Applied = append(r.Applied, a)
}

// Result is what r says of its run i.
func (r *Results) Result(i int) Result {
	a := &r.Applied[i]
	return Result{
		Session: a.Session, Kind: ResultApplied, First: a.First, Count: a.Count, Index: a.Index,
		Instance: r.Instance, Origin: r.Origin, Time: r.Time,
	}
}

// Locate asks where the log starts and ends, and optionally which index is the
// first with Time or later. Unless Stale, the answer covers every entry whose
// append was answered before the learner received this.
// Wait, if not 0, is for how long the client will listen, in ticks.
type Locate struct {
	Nonce uint64
	Stale bool
	Time  UnixNanos `bound:"3"`
	Wait  Ticks
}

// Located answers Locate. If Open is not 0 the end is not known: that instance
// cannot be finished now, for the reason in Detail.
type Located struct {
	Nonce  uint64
	First  Index
	Last   Index // 0 if the log is empty
	AtTime Index // the first index at or after Time; Last+1 if there is none
	Open   Instance
	Detail string
}

// Read asks for entries from index From on, up to UpTo if that is not 0. With
// Wait it is answered when there is one, else at once.
type Read struct {
	Nonce    uint64
	From     Index `bound:"3"`
	UpTo     Index `bound:"3"`
	MaxBytes int
	Wait     bool
}

// Copy asks a learner for the values chosen from an instance on, as a backup has them. Page
// answers it; if it has no value although Held is not below From, this connection has asked for
// one already, or many others have: it is to ask again.
type Copy struct {
	Nonce uint64
	From  Instance
}

// LogPage answers Read: consecutive entries, in records of which the first may
// begin before From and the last may end after UpTo. Last is the learner's last
// index, First the first that it keeps: if that is above From, what was asked for was
// trimmed. Without records although From is between them, this connection was sent much
// at once, and should ask again.
type LogPage struct {
	Nonce   uint64
	Records []LogRecord
	First   Index
	Last    Index
}

// Lookup asks for the index of one command.
type Lookup struct {
	Nonce   uint64
	Session SessionID
	Seq     uint64 `bound:"3"`
}

// Found answers Lookup. Index is 0 if the command is not in the log; it never
// will be if the session is Closed or Expired. Future says that the learner has
// not applied the instance at which the session claims to be born.
type Found struct {
	Nonce   uint64
	Index   Index
	Closed  bool
	Expired bool
	Future  bool

	// Below, if not 0, says that the command is in the log, below this index, from which on
	// entries are kept. Index is where it is, 0 if that is not known any more.
	Below Index `since:"3"`
	// Forgotten says that nothing is known of the session any more, and that its commands may
	// have been in what was trimmed.
	Forgotten bool `since:"3"`
	// OfAncestor says that the session is of a log that this one was restored from, Ancestor (zero
	// if that had no id), and that the command is not in what was restored.
	OfAncestor bool  `since:"3"`
	Ancestor   LogID `since:"3"`
}

// StatusQuery asks any process for its state. A later one of the same connection takes the place of
// one that is not looked at yet, which is then not answered.
type StatusQuery struct{ Nonce uint64 }

// StatusReply is the state of one process; fields of other roles are zero.
type StatusReply struct {
	Nonce    uint64
	Role     Role
	ID       NodeID
	Promised Ballot   // acceptor
	Highest  Instance // acceptor: highest instance accepted, and synced
	Held     Instance // acceptor
	Missing  uint64   // acceptor: chosen instances that it does not have
	Voting   bool     // acceptor: its peers vouched for it
	Forgot   bool     // acceptor: it has forgotten votes, and has to rejoin
	State    string   // proposer: standby, preparing, leading
	Ballot   Ballot   // proposer: its own, or the leader's it hears of
	Chosen   Instance // proposer: chosenUpTo; others: highest known to be chosen
	Quorum   bool     // proposer: leading, with fresh answers of a Phase 2 quorum
	Reason   string   // proposer: why it is not leading, or refuses appends; acceptor: why it does not vote; learner: why it serves nobody
	Applied  Instance // learner
	First    Index    // learner: first index kept, 0 if the log is empty
	Last     Index    // learner
	Open     Instance // learner: the instance that it waits for, 0 if none
	Sessions int      // learner

	// DiskHangs is for how long the acceptor's oldest sync, or the write of a learner, has
	// been under way, 0 if that is no longer than usual.
	DiskHangs Ticks `since:"3"`
	// Drained says that the process is about to be stopped, as somebody has told it.
	Drained bool `since:"3"`
	// Speaks is the newest version of the protocol that the process speaks; 0 is one that
	// does not say it.
	Speaks uint64 `since:"3"`
	// DiskBytes is what its data directory takes of its volume, and DiskFree what is free
	// there; 0 if that is not known. The driver fills them in.
	DiskBytes uint64 `since:"3"`
	DiskFree  uint64 `since:"3"`

	// Log is the log that the process knows to be of, zero if it knows none, and Level what
	// may be proposed in it.
	Log   LogID  `since:"3"`
	Level uint64 `since:"3"`

	// Program is the version of its program, Oldest and Speaks are the versions of the protocol
	// that it speaks, and Knows is the highest level that it knows.
	Program string `since:"3"`
	Oldest  uint64 `since:"3"`
	Knows   uint64 `since:"3"`
	// Format is that of its data directory, 0 if it has none or that is not known, and Converts
	// what that becomes once the log has a level. The driver fills them in.
	Format   uint64 `since:"3"`
	Converts uint64 `since:"3"`

	// Chain is, of a learner, that of Applied; zero if the log's level has none.
	Chain Chain `since:"3"`

	// TLS is on which connections the process uses TLS, "" for none: accept or require. Plain
	// are the processes that it has a connection to without, the first MaxAcceptors of them, and
	// PlainClients how many clients have one. Ends is when its certificate does, in seconds since
	// 1970, 0 if it has none. The driver fills them in.
	TLS          string   `since:"3"`
	Plain        []NodeID `since:"3"`
	PlainClients int      `since:"3"`
	Ends         uint64   `since:"3"`
	// DiskRoom is what an acceptor or a learner has room for.
	DiskRoom Room `since:"3"`

	// Clock is what the process's clock shows, 0 if that is not known; the driver fills it in. LogTime is,
	// of a learner, the time of the entry that it applied last.
	Clock   UnixNanos `since:"3"`
	LogTime UnixNanos `since:"3"`
}

func (*Append) MessageKind() Kind      { return 64 }
func (*Refused) MessageKind() Kind     { return 65 }
func (*Leader) MessageKind() Kind      { return 66 }
func (*Attach) MessageKind() Kind      { return 67 }
func (*Attached) MessageKind() Kind    { return 68 }
func (*Detach) MessageKind() Kind      { return 79 }
func (*Detached) MessageKind() Kind    { return 80 }
func (*Withdraw) MessageKind() Kind    { return 81 }
func (*Result) MessageKind() Kind      { return 69 }
func (*Results) MessageKind() Kind     { return 78 }
func (*Locate) MessageKind() Kind      { return 70 }
func (*Located) MessageKind() Kind     { return 71 }
func (*Read) MessageKind() Kind        { return 72 }
func (*Copy) MessageKind() Kind        { return 103 }
func (*LogPage) MessageKind() Kind     { return 73 }
func (*Lookup) MessageKind() Kind      { return 74 }
func (*Found) MessageKind() Kind       { return 75 }
func (*StatusQuery) MessageKind() Kind { return 76 }
func (*StatusReply) MessageKind() Kind { return 77 }
