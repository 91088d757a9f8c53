package sim

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
)

// digest is a running hash. It need not resist anybody: it must be the same for
// the same run, and cheap.
type digest uint64

func (d *digest) word(x uint64) {
	h := (uint64(*d) ^ x) * 0x9e3779b97f4a7c15
	*d = digest(h ^ h>>29)
}

func (d *digest) text(s string) {
	d.word(uint64(len(s)))
	for ; len(s) >= 8; s = s[8:] {
		d.word(uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56)
	}
	if len(s) > 0 {
		x := uint64(0)
		for i := range len(s) {
			x = x<<8 | uint64(s[i])
		}
		d.word(x)
	}
}

// hasher is a digest of a whole run.
type hasher struct {
	digest
	cache [256]cached
	// done are the hashes of some of the latest messages: one that goes to all
	// acceptors is hashed once.
	done [64]hashed
}

type hashed struct {
	msg paxos.Message // kept, so that no other takes its address
	sum digest
}

type cached struct {
	word uintptr
	plan *plan
}

// delivery adds a message that arrives.
func (d *hasher) delivery(at Micros, from, to *Node, m paxos.Message) {
	d.word(uint64(at))
	d.word(uint64(from.num)<<32 | uint64(to.num))
	d.message(m)
}

// message adds all of a message.
func (d *hasher) message(m paxos.Message) {
	at := reflect.ValueOf(m).UnsafePointer()
	h := &d.done[uintptr(at)>>4%uintptr(len(d.done))]
	if h.msg != m {
		p := d.planOf(m)
		*h = hashed{msg: m}
		h.sum.word(p.id)
		p.add(&h.sum, at)
	}
	d.word(uint64(h.sum))
}

// plans is how to hash each type of message, never changed but replaced. Walking a
// message by reflection each time would cost more than all else that is done with
// it.
var plans atomic.Pointer[map[reflect.Type]*plan]

// planOf looks a type up, in a small cache of the digest's own first.
func (d *hasher) planOf(m paxos.Message) *plan {
	word := *(*uintptr)(unsafe.Pointer(&m)) // which names the type
	c := &d.cache[word>>5%uintptr(len(d.cache))]
	if c.word != word {
		*c = cached{word, planOf(reflect.TypeOf(m))}
	}
	return c.plan
}

func planOf(t reflect.Type) *plan {
	old := plans.Load()
	if old != nil {
		if p := (*old)[t]; p != nil {
			return p
		}
	}
	p := newPlan(t.Elem())
	p.id = digestOf(t.String())
	known := map[reflect.Type]*plan{t: p}
	if old != nil {
		maps.Copy(known, *old)
	}
	plans.Store(&known)
	return p
}

// plan lists the fields of a type, those of nested structs included.
type plan struct {
	id     uint64
	fields []field
	size   uintptr
}

type field struct {
	kind   reflect.Kind // Uint64, Uint8, String, Slice, or Array of bytes
	offset uintptr
	elem   *plan // of a slice
	length int   // of an array
}

func newPlan(t reflect.Type) *plan {
	p := &plan{size: t.Size()}
	p.walk(t, 0)
	return p
}

func (p *plan) walk(t reflect.Type, at uintptr) {
	switch k := t.Kind(); k {
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			p.walk(f.Type, at+f.Offset)
		}
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			p.fields = append(p.fields, field{kind: k, offset: at, length: t.Len()})
			return
		}
		for i := range t.Len() {
			p.walk(t.Elem(), at+uintptr(i)*t.Elem().Size())
		}
	case reflect.Slice:
		p.fields = append(p.fields, field{kind: k, offset: at, elem: newPlan(t.Elem())})
	case reflect.String:
		p.fields = append(p.fields, field{kind: k, offset: at})
	case reflect.Bool, reflect.Uint8:
		p.fields = append(p.fields, field{kind: reflect.Uint8, offset: at})
	case reflect.Uint64, reflect.Int64, reflect.Int, reflect.Uint:
		p.fields = append(p.fields, field{kind: reflect.Uint64, offset: at})
	default:
		if t == reflect.TypeFor[paxos.Message]() {
			return // of a GuestMessage, and nil
		}
		panic(fmt.Sprintf("a message with a %s: say here how to hash it", t))
	}
}

// add hashes what is at base, which the plan describes.
func (p *plan) add(d *digest, base unsafe.Pointer) {
	for i := range p.fields {
		f := &p.fields[i]
		at := unsafe.Add(base, f.offset)
		switch f.kind {
		case reflect.Uint64:
			d.word(*(*uint64)(at))
		case reflect.Uint8:
			d.word(uint64(*(*byte)(at)))
		case reflect.String:
			d.text(*(*string)(at))
		case reflect.Array:
			d.text(unsafe.String((*byte)(at), f.length))
		default:
			b := *(*[]byte)(at) // only its start and length are looked at
			if f.elem.size == 1 {
				d.text(unsafe.String(unsafe.SliceData(b), len(b)))
				continue
			}
			d.word(uint64(len(b)))
			for k := range len(b) {
				f.elem.add(d, unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), uintptr(k)*f.elem.size))
			}
		}
	}
}

func digestOf(s string) uint64 {
	var d digest
	d.text(s)
	return uint64(d)
}

// acceptor and learner add a recovered state, in an order of its own.
func (d *hasher) acceptor(st acceptor.State) {
	d.ballot(st.Promised)
	d.word(uint64(st.Held))
	d.word(st.Commits)
	d.ballot(st.Life)
	if st.Forgot {
		d.word(1)
	}
	for _, i := range slices.Sorted(maps.Keys(st.Votes)) {
		d.word(uint64(i))
		d.ballot(st.Votes[i])
	}
	d.text(string(st.Control))
	d.peers(st.Peers)
}

func (d *hasher) learner(st learner.State) {
	newPlan(reflect.TypeFor[paxos.LearnerState]()).add(&d.digest, unsafe.Pointer(&st.LearnerState))
	sessions := slices.Clone(st.Sessions)
	slices.SortFunc(sessions, func(a, b paxos.SessionState) int { return slices.Compare(a.ID[:], b.ID[:]) })
	session := newPlan(reflect.TypeFor[paxos.SessionState]())
	for i := range sessions {
		session.add(&d.digest, unsafe.Pointer(&sessions[i]))
	}
	d.text(string(st.Control))
	d.text(st.Wrong)
	d.text(string(st.Floors))
	d.peers(st.Peers)
}

func (d *hasher) ballot(b paxos.Ballot) {
	d.word(b.Round)
	d.text(string(b.Proposer))
	d.word(b.Process)
}

func (d *hasher) peers(peers paxos.Peers) {
	for _, id := range slices.Sorted(maps.Keys(peers)) {
		d.text(string(id))
		d.word(peers[id].Incarnation)
		d.word(peers[id].Mark.Commits)
		d.word(peers[id].Mark.Process)
		d.ballot(peers[id].Mark.Life)
	}
}
