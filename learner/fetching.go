package learner

import (
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
	"github.com/paxlog/paxlog/paxos/paging"
)

// copying is the copy of instances that this learner missed: pages from one source (package
// paging), and votes from all acceptors.
type copying struct {
	asked   paxos.NodeID // the source of values, "" if no fetch is outstanding
	askedAt paxos.Ticks  // or since when the next page is waited for
	pages   paging.Pages
	nonce   uint64
	next    int // rotation over sources
	failed  bool
	pacing
}

// switchRelay takes values from the next acceptor that is connected.
func (l *Learner) switchRelay() {
	acceptors := l.members.Acceptors
	n := len(acceptors)
	at := l.members.Place(l.relay)
	for range n {
		at = (at + 1) % n
		l.relay = acceptors[at]
		if l.sources.of(l.relay).up {
			break
		}
	}
	l.pollAll()
}

// nextSource picks whom to ask for values: acceptors that hold the next instance
// first, then any acceptor, then another learner, each time another one. Whoever has
// trimmed the next instance is not asked.
func (l *Learner) nextSource() paxos.NodeID {
	f := &l.copying
	f.next++
	var good, other []paxos.NodeID
	add := func(id paxos.NodeID) {
		switch s := l.sources.of(id); {
		case !s.up || s.first > l.state.Applied+1:
		case s.held > l.state.Applied && !f.failed:
			good = append(good, id)
		default:
			other = append(other, id)
		}
	}
	for _, id := range l.members.Acceptors {
		add(id)
	}
	if len(good) == 0 {
		for i := range l.sources { // acceptors that are no members, and learners
			if s := &l.sources[i]; s.place < 0 {
				add(s.id)
			}
		}
	}
	if len(good) == 0 {
		good = other
	}
	if len(good) == 0 {
		return ""
	}
	return good[f.next%len(good)]
}

// fetch asks source for values, and all other acceptors for their votes.
func (l *Learner) fetch(source paxos.NodeID) {
	f := &l.copying
	f.nonce++
	f.asked, f.askedAt, f.failed, f.held = source, l.now, source == "", l.sources.maxHeld()
	from := l.state.Applied + 1
	f.pages.Drop()
	f.pages.Asks(from, f.nonce)
	for _, id := range l.members.Acceptors {
		if id != source && l.sources.of(id).up {
			l.Send(id, &paxos.Fetch{Nonce: f.nonce, From: from})
		}
	}
	if source != "" {
		l.Send(source, &paxos.Fetch{Nonce: f.nonce, From: from, Values: true})
	}
}

// fetchMore asks for the values that follow, in as many pages as may be under way: the source holds all up to
// an instance. It asks when what came before is with the store: where that is slower than the source,
// pages would be dropped here, and waited for.
func (l *Learner) fetchMore(source paxos.NodeID, upTo paxos.Instance) {
	f := &l.copying
	f.asked, f.askedAt, f.resume, f.held = source, l.now, "", l.sources.maxHeld()
	for {
		from, more := f.pages.More(l.state.Applied+1, upTo)
		if !more {
			return
		}
		f.nonce++
		f.pages.Asks(from, f.nonce)
		l.After(source, &paxos.Fetch{Nonce: f.nonce, From: from, Values: true})
	}
}

func (l *Learner) onPage(from paxos.NodeID, m *paxos.Page) {
	s := l.sources.of(from)
	if s == nil {
		return
	}
	if l.onChunks(from, m) || l.onAudited(s, m) {
		return
	}
	s.first = m.First
	l.takeTrim(from, m)
	l.trimmedAt(from, m)
	if s.kind == paxos.RoleAcceptor && s.place >= 0 {
		l.hold(s, m.Held)
		l.addVotes(s.place, m.Runs)
	}
	f := &l.copying
	if f.asked != from || !f.pages.Came(m) {
		l.takeValues(s, m)
		return
	}
	before, taken, useful := l.state.Applied, 0, false
	for next := f.pages.Next(before + 1); next != nil; next = f.pages.Next(l.state.Applied + 1) {
		l.takeValues(s, next)
		taken++
		useful = useful || paging.Last(next) <= l.state.Applied
	}
	if taken == 0 {
		return // it waits for those in front of it
	}
	f.pages.Look(l.state.Applied, l.sources.maxHeld())
	switch {
	case l.state.Applied == before && !useful:
		f.asked = ""
		f.pages.Drop()
		if s.first > before+1 {
			l.trimmedThere(s, m)
		}
		f.failed = true
		f.slower(l.cfg.RetryTicks)
	case m.Held <= l.state.Applied:
		f.asked = ""
		f.pages.Drop()
	case f.pages.IsIdle() && l.rests(from, l.state.Applied-before):
		f.asked = ""
	default: // more where that came from: only the values
		l.fetchMore(from, m.Held)
	}
}

// lookAfar has nobody relay values to this learner while more than a few pages are missing here: it would drop
// them, and copy them in their turn. How far the log goes enough acceptors say.
func (l *Learner) lookAfar() {
	if !l.afar && l.sources.maxHeld() <= l.state.Applied+2*far {
		return
	}
	shown, _ := l.sources.shown(l.members.Newest())
	missing, page := shown-min(l.state.Applied, shown), l.copying.pages.Span()
	limit := max(farPages*page, 2*far)
	if l.afar {
		limit /= 2
	}
	if afar := page > 0 && missing > limit; afar != l.afar {
		l.afar = afar
		l.pollAll()
	}
}

// takeValues takes the values of a page.
func (l *Learner) takeValues(s *source, m *paxos.Page) {
	for _, v := range m.Values {
		l.addValue(s, v.Instance, v.Ballot, v.Value, v.Instance <= m.Held)
		if v.Instance == l.state.Applied+1 { // at once: what follows it may have room only as the next one
			l.apply()
		}
	}
	l.apply()
}

// trimmedThere tells that a source has trimmed what is needed next. Another one may
// have it, unless what stands in its place cannot be taken here.
func (l *Learner) trimmedThere(s *source, m *paxos.Page) {
	_, err := control.Decode(m.Control, l.cfg.Knows)
	switch {
	case !s.warn.Due(l.now):
		return
	case err != nil:
		s.warn.Set(l.now + warnTicks)
		l.Warn("what is needed next was trimmed, and the state of the log that stands in its place is not known here: use the version of paxlog that the others have",
			"peer", string(s.id), "needed", uint64(l.state.Applied+1), "first_there", uint64(s.first), "error", err.Error())
	default:
		s.warn.Set(l.now + warnTicks)
		l.Warn("a process has trimmed what is needed next: it is copied from another one that still has it", "peer", string(s.id),
			"needed", uint64(l.state.Applied+1), "first_there", uint64(s.first))
	}
}

// pacing is when the next page is fetched.
type pacing struct {
	wait     paxos.Ticks    // after fetches that did not help: doubles up to fetchMax
	held     paxos.Instance // how far the log was known to go when a page was asked for
	resume   paxos.NodeID   // the source of the next page, when its pause is over; "" if none waits
	resumeAt paxos.Timer
}

// slower waits longer before the next fetch: the last one did not help.
func (p *pacing) slower(retry paxos.Ticks) {
	p.wait = min(max(2*p.wait, retry/2), fetchMax*retry)
}

// rests reports whether the next page waits, since clients append meanwhile; see pause. A page had so many
// instances.
func (l *Learner) rests(from paxos.NodeID, page paxos.Instance) bool {
	f := &l.copying
	grown := l.sources.maxHeld() - min(f.held, l.sources.maxHeld())
	if grown == 0 || paging.Growth*grown >= page {
		return false
	}
	f.resume = from
	f.resumeAt.Set(l.now + pause*(l.now-f.askedAt))
	return true
}

// misses reports whether something above applied is known of, or may be.
func (l *Learner) misses() bool {
	return l.behind() || l.highest > l.state.Applied || l.cutOff()
}

// nextFetch is when the next page is asked for.
func (l *Learner) nextFetch() paxos.Ticks {
	f := &l.copying
	if l.install != nil {
		return l.install.late.At()
	}
	switch {
	case !l.misses(), l.control.stuck != 0, l.isOut(): // else, whoever has more, it is of no use here
		return paxos.Never
	case f.resume != "":
		return f.resumeAt.At()
	case f.asked != "":
		return f.askedAt + slowRetries*l.cfg.RetryTicks
	}
	wait := max(l.cfg.RetryTicks/2, f.wait)
	if l.sources.maxHeld() > l.state.Applied+far && !f.failed {
		wait = 0
	}
	at := l.progressAt + wait
	if f.failed {
		at = max(at, f.askedAt+wait)
	}
	return at
}

// tickFetch fetches if something is missing and it is time.
func (l *Learner) tickFetch() {
	f := &l.copying
	if k := l.install; k != nil {
		if k.late.Due(l.now) {
			l.install = nil
		}
		return
	}
	if !l.misses() {
		l.progressAt, f.wait, f.resume = l.now, 0, ""
		return
	}
	if l.now < l.nextFetch() {
		return
	}
	if f.resume != "" {
		l.fetchMore(f.resume, l.state.Applied+1) // one page, which says how far the source is by now
		return
	}
	if f.asked != "" {
		f.asked, f.failed = "", true // a slow source is switched
		f.pages.Drop()
		if l.now < l.nextFetch() {
			return
		}
	}
	if e := l.above[l.state.Applied+1]; e != nil {
		if v, isChosen := e.chosen(l.members.At(l.state.Applied + 1)); isChosen && v == nil {
			l.switchRelay() // voted for by a quorum, but its value does not come
		}
	}
	l.fetch(l.nextSource())
}

// cutOff reports whether no acceptor can be reached, but another learner can: that
// one may have learned what this one cannot hear of.
func (l *Learner) cutOff() bool {
	return !l.sources.isUp(paxos.RoleAcceptor) && l.sources.isUp(paxos.RoleLearner)
}

// wanting is the wait for the value of the next instance, which is known to be chosen. See
// the package doc, "A value that does not come".
type wanting struct {
	instance paxos.Instance // that was wanted last
	since    paxos.Ticks
	asked    bool // somebody was asked for it
	inRow    int  // instances in a row that somebody was asked for
}

// want notes that the value of i, the next instance, is missing.
func (l *Learner) want(i paxos.Instance) {
	if l.wanting.instance != i {
		l.wanting = wanting{instance: i, since: l.now, inRow: l.wanting.inRow}
	}
}

// got notes that an instance is applied.
func (w *wanting) got() {
	if !w.asked {
		w.inRow = 0
	}
	*w = wanting{inRow: w.inRow}
}

// nextWanting is when somebody is asked for the value.
func (l *Learner) nextWanting() paxos.Ticks {
	if w := &l.wanting; w.instance == l.state.Applied+1 && !w.asked {
		return w.since + valueTicks
	}
	return paxos.Never
}

// tickWanting asks one that voted for the value, if it is time. Its answer is taken as any
// page; with this nonce it is no answer to a fetch.
func (l *Learner) tickWanting() {
	if l.now < l.nextWanting() {
		return
	}
	l.apply() // it may have come in this turn
	if l.now < l.nextWanting() {
		return
	}
	w := &l.wanting
	w.asked = true
	w.inRow++
	id := l.voterOf(w.instance)
	if id == "" {
		return
	}
	l.Send(id, &paxos.Fetch{From: w.instance, Values: true})
	if w.inRow >= asksInRow && id != l.relay {
		w.inRow, l.relay = 0, id
		l.pollAll()
	}
}

// voterOf is an acceptor of the quorum that chose i, another one than the relay if there is
// one: what the relay has sent was dropped here, or lost. It is "" if none is connected.
func (l *Learner) voterOf(i paxos.Instance) (voter paxos.NodeID) {
	for _, t := range l.above[i].ballots {
		if !l.members.At(i).IsPhase2(t.votes) {
			continue
		}
		for place, id := range l.members.Acceptors {
			if t.votes.Has(place) && l.sources.of(id).up && (voter == "" || voter == l.relay) {
				voter = id
			}
		}
	}
	return voter
}
