package paxos

import "testing"

// TestQueue: what goes in comes out in order, whatever is taken in between, and memory is used again.
func TestQueue(t *testing.T) {
	var q Queue[int]
	in, out := 0, 0
	for round := range 200 {
		for range round * 7 % 13 {
			q.Push(in)
			in++
		}
		for range min(q.Len(), round*5%11) {
			if q.First() != out || q.Pop() != out {
				t.Fatalf("%d is not next", out)
			}
			out++
		}
	}
	if q.Len() != in-out {
		t.Errorf("%d are left of %d", q.Len(), in-out)
	}
	for q.Len() > 0 {
		q.Pop()
	}
	if n := testing.AllocsPerRun(100, func() { q.Push(1); q.Push(2); q.Pop(); q.Pop() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
