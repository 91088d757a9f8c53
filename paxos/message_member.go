package paxos

// Join says that the sender, an acceptor, is no member of the configuration, and would be one:
// it copies what was chosen. Addr is where it is dialled.
type Join struct {
	Addr string
	Held Instance
}

// Configured tells the newest configuration that the sender holds, as it is stored, to
// whoever may know an older one: it may have to begin anew (R5), and finds those who moved.
type Configured struct{ State Encoded }

// MemberOrder is what a leader is asked to do about the acceptors.
type MemberOrder byte

// The orders.
const (
	MemberList    MemberOrder = 0 // nothing: only to tell how they are
	MemberReplace MemberOrder = 1 // ID, which is dead, by With
	MemberAdd     MemberOrder = 2 // With
	MemberRemove  MemberOrder = 3 // ID, which lives
	MemberCancel  MemberOrder = 4 // the newest change, whose newcomer ID has not arrived; With, if not empty, comes in its place
)

// Member asks a leader to change the acceptors, proposers or learners, or, if Plan is set, whether
// it would. The sizes of the quorums are kept, or are majorities if they were and the number
// changes, unless they are given. Force does it although the log survives fewer losses meanwhile
// than now. Role is that of the process that comes, 0 if it is that of the one which leaves, or an
// acceptor; Addr is where that is dialled, unless it is an acceptor, which says so itself.
type Member struct {
	Nonce  uint64
	Order  MemberOrder
	ID     NodeID
	With   NodeID
	Phase1 int
	Phase2 int
	Plan   bool
	Force  bool
	Role   Role
	Addr   string
}

// Membered answers Member: at once if Plan was set or nothing is done, else when the change is
// in force. Why, if not empty, says why nothing is done. Else Before, During and After are how
// many acceptors may be lost, now, until the change is complete, and then.
type Membered struct {
	Nonce  uint64
	Why    string
	Epoch  uint64 // of the newest configuration
	From   Instance
	Phase1 int // of the newest configuration
	Phase2 int
	Before int
	During int
	After  int
	List   []MemberState
	// Version is that of who the proposers and learners are; 0: as the cluster files say.
	Version uint64
	// Coming is the acceptor that the newest configuration has and the one before has not, until it
	// has been heard to hold everything below the instance from which it is a member; else "".
	Coming NodeID
}

// MemberState is one process, as a leader sees it. Of a proposer it is known whether it is up, and
// of a learner nothing: learners have no connection to a leader.
type MemberState struct {
	ID          NodeID
	Addr        string
	Incarnation uint64 `bound:"none"`
	IsMember    bool
	Up          bool
	Votes       bool // it answers the leader's heartbeats
	Held        Instance
	Behind      uint64 // instances known to be chosen that it does not hold
	Gone        bool   // it was a member, and is none any more
	Role        Role
}

// Directory tells a client who the processes of the log are, and where they are dialled, as soon as
// that is another thing than the cluster files say. Of proposers and learners it says nothing while
// Version is 0. Whoever has one with a lower Epoch or Version takes it.
type Directory struct {
	Epoch   uint64
	Version uint64
	List    []Listed
}

// Has reports whether id is listed in that role.
func (d *Directory) Has(role Role, id NodeID) bool {
	for _, p := range d.List {
		if p.Role == role && p.ID == id {
			return true
		}
	}
	return false
}

// Listed is one process in a Directory.
type Listed struct {
	Role Role
	ID   NodeID
	Addr string
}

func (*Join) MessageKind() Kind       { return 60 }
func (*Configured) MessageKind() Kind { return 61 }
func (*Member) MessageKind() Kind     { return 110 }
func (*Membered) MessageKind() Kind   { return 111 }
func (*Directory) MessageKind() Kind  { return 112 }
