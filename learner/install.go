package learner

import (
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// installing is how a learner that lacks what was trimmed everywhere goes on: it fetches the
// checkpoint where the kept log begins, page by page, and takes that state in one commit.
// Nothing is written before. Whatever interrupts it, it begins again: what is on disk is
// the state before or the one after, and both are states that a learner serves from.
type installing struct {
	base   control.Checkpoint
	chunks *control.Chunks
	source paxos.NodeID
	nonce  uint64
	late   paxos.Timer // when it is given up, to be begun again at another source
}

// trimmedAt takes from a page that its sender has trimmed what is needed next.
func (l *Learner) trimmedAt(from paxos.NodeID, m *paxos.Page) {
	if m.First <= l.state.Applied+1 || m.Control == "" || l.install != nil || l.control.stuck != 0 {
		return
	}
	state, err := control.Decode(m.Control, l.cfg.Knows)
	own := &l.control.state
	if err != nil || state.FirstInstance() != m.First || !own.Log.IsZero() && own.Log != state.Log {
		return // it is told as what lacks there (trimmedThere)
	}
	l.install = &installing{base: state.Base, chunks: control.NewChunks(state.Base), source: from}
	l.fetchChunks()
}

func (l *Learner) fetchChunks() {
	k := l.install
	next, _ := k.chunks.Next()
	l.copying.nonce++
	k.nonce = l.copying.nonce
	k.late.Set(l.now + slowRetries*l.cfg.RetryTicks)
	l.Send(k.source, &paxos.Fetch{Nonce: k.nonce, From: next, Values: true})
}

// onChunks takes a page of the checkpoint, and reports whether m was one.
func (l *Learner) onChunks(from paxos.NodeID, m *paxos.Page) bool {
	k := l.install
	if k == nil || k.source != from || k.nonce != m.Nonce {
		return false
	}
	before, _ := k.chunks.Next()
	for _, v := range m.Values {
		if next, missing := k.chunks.Next(); missing && v.Instance == next && v.Instance <= m.Held {
			k.chunks.Add(v.Value.Batch)
		}
	}
	switch next, missing := k.chunks.Next(); {
	case !missing:
		l.installed(k)
	case next == before:
		l.install = nil // say it was trimmed meanwhile: the next page that lacks something begins anew
	default:
		l.fetchChunks()
	}
	return true
}

// installed ends it: the checkpoint is there.
func (l *Learner) installed(k *installing) {
	l.install = nil
	bytes, whole := k.chunks.Bytes()
	st, err := decodeState(bytes, l.cfg.Knows)
	if !whole || err != nil || st.Applied != k.base.T || st.Next != k.base.Next {
		l.Warn("the checkpoint that a process shows is not what was closed: it is asked for again", "peer", string(k.source), "instance", uint64(k.base.T))
		return
	}
	if st.Applied <= l.state.Applied {
		return
	}
	l.Info("it begins with a checkpoint, since what comes next here was trimmed", "applied", uint64(l.state.Applied), "checkpoint", uint64(st.Applied),
		"first_index", uint64(st.Next), "bytes", len(bytes))
	for i := range l.above {
		if i <= st.Applied {
			l.forgetEvidence(i)
		}
	}
	l.state, l.sessions, l.control = st.LearnerState, newSessions(st.Sessions), newControlled(l, st)
	l.configure()
	l.checkpoint, l.changed = checkpointing{}, true
	l.abandonReplay()
	l.endAudit()
	l.Write(paxos.Install{State: l.state, Sessions: st.Sessions, Control: st.Control})
	l.progressAt, l.appliedAt, l.copying.wait = l.now, l.now, 0
}

// trim deletes what the log's state says is not kept any more.
func (l *Learner) trim() {
	s := &l.control.state
	if s.Level == 0 {
		return
	}
	l.state.FirstIndex = max(l.state.FirstIndex, s.FirstIndex)
	if first := s.FirstInstance(); first > l.state.FirstInstance {
		l.state.FirstInstance, l.state.Below = first, s.Base.Chain
		l.Write(paxos.Trimmed{Instance: first, Index: s.Base.Next})
	}
}
