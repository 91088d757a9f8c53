package acceptor

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// room is what there is room for on the disk. See the package doc, "A disk that is full".
type room struct {
	values paxos.Room // as usual; not known where the driver does not say it
	beyond uint64     // bytes after that
	free   uint64     // bytes of the volume
}

// take notes that a value was taken since the driver measured.
func (r *room) take(v *paxos.Value) { r.values = r.values.After(uint64(len(v.Batch))) }

func (a *Acceptor) onDiskRoom(m *paxos.DiskRoom) {
	was := a.room.values.IsShort()
	if a.room = (room{m.Values, m.Beyond, m.Free}); was && !m.Values.IsShort() {
		a.copy.source, a.copy.failed = "", 0 // what it did not copy it copies now
	}
	if !was && m.Values.IsShort() && a.copy.source != "" {
		a.copy.source = "" // for pages that are under way there is no room
		a.copy.pages.Drop()
	}
}

// copies reports whether this acceptor copies what it misses. One that is short closes small
// gaps, for votes above a gap are kept in memory; else it asks only whether others have trimmed.
func (a *Acceptor) copies() bool {
	r := &a.room
	return !r.values.IsShort() || r.beyond > 2*uint64(a.cfg.PageBytes) && a.known-min(a.held, a.known) <= shortGap
}

// roomOfLearners is what the learners that are subscribed here say, nothing if none says anything.
// One that does not say it, as of an earlier release, is among them: it has room, as far as is known.
func (a *Acceptor) roomOfLearners() (rooms []paxos.RoomOf) {
	if !slices.ContainsFunc(a.subs, func(s subscriber) bool { return s.room.IsKnown() }) {
		return nil
	}
	for i := range a.subs {
		s := &a.subs[i]
		rooms = append(rooms, paxos.RoomOf{ID: s.id, Room: s.room, Free: s.free})
	}
	return rooms
}

// takeTrim deletes what a source says that the log has trimmed, although this acceptor, which
// is short, does not hold the command that says so. All of it is held here, so chosen, and what
// stands in its place a Phase 2 quorum holds, as in takeTrimmed.
func (a *Acceptor) takeTrim(from paxos.NodeID, m *paxos.Page) {
	c := &a.control
	if m.Control == "" || m.First <= c.first || m.First > a.held+1 {
		return
	}
	state, err := control.Decode(m.Control, a.cfg.Knows)
	if err != nil || state.FirstInstance() != m.First || state.At > m.Held || state.At < c.state.At || !c.state.Log.IsZero() && c.state.Log != state.Log {
		a.refuse(from, "what it says of a trim cannot be", "first", uint64(m.First), "held", uint64(m.Held))
		return
	}
	a.Info("its disk is full: it deletes what the log has trimmed meanwhile", "first", uint64(m.First), "held", uint64(a.held), "peer", string(from))
	c.state, c.encoded, c.first = state, m.Control, m.First
	a.configure()
	a.leave()
	a.Write(paxos.SetControl{State: m.Control}, paxos.Trimmed{Instance: m.First})
}
