package proposer

import "github.com/paxlog/paxlog/paxos"

// appends are those that wait to be proposed. Clients take turns, an append each: however much
// some of them send, another one's append is behind one of each. A client is a connection, here or
// at the standby that passes its appends on; what it sent keeps its order.
type appends struct {
	n     int
	bytes int
	lanes map[sender]*lane
	turns paxos.Queue[*lane] // with appends, whose turn is next first
	spare *lane              // empty, for the next one that comes
}

// sender is whose append it is.
type sender struct{ from, client paxos.NodeID }

type lane struct {
	sender
	paxos.Queue[queued]
	bytes int
}

type queued struct {
	from paxos.NodeID
	msg  *paxos.Append
}

// takes reports whether one more append is within the limit. Half of it is for whoever comes
// first. In the other half each client has a share, so that no few of them fill all of it.
func (q *appends) takes(from paxos.NodeID, m *paxos.Append, limit int) bool {
	size := len(m.Batch)
	if q.bytes == 0 || q.bytes+size <= limit/2 {
		return true
	}
	mine := 0
	if l := q.lanes[sender{from, m.Client}]; l != nil {
		mine = l.bytes
	}
	return q.bytes+size <= limit && (mine == 0 || mine+size <= limit/2/(q.turns.Len()+1))
}

func (q *appends) push(from paxos.NodeID, m *paxos.Append) {
	who := sender{from, m.Client}
	l := q.lanes[who]
	if l == nil {
		if q.lanes == nil {
			q.lanes = map[sender]*lane{}
		}
		if l, q.spare = q.spare, nil; l == nil {
			l = &lane{}
		}
		l.sender = who
		q.lanes[who] = l
		q.turns.Push(l)
	}
	l.Push(queued{from, m})
	l.bytes += len(m.Batch)
	q.n++
	q.bytes += len(m.Batch)
}

// next is the append that pop returns; there is one.
func (q *appends) next() *paxos.Append { return q.turns.First().First().msg }

// pop takes out the append whose turn it is; there is one.
func (q *appends) pop() queued {
	l := q.turns.Pop()
	x := l.Pop()
	l.bytes -= len(x.msg.Batch)
	q.n--
	q.bytes -= len(x.msg.Batch)
	if l.Len() > 0 {
		q.turns.Push(l)
	} else {
		delete(q.lanes, l.sender)
		q.spare = l
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
