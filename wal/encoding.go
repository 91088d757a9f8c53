package wal

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// Key prefixes; see the package doc.
const (
	keyMeta     = 'm'
	keyPeer     = 'i'
	keyPromised = 'p'
	keyHeld     = 'h'
	keyMark     = 'k'
	keyControl  = 'g'
	keyVote     = 'v'
	keyLearner  = 'l'
	keyChosen   = 'c'
	keyIndex    = 'x'
	keySession  = 's'
	keyRun      = 'r'
	keyChanges  = 'd'
	keyFolded   = 'f'
	keyWrong    = 'w'
	keyFloors   = 'o'
)

// numberKeyLen is the length of a key that ends in one number.
const numberKeyLen = 1 + 8

func appendNumberKey(b []byte, prefix byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, prefix), n)
}

func numberKey(prefix byte, n uint64) []byte { return appendNumberKey(nil, prefix, n) }

// owned is set in the first byte of the id of a session with an owner where it is part of a key: no
// birth has it, so no key of a short id begins as one of those.
const owned = 0x80

func appendSessionKey(b []byte, prefix byte, id paxos.SessionID) []byte {
	b = append(b, prefix)
	at := len(b)
	b = id.AppendTo(b)
	if id.IsOwned() {
		b[at] |= owned
	}
	return b
}

func sessionKey(prefix byte, id paxos.SessionID) []byte { return appendSessionKey(nil, prefix, id) }

func runKey(id paxos.SessionID, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(sessionKey(keyRun, id), seq)
}

func keyNumber(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

func appendBallot(b []byte, x paxos.Ballot) []byte {
	b = binary.AppendUvarint(b, x.Round)
	b = binary.BigEndian.AppendUint64(b, x.Process)
	b = binary.AppendUvarint(b, uint64(len(x.Proposer)))
	return append(b, x.Proposer...)
}

// decoder reads what the append functions wrote. After a failure it returns
// zeros; bad tells.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	t := d.b[:n]
	d.b = d.b[n:]
	return t
}

func (d *decoder) fixed() uint64 {
	if t := d.take(8); t != nil {
		return binary.BigEndian.Uint64(t)
	}
	return 0
}

func (d *decoder) ballot() paxos.Ballot {
	var b paxos.Ballot
	b.Round = d.uvarint()
	b.Process = d.fixed()
	b.Proposer = paxos.NodeID(d.take(d.uvarint()))
	return b
}

func (d *decoder) err(key []byte) error {
	if d.bad || len(d.b) > 0 {
		return fmt.Errorf("the record at key %q is %w", key, ErrDamaged)
	}
	return nil
}

// A vote: ballot, origin, time, batch. Its head is all but the batch.
func appendVoteHead(b []byte, v paxos.Vote) []byte {
	b = appendBallot(b, v.Ballot)
	b = appendBallot(b, v.Value.Origin)
	return binary.BigEndian.AppendUint64(b, uint64(v.Value.Time))
}

// decodeVote decodes a vote whose batch aliases value.
func decodeVote(key, value []byte) (paxos.Vote, error) {
	d := decoder{b: value}
	v := paxos.Vote{Instance: paxos.Instance(keyNumber(key)), Ballot: d.ballot()}
	v.Value = paxos.Value{Origin: d.ballot(), Time: paxos.UnixNanos(d.fixed())}
	v.Value.Batch = d.take(uint64(len(d.b)))
	return v, d.err(key)
}

// An applied instance: 0 and the chain, if it has one; first, which is never 0, count,
// origin, value's time, log time, length of the runs applied + 1 if they differ from the
// batch, else 0, those runs, the batch. Its head is all but the runs and the batch; the
// runs are returned apart.
func appendAppliedHead(b []byte, p paxos.PutApplied) (head, runs []byte) {
	if !p.Chain.IsZero() {
		b = append(append(b, 0), p.Chain[:]...)
	}
	b = binary.AppendUvarint(b, uint64(p.Record.First))
	b = binary.AppendUvarint(b, p.Record.Count)
	b = appendBallot(b, p.Value.Origin)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Value.Time))
	b = binary.BigEndian.AppendUint64(b, uint64(p.Record.Time))
	// Lengths do not tell: a run that lost an empty entry may need a longer number.
	if bytes.Equal(p.Record.Log, p.Value.Batch) {
		return binary.AppendUvarint(b, 0), nil
	}
	return binary.AppendUvarint(b, uint64(len(p.Record.Log))+1), p.Record.Log
}

// decodeApplied decodes an applied instance, aliasing value.
func decodeApplied(key, value []byte) (paxos.PutApplied, error) {
	d := decoder{b: value}
	var p paxos.PutApplied
	p.Record.Instance = paxos.Instance(keyNumber(key))
	if p.Record.First = paxos.Index(d.uvarint()); p.Record.First == 0 && !d.bad {
		p.Chain = d.chain()
		p.Record.First = paxos.Index(d.uvarint())
	}
	p.Record.Count = d.uvarint()
	p.Value.Origin = d.ballot()
	p.Record.Origin = p.Value.Origin
	p.Value.Time = paxos.UnixNanos(d.fixed())
	p.Record.Time = paxos.UnixNanos(d.fixed())
	differs := d.uvarint()
	if differs > 0 {
		p.Record.Log = d.take(differs - 1)
	}
	p.Value.Batch = d.take(uint64(len(d.b)))
	if differs == 0 {
		p.Record.Log = p.Value.Batch
	}
	return p, d.err(key)
}

// A mark: commits, life; of the acceptor itself also 1 if it has to rejoin, else 0. Of
// a peer: incarnation; since format 2 also run and mark.
func appendMark(b []byte, m paxos.Mark) []byte {
	return appendBallot(binary.AppendUvarint(b, m.Commits), m.Life)
}

func (d *decoder) mark() paxos.Mark { return paxos.Mark{Commits: d.uvarint(), Life: d.ballot()} }

func appendPeer(b []byte, p paxos.Peer) []byte {
	b = binary.BigEndian.AppendUint64(b, p.Incarnation)
	b = binary.BigEndian.AppendUint64(b, p.Mark.Process)
	return appendMark(b, p.Mark)
}

func decodePeer(key, value []byte) (paxos.Peer, error) {
	d := decoder{b: value}
	p := paxos.Peer{Incarnation: d.fixed()}
	if len(d.b) > 0 {
		run := d.fixed()
		p.Mark = d.mark()
		p.Mark.Process = run
	}
	return p, d.err(key)
}

func appendSession(b []byte, s paxos.SessionState) []byte {
	b = binary.AppendUvarint(b, s.Last)
	b = binary.AppendUvarint(b, s.Used)
	return appendBool(b, s.Closed)
}

func appendBool(b []byte, x bool) []byte {
	if x {
		return append(b, 1)
	}
	return append(b, 0)
}

func (d *decoder) bool() bool {
	t := d.take(1)
	return t != nil && t[0] == 1
}

func (d *decoder) session(id paxos.SessionID) paxos.SessionState {
	return paxos.SessionState{ID: id, Last: d.uvarint(), Used: d.uvarint(), Closed: d.bool()}
}

func decodeSession(key, value []byte) (paxos.SessionState, error) {
	d := decoder{b: value}
	var id paxos.SessionID
	d.bad = len(key) < 2 || id.UnmarshalBinary(key[1:]) != nil || id.IsOwned() != (key[1]&owned != 0)
	id[0] &^= owned
	s := d.session(id)
	return s, d.err(key)
}

// A learner's state; where it was trimmed only if it was, or counts bytes; these; the chain, and
// that of what was trimmed, only if there is one.
func appendLearner(b []byte, s paxos.LearnerState) []byte {
	numbers := []uint64{uint64(s.Applied), uint64(s.Next), uint64(s.Time), uint64(s.Floor), s.Uses}
	if s.FirstIndex > 1 || s.FirstInstance > 1 || s.Bytes > 0 {
		numbers = append(numbers, uint64(s.FirstIndex), uint64(s.FirstInstance))
	}
	if s.Bytes > 0 {
		numbers = append(numbers, s.Bytes)
	}
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	if !s.Chain.IsZero() {
		b = append(b, s.Chain[:]...)
	}
	if !s.Below.IsZero() {
		b = append(b, s.Below[:]...)
	}
	return b
}

func (d *decoder) chain() (c paxos.Chain) {
	copy(c[:], d.take(uint64(len(c))))
	return c
}

// trimmedLen is how long what says where a learner was trimmed is, and countedLen the same with the
// bytes that it counts: neither is a multiple of a chain.
const (
	trimmedLen = 2 * 8
	countedLen = 3 * 8
)

func decodeLearner(key, value []byte) (paxos.LearnerState, error) {
	d := decoder{b: value}
	s := paxos.LearnerState{
		Applied: paxos.Instance(d.fixed()), Next: paxos.Index(d.fixed()), Time: paxos.UnixNanos(d.fixed()),
		Floor: paxos.Instance(d.fixed()), Uses: d.fixed(), FirstIndex: 1, FirstInstance: 1,
	}
	switch len(d.b) % len(s.Chain) {
	case trimmedLen:
		s.FirstIndex, s.FirstInstance = paxos.Index(d.fixed()), paxos.Instance(d.fixed())
		d.bad = d.bad || s.FirstIndex <= 1 && s.FirstInstance <= 1
	case countedLen:
		s.FirstIndex, s.FirstInstance, s.Bytes = paxos.Index(d.fixed()), paxos.Instance(d.fixed()), d.fixed()
		d.bad = d.bad || s.Bytes == 0
	}
	if len(d.b) > 0 {
		s.Chain = d.chain()
		d.bad = d.bad || s.Chain.IsZero()
	}
	if len(d.b) > 0 {
		s.Below = d.chain()
		d.bad = d.bad || s.Below.IsZero()
	}
	return s, d.err(key)
}

// Runs of a session, each from where the one before ends: counts, indexes, instances.
// Before format 3 there was one.
func appendRuns(b []byte, runs []paxos.RunAt) []byte {
	for _, r := range runs {
		b = binary.AppendUvarint(b, r.Count)
		b = binary.AppendUvarint(b, uint64(r.Index))
		b = binary.AppendUvarint(b, uint64(r.Instance))
	}
	return b
}

func decodeRuns(key, value []byte) ([]paxos.RunAt, error) {
	d := decoder{b: value, bad: len(value) == 0}
	var runs []paxos.RunAt
	for first := keyNumber(key); len(d.b) > 0; {
		r := paxos.RunAt{First: first, Count: d.uvarint(), Index: paxos.Index(d.uvarint()), Instance: paxos.Instance(d.uvarint())}
		runs = append(runs, r)
		first += r.Count
	}
	return runs, d.err(key)
}

// Changes of sessions: for each its id, 1 if it was dropped, else 0 and the session. Where the id
// has an owner, its first bit is set.
func appendChanges(b []byte, changes []sessionChange) []byte {
	for _, c := range changes {
		at := len(b)
		b = c.state.ID.AppendTo(b)
		if c.state.ID.IsOwned() {
			b[at] |= owned
		}
		if b = appendBool(b, c.dropped); !c.dropped {
			b = appendSession(b, c.state)
		}
	}
	return b
}

// sessionID reads an id as changes have it.
func (d *decoder) sessionID() (id paxos.SessionID) {
	size := uint64(20)
	if len(d.b) > 0 && d.b[0]&owned != 0 {
		size = uint64(len(id))
	}
	if t := d.take(size); t != nil {
		d.bad = id.UnmarshalBinary(t) != nil
		id[0] &^= owned
	}
	return id
}

func decodeChanges(key, value []byte) ([]sessionChange, error) {
	d := decoder{b: value, bad: len(value) == 0}
	var changes []sessionChange
	for len(d.b) > 0 {
		var c sessionChange
		c.state.ID = d.sessionID()
		if c.dropped = d.bool(); !c.dropped {
			c.state = d.session(c.state.ID)
		}
		changes = append(changes, c)
	}
	return changes, d.err(key)
}
