package paging

import (
	"slices"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// depth is how many pages are under way in these tests.
const depth = 16

// page has the values of so many instances from one on.
func page(nonce uint64, from, n paxos.Instance) *paxos.Page {
	m := &paxos.Page{Nonce: nonce, From: from, Held: 1 << 30}
	for i := range n {
		m.Values = append(m.Values, paxos.Vote{Instance: from + i})
	}
	return m
}

// wants asks for all pages that may be under way, and returns from where on.
func (p *Pages) wants(next, upTo paxos.Instance, nonce *uint64) (from []paxos.Instance) {
	for {
		i, more := p.More(next, upTo)
		if !more {
			return from
		}
		*nonce++
		p.Asks(i, *nonce)
		from = append(from, i)
	}
}

// TestPages: one page is asked for first, and then several, each as long as the shorter one of the last two; a page that
// comes too early waits for those before it, one that was short leaves a hole, which is filled, and one that is
// passed is not waited for.
func TestPages(t *testing.T) {
	p := Pages{Depth: depth}
	nonce := uint64(0)
	wants := func(next, upTo paxos.Instance, want ...paxos.Instance) {
		t.Helper()
		if got := p.wants(next, upTo, &nonce); !slices.Equal(got, want) {
			t.Fatalf("pages from %v are asked for, want %v", got, want)
		}
	}
	takes := func(next paxos.Instance, want ...paxos.Instance) {
		t.Helper()
		var got []paxos.Instance
		for m := p.Next(next); m != nil; m = p.Next(next) {
			got = append(got, m.From)
			if last := Last(m); last < paxos.Bound {
				next = max(next, last+1)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("pages from %v are taken, want %v", got, want)
		}
	}
	came := func(m *paxos.Page, want bool) {
		t.Helper()
		if p.Came(m) != want {
			t.Fatalf("the page from %d of nonce %d was asked for: %t", m.From, m.Nonce, !want)
		}
	}
	wants(1, 100, 1)
	came(page(7, 1, 8), false)
	came(page(1, 1, 8), true)
	came(page(1, 1, 8), false) // once
	takes(1, 1)
	p.ahead = true
	wants(9, 38, 9, 17, 25, 33) // as far as the source holds
	came(page(3, 17, 8), true)  // the second, before the first
	takes(9)
	wants(9, 38)
	came(page(2, 9, 6), true) // it has but six
	takes(9, 9)
	wants(15, 38, 15)          // the hole
	came(page(6, 15, 3), true) // it has more than that: 17 is here twice
	takes(15, 15, 17)
	came(page(4, 25, 12), true) // up to 36, beyond the next one
	takes(25, 25)
	wants(37, 41, 41)
	if p.Drop(); !p.IsIdle() {
		t.Fatal("something is asked for")
	}
	p.ahead = true
	wants(37, 36)
	wants(37, 37, 37)
	came(page(8, 37, 0), true) // of which the source has nothing
	takes(37, 37)
	wants(37, 37, 37)
	lie := page(nonce, 1, 8) // values that were not asked for help nobody
	came(lie, true)
	if m := p.Next(37); Last(m) != paxos.Bound {
		t.Errorf("a page with what is here already ends at %d", Last(m))
	}
	p.Drop()
	was := p.Span()
	p.Asks(37, 99)
	far := page(99, 37, 1) // nor does one that names an instance without end make pages long
	far.Values[0].Instance, far.Held = paxos.Bound-2, paxos.Bound-1
	came(far, true)
	if p.Next(37); p.Span() > was {
		t.Errorf("a page has %d instances, after one that had one value", p.Span())
	}
	p.Drop()
	if n := len(p.wants(37, 1<<20, &nonce)); n != 1 {
		t.Errorf("%d pages are under way, want one", n)
	}
	p.Drop()
	p.ahead = true
	if n := len(p.wants(37, 1<<20, &nonce)); n != depth {
		t.Errorf("%d pages are under way, want %d", n, depth)
	}
	if n := len(p.wants(36, 1<<20, &nonce)); n != 1 {
		t.Errorf("%d more fill a hole", n)
	}
}

// TestWhenSeveral: several pages are asked for where the log grows too fast for one, or has not grown for a while, and
// one where it grows slowly: by an eighth of what is copied, or less. While there are several it looks once in as many.
func TestWhenSeveral(t *testing.T) {
	for name, test := range map[string]struct {
		pages int
		grown paxos.Instance // with each page of 16
		ahead bool
	}{
		"the first page":            {1, 100, false},
		"the log grows fast":        {2, 2, true},
		"the log grows slowly":      {40, 1, false},
		"it has not grown":          {depth, 0, false},
		"it has not grown at all":   {depth + 1, 0, true},
		"it does not grow for long": {10 * depth, 0, true},
	} {
		p := Pages{Depth: depth}
		at, end := paxos.Instance(0), paxos.Instance(1000)
		for range test.pages {
			at, end = at+16, end+test.grown
			p.Look(at, end)
		}
		if p.ahead != test.ahead {
			t.Errorf("%s: several: %v", name, p.ahead)
		}
	}
	p := Pages{Depth: depth}
	p.Look(16, 1000)
	p.Look(32, 1010)
	for k := range depth {
		if !p.ahead {
			t.Fatalf("after %d of %d pages of a burst it has looked again", k, depth)
		}
		p.Look(48+16*paxos.Instance(k), 1011)
	}
	if p.ahead {
		t.Error("the log has grown by one while 16 pages were copied, and several are under way")
	}
}
