package node

import (
	"sync"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// peerLog decides what is told of connections. A peer that stays away is tried again and
// again, one may come and go many times a second, and strangers do what they like: none
// of them may fill the log, and what was left out is counted.
type peerLog struct {
	now func() time.Time

	mu      sync.Mutex
	up      map[paxos.NodeID]bool
	lines   map[line]*told
	closing bool
}

// line is a kind of line about somebody.
type line struct{ about, kind string }

// told is how often a line was told, and left out, since a time.
type told struct {
	since         time.Time
	told, leftOut int
	over          bool // what it says of a peer is over: it was connected since
}

func newPeerLog() *peerLog {
	return &peerLog{now: time.Now, up: map[paxos.NodeID]bool{}, lines: map[line]*told{}}
}

// came reports whether it is news that id is connected: a peer may have two connections.
func (l *peerLog) came(id paxos.NodeID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := !l.up[id]
	l.up[id] = true
	for k, t := range l.lines {
		t.over = t.over || k.about == string(id)
	}
	if !first {
		return false
	}
	_, ok := l.tellLocked(line{string(id), "came"}, flaps)
	return ok
}

// went reports whether the loss of id is to be told, and how many losses were not.
func (l *peerLog) went(id paxos.NodeID) (leftOut int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.up, id)
	return l.tellLocked(line{string(id), "went"}, flaps)
}

// tell reports whether a line is to be told, of which there may be most in an interval,
// and how many were left out since the last one that was.
func (l *peerLog) tell(about, kind string, most int) (leftOut int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tellLocked(line{about, kind}, most)
}

func (l *peerLog) tellLocked(k line, most int) (leftOut int, ok bool) {
	if l.closing {
		return 0, false
	}
	t := l.remembered(k)
	if l.now().Sub(t.since) >= logInterval {
		leftOut = t.leftOut
		*t = told{since: l.now()}
	}
	if t.told >= most {
		t.leftOut++
		return 0, false
	}
	t.told++
	return leftOut, true
}

// refused reports whether it is to be told why id cannot be used: once, until it was
// connected, and even then not more than once in an interval.
func (l *peerLog) refused(id paxos.NodeID, why string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.remembered(line{string(id), why})
	if l.closing || t.told > 0 && (!t.over || l.now().Sub(t.since) < logInterval) {
		return false
	}
	*t = told{since: l.now(), told: 1}
	return true
}

// remembered is what was told of a line. Texts of others are among the lines: when there
// are too many, all are forgotten, which costs a few lines.
func (l *peerLog) remembered(k line) *told {
	t := l.lines[k]
	if t == nil {
		if len(l.lines) >= maxLines {
			clear(l.lines)
		}
		t = &told{}
		l.lines[k] = t
	}
	return t
}

// close ends the log: connections that this process closes are no news.
func (l *peerLog) close() {
	l.mu.Lock()
	l.closing = true
	l.mu.Unlock()
}
