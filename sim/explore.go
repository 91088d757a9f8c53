package sim

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// Explored is what an exploration came to.
type Explored struct {
	States      uint64 // distinct, up to renaming acceptors where Symmetry says so
	Transitions uint64 // steps that led to a state, known or not
	Depth       int    // steps from the beginning
	Complete    bool   // there are no more states
	Symmetry    int    // renamings of acceptors that count as one state
	Executed    uint64 // steps of real machines: the rest was looked up
	Chosen      uint64 // states in which something is chosen
	Twice       uint64 // states in which one value is chosen at two ballots
	Err         error  // a violation
	Ladder      string // how it came about
}

// budget is what may still happen, as part of a state.
type budget struct{ campaigns, renewals, crashes, rollBacks uint8 }

func (b budget) pack() uint32 {
	return uint32(b.campaigns) | uint32(b.renewals)<<8 | uint32(b.crashes)<<16 | uint32(b.rollBacks)<<24
}

func unpack(n uint32) budget { return budget{uint8(n), uint8(n >> 8), uint8(n >> 16), uint8(n >> 24)} }

// explorer visits states. A state is a slice of numbers: one for each process, the
// budget, and the messages sent, ascending.
type explorer struct {
	exCluster
	slots   []paxos.NodeID // acceptors, then proposers
	tables  []*exTable     // by slot
	msgs    exMessages
	perms   []renaming
	seen    fingerprints
	level   [][]uint32
	next    [][]uint32
	parents []exParent // by number of the state, for the ladder
	ids     []uint32   // numbers of the states in level
	nextIDs []uint32
	arena   []uint32   // where states are made: those of a level lie close together
	played  []exParent // the prologue
	out     Explored
}

// exParent is how a state was reached.
type exParent struct {
	state uint32
	slot  uint8
	input uint32
}

// Explore visits all states, or about most of them; it ends early when ctx does.
// progress may be nil.
func (x Exploration) Explore(ctx context.Context, most uint64, progress func(Explored)) Explored {
	e := newExplorer(x)
	e.visit(e.prologue(e.start()), math.MaxUint32, 0, 0)
	for e.out.Err == nil && len(e.next) > 0 {
		e.level, e.next = e.next, nil
		e.ids, e.nextIDs = e.nextIDs, nil
		for i, s := range e.level {
			e.expand(s, e.ids[i])
			e.level[i] = nil
			if e.out.Err != nil || e.out.States >= most || ctx.Err() != nil {
				return e.out
			}
		}
		e.out.Depth++
		if progress != nil {
			progress(e.out)
		}
	}
	e.out.Complete = e.out.Err == nil
	return e.out
}

func newExplorer(x Exploration) *explorer {
	acceptors := ids("a", x.Acceptors)
	e := &explorer{
		exCluster: exCluster{cfg: x, first: map[paxos.NodeID]*contents{}, members: paxos.Membership{
			Cluster: "explore", Acceptors: acceptors, Phase1: x.Acceptors/2 + 1, Phase2: x.Acceptors/2 + 1, Sessions: 1,
		}},
		slots: append(slices.Clone(acceptors), ids("p", x.Proposers)...),
	}
	// An acceptor copies from one peer after the other, in the order of its
	// configuration: then a renamed state does not behave as the renamed cluster.
	e.perms = renamings(acceptors, x.Patience == 0 && !x.plain)
	e.out.Symmetry = len(e.perms)
	e.msgs = exMessages{known: map[string]uint32{}, slots: e.slots, perms: e.perms}
	for slot := range e.slots {
		e.tables = append(e.tables, newExTable(e.perms, slot < x.Acceptors, slot))
	}
	return e
}

// renamings are all ways to exchange acceptors, the identity first, or it alone.
func renamings(acceptors []paxos.NodeID, all bool) []renaming {
	var out []renaming
	var place func(to []int)
	place = func(to []int) {
		if len(to) == len(acceptors) {
			out = append(out, renaming{acceptors, slices.Clone(to)})
			return
		}
		for i := range acceptors {
			if !slices.Contains(to, i) && (all || i == len(to)) {
				place(append(to, i))
			}
		}
	}
	place(nil)
	return out
}

// start is the first state: acceptors that have vouched for each other, proposers
// that stand by, and a client's append on its way to each of them.
func (e *explorer) start() []uint32 {
	nodes := map[paxos.NodeID]*exNode{}
	for _, id := range e.members.Acceptors {
		nodes[id] = e.newAcceptor(id, newContents(), 1)
	}
	lag := e.cfg.Unsynced
	e.cfg.Unsynced = 0
	var way []exInput
	var to []paxos.NodeID
	send := func(from paxos.NodeID, sent []paxos.Envelope) {
		for _, m := range sent {
			way, to = append(way, exInput{kind: exDeliver, from: from, msg: m.Msg}), append(to, m.To)
		}
	}
	for _, id := range e.members.Acceptors {
		r := exResult{node: nodes[id]}
		e.flush(id, &r)
		send(id, r.sent)
	}
	for i := 0; i < len(way); i++ {
		if r, ok := e.step(to[i], nodes[to[i]], way[i]); ok {
			nodes[to[i]] = r.node
			send(to[i], r.sent)
		}
	}
	e.cfg.Unsynced = lag
	state := make([]uint32, 0, len(e.slots)+1+e.cfg.Proposers)
	for slot, id := range e.slots {
		n := nodes[id]
		if n == nil {
			n = e.newProposer(id, 0)
			n.Machine.Flush()
		} else {
			e.first[id] = n.Disk.clone()
		}
		state = append(state, e.tables[slot].intern(n))
	}
	state = append(state, 0)
	for slot := e.cfg.Acceptors; slot < len(e.slots); slot++ {
		id, _ := e.msgs.intern("@c", paxos.Envelope{To: e.slots[slot], Msg: clientAppend(slot)})
		state = append(state, id)
	}
	slices.Sort(state[len(e.slots)+1:])
	return state
}

// clientAppend is the append of the client of the proposer in a slot.
func clientAppend(slot int) *paxos.Append {
	id := paxos.NewSessionID(0, [12]byte{byte(slot)})
	run := paxos.Run{Kind: paxos.RunAppend, Session: id, First: 1, Count: 1, Entries: paxos.AppendEntry(nil, []byte{'v', byte('0' + slot)})}
	return &paxos.Append{Session: id, First: 1, Batch: run.AppendTo(nil)}
}

// expand visits all states that follow s.
func (e *explorer) expand(s []uint32, number uint32) {
	at := len(e.slots)
	b := unpack(s[at])
	base := e.fingerprint(s)
	for _, m := range s[at+1:] {
		e.try(s, number, &base, b, e.msgs.list[m].to, m)
	}
	for slot := range e.slots {
		if slot >= e.cfg.Acceptors {
			if int(b.campaigns) < e.cfg.Ballots {
				after := b
				after.campaigns++
				e.try(s, number, &base, after, slot, action(exCampaign, int(after.campaigns+after.renewals)))
			}
			e.try(s, number, &base, b, slot, action(exTick, 0))
			continue
		}
		if e.cfg.Unsynced > 0 {
			e.try(s, number, &base, b, slot, action(exSync, 0))
			e.try(s, number, &base, b, slot, action(exTold, 0))
		}
		e.try(s, number, &base, b, slot, action(exPatience, 0))
		if int(b.crashes) < e.cfg.Crashes {
			after := b
			after.crashes++
			for keep := 0; keep <= e.cfg.Unsynced; keep++ {
				e.try(s, number, &base, after, slot, action(exCrash, keep))
			}
		}
		if int(b.rollBacks) < e.cfg.RollBacks && e.lossIsKnown(s, slot) {
			after := b
			after.rollBacks++
			e.try(s, number, &base, after, slot, action(exRollBack, 0))
		}
	}
}

// lossIsKnown reports whether every other acceptor durably remembers commits that the
// one in slot would forget: beyond that nothing is promised.
func (e *explorer) lossIsKnown(s []uint32, slot int) bool {
	id := e.slots[slot]
	for o := range e.cfg.Acceptors {
		if o != slot && !e.first[id].ownMark().Forgets(e.tables[o].nodes[s[o]].node.Disk.peers[id].Mark) {
			return false
		}
	}
	return true
}

// actionBit tells an input that is no message.
const actionBit = 1 << 31

func action(k exKind, n int) uint32 { return actionBit | uint32(k)<<16 | uint32(n) }

func (e *explorer) input(in uint32) exInput {
	if in&actionBit != 0 {
		return exInput{kind: exKind(in >> 16), n: int(in & 0xffff)}
	}
	m := e.msgs.list[in]
	return exInput{kind: exDeliver, from: m.from, msg: m.msg}
}

// try visits the state that follows s by an input of the process in slot.
func (e *explorer) try(s []uint32, number uint32, base *prints, b budget, slot int, in uint32) {
	o := e.outcome(slot, s[slot], in)
	if o.void {
		return
	}
	at := len(e.slots)
	if b.renewals += o.renewals; int(b.renewals) > e.cfg.Renewals {
		return
	}
	if o.node == s[slot] && b.pack() == s[at] && !e.addsTo(s[at+1:], o.sent) {
		return // nothing happened
	}
	e.out.Transitions++
	c := e.follow(s, slot, o, b)
	p := *base
	e.shift(&p, s, c, slot)
	if !e.seen.add(p.least(len(e.perms))) {
		e.arena = e.arena[:len(e.arena)-len(c)]
		return
	}
	e.keep(c, number, slot, in)
	if o.proves || e.telling(o.sent) {
		e.check(c)
	}
}

func (e *explorer) addsTo(old, sent []uint32) bool {
	for _, m := range sent {
		if _, found := slices.BinarySearch(old, m); !found {
			return true
		}
	}
	return false
}

// follow makes the state after s: the process in slot has changed, and sent.
func (e *explorer) follow(s []uint32, slot int, o *exOutcome, b budget) []uint32 {
	at := len(e.slots)
	if cap(e.arena)-len(e.arena) < len(s)+len(o.sent) {
		e.arena = make([]uint32, 0, 1<<16)
	}
	start := len(e.arena)
	c := append(e.arena, s[:at+1]...)
	c[start+slot], c[start+at] = o.node, b.pack()
	putBack := int(b.rollBacks) < e.cfg.RollBacks
	add := func(m uint32) {
		x := &e.msgs.list[m]
		if !e.tables[x.to].nodes[c[start+x.to]].node.dead(x.msg, putBack) {
			c = append(c, m)
		}
	}
	old, sent := s[at+1:], o.sent
	for len(old)+len(sent) > 0 { // merge, both ascending
		switch {
		case len(sent) == 0 || len(old) > 0 && old[0] < sent[0]:
			if e.msgs.list[old[0]].to == slot {
				add(old[0])
			} else {
				c = append(c, old[0])
			}
			old = old[1:]
		case len(old) == 0 || sent[0] < old[0]:
			add(sent[0])
			sent = sent[1:]
		default:
			sent = sent[1:]
		}
	}
	e.arena = c
	return c[start:len(c):len(c)]
}

// shift turns the fingerprints of s into those of c, which follows it.
func (e *explorer) shift(p *prints, s, c []uint32, slot int) {
	at := len(e.slots)
	was, is := &e.tables[slot].nodes[s[slot]].print, &e.tables[slot].nodes[c[slot]].print
	n := len(e.perms)
	budget := mix(uint64(c[at])) - mix(uint64(s[at]))
	for k := range n {
		p[k] += is[k] - was[k] + budget
	}
	old, now := s[at+1:], c[at+1:]
	for len(old)+len(now) > 0 {
		switch {
		case len(now) == 0 || len(old) > 0 && old[0] < now[0]:
			for k, x := range e.msgs.list[old[0]].print[:n] {
				p[k] -= x
			}
			old = old[1:]
		case len(old) == 0 || now[0] < old[0]:
			for k, x := range e.msgs.list[now[0]].print[:n] {
				p[k] += x
			}
			now = now[1:]
		default:
			old, now = old[1:], now[1:]
		}
	}
}

// telling reports whether messages bear on what is chosen.
func (e *explorer) telling(sent []uint32) bool {
	for _, m := range sent {
		if e.msgs.list[m].tells {
			return true
		}
	}
	return false
}

// visit adds a state that is known to be new.
func (e *explorer) visit(s []uint32, parent uint32, slot int, in uint32) {
	p := e.fingerprint(s)
	e.seen.add(p.least(len(e.perms)))
	e.keep(s, parent, slot, in)
}

func (e *explorer) keep(s []uint32, parent uint32, slot int, in uint32) {
	e.next = append(e.next, s)
	e.nextIDs = append(e.nextIDs, uint32(e.out.States))
	e.parents = append(e.parents, exParent{parent, uint8(slot), in})
	e.out.States++
}

// outcome looks up, or computes, what the process in slot makes of an input.
func (e *explorer) outcome(slot int, node uint32, in uint32) *exOutcome {
	t := e.tables[slot]
	entry := &t.nodes[node]
	if o, ok := entry.outcomes[in]; ok {
		return o
	}
	e.out.Executed++
	input := e.input(in)
	o := &exOutcome{}
	entry.outcomes[in] = o
	before := entry.node
	r, ok := e.step(e.slots[slot], before, input)
	if !ok {
		o.void = true
		return o
	}
	for _, m := range r.sent {
		if p, isPrepare := m.Msg.(*paxos.Prepare); isPrepare && input.kind != exCampaign && p.Page == 0 {
			o.renewals = 1 // a leader that begins a ballot of its own accord
		}
		if a, isAccept := m.Msg.(*paxos.Accept); isAccept && a.Instance > paxos.Instance(e.cfg.Instances) {
			o.void = true
			return o
		}
		if id, carried := e.msgs.carry(e.cfg, e.slots[slot], m); carried {
			o.sent = append(o.sent, id)
		}
	}
	if _, isAppend := input.msg.(*paxos.Append); isAppend && len(o.sent) == 0 {
		o.void = true // it is only queued, or refused
		return o
	}
	slices.Sort(o.sent)
	o.sent = slices.Compact(o.sent)
	o.node = t.intern(r.node)
	o.proves = slot < e.cfg.Acceptors && r.node.Disk.held > before.Disk.held
	if err := checkNode(e.slots[slot], before, r.node, input); err != nil && e.out.Err == nil {
		e.out.Err = err
	}
	return o
}

// exOutcome is what a process makes of an input.
type exOutcome struct {
	void     bool // the input is not possible, or leads out of bounds
	node     uint32
	sent     []uint32
	renewals uint8
	proves   bool // what it holds has to be checked
}

func (e *explorer) violation(s []uint32, format string, args ...any) {
	if e.out.Err == nil {
		e.out.Err = fmt.Errorf(format, args...)
		e.out.Ladder = e.ladder(uint32(e.out.States - 1))
	}
}
