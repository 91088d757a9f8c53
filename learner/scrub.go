package learner

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

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
