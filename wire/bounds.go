package wire

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/paxlog/paxlog/paxos"
)

// What no peer may exceed, whatever it is. Numbers lie within paxos.Bound, on either side
// of zero, unless their field's tag says otherwise:
//
//	bound:"none"  random bits, which nothing is added to
//	bound:"3"     bounded from version 3 on: older processes send random nonces, and what
//	              their user typed
const (
	maxItems = 1 << 15 // elements of any list; no page has more
	maxID    = 255     // bytes of an id; those of a cluster file have 32
	maxText  = 16 << 10
)

// mostOf is the longest that a string or list of type t may be.
func mostOf(t reflect.Type) int {
	switch {
	case t == reflect.TypeFor[paxos.NodeID]():
		return maxID
	case t.Kind() == reflect.String:
		return maxText
	case t.Implements(reflect.TypeFor[interface{ Places() int }]()), t == reflect.TypeFor[[]Known](), t == reflect.TypeFor[[]paxos.NodeID]():
		return paxos.MaxAcceptors // one for each acceptor
	}
	return maxItems
}

// boundBy takes what the tag of a field says.
func (s *shape) boundBy(f reflect.StructField, version uint64) *shape {
	tag, ok := f.Tag.Lookup("bound")
	if !ok {
		return s
	}
	since, err := strconv.ParseUint(tag, 10, 64)
	if tag != "none" && (err != nil || since <= Oldest || since > Version) || s.kind != shapeUint && s.kind != shapeInt {
		panic(fmt.Sprintf("wire: field %s is bounded by %q", f.Name, tag))
	}
	s.free = tag == "none" || version < since
	return s
}
