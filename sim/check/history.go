package check

import "github.com/paxlog/paxlog/paxos"

// History is what clients asked and were told, in the order in which it happened.
type History struct {
	Ops      []Operation
	Events   []moment
	Places   map[string]int // by entry: its place in ops
	answered paxos.Index    // highest index answered
}

// Kind is what a client asked for.
type Kind byte

// What clients ask for.
const (
	Append  Kind = iota // value -> index
	ReadEnd             // -> index of the last entry
	Resolve             // id -> index, or never
)

// Operation is one call of a client. An append that was resolved has two: it
// returns when its fate is known.
type Operation struct {
	Kind   Kind
	Client paxos.NodeID
	Value  string
	ID     paxos.AppendID // of an append, under which it was last sent
	Call   int            // place in events
	Ret    int            // likewise; -1 while it has not returned
	Index  paxos.Index
	Never  bool
}

// moment is a call or a return.
type moment struct {
	op  int
	ret bool
}

func newHistory() *History {
	return &History{Places: make(map[string]int, 64), Ops: make([]Operation, 0, 128), Events: make([]moment, 0, 256)}
}

// begin notes a call and returns its place.
func (h *History) begin(o Operation) int {
	place := len(h.Ops)
	o.Call, o.Ret = len(h.Events), -1
	h.Ops = append(h.Ops, o)
	h.Events = append(h.Events, moment{op: place})
	if o.Kind == Append {
		h.Places[o.Value] = place
	}
	return place
}

// end notes a return.
func (h *History) end(place int, index paxos.Index, never bool) {
	o := &h.Ops[place]
	if o.Ret >= 0 {
		return
	}
	o.Ret, o.Index, o.Never = len(h.Events), index, never
	h.Events = append(h.Events, moment{op: place, ret: true})
}

// check judges the whole history against the log at the end: every answered append
// is there once, at its index; the order of time is the order of the log; nothing
// is there that nobody appended; never stays never; reads see what was answered
// before them and nothing that was appended after.
func (h *History) check(c *Checker) {
	var answered, read paxos.Index // highest so far
	floor := make([]paxos.Index, len(h.Ops))
	calls := h.latestCalls(c)
	for _, e := range h.Events {
		o := &h.Ops[e.op]
		if !e.ret {
			if floor[e.op] = answered; o.Kind == ReadEnd {
				floor[e.op] = max(answered, read)
			}
			continue
		}
		h.checkReturn(c, o, floor[e.op], calls)
		switch {
		case o.Kind == Append && !o.Never:
			answered = max(answered, o.Index)
		case o.Kind == ReadEnd:
			read = max(read, o.Index)
		}
	}
	for k, e := range c.Log {
		if o := &h.Ops[h.Places[e.Value]]; o.Ret >= 0 && !o.Never && o.Index != paxos.Index(k+1) {
			c.Fail("L2", "%q was answered with %d and is at %d", e.Value, o.Index, k+1)
		}
		if c.never[e.ID] {
			c.Fail("L6", "%v was told never to be, and is at %d", e.ID, k+1)
		}
	}
}

// latestCalls is, by index-1, when the last of the entries up to there was called.
func (h *History) latestCalls(c *Checker) []int {
	calls, latest := make([]int, len(c.Log)), 0
	for k, e := range c.Log {
		place, ok := h.Places[e.Value]
		if !ok {
			c.Fail("L4", "%q is at %d, and nobody appended it", e.Value, k+1)
		}
		latest = max(latest, h.Ops[place].Call)
		calls[k] = latest
	}
	return calls
}

// checkReturn checks one operation that returned; floor is the highest index that
// was known to somebody when it was called, calls what latestCalls returned.
func (h *History) checkReturn(c *Checker, o *Operation, floor paxos.Index, calls []int) {
	switch o.Kind {
	case Append:
		if o.Never {
			if c.isAt(o.ID, c.Where[o.Value]) {
				c.Fail("L6", "%v was told never to be, and is at %d", o.ID, c.Where[o.Value])
			}
			return
		}
		if c.Where[o.Value] != o.Index {
			c.Fail("L2", "%q was answered with %d and is at %d", o.Value, o.Index, c.Where[o.Value])
		}
		if o.Index <= floor {
			c.Fail("L3", "%q has index %d, though %d was answered before it was issued", o.Value, o.Index, floor)
		}
	case ReadEnd:
		if o.Index < floor {
			c.Fail("linearizable read", "the log was said to end at %d after %d was known", o.Index, floor)
		}
		if o.Index > 0 && calls[o.Index-1] > o.Ret {
			c.Fail("linearizable read", "the log was said to end at %d before all of that was issued", o.Index)
		}
	case Resolve:
		if !o.Never && !c.isAt(o.ID, o.Index) {
			c.Fail("L6", "%v was resolved to be at %d, where it is not", o.ID, o.Index)
		}
	}
}
