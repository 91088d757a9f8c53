package proposer

import (
	"bytes"
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// rounds are the highest that each acceptor has shown. One acceptor's word is not enough to
// carry a ballot far: a proposer that believed 2^61 would be refused everywhere, or would
// take everybody there.
type rounds struct {
	shown paxos.ByPlace[uint64]
	heard paxos.Set
}

// hear takes the round that an acceptor shows, and reports whether it can be.
func (p *Proposer) hear(place int, round uint64) bool {
	if place < 0 {
		return false
	}
	r := &p.rounds
	r.shown[place], r.heard = max(r.shown[place], round), r.heard.With(place)
	if round > p.reach() {
		p.disbelieve(place, "its round is further ahead than elections can bring it", "round", round)
		return false
	}
	if p.members.Newest().IsPhase1(r.heard) {
		p.round = p.highest()
	}
	return true
}

// reach is the highest round that is believed: MaxJump above what a quorum has shown, and
// any round as long as none has.
func (p *Proposer) reach() uint64 {
	group, r := p.members.Newest(), &p.rounds
	if !group.IsPhase1(r.heard) {
		return paxos.Bound
	}
	var shown []uint64
	for i, round := range r.shown {
		if r.heard.Has(i) {
			shown = append(shown, round)
		}
	}
	slices.Sort(shown)
	return max(p.round, shown[len(shown)-group.Phase1]) + paxos.MaxJump
}

// highest is the highest round that is believed to be promised.
func (p *Proposer) highest() uint64 {
	h, reach := p.round, p.reach()
	for _, round := range p.rounds.shown {
		if round <= reach {
			h = max(h, round)
		}
	}
	return h
}

// disbelieve notes that what an acceptor said is not believed. It stops nobody.
func (p *Proposer) disbelieve(place int, why string, kv ...any) {
	p.refused++
	if p.refusal.Due(p.now) {
		p.refusal.Set(p.now + warnTicks)
		p.Warn("refused what a peer claims: "+why, append([]any{"peer", string(p.members.Acceptors[place]), "refused_so_far", p.refused}, kv...)...)
	}
}

// judge drops the promises of acceptors that claim to hold instances far above what a quorum
// holds. A leader begins above the highest that its quorum holds, so one such claim would
// leave a gap in the log that nobody could ever fill.
func (q *quorumRead) judge(p *Proposer) {
	m := p.members.Newest()
	var held []paxos.Instance // of those that are not new
	for i := range q.promises {
		if h := q.promises[i].held; q.done.Has(i) && h > 0 {
			held = append(held, h)
		}
	}
	need := min(m.Phase1, m.Phase2)
	if len(held) < need {
		return
	}
	slices.Sort(held)
	base := held[len(held)-need]
	for i := range q.promises {
		if c := &q.promises[i]; q.done.Has(i) && c.held > base+paxos.MaxJump {
			p.disbelieve(i, "it holds instances far ahead of what a quorum of acceptors holds", "held", uint64(c.held), "quorum", uint64(base))
			q.begin(p, i, p.rand.Uint64()%paxos.Bound)
		}
	}
}

// fits reports whether a page can be what was asked for: votes in order, within the range
// asked for, and no more than an acceptor keeps.
func (q *quorumRead) fits(c *promise, m *paxos.Promise) bool {
	next := c.from
	for i := range m.Votes {
		v := &m.Votes[i]
		if v.Instance < next || q.to != 0 && v.Instance > q.to || v.Instance > max(q.highestHeld(), m.Held)+paxos.MaxJump {
			return false
		}
		next = v.Instance + 1
	}
	return len(c.votes)+len(m.Votes) <= maxReported
}

// highestHeld is the highest that any acceptor has shown that it holds.
func (q *quorumRead) highestHeld() (h paxos.Instance) {
	for i := range q.promises {
		h = max(h, q.promises[i].held)
	}
	return h
}

// word is what one acceptor says of what the log has decided. See the package doc, "What one
// acceptor says".
type word struct {
	state   *control.State  // the latest that it has shown, or nil
	heard   bool            // it has said since when rights are as it knows them
	granted paxos.Instance  // since when
	clock   paxos.UnixNanos // what its clock showed last, 0 if it has not said it
	clockAt paxos.Ticks     // and when it came
}

// wordOf is what an acceptor has said, to be changed, or nil if there is no room for it.
func (p *Proposer) wordOf(id paxos.NodeID) *word {
	if w := p.words[id]; w != nil {
		return w
	}
	if len(p.words) >= 2*paxos.MaxAcceptors { // those that came and went since this process began
		maps.DeleteFunc(p.words, func(id paxos.NodeID, _ *word) bool { return p.place(id) < 0 && !p.up[id] })
	}
	if p.place(id) < 0 && len(p.words) >= 2*paxos.MaxAcceptors {
		return nil
	}
	w := &word{}
	p.words[id] = w
	return w
}

// enough is how many acceptors have to say the same of what one of them may have made up.
func (p *Proposer) enough() int { return min(witnesses, len(p.members.Acceptors)) }

// agreed is, of the states that members have shown, the newest of which enough of them say the same;
// nil if there is none.
func (p *Proposer) agreed(age func(*control.State) uint64, same func(a, b *control.State) bool) (newest *control.State) {
	var shown []*control.State
	for _, id := range p.members.Acceptors {
		if w := p.words[id]; w != nil && w.state != nil {
			shown = append(shown, w.state)
		}
	}
	for _, s := range shown {
		n := 0
		for _, o := range shown {
			if same(s, o) {
				n++
			}
		}
		if n >= p.enough() && (newest == nil || age(newest) < age(s)) {
			newest = s
		}
	}
	return newest
}

func epochOf(s *control.State) uint64   { return s.Members.Now.Epoch }
func versionOf(s *control.State) uint64 { return s.Roster.Version }
func sinceOf(s *control.State) uint64   { return uint64(s.GrantedAt) }

func sameMembers(a, b *control.State) bool {
	return bytes.Equal(a.Members.AppendTo(nil), b.Members.AppendTo(nil))
}

func sameRoster(a, b *control.State) bool {
	return bytes.Equal(a.Roster.AppendTo(nil), b.Roster.AppendTo(nil))
}

func sameGrants(a, b *control.State) bool {
	return a.GrantedAt == b.GrantedAt && slices.Equal(a.Grants, b.Grants) && slices.Equal(a.Settings, b.Settings)
}

// grantedSince is since when rights are as enough members know them, and whether enough have said so.
func (p *Proposer) grantedSince() (at paxos.Instance, heard bool) {
	var said []paxos.Instance
	for _, id := range p.members.Acceptors {
		if w := p.words[id]; w != nil && w.heard {
			said = append(said, w.granted)
		}
	}
	if len(said) < p.enough() {
		return 0, false
	}
	slices.Sort(said)
	return said[len(said)-p.enough()], true
}

// tried is a newer state that a single acceptor has shown, by which a standby asks for a while
// because nobody else answers.
type tried struct {
	by    paxos.NodeID   // who has shown it, "" if none is tried
	last  paxos.NodeID   // who had shown the one that was tried last
	state *control.State // nil: none
	until paxos.Timer    // when something else is tried; while a quorum answers it is put off
}

// history is what the state that is tried says of the acceptors.
func (t *tried) history() (h configuration.History) {
	if t.state != nil {
		h = t.state.Members
	}
	return h
}

// another is whose word is tried next, "" for nobody's: that of each who has shown something newer
// than what is sure, in turn, and between them what is sure.
func (p *Proposer) another() (next paxos.NodeID) {
	if p.tried.by != "" {
		return ""
	}
	var ids []paxos.NodeID
	epoch := p.sure().Now.Epoch
	for id, w := range p.words {
		if w.state != nil && w.state.Members.Now.Epoch > epoch {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	slices.Sort(ids)
	i, found := slices.BinarySearch(ids, p.tried.last)
	if found {
		i++
	}
	return ids[i%len(ids)]
}

// tries reports whether something else than now may be tried.
func (p *Proposer) tries() bool { return p.tried.by != "" || p.another() != "" }

// tickTried has a standby ask by something else when no Phase 1 quorum answers for long, and reports
// whether it does.
func (s *standby) tickTried(p *Proposer) bool {
	t := &p.tried
	if p.members.Newest().IsPhase1(s.known(p)) {
		t.until.Set(p.now + triedTimeouts*p.cfg.ElectionMax)
		return false
	}
	if !t.until.Due(p.now) || !p.tries() {
		return false
	}
	t.by, t.state = p.another(), nil
	if t.by != "" {
		t.last, t.state = t.by, p.words[t.by].state
		p.Info("no quorum of the acceptors that it knows answers: it asks by what a single one has shown", "peer", string(t.by), "epoch", t.state.Members.Now.Epoch)
	}
	p.deriveRoster()
	p.standBy(p.reason, 0)
	p.believe() // they are members now, of what is tried
	return true
}

// known are the acceptors that have lately said whom they hear.
func (s *standby) known(p *Proposer) (known paxos.Set) {
	for i := range s.answers {
		if s.answers[i].known(p) {
			known = known.With(i)
		}
	}
	return known
}

// limit is up to where the time of values may go, as it was at some moment; most is 0 if that is not known.
type limit struct {
	most paxos.UnixNanos
	at   paxos.Ticks
}

// hearClock takes what an acceptor's clock shows.
func (p *Proposer) hearClock(place int, clock paxos.UnixNanos) {
	if w := p.wordOf(p.members.Acceptors[place]); w != nil && clock > 0 {
		w.clock, w.clockAt = clock, p.now
		p.limitTime()
	}
	_, leads := p.phase.(*leading)
	if ahead := p.clock - p.bounded(p.clock); leads && ahead > 0 && p.ahead.Due(p.now) {
		p.ahead.Set(p.now + warnTicks)
		p.Warn("the clock of this process is ahead of the acceptors': entries get the time that those show, and 10 s; put the clock right (`paxlog status` shows how far each is ahead)",
			"ahead_ms", int64(ahead+mostAhead)/1e6)
	}
}

// limitTime finds out up to where the time of values may go: mostAhead of the clock in the middle of those
// that the acceptors show, as long as most show one.
func (p *Proposer) limitTime() {
	var clocks []paxos.UnixNanos
	for _, id := range p.members.Acceptors {
		if w := p.words[id]; w != nil && w.clock > 0 {
			clocks = append(clocks, w.clock+paxos.UnixNanos(p.now-w.clockAt)*1e6)
		}
	}
	if p.limit = (limit{}); 2*len(clocks) <= len(p.members.Acceptors) {
		return
	}
	if len(clocks)%2 == 0 {
		clocks = append(clocks, p.clock) // so that there is a middle, and no single wrong one is it
	}
	slices.Sort(clocks)
	p.limit = limit{clocks[len(clocks)/2] + mostAhead, p.now}
}

// bounded is what this process's clock shows, or less: the time of the log never goes back, so a leader whose
// clock is years ahead would leave it there. See the package doc, "Clocks".
func (p *Proposer) bounded(wall paxos.UnixNanos) paxos.UnixNanos {
	most := p.limit.most + paxos.UnixNanos(p.now-p.limit.at)*1e6
	if p.limit.most == 0 || wall <= most {
		return wall
	}
	return most
}
