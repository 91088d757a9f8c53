package check

import (
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim/model"
)

// votes is what acceptors have done, at each instance.
type votes struct {
	instances  []instance     // by instance-1
	chosenUpTo paxos.Instance // every instance at or below is chosen
	chosen     int
	Latest     paxos.Ballot // highest at which something was chosen
	told       []told       // by the acceptor's number
}

type instance struct {
	proposals []proposed
	chosen    bool
	value     paxos.Value
	at        paxos.Ballot // lowest at which it was chosen
}

// proposed is what stands under one ballot at one instance.
type proposed struct {
	ballot paxos.Ballot
	value  paxos.Value
	voters paxos.Set // that have it on disk
}

// told is what an acceptor told others that it has on disk.
type told struct {
	forgot   bool // its directory was rolled back once: what it had is lost
	promised paxos.Ballot
	held     paxos.Instance
	highest  paxos.Instance
	votes    []paxos.Ballot // by instance-1
	// copied are chosen values that it copied in: those are no votes.
	copied map[paxos.Instance]bool
}

// Chosen is how many instances were chosen.
func (v *votes) Chosen() int { return v.chosen }

func (v *votes) at(i paxos.Instance) *instance {
	for paxos.Instance(len(v.instances)) < i {
		v.instances = append(v.instances, instance{})
	}
	return &v.instances[i-1]
}

// known is the value chosen at i, if one is.
func (v *votes) known(i paxos.Instance) (paxos.Value, bool) {
	if i == 0 || i > paxos.Instance(len(v.instances)) {
		return paxos.Value{}, false
	}
	return v.instances[i-1].value, v.instances[i-1].chosen
}

func (s *instance) under(b paxos.Ballot) *proposed {
	for k := len(s.proposals) - 1; k >= 0; k-- {
		if s.proposals[k].ballot == b {
			return &s.proposals[k]
		}
	}
	return nil
}

// Forget takes back all that an acceptor told: its directory was rolled back.
func (v *votes) Forget(n *Process) { *v.toldBy(n) = told{forgot: true} }

func (v *votes) toldBy(n *Process) *told {
	for len(v.told) <= n.num {
		v.told = append(v.told, told{})
	}
	return &v.told[n.num]
}

// acceptorWrites checks P1, P5 and P6 on what an acceptor changes.
func (c *Checker) acceptorWrites(n *Process, out *paxos.Output) {
	writes, before := out.Writes, n.Disk.Visible()
	promised, held := before.Promised, before.Held
	heldAfter := held
	for _, r := range writes {
		if h, ok := r.(paxos.SetHeld); ok {
			if h.Held < heldAfter {
				c.Fail("P6", "%s lowers its held mark from %d to %d", n.ID, heldAfter, h.Held)
			}
			heldAfter = h.Held
		}
	}
	for _, r := range writes {
		switch r := r.(type) {
		case paxos.SetMark:
			if before.Mark.Life.Less(r.Life) {
				c.onRejoin(n, heldAfter)
			}
		case paxos.SetPromised:
			if !promised.Less(r.Ballot) {
				c.Fail("P1", "%s lowers promised from %v to %v", n.ID, promised, r.Ballot)
			}
			promised = r.Ballot
		case paxos.PutVote:
			if r.Vote.Instance <= held {
				c.Fail("P6", "%s overwrites instance %d, which it holds up to %d", n.ID, r.Vote.Instance, held)
			}
			c.votesControl(n, &r.Vote)
			if r.Vote.Ballot != promised && r.Vote.Instance > heldAfter {
				c.Fail("P1", "%s votes at %v, promised %v", n.ID, r.Vote.Ballot, promised)
			}
			if r.Vote.Instance > heldAfter {
				c.toldTo(n, out, r.Vote.Instance)
				c.votesAsMember(n, r.Vote.Instance)
				c.votesForChange(n, &r.Vote, max(heldAfter, held))
			}
			c.noteCopy(n, r.Vote.Instance, r.Vote.Instance <= heldAfter && !acknowledged(out, r.Vote.Instance))
		}
	}
	first := c.trims(n, writes)
	for i := max(held+1, first); i <= heldAfter; i++ {
		v := *before.Votes.At(i)
		stored := v.Instance != 0
		for _, r := range writes {
			if p, ok := r.(paxos.PutVote); ok && p.Vote.Instance == i {
				v, stored = p.Vote, true
			}
		}
		if chosen, ok := c.known(i); !stored || !ok || !chosen.Equal(v.Value) {
			c.Fail("P5/P6", "%s holds at instance %d what was not chosen there (stored %v, chosen %v)", n.ID, i, stored, ok)
		}
	}
	if heldAfter > held {
		c.writesControl(n, writes, heldAfter)
	}
}

// acknowledged reports whether an output tells a vote at i.
func acknowledged(out *paxos.Output, i paxos.Instance) bool {
	for _, e := range out.SendAfter {
		if m, ok := e.Msg.(*paxos.Accepted); ok && contains(m.Runs, i) {
			return true
		}
	}
	return false
}

// noteCopy notes whether what n has at i is a copy of the chosen value, or a vote.
func (c *Checker) noteCopy(n *Process, i paxos.Instance, copied bool) {
	t := c.toldBy(n)
	switch {
	case !copied:
		delete(t.copied, i)
	case t.copied == nil:
		t.copied = map[paxos.Instance]bool{i: true}
	default:
		t.copied[i] = true
	}
}

// acceptorSays checks that what an acceptor tells is on its disk, and that what it
// tells of others' votes is so.
func (c *Checker) acceptorSays(n *Process, m paxos.Message) {
	disk, said := n.Disk.Durable(), c.toldBy(n)
	promises := func(b paxos.Ballot, what string) {
		if disk.Promised.Less(b) {
			c.Fail("P1", "%s tells %s of %v that is not durable", n.ID, what, b)
		}
		if said.promised.Less(b) {
			said.promised = b
		}
	}
	switch m := m.(type) {
	case *paxos.Accepted:
		c.claims(n, m.Held)
		said.held = max(said.held, m.Held)
		for _, r := range m.Runs {
			c.tells(n, r)
		}
	case *paxos.Promise:
		c.claims(n, m.Held)
		said.held = max(said.held, m.Held)
		promises(m.Ballot, "a promise")
		for _, v := range m.Votes {
			c.isProposed(n, m.Held, v)
		}
		c.omits(n, m)
	case *paxos.Reject:
		promises(m.Promised, "a promise")
	case *paxos.QueryReply:
		promises(m.Promised, "a promise")
	case *paxos.PollReply:
		c.claims(n, m.Held)
		if m.Highest <= m.Held {
			return // it need not be durable: it is a fact, not a vote
		}
		if m.Highest > highest(disk) {
			c.Fail("P1", "%s tells of a vote at instance %d that is not durable", n.ID, m.Highest)
		}
		said.highest = max(said.highest, m.Highest)
	case *paxos.Page:
		c.claims(n, m.Held)
		for _, r := range m.Runs {
			c.tells(n, r)
		}
		for _, v := range m.Values {
			c.isProposed(n, m.Held, v)
		}
	case *paxos.HeartbeatAck:
		c.claims(n, m.Held)
		said.held = max(said.held, m.Held)
		c.answersBeat(n, m)
	}
}

// tells checks a run of votes that an acceptor tells, and remembers it.
func (c *Checker) tells(n *Process, r paxos.VoteRun) {
	disk, said := n.Disk.Durable(), c.toldBy(n)
	for i := r.First; i <= r.Last; i++ {
		if i > disk.Held && disk.Votes.At(i).Ballot.Less(r.Ballot) {
			c.Fail("P1", "%s tells a vote at instance %d that is not durable", n.ID, i)
		}
		for paxos.Instance(len(said.votes)) < i {
			said.votes = append(said.votes, paxos.Ballot{})
		}
		if said.votes[i-1].Less(r.Ballot) {
			said.votes[i-1] = r.Ballot
		}
	}
}

// isProposed checks that a vote told is for what was proposed under its ballot, or
// chosen if it is at or below held.
func (c *Checker) isProposed(n *Process, held paxos.Instance, v paxos.Vote) {
	if v.Instance <= held {
		if chosen, ok := c.known(v.Instance); !ok || !chosen.Equal(v.Value) {
			c.Fail("P6", "%s tells as held at instance %d what was not chosen there", n.ID, v.Instance)
		}
		return
	}
	if p := c.at(v.Instance).under(v.Ballot); p == nil || !p.value.Equal(v.Value) {
		c.Fail("P2", "%s tells a vote at instance %d under %v that nobody proposed", n.ID, v.Instance, v.Ballot)
	}
}

// claims checks that everything up to upTo is chosen.
func (c *Checker) claims(n *Process, upTo paxos.Instance) {
	if upTo > c.chosenUpTo {
		c.Fail("P4/P5", "%s says that all up to instance %d is chosen, which is so only up to %d", n.ID, upTo, c.chosenUpTo)
	}
}

// OnDurable counts votes that became durable.
func (c *Checker) OnDurable(n *Process, records []paxos.Record) {
	if n.Role != paxos.RoleAcceptor {
		return
	}
	place := c.place(n.ID)
	for _, r := range records {
		p, ok := r.(paxos.PutVote)
		if !ok || c.toldBy(n).copied[p.Vote.Instance] {
			continue
		}
		s := c.at(p.Vote.Instance)
		at := s.under(p.Vote.Ballot)
		if at == nil || !at.value.Equal(p.Vote.Value) {
			c.Fail("P2", "%s has at instance %d a value that was not proposed under %v", n.ID, p.Vote.Instance, p.Vote.Ballot)
		}
		at.voters = at.voters.With(place)
		if config := c.configAt(p.Vote.Instance); c.among(at.voters, config) >= int(config.Phase2) {
			c.choose(p.Vote.Instance, s, at)
		}
	}
}

// choose notes that a Phase 2 quorum has p on disk.
func (c *Checker) choose(i paxos.Instance, s *instance, p *proposed) {
	if s.chosen && !s.value.Equal(p.value) {
		c.Fail("agreement", "two values chosen at instance %d, the second at %v", i, p.ballot)
	}
	if !s.chosen {
		s.chosen, s.value, s.at = true, p.value, p.ballot
		c.chosen++
		for c.chosenUpTo < paxos.Instance(len(c.instances)) && c.instances[c.chosenUpTo].chosen {
			c.chosenUpTo++
		}
	}
	if p.ballot.Less(s.at) {
		s.at = p.ballot
	}
	if c.Latest.Less(p.ballot) {
		c.Latest = p.ballot
	}
	for k := range s.proposals {
		if o := &s.proposals[k]; p.ballot.Less(o.ballot) && !o.value.Equal(p.value) {
			c.Fail("P3", "at instance %d a value is chosen at %v, and another is proposed at %v", i, p.ballot, o.ballot)
		}
	}
}

// acceptorRecovered checks that what an acceptor told, it still knows.
func (c *Checker) acceptorRecovered(n *Process) {
	st, said := n.Disk.Visible(), c.toldBy(n)
	if st.Promised.Less(said.promised) {
		c.Fail("P1", "%s recovers promised %v, having told %v", n.ID, st.Promised, said.promised)
	}
	if highest(st) < said.highest {
		c.Fail("P1", "%s recovers votes up to %d, having told of %d", n.ID, highest(st), said.highest)
	}
	for k, b := range said.votes {
		if i := paxos.Instance(k + 1); i > st.Held && st.Votes.At(i).Ballot.Less(b) {
			c.Fail("P1", "%s recovers a vote at %v at instance %d, having told %v", n.ID, st.Votes.At(i).Ballot, i, b)
		}
	}
	for i := st.Held + 1; i <= st.Top; i++ {
		if st.Promised.Less(st.Votes.At(i).Ballot) {
			c.Fail("P1", "%s recovers a vote above its promise at instance %d", n.ID, i)
		}
	}
	c.hasState(n, st.Held, st.Control)
	if st.Held > c.chosenUpTo {
		c.Fail("P6", "%s recovers a held mark of %d, all is chosen up to %d", n.ID, st.Held, c.chosenUpTo)
	}
}

// highest is the highest instance of an acceptor's votes, at least held.
func highest(c *model.Contents) paxos.Instance { return max(c.Top, c.Held) }

// onRejoin checks that an acceptor which begins a new life holds every instance at
// which a vote that it has forgotten counts towards the chosen value.
func (c *Checker) onRejoin(n *Process, held paxos.Instance) {
	place := c.place(n.ID)
	for i := held + 1; i <= paxos.Instance(len(c.instances)); i++ {
		s := c.at(i)
		for _, p := range s.proposals {
			if s.chosen && p.voters.Has(place) && p.value.Equal(s.value) && n.Disk.Visible().Votes.At(i).Ballot.Less(p.ballot) {
				c.Fail("rejoin", "%s votes again, and has forgotten its vote at %v for the value chosen at instance %d (held %d)", n.ID, p.ballot, i, held)
			}
		}
	}
}
