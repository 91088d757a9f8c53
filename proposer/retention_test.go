package proposer

import (
	"slices"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// retained is a leader of a log with such checkpoints, of 10 entries and 1000 bytes each, 100 s
// apart, that keeps r.
func retained(t *testing.T, checkpoints int, r control.Retention) *Proposer {
	t.Helper()
	s, err := control.Decode(begun(), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	s.Retention = r
	for k := 1; k <= checkpoints; k++ {
		at := paxos.Instance(10 * k)
		s.Complete = append(s.Complete, control.Checkpoint{T: at, From: at + 1, To: at + 2, Size: 10, Next: paxos.Index(10*k + 1), Time: paxos.UnixNanos(k) * 100e9, Bytes: uint64(k) * 1000})
		s.At = at + 3
	}
	return leadsAbove(t, s, 100)
}

// leadsAbove leads a log that holds so many instances, with that state.
func leadsAbove(t *testing.T, s control.State, held paxos.Instance) *Proposer {
	t.Helper()
	p, prep := campaigning(t, knowing())
	shown(p, "a1", prep["a1"], held, control.Level, s.Encode())
	shown(p, "a2", prep["a2"], held, control.Level, s.Encode())
	if p.Flush(); leads(p) == nil {
		t.Fatal("it does not lead")
	}
	return p
}

// commanded returns the control commands proposed in out.
func commanded(t *testing.T, out paxos.Output) (commands []control.Command) {
	t.Helper()
	for _, m := range sentTo[*paxos.Accept](out, "a1") {
		if paxos.IsControl(m.Value.Batch) {
			c, err := control.Parse(m.Value.Batch)
			if err != nil {
				t.Fatal(err)
			}
			commands = append(commands, c)
		}
	}
	return commands
}

// at tells p the time of day.
func at(p *Proposer, wall paxos.UnixNanos) paxos.Output {
	p.Tick(p.now+1, wall)
	return p.Flush()
}

// TestRetentionTrims: a leader trims what is beyond, once for each checkpoint, and asks to be
// told the time when age will have more.
func TestRetentionTrims(t *testing.T) {
	p := retained(t, 3, control.Retention{Age: 400_000})
	r := &leads(p).deciding.retain
	r.at.Set(p.now)
	if got := commanded(t, at(p, 400e9)); len(got) != 0 {
		t.Fatalf("before its time: %+v", got)
	}
	if wait := r.at.At() - p.now; wait > 100_000 {
		t.Errorf("it looks again in %d", wait)
	}
	if got := commanded(t, at(p, 500e9)); len(got) != 0 {
		t.Fatalf("before it asked for the time: %+v", got)
	}
	r.at.Set(p.now)
	got := commanded(t, at(p, 500e9))
	if len(got) != 1 || got[0] != (control.Trim{To: 11}) {
		t.Fatalf("%+v", got)
	}
	if got := commanded(t, at(p, 501e9)); len(got) != 0 {
		t.Fatalf("again: %+v", got)
	}
}

// TestRetentionHeldBack: a trim that does not go as far as it was asked to is not proposed
// again and again.
func TestRetentionHeldBack(t *testing.T) {
	p := retained(t, 3, control.Retention{Entries: 10})
	l := leads(p)
	if c, err := control.Parse(l.open[l.next-1].value.Batch); err != nil || c != (control.Trim{To: 21}) {
		t.Fatalf("%+v, %v", c, err)
	}
	l.deciding.proposed, l.chosenUpTo = 0, l.next-1 // it was chosen, and the first index is where it was
	for range 3 {
		if got := commanded(t, at(p, 2)); len(got) != 0 {
			t.Fatalf("again: %+v", got)
		}
	}
}

// TestRetentionMarks: a leader has checkpoints made as the limits need them: an eighth of what
// is kept apart, and not for every entry.
func TestRetentionMarks(t *testing.T) {
	batch := paxos.Run{Kind: paxos.RunAppend, Session: paxos.SessionID{1}, First: 1, Count: 3, Entries: []byte{0, 0, 0}}.AppendTo(nil)
	for name, test := range map[string]struct {
		keep  control.Retention
		bytes int
		more  int // commands that were chosen since the newest checkpoint
		wall  paxos.UnixNanos
		mark  bool
	}{
		"nothing is limited":   {control.Retention{}, 1 << 20, 1 << 20, 1 << 60, false},
		"few bytes":            {control.Retention{Bytes: 8 << 20}, 1<<20 - 1, 9, 1, false},
		"an eighth of bytes":   {control.Retention{Bytes: 8 << 20}, 1 << 20, 9, 1, true},
		"few entries":          {control.Retention{Entries: 80}, 0, 9, 1, false},
		"an eighth of entries": {control.Retention{Entries: 80}, 0, 10, 1, true},
		"not old":              {control.Retention{Age: 80_000}, 0, 1, 109e9, false},
		"an eighth of the age": {control.Retention{Age: 80_000}, 0, 1, 110e9, true},
	} {
		p := retained(t, 1, test.keep)
		l := leads(p)
		d := &l.deciding
		d.retain.marked(p)
		p.Tick(p.now+markPause, test.wall)
		d.retain.took(p, &paxos.Value{Batch: batch})
		d.grown, d.retain.commands = test.bytes, uint64(test.more)
		if got := d.retain.needsMark(p, d.grown); got != test.mark {
			t.Errorf("%s: %v", name, got)
		}
		d.retain.marked(p)
		d.grown = test.bytes
		if d.retain.needsMark(p, d.grown) {
			t.Errorf("%s: once more although nothing has come", name)
		}
	}
	if n := commandsIn(append(batch, batch...)); n != 6 {
		t.Errorf("%d commands", n)
	}
}

// TestSettle: a setting is proposed once, and told when it is chosen; who cannot set it says why.
func TestSettle(t *testing.T) {
	p := retained(t, 1, control.Retention{})
	p.Step("@op", &paxos.Settle{Nonce: 3, Set: true, Bytes: 1 << 30})
	got := commanded(t, at(p, 1))
	want := control.SetRetention{Retention: control.Retention{Bytes: 1 << 30}}
	if len(got) != 1 || got[0] != want {
		t.Fatalf("%+v", got)
	}
	p.Step("@2", &paxos.Settle{Nonce: 1, Set: true, Bytes: 7})
	if r := sentTo[*paxos.Settled](p.Flush(), "@2"); len(r) != 1 || r[0].Why == "" {
		t.Fatalf("%+v", r)
	}
	l := leads(p)
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: l.next - 1, Last: l.next - 1, Ballot: l.ballot}}})
	}
	if r := sentTo[*paxos.Settled](p.Flush(), "@op"); len(r) != 1 || r[0].Why != "" || r[0].Bytes != 1<<30 || r[0].Nonce != 3 || r[0].Checkpoint != 11 {
		t.Fatalf("%+v", r)
	}
	p.Step("@op", &paxos.Settle{Nonce: 4, Set: true, Age: -1})
	if r := sentTo[*paxos.Settled](p.Flush(), "@op"); len(r) != 1 || r[0].Why == "" {
		t.Fatalf("%+v", r)
	}
	low, err := control.Decode(begun(), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	low.Level = control.LevelRetention - 1
	p = leadsAbove(t, low, 3)
	p.Step("@op", &paxos.Settle{Nonce: 5, Set: true, Bytes: 1})
	if out := p.Flush(); len(commanded(t, out)) != 0 || len(sentTo[*paxos.Settled](out, "@op")) != 1 {
		t.Errorf("at a lower level: %+v", out)
	}
}

// answered gets what p has proposed chosen, and returns what p tells somebody then.
func answered(t *testing.T, p *Proposer, to paxos.NodeID) *paxos.Settled {
	t.Helper()
	for range 5 {
		if a := sentTo[*paxos.Settled](p.Flush(), to); len(a) == 1 {
			return a[0]
		}
		choose(p)
	}
	t.Fatal("no answer")
	return nil
}

// choose has a quorum vote for all that p has proposed.
func choose(p *Proposer) {
	l := leads(p)
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: l.start, Last: l.next - 1, Ballot: l.ballot}}})
	}
}

// TestRetain: a hold is set, moved and released by commands, told with the others when they are
// chosen, and what cannot be held is refused: also where a trim comes between the question and
// the command.
func TestRetain(t *testing.T) {
	p := retained(t, 3, control.Retention{})
	p.Tick(p.now+1, 7e9)
	p.Flush()
	holds := func(a *paxos.Settled, why string, want ...paxos.Hold) {
		t.Helper()
		if why == "" && (a.Why != "" || !slices.Equal(a.Holds, want)) || !strings.Contains(a.Why, why) {
			t.Errorf("%+v, want %v, %q", a, want, why)
		}
	}
	archive, cursor := paxos.Hold{Name: "archive", At: 15, Time: 7e9}, paxos.Hold{Name: "cursor", At: 12, Time: 7e9}
	p.Step("@op", &paxos.Retain{Nonce: 3, Name: "cursor", At: 12})
	holds(answered(t, p, "@op"), "", cursor)
	p.Step("@op", &paxos.Retain{Nonce: 4, Name: "archive", At: 15})
	holds(answered(t, p, "@op"), "", archive, cursor)
	p.Step("@op", &paxos.Settle{Nonce: 5})
	holds(answered(t, p, "@op"), "", archive, cursor)

	p.Step("@op", &paxos.Order{Nonce: 6, Trim: 20})
	p.Flush()
	choose(p)
	if a := sentTo[*paxos.Ordered](p.Flush(), "@op"); len(a) != 1 || a[0].After != 12 || !slices.Equal(a[0].Holds, []paxos.Hold{archive, cursor}) {
		t.Errorf("a trim: %+v", a)
	}
	for why, m := range map[string]paxos.Retain{
		"11 was trimmed already":           {Name: "x", At: 11},
		"is no name of a hold":             {Name: "a b", At: 20},
		"there is no hold x":               {Name: "x"},
		"no log reaches":                   {Name: "x", At: paxos.Bound},
		"5 was trimmed already, so nobody": {Name: "cursor", At: 5},
	} {
		p.Step("@op", &m)
		holds(answered(t, p, "@op"), why)
	}
	cursor.At = 14
	p.Step("@op", &paxos.Retain{Name: "cursor", At: 14})
	holds(answered(t, p, "@op"), "", archive, cursor)
	p.Step("@op", &paxos.Retain{Name: "archive"})
	holds(answered(t, p, "@op"), "", cursor)

	// A trim is under way, to 14, when somebody wants 13 held.
	p.Step("@op", &paxos.Order{Nonce: 7, Trim: 20})
	p.Step("@2", &paxos.Retain{Name: "late", At: 13})
	holds(answered(t, p, "@2"), "13 was trimmed already")
	if s := p.control; s.FirstIndex != 14 || s.Holds.Has("late") {
		t.Errorf("%d, %v", s.FirstIndex, s.Holds)
	}
}

// TestRetainNeedsItsLevel: in a log of a lower level nothing is proposed, and it says what it takes.
func TestRetainNeedsItsLevel(t *testing.T) {
	low, err := control.Decode(begun(), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	low.Level = control.LevelHolds - 1
	p := leadsAbove(t, low, 3)
	p.Step("@op", &paxos.Retain{Nonce: 5, Name: "x", At: 1})
	out := p.Flush()
	if a := sentTo[*paxos.Settled](out, "@op"); len(commanded(t, out)) != 0 || len(a) != 1 || !strings.Contains(a[0].Why, "the log has level 7, and holds need level 8") {
		t.Errorf("%+v", a)
	}
	p.Step("@op", &paxos.Settle{Nonce: 6})
	if a := sentTo[*paxos.Settled](p.Flush(), "@op"); len(a) != 1 || a[0].Why != "" {
		t.Errorf("who looks: %+v", a)
	}
}
