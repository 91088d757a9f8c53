package sim

import "github.com/paxlog/paxlog/paxos"

// queue is what will happen, ordered by time and then by when it was scheduled. A
// heap of four children holds only numbers, and what is to be done lies beside it:
// so moving entries costs no write barriers, and nothing is allocated.
type queue struct {
	heap  []entry
	first entry // the very next, kept out of the heap: many are done as soon as they are due
	any   bool  // there is a first
	work  []*block
	free  []uint32
	seq   uint32
}

// entry is an event's time, above the low 32 bits, and its number, in them.
type entry struct {
	key  uint64
	cell uint32
}

func (a entry) at() Micros          { return Micros(a.key >> 32) }
func (a entry) before(b entry) bool { return a.key < b.key }

// workKind says what an event does.
type workKind byte

const (
	workDo      workKind = iota // call do
	workTick                    // node's alarm goes off
	workDrain                   // node steps what waits
	workDeliver                 // node receives msg from src
	workSync                    // node's disk has synced the first n commits
	workLoad                    // node's store is read for load
	workLoaded                  // node hears of what was read, msg
)

// work is one thing to do. It is void if node was restarted since.
type work struct {
	kind  workKind
	epoch uint32
	conn  uint32 // workDeliver: the connection that carries it; 0 for a replay
	n     uint32
	node  *Node
	src   *Node
	msg   paxos.Message // workLoad: the Loaded to be filled
	do    func()
}

func (q *queue) push(at Micros, w work) {
	if len(q.free) == 0 {
		for k := range uint32(blockSize) {
			q.free = append(q.free, uint32(len(q.work)*blockSize)+k)
		}
		q.work = append(q.work, new(block))
	}
	n := len(q.free) - 1
	cell := q.free[n]
	q.free = q.free[:n]
	*q.at(cell) = w
	q.seq++
	if at >= 1<<32 || q.seq == 0 {
		panic("a world lives for 4,294 seconds and as many million events")
	}
	e := entry{uint64(at)<<32 | uint64(q.seq), cell}
	switch {
	case q.any && !e.before(q.first):
		q.sift(e)
	case q.any:
		q.sift(q.first)
		q.first = e
	case len(q.heap) == 0 || e.before(q.heap[0]):
		q.first, q.any = e, true
	default:
		q.sift(e)
	}
}

// sift puts e into the heap.
func (q *queue) sift(e entry) {
	h := append(q.heap, e)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !e.before(h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = e
	q.heap = h
}

// block is a piece of what is to be done, which does not move when there is more.
type block [blockSize]work

const blockSize = 128

func (q *queue) at(cell uint32) *work { return &q.work[cell/blockSize][cell%blockSize] }

// done gives a cell back.
func (q *queue) done(cell uint32) {
	w := q.at(cell)
	w.msg, w.do = nil, nil
	q.free = append(q.free, cell)
}

// pop takes the first entry, if it is not later than end. Its cell stays until done
// is called.
func (q *queue) pop(end Micros) (e entry, ok bool) {
	top := q.first
	switch {
	case q.any && top.at() <= end:
		q.any = false
	case !q.any && len(q.heap) > 0 && q.heap[0].at() <= end:
		top = q.remove()
	default:
		return entry{}, false
	}
	return top, true
}

// remove takes the first entry out of the heap.
func (q *queue) remove() entry {
	top := q.heap[0]
	n := len(q.heap) - 1
	last := q.heap[n]
	h := q.heap[:n]
	q.heap = h
	if n > 0 {
		i := 0
		for {
			child := 4*i + 1
			if child >= n {
				break
			}
			for k := child + 1; k < min(child+4, n); k++ {
				if h[k].before(h[child]) {
					child = k
				}
			}
			if !h[child].before(last) {
				break
			}
			h[i] = h[child]
			i = child
		}
		h[i] = last
	}
	return top
}
