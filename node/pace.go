package node

import (
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// Asking costs a client little, and the process that it asks much: a question is read, stepped,
// answered, and some of them have the store read. So each client may ask for allowance in a
// window, and nobody looks at how. Whoever asks for more gets a reader of its own, which rests
// whenever that much has been asked again.
//
// Those readers rest one after the other, as far as none rests for longer than mostRest: many clients that ask for
// much, or one over many connections, get little more together than one would.
//
// How long one rests depends on how late it woke up after its last rest, which is how long this
// process waits for a processor: where there are processors to spare a client that asks for much
// is hardly held up, and where they are scarce its questions give way to what servers and other
// clients send. Appends are not counted: they take turns in the inbox and in the leader's queue,
// and are what a log is for. But those that are refused are counted.
//
// Example: a client sends 2,000 Attach at once. The first 50 are read with those of all other clients;
// the others 50 at a time, 2 ms apart on a machine that is idle, and 50 ms apart on one on which
// threads wait for 12 ms.

// costOf is about how much work a message of a client makes, in units of some 20 microseconds, and
// whether it is a question: one that is of no use when the client has left.
func costOf(m paxos.Message) (cost int, asks bool) {
	switch m.(type) {
	case *paxos.Append:
		return 0, false
	case *paxos.StatusQuery:
		return 8, true
	case *paxos.Locate, *paxos.Lookup, *paxos.Copy:
		return 4, true
	case *paxos.Read, *paxos.Attach:
		return 2, true
	case *paxos.Detach, *paxos.Withdraw:
		return 1, true
	}
	return 4, false // what operators order
}

// costOfRefusal is what an append costs that was refused. It was read here, and perhaps at a standby, and comes
// again. When there is no leader all that clients have under way is refused at once, and no fault of theirs.
func costOfRefusal(why paxos.RefuseReason) int {
	if why == paxos.RefuseNoLeader {
		return 1
	}
	return 8
}

// pacing is what a client has asked for in the present window.
type pacing struct {
	asked int
	began time.Time
}

// count adds what a message costs, and reports whether its client has asked for more than it may.
func (p *pacing) count(cost int, now func() time.Time) (over bool) {
	if p.asked += cost; p.asked <= allowance {
		return false
	}
	if at := now(); at.Sub(p.began) >= paceWindow {
		p.asked, p.began = 0, at
		return false
	}
	return true
}

// begin is for a client that has just come. It may ask for little in its first window: who comes
// again and again does not get an allowance each time.
func (p *pacing) begin(now time.Time) { p.asked, p.began = allowance-firstAllowance, now }

// rested begins a window.
func (p *pacing) rested(now time.Time) { p.asked, p.began = 0, now }

// restFor is how long a reader rests that woke up so late after its last rest.
func restFor(late time.Duration) time.Duration {
	return min(max(leastRest, restTimes*late), mostRest)
}
