package learner

import (
	"encoding/binary"
	"errors"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// stateVersion begins the encoding of a state: what comes later may need another form.
const stateVersion = 1

// encodeState is the state of a learner after its applied instance, in its one form: the
// same at every learner that has applied as much. It has all that decides what later values
// do, and nothing that learners may differ in, as what they have trimmed.
//
//	version:1 applied next time:8 floor uses control sessions {id:20 last used closed:1}
//
// Numbers are the shortest uvarints, control is preceded by its length, and sessions, in the
// order of their last use, by their count.
func (l *Learner) encodeState() []byte {
	st := &l.state
	b := make([]byte, 0, 256+len(l.control.encoded)+l.sessions.len()*40)
	b = append(b, stateVersion)
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(st.Applied)), uint64(st.Next))
	b = binary.BigEndian.AppendUint64(b, uint64(st.Time))
	for _, n := range []uint64{uint64(st.Floor), st.Uses, uint64(len(l.control.encoded))} {
		b = binary.AppendUvarint(b, n)
	}
	b = append(b, l.control.encoded...)
	b = binary.AppendUvarint(b, uint64(l.sessions.len()))
	for r := l.sessions.used.oldest; r != 0; r = l.sessions.links.after(r) {
		s := l.sessions.all.at(r)
		b = append(b, s.ID[:]...)
		b = binary.AppendUvarint(binary.AppendUvarint(b, s.Last), s.Used)
		closed := byte(0)
		if s.Closed {
			closed = 1
		}
		b = append(b, closed)
	}
	return b
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
	st.Control = paxos.Encoded(d.Take(d.Number()))
	n := d.Number()
	if d.Bad || version[0] != stateVersion || st.Applied == 0 || st.Next == 0 || n > uint64(len(d.Rest)) {
		return State{}, errState
	}
	last, ids := uint64(0), make(map[paxos.SessionID]bool, n)
	for range n {
		var s paxos.SessionState
		copy(s.ID[:], d.Take(uint64(len(s.ID))))
		s.Last, s.Used = d.Number(), d.Number()
		closed := d.Take(1)
		if d.Bad || closed[0] > 1 || s.Used <= last || s.Used > st.Uses || ids[s.ID] {
			return State{}, errState
		}
		ids[s.ID] = true
		s.Closed, last = closed[0] == 1, s.Used
		st.Sessions = append(st.Sessions, s)
	}
	if len(d.Rest) > 0 {
		return State{}, errState
	}
	if _, err := control.Decode(st.Control, knows); err != nil {
		return State{}, err
	}
	return st, nil
}
