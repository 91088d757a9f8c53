package transport

import "sync/atomic"

// budget is what all clients together may have waiting for them, in bytes. When it is used
// up, the client for which most waits is cut off: it reads slower than all others, or asked
// for more. So a few that do not read cost nobody else his connection, nor this process its
// memory, however many they are.
type budget struct {
	limit atomic.Int64
	used  atomic.Int64
}

// charge takes bytes that begin to wait on q, if they count; mu of q is held.
func (q *queue) charge(size int) {
	if q.share != nil {
		q.owed += size
		q.share.used.Add(int64(size))
	}
}

// repay gives back what was charged for bytes that are written; mu of q is held. Those of a
// connection that has ended were given back then.
func (q *queue) repay(size int) {
	if q.share != nil {
		size = min(size, q.owed)
		q.owed -= size
		q.share.used.Add(int64(-size))
	}
}

// owes is what q has of the budget.
func (q *queue) owes() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.owed
}

// isOver reports whether more waits on all queues than may.
func (b *budget) isOver() bool { return b != nil && b.used.Load() > b.limit.Load() }

// relieve cuts clients off, those for which most waits first, until the budget holds.
func (n *Network) relieve() {
	for n.budget.isOver() {
		var most *conn
		for _, c := range n.connected() {
			if c.share != nil && (most == nil || c.owes() > most.owes()) {
				most = c
			}
		}
		if most == nil || most.owes() == 0 {
			return
		}
		most.close(ErrSlow)
	}
}
