package explore

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// expand visits all states that follow s.
func (e *explorer) expand(s []uint32, number uint32) {
	at := len(e.procs)
	b := unpack(s[at])
	base := e.fingerprint(s)
	for _, m := range s[at+1:] {
		e.try(s, number, &base, b, e.msgs.list[m].to, m)
	}
	for proc := range e.procs {
		switch e.tables[proc].nodes[s[proc]].node.Role {
		case paxos.RoleProposer:
			if int(b.campaigns) < e.cfg.Ballots {
				after := b
				after.campaigns++
				e.try(s, number, &base, after, proc, action(campaign, int(after.campaigns+after.renewals)))
			}
			e.try(s, number, &base, b, proc, action(tick, 0))
			if e.cfg.Order.Order == paxos.MemberAdd {
				e.try(s, number, &base, b, proc, action(giveUp, 0))
			}
			continue
		case paxos.RoleLearner:
			if int(b.crashes) < e.cfg.Crashes {
				after := b
				after.crashes++
				e.try(s, number, &base, after, proc, action(crash, 0))
				e.try(s, number, &base, after, proc, action(crash, 1))
			}
			continue
		case paxos.RoleClient:
			continue
		}
		if e.cfg.Unsynced > 0 {
			e.try(s, number, &base, b, proc, action(synced, 0))
			e.try(s, number, &base, b, proc, action(loaded, 0))
		}
		e.try(s, number, &base, b, proc, action(patience, 0))
		if int(b.crashes) < e.cfg.Crashes && e.cfg.Learners == 0 {
			after := b
			after.crashes++
			for keep := 0; keep <= e.cfg.Unsynced; keep++ {
				e.try(s, number, &base, after, proc, action(crash, keep))
			}
		}
		if int(b.rollBacks) < e.cfg.RollBacks {
			after := b
			after.rollBacks++
			if e.isReplaced(e.procs[proc], s) {
				e.try(s, number, &base, after, proc, action(taken, 0))
			} else if e.lossIsKnown(s, proc) {
				e.try(s, number, &base, after, proc, action(rollBack, 0))
			}
		}
	}
}

// lossIsKnown reports whether every other acceptor durably remembers commits that the
// process proc would forget: beyond that nothing is promised.
func (e *explorer) lossIsKnown(s []uint32, proc int) bool {
	id := e.procs[proc]
	for o := range e.cfg.acceptors() {
		disk := e.tables[o].nodes[s[o]].node.Disk
		if o >= e.cfg.Acceptors && disk.Control == e.begun.Control {
			continue // a newcomer that does not know it yet is asked by nobody
		}
		if o != proc && !e.first[id].OwnMark().Forgets(disk.Peers[id].Mark) {
			return false
		}
	}
	return true
}

// actionBit tells an input that is no message.
const actionBit = 1 << 31

func action(k kind, n int) uint32 { return actionBit | uint32(k)<<16 | uint32(n) }

func (e *explorer) input(in uint32) input {
	if in&actionBit != 0 {
		return input{kind: kind(in >> 16), n: int(in & 0xffff)}
	}
	m := e.msgs.list[in]
	return input{kind: deliver, from: m.from, msg: m.msg}
}

// try visits the state that follows s by an input of process proc.
func (e *explorer) try(s []uint32, number uint32, base *prints, b budget, proc int, in uint32) {
	o := e.outcome(proc, s[proc], in)
	if e.out.Err != nil && e.out.Ladder == "" {
		e.out.Ladder = e.ladder(number, cause{proc: uint8(proc), input: in})
	}
	if o.void {
		return
	}
	at := len(e.procs)
	if b.renewals += o.renewals; int(b.renewals) > e.cfg.Renewals {
		return
	}
	if o.node == s[proc] && b.pack() == s[at] && !e.addsTo(s[at+1:], o.sent) {
		return // nothing happened
	}
	e.out.Transitions++
	c := e.follow(s, proc, o, b)
	p := *base
	e.shift(&p, s, c, proc)
	if !e.seen.add(p.least(len(e.perms))) {
		e.arena = e.arena[:len(e.arena)-len(c)]
		return
	}
	e.keep(c, number, proc, in)
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

// follow makes the state after s: process proc has changed, and sent.
func (e *explorer) follow(s []uint32, proc int, o *outcome, b budget) []uint32 {
	at := len(e.procs)
	if cap(e.arena)-len(e.arena) < len(s)+len(o.sent) {
		e.arena = make([]uint32, 0, 1<<16)
	}
	start := len(e.arena)
	c := append(e.arena, s[:at+1]...)
	c[start+proc], c[start+at] = o.node, b.pack()
	putBack := int(b.rollBacks) < e.cfg.RollBacks || e.cfg.Learners > 0 && int(b.crashes) < e.cfg.Crashes
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
			if e.msgs.list[old[0]].to == proc {
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
func (e *explorer) shift(p *prints, s, c []uint32, proc int) {
	at := len(e.procs)
	was, is := &e.tables[proc].nodes[s[proc]].print, &e.tables[proc].nodes[c[proc]].print
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

// outcome looks up, or computes, what process proc makes of an input.
func (e *explorer) outcome(proc int, node uint32, in uint32) *outcome {
	t := e.tables[proc]
	entry := &t.nodes[node]
	if o, ok := entry.outcomes[in]; ok {
		return o
	}
	e.out.Executed++
	input := e.input(in)
	o := &outcome{}
	entry.outcomes[in] = o
	before := entry.node
	r, ok := e.step(e.procs[proc], before, input)
	if !ok {
		o.void = true
		return o
	}
	if r.halt != "" {
		o.void, e.out.Err = true, fmt.Errorf("%s halts: %s", e.procs[proc], r.halt)
		return o
	}
	for _, m := range r.sent {
		if p, isPrepare := m.Msg.(*paxos.Prepare); isPrepare && input.kind != campaign && p.Page == 0 {
			o.renewals = 1 // a leader that begins a ballot of its own accord
		}
		if a, isAccept := m.Msg.(*paxos.Accept); isAccept && a.Instance > paxos.Instance(e.cfg.Instances) {
			o.void = true
			return o
		}
		if id, carried := e.msgs.carry(e.cfg, e.procs[proc], m); carried {
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
	o.proves = r.node.Disk != nil && (r.node.Disk.Held > before.Disk.Held || r.node.Disk.Learner.Applied > before.Disk.Learner.Applied)
	if err := checkNode(e.procs[proc], before, r.node, input); err != nil && e.out.Err == nil {
		e.out.Err = err
	}
	return o
}

// outcome is what a process makes of an input.
type outcome struct {
	void     bool // the input is not possible, or leads out of bounds
	node     uint32
	sent     []uint32
	renewals uint8
	proves   bool // what it holds has to be checked
}
