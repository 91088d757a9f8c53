package learner

import (
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// applyValue applies the value chosen at the next instance. What it does depends
// on the log so far and on nothing else, so that all learners agree.
func (l *Learner) applyValue(v paxos.Value) {
	st := &l.state
	st.Applied++
	l.changed = true
	restored := l.isRestored()
	switch {
	case st.Time == 0:
		st.Time = max(v.Time, 0) // whatever its leader's clock showed
	case restored:
		st.Time = max(st.Time, v.Time) // it was bounded in the log that it is of
	default:
		st.Time = max(st.Time, min(v.Time, st.Time+maxTimeStep))
	}
	if l.control.state.Level >= control.LevelRetention {
		st.Bytes += uint64(len(v.Batch)) // from the instance above the one that raised the level
	}
	rec := paxos.LogRecord{Instance: st.Applied, First: st.Next, Origin: v.Origin, Time: st.Time}
	kept := v.Batch // as long as no command was dropped
	whole := true
	batch := v.Batch
	if paxos.IsControl(batch) {
		l.applyControl(st.Applied, &v)
		batch = nil
	} else {
		l.extendChain(&v)
	}
	for len(batch) > 0 {
		run, rest, err := paxos.NextRun(batch)
		if err != nil {
			// Leaders check every append; all learners drop the same bytes.
			l.Warn("a chosen batch is malformed: the rest of it is ignored", "instance", uint64(st.Applied), "error", err.Error())
			if whole {
				kept, whole = v.Batch[:len(v.Batch)-len(batch):len(v.Batch)-len(batch)], false
			}
			break
		}
		applied := run
		if restored {
			applied = l.applyRestored(run, &rec)
		} else {
			applied = l.applyRun(run, &rec)
		}
		if applied.Count != run.Count || run.Kind == paxos.RunFence {
			if whole {
				before := len(v.Batch) - len(batch)
				kept, whole = append([]byte(nil), v.Batch[:before]...), false
			}
			if applied.Count > 0 {
				kept = applied.AppendTo(kept)
			}
		} else if !whole {
			kept = run.AppendTo(kept)
		}
		batch = rest
	}
	rec.Log = kept
	if rec.Count == 0 {
		rec.Log = nil
	}
	if l.Out.Writes == nil { // there will be three: this, sessions, and the state
		l.Out.Writes = make([]paxos.Record, 0, 3)
	}
	l.Write(paxos.PutApplied{Record: rec, Value: v, Chain: st.Chain})
}

// isRestored reports whether the value that is being applied is of the log that this one was
// restored from (control.Descent).
func (l *Learner) isRestored() bool { return l.state.Applied <= l.control.state.Descent.Upto }

// applyRestored applies all of a run, whatever its session: that log has applied it.
func (l *Learner) applyRestored(r paxos.Run, rec *paxos.LogRecord) paxos.Run {
	if r.Kind == paxos.RunFence {
		return paxos.Run{Kind: r.Kind, Session: r.Session}
	}
	l.state.Next, rec.Count = l.state.Next+paxos.Index(r.Count), rec.Count+r.Count
	return r
}

// applyRun applies the part of a run that is due and returns it; its Count is 0
// if all was dropped.
func (l *Learner) applyRun(r paxos.Run, rec *paxos.LogRecord) paxos.Run {
	none := paxos.Run{Kind: r.Kind, Session: r.Session}
	known, s := l.sessions.find(r.Session)
	admitted := s != nil || l.admits(r.Session)
	if r.Kind == paxos.RunFence {
		l.applyFence(known, r.Session, admitted)
		return none
	}
	if !admitted {
		l.answerStored(r.Session, r.First, r.First+r.Count-1)
		return none
	}
	var last uint64
	if s != nil {
		last = s.Last
	}
	switch end := r.First + r.Count - 1; {
	case s != nil && s.Closed:
		l.use(known, r.Session)
		l.answerStored(r.Session, r.First, end)
		return none
	case r.First > last+1:
		// A command before it was lost on the way, say in a leader change: applying
		// this one would make that one look like a duplicate later.
		if s != nil {
			l.use(known, r.Session)
		}
		l.tellGap(r.Session, last+1)
		return none
	case end <= last:
		l.use(known, r.Session)
		l.answerStored(r.Session, r.First, end)
		return none
	case r.First <= last:
		l.answerStored(r.Session, r.First, last)
		r = r.Skip(last + 1 - r.First)
	}
	s = l.use(known, r.Session)
	if r.First != s.Last+1 {
		l.Violated("a session's commands are applied in order, each once", "session", r.Session, "applied", s.Last, "next", r.First)
	}
	index := l.state.Next
	s.Last = r.First + r.Count - 1
	l.state.Next += paxos.Index(r.Count)
	rec.Count += r.Count
	l.tellApplied(rec, paxos.AppliedRun{Session: r.Session, First: r.First, Count: r.Count, Index: index})
	return r
}

// applyFence closes a session, creating it if it is unknown: no later command of
// it is ever applied. An expired one needs no mark; the floor keeps it out.
func (l *Learner) applyFence(known ref, id paxos.SessionID, admitted bool) {
	if !admitted {
		kind := paxos.ResultExpired
		if l.isOfAncestor(id) {
			kind = paxos.ResultOfAncestor
		}
		l.tell(&paxos.Result{Session: id, Kind: kind})
		return
	}
	s := l.use(known, id)
	s.Closed = true
	l.tell(&paxos.Result{Session: id, Kind: paxos.ResultFenced, First: s.Last + 1})
}

// admits reports whether an unknown session may begin: it was born after
// everything that expired, and before this instance, in this log.
func (l *Learner) admits(id paxos.SessionID) bool {
	if id.IsOwned() && (l.control.state.Level < control.LevelRights || !id.IsOf(l.control.state.Log)) {
		return false
	}
	return !l.isBelow(id) && id.Birth() < l.state.Applied
}

// isBelow reports whether a session, if it is unknown, has expired: it was born below the floor,
// or that of its owner.
func (l *Learner) isBelow(id paxos.SessionID) bool {
	return id.Birth() < max(l.state.Floor, l.sessions.floors.of[id.Owner()])
}

// use touches a session in log order, known if it is not 0. When there are too many, the first to go
// expire, and their floors rise above their births (package doc, "Sessions that expire").
func (l *Learner) use(known ref, id paxos.SessionID) *session {
	l.state.Uses++
	if known == 0 {
		if id.Birth() >= l.state.Applied || l.isBelow(id) {
			l.Violated("a session that begins was born below applied and not below the floor", "session", id, "birth", id.Birth(),
				"applied", l.state.Applied, "floor", l.state.Floor)
		}
		known = l.sessions.add(paxos.SessionState{ID: id})
	}
	s := l.sessions.use(known, l.state.Uses)
	if l.control.state.Level < control.LevelRights {
		for l.sessions.len() > l.sessions.allowed.all {
			l.state.Floor = max(l.state.Floor, l.sessions.expire(l.sessions.used.oldest).Birth()+1)
		}
		return s
	}
	for range maxExpired {
		r := l.sessions.surplus(id.Owner())
		if r == 0 {
			break
		}
		gone := l.sessions.expire(r)
		l.state.Floor = max(l.state.Floor, l.sessions.floors.raise(gone.Owner(), gone.Birth()+1))
		l.sessions.floors.drop(l.state.Floor)
	}
	return s
}
