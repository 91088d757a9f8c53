package learner

// ref names an element of a pool. 0 names none.
type ref int32

// pool keeps elements that name each other by number and not by pointer: a copy of a
// pool is independent of the original, and an element leaves at once wherever it
// stands. What at returns is good until the next add.
type pool[T any] struct {
	items []T
	free  []ref // given back, to be used again
}

func (p *pool[T]) add(x T) ref {
	if n := len(p.free); n > 0 {
		r := p.free[n-1]
		p.free = p.free[:n-1]
		p.items[r-1] = x
		return r
	}
	p.items = append(p.items, x)
	return ref(len(p.items))
}

func (p *pool[T]) at(r ref) *T { return &p.items[r-1] }

// remove gives r back. An empty pool is like a new one, whatever was in it.
func (p *pool[T]) remove(r ref) {
	var none T
	p.items[r-1] = none
	if p.free = append(p.free, r); len(p.free) == len(p.items) {
		p.items, p.free = p.items[:0], p.free[:0]
	}
}

// links are the neighbours of elements of one pool, by ref: each element stands in at
// most one chain of them.
type links []link

type link struct{ older, newer ref }

// chain is a row of elements in the order in which they joined it.
type chain struct {
	oldest, newest ref
	n              int
}

// join puts r, which stands in no chain, at the newest end.
func (l *links) join(c *chain, r ref) {
	for len(*l) < int(r) {
		*l = append(*l, link{})
	}
	(*l)[r-1] = link{older: c.newest}
	if c.newest != 0 {
		(*l)[c.newest-1].newer = r
	} else {
		c.oldest = r
	}
	c.newest = r
	c.n++
}

// leave takes r out of c, in which it stands.
func (l links) leave(c *chain, r ref) {
	x := l[r-1]
	if x.older != 0 {
		l[x.older-1].newer = x.newer
	} else {
		c.oldest = x.newer
	}
	if x.newer != 0 {
		l[x.newer-1].older = x.older
	} else {
		c.newest = x.older
	}
	l[r-1] = link{}
	c.n--
}

// renew makes r, which stands in c, its newest.
func (l *links) renew(c *chain, r ref) {
	if c.newest != r {
		l.leave(c, r)
		l.join(c, r)
	}
}

// after is who joined next after r, 0 if nobody did.
func (l links) after(r ref) ref { return l[r-1].newer }
