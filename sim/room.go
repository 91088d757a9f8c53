package sim

import (
	"fmt"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
)

// Disks that have room for so much. A process is told, as package node tells it, what its disk
// has room for. Nothing but that keeps it from writing more: a scenario looks how much it wrote.

const (
	lookRoom   = 100 * Millisecond // how often it is measured
	beyondRoom = 4000              // bytes that are laid by
)

// narrow gives the disk of n so much room, or, by 0, any.
func (n *Node) narrow(size int) {
	before := n.Disk.Size
	n.Disk.Size = size
	n.w.trace("the disk of %s has room for %d bytes", n.ID, size)
	switch {
	case before == 0 && size > 0:
		n.lookRoom()
	case before > 0 && size == 0 && n.isTold():
		n.receive(n.ID, &paxos.DiskRoom{Values: paxos.RoomFor(1 << 40), Beyond: beyondRoom})
	}
}

// isTold reports whether n is one of this protocol's processes that keep something.
func (n *Node) isTold() bool { return n.Role == paxos.RoleAcceptor || n.Role == paxos.RoleLearner }

// lookRoom measures again and again.
func (n *Node) lookRoom() {
	if n.Disk.Size > 0 {
		n.tellRoom()
		n.w.after(lookRoom, n.lookRoom)
	}
}

// tellRoom tells a process what its disk has room for, as long as that is bounded.
func (n *Node) tellRoom() {
	if n.Disk.Size == 0 || !n.Up || !n.isTold() {
		return
	}
	used := n.store.visible.Bytes()
	left := max(n.Disk.Size-used, 0)
	beyond := max(min(n.Disk.Size+beyondRoom-used, beyondRoom), 0)
	n.receive(n.ID, &paxos.DiskRoom{Values: paxos.RoomFor(uint64(left)), Beyond: uint64(beyond), Free: uint64(left + beyond)})
}

// littleRoom narrows the disks of one acceptor and one learner, then those of a quorum, then those of
// all learners.
func littleRoom(s *stage) {
	s.hosts(3)
	s.lead(1)
	one := []paxos.NodeID{"a3", "l2"}
	s.narrows(one...)
	s.Run(2 * Second)
	s.progress(Second, "with little room at one acceptor and one learner")
	s.fits(one...)
	s.widens(one...)
	for _, ids := range [][]paxos.NodeID{{"a2", "a3"}, {"l1", "l2"}} {
		s.narrows(ids...)
		s.expect(20*Second, "the leader refuses appends, with little room at %v", s.isRefused, ids)
		s.Run(Second)
		before := s.Check.Entries()
		s.Run(2 * Second)
		if n := s.Check.Entries() - before; n > 0 && s.err == nil {
			s.err = fmt.Errorf("%d entries were appended though %v had no room", n, ids)
		}
		s.fits(ids...)
		s.trimTo(paxos.Index(s.Check.Entries() + 1))
		answers := s.Check.Answers
		s.expect(10*Second, "a trim brings appends back, with little room at %v", func() bool { return s.Check.Answers > answers+20 }, ids)
		s.widens(ids...)
	}
	if n := s.Events["crash"]; n > 0 && s.err == nil {
		s.err = fmt.Errorf("%d processes ended", n)
	}
}

// widens gives all the room that they want, and expects that they catch up with it.
func (s *stage) widens(ids ...paxos.NodeID) {
	for _, id := range ids {
		s.nodes[id].narrow(0)
	}
	s.progress(2*Second, "with room everywhere")
	s.expect(5*Second, "%v have what they missed", func() bool {
		for _, id := range ids {
			switch m := s.nodes[id].m.(type) {
			case *acceptor.Acceptor:
				if m.Report().Missing > 50 {
					return false
				}
			case *learner.Learner:
				if r := m.Report(); r.Applied+50 < r.Chosen {
					return false
				}
			}
		}
		return true
	}, ids)
}

// narrows leaves a little room.
func (s *stage) narrows(ids ...paxos.NodeID) {
	for _, id := range ids {
		s.nodes[id].narrow(s.nodes[id].store.visible.Bytes() + 2000)
	}
}

// fits expects that no disk has more than it has room for.
func (s *stage) fits(ids ...paxos.NodeID) {
	for _, id := range ids {
		if n := s.nodes[id]; n.store.visible.Bytes() > n.Disk.Size+2*beyondRoom && s.err == nil {
			s.err = fmt.Errorf("the disk of %s has room for %d bytes and %d laid by, and %d were written to it", id, n.Disk.Size, beyondRoom, n.store.visible.Bytes())
		}
	}
}

// isRefused reports whether the leader refuses appends for want of room.
func (s *stage) isRefused() bool {
	return s.Events["appends are refused"] > s.Events["appends are taken again: there is room on the disks"]
}

// trimTo asks every proposer for a trim.
func (s *stage) trimTo(to paxos.Index) { s.ask(&paxos.Order{Trim: to}) }
