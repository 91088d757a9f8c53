package main

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim"
	"github.com/paxlog/paxlog/sim/check"
	"github.com/paxlog/paxlog/sim/model"
)

// options are what Raft clusters differ in. The zero value is the library's own
// defaults.
type options struct {
	preVote, checkQuorum bool
	// lease lets the leader answer reads without asking anybody.
	lease bool
	// compact, if not 0, is after how many applied entries a process makes a snapshot.
	compact uint64
	// forgetful plants a bug: what must be on disk first is told at once.
	forgetful bool
}

// name is what a Raft with these options is called.
func (o options) name() string {
	switch {
	case o.preVote && o.checkQuorum:
		return "Raft with pre-vote and check-quorum"
	case o.preVote:
		return "Raft with pre-vote"
	case o.checkQuorum:
		return "Raft with check-quorum"
	}
	return "Raft"
}

// node is a Raft process: it does with the library what the library's manual asks
// of a program that writes to its disk while it goes on (AsyncStorageWrites), which
// is how Paxlog's own processes do it.
type node struct {
	paxos.Outbox
	id      uint64
	opts    options
	check   *check.Checker
	hidden  *bool // no ladder shows its messages now
	library *raft.RawNode
	storage storage
	state   *state

	mono    paxos.Ticks
	syncs   uint64            // asked for in this run
	told    []ofSync          // what the library hears when a sync is done
	voted   [2]uint64         // term and vote, as they were written last
	waiting map[string]client // who waits for a command, or for a read
	reads   []readAt
	asked   uint64
	applied uint64 // raft index
	lead    uint64
	role    raft.StateType
	sent    map[uint64]paxos.Ticks // snapshots under way, by receiver
}

type ofSync struct {
	sync     uint64
	messages []*pb.Message
}

type client struct {
	id    paxos.NodeID
	nonce uint64 // of a read
}

type readAt struct {
	index uint64
	client
}

// Ticks are milliseconds, and the timeouts those of simulated Paxlog.
const (
	messageBytes = 1000
	inFlight     = 64
	keepEntries  = 10 // of what a snapshot has, for followers that are a little behind
	// A clock that ticks drops the ticks that nobody took, as Go's do: a process that
	// was stopped does not make up for the time.
	mostTicks = sim.HeartbeatTicks
	// The library sends nothing more to whom it sent a snapshot, until it hears from
	// there or is told that the snapshot was lost.
	snapshotTicks = 1000
	// The library does not say when it wants to be told the time.
	lookTicks = 10
)

// libraryStopped is what the library panics with.
type libraryStopped struct{ why string }

func (e *libraryStopped) Error() string { return "the library stopped: " + e.why }

func newNode(id uint64, voters []uint64, opts options, check *check.Checker, hidden *bool, disk *sim.Store) *node {
	n := &node{
		id: id, opts: opts, check: check, hidden: hidden, state: newState(), waiting: map[string]client{}, sent: map[uint64]paxos.Ticks{},
		storage: storage{raft.NewMemoryStorage(), &pb.ConfState{Voters: voters}},
	}
	for _, record := range disk.Guest() {
		n.must(n.storage.keep(record))
	}
	hard, _, err := n.storage.InitialState()
	n.must(err)
	n.votes(hard)
	snapshot, err := n.storage.Snapshot()
	n.must(err)
	n.restore(snapshot)
	reads := raft.ReadOnlySafe
	if opts.lease {
		reads = raft.ReadOnlyLeaseBased
	}
	n.library, err = raft.NewRawNode(&raft.Config{
		ID: id, ElectionTick: sim.ElectionMin, HeartbeatTick: sim.HeartbeatTicks, Storage: n.storage, Applied: n.applied,
		AsyncStorageWrites: true, MaxSizePerMsg: messageBytes, MaxInflightMsgs: inFlight, CheckQuorum: opts.checkQuorum,
		PreVote: opts.preVote, ReadOnlyOption: reads, Logger: quiet{},
	})
	n.must(err)
	return n
}

// must stops the run: the process can do nothing sensible any more.
func (n *node) must(err error) {
	if err != nil {
		panic(&libraryStopped{fmt.Sprintf("%s: %v", name(n.id), err)})
	}
}

// restore makes a snapshot the state.
func (n *node) restore(snapshot *pb.Snapshot) {
	if raft.IsEmptySnap(snapshot) {
		return
	}
	s, err := restoreState(snapshot.GetData())
	n.must(err)
	n.state, n.applied = s, snapshot.GetMetadata().GetIndex()
	for k, c := range s.entries {
		n.check.Applied(name(n.id), paxos.Index(k+1), c.id, c.value)
	}
}

// Tick implements paxos.Machine.
func (n *node) Tick(mono paxos.Ticks, _ paxos.UnixNanos) {
	for range min(mono-n.mono, mostTicks) {
		n.library.Tick()
	}
	n.mono = mono
	for id := uint64(1); id <= uint64(len(names)); id++ {
		if at, ok := n.sent[id]; ok && mono-at > snapshotTicks {
			delete(n.sent, id)
			n.library.ReportSnapshot(id, raft.SnapshotFailure)
		}
	}
}

// Step implements paxos.Machine.
func (n *node) Step(from paxos.NodeID, m paxos.Message) {
	switch m := m.(type) {
	case *paxos.Synced:
		n.onSynced(m.Count)
	case *sim.GuestMessage:
		n.onBody(from, m.Body[0], m.Body[1:])
	}
}

func (n *node) onBody(from paxos.NodeID, kind byte, body []byte) {
	switch kind {
	case bodyRaft:
		m := &pb.Message{}
		n.must(proto.Unmarshal(body, m))
		n.step(m)
	case bodyRequest:
		c, _, err := readCommand(body)
		n.must(err)
		n.onRequest(from, c)
	case bodyRead:
		nonce, _ := binary.Uvarint(body)
		n.asked++
		key := binary.BigEndian.AppendUint64([]byte{byte(n.id)}, n.asked)
		n.waiting[string(key)] = client{from, nonce}
		n.library.ReadIndex(key)
	}
}

// step gives the library a message. One that it has no use for is dropped: that a
// proposal found no leader (ErrProposalDropped), and that the sender is unknown.
func (n *node) step(m *pb.Message) {
	err := n.library.Step(m)
	if err != nil && !errors.Is(err, raft.ErrProposalDropped) && !errors.Is(err, raft.ErrStepPeerNotFound) {
		n.must(err)
	}
}

// onRequest proposes a command: the library hands it to the leader.
func (n *node) onRequest(from paxos.NodeID, c command) {
	if c.id.Seq <= n.state.last[c.id.Session] {
		n.Send(from, encodeCommand(bodyAnswer, c, n.state.where[c.id]))
		return
	}
	if err := n.library.Propose(c.appendTo(nil)); err != nil {
		n.Send(from, encodeCommand(bodyRefused, c, 0))
		return
	}
	n.waiting[c.id.String()] = client{id: from}
}

// onSynced tells the library what is on disk now.
func (n *node) onSynced(count uint64) {
	for len(n.told) > 0 && n.told[0].sync <= count {
		for _, m := range n.told[0].messages {
			n.step(m)
		}
		n.told = n.told[1:]
	}
}

// Next implements paxos.Machine. The library counts ticks.
func (n *node) Next() paxos.Ticks { return n.mono + lookTicks }

// Flush implements paxos.Machine: it does all that the library wants done.
func (n *node) Flush() paxos.Output {
	for n.library.HasReady() {
		ready := n.library.Ready()
		if s := ready.SoftState; s != nil {
			n.onRole(s)
		}
		for _, r := range ready.ReadStates {
			if c, ok := n.waiting[string(r.RequestCtx)]; ok {
				delete(n.waiting, string(r.RequestCtx))
				n.reads = append(n.reads, readAt{r.Index, c})
			}
		}
		for _, m := range ready.Messages {
			switch m.GetTo() {
			case raft.LocalAppendThread:
				n.save(m)
			case raft.LocalApplyThread:
				n.apply(m)
			default:
				if m.GetType() == pb.MsgSnap {
					n.sent[m.GetTo()] = n.mono
				}
				n.Send(name(m.GetTo()), encodeRaft(m, !*n.hidden))
			}
		}
		n.answerReads()
	}
	return n.Take()
}

// save writes what a MsgStorageAppend says, and answers when that is on disk. What
// was acknowledged is synced, a snapshot too, of which Ready.MustSync is false. How
// far the log is committed need not be: that is found out again.
func (n *node) save(m *pb.Message) {
	record := savedOf(m)
	must := len(record.entries) > 0 || record.snapshot != nil || n.votes(record.hard)
	n.must(n.storage.keep(record))
	n.Write(model.GuestRecord{Data: record})
	if record.snapshot != nil {
		n.restore(record.snapshot)
	}
	if must && !n.Out.Sync {
		n.Out.Sync = true
		n.syncs++
		n.told = append(n.told, ofSync{sync: n.syncs})
	}
	for _, answer := range m.GetResponses() {
		switch {
		case answer.GetTo() != n.id && n.opts.forgetful:
			n.Send(name(answer.GetTo()), encodeRaft(answer, !*n.hidden))
		case answer.GetTo() != n.id:
			n.After(name(answer.GetTo()), encodeRaft(answer, !*n.hidden))
		case len(n.told) == 0: // nothing of what it speaks of is still on its way to the disk
			n.step(answer)
		default:
			last := &n.told[len(n.told)-1]
			last.messages = append(last.messages, answer)
		}
	}
}

// votes: the term or the vote differs from what was written before.
func (n *node) votes(hard *pb.HardState) bool {
	if hard == nil {
		return false
	}
	before := n.voted
	n.voted = [2]uint64{hard.GetTerm(), hard.GetVote()}
	return n.voted != before
}

// apply applies committed entries, and answers who waits for them here.
func (n *node) apply(m *pb.Message) {
	for _, e := range m.GetEntries() {
		n.applied = e.GetIndex()
		if len(e.GetData()) == 0 {
			continue // a leader's own, at the start of its term
		}
		c, _, err := readCommand(e.GetData())
		n.must(err)
		index, fresh := n.state.apply(c)
		if fresh {
			n.check.Applied(name(n.id), index, c.id, c.value)
		}
		if to, ok := n.waiting[c.id.String()]; ok && index != 0 {
			delete(n.waiting, c.id.String())
			n.Send(to.id, encodeCommand(bodyAnswer, c, index))
		}
	}
	for _, answer := range m.GetResponses() {
		n.step(answer)
	}
	n.compact()
}

// answerReads answers the reads whose index is applied.
func (n *node) answerReads() {
	rest := n.reads[:0]
	for _, r := range n.reads {
		if r.index > n.applied {
			rest = append(rest, r)
			continue
		}
		n.Send(r.client.id, encodeRead(bodyEnd, r.nonce, paxos.Index(len(n.state.entries))))
	}
	n.reads = rest
}

// compact makes a snapshot of the state, and drops the entries that it has.
func (n *node) compact() {
	snapshot, err := n.storage.Snapshot()
	n.must(err)
	if n.opts.compact == 0 || n.applied < snapshot.GetMetadata().GetIndex()+n.opts.compact || n.applied <= keepEntries {
		return
	}
	record := compacted{n.applied, n.applied - keepEntries, n.state.snapshot()}
	n.must(n.storage.keep(record))
	n.Write(model.GuestRecord{Data: record})
}

// onRole notes what becomes of the process.
func (n *node) onRole(s *raft.SoftState) {
	if s.RaftState == n.role && s.Lead == n.lead {
		return
	}
	term := n.library.BasicStatus().GetTerm()
	switch {
	case s.RaftState == raft.StateLeader:
		n.Info(fmt.Sprintf("leader of term %d", term))
	case s.RaftState == n.role:
	case s.RaftState == raft.StateCandidate:
		n.Info(fmt.Sprintf("candidate in term %d", term))
	case s.RaftState == raft.StatePreCandidate:
		n.Info(fmt.Sprintf("asks whether it could win term %d", term+1))
	case n.role == raft.StateLeader:
		n.Warn(fmt.Sprintf("no longer leader; term %d", term))
	}
	n.role, n.lead = s.RaftState, s.Lead
}

// quiet is a logger that keeps what the library says to itself, but for why it
// stops.
type quiet struct{}

func (quiet) Debug(...any)            {}
func (quiet) Debugf(string, ...any)   {}
func (quiet) Error(...any)            {}
func (quiet) Errorf(string, ...any)   {}
func (quiet) Info(...any)             {}
func (quiet) Infof(string, ...any)    {}
func (quiet) Warning(...any)          {}
func (quiet) Warningf(string, ...any) {}

func (quiet) Fatal(v ...any)                 { panic(&libraryStopped{fmt.Sprint(v...)}) }
func (quiet) Fatalf(format string, v ...any) { panic(&libraryStopped{fmt.Sprintf(format, v...)}) }
func (quiet) Panic(v ...any)                 { panic(&libraryStopped{fmt.Sprint(v...)}) }
func (quiet) Panicf(format string, v ...any) { panic(&libraryStopped{fmt.Sprintf(format, v...)}) }
