package sim

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/client/core"
	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/proposer"
)

// hostileMembers are three acceptors; of each role the last process is the hostile one.
var hostileMembers = paxos.Membership{Cluster: "t", Acceptors: []paxos.NodeID{"a1", "a2", "a3"}, Phase1: 2, Phase2: 2, Sessions: 3}

// hostilePeers are who sends what a machine did not ask for, by role.
var hostilePeers = map[paxos.Role]paxos.NodeID{paxos.RoleAcceptor: "a3", paxos.RoleProposer: "p2", paxos.RoleLearner: "l2", paxos.RoleClient: "@1"}

// hostileRoles are all processes.
var hostileRoles = map[paxos.NodeID]paxos.Role{
	"a1": paxos.RoleAcceptor, "a2": paxos.RoleAcceptor, "a3": paxos.RoleAcceptor, "p1": paxos.RoleProposer,
	"p2": paxos.RoleProposer, "l1": paxos.RoleLearner, "l2": paxos.RoleLearner, "@1": paxos.RoleClient,
}

// hostileMachines are the four machines, each as it begins.
var hostileMachines = []struct {
	id   paxos.NodeID
	role paxos.Role
	make func() paxos.Machine
}{
	{"a1", paxos.RoleAcceptor, func() paxos.Machine {
		return acceptor.New(acceptor.Config{
			ID: "a1", Membership: hostileMembers, Incarnation: 7, Seed: 9, Sources: []paxos.NodeID{"a2", "a3", "l1", "l2"}, Proposers: []paxos.NodeID{"p1", "p2"},
			ElectionTicks: 150, RetryTicks: 100, StallTicks: 1500, IdleTicks: 5000, PageBytes: 1000, ValueBytes: 1000,
		}, acceptor.State{})
	}},
	{"p1", paxos.RoleProposer, func() paxos.Machine {
		return proposer.New(proposer.Config{
			ID: "p1", Membership: hostileMembers, Process: 3, Seed: 4, HeartbeatTicks: 50, ElectionMin: 150, ElectionMax: 300, RetryTicks: 100, StallTicks: 1500,
			Window: 8, WindowBytes: 1500, BatchBytes: 400, EntryBytes: 200, QueueBytes: 2000,
		})
	}},
	{"l1", paxos.RoleLearner, func() paxos.Machine {
		return learner.New(learner.Config{
			ID: "l1", Membership: hostileMembers, Learners: []paxos.NodeID{"l2"}, Seed: 5, PollTicks: 50, RetryTicks: 100, ReadTicks: 1000,
			PageBytes: 1000, EntryBytes: 200, BatchBytes: 400, AheadBytes: 5000, BurstBytes: 4000,
		}, learner.State{})
	}},
	{"@2", paxos.RoleClient, func() paxos.Machine {
		m := core.New(core.Config{Proposers: []paxos.NodeID{"p1", "p2"}, Learners: []paxos.NodeID{"l1", "l2"}, InflightBytes: 1000})
		s := m.Open([12]byte{1})
		for range 5 {
			s.Append(&core.Append{Value: []byte("x")})
		}
		return m
	}},
}

// hostileSaid is what a machine has said: whoever hears it can say it again.
type hostileSaid struct {
	numbers  []uint64
	ballots  []paxos.Ballot
	sessions []paxos.SessionID
	marks    []paxos.Mark
	entry    func() []byte // the next one that is appended
}

// hostileAgain sets v to something of its kind that was said, now and then.
func hostileAgain[T any](v reflect.Value, rng *rand.Rand, said []T) bool {
	if len(said) == 0 || rng.IntN(2) == 0 {
		return false
	}
	v.Set(reflect.ValueOf(said[rng.IntN(len(said))]))
	return true
}

// hostileNumber is small, or extreme, or was said.
func hostileNumber(rng *rand.Rand, said *hostileSaid) uint64 {
	switch n := len(said.numbers); rng.IntN(6) {
	case 0:
		return paxos.Bound - 1 - rng.Uint64N(3)
	case 1:
		return 1 << rng.UintN(62)
	case 2, 3:
		if n > 0 {
			return said.numbers[rng.IntN(n)]
		}
	}
	return rng.Uint64N(6)
}

// hostileFill fills v with what a peer may send.
func hostileFill(v reflect.Value, rng *rand.Rand, said *hostileSaid) {
	switch v.Interface().(type) {
	case paxos.Ballot:
		if hostileAgain(v, rng, said.ballots) {
			return
		}
		if rng.IntN(2) == 0 { // its own
			v.Set(reflect.ValueOf(paxos.Ballot{Round: 1 + rng.Uint64N(5), Proposer: "p2", Process: 1}))
			return
		}
	case paxos.SessionID:
		if hostileAgain(v, rng, said.sessions) {
			return
		}
	case paxos.Mark:
		if hostileAgain(v, rng, said.marks) {
			return
		}
	case []byte:
		v.SetBytes(hostileBatch(rng, said))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			hostileFill(v.Field(i), rng, said)
		}
	case reflect.Slice:
		n := rng.IntN(5)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			hostileFill(v.Index(i), rng, said)
		}
	case reflect.Array:
		for i := range v.Len() {
			hostileFill(v.Index(i), rng, said)
		}
	case reflect.String:
		v.SetString([]string{"", "p1", "p2", "a1", "a3", "l1", "@1", "x"}[rng.IntN(8)])
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(hostileNumber(rng, said)) * int64(1-2*rng.IntN(2)))
	case reflect.Uint64:
		v.SetUint(hostileNumber(rng, said))
	case reflect.Uint8:
		v.SetUint(rng.Uint64N(6))
	default:
		v.SetUint(hostileNumber(rng, said) & (1<<v.Type().Bits() - 1))
	}
}

// hostileBatch is well formed more often than not.
func hostileBatch(rng *rand.Rand, said *hostileSaid) (batch []byte) {
	session := paxos.NewSessionID(paxos.Instance(rng.IntN(3)), [12]byte{byte(rng.IntN(12))})
	if n := len(said.sessions); n > 0 && rng.IntN(2) == 0 {
		session = said.sessions[rng.IntN(n)]
	}
	switch rng.IntN(5) {
	case 0:
		return []byte{byte(rng.IntN(8)), 1, 2}
	case 1:
		return paxos.Fence(session)
	}
	for range rng.IntN(3) {
		r := paxos.Run{Kind: paxos.RunAppend, Session: session, First: 1 + hostileNumber(rng, said)%(paxos.Bound-9), Count: uint64(1 + rng.IntN(3))}
		for range r.Count {
			entry := make([]byte, rng.IntN(20))
			if said.entry != nil {
				entry = said.entry()
			}
			r.Entries = paxos.AppendEntry(r.Entries, entry)
		}
		batch = r.AppendTo(batch)
	}
	return batch
}

// hear keeps the newest of what a machine says.
func (s *hostileSaid) hear(v reflect.Value) {
	switch x := v.Interface().(type) {
	case paxos.Ballot:
		s.ballots = newest(append(s.ballots, x))
	case paxos.SessionID:
		s.sessions = newest(append(s.sessions, x))
	case paxos.Mark:
		s.marks = newest(append(s.marks, x))
	}
	switch v.Kind() {
	case reflect.Pointer:
		s.hear(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			s.hear(v.Field(i))
		}
	case reflect.Slice:
		for i := range min(v.Len(), 4) {
			s.hear(v.Index(i))
		}
	case reflect.Uint64:
		s.numbers = newest(append(s.numbers, v.Uint()))
	}
}

func newest[T any](list []T) []T {
	if len(list) > 64 {
		return list[32:]
	}
	return list
}

// honestAnswer is what an honest process, if to is one, answers to a message of a machine.
// So the machines come further than one hostile process of each role could take them.
func honestAnswer(to paxos.NodeID, m paxos.Message) paxos.Message {
	if slices.Contains([]paxos.NodeID{"a3", "p2", "l2", "@1"}, to) {
		return nil
	}
	none := make(paxos.ByPlace[paxos.Mark], 3)
	switch m := m.(type) {
	case *paxos.Prepare:
		return &paxos.Promise{Ballot: m.Ballot, Nonce: m.Nonce, Page: m.Page, Last: true, Marks: none, Held: m.From - min(m.From, 1)}
	case *paxos.Accept:
		return &paxos.Accepted{Runs: []paxos.VoteRun{{First: m.Instance, Last: m.Instance, Ballot: m.Ballot}}}
	case *paxos.Heartbeat:
		return &paxos.HeartbeatAck{Ballot: m.Ballot, Nonce: m.Nonce, Held: m.ChosenUpTo, Highest: m.ChosenUpTo}
	case *paxos.Query:
		return &paxos.QueryReply{Nonce: m.Nonce, Silent: 1000}
	case *paxos.Vouch:
		return &paxos.Vouched{Asked: m.Mark, Known: m.Incarnation, Mark: m.Mark}
	case *paxos.Poll:
		return &paxos.PollReply{Nonce: m.Nonce, Held: 3, Highest: 3}
	case *paxos.Fetch:
		p := &paxos.Page{Nonce: m.Nonce, From: m.From, Held: m.From + 9}
		for i := m.From; i < m.From+3; i++ {
			r := paxos.Run{Kind: paxos.RunAppend, Session: paxos.NewSessionID(0, [12]byte{byte(i % 3)}), First: 1 + uint64(i/3), Count: 1, Entries: paxos.AppendEntry(nil, []byte("v"))}
			p.Values = append(p.Values, paxos.Vote{Instance: i, Ballot: paxos.Ballot{Round: 1, Proposer: "p1"}, Value: paxos.Value{Batch: r.AppendTo(nil)}})
		}
		return p
	case *paxos.Able:
		return &paxos.AbleReply{Nonce: m.Nonce, Reach: 3}
	case *paxos.Attach:
		return &paxos.Attached{Nonce: m.Nonce, Session: m.Session, Applied: 3, MaxEntry: 200, MaxBatch: 400}
	case *paxos.Append:
		return &paxos.Result{Session: m.Session, Kind: paxos.ResultApplied, First: m.First, Count: 1, Index: paxos.Index(m.First), Instance: 4}
	}
	return nil
}

// hostileStep is one machine among hostile processes.
type hostileStep struct {
	paxos.Machine
	id    paxos.NodeID
	rng   *rand.Rand
	mild  bool                        // nobody keeps an acceptor from voting
	rows  map[paxos.Role][]*paxos.Row // what a process of each role may send it
	said  hostileSaid
	now   paxos.Ticks
	syncs uint64
	votes map[paxos.Instance]paxos.Vote
}

func newHostileStep(which int, seed uint64) *hostileStep {
	c := hostileMachines[which%len(hostileMachines)]
	h := &hostileStep{Machine: c.make(), id: c.id, rng: rand.New(rand.NewPCG(seed, uint64(which))), rows: map[paxos.Role][]*paxos.Row{}, now: 1, mild: seed%2 == 0, votes: map[paxos.Instance]paxos.Vote{}}
	for _, r := range paxos.Messages.Rows() {
		for role := paxos.RoleAcceptor; role <= paxos.RoleClient; role++ {
			if r.To.Has(c.role) && r.From.Has(role) {
				h.rows[role] = append(h.rows[role], r)
			}
		}
	}
	h.Tick(h.now, 1)
	for _, id := range slices.Sorted(maps.Keys(hostileRoles)) {
		if id != c.id {
			h.Step(c.id, &paxos.PeerUp{ID: id, Role: hostileRoles[id]})
		}
	}
	return h
}

// attack steps some messages of hostile processes.
func (h *hostileStep) attack() {
	for range 1 + h.rng.IntN(4) {
		role := paxos.RoleAcceptor + paxos.Role(h.rng.IntN(4))
		from, rows := hostilePeers[role], h.rows[role]
		if len(rows) == 0 || from == h.id {
			continue
		}
		msg := rows[h.rng.IntN(len(rows))].Zero()
		hostileFill(reflect.ValueOf(msg).Elem(), h.rng, &h.said)
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
		m.Ask(&core.Call{Kind: core.CallEnd + core.CallKind(h.rng.IntN(4)), From: paxos.Index(h.rng.IntN(4)), Deadline: h.now + 2000, ID: paxos.AppendID{Session: paxos.NewSessionID(1, [12]byte{1}), Seq: 1 + h.rng.Uint64N(9)}})
	}
	if h.rng.IntN(20) == 0 {
		who := []paxos.NodeID{"a2", "a3", "p2", "l2", "@1"}[h.rng.IntN(5)]
		h.Step(h.id, &paxos.PeerDown{ID: who})
		h.Step(h.id, &paxos.PeerUp{ID: who, Role: hostileRoles[who]})
	}
}

// makeMild takes out of a message what keeps an acceptor from voting at all, as one word
// may.
func makeMild(m paxos.Message) {
	switch m := m.(type) {
	case *paxos.Vouched:
		m.Known = 0
		m.Mark = paxos.Mark{}
	case *paxos.Heartbeat:
		m.Marks = nil
	case *paxos.Prepare:
		m.Rejoin = ""
	}
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
	h.store(out)
	for _, e := range append(out.SendNow, out.SendAfter...) {
		h.said.hear(reflect.ValueOf(e.Msg))
		if answer := honestAnswer(e.To, e.Msg); answer != nil && h.rng.IntN(4) > 0 {
			from := e.To
			if _, ok := answer.(*paxos.Result); ok {
				from = "l1"
			}
			h.Step(from, answer)
		}
	}
	return nil
}

// store is a disk that keeps votes, and finds nothing else.
func (h *hostileStep) store(out paxos.Output) {
	for _, w := range out.Writes {
		switch w := w.(type) {
		case paxos.PutVote:
			h.votes[w.Vote.Instance] = w.Vote
		case paxos.PutApplied:
			h.votes[w.Record.Instance] = paxos.Vote{Instance: w.Record.Instance, Value: w.Value}
		}
	}
	for _, q := range out.Loads {
		m := &paxos.Loaded{Load: q}
		for _, i := range slices.Sorted(maps.Keys(h.votes)) {
			if q.Kind == paxos.LoadVotes && i >= q.From && i <= q.To {
				if m.Votes = append(m.Votes, h.votes[i]); len(m.Votes) == 20 {
					m.More = true
					break
				}
			}
		}
		h.Step(h.id, m)
	}
	if out.Sync {
		h.syncs++
		h.Step(h.id, &paxos.Synced{Count: h.syncs})
	}
}

// alone lets time pass without any message: the machine must not be busy with nothing.
func (h *hostileStep) alone() error {
	wakes := 0
	for end := h.now + 2000; h.now < end; wakes++ {
		if out := h.Flush(); out.Halt != "" {
			return errors.New(out.Halt)
		} else {
			h.store(out)
		}
		h.now = max(h.now+1, min(end, h.Next()))
		h.Tick(h.now, paxos.UnixNanos(h.now))
	}
	if wakes > 1000 {
		return fmt.Errorf("it woke %d times in 2 s although nobody said anything", wakes)
	}
	return nil
}

// hostileRun steps one machine with what one hostile process of each role may send, and
// fails if the machine stops, is busy with nothing, or sends or writes without bound.
func hostileRun(t *testing.T, which int, seed uint64, steps int) {
	t.Helper()
	h := newHostileStep(which, seed)
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
			t.Fatalf("%s, seed %d, step %d: %v", h.id, seed, step, err)
		}
	}
}

// TestHostilePeers: PAXLOG_HOSTILE steps (10,000 by default) of what one hostile process of
// each role can send, into each machine: none stops, hangs or floods.
func TestHostilePeers(t *testing.T) {
	steps := 10_000
	if s := os.Getenv("PAXLOG_HOSTILE"); s != "" {
		var err error
		if steps, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	for which := range hostileMachines {
		for seed := range uint64(max(1, steps/1000)) {
			hostileRun(t, which, seed, min(steps, 1000))
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
