package learner

import (
	"crypto/sha256"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// checkpointing is what this learner does for the checkpoint under way.
type checkpointing struct {
	t     paxos.Instance // 0: it has no part in one
	state []byte         // encoded, after t
	own   control.Close  // what it would close it with
	turn  paxos.Ticks    // it sends when nothing has come on for so long
	since paxos.Ticks    // when it came on last
	again paxos.Timer    // when what was sent is sent once more
	next  int            // rotation over acceptors
	// differs says that what is in the log is not this learner's state: it confirms nothing,
	// and computes its state again.
	differs  bool
	replayed bool // the state was computed again, and is the same
	objected bool // it has said so in the log, since it differs
}

// onControl is told of a control value that was applied.
func (l *Learner) onControl(before *control.State, batch []byte) {
	k, u := &l.checkpoint, &l.control.state.Under
	if l.control.state.At == before.At {
		l.onObjection(batch)
		return
	}
	switch {
	case u.T == 0, u.T == l.state.Applied:
		// Complete, or given up for the next one: its bytes are not needed any more.
		*k = checkpointing{}
		l.abandonReplay()
		if u.T != 0 {
			l.beginCheckpoint()
		}
		return
	case k.t != u.T:
		return
	}
	k.since = l.now
	k.again.Set(l.now)
	c, err := control.Parse(batch)
	if err != nil {
		l.Violated("a control command is parsed as it was applied", "instance", l.state.Applied, "error", err)
		return
	}
	switch c := c.(type) {
	case control.Chunk:
		end := c.Offset + uint64(len(c.Bytes))
		k.differs = k.differs || end > uint64(len(k.state)) || string(k.state[c.Offset:end]) != c.Bytes
	case control.Close:
		own := k.own
		own.By = c.By
		k.differs = k.differs || c != own
		if s := l.sources.learner(c.By); s != nil && c.Chain != own.Chain {
			s.said = paxos.Chained{Instance: k.t, Chain: c.Chain}
		}
	}
	if k.differs {
		l.recompute()
	}
}

// beginCheckpoint encodes the state after the applied instance, at which Mark is. It costs a
// few milliseconds and megabytes, since sessions are bounded.
func (l *Learner) beginCheckpoint() {
	u := &l.control.state.Under
	place := slices.Index(u.Learners, l.cfg.ID)
	if place < 0 || l.wrong != "" {
		return
	}
	state := l.encodeState()
	l.checkpoint = checkpointing{
		t: u.T, state: state, turn: paxos.Ticks(place) * turnRetries * l.cfg.RetryTicks, since: l.now,
		own: control.Close{
			T: u.T, Size: uint64(len(state)), Sum: sha256.Sum256(state), Next: l.state.Next, Time: l.state.Time, By: l.cfg.ID,
			Chain: l.state.Chain, Bytes: l.state.Bytes,
		},
	}
	l.checkpoint.again.Set(l.now)
}

// nextCheckpoint is when something of the checkpoint under way is sent.
func (l *Learner) nextCheckpoint() paxos.Ticks {
	k, u := &l.checkpoint, &l.control.state.Under
	switch alone := len(u.Learners) == 1; {
	case k.t == 0 || k.t != u.T || k.objected || k.differs && !k.replayed || l.wrong != "" || l.cfg.ChunkBytes == 0:
		return paxos.Never
	case k.differs:
		return k.again.At()
	case u.By == "":
		return max(k.again.At(), k.since+k.turn)
	case alone && !k.replayed:
		if l.replay == nil {
			return k.again.At()
		}
		return paxos.Never
	case !alone && u.By == l.cfg.ID:
		return paxos.Never
	}
	return k.again.At()
}

// tickCheckpoint sends what comes next: the first learner that Mark names at once, and the
// others when nothing has come on for a while. One part is on its way at a time, and each
// goes through another acceptor, since that may not hear the leader.
func (l *Learner) tickCheckpoint() {
	if l.now < l.nextCheckpoint() {
		return
	}
	k, u := &l.checkpoint, &l.control.state.Under
	k.again.Set(l.now + slowRetries*l.cfg.RetryTicks)
	var c control.Command
	switch end := min(u.Offset+uint64(l.cfg.ChunkBytes), k.own.Size); {
	case k.differs:
		c = control.Confirm{T: k.t, Sum: k.own.Sum, By: l.cfg.ID}
	case u.By == "" && u.Offset < k.own.Size:
		c = control.Chunk{T: k.t, Offset: u.Offset, Bytes: string(k.state[u.Offset:end])}
	case u.By == "":
		c = k.own
	case len(u.Learners) == 1 && !k.replayed:
		l.beginReplay()
		return
	default:
		c = control.Confirm{T: k.t, Sum: k.own.Sum, By: l.cfg.ID}
	}
	acceptors := l.members.Acceptors
	for range acceptors {
		k.next++
		if id := acceptors[k.next%len(acceptors)]; l.sources.of(id).up {
			l.Send(id, &paxos.Decide{Batch: control.Batch(c)})
			return
		}
	}
}

// onObjection looks at a command that has changed nothing: it may be a Confirm of another
// state than was closed. A learner that has computed its state again says so, and whoever has
// another state does the same.
func (l *Learner) onObjection(batch []byte) {
	k := &l.checkpoint
	c, err := control.Parse(batch)
	m, ok := c.(control.Confirm)
	switch {
	case err != nil || !ok || k.t == 0 || m.T != k.t:
	case m.By == l.cfg.ID:
		k.objected = k.differs
	case m.Sum != k.own.Sum:
		l.recompute()
	}
}

// recompute is called when another learner's state of an instance is not this one's: one of the
// two is wrong. Who that is they cannot agree on, so each computes its own again.
func (l *Learner) recompute() {
	if l.replay == nil && !l.checkpoint.replayed && l.wrong == "" {
		l.Warn("another learner has another state than this one: it is computed again, from what was chosen", "instance", uint64(l.checkpoint.t))
		l.beginReplay()
	}
}

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
	if err != nil || state.FirstInstance() != m.First || !own.Log.IsZero() && own.Log != state.Log || !l.isShown(from, state.Base) {
		return // it is told as what lacks there (trimmedThere)
	}
	l.install = &installing{base: state.Base, chunks: control.NewChunks(state.Base), source: from}
	l.fetchChunks()
}

// maxState is more bytes than the state of a learner takes, as far as is known here: what one process shows as a
// checkpoint is collected in memory, up to the size that it shows. Where the log has remembered more sessions
// than this learner knows of, it may be larger: that takes two processes that show it alike.
func (l *Learner) maxState() uint64 {
	return maxStateBytes + uint64(max(l.cfg.Membership.Sessions, l.sessions.allowed.most))*maxSessionBytes
}

// isShown reports whether a checkpoint is of a size that this learner collects by the word of one, or was shown by
// another one before, where there are several who could.
func (l *Learner) isShown(from paxos.NodeID, c control.Checkpoint) bool {
	if c.Size <= l.maxState() || len(l.members.Acceptors) == 1 || l.claimed.by != "" && l.claimed.by != from && l.claimed.base == c {
		return true
	}
	l.claimed = claim{from, c}
	return false
}

// claim is a large checkpoint that somebody has shown.
type claim struct {
	by   paxos.NodeID
	base control.Checkpoint
}

// maxSessions is more than a state has. A log that has remembered more before (control.Adjust) may have as
// many yet as there may be.
func (l *Learner) maxSessions(s *control.State) int {
	if s.Level >= control.LevelSettings && s.GrantedAt > 0 {
		return paxos.MaxSessions
	}
	return l.cfg.Membership.Sessions
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
	decided := newControlled(l, st)
	switch is, was := &st.LearnerState, &l.state; {
	case is.Applied <= was.Applied:
		return
	case is.Next < was.Next, is.Time < was.Time, is.Floor < was.Floor, is.Uses < was.Uses, len(st.Sessions) > l.maxSessions(&decided.state),
		!l.sessions.floors.covered(is.Floor, st.Floors):
		// One of both has not what was chosen. Nobody else's word makes this one forget what it has.
		if source := l.sources.of(k.source); source != nil {
			l.contradicted(source, "the checkpoint that it shows does not follow what was applied here", k.base.T)
		}
		return
	}
	l.Info("it begins with a checkpoint, since what comes next here was trimmed", "applied", uint64(l.state.Applied), "checkpoint", uint64(st.Applied),
		"first_index", uint64(st.Next), "bytes", len(bytes))
	for i := range l.above {
		if i <= st.Applied {
			l.forgetEvidence(i)
		}
	}
	before := l.control.state
	l.state, l.sessions, l.control = st.LearnerState, newSessions(st.Sessions, st.Floors), decided
	l.configure()
	l.judgeAgain(&before)
	l.checkpoint, l.changed = checkpointing{}, true
	l.abandonReplay()
	l.endAudit()
	l.Write(paxos.Install{State: l.state, Sessions: st.Sessions, Floors: st.Floors, Control: st.Control})
	l.progressAt, l.appliedAt, l.copying.wait, l.copying.failed = l.now, l.now, 0, false
}

// trim deletes what the log's state says is not kept any more.
func (l *Learner) trim() {
	s := &l.control.state
	if s.Level == 0 {
		return
	}
	// No further than this log goes, whatever index a checkpoint claims for its instance: those
	// who closed it may have been wrong, and this learner notices that elsewhere.
	l.state.FirstIndex = max(l.state.FirstIndex, min(s.FirstIndex, l.state.Next))
	if first := s.FirstInstance(); first > l.state.FirstInstance {
		l.state.FirstInstance, l.state.Below = first, s.Base.Chain
		l.Write(paxos.Trimmed{Instance: first, Index: min(s.Base.Next, l.state.Next)})
	}
}
