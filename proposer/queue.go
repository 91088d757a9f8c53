package proposer

import (
	"fmt"
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// appends are those that wait to be proposed. Principals take turns, and of each its clients, an append
// each: however much some of them send, and over however many connections, another one's append is behind
// one of each. A client is a connection, here or at the standby that passes its appends on; what it sent
// keeps its order.
type appends struct {
	n      int
	bytes  int
	lanes  map[sender]*lane
	shares map[paxos.Principal]*share
	turns  paxos.Queue[*share] // with appends, whose turn is next first
	spare  *lane               // empty, for the next one that comes
	idle   *share              // likewise

	little int // bytes that a client with little waiting has at most
	small  int // times that such a client was left with nothing waiting
	large  int // clients with appends of which more waits, or did since nothing waited
	now    paxos.Ticks
	// heavy are the clients that were large lately, and until when they count as such: one that sends as much as
	// its window takes has little waiting at times, too.
	heavy map[sender]paxos.Ticks
	sweep paxos.Ticks // when those are forgotten of which that is over
}

// share is what waits of one principal.
type share struct {
	of    paxos.Principal
	bytes int
	turns paxos.Queue[*lane] // with appends, whose turn is next first
}

// underWay is how many bytes of appends each principal has in proposals. It is counted while the log has a quota
// of bytes: what was proposed before that is not in it.
type underWay map[paxos.Principal]int

// owned are bytes of one principal in one proposal.
type owned struct {
	who   paxos.Principal
	bytes int
}

// enter has an append that goes into a proposal, with those of it already, be under way.
func (u *underWay) enter(of *[]owned, x queued) {
	if *u == nil {
		*u = underWay{}
	}
	size := len(x.msg.Batch)
	(*u)[x.who] += size
	i := slices.IndexFunc(*of, func(a owned) bool { return a.who == x.who })
	if i < 0 {
		*of = append(*of, owned{x.who, size})
		return
	}
	(*of)[i].bytes += size
}

// leave ends that for all that went into o: it is chosen, or its client has the result already.
func (u underWay) leave(o *proposal) {
	for _, a := range o.of {
		if u[a.who] -= a.bytes; u[a.who] == 0 {
			delete(u, a.who)
		}
	}
	o.of = nil
}

// waiting is how many bytes wait of a principal.
func (q *appends) waiting(who paxos.Principal) int {
	if s := q.shares[who]; s != nil {
		return s.bytes
	}
	return 0
}

// overQuota returns why one more append of x's principal is not taken yet, or "": it has as much under way as it
// may. One that has nothing under way may have one append, however large.
func (l *leading) overQuota(p *Proposer, x queued) string {
	most := p.control.Settings.Quota(paxos.QuotaBytes, x.who)
	if most == 0 {
		return ""
	}
	has := l.queue.waiting(x.who) + l.underWay[x.who]
	if has == 0 || uint64(has+len(x.msg.Batch)) <= most {
		return ""
	}
	return fmt.Sprintf("%s has %d bytes of appends under way, and may have %d (`paxlog settings show`)", x.who, has, most)
}

// sender is whose append it is.
type sender struct{ from, client paxos.NodeID }

type lane struct {
	sender
	paxos.Queue[queued]
	bytes int
	taken int // bytes taken out since nothing waited
	large bool
	share *share
}

type queued struct {
	from paxos.NodeID
	who  paxos.Principal
	msg  *paxos.Append
}

// takes reports whether one more append is within the limit. Half of it is for whoever comes
// first. In the other half each principal has a share, where there are several, and in that each of
// its clients: so no few of them fill all of it, and nobody does by many connections.
func (q *appends) takes(x queued, limit int) bool {
	size := len(x.msg.Batch)
	if q.bytes == 0 || q.bytes+size <= limit/2 {
		return true
	}
	if q.bytes+size > limit {
		return false
	}
	s := q.shares[x.who]
	if s == nil {
		return true
	}
	most := limit / 2
	if n := len(q.shares); n > 1 {
		if most /= n + 1; s.bytes+size > most {
			return false
		}
	}
	l := q.lanes[sender{x.from, x.msg.Client}]
	return l == nil || l.bytes+size <= most/(s.turns.Len()+1)
}

func (q *appends) push(x queued) {
	who := sender{x.from, x.msg.Client}
	l := q.lanes[who]
	if l == nil {
		if q.lanes == nil {
			q.lanes, q.shares = map[sender]*lane{}, map[paxos.Principal]*share{}
		}
		if l, q.spare = q.spare, nil; l == nil {
			l = &lane{}
		}
		l.sender, l.share = who, q.shareOf(x.who)
		q.lanes[who] = l
		l.share.turns.Push(l)
	}
	l.Push(x)
	size := len(x.msg.Batch)
	l.bytes += size
	if l.taken+l.bytes > q.little {
		q.enlarge(l)
	}
	l.share.bytes += size
	q.n++
	q.bytes += size
}

// crowd notes that more waits of a client than is here.
func (q *appends) crowd(client paxos.NodeID) {
	if l := q.lanes[sender{from: client}]; l != nil {
		q.enlarge(l)
	}
}

func (q *appends) enlarge(l *lane) {
	if !l.large {
		l.large = true
		q.large++
	}
	if q.heavy == nil {
		q.heavy = map[sender]paxos.Ticks{}
	}
	if q.now >= q.sweep {
		maps.DeleteFunc(q.heavy, func(_ sender, until paxos.Ticks) bool { return until <= q.now })
		q.sweep = q.now + heavyTicks
	}
	q.heavy[l.sender] = q.now + heavyTicks
}

// shareOf is what waits of a principal, which has turns from now on.
func (q *appends) shareOf(who paxos.Principal) *share {
	s := q.shares[who]
	if s == nil {
		if s, q.idle = q.idle, nil; s == nil {
			s = &share{}
		}
		s.of = who
		q.shares[who] = s
		q.turns.Push(s)
	}
	return s
}

// next is the append that pop returns; there is one.
func (q *appends) next() *paxos.Append { return q.turns.First().turns.First().First().msg }

// pop takes out the append whose turn it is; there is one.
func (q *appends) pop() queued {
	s := q.turns.Pop()
	l := s.turns.Pop()
	x := l.Pop()
	size := len(x.msg.Batch)
	l.bytes -= size
	l.taken += size
	s.bytes -= size
	q.n--
	q.bytes -= size
	if l.Len() > 0 {
		s.turns.Push(l)
	} else {
		delete(q.lanes, l.sender)
		switch {
		case l.large:
			q.large--
		case q.heavy[l.sender] <= q.now:
			q.small++
		}
		l.share, l.taken, l.large, q.spare = nil, 0, false, l
	}
	if s.turns.Len() > 0 {
		q.turns.Push(s)
	} else {
		delete(q.shares, s.of)
		q.idle = s
	}
	return x
}

// refuse drops all of them, and says so.
func (q *appends) refuse(p *Proposer, reason paxos.RefuseReason, why string) {
	for q.n > 0 {
		x := q.pop()
		p.refuse(x.from, x.msg, reason, why)
	}
}
