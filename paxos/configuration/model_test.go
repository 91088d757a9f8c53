package configuration

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// A small model of R3 to R7, apart from the machines: acceptors a0, a1 and x, and y, by which x
// is replaced. Messages come in any order, late, or never. From the moment at which the change
// is chosen, x's directory is anybody's: it may become an earlier one of itself at any time,
// again and again. Many random walks are made. None may choose two values at one instance. In
// half of them that begins earlier, when a change is first proposed: then what is below that
// must stay, and nothing is promised of what is above. Each of the parts that can be left out
// must be found to be needed.

// The acceptors of the model, as bits of a set.
const (
	a0, a1, x, y = 0, 1, 2, 3
	nodes        = 4
	places       = 5 // instances 1 to 4
	ballots      = 9 // 1 to 8
	change       = -1
)

// without are the parts of the rules that are left out.
type without struct {
	latePromise bool // (a): a late promise is taken for one more vote that is known
	notDropped  bool // (a): a leader that finds the change goes on with the promises that it has
	countsDead  bool // (a): the leader that proposes the change has counted x
	held        bool // (b)
	alpha       bool // R3: a leader proposes however far
}

type ballotOf struct{ ballot, value int }

// member is an acceptor of the model.
type member struct {
	promised int
	votes    [places]ballotOf
	held     int // all at or below are in kept
	kept     [places]int
}

// leaderOf is a ballot: its proposer, and what was promised to it.
type leaderOf struct {
	state      byte // 'p' preparing, 'l' leading, 0: not yet, 'd' done
	drops      bool // counts x nowhere
	replaces   bool // wants to propose the change
	promised   [nodes]bool
	promises   [nodes]member // as they were when they promised
	heard      [nodes]bool
	forced     [places]int
	proposed   [places]int
	votes      [places]uint
	upTo, next int
	changeAt   int
}

type walk struct {
	rng     paxos.Rand
	alpha   int
	off     without
	all     [nodes]member
	older   []member // of x
	leaders [ballots]leaderOf
	voters  [places][ballots]uint
	values  [places][ballots]int
	decided [places]int
	latest  int  // the highest ballot so far
	early   bool // x may forget as soon as a change is proposed
	open    bool // x may forget
	first   int  // the lowest instance at which a change was proposed
	changed int  // where the change is chosen
	story   []string
	tells   bool
	failed  string
}

func (w *walk) pick(n int) int { return int(w.rng.Uint64() % uint64(n)) }

func (w *walk) tell(format string, args ...any) {
	if w.tells {
		w.story = append(w.story, fmt.Sprintf(format, args...))
	}
}

// changeIn is where a member that holds the change holds it, 0 if it does not.
func (m *member) changeIn() int {
	for i := 1; i <= m.held; i++ {
		if m.kept[i] == change {
			return i
		}
	}
	return 0
}

// arrived reports whether y may promise and vote.
func (w *walk) arrived(m *member) bool {
	at := m.changeIn()
	return at > 0 && m.held >= at+w.alpha-1
}

func count(set uint) (n int) {
	for ; set > 0; set &= set - 1 {
		n++
	}
	return n
}

// quorum reports whether set is a quorum at instance k for who knows the change to be at the
// instance at, or does not know one.
func quorum(set uint, k, at, alpha int, drops bool) bool {
	switch {
	case at > 0 && k >= at+alpha:
		return count(set&^(1<<x)) >= 2
	case drops:
		return count(set&(1<<a0|1<<a1)) >= 2
	}
	return count(set&^(1<<y)) >= 2
}

// campaign begins the next ballot, or one after it: those in between come later, or never.
func (w *walk) campaign() {
	b := w.latest + 1
	if w.latest > 2 && w.pick(6) == 0 {
		b = 1 + w.pick(w.latest) // one that was late
	}
	if b >= ballots || w.leaders[b].state != 0 {
		return
	}
	w.latest = max(w.latest, b+w.pick(2)*w.pick(2))
	l := &w.leaders[b]
	*l = leaderOf{state: 'p', drops: w.pick(2) == 0}
	l.replaces = (l.drops || w.off.countsDead) && w.pick(3) > 0
	w.tell("%d campaigns, without x: %v, to replace it: %v", b, l.drops, l.replaces)
}

func (w *walk) step() {
	if w.latest == 0 || w.pick(30) == 0 {
		w.campaign()
		return
	}
	b := w.latest - w.pick(w.pick(4)+1)
	if b <= 0 || b >= ballots {
		return
	}
	l := &w.leaders[b]
	node := w.pick(nodes)
	switch w.pick(9) {
	case 0, 1:
		w.promise(b, l, node)
	case 2:
		if (l.state == 'p' || l.state == 'l') && l.promised[node] && !l.heard[node] {
			l.heard[node] = true
			w.hears(b, l, node)
		}
	case 3:
		w.lead(b, l)
	case 4:
		w.propose(b, l)
	case 5, 6:
		if l.next > 1 {
			w.vote(b, l, node, l.next-1-w.pick(min(2, l.next-1)))
		}
	case 7:
		w.hold(b, l, node)
	case 8:
		if w.open && w.pick(4) == 0 {
			w.all[x] = w.older[w.pick(len(w.older))]
			w.tell("x is an older one of itself")
		}
	}
}

// asked reports whether ballot l asks a node for promises and votes.
func (l *leaderOf) asked(node int) bool { return node != x || !l.drops }

func (w *walk) promise(b int, l *leaderOf, node int) {
	m := &w.all[node]
	if l.state != 'p' && l.state != 'l' || l.promised[node] || !l.asked(node) || m.promised >= b || node == y && !w.arrived(m) {
		return
	}
	m.promised = b
	l.promised[node], l.promises[node] = true, *m
	w.keep(node)
	w.tell("%s promises %d", name(node), b)
}

// keep remembers x as it is, since a copy of it may be run later.
func (w *walk) keep(node int) {
	if node == x {
		w.older = append(w.older, w.all[x])
	}
}

func name(node int) string { return [...]string{"a0", "a1", "x", "y"}[node] }

// shown is where a promise shows the change, 0 if it does not.
func shown(m *member) int {
	if at := m.changeIn(); at > 0 {
		return at
	}
	for i := m.held + 1; i < places; i++ {
		if m.votes[i].value == change {
			return i
		}
	}
	return 0
}

// hears takes a promise. One that comes late may show the change (R7a).
func (w *walk) hears(b int, l *leaderOf, node int) {
	at := shown(&l.promises[node])
	if l.state != 'l' || l.drops || at == 0 {
		return
	}
	if !w.off.latePromise {
		l.state = 'd'
		w.tell("%d hears the promise of %s late, and begins anew", b, name(node))
		return
	}
	if l.proposed[at] == 0 && at >= l.next {
		l.forced[at] = change
		w.tell("%d hears the promise of %s late, and will propose the change at %d", b, name(node), at)
	}
}

// lead begins Phase 2, if what was heard is enough.
func (w *walk) lead(b int, l *leaderOf) {
	if l.state != 'p' {
		return
	}
	var set uint
	held, at := 0, 0
	for n := range nodes {
		if l.heard[n] {
			set |= 1 << n
			held = max(held, l.promises[n].held)
			at = max(at, l.promises[n].changeIn())
		}
	}
	if !quorum(set, held+1, at, w.alpha, l.drops) {
		return
	}
	best := [places]int{}
	for n := range nodes {
		for i := held + 1; l.heard[n] && i < places; i++ {
			if v := l.promises[n].votes[i]; v.ballot > best[i] {
				best[i], l.forced[i] = v.ballot, v.value
			}
		}
	}
	found := at
	for i := held + 1; i < places && found == 0; i++ {
		if l.forced[i] == change {
			found = i
		}
	}
	if found > 0 && !l.drops && !w.off.notDropped {
		l.state = 'd'
		w.tell("%d finds the change at %d, and begins anew", b, found)
		return
	}
	l.state, l.upTo, l.next, l.changeAt = 'l', held, held+1, at
	l.replaces = l.replaces && found == 0
	w.tell("%d leads from %d, with promises %04b", b, held+1, set)
}

// propose proposes at the next instance.
func (w *walk) propose(b int, l *leaderOf) {
	k := l.next
	if l.state != 'l' || k >= places || k > l.upTo+w.alpha && !w.off.alpha {
		return
	}
	v := l.forced[k]
	later := false
	for i := k; i < places; i++ {
		later = later || l.forced[i] != 0
	}
	if v == 0 {
		v = 100*b + k
		if l.replaces && !later && w.pick(2) == 0 {
			v = change
		}
	}
	if v == change && l.forced[k] == 0 && !w.off.held && (l.upTo < k-1 || w.all[a0].held < k-1 || w.all[a1].held < k-1) {
		return
	}
	if v == change {
		l.changeAt, l.replaces, w.open = k, false, w.open || w.early
		if w.first == 0 || k < w.first {
			w.first = k
		}
	}
	l.proposed[k], l.next = v, k+1
	w.values[k][b] = v
	w.tell("%d proposes %d at %d", b, v, k)
}

func (w *walk) vote(b int, l *leaderOf, node, k int) {
	m := &w.all[node]
	v := l.proposed[k]
	if v == 0 || !l.asked(node) || m.promised > b || k <= m.held {
		return
	}
	if node == y && (!w.arrived(m) || k < m.changeIn()+w.alpha) {
		return
	}
	if v == change && m.held < k-1 && !w.off.held {
		return
	}
	m.promised, m.votes[k] = b, ballotOf{b, v}
	w.keep(node)
	w.voters[k][b] |= 1 << node
	w.tell("%s votes for %d of %d at %d", name(node), v, b, k)
	w.judge(k)
	if w.pick(3) > 0 { // else the leader does not hear of it
		l.votes[k] |= 1 << node
	}
	for l.state == 'l' && l.upTo+1 < l.next {
		i := l.upTo + 1
		set := l.votes[i]
		if !quorum(set, i, l.changeAt, w.alpha, l.drops) {
			break
		}
		l.upTo++
		w.learn(i, l.proposed[i], fmt.Sprintf("as %d counts", b))
	}
}

// hold has a member hold one instance more: one that its leader has seen chosen, and that it
// voted for at that ballot, or a copy.
func (w *walk) hold(b int, l *leaderOf, node int) {
	m := &w.all[node]
	i := m.held + 1
	if i >= places {
		return
	}
	from := &w.all[w.pick(nodes)]
	switch {
	case l.upTo >= i && m.votes[i].ballot == b && l.proposed[i] != 0:
		m.kept[i] = m.votes[i].value
	case from.held >= i:
		m.kept[i] = from.kept[i]
	default:
		return
	}
	m.held = i
	w.keep(node)
	w.tell("%s holds %d", name(node), i)
}

// judge looks what is chosen at k by now, by the configuration that is in force there.
func (w *walk) judge(k int) {
	for b := 1; b < ballots; b++ {
		set := w.voters[k][b]
		if w.values[k][b] == 0 || !quorum(set, k, w.changed, w.alpha, false) {
			continue
		}
		if w.learn(k, w.values[k][b], "as the votes are"); w.values[k][b] == change && w.changed == 0 {
			w.changed, w.open = k, true
		}
	}
}

func (w *walk) learn(k, v int, how string) {
	if w.early && w.first > 0 && k >= w.first {
		return
	}
	if w.decided[k] != 0 && w.decided[k] != v && w.failed == "" {
		w.failed = fmt.Sprintf("at instance %d %d and %d are chosen, %s", k, w.decided[k], v, how)
		w.tell("%s", w.failed)
	}
	if w.decided[k] == 0 {
		w.decided[k] = v
		w.tell("chosen at %d: %d", k, v)
	}
}

// play makes one walk.
func play(seed uint64, alpha int, off without, tells bool) *walk {
	w := &walk{early: seed%2 == 1, rng: paxos.Rand{State: seed}, alpha: alpha, off: off, tells: tells, older: make([]member, 1, 16)}
	for range 400 {
		if w.step(); w.failed != "" {
			break
		}
	}
	return w
}

// walks is how many are made; more with PAXLOG_WALKS.
func walks() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("PAXLOG_WALKS"), 10, 64); err == nil {
		return n
	}
	return 10_000
}

// TestModel: the rules hold, and something comes of the walks.
func TestModel(t *testing.T) {
	for alpha := 1; alpha <= 2; alpha++ {
		changed, above, votes := 0, 0, 0
		for seed := range walks() {
			w := play(seed, alpha, without{}, false)
			if w.failed != "" {
				t.Fatalf("alpha %d, seed %d: %s\n%s", alpha, seed, w.failed, strings.Join(play(seed, alpha, without{}, true).story, "\n"))
			}
			if w.changed > 0 {
				changed++
			}
			if w.changed > 0 && w.changed+alpha < places && w.decided[w.changed+alpha] != 0 {
				above++
			}
			if w.all[y].promised > 0 {
				votes++
			}
		}
		t.Logf("alpha %d: %d walks; in %d x is replaced, in %d something is chosen after that, in %d y votes or promises", alpha, walks(), changed, above, votes)
		if changed == 0 || above == 0 || votes == 0 {
			t.Error("the walks do not reach what they are for")
		}
	}
}

// The interleavings of the package doc, step by step.

func (w *walk) campaigns(b int, drops bool, replaces bool, promises ...int) {
	l := &w.leaders[b]
	*l = leaderOf{state: 'p', drops: drops, replaces: replaces}
	for _, node := range promises {
		w.promise(b, l, node)
	}
}

func (w *walk) leads(b int, heard ...int) bool {
	l := &w.leaders[b]
	for _, node := range heard {
		l.heard[node] = l.promised[node]
	}
	w.lead(b, l)
	return l.state == 'l'
}

// proposes has b propose what is forced at the next instance, or, if nothing is, v.
func (w *walk) proposes(b, v int, votes ...int) bool {
	l := &w.leaders[b]
	k := l.next
	if l.forced[k] == 0 && v == change && !w.off.held && (w.all[a0].held < k-1 || w.all[a1].held < k-1) {
		return false
	}
	if l.forced[k] == 0 {
		l.forced[k] = v
	}
	w.propose(b, l)
	for _, node := range votes {
		w.vote(b, l, node, k)
	}
	return l.proposed[k] != 0
}

// forgets has x be as it was before anything happened.
func (w *walk) forgets() { w.all[x] = w.older[0] }

// late: a promise that comes late shows the change to a leader that has counted x.
func (w *walk) late() {
	w.campaigns(2, true, true, a0, a1)
	w.leads(2, a0, a1)
	w.proposes(2, change, a0)
	w.campaigns(5, false, false, a1, x, a0)
	w.leads(5, a1, x)
	w.leaders[5].heard[a0] = true
	if w.hears(5, &w.leaders[5], a0); w.leaders[5].state == 'l' {
		w.proposes(5, 500, a0, x)
		w.end()
	}
}

// end: a copy of x, and a1, which has not voted, elect one more leader.
func (w *walk) end() {
	w.forgets()
	w.campaigns(7, false, false, a1, x)
	if w.leads(7, a1, x) {
		w.proposes(7, 700, a1, x)
	}
}

// finds: a leader that has counted x finds the change in its Phase 1.
func (w *walk) finds() {
	w.campaigns(2, true, true, a0, a1)
	w.leads(2, a0, a1)
	w.proposes(2, change, a0)
	w.campaigns(5, false, false, a0, x)
	if w.leads(5, a0, x) {
		w.proposes(5, 500, a0, x)
		w.end()
	}
}

// counted: the leader that proposes the change has counted x.
func (w *walk) counted() {
	w.campaigns(2, !w.off.countsDead, true, a0, x)
	if w.leads(2, a0, x) {
		w.proposes(2, change, a0, x)
		w.end()
	}
}

// lacks: a1 lacks an instance below the change.
func (w *walk) lacks() {
	w.campaigns(1, false, false, a0, x)
	w.leads(1, a0, x)
	w.proposes(1, 100, a0, x)
	w.leaders[1].upTo = 1 // it has heard both votes
	w.hold(1, &w.leaders[1], a0)
	w.campaigns(2, true, true, a0, a1)
	w.leads(2, a0, a1)
	if w.proposes(2, change, a0) {
		w.end()
	}
}

// TestModelNeeds: each part of the rules is needed: with it an interleaving comes to nothing, and
// without it two values are chosen.
func TestModelNeeds(t *testing.T) {
	for _, part := range []struct {
		name string
		off  without
		play func(*walk)
	}{
		{"R7a, late promises", without{latePromise: true}, (*walk).late},
		{"R7a, a leader that finds it", without{notDropped: true}, (*walk).finds},
		{"R7a, a leader that has counted x", without{countsDead: true}, (*walk).counted},
		{"R7b", without{held: true}, (*walk).lacks},
	} {
		for alpha := 1; alpha <= 2; alpha++ {
			with, out := &walk{alpha: alpha, tells: true, older: make([]member, 1)}, &walk{alpha: alpha, tells: true, off: part.off, older: make([]member, 1)}
			if part.play(with); with.failed != "" {
				t.Errorf("%s, alpha %d: %s\n%s", part.name, alpha, with.failed, strings.Join(with.story, "\n"))
			}
			if part.play(out); out.failed == "" {
				t.Errorf("%s, alpha %d: nothing is found when it is left out\n%s", part.name, alpha, strings.Join(out.story, "\n"))
			}
		}
	}
}
