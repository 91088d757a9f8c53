package learner

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// pending is what a load of the store is for: its fields say what was asked and by
// whom. These are the kinds:
//
//	pageLoad      entries, for all reads that wait for the same ones
//	timeLoad      the index at a time, for a Locate
//	lookupLoad    the index of a command, for a Lookup
//	storedAnswer  what became of commands, for a client attached to their session
//	copyLoad      chosen values, for an acceptor, another learner, or a backup
//	abandoned     nothing any more: whoever asked has left, or given up
type pending interface {
	// loaded is told the result, when the load is no longer among those under way.
	loaded(l *Learner, m *paxos.Loaded)
}

type abandoned struct{}

func (abandoned) loaded(*Learner, *paxos.Loaded) {}

// load reads the store, for p, and returns the load's tag.
func (l *Learner) load(q paxos.Load, p pending) uint64 {
	q.Tag = l.expect(p)
	l.Load(q)
	return q.Tag
}

// expect gives p a tag of its own: what is loaded under it is for p.
func (l *Learner) expect(p pending) uint64 {
	if len(l.loads) == 0 {
		l.tag = 0 // each load is answered once: no answer to an earlier one can come
	}
	l.tag++
	l.loads[l.tag] = p
	return l.tag
}

// abandon makes a load come to nothing. If the store was not asked for it yet, it is not.
func (l *Learner) abandon(tag uint64) {
	if l.withdrawLoad(tag) {
		return
	}
	if i := slices.IndexFunc(l.Out.Loads, func(q paxos.Load) bool { return q.Tag == tag }); i >= 0 {
		l.Out.Loads = slices.Delete(l.Out.Loads, i, i+1)
		delete(l.loads, tag)
		delete(l.due.loaded, tag)
		return
	}
	l.loads[tag] = abandoned{}
}

func (l *Learner) onLoaded(m *paxos.Loaded) {
	p, ok := l.loads[m.Load.Tag]
	if !ok {
		l.Violated("a load is answered once", "tag", m.Load.Tag)
		return
	}
	delete(l.loads, m.Load.Tag)
	delete(l.due.loaded, m.Load.Tag)
	p.loaded(l, m)
}

// copyLoad is a load of chosen values for whoever fetches them.
type copyLoad struct {
	to    paxos.NodeID
	nonce uint64
}

// onFetch lets an acceptor or another learner copy what was chosen. All of it
// has been applied here, so all of it is held.
func (l *Learner) onFetch(from paxos.NodeID, m *paxos.Fetch) {
	first := max(m.From, 1)
	if !m.Values || first > l.state.Applied || first < l.state.FirstInstance {
		l.Send(from, l.page(m.Nonce, m.From))
		return
	}
	if l.copies >= maxCopies {
		return // it asks again
	}
	l.copies++
	l.loadValues(from, m.Nonce, m.From)
}

// onCopy lets a client copy what was chosen. So few of them do at once that acceptors and
// learners that copy hardly notice.
func (l *Learner) onCopy(from paxos.NodeID, m *paxos.Copy) {
	if m.From > l.state.Applied || m.From < l.state.FirstInstance || l.backups >= maxBackups {
		l.Send(from, l.page(m.Nonce, m.From))
		return
	}
	l.backups++
	l.loadValues(from, m.Nonce, m.From)
}

// loadValues reads chosen values for whoever copies them.
func (l *Learner) loadValues(to paxos.NodeID, nonce uint64, from paxos.Instance) {
	q := paxos.Load{Kind: paxos.LoadVotes, From: from, To: l.state.Applied, MaxBytes: l.cfg.PageBytes}
	l.load(q, &copyLoad{to, nonce})
}

func (c *copyLoad) loaded(l *Learner, m *paxos.Loaded) {
	if c.to.IsClient() {
		l.backups--
	} else {
		l.copies--
	}
	p := l.page(c.nonce, m.Load.From)
	p.Values = m.Votes
	l.Send(c.to, p)
}

// page says what is held here; it has no values yet.
func (l *Learner) page(nonce uint64, from paxos.Instance) *paxos.Page {
	p := &paxos.Page{Nonce: nonce, From: from, Held: l.state.Applied, First: l.state.FirstInstance}
	if from < p.First && p.First == l.control.state.FirstInstance() {
		p.Control = l.control.encoded
	}
	return p
}
