package sim

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestQueue: events come in the order of their times, and of two at one time the
// one that was scheduled first.
func TestQueue(t *testing.T) {
	r := paxos.Rand{State: 1}
	for range 200 {
		var q queue
		var now Micros
		waiting := map[int]Micros{} // by number
		next := 0
		for range 400 {
			if r.Uint64()%3 > 0 {
				at := now + Micros(r.Uint64()%20)
				q.push(at, work{n: uint32(next)})
				waiting[next] = at
				next++
				continue
			}
			end := now + Micros(r.Uint64()%30)
			e, ok := q.pop(end)
			first := -1
			for n, at := range waiting {
				if at <= end && (first < 0 || at < waiting[first] || at == waiting[first] && n < first) {
					first = n
				}
			}
			if ok != (first >= 0) {
				t.Fatalf("an event up to %d: %v, want %v", end, ok, first >= 0)
			}
			if !ok {
				now = end
				continue
			}
			if got := int(q.at(e.cell).n); got != first || e.at() != waiting[first] {
				t.Fatalf("event %d at %d, want %d at %d", got, e.at(), first, waiting[first])
			}
			now = e.at()
			q.done(e.cell)
			delete(waiting, first)
		}
	}
}
