package paxos

import "strings"

// Named tells a proposer that the leader of Ballot has named it its successor in its last
// heartbeat: the sender lets its Prepare through at once.
type Named struct{ Ballot Ballot }

// Able asks a proposer, of a leader that wants to hand over, whether it could lead a log of that
// level.
type Able struct {
	Nonce uint64
	Level uint64
}

// AbleReply answers Able. Reach is how many acceptors answer the sender. Why, if not
// empty, says why it cannot lead.
type AbleReply struct {
	Nonce uint64
	Reach int
	Why   string
}

// Transfer asks a leader to hand over to the proposer To, or, if that is empty, to the one
// that reaches most acceptors.
type Transfer struct {
	Nonce uint64
	To    NodeID
}

// Transferred answers Transfer. Why, if not empty, says why the sender has not handed over.
// Else To leads under Ballot, and for Waited no append was proposed, in milliseconds.
type Transferred struct {
	Nonce  uint64
	To     NodeID
	Ballot Ballot
	Waited Ticks
	Why    string
}

// Drain prepares a process for being stopped: a proposer does not lead, and a learner sends
// its clients to another one, until it is undone or the process ends.
type Drain struct {
	Nonce uint64
	Undo  bool
}

// Drained answers Drain. Why, if not empty, says why the process could not do it.
type Drained struct {
	Nonce   uint64
	Drained bool
	Why     string
}

// Elsewhere tells a client whether the sender is drained: then the client should use
// another learner, if it reaches one.
type Elsewhere struct{ Drained bool }

// Decide carries a control command that a learner wants chosen, as a value has it, to an
// acceptor, which passes it on to the leader that it hears. The leader proposes it if it is
// the one that comes next. Nobody answers: whoever sent it sees it chosen, or sends it again.
type Decide struct {
	Batch []byte `codec:"-"`
}

// Order asks a leader to trim: entries below Trim are kept no more.
type Order struct {
	Nonce uint64
	Trim  Index
}

// Ordered answers Order. Why, if not empty, says why nothing was done. Else the first index
// that is kept was Before and is After. If that is below what was asked for, it is held back by
// the newest checkpoint, at the index Checkpoint, or by Holds, which are those below what was
// asked for.
type Ordered struct {
	Nonce      uint64
	Before     Index
	After      Index
	Checkpoint Index
	Holds      []Hold
	Why        string
}

// Raise asks a leader to raise the level of the log, once all acceptors show that they know
// it. Whoever asks has made sure that all other processes do.
type Raise struct {
	Nonce uint64
	Level uint64
}

// Raised answers Raise. Why, if not empty, says why nothing was done. Else the level was
// Before and is After, in force above the instance At of a command of log Log.
type Raised struct {
	Nonce  uint64
	Before uint64
	After  uint64
	At     Instance
	Log    LogID
	Why    string
}

func (*Raise) MessageKind() Kind  { return 104 }
func (*Raised) MessageKind() Kind { return 105 }

// Settle asks a leader how much of the log is kept, and, with Set, to have the log keep entries
// for Age, values of Bytes, and Entries from now on; 0 limits nothing.
type Settle struct {
	Nonce   uint64
	Set     bool
	Age     Ticks
	Bytes   uint64
	Entries uint64
}

// Retain asks a leader to have no entry from At on trimmed, for the hold Name, or, if At is 0, to
// release that hold. It is answered by Settled.
type Retain struct {
	Nonce uint64
	Name  string
	At    Index
}

// Hold is a named position in a log: while it is there, no entry from At on is trimmed. Time is when
// it was set, or moved last, by the clock of the leader that was asked to.
type Hold struct {
	Name string
	At   Index
	Time UnixNanos
}

// Settled answers Settle and Retain. Why, if not empty, says why nothing was done. Else it says
// what the log keeps by its own decision, the first index that it keeps, and the newest checkpoint:
// its index, the time of the log there, and the bytes of the values kept up to there. Holds are all
// of them, sorted by name.
type Settled struct {
	Nonce      uint64
	Age        Ticks
	Bytes      uint64
	Entries    uint64
	First      Index
	Checkpoint Index
	At         UnixNanos
	Kept       uint64
	Holds      []Hold
	Why        string
}

func (*Settle) MessageKind() Kind      { return 106 }
func (*Settled) MessageKind() Kind     { return 107 }
func (*Retain) MessageKind() Kind      { return 108 }
func (*Order) MessageKind() Kind       { return 101 }
func (*Ordered) MessageKind() Kind     { return 102 }
func (*Decide) MessageKind() Kind      { return 51 }
func (*Named) MessageKind() Kind       { return 48 }
func (*Able) MessageKind() Kind        { return 49 }
func (*AbleReply) MessageKind() Kind   { return 50 }
func (*Transfer) MessageKind() Kind    { return 96 }
func (*Transferred) MessageKind() Kind { return 97 }
func (*Drain) MessageKind() Kind       { return 98 }
func (*Drained) MessageKind() Kind     { return 99 }
func (*Elsewhere) MessageKind() Kind   { return 100 }

// Permit asks a leader to grant rights to a principal, or to take them from it, or, with
// neither, to tell who has which. What it names twice it takes.
type Permit struct {
	Nonce  uint64
	Name   Principal
	Grant  Rights
	Revoke Rights
}

// Permitted answers Permit. Why, if not empty, says why nothing was done. List is what each
// principal has by a grant, sorted, and of Anonymous what everybody has.
type Permitted struct {
	Nonce uint64
	List  []Permission
	Why   string
}

// Permission says which rights a principal has.
type Permission struct {
	Name   Principal
	Rights Rights
}

// SettingKey is what a Setting is about. Its values are part of the stored format.
type SettingKey byte

// The keys. What a quota counts is of one principal.
const (
	SettingSessions  SettingKey = 1 // sessions that learners remember, of all principals together
	QuotaSessions    SettingKey = 2 // of these
	QuotaBytes       SettingKey = 3 // of appends that a leader has and are not chosen yet
	QuotaConnections SettingKey = 4 // to each process
)

// settingNames are as the command line spells them.
var settingNames = [...]string{SettingSessions: "sessions", QuotaSessions: "quota.sessions", QuotaBytes: "quota.bytes", QuotaConnections: "quota.connections"}

// MaxSessions bounds the sessions that learners remember.
const MaxSessions = 1 << 24

// Setting is a number that a log decides. Name is the principal whose quota it is, or "" for each that a
// certificate names and that has none of its own. Anonymous, who is everybody, has one by that name only.
// A quota of 0 bounds nothing.
type Setting struct {
	Key   SettingKey
	Name  Principal
	Value uint64
}

// IsValid reports whether a log may have s.
func (s Setting) IsValid() bool {
	switch s.Key {
	case SettingSessions:
		return s.Name == "" && s.Value >= 1 && s.Value <= MaxSessions
	case QuotaSessions, QuotaBytes, QuotaConnections:
		return (s.Name == "" || s.Name.IsValid()) && s.Value < Bound
	}
	return false
}

// KeyText is what s is about: "sessions", "quota.bytes", "quota.bytes.NAME".
func (s Setting) KeyText() string {
	switch {
	case s.Key == 0 || int(s.Key) >= len(settingNames):
		return "unknown"
	case s.Name == "":
		return settingNames[s.Key]
	}
	return settingNames[s.Key] + "." + string(s.Name)
}

// ParseSettingKey reads what KeyText writes, and reports whether it is that.
func ParseSettingKey(text string) (s Setting, ok bool) {
	for key, name := range settingNames {
		of, is := strings.CutPrefix(text, name)
		who, names := strings.CutPrefix(of, ".")
		switch s = (Setting{Key: SettingKey(key), Name: Principal(who)}); {
		case key == 0 || !is:
		case of == "", names && s.Key != SettingSessions && s.Name.IsValid():
			return s, true
		}
	}
	return Setting{}, false
}

// Adjust asks a leader, with Set, to have the log decide so from now on, or with Unset that nothing is
// decided there any more; and with neither to tell what is. Of what is unset the value is 0.
type Adjust struct {
	Nonce   uint64
	Set     bool
	Unset   bool
	Setting Setting
}

// Adjusted answers Adjust. Why, if not empty, says why nothing was done. Sessions is how many are
// remembered, by a setting or since the log began; List is what was decided, sorted by key and name.
type Adjusted struct {
	Nonce    uint64
	Sessions uint64
	List     []Setting
	Why      string
}

func (*Adjust) MessageKind() Kind   { return 124 }
func (*Adjusted) MessageKind() Kind { return 125 }

// Unsettled answers what a leader was asked for by that nonce, and has proposed or was about to, when it
// ceases to lead: nobody knows whether that is chosen. Who wants to know looks how things are.
type Unsettled struct {
	Nonce uint64
	Why   string
}

// NotPermitted answers what a client may not send, by its nonce or its session. An append is
// answered by Refused.
type NotPermitted struct {
	Nonce   uint64
	Session SessionID
	Why     string // who the client is, which right it needs, and how it gets it
}

func (*Permit) MessageKind() Kind       { return 120 }
func (*Permitted) MessageKind() Kind    { return 121 }
func (*NotPermitted) MessageKind() Kind { return 122 }
func (*Unsettled) MessageKind() Kind    { return 123 }
