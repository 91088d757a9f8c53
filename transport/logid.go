package transport

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// log is the log that this process knows to be of, zero if it knows none: its own, else the
// one that it holds to since it met it, for as long as it lives.
func (i *identity) log() paxos.LogID {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.logLocked()
}

func (i *identity) logLocked() paxos.LogID {
	if own := i.ownLog(); !own.IsZero() {
		return own
	}
	return i.metLog
}

// R1: two processes that know their logs, and know different ones, are of two logs, whatever
// the incarnations say. Each refuses the other, and believes nothing that it said. Example:
// all directories of a cluster but one learner's were initialised anew. The learner would
// go on at the index where the old log ended.
//
// compareLog is what the ids say; unproven if one of them is not known. mu is held.
func (i *identity) compareLog(log paxos.LogID) kinship {
	switch mine := i.logLocked(); {
	case !i.cfg.Pinned.IsZero() && log != i.cfg.Pinned:
		return otherLog
	case mine.IsZero() || log.IsZero():
		return unproven
	case mine != log:
		return otherLog
	}
	return sameLog
}

// otherThan returns why a process of that log is refused here by its id, "" if it is not.
func (i *identity) otherThan(log paxos.LogID) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.compareLog(log) != otherLog {
		return ""
	}
	mine := i.logLocked()
	if log.IsZero() {
		return fmt.Sprintf("it knows no log by an id, and log %s is asked for: that one has not begun there, or this is another one", mine)
	}
	return fmt.Sprintf("it is of another log, %s; this process is of log %s, and nothing that it says is believed. "+
		"Either the address is one that another cluster uses now, or one of the two logs was begun anew", log, mine)
}

// outdated returns why a process that speaks versions up to newest is refused here, "" if it
// is not. Those of the oldest version know no log's id: they would take part in any.
func (i *identity) outdated(newest uint64) string {
	log := i.log()
	if newest > wire.Oldest || log.IsZero() {
		return ""
	}
	return fmt.Sprintf("log %s was begun by a newer release, and a process that speaks version %d of the protocol only "+
		"cannot take part in it: use the release of the others", log, newest)
}

// isKnowing reports whether c shows anything by which a log is known.
func (c *candidate) isKnowing() bool { return len(c.known) > 0 || !c.log.IsZero() }

// log is what candidates that can be of one log know together.
type log struct {
	id                 paxos.LogID
	known              incarnations
	acceptors, members int
	shown              bool // an acceptor shows id
	related            int  // acceptors that know others than themselves
}

// mayHave reports whether c can be of l.
func (l *log) mayHave(c *candidate) bool {
	if !l.id.IsZero() && !c.log.IsZero() {
		return l.id == c.log
	}
	return l.known.compare(c.known) != otherLog
}

// add counts c, which can be of l.
func (l *log) add(c *candidate) {
	l.members++
	if l.id.IsZero() {
		l.id = c.log
	}
	if c.role == paxos.RoleAcceptor {
		l.acceptors++
		l.shown = l.shown || !c.log.IsZero()
		if !c.isAnew() {
			l.related++
		}
	}
	for id, v := range c.known {
		if l.known[id] == 0 {
			l.known[id] = v
		}
	}
}

// weight is what speaks for a log before numbers do. Directories that were initialised anew
// show no id. Example: two of three acceptors are wiped at once. A proposer that starts then
// would find that most are of one log, and begin that, if the third did not show the id of
// the log that there is. An id that no acceptor shows counts only as much as acceptors that
// know one another: a log of an earlier release has no id, and at the address of its learner
// may be that of another log.
func (l *log) weight() int {
	switch {
	case l.shown:
		return 2
	case !l.id.IsZero() || l.related > 0:
		return 1
	}
	return 0
}

// beats reports whether more speaks for l than for o: by weight, then acceptors, then all
// who are of it. Of two alike the first met counts.
func (l *log) beats(o *log) bool {
	switch {
	case l.weight() != o.weight():
		return l.weight() > o.weight()
	case l.acceptors != o.acceptors:
		return l.acceptors > o.acceptors
	}
	return l.members > o.members
}
