package explore

import (
	"hash/maphash"

	"github.com/paxlog/paxlog/paxos"
)

// table numbers the states of one process.
type table struct {
	known map[string]uint32
	nodes []entry
	perms []renaming
	procs []int // by renaming: which process this one becomes
}

type entry struct {
	node     *process
	print    prints
	outcomes map[uint32]*outcome
}

// maxPerms bounds the renamings of acceptors: those of three.
const maxPerms = 6

// prints are a state's fingerprints, one for each renaming of acceptors. They are
// sums over processes and messages, so that they follow from those of a neighbour.
type prints [maxPerms]uint64

// least is the fingerprint of all states that differ by a renaming only.
func (p *prints) least(n int) uint64 {
	l := p[0]
	for _, x := range p[1:n] {
		l = min(l, x)
	}
	return l
}

// seed makes fingerprints differ from one process to the next: an unlucky collision,
// which hides a state, does not repeat.
var seed = maphash.MakeSeed()

func hash(b []byte) uint64 { return mix(maphash.Bytes(seed, b)) }

func mix(x uint64) uint64 { return (&paxos.Rand{State: x}).Uint64() }

func newTable(perms []renaming, isAcceptor bool, proc int) *table {
	t := &table{known: map[string]uint32{}, perms: perms, procs: make([]int, len(perms))}
	for k, p := range perms {
		if t.procs[k] = proc; isAcceptor {
			t.procs[k] = p.to[proc]
		}
	}
	return t
}

// intern returns the number of a state of the process.
func (t *table) intern(n *process) uint32 {
	first := canonical(t.perms[0], n)
	if id, ok := t.known[string(first)]; ok {
		return id
	}
	id := uint32(len(t.nodes))
	t.known[string(first)] = id
	entry := entry{node: n, outcomes: map[uint32]*outcome{}}
	for k, p := range t.perms {
		entry.print[k] = mix(hash(canonical(p, n)) + uint64(t.procs[k]))
	}
	t.nodes = append(t.nodes, entry)
	return id
}

// messages numbers the messages ever sent.
type messages struct {
	known map[string]uint32
	list  []message
	procs []paxos.NodeID
	perms []renaming
}

type message struct {
	from  paxos.NodeID
	to    int // process
	msg   paxos.Message
	print prints
	tells bool // it bears on what is chosen
}

// carry returns the number of a message, or false if it is one that an exploration
// leaves out, as if it were lost: those that only keep things alive.
func (x *messages) carry(cfg Config, from paxos.NodeID, m paxos.Envelope) (uint32, bool) {
	switch m.Msg.(type) {
	case *paxos.Accepted:
		if cfg.Unheard && m.To[0] == 'p' {
			return 0, false
		}
	case *paxos.Prepare, *paxos.Promise, *paxos.Accept, *paxos.Relay, *paxos.Results, *paxos.Result, *paxos.Append:
	case *paxos.Configured:
		if m.To != "p2" {
			return 0, false // p1 makes the change
		}
	case *paxos.Vouch, *paxos.Vouched:
		if cfg.Crashes+cfg.RollBacks+cfg.Newcomers == 0 || m.To[0] == 'p' {
			return 0, false
		}
	case *paxos.Rejoin, *paxos.Rejoined, *paxos.HeartbeatAck:
		if cfg.RollBacks == 0 && cfg.Then.Order == 0 {
			return 0, false
		}
	case *paxos.Heartbeat, *paxos.Fetch, *paxos.Page:
		if !cfg.Held {
			return 0, false
		}
	default:
		return 0, false
	}
	return x.intern(from, m)
}

func (x *messages) intern(from paxos.NodeID, m paxos.Envelope) (uint32, bool) {
	to := -1
	for i, id := range x.procs {
		if id == m.To {
			to = i
		}
	}
	if to < 0 {
		return 0, false
	}
	first := canonical(x.perms[0], from, m.To, m.Msg)
	if id, ok := x.known[string(first)]; ok {
		return id, true
	}
	id := uint32(len(x.list))
	x.known[string(first)] = id
	entry := message{from: from, to: to, msg: m.Msg}
	switch m.Msg.(type) {
	case *paxos.Accept, *paxos.Accepted:
		entry.tells = true
	}
	for k, p := range x.perms {
		entry.print[k] = hash(canonical(p, from, m.To, m.Msg))
	}
	x.list = append(x.list, entry)
	return id, true
}

// fingerprint computes a state's fingerprints anew.
func (e *explorer) fingerprint(s []uint32) prints {
	var p prints
	at := len(e.procs)
	for k := range e.perms {
		p[k] = mix(uint64(s[at]))
		for proc := range e.procs {
			p[k] += e.tables[proc].nodes[s[proc]].print[k]
		}
		for _, m := range s[at+1:] {
			p[k] += e.msgs.list[m].print[k]
		}
	}
	return p
}

// fingerprints is a set of them: open addressing over 64-bit numbers, 0 being none.
type fingerprints struct {
	table []uint64
	n     int
}

// add adds p and reports whether it was not there.
func (f *fingerprints) add(p uint64) bool {
	if p == 0 {
		p = 1
	}
	if 4*(f.n+1) > 3*len(f.table) {
		old := f.table
		f.table, f.n = make([]uint64, max(1<<12, 2*len(old))), 0
		for _, o := range old {
			if o != 0 {
				f.add(o)
			}
		}
	}
	mask := uint64(len(f.table) - 1)
	for i := p & mask; ; i = (i + 1) & mask {
		switch f.table[i] {
		case 0:
			f.table[i] = p
			f.n++
			return true
		case p:
			return false
		}
	}
}
