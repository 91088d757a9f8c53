package learner

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// extendChain adds the value of the applied instance to the chain, if the level that is in
// force has one: that of the command which is applied, if it is one.
func (l *Learner) extendChain(v *paxos.Value) {
	if l.control.state.Level >= control.ChainLevel {
		l.state.Chain = l.state.Chain.Next(l.state.Applied, v)
	}
}

// compared is what this learner knows of the chain of another one.
type compared struct {
	said    paxos.Chained // what it told last, until that is compared; its Instance is 0 if nothing is to be
	reading bool          // this learner's own chain there is read
	agreed  paxos.Chained // the highest instance at which both were the same, since this process started
	again   paxos.Timer   // before that nothing is audited because of what it tells
	audits  int           // that its chain has cost
}

// tickChain tells the other learners this one's newest chain, whether anything has been
// applied since or not.
func (l *Learner) tickChain() {
	if l.now < l.nextChain() {
		return
	}
	l.telling.Set(l.now + l.cfg.RenewTicks)
	for i := range l.sources {
		if s := &l.sources[i]; s.kind == paxos.RoleLearner && s.up {
			l.Send(s.id, &paxos.Chained{Instance: l.state.Applied, Chain: l.state.Chain})
		}
	}
}

// nextChain is when tickChain has something to do.
func (l *Learner) nextChain() paxos.Ticks {
	if l.state.Chain.IsZero() || l.wrong != "" || !l.sources.isUp(paxos.RoleLearner) {
		return paxos.Never
	}
	return l.telling.At()
}

// onChained takes what another learner tells of its chain. It is compared when this learner
// has applied as much, unless something newer is told before.
func (l *Learner) onChained(from paxos.NodeID, m *paxos.Chained) {
	if s := l.sources.learner(from); s != nil && !m.Chain.IsZero() {
		s.said = *m
	}
}

// compareChains compares what others have told with this learner's own chain at the same
// instance, where it still has that. One read of the store for each of them is under way at
// most.
func (l *Learner) compareChains() {
	if l.wrong != "" {
		return
	}
	for k := range l.sources {
		s := &l.sources[k]
		i := s.said.Instance
		if i == 0 || i > l.state.Applied || s.reading {
			continue
		}
		said := s.said
		s.said = paxos.Chained{}
		switch {
		case i == l.state.Applied:
			l.compare(s, said, l.state.Chain)
		case i+1 == l.state.FirstInstance:
			l.compare(s, said, l.state.Below)
		case i >= l.state.FirstInstance:
			s.reading = true
			l.load(paxos.Load{Kind: paxos.LoadVotes, From: i, To: i, MaxBytes: l.cfg.PageBytes}, &chainLoad{s.id, said})
		}
	}
}

// chainLoad is a load of this learner's own chain, where another one has told its own.
type chainLoad struct {
	peer paxos.NodeID
	said paxos.Chained
}

func (c *chainLoad) loaded(l *Learner, m *paxos.Loaded) {
	s := l.sources.learner(c.peer)
	if s == nil {
		return // it is no learner of the log any more
	}
	s.reading = false
	if len(m.Chains) > 0 { // else it was trimmed meanwhile
		l.compare(s, c.said, m.Chains[0])
	}
}

// compare compares the chain that s told with this learner's own one there.
func (l *Learner) compare(s *source, said paxos.Chained, own paxos.Chain) {
	switch {
	case own.IsZero(): // nothing to compare: the chain begins above
	case own != said.Chain:
		l.beginAudit(s, said)
	case said.Instance > s.agreed.Instance:
		s.agreed = said
	}
}

// scrubbing is the reading of this learner's own log: whether its disk still has the values
// that were applied. It begins at each start, and again and again (Config.ScrubEach).
type scrubbing struct {
	next  paxos.Instance // 0 if no pass is under way
	chain paxos.Chain    // of what was read of the pass
	tag   uint64         // of the load under way, 0 if there is none
	at    paxos.Timer    // of the next page
}

func (l *Learner) tickScrub() {
	if l.now < l.nextScrub() {
		return
	}
	k := &l.scrub
	if k.next < l.state.FirstInstance {
		k.next, k.chain = l.state.FirstInstance, l.state.Below
	}
	if k.next > l.state.Applied {
		l.endScrub()
		return
	}
	k.tag = l.load(paxos.Load{Kind: paxos.LoadVotes, From: k.next, To: l.state.Applied, MaxBytes: min(l.cfg.PageBytes, scrubBytes)}, scrubLoad{})
}

// nextScrub is when the next page is read.
func (l *Learner) nextScrub() paxos.Ticks {
	k := &l.scrub
	if l.cfg.ScrubTicks == 0 || l.wrong != "" || k.tag != 0 || l.state.Chain.IsZero() {
		return paxos.Never
	}
	return k.at.At()
}

// endScrub ends a pass: what was read leads to the chain that this learner goes on with.
func (l *Learner) endScrub() {
	k := &l.scrub
	if k.next == l.state.Applied+1 && k.chain != l.state.Chain {
		l.condemn("its disk has other values than it has applied, or has lost some", l.state.Applied)
	}
	*k = scrubbing{}
	k.at.Set(l.now + l.cfg.ScrubEach)
}

type scrubLoad struct{}

func (scrubLoad) loaded(l *Learner, m *paxos.Loaded) {
	k := &l.scrub
	k.tag = 0
	k.at.Set(l.now + l.cfg.ScrubTicks)
	if l.wrong != "" || k.next < l.state.FirstInstance {
		return // it was trimmed meanwhile: the pass begins anew
	}
	for n := range m.Votes {
		v, stored := &m.Votes[n], m.Chains[n]
		if v.Instance != k.next {
			break
		}
		if !k.chain.IsZero() || !stored.IsZero() {
			if k.chain = k.chain.Next(k.next, &v.Value); k.chain != stored {
				l.condemn(fmt.Sprintf("its disk has another value of instance %d than it has applied", k.next), k.next)
				return
			}
		}
		k.next++
	}
	if k.next == m.Load.From {
		l.condemn(fmt.Sprintf("its disk has lost instance %d", k.next), k.next)
	}
}
