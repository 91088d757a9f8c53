// Package paging says which pages of chosen values are asked for, several at once, by an acceptor or a
// learner that copies them from one source. It does no I/O.
//
// # Why several, and when
//
// How long a page takes on a busy cluster is waiting, most of it: for a turn of the source, of its store, of the
// network. Whoever asked for one page at a time would copy one page in that time, and the log would grow as
// fast. Example: clients append 50 MB in a second. A page of 1 MB takes 20 ms. A new learner would never have
// caught up, and where the log is trimmed it would begin with one checkpoint after the other.
//
// Several pages at once are in the way of clients, who share disks and processors with whoever copies and
// its source. So one is asked for after the other, unless the log grows so fast that this would not do (Growth),
// or has not grown at all for many pages.
//
// # Which
//
// A page has as many values as fit, and where it ends its source alone knows. So those behind the first
// are asked for by a guess: that each has as many instances as the shorter one of the last two. One that has more
// brings some values twice. One that has fewer leaves a hole, and what is in it is asked for by itself. Both
// cost a part of a page, and nothing else: pages are taken in the order of the log, each where the ones before it
// end, so what is applied does not depend on guesses.
package paging

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// Most is how many pages are under way at once, where more do not fit into queues, and one more that fills
// a hole. That many are in memory at most, if the first one comes last.
const Most = 16

// Growth is how many times as fast as the log grows a copy has to be that is fast enough.
const Growth = 8

// Pages are those that were asked for and not taken yet. The zero Pages are none.
type Pages struct {
	// Depth is how many may be under way at once; 0: one.
	Depth int

	asked []asked // ascending, the first of them is needed next
	spans [2]paxos.Instance
	// Since the last look: how many pages were taken, and from where the copy and the log have come.
	taken   int
	at, end paxos.Instance
	ahead   bool // several are asked for
	quiet   int  // looks at which the log had not grown
}

// asked is a page from an instance on.
type asked struct {
	from  paxos.Instance
	nonce uint64
	page  *paxos.Page // once it has come
}

// Asks notes that a page from an instance on is asked for.
func (p *Pages) Asks(from paxos.Instance, nonce uint64) {
	i, _ := slices.BinarySearchFunc(p.asked, from, func(a asked, from paxos.Instance) int {
		if a.from < from {
			return -1
		}
		return 1
	})
	p.asked = slices.Insert(p.asked, i, asked{from: from, nonce: nonce})
}

// Came takes a page, and reports whether it was asked for, by that nonce, and comes for the first time.
func (p *Pages) Came(m *paxos.Page) bool {
	for i := range p.asked {
		if a := &p.asked[i]; a.nonce == m.Nonce && a.page == nil {
			a.page = m
			return true
		}
	}
	return false
}

// Next takes out the page that has the instance next, nil if that has not come yet. It has no value below the
// instance from which on it was asked for.
func (p *Pages) Next(next paxos.Instance) *paxos.Page {
	for len(p.asked) > 1 && p.asked[1].from <= next { // all that the first has is here, or in the second
		p.asked = slices.Delete(p.asked, 0, 1)
	}
	if len(p.asked) == 0 || p.asked[0].from > next || p.asked[0].page == nil {
		return nil
	}
	first := p.asked[0]
	p.asked = slices.Delete(p.asked, 0, 1)
	m := first.page
	for len(m.Values) > 0 && m.Values[0].Instance < first.from {
		m.Values = m.Values[1:]
	}
	if last := Last(m); last < m.Held { // it is full, and does not end where the log does
		p.spans = [2]paxos.Instance{min(last+1-first.from, paxos.Instance(len(m.Values))), p.spans[0]}
	}
	return m
}

// Last is the last instance of which a page has the value, paxos.Bound if it has none.
func Last(m *paxos.Page) paxos.Instance {
	if n := len(m.Values); n > 0 {
		return m.Values[n-1].Instance
	}
	return paxos.Bound
}

// Look decides, when a page was taken, whether several are asked for from now on: the copy has come to an
// instance, and the log has come to end, as far as is known. While several are asked for it looks once in as many
// pages, which come in bursts.
func (p *Pages) Look(at, end paxos.Instance) {
	if p.taken++; p.ahead && p.taken < p.Depth {
		return
	}
	copied, grown := at-min(p.at, at), end-min(p.end, end)
	switch first := p.end == 0; {
	case first:
	case grown == 0:
		p.quiet++
		p.ahead = p.ahead || p.quiet >= Most
	default:
		p.quiet = 0
		p.ahead = Growth*grown >= copied
	}
	p.taken, p.at, p.end = 0, at, end
}

// More returns from where on another page is to be asked for, if one is: from next on, or in a hole before what
// was asked for, or behind that, as far as upTo.
func (p *Pages) More(next, upTo paxos.Instance) (from paxos.Instance, more bool) {
	span := p.Span()
	switch n := len(p.asked); {
	case n == 0 || p.asked[0].from > next:
		from = next
	case n >= p.Depth || span == 0 || !p.ahead:
		return 0, false
	default:
		from = p.asked[n-1].from + span
	}
	return from, from <= upTo
}

// Span is how many instances a page has, most likely; 0 if that is not known.
func (p *Pages) Span() paxos.Instance {
	if before := p.spans[1]; before > 0 {
		return min(p.spans[0], before)
	}
	return p.spans[0]
}

// IsIdle reports whether nothing is asked for.
func (p *Pages) IsIdle() bool { return len(p.asked) == 0 }

// Drop gives up what was asked for: what comes of it was not asked for.
func (p *Pages) Drop() { *p = Pages{Depth: p.Depth, spans: p.spans} }
