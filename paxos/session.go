package paxos

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// SessionID is a client session.
//
// Where the level of the log has it, an id says whose the session is: its birth (8 bytes, big
// endian), the log (6 bytes), its owner (6 bytes), and 96 random bits. An earlier one is its birth and
// the random bits: 20 bytes, behind which it is zero here. So no id has both forms. Ids of both
// forms stay valid for ever.
//
// Its birth is the instance that its learner had applied when it was made.
type SessionID [32]byte

// shortSession is how long an id without a log and an owner is.
const shortSession = 20

// Stamp is what a learner puts into the ids of sessions that begin at it, behind the birth: the log
// and the owner. It is zero where the level of the log has no such ids.
type Stamp [12]byte

// Owner is whose a session is: the first bits of a hash of the principal that made it. It is zero
// if that was Anonymous, or if the id does not say it: such a session is anybody's.
//
// Two names have one owner by chance once in 2^48. Who picks names until two have is somebody who
// has them signed.
type Owner [6]byte

// OwnerOf is the owner that p is.
func OwnerOf(p Principal) (o Owner) {
	if p == Anonymous || p == "" {
		return o
	}
	sum := sha256.Sum256([]byte("paxlog principal " + string(p)))
	copy(o[:], sum[:])
	return o
}

// logPart is what ids show of a log: bits that nobody confuses two logs by.
func logPart(log LogID) (part [6]byte) {
	copy(part[:], log[:])
	return part
}

// NewStamp is the stamp of the sessions of an owner in a log.
func NewStamp(log LogID, owner Owner) (s Stamp) {
	part := logPart(log)
	copy(s[:6], part[:])
	copy(s[6:], owner[:])
	return s
}

// NewSessionID makes the id of a session born at instance birth, with a stamp if that is not zero;
// random supplies its 12 random bytes.
func NewSessionID(birth Instance, stamp Stamp, random [12]byte) SessionID {
	var s SessionID
	binary.BigEndian.PutUint64(s[:8], uint64(birth))
	if stamp == (Stamp{}) {
		copy(s[8:], random[:])
		return s
	}
	if random == ([12]byte{}) {
		random[0] = 1 // else it would be one of the other form
	}
	copy(s[8:], stamp[:])
	copy(s[shortSession:], random[:])
	return s
}

// Birth is the instance that the session's learner had applied when it was made.
func (s SessionID) Birth() Instance { return Instance(binary.BigEndian.Uint64(s[:8])) }

// IsOwned reports whether s names a log and an owner.
func (s *SessionID) IsOwned() bool { return [12]byte(s[shortSession:]) != [12]byte{} }

// Owner is whose the session is, zero if it is anybody's.
func (s *SessionID) Owner() (o Owner) {
	if s.IsOwned() {
		copy(o[:], s[14:shortSession])
	}
	return o
}

// IsOf reports whether s may be a session of that log: it names it, or names none.
func (s *SessionID) IsOf(log LogID) bool {
	part := logPart(log)
	return !s.IsOwned() || [6]byte(s[8:14]) == part
}

// size is how many bytes the id has where it is written.
func (s *SessionID) size() int {
	if s.IsOwned() {
		return len(s)
	}
	return shortSession
}

// AppendTo appends the bytes of the id.
func (s *SessionID) AppendTo(b []byte) []byte { return append(b, s[:s.size()]...) }

// String is the session in lower-case hex.
func (s SessionID) String() string { return hex.EncodeToString(s[:s.size()]) }

// MarshalBinary returns the session's bytes, which must not be written to. The
// codec calls it in place of what it would do by reflection, which allocates.
func (s *SessionID) MarshalBinary() ([]byte, error) { return s[:s.size()], nil }

// UnmarshalBinary sets s to a copy of b, the bytes of an id in the one form that it has.
func (s *SessionID) UnmarshalBinary(b []byte) error {
	var id SessionID
	copy(id[:], b)
	if len(b) != shortSession && (len(b) != len(id) || !id.IsOwned()) {
		return fmt.Errorf("a session of %d bytes", len(b))
	}
	*s = id
	return nil
}
