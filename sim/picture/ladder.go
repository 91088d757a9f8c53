package picture

import (
	"fmt"
	"slices"
	"strings"

	"github.com/paxlog/paxlog/paxos"
)

// Ladder collects the messages of an exchange for people to read: one line for
// each message and sender, with all its receivers.
type Ladder struct {
	rungs []rung
	// All also shows the messages that keep things alive: heartbeats, queries,
	// polls.
	All bool
	// Also shows messages of these names, although they only keep things alive.
	Also map[string]bool
	// NoReads leaves out what clients ask without appending.
	NoReads bool
	// Now, if set, is the simulated time of a line, in microseconds.
	Now func() int64
}

type rung struct {
	at    int64 // microseconds
	from  paxos.NodeID
	to    []paxos.NodeID
	text  string
	fault bool // text says what happened; there is no message
}

func (l *Ladder) add(from, to paxos.NodeID, text string) {
	for i := len(l.rungs) - 1; i >= 0 && i >= len(l.rungs)-24; i-- {
		if r := &l.rungs[i]; r.from == from && r.text == text && !slices.Contains(r.to, to) {
			r.to = append(r.to, to)
			slices.Sort(r.to)
			return
		}
	}
	l.append(rung{from: from, to: []paxos.NodeID{to}, text: text})
}

func (l *Ladder) append(r rung) {
	if l.Now != nil {
		r.at = l.Now()
	}
	l.rungs = append(l.rungs, r)
}

// Fault adds a line for what broke, or what a node said of itself.
func (l *Ladder) Fault(text string) { l.append(rung{text: text, fault: true}) }

// Observe adds a delivered message; it is the Observe of a sim.Network. The same message to
// several receivers is one line, unless something else came between that matters.
func (l *Ladder) Observe(from, to paxos.NodeID, m paxos.Message) {
	text, upkeep := Describe(m)
	if text == "" || upkeep && !l.All && !l.Also[paxos.Messages.Row(m).Name] || l.NoReads && isRead(m) {
		return
	}
	l.add(from, to, text)
}

func isRead(m paxos.Message) bool {
	switch m.(type) {
	case *paxos.Locate, *paxos.Located, *paxos.Lookup, *paxos.Found:
		return true
	}
	return false
}

// Take returns the lines so far and begins anew.
func (l *Ladder) Take() string {
	var b strings.Builder
	for _, r := range l.rungs {
		to := make([]string, len(r.to))
		for i, id := range r.to {
			to[i] = string(id)
		}
		fmt.Fprintf(&b, "%-4s-> %-12s %s\n", r.from, strings.Join(to, ","), r.text)
	}
	l.rungs = nil
	return b.String()
}
