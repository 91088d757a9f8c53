package sim

import "github.com/paxlog/paxlog/paxos"

// history is what clients asked and were told, in the order in which it happened.
type history struct {
	ops      []operation
	events   []moment
	appends  map[string]int // by entry: its place in ops
	answered paxos.Index    // highest index answered
}

type opKind byte

const (
	opAppend  opKind = iota // value -> index
	opEnd                   // -> index of the last entry
	opResolve               // id -> index, or never
)

// operation is one call of a client. An append that was resolved has two: it
// returns when its fate is known.
type operation struct {
	kind   opKind
	client paxos.NodeID
	value  string
	id     paxos.AppendID // of an append, under which it was last sent
	call   int            // place in events
	ret    int            // likewise; -1 while it has not returned
	index  paxos.Index
	never  bool
}

// moment is a call or a return.
type moment struct {
	op  int
	ret bool
}

func newHistory() *history {
	return &history{appends: make(map[string]int, 64), ops: make([]operation, 0, 128), events: make([]moment, 0, 256)}
}

// begin notes a call and returns its place.
func (h *history) begin(o operation) int {
	place := len(h.ops)
	o.call, o.ret = len(h.events), -1
	h.ops = append(h.ops, o)
	h.events = append(h.events, moment{op: place})
	if o.kind == opAppend {
		h.appends[o.value] = place
	}
	return place
}

// end notes a return.
func (h *history) end(place int, index paxos.Index, never bool) {
	o := &h.ops[place]
	if o.ret >= 0 {
		return
	}
	o.ret, o.index, o.never = len(h.events), index, never
	h.events = append(h.events, moment{op: place, ret: true})
}

// check judges the whole history against the log at the end: every answered append
// is there once, at its index; the order of time is the order of the log; nothing
// is there that nobody appended; never stays never; reads see what was answered
// before them and nothing that was appended after.
func (h *history) check(c *Checker) {
	var answered, read paxos.Index // highest so far
	floor := make([]paxos.Index, len(h.ops))
	calls := h.latestCalls(c)
	for _, e := range h.events {
		o := &h.ops[e.op]
		if !e.ret {
			if floor[e.op] = answered; o.kind == opEnd {
				floor[e.op] = max(answered, read)
			}
			continue
		}
		h.checkReturn(c, o, floor[e.op], calls)
		switch {
		case o.kind == opAppend && !o.never:
			answered = max(answered, o.index)
		case o.kind == opEnd:
			read = max(read, o.index)
		}
	}
	for k, e := range c.entries {
		if o := &h.ops[h.appends[e.value]]; o.ret >= 0 && !o.never && o.index != paxos.Index(k+1) {
			c.fail("L2", "%q was answered with %d and is at %d", e.value, o.index, k+1)
		}
		if c.never[e.id] {
			c.fail("L6", "%v was told never to be, and is at %d", e.id, k+1)
		}
	}
}

// latestCalls is, by index-1, when the last of the entries up to there was called.
func (h *history) latestCalls(c *Checker) []int {
	calls, latest := make([]int, len(c.entries)), 0
	for k, e := range c.entries {
		place, ok := h.appends[e.value]
		if !ok {
			c.fail("L4", "%q is at %d, and nobody appended it", e.value, k+1)
		}
		latest = max(latest, h.ops[place].call)
		calls[k] = latest
	}
	return calls
}

// checkReturn checks one operation that returned; floor is the highest index that
// was known to somebody when it was called, calls what latestCalls returned.
func (h *history) checkReturn(c *Checker, o *operation, floor paxos.Index, calls []int) {
	switch o.kind {
	case opAppend:
		if o.never {
			if c.isAt(o.id, c.where[o.value]) {
				c.fail("L6", "%v was told never to be, and is at %d", o.id, c.where[o.value])
			}
			return
		}
		if c.where[o.value] != o.index {
			c.fail("L2", "%q was answered with %d and is at %d", o.value, o.index, c.where[o.value])
		}
		if o.index <= floor {
			c.fail("L3", "%q has index %d, though %d was answered before it was issued", o.value, o.index, floor)
		}
	case opEnd:
		if o.index < floor {
			c.fail("linearizable read", "the log was said to end at %d after %d was known", o.index, floor)
		}
		if o.index > 0 && calls[o.index-1] > o.ret {
			c.fail("linearizable read", "the log was said to end at %d before all of that was issued", o.index)
		}
	case opResolve:
		if !o.never && !c.isAt(o.id, o.index) {
			c.fail("L6", "%v was resolved to be at %d, where it is not", o.id, o.index)
		}
	}
}

// onAnswer checks an append's answer. before is the highest index answered when
// the append was issued.
func (c *Checker) onAnswer(place int, id paxos.AppendID, index, before paxos.Index) {
	value := c.history.ops[place].value
	if !c.isAt(id, index) || c.entries[index-1].value != value {
		c.fail("L2", "%v (%q) was answered with index %d, which is not it", id, value, index)
	}
	if index <= before {
		c.fail("L3", "%v has index %d, though %d was answered before it was issued", id, index, before)
	}
	c.history.ops[place].id = id
	c.history.end(place, index, false)
	c.history.answered = max(c.history.answered, index)
	c.Answers++
}

// onLocated checks a linearizable read that was issued when before was answered.
func (c *Checker) onLocated(place int, last, before paxos.Index) {
	if last < before {
		c.fail("linearizable read", "the log was said to end at %d after %d was answered", last, before)
	}
	c.history.end(place, last, false)
}

// onResolved checks the fate told of an append.
func (c *Checker) onResolved(id paxos.AppendID, index paxos.Index) {
	switch {
	case index != 0 && (!c.isAt(id, index) || c.never[id]):
		c.fail("L6", "%v was told to be at %d, where it is not, or after it was told never to be", id, index)
	case index == 0 && c.lastSeq[id.Session] >= id.Seq:
		c.fail("L6", "%v was told never to be, and is in the log", id)
	case index == 0:
		c.never[id] = true
	}
}
