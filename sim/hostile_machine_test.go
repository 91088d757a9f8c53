package sim

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/client/core"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
	"github.com/paxlog/paxlog/proposer"
)

// hostileMachines are the four machines, each as its directory has it.
var hostileMachines = []struct {
	id   paxos.NodeID
	role paxos.Role
	make func(knows uint64, d *hostileDisk) paxos.Machine
}{
	{"a1", paxos.RoleAcceptor, func(knows uint64, d *hostileDisk) paxos.Machine {
		return acceptor.New(acceptor.Config{
			ID: "a1", Membership: hostileMembers, Incarnation: 7, Seed: 9, Sources: []paxos.NodeID{"a2", "a3", "l1", "l2"}, Proposers: []paxos.NodeID{"p1", "p2"},
			ElectionTicks: 150, HeartbeatTicks: 50, RetryTicks: 100, StallTicks: 1500, IdleTicks: 5000, PageBytes: 1000, ValueBytes: 1000, Knows: knows,
		}, d.acceptor)
	}},
	{"p1", paxos.RoleProposer, func(knows uint64, d *hostileDisk) paxos.Machine {
		return proposer.New(proposer.Config{
			ID: "p1", Membership: hostileMembers, Process: 3, Seed: 4, HeartbeatTicks: 50, ElectionMin: 150, ElectionMax: 300, RenewTicks: 2500, RetryTicks: 100, StallTicks: 1500,
			Window: 8, WindowBytes: 1500, BatchBytes: 400, LittleBytes: 60, EntryBytes: 200, QueueBytes: 2000,
			MarkBytes: 1000, MarkInstances: 100, MarkTicks: 2000, Processes: enrolled([]paxos.NodeID{"p1", "p2"}, []paxos.NodeID{"l1", "l2"}), Knows: knows, LogID: logID(5),
		})
	}},
	{"l1", paxos.RoleLearner, func(knows uint64, d *hostileDisk) paxos.Machine {
		return learner.New(learner.Config{
			ID: "l1", Membership: hostileMembers, Learners: []paxos.NodeID{"l2"}, Seed: 5, PollTicks: 50, RenewTicks: 2500, RetryTicks: 100, ReadTicks: 1000,
			PageBytes: 1000, EntryBytes: 200, BatchBytes: 400, AheadBytes: 5000, BurstBytes: 4000, ChunkBytes: 150, ScrubTicks: 40, ScrubEach: 2000, Knows: knows,
		}, d.learner())
	}},
	{"@2", paxos.RoleClient, func(uint64, *hostileDisk) paxos.Machine {
		m := core.New(core.Config{Proposers: []paxos.NodeID{"p1", "p2"}, Learners: []paxos.NodeID{"l1", "l2"}, InflightBytes: 1000})
		s := m.Open([12]byte{1})
		for range 5 {
			s.Append(&core.Append{Value: []byte("x")})
		}
		return m
	}},
}

// hostileDisk is a directory, by instance and not by place, since hostile processes name
// instances that are far from each other.
type hostileDisk struct {
	role     paxos.Role
	acceptor acceptor.State // but for its votes above held, which start collects
	state    learner.State
	votes    map[paxos.Instance]paxos.Vote // or what a learner applied
	records  map[paxos.Instance]paxos.PutApplied
	sessions map[paxos.SessionID]paxos.SessionState
	newest   []paxos.Instance // of votes, those kept: the disk of a test is small
}

func newHostileDisk(role paxos.Role) *hostileDisk {
	return &hostileDisk{
		role: role, votes: map[paxos.Instance]paxos.Vote{}, records: map[paxos.Instance]paxos.PutApplied{}, sessions: map[paxos.SessionID]paxos.SessionState{},
		acceptor: acceptor.State{Peers: paxos.Peers{}}, state: learner.State{Peers: paxos.Peers{}},
	}
}

// start collects what an acceptor recovers.
func (d *hostileDisk) start() {
	d.acceptor.Peers, d.state.Peers = maps.Clone(d.acceptor.Peers), maps.Clone(d.state.Peers)
	d.acceptor.Votes, d.acceptor.Controls = map[paxos.Instance]paxos.Ballot{}, map[paxos.Instance]string{}
	for i, v := range d.votes {
		if i > d.acceptor.Held && d.role == paxos.RoleAcceptor {
			d.acceptor.Votes[i] = v.Ballot
			if paxos.IsControl(v.Value.Batch) {
				d.acceptor.Controls[i] = string(v.Value.Batch)
			}
		}
	}
}

func (d *hostileDisk) learner() learner.State {
	st := d.state
	st.Sessions = slices.Collect(maps.Values(d.sessions))
	return st
}

// put keeps a vote, and of those that are held only the newest, which fills no memory however
// long a run is. What is not there was lost by a disk, as far as a machine can see.
func (d *hostileDisk) put(v paxos.Vote) {
	if _, ok := d.votes[v.Instance]; !ok {
		d.newest = append(d.newest, v.Instance)
	}
	d.votes[v.Instance] = v
	if len(d.newest) > 2000 {
		kept := d.newest[:0]
		for n, i := range d.newest {
			if held := max(d.acceptor.Held, d.state.Applied); n < 1000 && i <= held {
				delete(d.votes, i)
				delete(d.records, i)
			} else {
				kept = append(kept, i)
			}
		}
		d.newest = kept
	}
}

// apply makes a commit, and fails where something goes back that must not.
func (d *hostileDisk) apply(records []paxos.Record) error {
	for _, r := range records {
		switch r := r.(type) {
		case paxos.SetPromised:
			if r.Ballot.Less(d.acceptor.Promised) {
				return fmt.Errorf("the promise goes back from %v to %v", d.acceptor.Promised, r.Ballot)
			}
			d.acceptor.Promised = r.Ballot
		case paxos.PutVote:
			d.put(r.Vote)
		case paxos.SetHeld:
			if r.Held < d.acceptor.Held {
				return fmt.Errorf("held goes back from %d to %d", d.acceptor.Held, r.Held)
			}
			d.acceptor.Held = r.Held
		case paxos.SetMark:
			d.acceptor.Commits, d.acceptor.Life, d.acceptor.Forgot = r.Commits, r.Life, r.Forgot
		case paxos.SetControl:
			d.acceptor.Control, d.state.Control = r.State, r.State
		case paxos.SetPeer:
			d.acceptor.Peers[r.ID], d.state.Peers[r.ID] = r.Peer, r.Peer
		case paxos.PutApplied:
			d.put(paxos.Vote{Instance: r.Record.Instance, Value: r.Value})
			d.records[r.Record.Instance] = r
		case paxos.PutSessions:
			for _, s := range r.States {
				d.sessions[s.ID] = s
			}
		case paxos.DropSession:
			delete(d.sessions, r.ID)
		case paxos.SetLearner:
			if r.State.Applied < d.state.Applied || r.State.Next < d.state.Next || r.State.Time < d.state.Time {
				return fmt.Errorf("a learner goes back from %+v to %+v", d.state.LearnerState, r.State)
			}
			d.state.LearnerState = r.State
		case paxos.SetWrong:
			d.state.Wrong = r.Why
		case paxos.Trimmed:
			maps.DeleteFunc(d.votes, func(i paxos.Instance, _ paxos.Vote) bool { return i < r.Instance })
			maps.DeleteFunc(d.records, func(i paxos.Instance, _ paxos.PutApplied) bool { return i < r.Instance })
		case paxos.Install:
			d.state.LearnerState, d.state.Control = r.State, r.Control
			clear(d.votes)
			clear(d.records)
			clear(d.sessions)
			for _, s := range r.Sessions {
				d.sessions[s.ID] = s
			}
		}
	}
	return nil
}

// load answers a load with what is there.
func (d *hostileDisk) load(q paxos.Load) *paxos.Loaded {
	m := &paxos.Loaded{Load: q}
	switch q.Kind {
	case paxos.LoadVotes:
		for _, i := range slices.Sorted(maps.Keys(d.votes)) {
			if i < q.From || i > q.To {
				continue
			}
			if len(m.Votes) == 20 {
				m.More = true
				break
			}
			m.Votes = append(m.Votes, d.votes[i])
			if d.role == paxos.RoleLearner {
				m.Chains = append(m.Chains, d.records[i].Chain)
			}
		}
	case paxos.LoadLog:
		for _, i := range slices.Sorted(maps.Keys(d.records)) {
			r := d.records[i].Record
			if r.Count == 0 || r.First > q.UpTo || r.First+paxos.Index(r.Count) <= q.Index {
				continue
			}
			if len(m.Log) == 20 {
				m.More = true
				break
			}
			m.Log = append(m.Log, r)
		}
	}
	return m
}

// hostileStep is one machine among hostile processes.
type hostileStep struct {
	paxos.Machine
	id    paxos.NodeID
	which int
	rng   *rand.Rand
	knows uint64
	mild  bool                        // nobody keeps an acceptor from voting
	rows  map[paxos.Role][]*paxos.Row // what a process of each role may send it
	said  hostileSaid
	now   paxos.Ticks
	syncs uint64
	disk  *hostileDisk
	log   []paxos.Value // what honest acceptors hold
	state control.State // what that has decided
	sent  int           // messages stepped
}

func newHostileStep(which int, seed uint64) *hostileStep {
	c := hostileMachines[which%len(hostileMachines)]
	h := &hostileStep{
		id: c.id, which: which % len(hostileMachines), rng: rand.New(rand.NewPCG(seed, uint64(which))), rows: map[paxos.Role][]*paxos.Row{},
		mild: seed%2 == 0, disk: newHostileDisk(c.role),
	}
	if seed%4 < 3 {
		h.knows = control.Level
	}
	for _, r := range paxos.Messages.Rows() {
		for role := paxos.RoleAcceptor; role <= paxos.RoleClient; role++ {
			if r.To.Has(c.role) && r.From.Has(role) {
				h.rows[role] = append(h.rows[role], r)
			}
		}
	}
	h.start()
	return h
}

// start makes the machine from what its disk holds.
func (h *hostileStep) start() {
	h.disk.start()
	h.Machine = hostileMachines[h.which].make(h.knows, h.disk)
	h.now, h.syncs = 1, 0
	h.Tick(h.now, 1)
	for _, id := range slices.Sorted(maps.Keys(hostileRoles)) {
		if id != h.id {
			h.Machine.Step(h.id, &paxos.PeerUp{ID: id, Role: hostileRoles[id], Incarnation: 7})
		}
	}
}

// Step counts what is stepped.
func (h *hostileStep) Step(from paxos.NodeID, m paxos.Message) {
	h.sent++
	h.Machine.Step(from, m)
}

// attack steps some messages of hostile processes.
func (h *hostileStep) attack() {
	for range 1 + h.rng.IntN(4) {
		role := paxos.RoleAcceptor + paxos.Role(h.rng.IntN(4))
		from, rows := hostilePeers[role], h.rows[role]
		if role == paxos.RoleAcceptor && h.rng.IntN(8) == 0 {
			from = "a4"
		}
		if len(rows) == 0 || from == h.id {
			continue
		}
		msg := rows[h.rng.IntN(len(rows))].Zero()
		hostileFill(reflect.ValueOf(msg).Elem(), h.rng, &h.said)
		if m, ok := msg.(*paxos.Member); ok && h.rng.IntN(2) == 0 { // that can be
			m.With, m.Order = "a4", paxos.MemberOrder(1+h.rng.IntN(3))
		}
		if h.mild {
			makeMild(msg)
		}
		h.Step(from, msg)
	}
	if m, ok := h.Machine.(*core.Machine); ok && h.rng.IntN(10) == 0 {
		m.Delivered()
		s := m.Open([12]byte{byte(h.rng.IntN(250)), byte(h.rng.IntN(250))})
		for range h.rng.IntN(4) {
			s.Append(&core.Append{Value: []byte("x"), Deadline: h.now + 1 + paxos.Ticks(h.rng.IntN(3000))})
		}
		m.Ask(&core.Call{Kind: core.CallEnd + core.CallKind(h.rng.IntN(4)), From: paxos.Index(h.rng.IntN(4)), Deadline: h.now + 2000, ID: paxos.AppendID{Session: paxos.NewSessionID(1, paxos.Stamp{}, [12]byte{1}), Seq: 1 + h.rng.Uint64N(9)}})
	}
	if h.rng.IntN(20) == 0 {
		who := []paxos.NodeID{"a2", "a3", "p2", "l2", "@1"}[h.rng.IntN(5)]
		h.Step(h.id, &paxos.PeerDown{ID: who})
		h.Step(h.id, &paxos.PeerUp{ID: who, Role: hostileRoles[who], Incarnation: 7})
	}
	if h.rng.IntN(100) == 0 && !h.mild {
		h.Step(h.id, &paxos.Twin{ID: []paxos.NodeID{"a2", "a3", "p2", "l2", "x"}[h.rng.IntN(5)]})
	}
	if h.rng.IntN(300) == 0 && h.disk.role != paxos.RoleClient {
		if h.rng.IntN(4) == 0 {
			h.disk = newHostileDisk(h.disk.role)
		}
		h.start()
	}
}

// makeMild takes out of a message what keeps an acceptor from voting, or a leader from
// leading, as one word may.
func makeMild(m paxos.Message) {
	switch m := m.(type) {
	case *paxos.Vouched:
		m.Known = 0
		m.Mark = paxos.Mark{}
	case *paxos.Heartbeat:
		m.Marks = nil
	case *paxos.Prepare:
		m.Rejoin = ""
	case *paxos.Reject:
		m.Promised = paxos.Ballot{}
	}
}

// value is what was chosen at an instance: the log begins, and goes on with appends and
// control commands of all kinds.
func (h *hostileStep) value(i paxos.Instance) (v paxos.Value, ok bool) {
	for n := paxos.Instance(len(h.log)); n < i && n < 3000; n++ {
		v := paxos.Value{Time: paxos.UnixNanos(n)}
		switch {
		case n == 0 && h.knows > 0:
			v.Batch = control.Batch(control.Genesis{Log: logID(5), Level: control.Level, Sessions: 3, Config: control.ConfigurationOf(hostileMembers, func(paxos.NodeID) uint64 { return 7 })})
		case h.rng.IntN(4) == 0 && h.knows > 0:
			v.Batch = control.Batch(hostileCommand(h.rng, &h.said))
			if control.Known(v.Batch, h.knows) != nil {
				v.Batch = nil // nobody would have voted for it
			}
		default:
			r := paxos.Run{Kind: paxos.RunAppend, Session: paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{byte(n % 3)}), First: 1 + uint64(n/3), Count: 1, Entries: paxos.AppendEntry(nil, []byte("v"))}
			v.Batch = r.AppendTo(nil)
		}
		h.choose(v)
	}
	if i < 1 || i > paxos.Instance(len(h.log)) {
		return paxos.Value{}, false
	}
	return h.log[i-1], true
}

// choose makes v the next that is chosen.
func (h *hostileStep) choose(v paxos.Value) {
	v.Origin = paxos.Ballot{Round: 1, Proposer: "p1"}
	h.log = append(h.log, v)
	if next, err := h.state.Apply(paxos.Instance(len(h.log)), v.Batch, control.Level); err == nil && paxos.IsControl(v.Batch) {
		h.state = next
	}
}

// honestAnswer is what an honest process, if to is one, answers to a message of a machine.
// So the machines come further than one hostile process of each role could take them.
func (h *hostileStep) honestAnswer(to paxos.NodeID, m paxos.Message) paxos.Message {
	if slices.Contains([]paxos.NodeID{"a3", "p2", "l2", "@1"}, to) {
		return nil
	}
	none := make(paxos.ByPlace[paxos.Mark], 3)
	switch m := m.(type) {
	case *paxos.Prepare:
		return &paxos.Promise{Ballot: m.Ballot, Nonce: m.Nonce, Page: m.Page, Last: true, Marks: none, Held: m.From - min(m.From, 1), Knows: h.knows, Control: h.decided()}
	case *paxos.Accept:
		return &paxos.Accepted{Runs: []paxos.VoteRun{{First: m.Instance, Last: m.Instance, Ballot: m.Ballot}}}
	case *paxos.Heartbeat:
		return &paxos.HeartbeatAck{Ballot: m.Ballot, Nonce: m.Nonce, Held: m.ChosenUpTo, Highest: m.ChosenUpTo, Knows: h.knows}
	case *paxos.Query:
		return &paxos.QueryReply{Nonce: m.Nonce, Silent: 1000}
	case *paxos.Vouch:
		return &paxos.Vouched{Asked: m.Mark, Known: m.Incarnation, Mark: m.Mark}
	case *paxos.Poll:
		held := max(3, paxos.Instance(len(h.log)))
		return &paxos.PollReply{Nonce: m.Nonce, Held: held, Highest: held}
	case *paxos.Fetch:
		p := &paxos.Page{Nonce: m.Nonce, From: m.From, Held: paxos.Instance(len(h.log)), First: h.state.FirstInstance()}
		if m.From < p.First {
			p.Control = h.state.Encode()
			return p
		}
		for i := max(m.From, 1); i < m.From+3; i++ {
			if v, ok := h.value(i); ok {
				p.Values = append(p.Values, paxos.Vote{Instance: i, Ballot: v.Origin, Value: v})
			}
		}
		p.Held = paxos.Instance(len(h.log))
		return p
	case *paxos.Decide:
		if control.Known(m.Batch, h.knows) == nil && len(h.log) > 0 {
			h.choose(paxos.Value{Batch: m.Batch, Time: paxos.UnixNanos(len(h.log))})
		}
	case *paxos.Able:
		return &paxos.AbleReply{Nonce: m.Nonce, Reach: 3}
	case *paxos.Attach:
		return &paxos.Attached{Nonce: m.Nonce, Session: m.Session, Applied: 3, MaxEntry: 200, MaxBatch: 400}
	case *paxos.Append:
		return &paxos.Result{Session: m.Session, Kind: paxos.ResultApplied, First: m.First, Count: 1, Index: paxos.Index(m.First), Instance: 4}
	}
	return nil
}

// decided is what the log that a proposer leads has decided, as far as it knows.
func (h *hostileStep) decided() paxos.Encoded {
	if p, ok := h.Machine.(*proposer.Proposer); ok {
		return p.Report().Control.Encode()
	}
	return ""
}

// flush does what the machine says, and tells it what came of it.
func (h *hostileStep) flush() error {
	out := h.Flush()
	if out.Halt != "" {
		return errors.New(out.Halt)
	}
	if n := len(out.SendNow) + len(out.SendAfter) + len(out.Writes) + len(out.Loads); n > 10_000 {
		return fmt.Errorf("%d messages, writes and loads came of a few messages", n)
	}
	if err := h.store(out); err != nil {
		return err
	}
	for _, e := range append(out.SendNow, out.SendAfter...) {
		h.said.hear(reflect.ValueOf(e.Msg))
		if answer := h.honestAnswer(e.To, e.Msg); answer != nil && h.rng.IntN(4) > 0 {
			from := e.To
			if _, ok := answer.(*paxos.Result); ok {
				from = "l1"
			}
			h.Step(from, answer)
		}
	}
	return nil
}

// store keeps what is to be written, and answers loads.
func (h *hostileStep) store(out paxos.Output) error {
	if err := h.disk.apply(out.Writes); err != nil {
		return err
	}
	for _, q := range out.Loads {
		h.Machine.Step(h.id, h.disk.load(q))
	}
	if out.Sync {
		h.syncs++
		h.Machine.Step(h.id, &paxos.Synced{Count: h.syncs})
	}
	return nil
}

// alone lets time pass without any message: the machine must not be busy with nothing.
func (h *hostileStep) alone() error {
	wakes := 0
	for end := h.now + 2000; h.now < end; wakes++ {
		out := h.Flush()
		if out.Halt != "" {
			return errors.New(out.Halt)
		}
		if err := h.store(out); err != nil {
			return err
		}
		h.now = max(h.now+1, min(end, h.Next()))
		h.Tick(h.now, paxos.UnixNanos(h.now))
	}
	if wakes > 1000 {
		return fmt.Errorf("it woke %d times in 2 s although nobody said anything", wakes)
	}
	return nil
}

// hostileBytes is what a machine may take at the end of a run. It is far below what its limits
// allow in the worst case, and far above what it takes: it finds what nothing limits.
const hostileBytes = 16 << 20

// hostilePatience is how long a run of a thousand steps may take on a machine that is busy.
const hostilePatience = 2 * time.Minute

// hostileRun steps one machine with what one hostile process of each role may send, and
// fails if the machine stops, is busy with nothing, grows, or sends or writes without bound. It
// returns how many messages were stepped.
func hostileRun(t *testing.T, which int, seed uint64, steps int) int {
	t.Helper()
	h := newHostileStep(which, seed)
	again := fmt.Sprintf("%s, seed %d; again: PAXLOG_SEED=%d PAXLOG_STEPS=1 go test ./sim -run HostilePeers", h.id, seed, seed)
	hangs := time.AfterFunc(hostilePatience*time.Duration(1+steps/1000), func() { panic("it hangs: " + again) })
	defer hangs.Stop()
	for step := range steps {
		h.attack()
		if h.rng.IntN(3) == 0 {
			h.now += paxos.Ticks(h.rng.IntN(200))
			h.Tick(h.now, paxos.UnixNanos(h.now))
		}
		err := h.flush()
		if err == nil && h.rng.IntN(100) == 0 {
			err = h.alone()
		}
		if err != nil {
			t.Fatalf("%s, step %d: %v", again, step, err)
		}
	}
	if n := footprint(reflect.ValueOf(h.Machine), map[uintptr]bool{}); n > hostileBytes {
		t.Fatalf("%s: the machine takes %d bytes at the end", again, n)
	}
	return h.sent
}

// footprint is about what something takes in memory, with all that it refers to.
func footprint(v reflect.Value, seen map[uintptr]bool) (n uint64) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return 0
		}
		if v.Kind() == reflect.Pointer {
			if seen[v.Pointer()] {
				return 0
			}
			seen[v.Pointer()] = true
		}
		return uint64(v.Elem().Type().Size()) + footprint(v.Elem(), seen)
	case reflect.Struct:
		for i := range v.NumField() {
			n += footprint(v.Field(i), seen)
		}
	case reflect.Array:
		for i := range v.Len() {
			n += footprint(v.Index(i), seen)
		}
	case reflect.String:
		return uint64(v.Len())
	case reflect.Slice:
		n = uint64(v.Cap()) * uint64(v.Type().Elem().Size())
		if v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				n += footprint(v.Index(i), seen)
			}
		}
	case reflect.Map:
		n = uint64(v.Len()) * uint64(v.Type().Key().Size()+v.Type().Elem().Size())
		for it := v.MapRange(); it.Next(); {
			n += footprint(it.Key(), seen) + footprint(it.Value(), seen)
		}
	}
	return n
}

// TestHostilePeers: PAXLOG_STEPS messages (100,000 by default) of what one hostile process of
// each role can send, into each machine, which is started anew from its disk now and then:
// none stops, hangs, grows or floods. The first seed is 0, or PAXLOG_SEED.
func TestHostilePeers(t *testing.T) {
	steps := cluster.Number(t, "PAXLOG_STEPS", 100_000)
	seed := uint64(cluster.Number(t, "PAXLOG_SEED", 0))
	first := seed
	for sent := 0; sent < steps; seed++ {
		length := 1000
		if seed%100 == 99 {
			length = 50_000 // for what grows slowly
		}
		for which := range hostileMachines {
			sent += hostileRun(t, which, seed, length)
		}
		if (seed+1)%1000 == 0 {
			t.Logf("%d messages, seeds %d to %d", sent, first, seed)
		}
	}
}

// FuzzMachines is TestHostilePeers for the fuzzer.
func FuzzMachines(f *testing.F) {
	for which := range hostileMachines {
		f.Add(uint8(which), uint64(1))
	}
	f.Fuzz(func(t *testing.T, which uint8, seed uint64) { hostileRun(t, int(which), seed, 300) })
}
