package learner

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// What the encoding of a state begins with: whether it has a chain. It has one where the
// level of the log there does, so that all who know a level have one form of it.
const (
	stateVersion   = 1
	chainedVersion = 2
)

func stateVersionOf(level uint64) byte {
	if level >= control.ChainLevel {
		return chainedVersion
	}
	return stateVersion
}

// encodeState is the state of a learner after its applied instance, in its one form: the
// same at every learner that has applied as much. It has all that decides what later values
// do, and nothing that learners may differ in, as what they have trimmed.
//
//	version:1 applied next time:8 floor uses [chain:32] control [bytes] sessions {id:20 last used flags:1 [id:12]} [floors]
//
// Numbers are the shortest uvarints, control is preceded by its length, and sessions, in the
// order of their last use, by their count. There are bytes from control.LevelRetention on, and ids of 32 bytes, and the floors
// of owners behind their length, from control.LevelRights on.
func (l *Learner) encodeState() []byte {
	st := &l.state
	b := make([]byte, 0, 256+len(l.control.encoded)+l.sessions.len()*40)
	b = append(b, stateVersionOf(l.control.state.Level))
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(st.Applied)), uint64(st.Next))
	b = binary.BigEndian.AppendUint64(b, uint64(st.Time))
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(st.Floor)), st.Uses)
	if b[0] == chainedVersion {
		b = append(b, st.Chain[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(l.control.encoded)))
	b = append(b, l.control.encoded...)
	if l.control.state.Level >= control.LevelRetention {
		b = binary.AppendUvarint(b, st.Bytes)
	}
	b = binary.AppendUvarint(b, uint64(l.sessions.len()))
	for r := l.sessions.used.oldest; r != 0; r = l.sessions.links.after(r) {
		s := l.sessions.all.at(r)
		b = appendSession(b, &s.SessionState)
	}
	if l.control.state.Level >= control.LevelRights {
		floors := l.sessions.floors.encode()
		b = append(binary.AppendUvarint(b, uint64(len(floors))), floors...)
	}
	return b
}

// The flags of a session: that it is closed; and that its id has an owner, and so 12 more bytes,
// which follow.
const (
	flagClosed = 1
	flagOwned  = 2
	shortID    = 20
)

func appendSession(b []byte, s *paxos.SessionState) []byte {
	b = append(b, s.ID[:shortID]...)
	b = binary.AppendUvarint(binary.AppendUvarint(b, s.Last), s.Used)
	flags := byte(0)
	if s.Closed {
		flags |= flagClosed
	}
	if !s.ID.IsOwned() {
		return append(b, flags)
	}
	return append(append(b, flags|flagOwned), s.ID[shortID:]...)
}

func readSession(d *paxos.Canonical) (s paxos.SessionState) {
	id := d.Take(shortID)
	s.Last, s.Used = d.Number(), d.Number()
	flags := d.Take(1)
	if d.Bad {
		return s
	}
	s.Closed = flags[0]&flagClosed != 0
	if flags[0]&flagOwned != 0 {
		id = append(id, d.Take(uint64(len(s.ID)-shortID))...) // id is not aliased: it has no room
	}
	d.Bad = d.Bad || flags[0]&^(flagClosed|flagOwned) != 0 || s.ID.UnmarshalBinary(id) != nil
	return s
}

var errState = errors.New("a learner's state in another form than this version writes")

// decodeState returns the state that encodeState made b of, for who knows levels up to knows.
// Nothing below it is kept.
func decodeState(b []byte, knows uint64) (State, error) {
	d := paxos.Canonical{Rest: b}
	var st State
	version := d.Take(1)
	st.Applied, st.Next, st.Time = paxos.Instance(d.Number()), paxos.Index(d.Number()), paxos.UnixNanos(d.Fixed())
	st.Floor, st.Uses = paxos.Instance(d.Number()), d.Number()
	st.FirstIndex, st.FirstInstance = st.Next, st.Applied+1
	if !d.Bad && version[0] == chainedVersion {
		copy(st.Chain[:], d.Take(uint64(len(st.Chain))))
		st.Below = st.Chain
	}
	st.Control = paxos.Encoded(d.Take(d.Number()))
	decided, err := control.Decode(st.Control, knows)
	if err != nil {
		return State{}, err
	}
	if decided.Level >= control.LevelRetention {
		st.Bytes = d.Number()
	}
	n := d.Number()
	if d.Bad || version[0] != stateVersion && version[0] != chainedVersion || st.Applied == 0 || st.Next == 0 || n > uint64(len(d.Rest)) {
		return State{}, errState
	}
	last, ids := uint64(0), make(map[paxos.SessionID]bool, n)
	for range n {
		s := readSession(&d)
		if d.Bad || s.Used <= last || s.Used > st.Uses || ids[s.ID] || s.ID.IsOwned() && decided.Level < control.LevelRights {
			return State{}, errState
		}
		ids[s.ID], last = true, s.Used
		st.Sessions = append(st.Sessions, s)
	}
	if decided.Level >= control.LevelRights {
		st.Floors = paxos.Floors(d.Take(d.Number()))
		if f, ok := readFloors(st.Floors); !ok || slices.ContainsFunc(slices.Collect(maps.Values(f.of)), func(x paxos.Instance) bool { return x <= st.Floor }) {
			return State{}, errState
		}
	}
	if d.Bad || len(d.Rest) > 0 {
		return State{}, errState
	}
	if version[0] != stateVersionOf(decided.Level) || (version[0] == chainedVersion) == st.Chain.IsZero() {
		return State{}, errState
	}
	return st, nil
}
