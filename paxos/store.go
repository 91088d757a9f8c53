package paxos

// Record is one change of durable state. Package wal defines how each is kept.
type Record interface{ record() }

// SetPromised raises an acceptor's promised ballot.
type SetPromised struct{ Ballot Ballot }

// PutVote stores an accepted proposal, or a chosen value that was copied in,
// replacing what was at its instance.
type PutVote struct{ Vote Vote }

// SetHeld raises held. Never waited for: what is lost of it is knowledge that is found
// again.
type SetHeld struct{ Held Instance }

// SetMark counts an acceptor's commits; it is in each commit that is waited for.
type SetMark struct {
	Commits uint64
	Life    Ballot
	Forgot  bool // it has to rejoin
}

// SetPeer remembers an acceptor.
type SetPeer struct {
	ID   NodeID
	Peer Peer
}

// LogRecord is what a learner keeps of one instance. Entries First ..
// First+Count-1 came from it; Count is 0 for a no-op, a fence, or a batch of
// which every command was dropped.
type LogRecord struct {
	Instance Instance
	First    Index // the next index, if Count is 0
	Count    uint64
	Origin   Ballot    // ballot that first carried the value
	Time     UnixNanos // log time, monotone over the log
	Log      []byte    `codec:"-"` // the runs that were applied
}

// SetControl stores what the log has decided about itself: of an acceptor, up to held, of a
// learner, up to its applied instance. It is in the commit that moves that mark.
type SetControl struct{ State Encoded }

// PutApplied is the effect of applying one instance at a learner: the log
// record, the exact value chosen (for others to copy), the chain up to it, and
// where each run's entries are.
type PutApplied struct {
	Record LogRecord
	Value  Value
	Chain  Chain // zero where the log's level has none
}

// SessionState is what a learner remembers of a session.
type SessionState struct {
	ID     SessionID
	Last   uint64 // last sequence number applied
	Used   uint64 // logical time of its last command in the log; orders expiry
	Closed bool   // fenced: no further command is ever applied
}

// PutSessions stores sessions; DropSession forgets one.
type PutSessions struct{ States []SessionState }

// DropSession forgets an expired session.
type DropSession struct{ ID SessionID }

// LearnerState is the rest of what a learner keeps, written with every commit.
type LearnerState struct {
	Applied Instance  // every instance <= Applied has been applied
	Next    Index     // index of the next entry
	Time    UnixNanos // log time of the last value
	Floor   Instance  // unknown sessions born below it have expired; those of an owner, below its floor, too
	Uses    uint64    // session commands applied; source of SessionState.Used
	// What is below was trimmed: 1 and 1 if nothing was.
	FirstIndex    Index
	FirstInstance Instance // at most Applied+1
	Bytes         uint64   // of the values applied, since the log counts them
	// Chain is that of Applied, and Below that of the instance before FirstInstance: what was
	// trimmed leaves it. Zero where the log's level has none.
	Chain Chain
	Below Chain
}

// SetLearner stores the learner's state.
type SetLearner struct{ State LearnerState }

// Floors are the floors of owners, as a learner encodes them: "" if there are none.
type Floors string

// SetFloors stores them.
type SetFloors struct{ Floors Floors }

// SetWrong stores why a learner may serve nobody any more.
type SetWrong struct{ Why string }

// Trimmed says that nothing below Instance is needed any more, nor, at a learner, the place of
// an index below Index: what is there is deleted, and the space comes back some time later.
// The commit that has it makes known what stands in its place (SetControl), or a later one.
type Trimmed struct {
	Instance Instance
	Index    Index
}

// Install makes a learner's directory one that has just this state, and nothing of what
// came before its applied instance.
type Install struct {
	State    LearnerState
	Sessions []SessionState
	Floors   Floors
	Control  Encoded
}

func (SetFloors) record()   {}
func (SetWrong) record()    {}
func (Trimmed) record()     {}
func (Install) record()     {}
func (SetPromised) record() {}
func (PutVote) record()     {}
func (SetHeld) record()     {}
func (SetMark) record()     {}
func (SetPeer) record()     {}
func (PutApplied) record()  {}
func (SetControl) record()  {}
func (PutSessions) record() {}
func (DropSession) record() {}
func (SetLearner) record()  {}

// LoadKind says what a Load reads.
type LoadKind byte

// The kinds of loads, and who may ask for them.
const (
	LoadVotes LoadKind = iota + 1 // acceptor, learner: votes or chosen values in [From, To]
	LoadLog                       // learner: log records from index Index on, to UpTo
	LoadTime                      // learner: the first index whose time is >= Time
	LoadRuns                      // learner: where commands Seq .. UpToSeq of Session are
)

// Load asks for a range of the store. Exactly one Loaded with the same Tag
// answers it.
type Load struct {
	Kind     LoadKind
	Tag      uint64
	From, To Instance // LoadRuns: none that is below From
	Index    Index
	UpTo     Index // LoadLog: nothing above it
	Time     UnixNanos
	Session  SessionID
	Seq      uint64
	UpToSeq  uint64
	// MaxBytes bounds the result by bytes of values; one item is always
	// admitted. Of runs at most MaxRuns are returned, and 4096 if that is 0 or more.
	MaxBytes int
	MaxRuns  int
}

// RunAt says that Count commands of a session from First on are entries from
// Index on, out of the given instance.
type RunAt struct {
	First, Count uint64
	Index        Index
	Instance     Instance
	Origin       Ballot
	Time         UnixNanos
}

// Loaded is the result of a Load; a local message.
type Loaded struct {
	Load  Load
	Votes []Vote // LoadVotes, ascending
	// Chains are, of a learner, those of the Votes; zero where a record has none.
	Chains []Chain
	Log    []LogRecord // LoadLog, ascending, only records with entries
	Index  Index       // LoadTime; 0 if there is none
	Runs   []RunAt     // LoadRuns, ascending
	More   bool        // the bound was reached before the end of the range
}
