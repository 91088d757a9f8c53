package sim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim/check"
)

// Rehearsal is a change of the acceptors of a log that there is, to be played before it is made: on
// a simulated cluster of the same acceptors and quorums, of which those are down that are. Its log
// begins with the present configuration.
type Rehearsal struct {
	Acceptors            []paxos.NodeID // the members, sorted
	Down                 []paxos.NodeID // of them: they do not come back
	Phase1, Phase2       int
	Proposers, Learners  int // that are up
	Window               int // instances in flight
	Order                paxos.Member
	LostMeanwhile, After int // how many acceptors may be lost for good while it is made, and in all after it
}

// Kind is what happens in a run beside the change.
type Kind int

// The kinds, which take turns.
const (
	Calm   Kind = iota // nothing
	Stormy             // processes crash and come back, connections are cut for a while
	Losing             // acceptors are lost for good, as many as may be
)

// Rehearsed is what came of one run.
type Rehearsed struct {
	Seed    uint64
	Kind    Kind
	Longest Micros // without an answer to any client, from when the change was asked for until a second after it was made
	Err     error  // an invariant that was violated, or what did not come in time; nil if the change was made and the log went on
}

// How long each part of a run may take.
const (
	playBefore = 20 * Second // until appends are answered
	playChange = 40 * Second // until the change is made, and who comes has arrived
	playAfter  = 20 * Second // until appends are answered again
	playStorm  = 2 * Second  // in which something breaks
)

// rehearsal is one under way.
type rehearsal struct {
	*Cluster
	x       Rehearsal
	r       paxos.Rand
	names   map[paxos.NodeID]paxos.NodeID // of the log's acceptors here
	asked   *paxos.Member
	longest Micros
	silent  Micros // for how long no client has been answered
	answers int
}

// Run plays one seed.
func (x Rehearsal) Run(seed uint64) (out Rehearsed) {
	out = Rehearsed{Seed: seed, Kind: Kind(seed % 3)}
	t := Topology{
		Acceptors: len(x.Acceptors), Phase1: x.Phase1, Phase2: x.Phase2, Proposers: max(1, x.Proposers), Learners: max(1, x.Learners),
		Clients: 2, Sessions: 100, Entries: 1 << 30, PageBytes: 1000, Window: x.Window,
	}
	c := &rehearsal{Cluster: NewCluster(seed, t), x: x, r: paxos.Rand{State: seed ^ 0x7265686561}, names: map[paxos.NodeID]paxos.NodeID{}}
	defer func() {
		if v := recover(); v != nil {
			violation, ok := v.(*check.Violation)
			if !ok {
				panic(v)
			}
			out.Err = violation
		}
		if out.Err != nil {
			out.Err = errors.New(c.real(out.Err.Error()))
		}
	}()
	out.Err = c.play(out.Kind)
	out.Longest = c.longest
	return out
}

func (c *rehearsal) play(kind Kind) error {
	c.changes = true
	for _, k := range c.Clients {
		k.Think, k.Window = 10, 2
	}
	for i, id := range c.x.Acceptors {
		here := c.Acceptors[i]
		if c.names[id] = here; slices.Contains(c.x.Down, id) {
			c.dead[here], c.nodes[here].away = true, true
		}
	}
	c.lost = c.dead
	c.StartAll()
	if !c.await(playBefore, func() bool { return c.Check.Answers > 20 }) {
		return fmt.Errorf("before the change no appends were answered within %d s", playBefore/Second)
	}
	c.begin()
	c.Run(300 * Millisecond) // who comes copies
	c.longest, c.silent = 0, 0
	c.asks()
	switch kind {
	case Stormy:
		c.storm()
	case Losing:
		c.after(between(&c.r, 0, 300*Millisecond), func() {
			if !c.isMade() { // else it is lost after it
				c.lose(c.x.LostMeanwhile)
			}
		})
	}
	if !c.await(playChange, c.isMade) {
		return fmt.Errorf("the change was not made, and who came had not arrived, within %d s", playChange/Second)
	}
	if kind == Losing {
		c.lose(c.x.After - c.lostSince())
	}
	c.await(Second, func() bool { return false })
	answers := c.Check.Answers
	if !c.await(playAfter, func() bool { return c.Check.Answers > answers+20 }) {
		return fmt.Errorf("after the change no appends were answered within %d s", playAfter/Second)
	}
	c.Check.End()
	return nil
}

// begin has the newcomer join, and finds out what is asked for here.
func (c *rehearsal) begin() {
	m := c.x.Order
	m.Plan, m.Force, m.ID = false, true, c.names[m.ID]
	if m.With != "" {
		with := c.joins(0)
		c.names[m.With], m.With = with, with
	}
	c.asked = &m
}

// asks asks for the change again and again, as an operator does.
func (c *rehearsal) asks() {
	if m := c.asked; !c.isIn() && c.forgetful() == "" {
		c.askAll(m)
	}
	c.after(300*Millisecond, c.asks)
}

// isIn reports whether the change is chosen.
func (c *rehearsal) isIn() bool {
	h, m := c.Check.Members(), c.asked
	return (m.With == "" || isMember(h.Now.Acceptors, m.With)) && (m.ID == "" || !isMember(h.Now.Acceptors, m.ID))
}

// isMade reports whether it is in force, and who has come has arrived.
func (c *rehearsal) isMade() bool {
	h, m := c.Check.Members(), c.asked
	return c.isIn() && paxos.Instance(c.Check.Chosen())+1 >= h.From && (m.With == "" || c.nodes[m.With].store.durable.Held+1 >= h.From)
}

// await runs until done, and notes how long no client was answered.
func (c *rehearsal) await(d Micros, done func() bool) bool {
	for end := c.now + d; c.now < end && !done(); {
		c.Run(Millisecond)
		if c.silent += Millisecond; c.Check.Answers > c.answers {
			c.answers, c.silent = c.Check.Answers, 0
		}
		c.longest = max(c.longest, c.silent)
	}
	return done()
}

// storm has processes crash and connections break for a while. In the end everything is healed.
func (c *rehearsal) storm() {
	servers := slices.DeleteFunc(append(c.servers(), c.asked.With), func(id paxos.NodeID) bool { return id == "" || c.dead[id] })
	pick := func() paxos.NodeID { return servers[c.r.Uint64()%uint64(len(servers))] }
	for at := Micros(0); at < playStorm; at += between(&c.r, 20*Millisecond, 500*Millisecond) {
		f := Fault{
			At: at, Node: pick(), Peer: pick(), For: between(&c.r, 10*Millisecond, Second), Arg: c.r.Uint64(),
			Kind: []FaultKind{CrashNode, CrashNode, PauseNode, CutBothWays, Isolate, BreakConnection}[c.r.Uint64()%6],
		}
		if f.Node != f.Peer {
			c.after(at, func() { c.Cluster.play(f) })
		}
	}
	c.after(playStorm+Second, func() { c.Net.Heal() })
}

// lose has n acceptors die for good: members that are up, but for one that is to go.
func (c *rehearsal) lose(n int) {
	h := c.Check.Members()
	var up []paxos.NodeID
	for _, a := range h.Now.Acceptors {
		if !c.dead[a.ID] && a.ID != c.asked.ID && (a.ID != c.asked.With || c.isMade()) {
			up = append(up, a.ID)
		}
	}
	for ; n > 0 && len(up) > 0; n-- {
		i := int(c.r.Uint64() % uint64(len(up)))
		c.dies(up[i])
		up = slices.Delete(up, i, i+1)
	}
}

// lostSince is how many members are dead that were up before.
func (c *rehearsal) lostSince() (n int) {
	h := c.Check.Members()
	for name, here := range c.names {
		if isMember(h.Now.Acceptors, here) && c.dead[here] && !slices.Contains(c.x.Down, name) {
			n++
		}
	}
	return n
}

// real is a text with the names that the log's acceptors have.
func (c *rehearsal) real(text string) string {
	var names []paxos.NodeID
	for name := range c.names {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b paxos.NodeID) int { // b10 before b1
		return cmp.Or(len(c.names[b])-len(c.names[a]), cmp.Compare(c.names[a], c.names[b]))
	})
	var pairs []string
	for _, name := range names {
		pairs = append(pairs, string(c.names[name]), string(name))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
