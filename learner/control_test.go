package learner

import (
	"reflect"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

func genesis(level uint64) []byte {
	return control.Batch(control.Genesis{
		Log: paxos.LogID{1}, Level: level, Sessions: 2, Config: control.ConfigurationOf(members, func(paxos.NodeID) uint64 { return 1 }),
	})
}

func knowing() *Learner {
	cfg := config()
	cfg.Knows = control.Level
	return newLearnerWith(cfg, State{})
}

// TestControlTakesNoIndex: a control value is applied in its turn, and entries are numbered
// as if it were not there.
func TestControlTakesNoIndex(t *testing.T) {
	l := knowing()
	out := l.choose(1, genesis(1))
	want, _ := control.State{}.Apply(1, genesis(1), control.Level)
	written := false
	for _, w := range out.Writes {
		switch w := w.(type) {
		case paxos.SetControl:
			written = w.State == want.Encode()
		case paxos.PutApplied:
			if w.Record.Count != 0 || w.Record.Log != nil || w.Record.First != 1 || string(w.Value.Batch) != string(genesis(1)) {
				t.Errorf("%+v", w)
			}
		}
	}
	if !written || !reflect.DeepEqual(l.Report().Control, want) {
		t.Errorf("%+v", out)
	}
	l.choose(2, run(sessionID(1, 1), 1, "a"))
	if l.state.Applied != 2 || l.last() != 1 {
		t.Errorf("applied %d, last index %d", l.state.Applied, l.last())
	}
}

// TestUnknownCommand: who does not know a command stops before it, says so once, and asks
// nobody for more (R10). It never passes over one.
func TestUnknownCommand(t *testing.T) {
	l := knowing()
	l.choose(1, run(sessionID(0, 1), 1, "a"))
	if out := l.choose(2, genesis(control.Level+1)); len(out.Writes) != 0 || len(out.Notes) != 1 {
		t.Errorf("%+v", out)
	}
	if out := l.choose(3, run(sessionID(0, 1), 2, "b")); l.state.Applied != 1 || len(out.Notes) != 0 || l.Report().Stuck != 2 {
		t.Errorf("applied %d, %+v", l.state.Applied, out)
	}
	l.Tick(10_000, 0)
	if out := l.Flush(); len(sent[*paxos.Fetch](out, "a1"))+len(sent[*paxos.Fetch](out, "a2"))+len(sent[*paxos.Fetch](out, "a3")) != 0 {
		t.Errorf("%+v", out)
	}
}

// TestControlBehindRuns: a control command behind the commands of sessions is no control
// value. It is malformed there, alike at everybody.
func TestControlBehindRuns(t *testing.T) {
	l := knowing()
	out := l.choose(1, append(run(sessionID(0, 1), 1, "a"), genesis(1)...))
	if l.last() != 1 || l.control.encoded != "" || len(out.Notes) != 1 {
		t.Errorf("last index %d, %+v", l.last(), out)
	}
}

// TestUnknownRun: a kind of commands of sessions that this version does not know is not passed
// over, wherever it stands in a value (R10): the learner applies nothing of that value, and
// nothing after it.
func TestUnknownRun(t *testing.T) {
	unknown := []byte{byte(paxos.RunsOwned) + 1, 1, 2, 3}
	for name, batch := range map[string][]byte{"alone": unknown, "behind": append(run(sessionID(0, 1), 1, "a"), unknown...)} {
		l := knowing()
		l.choose(1, nil)
		out := l.choose(2, batch)
		if l.state.Applied != 1 || l.last() != 0 || len(out.Writes) != 0 || len(out.Notes) != 1 || l.Report().Stuck != 2 {
			t.Errorf("%s: applied %d, %+v", name, l.state.Applied, out)
		}
		if l.choose(3, run(sessionID(0, 1), 1, "a")); l.state.Applied != 1 {
			t.Errorf("%s: it went on", name)
		}
	}
}
