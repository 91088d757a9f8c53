package paxos

// Queue is a queue that uses its memory again. The zero Queue is empty.
type Queue[T any] struct {
	all  []T
	head int
}

// Len is how many elements wait.
func (q *Queue[T]) Len() int { return len(q.all) - q.head }

// Push adds x as the last.
func (q *Queue[T]) Push(x T) {
	if q.head > 0 && len(q.all) == cap(q.all) {
		n := copy(q.all, q.all[q.head:])
		clear(q.all[n:])
		q.all, q.head = q.all[:n], 0
	}
	q.all = append(q.all, x)
}

// First is what Pop returns next; there is one.
func (q *Queue[T]) First() T { return q.all[q.head] }

// Pop takes the first out; there is one.
func (q *Queue[T]) Pop() T {
	var none T
	x := q.all[q.head]
	q.all[q.head] = none
	if q.head++; q.head == len(q.all) {
		q.all, q.head = q.all[:0], 0
	}
	return x
}
