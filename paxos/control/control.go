// Package control holds what a log decides about itself: commands that are chosen like
// entries, and the state that follows from them. Its types are values; it does no I/O.
//
// # Control values
//
// A value is a batch of appends and fences, or exactly one control command. Which of the
// two is told by its first byte. A control value takes an instance and no index: entries
// are numbered as if it were not there.
//
// A control value is the byte of paxos.RunControl, the length of the command, and the
// command: its kind, and its fields. Numbers are the shortest uvarints, lists are sorted,
// nothing follows. So a command has one encoding, and Parse refuses any other.
//
// # State
//
// State is a function of what was chosen up to an instance, so everybody who knows that
// much has the same. A learner has it as of its applied instance, an acceptor as of held,
// and each writes it in the commit that moves that mark. A leader begins with the state
// that the Promise with the highest held shows, and goes on from what it sees chosen.
//
// A state says at which instance it changed last (At). A command at or below that changes it
// no more: whoever is given the state of somebody who is further may go through the
// instances in between, and has the right state at each of them that it can be asked for.
//
// # Checkpoints
//
// A checkpoint is the state of learners after an instance T, in the log itself. So it is as
// durable as entries are. A leader proposes Mark at T. Each learner that applies T encodes
// its state then. One of them sends it in Chunks, and a Close with its SHA-256; another one
// compares what is in the log with its own, byte for byte, and sends Confirm.
//
// D3: a checkpoint is complete when it is closed and a second learner has confirmed it. Only
// complete ones count. Example: l1's memory has flipped a bit of a session. It closes first.
// If that were complete, and what lies below T deleted, nobody could tell any more that l1
// is wrong, and every learner that begins from the checkpoint would be wrong, too. Where
// there is one learner only, it computes the state again, from the values chosen since the
// checkpoint before, and confirms if that is the same.
//
// Who sends is not agreed on: chunks count only where the ones before end, so the same bytes
// sent twice do no harm, and other bytes are noticed by whoever has to confirm.
//
// # Trim
//
// R9: nothing at or below T is deleted anywhere before the checkpoint of T is complete, chosen,
// and held by a Phase 2 quorum. Trim raises the first index that is kept, never above that of
// the newest complete checkpoint, and the log is deleted up to the newest complete checkpoint
// (Base) that is not above it. Whoever applies Trim at i has passed every instance below i.
// Each of those is chosen, so a Phase 2 quorum has it on disk: also the chunks of Base and
// what made it complete, which stand above Base.T, and are not deleted with it. They are
// deleted when a later checkpoint is the Base, by the same argument.
//
// That quorum is one of the configuration in force at each part of the checkpoint. If the
// acceptors change above it, it is no less safe there than any entry is: a change is proposed only
// when such a quorum, without a member that is replaced, holds all below (R7b), and the next one
// only when a quorum of the new configuration does (R8). So a trim need not wait until newcomers
// have copied the log, which it makes shorter.
//
// It depends on what was chosen alone: not on a clock, and not on what one process has. So all
// learners have the same first index after the same instance.
//
// # Holds
//
// A hold is a name and an index, for somebody who has yet to read what comes from there on, as an
// archive: the first index is never raised above the lowest hold. What orders trims and holds is
// the log: a hold that is chosen below a trim keeps it back, and of one that is chosen above it,
// and names what that has deleted, nothing is left to hold. Such a SetHold changes nothing, so who
// set it is told that it was too late, and does not believe that it holds something. It follows
// that no hold is below the first index, at any instance. Example of what that prevents: an
// archive has read up to 100, and sets its hold to 101. A leader that was deposed has got a trim
// to 200 chosen before. If both counted, the archive would miss 101 to 199 without a word.
//
// A hold does not end by itself: whether somebody will still read, no clock can tell. Its time is
// when it was set, or moved last, so that people see one that was forgotten.
//
// # Retention
//
// A log may say how much of it is kept (SetRetention). The leader sees to it: it asks for
// checkpoints often enough and proposes Trim, for which it needs nothing but State and its clock
// (Beyond). That nothing is trimmed which may be kept does not rest on what one learner reports.
//
// # Settings
//
// How many sessions are remembered, and how much one principal may have, stand in the log (Adjust),
// for two reasons. What learners remember must be the same at all of them after the same instance, so
// no file can say it: with two files it would change at two moments, and one learner would take a repeat for new that
// another one knows. And who may have how much belongs to who may do what: it counts at every
// process, also at one that is added later.
//
// A quota is of a principal: of one by its name, or of each that a certificate names. What Anonymous may have
// is said by that name only. It is everybody without a certificate, operators among them, whom a quota that was
// meant for somebody else must not lock out.
//
// # Levels
//
// A log has a level: what may be proposed in it. Level 0 is a log without Genesis, as
// earlier releases write it. Genesis begins a log at a level, or raises one of level 0; Raise
// raises any other. A level is in force for every instance above the one of the command that
// sets it. A level never falls.
//
// R10: nobody proposes or writes what the level in force does not allow, and who meets a
// command that it does not know stops before it. An acceptor does not vote for it, and does
// not hold it. A learner does not apply it. Nobody skips one. (Of a kind of runs that it does
// not know an acceptor holds what was chosen: nothing that it keeps follows from that.) Example: a learner skips a
// command that raises the limit of sessions. From then on it expires a session that the
// others keep, and gives the same entry another index than they do.
//
// A leader proposes what needs a level only once it knows the command that sets it to be
// chosen. Example of one that does not wait: it proposes Raise at 7 and a command of the new
// level at 8, and only 8 reaches a quorum before it ends. The next leader fills 7 with a
// no-op. So the log has a command that its level does not allow. Where that happens in spite of
// all, by a bug, those who know the command let it change nothing, and others stop.
//
// The command that raises the level needs the level that it sets: who does not know that level
// stops there, and not at some later command that it happens to use.
//
// Who raises the level must know that all processes are able, which no machine can: nobody
// asks learners but clients. So a client asks them all, and the leader those that it needs,
// the acceptors (package proposer). A process that is exchanged for an older one in between
// stops, with a sentence. Nothing is lost.
//
// # Adding something under a new level
//
// A level that a release has had stays as it is. What is new goes under the next one:
//
//  1. A line in levels (level.go): it raises Level, and `paxlog upgrade` prints it.
//  2. A command: a struct with the methods kind and appendTo, a case in Parse, one in Needs with
//     its level, and one in Apply. Apply reaches that case only where the level allows it. What
//     a command says never gets another form: a command with more fields is of a new kind.
//     Genesis alone has fields by its own Level.
//  3. Its fields in State, in sameAs, and at the end of Encode and Decode behind
//     `if s.Level >= N`. So a state of a lower level has the bytes that it had, which learners
//     compare with each other and with those of older ones. What a field begins with, in a log that
//     is raised, is set in raised; Genesis calls it, too.
//  4. Where a machine proposes it: behind `p.control.Level >= N`, which is the level that the
//     leader knows to be chosen.
//  5. What stands outside of control values, as a kind of runs or the encoding of a checkpoint,
//     asks State.Level of the instance before in the same way.
//
// The simulator mixes processes that know Level, Level+1 and 0, and checks the rest.
package control

import (
	"errors"
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/rights"
)

// LevelMembers has Alpha and Change: acceptors change while the log runs.
const LevelMembers = 5

// LevelRoster has SetRoster: proposers and learners come, leave and move while the log runs.
const LevelRoster = 7

// ErrUnknown is returned for a command or a state that this code does not know.
var ErrUnknown = errors.New("a control command that this version does not know")

// Command is one control command. The set is closed.
type Command interface {
	kind() byte
	appendTo(b []byte) []byte
}

// Genesis begins a log: it is the first thing that is chosen in it, or, in a log that an
// earlier release began, what raises it to a level. A second one changes nothing.
type Genesis struct {
	Log      paxos.LogID
	Level    uint64
	Time     paxos.UnixNanos
	Sessions uint64 // remembered by learners
	Config   Configuration
	Descent  Descent // since ancestorsLevel
}

// Configuration is who accepts.
type Configuration = configuration.Configuration

// Acceptor is one member of a Configuration.
type Acceptor = configuration.Acceptor

// State is what a log has decided about itself up to an instance. The zero State is that
// of a log of level 0.
type State struct {
	Level    uint64
	Log      paxos.LogID
	Since    paxos.Instance // of Genesis
	Begun    paxos.UnixNanos
	Sessions uint64
	Config   Configuration // of Genesis
	Members  configuration.History
	Roster   configuration.Roster // from LevelRoster on
	At       paxos.Instance       // of the latest command that changed the state
	Under    Underway             // the checkpoint that is being made
	Complete []Checkpoint         // complete ones, ascending, not all of them
	// What is below the index FirstIndex was trimmed, and at or below the instance Base.T
	// deleted: the checkpoint Base stands in its place, and is in Complete. If Base.T is 0
	// nothing was deleted.
	FirstIndex paxos.Index
	Base       Checkpoint
	Descent    Descent // since ancestorsLevel

	Retention Retention // from LevelRetention on
	Holds     Holds     // from LevelHolds on

	// Who may do what, from LevelRights on, and may have how much, from LevelSettings on; and the instance at
	// which one of these changed last.
	Grants    rights.Grants
	Settings  Settings
	GrantedAt paxos.Instance
}

// Apply returns the state after the control value at instance i, of which the state before
// it is s. Its error wraps ErrUnknown if that value has a command that the caller, who
// knows levels up to knows, must not pass. It depends on s, i and batch alone.
func (s State) Apply(i paxos.Instance, batch []byte, knows uint64) (State, error) {
	c, err := Parse(batch)
	if err != nil {
		return s, err
	}
	if need := Needs(c); need > knows {
		return s, fmt.Errorf("%w: it needs level %d, and this process knows level %d", ErrUnknown, need, knows)
	}
	if g, ok := c.(Genesis); ok {
		if s.Level == 0 {
			s = State{Log: g.Log, Since: i, Begun: g.Time, Sessions: g.Sessions, Config: g.Config, Members: configuration.Begin(g.Config), At: i,
				FirstIndex: max(1, g.Descent.First), Descent: g.Descent}.raised(g.Level)
		}
		return s, nil
	}
	if s.Level == 0 || i <= s.At {
		return s, nil
	}
	before := s
	if r, ok := c.(Raise); ok {
		s = s.raised(r.Level)
	} else if Needs(c) <= s.Level {
		s = s.apply(i, c)
	}
	if !s.sameAs(&before) {
		s.At = i
	}
	return s, nil
}

// apply applies a command that the level in force allows.
func (s State) apply(i paxos.Instance, c Command) State {
	switch c := c.(type) {
	case Mark:
		s.Under = Underway{T: i, Learners: c.Learners}
	case Chunk:
		s.Under = s.Under.chunk(i, c)
	case Close:
		s.Under = s.Under.close(i, c)
	case Confirm:
		if s.Under.confirms(c) {
			s = s.complete(s.Under.Closed)
		}
	case Trim:
		s = s.trim(c)
	case SetRetention:
		s.Retention = c.Retention
	case Alpha, Change:
		s = s.change(i, c)
	case SetGrant:
		s = s.grant(i, c)
	case SetRoster:
		s = s.enrol(c)
	case SetHold:
		s = s.hold(c)
	case Adjust:
		s = s.adjust(i, c)
	}
	return s
}

// sameAs reports whether a command has changed nothing.
func (s *State) sameAs(o *State) bool {
	return s.Level == o.Level && s.Under.T == o.Under.T && s.Under.Offset == o.Under.Offset && s.Under.By == o.Under.By && len(s.Complete) == len(o.Complete) &&
		s.FirstIndex == o.FirstIndex && s.Base.T == o.Base.T && s.Retention == o.Retention && s.Members.Alpha == o.Members.Alpha && s.Members.At == o.Members.At &&
		s.GrantedAt == o.GrantedAt && s.Roster.Version == o.Roster.Version && slices.Equal(s.Holds, o.Holds)
}

// Known returns nil if a process that knows levels up to knows may vote for a control
// value, else an error that wraps ErrUnknown.
func Known(batch []byte, knows uint64) error {
	_, err := State{}.Apply(1, batch, knows)
	return err
}

// Needs is the level that a process must know to take a command.
func Needs(c Command) uint64 {
	switch c := c.(type) {
	case Genesis:
		return c.Level
	case Raise:
		return c.Level
	case SetRetention:
		return LevelRetention
	case Close:
		if c.Bytes > 0 {
			return LevelRetention
		}
		if !c.Chain.IsZero() {
			return ChainLevel
		}
	case Alpha, Change:
		return LevelMembers
	case SetGrant:
		return LevelRights
	case SetRoster:
		return LevelRoster
	case SetHold:
		return LevelHolds
	case Adjust:
		return LevelSettings
	}
	return 1
}
