package acceptor

import (
	"fmt"
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// admission is the check, at each start, that nobody knows this acceptor otherwise
// than its directory shows it. One whose directory was initialised anew must never vote
// in its place; one that has lost commits which it spoke of has forgotten promises or
// votes, and must rejoin (rejoin.go).
//
// Everybody is asked. An acceptor votes once three things hold: at least one other
// acceptor, and the smaller quorum less itself, has vouched for it; everybody else has
// answered or had time to; and nobody contradicts it (package doc, "Who keeps an
// acceptor from voting"). The check is as good as the peers that remember.
type admission struct {
	admitted bool
	start    paxos.Mark // that of the directory when this process, or this life, began
	since    paxos.Ticks
	answered map[paxos.NodeID]bool
	vouched  paxos.Set               // acceptors that did
	denied   map[paxos.NodeID]uint64 // who remembers another incarnation of this acceptor, and which; its own: another process of it
	ask      paxos.Timer             // when those that have not answered are asked again
	askAgain paxos.Timer             // the same of those that contradict
	tell     paxos.Timer             // when it is told again why this acceptor does not vote
	rejoin   *rejoining              // not nil: it has forgotten something
}

func newAdmission(start paxos.Mark) admission {
	return admission{start: start, answered: map[paxos.NodeID]bool{}, denied: map[paxos.NodeID]uint64{}}
}

// askNow has a peer that has just connected asked at the next tick.
func (v *admission) askNow(id paxos.NodeID) {
	v.ask.Set(0)
	if v.denied[id] != 0 {
		v.askAgain.Set(0)
	}
}

// witnesses are all who may remember this acceptor.
func (a *Acceptor) witnesses(f func(paxos.NodeID)) {
	for _, id := range a.sources {
		f(id)
	}
	for _, id := range a.proposers {
		f(id)
	}
}

func (a *Acceptor) isWitness(id paxos.NodeID) bool {
	return slices.Contains(a.sources, id) || slices.Contains(a.proposers, id)
}

// forgetWitnesses: of who is a witness no more no answer is waited for, nor counted. That it has heard
// a twin keeps nobody from voting: it could never take that back.
func (v *admission) forgetWitnesses(a *Acceptor) {
	maps.DeleteFunc(v.answered, func(id paxos.NodeID, _ bool) bool { return !a.isWitness(id) })
	maps.DeleteFunc(v.denied, func(id paxos.NodeID, known uint64) bool { return known == a.cfg.Incarnation && !a.isWitness(id) })
}

func (a *Acceptor) tickAdmission() {
	v := &a.admission
	v.tryRejoin(a)
	v.tryAdmit(a)
	if v.isAsking(a) {
		a.askWitnesses()
	}
	if v.toTell() && v.tell.Due(a.now) {
		a.tellWhy()
	}
}

// next is when tickAdmission has something to do.
func (v *admission) next(a *Acceptor) paxos.Ticks {
	if v.mayRejoin(a) || v.mayBeAdmitted(a) {
		return a.now
	}
	at := paxos.Never
	if !v.admitted && v.rejoin == nil {
		for _, t := range []paxos.Ticks{v.since + a.cfg.ElectionTicks, v.since + silence*a.cfg.ElectionTicks} {
			if t > a.now { // then fewer answers are enough
				at = min(at, t)
			}
		}
	}
	if v.toTell() {
		at = min(at, v.tell.At())
	}
	if v.isAsking(a) {
		a.witnesses(func(id paxos.NodeID) {
			if a.up[id] && !v.answered[id] {
				at = min(at, v.askAt(id).At())
			}
		})
	}
	return at
}

// isAsking reports whether somebody has not vouched yet. Nobody vouches for one that is no
// member.
func (v *admission) isAsking(a *Acceptor) bool {
	return len(v.answered) < len(a.sources)+len(a.proposers) && !a.isNewcomer()
}

// askAt is when a witness that has not vouched is asked.
func (v *admission) askAt(id paxos.NodeID) *paxos.Timer {
	if v.denied[id] != 0 {
		return &v.askAgain
	}
	return &v.ask
}

// askWitnesses asks everybody who is connected and has not vouched yet.
func (a *Acceptor) askWitnesses() {
	v := &a.admission
	var ask, again bool
	a.witnesses(func(id paxos.NodeID) {
		if !a.up[id] || v.answered[id] || !v.askAt(id).Due(a.now) {
			return
		}
		ask, again = ask || v.denied[id] == 0, again || v.denied[id] != 0
		a.After(id, &paxos.Vouch{Incarnation: a.cfg.Incarnation, Mark: v.start})
	})
	if ask {
		v.ask.Set(a.now + a.cfg.RetryTicks)
	}
	if again {
		v.askAgain.Set(a.now + againTicks)
	}
}

func (a *Acceptor) onVouched(from paxos.NodeID, m *paxos.Vouched) {
	v := &a.admission
	if m.Asked != v.start {
		return // the answer to an earlier process, or life
	}
	if m.Known != 0 && m.Known != a.cfg.Incarnation {
		a.deny(from, m.Known)
		return
	}
	if a.farLife(from, m.Mark) {
		return
	}
	delete(v.denied, from)
	v.answered[from] = true
	if a.contradicts(m.Mark) {
		a.forget(string(from)+" remembers", m.Mark)
		return
	}
	if place := a.members.Place(from); place >= 0 {
		v.vouched = v.vouched.With(place)
	}
	v.tryAdmit(a)
}

// deny notes that a peer remembers another incarnation: until that peer vouches, this
// acceptor does not vote.
func (a *Acceptor) deny(by paxos.NodeID, incarnation uint64) {
	v := &a.admission
	if v.denied[by] == incarnation {
		return
	}
	v.denied[by] = incarnation
	v.askAgain.Set(a.now + againTicks)
	delete(v.answered, by)
	if place := a.members.Place(by); place >= 0 {
		v.vouched = v.vouched.Without(place)
	}
	v.suspend(a)
	a.tellWhy()
}

// suspend has this acceptor vote no more. What it has promised and voted for in this flush nobody is told of
// yet. Its commit counts: else that would be told later with a mark of an earlier commit, and a directory that
// lost this one would be taken for one that has forgotten nothing.
func (v *admission) suspend(a *Acceptor) {
	if v.admitted && a.Out.Sync {
		a.mark.Commits++
	}
	v.admitted = false
	a.acks = nil
}

// onTwin notes that a peer has another process for this acceptor: it does not vote until that peer, which
// hears one of the two at a time, vouches for it again. See the package doc, "Two processes of one
// directory".
func (a *Acceptor) onTwin(m *paxos.Twin) {
	if !a.isWitness(m.ID) {
		return // it is never asked, so it could never take that back
	}
	a.deny(m.ID, a.cfg.Incarnation)
	a.admission.askNow(m.ID)
}

// contradicts reports whether a mark of an earlier process, or life, shows that this
// directory has lost what it held then.
func (a *Acceptor) contradicts(m paxos.Mark) bool {
	return m.Process != a.cfg.Seed && a.admission.start.Forgets(m) || a.mark.Life.Less(m.Life)
}

func (v *admission) tryAdmit(a *Acceptor) {
	if v.mayBeAdmitted(a) {
		v.admitted = true
		a.Info("admitted: peers vouched for this acceptor, it votes from now on")
	}
}

func (v *admission) mayBeAdmitted(a *Acceptor) bool {
	return !v.admitted && a.isMember() && v.rejoin == nil && len(v.denied) == 0 && v.vouched.Len() >= v.need(a) && v.heardAll(a)
}

// need is how many other acceptors have to vouch: one, and the smaller quorum less this
// acceptor. An only acceptor has nobody to ask.
func (v *admission) need(a *Acceptor) int {
	m := a.members.Newest()
	if m.Members.Len() == 1 {
		return 0
	}
	return max(1, min(m.Phase1, m.Phase2)-1)
}

// heardAll reports whether everybody has answered, or had time to: those that do not
// connect an election timeout, those that are connected and silent ten.
func (v *admission) heardAll(a *Acceptor) bool {
	missing, quiet := false, false
	a.witnesses(func(id paxos.NodeID) {
		if !v.answered[id] {
			missing, quiet = true, quiet || a.up[id]
		}
	})
	waited := a.now - v.since
	return !missing || !quiet && waited >= a.cfg.ElectionTicks || waited >= silence*a.cfg.ElectionTicks
}

// toTell reports whether this acceptor does not vote for a reason that needs somebody's
// hand.
func (v *admission) toTell() bool { return !v.admitted && (len(v.denied) > 0 || v.rejoin != nil) }

// tellWhy logs why this acceptor does not vote, if that needs somebody's hand.
func (a *Acceptor) tellWhy(evidence ...any) {
	v := &a.admission
	if !v.toTell() {
		return
	}
	v.tell.Set(a.now + warnTicks)
	a.Warn("this acceptor does not vote: "+a.whyNotVoting(), evidence...)
}

// whyNotVoting is what an operator has to know while this acceptor does not vote, and
// "" while it does.
func (a *Acceptor) whyNotVoting() string {
	v := &a.admission
	switch {
	case v.admitted:
		return ""
	case !a.isMember():
		return a.whyNoMember()
	case len(v.denied) > 0:
		return a.whyDenied()
	case v.rejoin != nil && !a.members.Newest().CanRejoin():
		m := a.members.Newest()
		return fmt.Sprintf("it has forgotten promises or votes that it told, and with quorums of phase1=%d and phase2=%d among %d acceptors the others cannot make up for it: "+
			"restore the newest state of its data directory, and start it again", m.Phase1, m.Phase2, m.Members.Len())
	case v.rejoin != nil:
		return "it has forgotten promises or votes that it told; it rejoins by itself once a leader has enough of the others"
	}
	return fmt.Sprintf("%d of the other acceptors have vouched for it, and %d are needed, or others have not answered yet", v.vouched.Len(), v.need(a))
}

// whyDenied names one of those that contradict, and what may have happened.
func (a *Acceptor) whyDenied() string {
	denied := a.admission.denied
	by := slices.Min(slices.Collect(maps.Keys(denied)))
	others := ""
	if n := len(denied) - 1; n > 0 {
		others = fmt.Sprintf(" (and so do %d more)", n)
	}
	if denied[by] == a.cfg.Incarnation {
		return fmt.Sprintf("%s has heard another process under the id %s, of a copy of this data directory%s: two run, and might promise and vote otherwise than each other. "+
			"Stop the one that is not wanted. This one votes once %s vouches for it, or when it is started again", by, a.cfg.ID, others, by)
	}
	return fmt.Sprintf("%s remembers %s by incarnation %016x%s, and this data directory is %016x. Either the directory was initialised anew and may have voted before: "+
		"restore the old one. Or %s is a process of another log at an address of this one: stop it. This acceptor votes once %s vouches for it",
		by, a.cfg.ID, denied[by], others, a.cfg.Incarnation, by, by)
}
