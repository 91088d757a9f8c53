package learner

import (
	"encoding/binary"
	"errors"
	"slices"

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

// decodeState returns the state that encodeState made b of. Nothing below it is kept.
func decodeState(b []byte) (State, error) {
	d := stateDecoder{b: b}
	var st State
	version := d.take(1)
	st.Applied, st.Next, st.Time = paxos.Instance(d.number()), paxos.Index(d.number()), paxos.UnixNanos(d.fixed())
	st.Floor, st.Uses = paxos.Instance(d.number()), d.number()
	st.FirstIndex, st.FirstInstance = st.Next, st.Applied+1
	st.Control = paxos.Encoded(d.take(d.number()))
	n := d.number()
	if d.bad || version[0] != stateVersion || st.Applied == 0 || st.Next == 0 || n > uint64(len(d.b)) {
		return State{}, errState
	}
	last, ids := uint64(0), make(map[paxos.SessionID]bool, n)
	for range n {
		var s paxos.SessionState
		copy(s.ID[:], d.take(uint64(len(s.ID))))
		s.Last, s.Used = d.number(), d.number()
		closed := d.take(1)
		if d.bad || closed[0] > 1 || s.Used <= last || s.Used > st.Uses || ids[s.ID] {
			return State{}, errState
		}
		ids[s.ID] = true
		s.Closed, last = closed[0] == 1, s.Used
		st.Sessions = append(st.Sessions, s)
	}
	if len(d.b) > 0 {
		return State{}, errState
	}
	if _, err := control.Decode(st.Control); err != nil {
		return State{}, err
	}
	return st, nil
}

// stateDecoder reads what encodeState wrote. After a failure it returns zeros; bad tells.
type stateDecoder struct {
	b   []byte
	bad bool
}

func (d *stateDecoder) take(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	t := d.b[:n]
	d.b = d.b[n:]
	return slices.Clip(t)
}

func (d *stateDecoder) number() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || n > 1 && d.b[n-1] == 0 || v >= paxos.Bound {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *stateDecoder) fixed() uint64 {
	if t := d.take(8); t != nil {
		return binary.BigEndian.Uint64(t)
	}
	return 0
}
