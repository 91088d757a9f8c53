package explore

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim/model"
)

// Result is what an exploration came to.
type Result struct {
	States      uint64 // distinct, up to renaming acceptors where Symmetry says so
	Transitions uint64 // steps that led to a state, known or not
	Depth       int    // steps from the beginning
	Complete    bool   // there are no more states
	Symmetry    int    // renamings of acceptors that count as one state
	Executed    uint64 // steps of real machines: the rest was looked up
	Chosen      uint64 // states in which something is chosen
	Twice       uint64 // states in which one value is chosen at two ballots
	Applied     uint64 // states in which a learner has applied something
	Answered    uint64 // states in which the client was answered for both of its appends
	Changed     uint64 // states in which a change of the acceptors is chosen
	After       uint64 // states in which something is chosen where that is in force
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
	cluster
	procs   []paxos.NodeID // acceptors, then proposers
	tables  []*table       // by process
	msgs    messages
	perms   []renaming
	seen    fingerprints
	level   [][]uint32
	next    [][]uint32
	parents []cause  // by number of the state, for the ladder
	ids     []uint32 // numbers of the states in level
	nextIDs []uint32
	arena   []uint32 // where states are made: those of a level lie close together
	played  []cause  // the prologue
	out     Result
}

// cause is how a state was reached.
type cause struct {
	state uint32
	proc  uint8
	input uint32
}

// Explore visits all states, or about most of them; it ends early when ctx does.
// progress may be nil.
func (x Config) Explore(ctx context.Context, most uint64, progress func(Result)) Result {
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

func newExplorer(x Config) *explorer {
	acceptors := ids("a", x.acceptors())
	e := &explorer{
		cluster: cluster{cfg: x, first: map[paxos.NodeID]*model.Contents{}, members: x.membership()},
		procs:   slices.Concat(acceptors, ids("p", x.Proposers), ids("l", x.Learners)),
	}
	e.begin()
	if x.Learners > 0 {
		e.procs = append(e.procs, clientID)
	}
	// An acceptor copies from one peer after the other, in the order of its
	// configuration, and one of them relays values to a learner: then a renamed state
	// does not behave as the renamed cluster.
	e.perms = renamings(acceptors, x.Patience == 0 && x.Learners == 0 && x.Alpha == 0 && !x.plain)
	e.out.Symmetry = len(e.perms)
	e.msgs = messages{known: map[string]uint32{}, procs: e.procs, perms: e.perms}
	for proc := range e.procs {
		e.tables = append(e.tables, newTable(e.perms, proc < x.acceptors(), proc))
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

// start is the first state: acceptors that have vouched for each other and know the
// learners, proposers that stand by, and a client's append on its way to each of them.
func (e *explorer) start() []uint32 {
	nodes := map[paxos.NodeID]*process{}
	acceptors := e.procs[:e.cfg.acceptors()]
	for _, id := range acceptors {
		nodes[id] = e.newAcceptor(id, e.begun, 1)
	}
	learners := ids("l", e.cfg.Learners)
	for _, id := range learners {
		nodes[id] = e.newLearner(id, model.New())
	}
	lag := e.cfg.Unsynced
	e.cfg.Unsynced = 0
	var way []input
	var to []paxos.NodeID
	send := func(from paxos.NodeID, sent []paxos.Envelope) {
		for _, m := range sent {
			if nodes[m.To] != nil {
				way, to = append(way, input{kind: deliver, from: from, msg: m.Msg}), append(to, m.To)
			}
		}
	}
	for _, id := range slices.Concat(acceptors, learners) {
		r := result{node: nodes[id]}
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
	proposers := e.procs[len(acceptors) : len(acceptors)+e.cfg.Proposers]
	for _, id := range proposers {
		nodes[id] = e.newProposer(id, 0)
		nodes[id].Machine.Flush()
	}
	nodes[clientID] = &process{Role: paxos.RoleClient, Machine: &client{Proposers: proposers}}
	state := make([]uint32, 0, len(e.procs)+1+e.cfg.Proposers)
	for proc, id := range e.procs {
		if n := nodes[id]; n.Disk != nil {
			e.first[id] = n.Disk.Clone()
		}
		state = append(state, e.tables[proc].intern(nodes[id]))
	}
	state = append(state, 0)
	for n, id := range proposers {
		session := n + 1 // of each proposer its own, so that they compete; but see client
		if e.cfg.Learners > 0 {
			session = 1
		}
		m, _ := e.msgs.intern(clientID, paxos.Envelope{To: id, Msg: appendOf(session)})
		state = append(state, m)
	}
	slices.Sort(state[len(e.procs)+1:])
	return state
}

// visit adds a state that is known to be new.
func (e *explorer) visit(s []uint32, parent uint32, proc int, in uint32) {
	p := e.fingerprint(s)
	e.seen.add(p.least(len(e.perms)))
	e.keep(s, parent, proc, in)
}

func (e *explorer) keep(s []uint32, parent uint32, proc int, in uint32) {
	e.next = append(e.next, s)
	e.nextIDs = append(e.nextIDs, uint32(e.out.States))
	e.parents = append(e.parents, cause{parent, uint8(proc), in})
	e.out.States++
}

func (e *explorer) violation(format string, args ...any) {
	if e.out.Err == nil {
		e.out.Err = fmt.Errorf(format, args...)
		e.out.Ladder = e.ladder(uint32(e.out.States - 1))
	}
}
