package main

import (
	"encoding/binary"
	"errors"

	"github.com/paxlog/paxlog/paxos"
)

// command is an append as clients send it and as the log keeps it: an id, so that
// what is sent twice is applied once, and the value.
type command struct {
	id    paxos.AppendID
	value string
}

// errShort: bytes that no process of these wrote.
var errShort = errors.New("a command is cut short")

func (c command) appendTo(b []byte) []byte {
	b = append(b, c.id.Session[:]...)
	b = binary.AppendUvarint(b, c.id.Seq)
	b = binary.AppendUvarint(b, uint64(len(c.value)))
	return append(b, c.value...)
}

func readCommand(b []byte) (c command, rest []byte, err error) {
	k := len(c.id.Session)
	if len(b) < k {
		return c, nil, errShort
	}
	copy(c.id.Session[:], b)
	b = b[k:]
	seq, n := binary.Uvarint(b)
	if n <= 0 {
		return c, nil, errShort
	}
	b = b[n:]
	size, n := binary.Uvarint(b)
	if n <= 0 || uint64(len(b)-n) < size {
		return c, nil, errShort
	}
	b = b[n:]
	c.id.Seq, c.value = seq, string(b[:size])
	return c, b[size:], nil
}

// state is the state machine that Raft replicates here: a log of entries, in which
// each append of a session is once and in order. It is as thin as that can be.
type state struct {
	entries []command
	last    map[paxos.SessionID]uint64
	where   map[paxos.AppendID]paxos.Index
}

func newState() *state {
	return &state{last: map[paxos.SessionID]uint64{}, where: map[paxos.AppendID]paxos.Index{}}
}

// apply applies a command: at its index, as news or again; or not at all (0) if an
// earlier one of its session is missing.
func (s *state) apply(c command) (index paxos.Index, fresh bool) {
	switch last := s.last[c.id.Session]; {
	case c.id.Seq <= last:
		return s.where[c.id], false
	case c.id.Seq > last+1:
		return 0, false
	}
	s.entries = append(s.entries, c)
	index = paxos.Index(len(s.entries))
	s.last[c.id.Session], s.where[c.id] = c.id.Seq, index
	return index, true
}

// snapshot is all of the state: for a log that is the log.
func (s *state) snapshot() []byte {
	var b []byte
	for _, c := range s.entries {
		b = c.appendTo(b)
	}
	return b
}

func restoreState(snapshot []byte) (*state, error) {
	s := newState()
	for len(snapshot) > 0 {
		c, rest, err := readCommand(snapshot)
		if err != nil {
			return nil, err
		}
		s.apply(c)
		snapshot = rest
	}
	return s, nil
}
