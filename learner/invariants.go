package learner

import "github.com/paxlog/paxlog/paxos"

// flushed is the state after the last Flush. What the next one writes follows from it.
type flushed struct {
	state paxos.LearnerState
	held  paxos.Instance // the highest mark heard of
}

// checkFlush looks at what is about to be written and kept, apart from the code that
// made it: each record follows the one before it, nothing that only rises has fallen,
// and no queue is over its bound. It costs a few comparisons an instance.
func (l *Learner) checkFlush() {
	was, is := l.flushed.state, l.state
	next, chain := paxos.LogRecord{Instance: was.Applied, First: was.Next, Time: was.Time}, was.Chain
	for _, w := range l.Out.Writes {
		if in, ok := w.(paxos.Install); ok {
			next, chain = paxos.LogRecord{Instance: in.State.Applied, First: in.State.Next, Time: in.State.Time}, in.State.Chain
		}
		p, ok := w.(paxos.PutApplied)
		if !ok {
			continue
		}
		r := &p.Record
		switch {
		case p.Chain.IsZero() && !chain.IsZero():
			l.Violated("a chain that has begun goes on", "instance", r.Instance)
		case r.Instance != next.Instance+1:
			l.Violated("instances are applied in order, without a gap", "applied", next.Instance, "next", r.Instance)
		case r.First != next.First:
			l.Violated("indexes are given in order, without a gap", "instance", r.Instance, "next_index", next.First, "given", r.First)
		case r.Time < next.Time:
			l.Violated("the log's time never goes back", "instance", r.Instance, "from", int64(next.Time), "to", int64(r.Time))
		}
		next.Instance, next.First, next.Time, chain = r.Instance, r.First+paxos.Index(r.Count), r.Time, p.Chain
	}
	held := l.sources.maxHeld()
	switch {
	case is.Applied != next.Instance || is.Next != next.First || is.Time != next.Time || is.Chain != chain:
		l.Violated("the state is what the records make of it", "applied", is.Applied, "next_index", is.Next, "records_up_to", next.Instance, "to_index", next.First)
	case is.Floor < was.Floor || is.Uses < was.Uses:
		l.Violated("the floor is never lowered", "from", was.Floor, "to", is.Floor)
	case is.FirstIndex < was.FirstIndex || is.FirstInstance < was.FirstInstance || is.FirstIndex > is.Next || is.FirstInstance > is.Applied+1:
		l.Violated("what was trimmed stays trimmed, and was applied", "first_index", is.FirstIndex, "first_instance", is.FirstInstance, "applied", is.Applied)
	case held < l.flushed.held:
		l.Violated("an acceptor's mark is never lowered", "from", l.flushed.held, "to", held)
	}
	l.checkBounds()
	l.flushed = flushed{is, held}
}

// checkBounds looks at the queues of limits.go.
func (l *Learner) checkBounds() {
	l.checkBound("instances above applied", len(l.above), maxAhead)
	l.checkBound("sessions attached", len(l.clients.attachedTo), maxAttachedAll)
	l.checkBound("reads that wait for an entry", l.clients.parkedSize, maxParked)
	l.checkBound("linearizable reads that wait", l.reads.waiting.n, maxWaiting+1) // and its own
	l.checkBound("polls under way", len(l.reads.rounds), maxRounds)
	l.checkBound("loads for those that copy", l.copies, maxCopies)
	l.checkBound("loads for clients that copy", l.backups, maxBackups)
	l.checkBound("sessions remembered", l.sessions.len(), l.sessions.allowed.most)
}

func (l *Learner) checkBound(queue string, n, most int) {
	if n > most {
		l.Violated("a queue is within its bound", "queue", queue, "bound", most, "in it", n)
	}
}
