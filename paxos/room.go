package paxos

import "fmt"

// Room is how many bytes of values a process has room for on its disk before it is short, and
// one more: 0 says that this is not known, as of a process of an earlier release.
type Room uint64

// RoomFor is room for so many bytes.
func RoomFor(bytes uint64) Room { return Room(min(bytes, Bound-2)) + 1 }

// IsKnown reports whether r says anything.
func (r Room) IsKnown() bool { return r > 0 }

// IsShort reports whether there is no room.
func (r Room) IsShort() bool { return r == 1 }

// Bytes is how many bytes there is room for, 0 if that is not known.
func (r Room) Bytes() uint64 { return uint64(max(r, 1)) - 1 }

// After is what is left of r when so many more bytes were taken. That nothing is left only whoever
// measures can say.
func (r Room) After(bytes uint64) Room {
	if !r.IsKnown() || r.IsShort() {
		return r
	}
	return RoomFor(max(r.Bytes()-min(bytes, r.Bytes()), 1))
}

// Holds reports whether there is room for so many bytes, and more, as far as is known.
func (r Room) Holds(bytes uint64) bool { return !r.IsKnown() || r.Bytes() > bytes }

// String is r for people.
func (r Room) String() string {
	switch {
	case !r.IsKnown():
		return "not known"
	case r.IsShort():
		return "none"
	}
	return fmt.Sprintf("%.1f MB", float64(r.Bytes())/1e6)
}

// RoomOf is what a process says of its disk: its room, and how many bytes are free, 0 if that is
// not known.
type RoomOf struct {
	ID   NodeID
	Room Room
	Free uint64
}
