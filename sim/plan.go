package sim

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// Plan is all that a seed decides about a run but the chances within it: what the
// cluster is, and what breaks when. It is drawn first and then played, so that a
// run that fails can be made shorter.
type Plan struct {
	Seed     uint64
	Topology Topology
	Store    StoreKind
	Lag      Micros // how late a server is told the time that it waits for, at most
	Wake     Micros // how long a process takes at most to look at what has arrived
	Drift    bool   // clocks run fast or slow
	End      Micros // of the faults; then everything is healed
	Faults   []Fault
	Gone     []paxos.NodeID // do not come back when everything is healed
	Changes  bool           // acceptors come and go
	Old      []paxos.NodeID // know level 0 only, until they are started for the second time
	Programs []Program      // at first; none: all know the level of this release, but for Old
}

// StoreKind says what keeps the nodes' data.
type StoreKind int

// The kinds: a model of the store, wal in Pebble, and wal in Pebble of which a
// crash leaves unsynced blocks at random.
const (
	ModelStore StoreKind = iota
	PebbleStore
	TornStore
)

func (k StoreKind) String() string { return [...]string{"model", "Pebble", "Pebble, torn"}[k] }

// Fault is one harm, or its end, at one time.
type Fault struct {
	At   Micros
	Kind FaultKind
	Node paxos.NodeID
	Peer paxos.NodeID // the other end of a link, if any
	For  Micros       // until it is undone
	Arg  uint64       // random; what it decides depends on the kind
}

// FaultKind is what breaks.
type FaultKind int

// The kinds of faults.
const (
	CrashNode FaultKind = iota
	CrashAll
	PauseNode
	SlowNode
	HangDisk
	SlowDisk
	BreakWrite
	BreakSync
	FillDisk
	NarrowDisk
	RollBack
	CutOneWay
	CutBothWays
	Isolate
	Flap
	BreakConnection
	Orphan
	ReplayOld
	JumpWall
	LossyNetwork
	HandOver
	DrainNode
	TrimLog
	LoseLearner
	ReplaceProgram
	RaiseLevel
	ReplaceAcceptor
	AddAcceptor
	RemoveAcceptor
	LoseNewcomer
	StealSession
	MoveProcess
	HoldLog
	HearTwin
	AdjustLog
	HealNetwork
)

var faultNames = [...]string{
	CrashNode: "crash", CrashAll: "crash of all", PauseNode: "pause", SlowNode: "slow process", HangDisk: "hung disk",
	SlowDisk: "slow disk", BreakWrite: "write error", BreakSync: "sync error", FillDisk: "disk filled", NarrowDisk: "disk with little room", RollBack: "old directory", CutOneWay: "one-way cut",
	CutBothWays: "two-way cut", Isolate: "isolated node", Flap: "flapping link", BreakConnection: "connection cut in flight",
	Orphan: "votes of one acceptor alone", ReplayOld: "old packets", JumpWall: "clock jump", LossyNetwork: "lossy network",
	HandOver: "leader asked to hand over", DrainNode: "drain", TrimLog: "trim", LoseLearner: "learner begun anew",
	ReplaceProgram: "program replaced", RaiseLevel: "level to be raised",
	ReplaceAcceptor: "acceptor dead for good, and replaced", AddAcceptor: "acceptor added", RemoveAcceptor: "acceptor removed",
	LoseNewcomer: "newcomer dead for good before it has arrived",
	StealSession: "client that goes on with others' sessions", MoveProcess: "proposer or learner moved", HoldLog: "hold", HearTwin: "another process of an acceptor heard", AdjustLog: "setting", HealNetwork: "healed network",
}

func (k FaultKind) String() string { return faultNames[k] }

func (f Fault) String() string {
	s := f.Kind.String()
	if f.Node != "" {
		s += " " + string(f.Node)
	}
	if f.Peer != "" {
		s += " " + string(f.Peer)
	}
	if f.For > 0 {
		s += fmt.Sprintf(" for %d ms", f.For/Millisecond)
	}
	return s
}

// lot is how often each kind is drawn.
var lot = []FaultKind{
	CrashNode, CrashNode, CrashNode, CrashNode, CrashAll, CrashAll, PauseNode, PauseNode, SlowNode, HangDisk, HangDisk, SlowDisk,
	BreakWrite, BreakSync, FillDisk, RollBack, RollBack, CutOneWay, CutOneWay, CutBothWays, Isolate, Isolate, Flap, BreakConnection, BreakConnection,
	Orphan, Orphan, Orphan, ReplayOld, JumpWall, JumpWall, HandOver, HandOver, HandOver, DrainNode,
	HealNetwork, HealNetwork, HealNetwork, HealNetwork, HealNetwork, HealNetwork,
}

// longest is for how long each kind lasts at most; 0: it has no end of its own.
var longest = map[FaultKind]Micros{
	CrashNode: 1500 * Millisecond, CrashAll: 300 * Millisecond, PauseNode: 2 * Second, SlowNode: 2 * Second, HangDisk: 3 * Second,
	SlowDisk: 2 * Second, FillDisk: 2 * Second, RollBack: 500 * Millisecond, Flap: Second, BreakConnection: 300 * Millisecond, HandOver: Second, DrainNode: 2 * Second,
}

// RandomTopology draws the size of a cluster from a seed.
func RandomTopology(seed uint64) Topology {
	r := paxos.Rand{State: seed ^ 0x70706f6c6f67}
	pick := func(n ...int) int { return n[r.Uint64()%uint64(len(n))] }
	t := Topology{
		Acceptors: pick(1, 1, 2, 3, 3, 3, 3, 3, 3, 3, 4, 5, 5, 6, 7), Proposers: pick(1, 1, 2, 2, 2, 3, 4, 5), Learners: pick(1, 1, 2, 2, 3), Clients: pick(1, 2, 3),
		Sessions: pick(2, 3, 4, 100), Entries: pick(5, 50, 200), PageBytes: pick(100, 300, 2000), Scrubs: true,
	}
	if n := t.Acceptors; n > 1 && r.Uint64()%3 == 0 {
		t.Phase1 = 1 + int(r.Uint64()%uint64(n))
		t.Phase2 = n + 1 - t.Phase1 + int(r.Uint64()%uint64(t.Phase1)) // any that intersects
	}
	return t
}

// Every so many seeds have Pebble beneath, and every so many of the others a torn
// one: it takes a hundred times as long as the model.
const (
	pebbleEvery = 100
	tornEvery   = 300
)

// DrawPlan draws everything from the seed.
func DrawPlan(seed uint64) Plan {
	r := paxos.Rand{State: seed ^ 0x6661756c7473}
	p := Plan{Seed: seed, Topology: RandomTopology(seed), Drift: r.Uint64()%2 == 0}
	p.Lag = []Micros{100, 2 * Millisecond, 20 * Millisecond}[r.Uint64()%3]
	p.Wake = []Micros{30, 200, 500, 1000}[r.Uint64()%4]
	switch {
	case seed%pebbleEvery == 7:
		p.Store = PebbleStore
	case seed%tornEvery == 11:
		p.Store = TornStore
	}
	t := p.Topology
	acceptors, proposers, learners := ids("a", t.Acceptors), ids("p", t.Proposers), ids("l", t.Learners)
	servers := slices.Concat(acceptors, proposers, learners)
	anyOf := func(ids []paxos.NodeID) paxos.NodeID { return ids[r.Uint64()%uint64(len(ids))] }
	p.End = between(&r, 2, 10) * Second
	if r.Uint64()%1000 < 300 {
		p.Faults = append(p.Faults, Fault{Kind: LossyNetwork, Arg: r.Uint64()})
	}
	for at := Micros(0); ; {
		if at += between(&r, 10*Millisecond, 600*Millisecond); at >= p.End {
			break
		}
		f := Fault{At: at, Kind: lot[r.Uint64()%uint64(len(lot))], Arg: r.Uint64()}
		f.Node, f.Peer = anyOf(servers), anyOf(servers)
		if most := longest[f.Kind]; most > 0 {
			f.For = between(&r, 10*Millisecond, most)
		}
		switch f.Kind {
		case Orphan:
			f.Node, f.Peer = anyOf(proposers), anyOf(acceptors)
		case RollBack:
			f.Node, f.Peer = anyOf(acceptors), ""
		case HangDisk, SlowDisk, BreakWrite, BreakSync, FillDisk:
			f.Node, f.Peer = anyOf(append(acceptors, learners...)), ""
		case CutOneWay, CutBothWays, Flap, BreakConnection:
			if f.Node == f.Peer {
				continue
			}
		case HandOver:
			f.Node, f.Peer = anyOf(proposers), ""
		case CrashAll, ReplayOld, HealNetwork:
			f.Node, f.Peer = "", ""
		default:
			f.Peer = ""
		}
		p.Faults = append(p.Faults, f)
	}
	p.Gone = drawGone(&r, t)
	p.Faults = append(p.Faults, drawTrims(seed, p.End, learners)...)
	p.Faults = append(p.Faults, drawThefts(seed, p.End)...)
	p.Faults = append(p.Faults, drawNarrow(seed, p.End, append(acceptors, learners...))...)
	programs, levels := drawLevels(&p, servers)
	p.Programs, p.Faults = programs, append(p.Faults, levels...)
	p.changes(drawChanges(seed, p.End, t))
	p.Faults = append(p.Faults, drawMoves(seed, p.End)...)
	p.Faults = append(p.Faults, drawHolds(seed, p.End)...)
	p.Faults = append(p.Faults, drawSettings(seed, p.End)...)
	p.Faults = append(p.Faults, p.drawTwins(acceptors, servers)...)
	slices.SortStableFunc(p.Faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	if programs == nil {
		p.Old = drawOld(seed, servers)
	}
	return p
}

// drawOld draws the processes that are of an earlier release at first: none in most runs. It
// draws from a source of its own, so that what else a seed decides stays as it was.
func drawOld(seed uint64, servers []paxos.NodeID) []paxos.NodeID {
	r := paxos.Rand{State: seed ^ 0x6c6576656c73}
	var old []paxos.NodeID
	if r.Uint64()%1000 >= 250 {
		return nil
	}
	for _, id := range servers {
		if r.Uint64()%1000 < 300 {
			old = append(old, id)
		}
	}
	return old
}

// drawTrims draws when the log is trimmed, and when a learner loses its directory for good. It
// has a source of its own, as drawOld has.
func drawTrims(seed uint64, end Micros, learners []paxos.NodeID) (faults []Fault) {
	r := paxos.Rand{State: seed ^ 0x7472696d73}
	if r.Uint64()%2 == 0 {
		return nil
	}
	for at := Micros(0); ; {
		if at += between(&r, 50*Millisecond, 1500*Millisecond); at >= end {
			return faults
		}
		f := Fault{At: at, Kind: TrimLog, Arg: r.Uint64()}
		if r.Uint64()%4 == 0 {
			f.Kind, f.Node, f.For = LoseLearner, learners[r.Uint64()%uint64(len(learners))], between(&r, Millisecond, Second)
		}
		faults = append(faults, f)
	}
}

// drawHolds draws when somebody sets, moves or releases a hold, in half of the runs. It has a source
// of its own, as drawOld has.
func drawHolds(seed uint64, end Micros) (faults []Fault) {
	r := paxos.Rand{State: seed ^ 0x686f6c6473}
	if r.Uint64()%2 == 0 {
		return nil
	}
	for at := Micros(0); ; {
		if at += between(&r, 50*Millisecond, 1500*Millisecond); at >= end {
			return faults
		}
		faults = append(faults, Fault{At: at, Kind: HoldLog, Arg: r.Uint64()})
	}
}

// drawSettings draws when somebody decides how many sessions are remembered, or what clients may have, in a third
// of the runs. It has a source of its own, as drawOld has.
func drawSettings(seed uint64, end Micros) (faults []Fault) {
	r := paxos.Rand{State: seed ^ 0x73657474696e67}
	if r.Uint64()%3 != 0 {
		return nil
	}
	for at := Micros(0); ; {
		if at += between(&r, 50*Millisecond, 1500*Millisecond); at >= end {
			return faults
		}
		faults = append(faults, Fault{At: at, Kind: AdjustLog, Arg: r.Uint64()})
	}
}

// drawTwins draws when a peer hears another process under an acceptor's id, in a quarter of the runs in which
// nobody leaves for good: the acceptor waits for that peer. It has a source of its own, as drawOld has.
func (p *Plan) drawTwins(acceptors, servers []paxos.NodeID) (faults []Fault) {
	r := paxos.Rand{State: p.Seed ^ 0x7477696e73}
	leaves := func(f Fault) bool { return f.Kind == MoveProcess }
	if r.Uint64()%4 != 0 || p.Changes || len(p.Gone) > 0 || slices.ContainsFunc(p.Faults, leaves) {
		return nil
	}
	for at := Micros(0); ; {
		if at += between(&r, 50*Millisecond, 2*Second); at >= p.End {
			return faults
		}
		f := Fault{At: at, Kind: HearTwin, Node: acceptors[r.Uint64()%uint64(len(acceptors))], Peer: servers[r.Uint64()%uint64(len(servers))]}
		if f.Node != f.Peer {
			faults = append(faults, f)
		}
	}
}

// drawNarrow draws when disks have little room, in a third of the runs. It has a source of its own,
// as drawOld has.
func drawNarrow(seed uint64, end Micros, stores []paxos.NodeID) (faults []Fault) {
	r := paxos.Rand{State: seed ^ 0x6e6172726f77}
	if r.Uint64()%3 != 0 {
		return nil
	}
	for at := Micros(0); ; {
		if at += between(&r, 50*Millisecond, 2*Second); at >= end {
			return faults
		}
		faults = append(faults, Fault{At: at, Kind: NarrowDisk, Node: stores[r.Uint64()%uint64(len(stores))], For: between(&r, 50*Millisecond, 4*Second), Arg: r.Uint64()})
	}
}

// drawGone draws nodes that stay away for ever: as many as the cluster must do
// without, but not more.
func drawGone(r *paxos.Rand, t Topology) []paxos.NodeID {
	var gone []paxos.NodeID
	leave := func(all []paxos.NodeID, atMost int) {
		for ; atMost > 0 && r.Uint64()%1000 < 300; atMost-- {
			if id := all[r.Uint64()%uint64(len(all))]; !slices.Contains(gone, id) {
				gone = append(gone, id)
			}
		}
	}
	phase1, phase2 := t.quorums()
	leave(ids("a", t.Acceptors), t.Acceptors-max(phase1, phase2))
	leave(ids("p", t.Proposers), t.Proposers-1)
	leave(ids("l", t.Learners), t.Learners-1)
	return gone
}

// quorums are the sizes that a topology means: majorities unless it says others.
func (t Topology) quorums() (phase1, phase2 int) {
	if t.Phase1 == 0 {
		return t.Acceptors/2 + 1, t.Acceptors/2 + 1
	}
	return t.Phase1, t.Phase2
}

// repeats reports whether messages arrive more than once in a run of p.
func (p *Plan) repeats() bool {
	return slices.ContainsFunc(p.Faults, func(f Fault) bool { return f.Kind == LossyNetwork || f.Kind == ReplayOld })
}
