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

func (e *explorer) violation(format string, args ...any) {
	if e.out.Err == nil {
		e.out.Err = fmt.Errorf(format, args...)
		e.out.Ladder = e.ladder(uint32(e.out.States - 1))
	}
}
