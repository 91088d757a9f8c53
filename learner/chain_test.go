package learner

import (
	"slices"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// stored is a learner with what it has written, and all that it has sent.
type stored struct {
	*Learner
	records map[paxos.Instance]paxos.PutApplied
	wrote   []paxos.Record
	sent    []paxos.Envelope
	notes   []paxos.Note
	synced  bool
}

// newStored is a learner that has applied genesis of a level, and n values.
func newStored(t *testing.T, level uint64, n int, change func(*Config)) *stored {
	t.Helper()
	cfg := config()
	cfg.Knows = control.Level
	if change != nil {
		change(&cfg)
	}
	s := &stored{Learner: newLearnerWith(cfg, State{}), records: map[paxos.Instance]paxos.PutApplied{}}
	s.take(s.choose(1, genesis(level)))
	for k := range n {
		i := paxos.Instance(k + 2)
		s.take(s.choose(i, run(sessionID(1, 1), uint64(k+1), "value")))
	}
	s.settle()
	if int(s.state.Applied) != n+1 {
		t.Fatalf("applied %d", s.state.Applied)
	}
	return s
}

// take does what an output asks for, but for the loads.
func (s *stored) take(out paxos.Output) []paxos.Load {
	for _, w := range out.Writes {
		if p, ok := w.(paxos.PutApplied); ok {
			s.records[p.Record.Instance] = p
		}
	}
	s.wrote = append(s.wrote, out.Writes...)
	s.sent = append(s.sent, out.SendNow...)
	s.sent = append(s.sent, out.SendAfter...)
	s.notes = append(s.notes, out.Notes...)
	s.synced = s.synced || out.Sync
	return out.Loads
}

// settle flushes until nothing is left to be loaded.
func (s *stored) settle() {
	for loads := s.take(s.Flush()); len(loads) > 0; loads = s.take(s.Flush()) {
		for _, q := range loads {
			m := &paxos.Loaded{Load: q}
			for i := q.From; i <= q.To && q.Kind == paxos.LoadVotes; i++ {
				if p, ok := s.records[i]; ok {
					m.Votes = append(m.Votes, paxos.Vote{Instance: i, Ballot: p.Value.Origin, Value: p.Value})
					m.Chains = append(m.Chains, p.Chain)
				}
			}
			s.Step("l1", m)
		}
	}
}

// until tells the learner the time whenever it wants to be told, up to a time.
func (s *stored) until(at paxos.Ticks) {
	for s.now < at {
		s.Tick(min(at, max(s.Next(), s.now+1)), 0)
		s.settle()
	}
}

// answer has acceptors answer the fetches that were sent since the last call: each holds
// what it is given, and beside that what this learner has.
func (s *stored) answer(others map[paxos.NodeID]map[paxos.Instance]paxos.Value) (fetches int) {
	for {
		asked := s.sent
		s.sent = nil
		n := 0
		for _, e := range asked {
			m, ok := e.Msg.(*paxos.Fetch)
			if !ok || s.sources.voter(e.To) == nil {
				continue
			}
			n++
			p := &paxos.Page{Nonce: m.Nonce, From: m.From, Held: s.state.Applied}
			for i := m.From; i <= p.Held && len(p.Values) < 2; i++ {
				v, ok := others[e.To][i]
				if !ok {
					v = s.records[i].Value
				}
				p.Values = append(p.Values, paxos.Vote{Instance: i, Ballot: v.Origin, Value: v})
			}
			s.Step(e.To, p)
			s.settle()
		}
		if n == 0 && s.audit == nil {
			return fetches
		}
		if n == 0 {
			s.until(max(s.now+1, s.nextAudit()))
		}
		fetches += n
	}
}

func (s *stored) hold() {
	for _, id := range members.Acceptors {
		s.Step(id, &paxos.PollReply{Held: s.state.Applied, Highest: s.state.Applied, Stays: true})
	}
	s.settle()
	s.sent = nil
}

func (s *stored) noted(text string) (n int) {
	for _, x := range s.notes {
		if strings.Contains(x.Text, text) {
			n++
		}
	}
	return n
}

const differ = "another learner has another chain"

// TestChainBegins: values have a chain from the level on that has one, beginning with the
// command that sets the level, and a checkpoint has it.
func TestChainBegins(t *testing.T) {
	old := newStored(t, control.ChainLevel-1, 3, nil)
	if !old.state.Chain.IsZero() || !old.records[4].Chain.IsZero() || old.encodeState()[0] != stateVersion {
		t.Fatal("a log of an earlier level has a chain")
	}
	s := newStored(t, control.ChainLevel, 3, nil)
	var want paxos.Chain
	for i := paxos.Instance(1); i <= 4; i++ {
		p := s.records[i]
		if want = want.Next(i, &p.Value); p.Chain != want {
			t.Fatalf("instance %d: %v, not %v", i, p.Chain, want)
		}
	}
	st, err := decodeState(s.encodeState(), control.Level)
	if err != nil || st.Chain != want || st.Below != want || s.state.Chain != want {
		t.Fatalf("%v, %v", st, err)
	}
}

// TestChainIsTold: the other learner is told the newest chain when it connects, and again
// and again, also when nothing is appended; not where there is none.
func TestChainIsTold(t *testing.T) {
	told := func(s *stored) (n int) {
		for _, e := range s.sent {
			if m, ok := e.Msg.(*paxos.Chained); ok {
				if n++; e.To != "l2" || m.Instance != s.state.Applied || m.Chain != s.state.Chain {
					t.Fatalf("%s is told %+v", e.To, m)
				}
			}
		}
		s.sent = nil
		return n
	}
	s := newStored(t, control.ChainLevel, 1, nil)
	s.until(10)
	s.sent = nil
	if s.until(10 + 4*1500); told(s) != 4 {
		t.Fatal("an idle learner does not tell its chain")
	}
	s.Step("l1", &paxos.PeerDown{ID: "l2"})
	if s.until(20_000); told(s) != 0 {
		t.Fatal("told to nobody")
	}
	s.Step("l1", &paxos.PeerUp{ID: "l2"})
	if s.until(20_001); told(s) != 1 {
		t.Fatal("not told on connection")
	}
	old := newStored(t, control.ChainLevel-1, 1, nil)
	if old.until(10_000); told(old) != 0 {
		t.Fatal("told where there is none")
	}
}

// TestSameChain: equal chains are compared where this learner has them, and what is not
// known yet is compared later.
func TestSameChain(t *testing.T) {
	s := newStored(t, control.ChainLevel, 3, nil)
	for _, i := range []paxos.Instance{2, 4} {
		s.Step("l2", &paxos.Chained{Instance: i, Chain: s.records[i].Chain})
		s.settle()
	}
	if x := s.sources.of("l2"); s.audit != nil || x.agreed.Instance != 4 || x.said.Instance != 0 || x.reading {
		t.Fatalf("%+v", x.compared)
	}
	s.Step("l2", &paxos.Chained{Instance: 5, Chain: paxos.Chain{1}})
	if s.settle(); s.audit != nil {
		t.Fatal("compared before it is known")
	}
	s.take(s.choose(5, nil))
	if s.settle(); s.audit == nil || s.audit.next != 5 || s.audit.chain != s.records[4].Chain {
		t.Fatalf("%+v", s.audit)
	}
}

// other is another value for an instance.
func (s *stored) other(i paxos.Instance) paxos.Value {
	v := s.records[i].Value
	v.Batch = append(slices.Clone(v.Batch), run(sessionID(1, 9), 1, "other")...)
	return v
}

// TestRightChain: a learner that has what acceptors hold goes on serving, and how often
// one other makes it look is bounded: within a day, some thirty times.
func TestRightChain(t *testing.T) {
	s := newStored(t, control.ChainLevel, 6, nil)
	s.hold()
	var audits, fetches int
	const day = 24 * 3600_000
	for s.now < day {
		s.Step("l2", &paxos.Chained{Instance: 5, Chain: paxos.Chain{byte(s.now), 1}})
		s.settle()
		if s.audit != nil {
			audits++
			fetches += s.answer(nil)
		}
		s.hold()
		s.Tick(s.now+10_000, 0)
	}
	if s.wrong != "" || audits < 2 || audits > 30 || fetches > 30*5 || s.noted("the other one is wrong") != audits {
		t.Fatalf("%q, %d audits, %d fetches", s.wrong, audits, fetches)
	}
}

// TestWrongChain: a learner that has another value than a quorum of acceptors holds says so,
// on disk first, and serves nobody any more, after a restart too.
func TestWrongChain(t *testing.T) {
	s := newStored(t, control.ChainLevel, 6, nil)
	s.hold()
	s.Step("l2", &paxos.Chained{Instance: 2, Chain: s.records[2].Chain})
	s.Step("@1", &paxos.Attach{Session: sessionID(1, 1), From: 1})
	s.settle()
	s.Step("l2", &paxos.Chained{Instance: 6, Chain: paxos.Chain{1}})
	s.settle()
	held := map[paxos.Instance]paxos.Value{4: s.other(4)}
	s.synced = false
	s.answer(map[paxos.NodeID]map[paxos.Instance]paxos.Value{"a1": held, "a2": held, "a3": held})
	if s.wrong == "" || !s.synced || !slices.Contains(s.wrote, paxos.Record(paxos.SetWrong{Why: s.wrong})) {
		t.Fatalf("%q, synced %v", s.wrong, s.synced)
	}
	if !strings.Contains(s.wrong, "instance 4") || s.noted("this learner is wrong") != 1 {
		t.Fatalf("%q", s.wrong)
	}
	s.sent = nil
	s.take(s.choose(8, run(sessionID(1, 1), 7, "more")))
	s.until(s.now + 10_000)
	again := &stored{Learner: newLearnerWith(s.cfg, State{LearnerState: s.state, Control: s.control.encoded, Wrong: s.wrong}), records: s.records}
	again.Step("@1", &paxos.Locate{Nonce: 1, Stale: true})
	again.Step("l2", &paxos.Fetch{Nonce: 1, From: 1, Values: true})
	again.settle()
	again.until(10_000)
	for _, e := range append(s.sent, again.sent...) {
		switch e.Msg.(type) {
		case *paxos.Poll, *paxos.Fetch:
		default:
			t.Errorf("it sends a %T to %s", e.Msg, e.To)
		}
	}
}

// TestFewAcceptors: the word of fewer acceptors than a Phase 2 quorum ends no learner's
// service, whatever another learner says.
func TestFewAcceptors(t *testing.T) {
	s := newStored(t, control.ChainLevel, 6, nil)
	s.hold()
	for _, liars := range []map[paxos.NodeID]map[paxos.Instance]paxos.Value{
		{"a1": {4: s.other(4)}, "a2": {}, "a3": {}},
		{"a1": {4: s.other(4)}, "a2": {4: {Batch: []byte("?")}}, "a3": {}},
		{"a1": {4: s.other(4)}, "a2": {4: {Batch: []byte("?")}}, "a3": {4: {}}},
	} {
		for range 6 { // so that each acceptor is asked first
			s.Tick(s.now+2*3600_000, 0)
			s.settle()
			s.hold()
			before := s.noted(differ)
			s.Step("l2", &paxos.Chained{Instance: 6, Chain: paxos.Chain{1}})
			s.settle()
			s.answer(liars)
			if s.wrong != "" || s.noted(differ) != before+1 {
				t.Fatalf("%q", s.wrong)
			}
		}
	}
	if s.noted("too few hold one value of instance 4") == 0 {
		t.Fatalf("%+v", s.notes)
	}
}

// TestAuditWithoutAcceptors: an audit that nobody answers ends.
func TestAuditWithoutAcceptors(t *testing.T) {
	s := newStored(t, control.ChainLevel, 6, nil)
	s.hold()
	s.Step("l2", &paxos.Chained{Instance: 6, Chain: paxos.Chain{1}})
	s.settle()
	if s.until(s.now + 60_000); s.audit != nil || s.wrong != "" || s.noted("could not be found out") != 1 {
		t.Fatalf("%+v, %q", s.audit, s.wrong)
	}
}

// TestScrub: a learner reads its own log again, and finds a value, a chain and a record that
// its disk has lost.
func TestScrub(t *testing.T) {
	for name, change := range map[string]func(s *stored){
		"nothing": func(*stored) {},
		"a value": func(s *stored) { p := s.records[4]; p.Value = s.other(4); s.records[4] = p },
		"a chain": func(s *stored) { p := s.records[4]; p.Chain[3]++; s.records[4] = p },
		"no chain": func(s *stored) {
			p := s.records[4]
			p.Chain = paxos.Chain{}
			s.records[4] = p
		},
		"a record": func(s *stored) { delete(s.records, 4) },
		"both": func(s *stored) {
			p := s.records[7]
			p.Value = s.other(7)
			p.Chain = s.records[6].Chain.Next(7, &p.Value)
			s.records[7] = p
		},
	} {
		s := newStored(t, control.ChainLevel, 6, func(cfg *Config) { cfg.ScrubTicks, cfg.ScrubEach = 10, 100_000 })
		s.until(50)
		change(s)
		s.until(100)
		if s.wrong != "" {
			t.Fatalf("%s: read again without pause", name)
		}
		s.Tick(s.now+100_000, 0)
		s.settle()
		if s.until(s.now + 1000); (s.wrong == "") != (name == "nothing") {
			t.Errorf("%s: %q", name, s.wrong)
		}
	}
}

// TestScrubOverTrim: what is trimmed while it is read is not missed.
func TestScrubOverTrim(t *testing.T) {
	s := newStored(t, control.ChainLevel, 6, func(cfg *Config) { cfg.ScrubTicks, cfg.ScrubEach = 10, 100_000 })
	s.scrub = scrubbing{}
	s.until(s.now + 1)
	s.scrub = scrubbing{next: 3, chain: s.records[2].Chain}
	s.state.FirstInstance, s.state.Below = 5, s.records[4].Chain
	s.flushed.state = s.state
	delete(s.records, 3)
	delete(s.records, 4)
	if s.until(s.now + 1000); s.wrong != "" || s.scrub.next != 0 {
		t.Fatalf("%q, %+v", s.wrong, s.scrub)
	}
}
