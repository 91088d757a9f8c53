package learner

import (
	"crypto/sha256"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// shownCheckpoint is a learner of a begun log that has applied two instances, and meets a
// process that shows the encoded state of another one as a checkpoint. It returns whether that
// was taken.
func shownCheckpoint(t *testing.T, change func(*Learner)) (took bool, l *Learner) {
	t.Helper()
	begun := func() *Learner {
		l := knowing()
		l.choose(1, genesis(1))
		l.choose(2, run(sessionID(0, 1), 1, "a"))
		return l
	}
	other := begun()
	for i := paxos.Instance(3); i < 9; i++ {
		other.choose(i, nil)
	}
	change(other)
	bytes := other.encodeState()
	c := control.Checkpoint{T: other.state.Applied, From: 9, To: 9, Size: uint64(len(bytes)), Sum: sha256.Sum256(bytes), Next: other.state.Next}
	chunks := control.NewChunks(c)
	chunks.Add(control.Batch(control.Chunk{T: c.T, Bytes: string(bytes)}))
	l = begun()
	l.copying.failed = true // as of the page that has shown it
	l.installed(&installing{base: c, chunks: chunks, source: "a3"})
	if out := l.Flush(); out.Halt != "" {
		t.Fatal(out.Halt)
	}
	return l.state.Applied == c.T, l
}

// TestCheckpointThatGoesBack: a learner takes a checkpoint that is ahead of it, and none that
// goes behind what it has applied, or has more sessions than there may be. It stays up, and what
// it has.
func TestCheckpointThatGoesBack(t *testing.T) {
	for name, change := range map[string]func(*Learner){
		"":     func(*Learner) {},
		"next": func(l *Learner) { l.state.Next = 1 },
		"uses": func(l *Learner) { l.state.Uses, l.sessions = 0, newSessions(nil, "") },
		"sessions": func(l *Learner) {
			for n := range byte(200) {
				l.state.Uses++
				l.sessions.add(paxos.SessionState{ID: sessionID(1, 100+n), Used: l.state.Uses})
			}
		},
	} {
		took, l := shownCheckpoint(t, change)
		if wants := name == ""; took != wants || (l.Report().Contradictions == 0) != wants {
			t.Errorf("%s: taken %v, %d contradictions", name, took, l.Report().Contradictions)
		}
	}
}

// TestCheckpointWithoutEnd: nobody collects a checkpoint that is larger than any can be as far as is known here, by
// the word of one process alone.
func TestCheckpointWithoutEnd(t *testing.T) {
	for size, wants := range map[uint64]bool{1000: true, 1 << 29: false} {
		l := knowing()
		s := begunState(t)
		s.Base = control.Checkpoint{T: 100, From: 101, To: 102, Size: size, Next: 50}
		s.At, s.FirstIndex, s.Complete = 103, 50, []control.Checkpoint{s.Base}
		l.trimmedAt("a3", &paxos.Page{First: 101, Control: s.Encode()})
		if (l.install != nil) != wants {
			t.Errorf("a checkpoint of %d bytes is fetched: %v", size, !wants)
		}
		if l.trimmedAt("a3", &paxos.Page{First: 101, Control: s.Encode()}); (l.install != nil) != wants {
			t.Errorf("a checkpoint of %d bytes, shown twice by one, is fetched: %v", size, !wants)
		}
		if l.trimmedAt("a1", &paxos.Page{First: 101, Control: s.Encode()}); l.install == nil {
			t.Errorf("a checkpoint of %d bytes that two show is not fetched", size)
		}
	}
}

func begunState(t *testing.T) control.State {
	t.Helper()
	s, err := control.State{}.Apply(1, genesis(1), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestClosedAboveTheEnd: a checkpoint that was closed with an index that this learner's log has
// not got trims nothing that is not there, and ends nobody.
func TestClosedAboveTheEnd(t *testing.T) {
	l := knowing()
	l.choose(1, genesis(1))
	l.choose(2, run(sessionID(0, 1), 1, "a"))
	sum := control.Sum{7}
	for i, c := range []control.Command{
		control.Mark{Learners: []paxos.NodeID{"l2"}}, control.Chunk{T: 3, Bytes: "x"},
		control.Close{T: 3, Size: 1, Sum: sum, Next: 50, By: "l2"}, control.Confirm{T: 3, Sum: sum, By: "l2"}, control.Trim{To: 60},
	} {
		if out := l.choose(paxos.Instance(3+i), control.Batch(c)); out.Halt != "" {
			t.Fatal(out.Halt)
		}
	}
	if l.control.state.FirstIndex != 50 || l.state.FirstIndex != 2 || l.state.FirstInstance != 4 || l.state.Applied != 7 {
		t.Errorf("the log's first index is %d; here %d, from instance %d on, of %d", l.control.state.FirstIndex, l.state.FirstIndex, l.state.FirstInstance, l.state.Applied)
	}
}

// TestCheckpointIsGoneOnFrom: who has begun with a checkpoint asks for what comes next at once, although the page that
// has shown it had nothing: while it waits, the log may be trimmed again.
func TestCheckpointIsGoneOnFrom(t *testing.T) {
	took, l := shownCheckpoint(t, func(*Learner) {})
	for _, id := range members.Acceptors {
		l.Step("l1", &paxos.PeerUp{ID: id})
		l.Step(id, &paxos.PollReply{Held: 500})
	}
	asked := 0
	out := l.Flush()
	for _, id := range members.Acceptors {
		for _, f := range sent[*paxos.Fetch](out, id) {
			if f.Values && f.From == l.state.Applied+1 {
				asked++
			}
		}
	}
	if !took || asked != 1 {
		t.Errorf("taken %v, and %d pages are asked for", took, asked)
	}
}
