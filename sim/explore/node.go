package explore

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
	"github.com/paxlog/paxlog/proposer"
	"github.com/paxlog/paxlog/sim/model"
)

// process is one process while exploring: the real machine, and what its driver keeps.
// It is never changed once it is in the table of states: a step works on a copy.
type process struct {
	Role    paxos.Role
	Machine paxos.Machine
	// Of a proposer:
	Ballot paxos.Ballot      // of its latest campaign
	Heard  *paxos.Configured // what it was told of a newer configuration, and is told again when it starts
	// Of an acceptor or learner:
	Disk *model.Contents // durable
	// Of an acceptor:
	Jobs   []output        // outputs that are not durable yet, oldest first
	Loaded []paxos.Message // results of loads that the machine has not been told
	Runs   uint64          // starts so far; a run's random bits
	Waits  int             // times that patience ran out in this run
	Now    paxos.Ticks
}

// output is an output that is not durable yet.
type output struct {
	Writes []paxos.Record
	After  []paxos.Envelope
	Sync   bool // After waits for it; else only for those before it
}

// input is something that happens to a process.
type input struct {
	kind kind
	from paxos.NodeID
	msg  paxos.Message // deliver
	n    int
}

type kind byte

const (
	deliver  kind = iota
	synced        // the oldest output becomes durable
	loaded        // the oldest result of a load is told
	crash         // a restart, of which the first n outputs under way survive; of a learner, n is 0: nothing does
	rollBack      // a restart with the directory as it was at first
	patience      // an acceptor's retry time passes
	campaign      // a proposer restarts and campaigns, above n rounds
	tick          // a leader's tick
	order         // a leader is asked to change the acceptors; n is 1 for the second change
	giveUp        // a candidate does not wait for more promises
	taken         // of a member that was replaced: somebody starts its first directory, which peers vouched for before
)

func (in input) String() string {
	return [...]string{"", "synced", "told", "crashes", "forgets", "waits", "campaigns", "ticks", "is asked for the change", "waits no longer", "is started by somebody with its first directory"}[in.kind]
}

// cluster makes the processes of a configuration.
type cluster struct {
	cfg     Config
	members paxos.Membership
	first   map[paxos.NodeID]*model.Contents // the disks at the beginning
	begun   *model.Contents                  // those of acceptors, before they know each other
	chosen  map[paxos.Instance]paxos.Value   // before the beginning
	state   control.State                    // what follows from that
}

// knows is the highest level that the processes know.
func (x *cluster) knows() uint64 {
	if x.cfg.Genesis || x.cfg.Alpha > 0 {
		return control.Level
	}
	return 0
}

// newAcceptor starts an acceptor from its disk.
func (x *cluster) newAcceptor(id paxos.NodeID, disk *model.Contents, runs uint64) *process {
	m := acceptor.New(acceptor.Config{
		Knows: x.knows(), ID: id, Membership: x.members, Incarnation: 1, Seed: runs, Sources: others(x.members.Acceptors, id), Proposers: x.told(),
		HeartbeatTicks: 1000, RetryTicks: 1, StallTicks: 1000, IdleTicks: 1000, PageBytes: 1 << 20,
	}, disk.AcceptorState())
	n := &process{Role: paxos.RoleAcceptor, Machine: m, Disk: disk.Clone(), Runs: runs, Now: 1}
	m.Tick(1, 0)
	for _, o := range others(slices.Concat(x.members.Acceptors, x.cfg.newcomers()), id) {
		m.Step(id, &paxos.PeerUp{ID: o, Role: paxos.RoleAcceptor, Incarnation: 1})
	}
	for _, o := range x.told() {
		m.Step(id, &paxos.PeerUp{ID: o, Role: paxos.RoleProposer})
	}
	m.Tick(1, 0)
	return n
}

// newProposer starts a proposer. Its run and its round are the number of campaigns so
// far: no two are alike, and what is sent in one order may arrive in any other.
func (x *cluster) newProposer(id paxos.NodeID, campaigns int) *process {
	var log paxos.LogID
	copy(log[:], fmt.Sprintf("%s, %d", id, campaigns))
	m := proposer.New(proposer.Config{
		Knows: x.knows(), LogID: log, ID: id, Membership: x.members, Process: uint64(campaigns), Seed: uint64(campaigns), RetryTicks: 1000, StallTicks: 1000,
		HeartbeatTicks: 7, // so short that each of its ticks may announce, and time does not pass: none is due
		Window:         x.cfg.Instances, WindowBytes: 1 << 20, BatchBytes: 1, EntryBytes: 100, QueueBytes: 1 << 20,
	})
	m.Tick(1, 0)
	return &process{Role: paxos.RoleProposer, Machine: m, Now: 1}
}

// result is what came of an input: the process after it, and what it sent.
type result struct {
	node *process
	sent []paxos.Envelope
	halt string // why the machine stops, if it does
}

// step plays an input on a copy of n. ok is false if the input is not possible now.
func (x *cluster) step(id paxos.NodeID, n *process, in input) (r result, ok bool) {
	switch in.kind {
	case campaign:
		r.node = x.campaign(id, in.n, n.Heard)
	case crash, rollBack, taken:
		if in.n > len(n.Jobs) && n.Role == paxos.RoleAcceptor {
			return r, false
		}
		r.node = x.restart(id, n, in)
	}
	if r.node != nil {
		x.flush(id, &r)
		return r, true
	}
	c := clone(n)
	r.node = c
	switch in.kind {
	case deliver:
		if len(c.Jobs) >= x.cfg.Unsynced && x.cfg.Unsynced > 0 {
			return r, false // the driver waits for room
		}
		if m, is := in.msg.(*paxos.Configured); is && (c.Heard == nil || isNewer(m, c.Heard)) {
			c.Heard = m
		}
		c.Machine.Step(in.from, in.msg)
		if c.Role == paxos.RoleAcceptor && x.cfg.Alpha > 0 {
			c.Machine.Tick(c.Now, 0) // one that becomes a member introduces itself to the others
		}
	case synced:
		r.sent, ok = c.sync()
		return r, ok
	case loaded:
		if len(c.Loaded) == 0 {
			return r, false
		}
		m := c.Loaded[0]
		c.Loaded = c.Loaded[1:]
		c.Machine.Step(id, m)
	case patience:
		if c.Waits >= x.patience(id) {
			return r, false
		}
		c.Waits++
		c.Now += 2
		c.Machine.Tick(c.Now, 0)
	case tick:
		c.Machine.Tick(c.Now, 0)
	case giveUp:
		if c.Machine.(*proposer.Proposer).Report().State != "preparing" || c.Now > 1 {
			return r, false
		}
		c.Now++
		c.Machine.Tick(c.Now, 0)
	case order:
		m := x.cfg.Order
		if in.n > 0 {
			m = x.cfg.Then
		}
		c.Machine.Step(clientID, &m)
	}
	x.flush(id, &r)
	return r, true
}

// sync makes the oldest output durable, and returns what is said when it is. ok is false if there is none.
func (n *process) sync() (sent []paxos.Envelope, ok bool) {
	if len(n.Jobs) == 0 {
		return nil, false
	}
	n.Disk.Apply(n.Jobs[0].Writes)
	sent = append(sent, n.Jobs[0].After...)
	n.Jobs = n.Jobs[1:]
	for i := 0; i < len(n.Jobs) && !n.Jobs[i].Sync; i++ {
		sent = append(sent, n.Jobs[i].After...)
		n.Jobs[i].After = nil
	}
	return sent, true
}

// campaign is a new proposer that has heard of round n, and that nobody leads.
func (x *cluster) campaign(id paxos.NodeID, n int, heard *paxos.Configured) *process {
	p := x.newProposer(id, n)
	p.Machine.Tick(1, 0)
	for _, a := range x.members.Acceptors {
		p.Machine.Step(id, &paxos.PeerUp{ID: a, Role: paxos.RoleAcceptor, Incarnation: 1}) // it asks
		p.Machine.Step(a, &paxos.QueryReply{Nonce: 1, Silent: 1, Promised: paxos.Ballot{Round: uint64(n)}})
	}
	x.join(id, p.Machine)
	if p.Heard = heard; heard != nil {
		for _, a := range x.members.Acceptors[:min(2, len(x.members.Acceptors))] { // it believes no single one
			p.Machine.Step(a, heard)
		}
	}
	p.Machine.Tick(1, 0)
	return p
}

// restart is n after a crash: with so many of the outputs on its disk that waited for
// their sync, or with the directory that it had at first.
func (x *cluster) restart(id paxos.NodeID, n *process, in input) *process {
	disk := n.Disk.Clone()
	for _, j := range n.Jobs[:min(in.n, len(n.Jobs))] {
		disk.Apply(j.Writes)
	}
	if in.kind == rollBack || in.kind == taken {
		disk = x.first[id].Clone()
	}
	if n.Role != paxos.RoleLearner {
		after := x.newAcceptor(id, disk, n.Runs+1)
		if in.kind == taken {
			x.vouchFor(id, after)
		}
		return after
	}
	if in.n == 0 { // its disk is exchanged for an empty one: it is merely earlier
		disk = model.New()
	}
	return x.newLearner(id, disk)
}

// flush does what a driver does: with Unsynced of 0 all at once, else what waits for
// a sync or a load is left for inputs of its own.
func (x *cluster) flush(id paxos.NodeID, r *result) {
	n := r.node
	for {
		out := n.Machine.Flush()
		if out.Halt != "" {
			r.halt = out.Halt
			return
		}
		r.sent = append(r.sent, out.SendNow...)
		if n.Disk == nil {
			for _, m := range out.SendNow {
				if p, ok := m.Msg.(*paxos.Prepare); ok {
					n.Ballot = p.Ballot
				}
			}
			r.sent = append(r.sent, out.SendAfter...)
			return
		}
		x.write(r, out)
		if len(out.Loads) == 0 {
			return
		}
		visible := n.Disk.Clone()
		for _, j := range n.Jobs {
			visible.Apply(j.Writes)
		}
		for _, l := range out.Loads {
			n.Loaded = append(n.Loaded, visible.Load(n.Role, l))
		}
		if x.cfg.Unsynced > 0 && n.Role == paxos.RoleAcceptor {
			return
		}
		for _, m := range n.Loaded {
			n.Machine.Step(id, m)
		}
		n.Loaded = nil
	}
}

// write hands an output to the disk, and sends what need not wait for it.
func (x *cluster) write(r *result, out paxos.Output) {
	n := r.node
	if x.cfg.Unsynced == 0 || n.Role == paxos.RoleLearner {
		n.Disk.Apply(out.Writes)
		r.sent = append(r.sent, out.SendAfter...)
		return
	}
	job := output{out.Writes, out.SendAfter, out.Sync}
	if !out.Sync && !slices.ContainsFunc(n.Jobs, func(j output) bool { return j.Sync }) {
		r.sent = append(r.sent, out.SendAfter...)
		job.After = nil
	}
	if len(job.Writes) > 0 || len(job.After) > 0 {
		n.Jobs = append(n.Jobs, job)
	}
}

// dead reports whether a message can make no difference any more, whatever happens to
// the process that it is sent to: states that differ only in such messages are one.
// Processes whose directory may still be put back may yet need old ones.
func (n *process) dead(m paxos.Message, putBack bool) bool {
	switch m := m.(type) {
	case *paxos.Prepare:
		return !putBack && m.Ballot.Less(n.Disk.Promised) // it is refused
	case *paxos.Vouched:
		return n.Disk != nil && m.Asked.Process < n.Runs
	case *paxos.Rejoined:
		return !putBack && !n.Disk.Mark.Life.Less(m.Ballot)
	case *paxos.Promise:
		return m.Ballot.Less(n.Ballot)
	case *paxos.Configured:
		return n.Heard != nil && !isNewer(m, n.Heard)
	case *paxos.Relay:
		return !putBack && m.Instance <= n.Disk.Learner.Applied
	}
	return false
}

// ids are the processes of a kind: a1, a2 and so on.
func ids(prefix string, n int) []paxos.NodeID {
	out := make([]paxos.NodeID, n)
	for i := range out {
		out[i] = paxos.NodeID(fmt.Sprintf("%s%d", prefix, i+1))
	}
	return out
}

func others(all []paxos.NodeID, id paxos.NodeID) []paxos.NodeID {
	return slices.DeleteFunc(slices.Clone(all), func(x paxos.NodeID) bool { return x == id })
}
