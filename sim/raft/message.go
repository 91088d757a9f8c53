package main

import (
	"encoding/binary"
	"fmt"
	"strings"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim"
)

// The first byte of a body says what it is.
const (
	bodyRaft    = 'r' // a message of the library
	bodyRequest = 'q' // client -> process: a command
	bodyAnswer  = 'a' // process -> client: a command, and its index
	bodyRefused = 'x' // process -> client: no leader is known here
	bodyRead    = 'g' // client -> process: where does the log end?
	bodyEnd     = 'e' // process -> client: there
)

// names are those of processes 1 to 5.
var names = [...]paxos.NodeID{"A", "B", "C", "D", "E"}

func name(id uint64) paxos.NodeID { return names[id-1] }

// encodeRaft makes bytes of a message: so nobody shares memory with the library,
// which changes what it is given. Only what is shown is put into words.
func encodeRaft(m *pb.Message, show bool) *sim.GuestMessage {
	body, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend([]byte{bodyRaft}, m)
	if err != nil {
		panic(err) // no message of the library can fail to be encoded
	}
	out := &sim.GuestMessage{Body: body}
	if show {
		out.Text, out.Upkeep = raftText(m)
	}
	return out
}

func encodeCommand(kind byte, c command, index paxos.Index) *sim.GuestMessage {
	m := &sim.GuestMessage{Body: c.appendTo([]byte{kind})}
	switch kind {
	case bodyRequest:
		m.Text = "Request(" + c.value + ")"
	case bodyAnswer:
		m.Body = binary.AppendUvarint(m.Body, uint64(index))
		m.Text = fmt.Sprintf("Response(%s at index %d)", c.value, index)
	case bodyRefused:
		m.Text = "Refused(no leader)"
	}
	return m
}

func encodeRead(kind byte, nonce uint64, last paxos.Index) *sim.GuestMessage {
	m := &sim.GuestMessage{Body: binary.AppendUvarint([]byte{kind}, nonce)}
	if kind == bodyRead {
		m.Text = "Read"
		return m
	}
	m.Body = binary.AppendUvarint(m.Body, uint64(last))
	m.Text = fmt.Sprintf("End(%d)", last)
	return m
}

// raftText says a message in the words of the Raft paper. t2 is term 2, and 7@2 the
// entry at index 7 of that term.
func raftText(m *pb.Message) (text string, upkeep bool) {
	term, at := m.GetTerm(), fmt.Sprintf("%d@%d", m.GetIndex(), m.GetLogTerm())
	yes := "yes"
	if m.GetReject() {
		yes = "no"
	}
	switch m.GetType() {
	case pb.MsgApp:
		return fmt.Sprintf("AppendEntries(t%d, after %s: %s, commit %d)", term, at, entriesText(m.GetEntries()), m.GetCommit()), false
	case pb.MsgAppResp:
		if m.GetReject() {
			return fmt.Sprintf("No(t%d, %d does not match; try %s)", term, m.GetIndex(), fmt.Sprintf("%d@%d", m.GetRejectHint(), m.GetLogTerm())), false
		}
		return fmt.Sprintf("Ok(t%d, up to %d)", term, m.GetIndex()), false
	case pb.MsgVote:
		return fmt.Sprintf("RequestVote(t%d, last %s)", term, at), false
	case pb.MsgVoteResp:
		return fmt.Sprintf("Vote(t%d, %s)", term, yes), false
	case pb.MsgPreVote:
		return fmt.Sprintf("PreVote(t%d?, last %s)", term, at), false
	case pb.MsgPreVoteResp:
		return fmt.Sprintf("PreVoted(t%d, %s)", term, yes), false
	case pb.MsgHeartbeat:
		return fmt.Sprintf("Heartbeat(t%d, commit %d)", term, m.GetCommit()), true
	case pb.MsgHeartbeatResp:
		return fmt.Sprintf("HeartbeatOk(t%d)", term), true
	case pb.MsgProp:
		return fmt.Sprintf("Forward(%s)", entriesText(m.GetEntries())), false
	case pb.MsgSnap:
		meta := m.GetSnapshot().GetMetadata()
		return fmt.Sprintf("Snapshot(t%d, up to %d@%d, %d bytes)", term, meta.GetIndex(), meta.GetTerm(), len(m.GetSnapshot().GetData())), false
	}
	return m.GetType().String(), true
}

// shown is how many entries a ladder names.
const shown = 3

func entriesText(entries []*pb.Entry) string {
	if len(entries) == 0 {
		return "nothing"
	}
	var parts []string
	for _, e := range entries {
		if len(parts) == shown && len(entries) > shown+1 {
			parts = append(parts, fmt.Sprintf("and %d more", len(entries)-shown))
			break
		}
		parts = append(parts, entryText(e))
	}
	return strings.Join(parts, "+")
}

func entryText(e *pb.Entry) string {
	if len(e.GetData()) == 0 {
		return "empty"
	}
	c, _, err := readCommand(e.GetData())
	if err != nil {
		return "malformed"
	}
	return c.value
}
