package wal

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// model is what a Store must behave like: plain maps, and loads that look at
// everything.
type model struct {
	promised paxos.Ballot
	held     paxos.Instance
	mark     paxos.SetMark
	peers    paxos.Peers
	votes    map[paxos.Instance]paxos.Vote
	learner  paxos.LearnerState
	applied  map[paxos.Instance]paxos.PutApplied
	sessions map[paxos.SessionID]paxos.SessionState
	control  paxos.Encoded
	kept     paxos.Index // where an index below is was trimmed
}

func newModel() *model {
	return &model{
		peers: paxos.Peers{}, votes: map[paxos.Instance]paxos.Vote{},
		applied: map[paxos.Instance]paxos.PutApplied{}, sessions: map[paxos.SessionID]paxos.SessionState{},
	}
}

func (m *model) apply(records []paxos.Record) {
	for _, r := range records {
		switch r := r.(type) {
		case paxos.SetPromised:
			m.promised = r.Ballot
		case paxos.PutVote:
			m.votes[r.Vote.Instance] = r.Vote
		case paxos.SetControl:
			m.control = r.State
		case paxos.SetHeld:
			m.held = r.Held
		case paxos.SetMark:
			m.mark = r
		case paxos.SetPeer:
			m.peers[r.ID] = r.Peer
		case paxos.PutApplied:
			m.applied[r.Record.Instance] = r
		case paxos.PutSessions:
			for _, s := range r.States {
				m.sessions[s.ID] = s
			}
		case paxos.DropSession:
			delete(m.sessions, r.ID)
		case paxos.SetLearner:
			m.learner = r.State
			m.learner.FirstIndex, m.learner.FirstInstance = max(r.State.FirstIndex, 1), max(r.State.FirstInstance, 1)
		case paxos.Trimmed:
			maps.DeleteFunc(m.votes, func(i paxos.Instance, _ paxos.Vote) bool { return i < r.Instance })
			maps.DeleteFunc(m.applied, func(i paxos.Instance, _ paxos.PutApplied) bool { return i < r.Instance })
			m.kept = r.Index
		case paxos.Install:
			m.applied, m.sessions = map[paxos.Instance]paxos.PutApplied{}, map[paxos.SessionID]paxos.SessionState{}
			for _, s := range r.Sessions {
				m.sessions[s.ID] = s
			}
			m.learner, m.control, m.kept = r.State, r.Control, r.State.Next
		default:
			panic(fmt.Sprintf("no model of a %T", r))
		}
	}
}

func (m *model) acceptorState() acceptor.State {
	st := acceptor.State{Promised: m.promised, Held: m.held, Commits: m.mark.Commits, Life: m.mark.Life, Forgot: m.mark.Forgot, Peers: m.peers, Votes: map[paxos.Instance]paxos.Ballot{}}
	st.Control, st.Controls = m.control, map[paxos.Instance]string{}
	for i, v := range m.votes {
		if i > m.held {
			st.Votes[i] = v.Ballot
			if paxos.IsControl(v.Value.Batch) {
				st.Controls[i] = string(v.Value.Batch)
			}
		}
	}
	return st
}

func (m *model) learnerState() learner.State {
	st := learner.State{LearnerState: m.learner, Peers: m.peers, Control: m.control, Sessions: slices.Collect(maps.Values(m.sessions))}
	slices.SortFunc(st.Sessions, func(a, b paxos.SessionState) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return st
}

// inOrder returns everything applied, in instance order.
func (m *model) inOrder() []paxos.PutApplied {
	return slices.SortedFunc(maps.Values(m.applied), func(a, b paxos.PutApplied) int {
		return cmp.Compare(a.Record.Instance, b.Record.Instance)
	})
}

// loadVotes is the whole range, without a bound.
func (m *model) loadVotes(role paxos.Role, from, to paxos.Instance) []paxos.Vote {
	var out []paxos.Vote
	if role == paxos.RoleLearner {
		for _, p := range m.inOrder() {
			out = append(out, paxos.Vote{Instance: p.Record.Instance, Ballot: p.Value.Origin, Value: p.Value})
		}
	} else {
		out = slices.SortedFunc(maps.Values(m.votes), func(a, b paxos.Vote) int { return cmp.Compare(a.Instance, b.Instance) })
	}
	return slices.DeleteFunc(out, func(v paxos.Vote) bool { return v.Instance < from || v.Instance > to })
}

func (m *model) loadLog(index, upTo paxos.Index) []paxos.LogRecord {
	var out []paxos.LogRecord
	if index < m.kept {
		return nil
	}
	for _, p := range m.inOrder() {
		if r := p.Record; r.Count > 0 && r.First+paxos.Index(r.Count) > index && r.First <= upTo {
			out = append(out, r)
		}
	}
	return out
}

func (m *model) loadTime(t paxos.UnixNanos) paxos.Index {
	for _, p := range m.inOrder() {
		if p.Record.Count > 0 && p.Record.Time >= t {
			return p.Record.First
		}
	}
	return 0
}

// command is where one command of a session is.
type command struct {
	seq      uint64
	index    paxos.Index
	instance paxos.Instance
	origin   paxos.Ballot
	time     paxos.UnixNanos
}

// commands lists the applied commands first .. last of a session one by one.
func (m *model) commands(id paxos.SessionID, first, last uint64) []command {
	var out []command
	for _, p := range m.inOrder() {
		index := p.Record.First
		for log := p.Record.Log; len(log) > 0; {
			run, rest, err := paxos.NextRun(log)
			if err != nil {
				panic(err)
			}
			for i := range run.Count {
				if seq := run.First + i; run.Session == id && seq >= first && seq <= last {
					out = append(out, command{seq, index, p.Record.Instance, p.Record.Origin, p.Record.Time})
				}
				index++
			}
			log = rest
		}
	}
	slices.SortFunc(out, func(a, b command) int { return cmp.Compare(a.seq, b.seq) })
	return out
}

// expand lists the commands of loaded runs one by one.
func expand(runs []paxos.RunAt) []command {
	var out []command
	for _, r := range runs {
		for i := range r.Count {
			out = append(out, command{r.First + i, r.Index + paxos.Index(i), r.Instance, r.Origin, r.Time})
		}
	}
	return out
}

// state is all that can be read, as one text.
func (m *model) state(role paxos.Role) string {
	if role == paxos.RoleAcceptor {
		return dump(m.acceptorState(), m.loadVotes(role, 0, everything))
	}
	return dump(m.learnerState(), m.loadVotes(role, 0, everything), m.loadLog(max(m.kept, 1), everything))
}

const everything = 1 << 50

// stateOf is model.state of a store.
func stateOf(s *Store) (string, error) {
	votes, err := s.Load(paxos.Load{Kind: paxos.LoadVotes, To: everything, MaxBytes: 1 << 40})
	if err != nil {
		return "", err
	}
	if s.id.Role == paxos.RoleAcceptor.String() {
		st, err := s.Acceptor()
		return dump(st, votes.Votes), err
	}
	st, err := s.Learner()
	if err != nil {
		return "", err
	}
	first := paxos.Index(1)
	err = s.scan([]byte{keyIndex}, []byte{keyIndex + 1}, func(k, _ []byte) (bool, error) {
		first = paxos.Index(keyNumber(k))
		return false, nil
	})
	if err != nil {
		return "", err
	}
	log, err := s.Load(paxos.Load{Kind: paxos.LoadLog, Index: first, UpTo: everything, MaxBytes: 1 << 40})
	if err != nil {
		return "", err
	}
	return dump(st, votes.Votes, log.Log), nil
}

// dump renders values completely; nil and empty are the same to it.
func dump(values ...any) string {
	var out []string
	for _, v := range values {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		if string(b) == "[]" {
			b = []byte("null")
		}
		out = append(out, strings.NewReplacer(`:""`, ":null", ":[]", ":null", ":{}", ":null").Replace(string(b)))
	}
	return strings.Join(out, "\n")
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := dump(got), dump(want); g != w {
		t.Fatalf("%s:\n got %s\nwant %s", what, g, w)
	}
}

// seeds runs f as a subtest named after each seed 1 .. n, fewer where tests are slow.
func seeds(t *testing.T, n int, f func(t *testing.T, r *rand.Rand)) {
	for seed := range uint64(max(1, n/fewerSeeds)) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) { f(t, rand.New(rand.NewPCG(seed+1, 0))) })
	}
}

// work makes the commits of a role at random, and mirrors them in its model.
type work struct {
	r    *rand.Rand
	role paxos.Role
	m    *model
	last map[paxos.SessionID]uint64
	ids  []paxos.SessionID
	size int // of batches and entries, at most
}

func newWork(r *rand.Rand, role paxos.Role) *work {
	w := &work{r: r, role: role, m: newModel(), last: map[paxos.SessionID]uint64{}, size: 40}
	w.m.learner.Next = 1
	w.m.apply([]paxos.Record{paxos.SetLearner{State: w.m.learner}})
	// Sessions with adjacent ids, and the first and the last of all; and a long one that begins as a
	// short one does.
	for _, tail := range []byte{0, 1, 2, 255} {
		id := paxos.SessionID{7: 3, 19: tail}
		w.ids = append(w.ids, id)
		w.last[id] = uint64(r.IntN(2)) * 125 // so that some cross the bound of a one-byte number
	}
	last := paxos.SessionID(slices.Repeat([]byte{255}, 32))
	last[0] = 0x3f // no birth is above that
	w.ids = append(w.ids, last, paxos.SessionID{7: 3, 19: 1, 27: 1}, paxos.SessionID{})
	return w
}

// first is what a store must be told before the first commit.
func (w *work) first() []paxos.Record {
	if w.role == paxos.RoleAcceptor {
		return nil
	}
	return []paxos.Record{paxos.SetLearner{State: w.m.learner}}
}

func (w *work) bytes(most int) []byte {
	b := make([]byte, w.r.IntN(most+1))
	for i := range b {
		b[i] = byte(w.r.IntN(256))
	}
	return b
}

func (w *work) ballot(round uint64) paxos.Ballot {
	return paxos.Ballot{Round: round, Proposer: paxos.NodeID(fmt.Sprintf("p%d", w.r.IntN(3))), Process: w.r.Uint64()}
}

// next is one commit; no two leave the same state.
func (w *work) next() []paxos.Record {
	var out []paxos.Record
	if w.role == paxos.RoleAcceptor {
		out = w.acceptorCommit()
	} else {
		out = w.learnerCommit()
	}
	if w.r.IntN(4) == 0 {
		out = append(out, paxos.SetPeer{ID: paxos.NodeID(fmt.Sprintf("a%d", w.r.IntN(4))), Peer: paxos.Peer{
			Incarnation: w.r.Uint64(), Mark: paxos.Mark{Commits: w.r.Uint64(), Process: w.r.Uint64(), Life: w.ballot(1)},
		}})
	}
	w.m.apply(out)
	return out
}

func (w *work) acceptorCommit() []paxos.Record {
	promised := w.ballot(w.m.promised.Round + 1 + w.r.Uint64N(1<<w.r.IntN(20)))
	out := []paxos.Record{paxos.SetPromised{Ballot: promised}}
	for range w.r.IntN(5) {
		b := promised
		if w.r.IntN(2) == 0 {
			b = w.ballot(w.r.Uint64N(promised.Round))
		}
		v := paxos.Value{Origin: w.ballot(w.r.Uint64N(b.Round + 1)), Time: paxos.UnixNanos(w.r.Int64())}
		if w.r.IntN(4) > 0 {
			v.Batch = w.bytes(w.size)
		}
		i := w.m.held + 1 + paxos.Instance(w.r.IntN(20))
		if i == 1 && paxos.IsControl(v.Batch) {
			v.Batch = nil // a log begins with what is known, or with no control value
		}
		out = append(out, paxos.PutVote{Vote: paxos.Vote{Instance: i, Ballot: b, Value: v}})
	}
	if w.r.IntN(3) == 0 {
		held := w.m.held + paxos.Instance(w.r.IntN(4))
		if held%3 == 1 {
			out = append(out, paxos.SetControl{State: begunAt(held)})
		}
		out = append(out, paxos.SetHeld{Held: held})
	}
	if w.r.IntN(12) == 0 { // held jumps where a source has trimmed what comes next
		held := lastHeld(out, w.m.held)
		first := held + 1 - min(held, paxos.Instance(w.r.IntN(8)))
		if w.r.IntN(3) == 0 {
			first = held + 1 + paxos.Instance(w.r.IntN(8))
			held = first - 1
		}
		out = append(out, paxos.Trimmed{Instance: first}, paxos.SetHeld{Held: held})
	}
	if w.r.IntN(10) == 0 {
		out = append(out, paxos.SetMark{Commits: w.m.mark.Commits + w.r.Uint64N(300), Life: w.ballot(2), Forgot: w.r.IntN(2) == 0})
	}
	return out
}

// lastHeld is what held is after records.
func lastHeld(records []paxos.Record, held paxos.Instance) paxos.Instance {
	for _, r := range slices.Backward(records) {
		if r, ok := r.(paxos.SetHeld); ok {
			return r.Held
		}
	}
	return held
}

func (w *work) learnerCommit() []paxos.Record {
	var out []paxos.Record
	if w.r.IntN(60) == 0 {
		out = append(out, w.install())
	}
	st := w.m.learner
	if len(out) > 0 {
		st = out[0].(paxos.Install).State
	}
	for range 1 + w.r.IntN(3) {
		st.Applied++
		st.Time += paxos.UnixNanos(w.r.IntN(3)) // often equal
		p := paxos.PutApplied{Value: paxos.Value{Origin: w.ballot(5), Time: paxos.UnixNanos(w.r.Int64())}}
		p.Record = paxos.LogRecord{Instance: st.Applied, First: st.Next, Origin: p.Value.Origin, Time: st.Time}
		for range w.r.IntN(4) {
			asked, kept := w.run()
			p.Value.Batch = asked.AppendTo(p.Value.Batch)
			if kept.Count > 0 {
				p.Record.Log = kept.AppendTo(p.Record.Log)
				p.Record.Count += kept.Count
				w.last[kept.Session] = kept.First + kept.Count - 1
			}
			st.Uses++
			if w.r.IntN(8) == 0 {
				out = append(out, paxos.DropSession{ID: asked.Session})
			} else {
				out = append(out, paxos.PutSessions{States: []paxos.SessionState{{
					ID: asked.Session, Last: w.last[asked.Session], Used: st.Uses, Closed: w.r.IntN(3) == 0,
				}}})
			}
		}
		st.Chain = st.Chain.Next(st.Applied, &p.Value)
		p.Chain = st.Chain
		st.Next += paxos.Index(p.Record.Count)
		st.Floor += paxos.Instance(w.r.IntN(2))
		out = append(out, p)
	}
	if log := w.m.inOrder(); len(log) > 0 && len(out) > 0 && w.r.IntN(20) == 0 {
		if _, installs := out[0].(paxos.Install); !installs {
			k := w.r.IntN(len(log))
			first := log[k].Record
			st.FirstIndex, st.FirstInstance = first.First, first.Instance
			if k > 0 {
				st.Below = log[k-1].Chain
			}
			out = append(out, paxos.Trimmed{Instance: first.Instance, Index: first.First})
		}
	}
	if st.Applied%3 == 1 {
		out = append(out, paxos.SetControl{State: begunAt(st.Applied)})
	}
	return append(out, paxos.SetLearner{State: st})
}

// install is a state that takes the place of what there is: further on, with some of the
// sessions.
func (w *work) install() paxos.Install {
	st := w.m.learner
	st.Applied += 1 + paxos.Instance(w.r.IntN(9))
	st.Next += paxos.Index(w.r.IntN(9))
	st.FirstIndex, st.FirstInstance, st.Below = st.Next, st.Applied+1, st.Chain
	in := paxos.Install{State: st, Control: begunAt(st.Applied)}
	for _, id := range w.ids {
		if w.r.IntN(3) > 0 {
			in.Sessions = append(in.Sessions, paxos.SessionState{ID: id, Last: w.last[id], Used: w.r.Uint64N(1000)})
		}
	}
	return in
}

// begunAt is the state of a log that has begun at an instance.
func begunAt(i paxos.Instance) paxos.Encoded {
	return control.State{
		Level: control.Level, Log: paxos.LogID{7, 200}, Since: i, At: i, FirstIndex: 1, Begun: -1, Sessions: 1 << 40,
		Config: control.Configuration{Epoch: 1, Phase1: 1, Phase2: 1, Acceptors: paxos.ByPlace[control.Acceptor]{{ID: "a1", Incarnation: 1<<64 - 1}}},
	}.Encode()
}

// run is a run as a leader proposes it, and what a learner applies of it: all,
// the part that is new, or nothing.
func (w *work) run() (asked, kept paxos.Run) {
	id := w.ids[w.r.IntN(len(w.ids))]
	if w.r.IntN(8) == 0 {
		return paxos.Run{Kind: paxos.RunFence, Session: id}, kept
	}
	last := w.last[id]
	asked = paxos.Run{Kind: paxos.RunAppend, Session: id, First: last + 1, Count: 1 + w.r.Uint64N(4)}
	back := min(last, w.r.Uint64N(4))
	if w.r.IntN(2) == 0 {
		back = 0
	}
	asked.First -= back
	for range asked.Count {
		asked.Entries = paxos.AppendEntry(asked.Entries, w.bytes(w.r.IntN(2)*w.size/2))
	}
	if back >= asked.Count {
		return asked, kept
	}
	return asked, asked.Skip(back)
}

const dir = "data"

var members = paxos.Membership{Cluster: "c", Acceptors: []paxos.NodeID{"a1", "a2", "a3"}, Phase1: 2, Phase2: 2, Sessions: 100}

func identity(role paxos.Role) Identity {
	if role == paxos.RoleAcceptor {
		return NewIdentity(members, role, "a1")
	}
	return NewIdentity(members, role, "l1")
}

// neverFatal is the Fatal of stores on disks that do not fail.
func neverFatal(err error) { panic(fmt.Sprintf("fatal: %v", err)) }

func initDir(t testing.TB, fs vfs.FS, role paxos.Role) {
	t.Helper()
	if err := Init(fs, dir, identity(role)); err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t testing.TB, fs vfs.FS, role paxos.Role) *Store {
	t.Helper()
	s, err := Open(dir, identity(role), Options{FS: fs, Fatal: neverFatal, FoldEach: 5})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// commit applies records, and waits for them if sync.
func commit(s *Store, records []paxos.Record, sync bool) error {
	c := s.NewCommit(len(records), 0)
	if err := c.Add(records); err != nil {
		return err
	}
	if err := c.Apply(sync); err != nil {
		return err
	}
	if sync {
		if err := c.Wait(); err != nil {
			return err
		}
	}
	c.Close()
	return nil
}

func mustCommit(t testing.TB, s *Store, records []paxos.Record, sync bool) {
	t.Helper()
	if err := commit(s, records, sync); err != nil {
		t.Fatal(err)
	}
}

// flush makes Pebble write its memory to a table, so that more than its log is
// in play.
func flush(t testing.TB, s *Store) {
	t.Helper()
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
}
