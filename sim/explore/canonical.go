package explore

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"unsafe"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/proposer"
)

// Exploring needs two things of a machine that it does not offer itself: a copy, and
// bytes that are the same for equal states. Both are made by reflection over all of
// its fields, so that no field can be forgotten. Fields whose type is a configuration
// are copied and not looked at: they never change.

// configurations are the types of what a machine is told when it is made.
var configurations = map[reflect.Type]bool{
	reflect.TypeFor[acceptor.Config](): true,
	reflect.TypeFor[proposer.Config](): true,
	reflect.TypeFor[learner.Config]():  true,
}

// clone returns a deep copy of what p points to.
func clone[T any](p *T) *T {
	out := new(T)
	copyInto(reflect.ValueOf(out).Elem(), reflect.ValueOf(p).Elem())
	return out
}

// open makes the field of a struct readable and writable although it is not exported.
func open(v reflect.Value) reflect.Value {
	return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
}

// addressable returns v where its address can be taken.
func addressable(v reflect.Value) reflect.Value {
	at := reflect.New(v.Type()).Elem()
	at.Set(v)
	return at
}

func copyInto(dst, src reflect.Value) {
	switch src.Kind() {
	case reflect.Struct:
		for i := range src.NumField() {
			copyInto(open(dst.Field(i)), open(src.Field(i)))
		}
	case reflect.Pointer:
		if !src.IsNil() {
			dst.Set(reflect.New(src.Type().Elem()))
			copyInto(dst.Elem(), src.Elem())
		}
	case reflect.Interface:
		if !src.IsNil() {
			at := reflect.New(src.Elem().Type()).Elem()
			copyInto(at, addressable(src.Elem()))
			dst.Set(at)
		}
	case reflect.Slice:
		if !src.IsNil() {
			dst.Set(reflect.MakeSlice(src.Type(), src.Len(), src.Len()))
			for i := range src.Len() {
				copyInto(dst.Index(i), src.Index(i))
			}
		}
	case reflect.Map:
		if !src.IsNil() {
			dst.Set(reflect.MakeMapWithSize(src.Type(), src.Len()))
			for it := src.MapRange(); it.Next(); {
				at := reflect.New(src.Type().Elem()).Elem()
				copyInto(at, addressable(it.Value()))
				dst.SetMapIndex(it.Key(), at)
			}
		}
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		panic(fmt.Sprintf("explore: a %v cannot be copied", src.Type()))
	default:
		dst.Set(src)
	}
}

// renaming exchanges acceptors: the i-th takes the place to[i].
type renaming struct {
	acceptors []paxos.NodeID
	to        []int
}

// encoder writes values canonically, with acceptors renamed.
type encoder struct {
	b []byte
	r renaming
}

var (
	typeNodeID  = reflect.TypeFor[paxos.NodeID]()
	typeNodeIDs = reflect.TypeFor[[]paxos.NodeID]()
	typeSet     = reflect.TypeFor[paxos.Set]()
	typePlaced  = reflect.TypeFor[interface{ Places() int }]()
)

// canonical returns bytes that are equal for equal values, with acceptors renamed.
func canonical(r renaming, values ...any) []byte {
	e := encoder{r: r}
	for _, x := range values {
		v := reflect.ValueOf(x)
		e.value(addressable(v))
	}
	return e.b
}

func (e *encoder) number(n uint64) { e.b = binary.AppendUvarint(e.b, n) }

func (e *encoder) text(s string) {
	e.number(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) value(v reflect.Value) {
	switch v.Type() {
	case typeNodeID:
		s := v.String()
		if i := slices.Index(e.r.acceptors, paxos.NodeID(s)); i >= 0 {
			s = string(e.r.acceptors[e.r.to[i]])
		}
		e.text(s)
		return
	case typeSet:
		var s paxos.Set
		for i, to := range e.r.to {
			if paxos.Set(v.Uint()).Has(i) {
				s = s.With(to)
			}
		}
		e.number(uint64(s))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); !configurations[f.Type()] {
				e.value(open(f))
			}
		}
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			e.text("")
			return
		}
		e.text(v.Elem().Type().String())
		e.value(addressable(v.Elem()))
	case reflect.Slice:
		e.slice(v)
	case reflect.Array:
		for i := range v.Len() {
			e.value(v.Index(i))
		}
	case reflect.Map:
		e.mapping(v)
	case reflect.String:
		e.text(v.String())
	case reflect.Bool:
		if e.b = append(e.b, 0); v.Bool() {
			e.b[len(e.b)-1] = 1
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		e.number(uint64(v.Int()))
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		e.number(v.Uint())
	default:
		panic(fmt.Sprintf("explore: no bytes for a %v", v.Type()))
	}
}

func (e *encoder) slice(v reflect.Value) {
	e.number(uint64(v.Len()))
	if v.Type() == typeNodeIDs {
		e.set(v)
		return
	}
	byPlace := v.Type().Implements(typePlaced) && v.Len() == len(e.r.to)
	for i := range v.Len() {
		from := i
		if byPlace {
			from = slices.Index(e.r.to, i)
		}
		e.value(v.Index(from))
	}
}

// set writes a list of processes, as those that an acceptor copies from, in the order of their
// bytes. Where that order matters acceptors are not renamed.
func (e *encoder) set(v reflect.Value) {
	var ids [][]byte
	for i := range v.Len() {
		k := encoder{r: e.r}
		k.value(v.Index(i))
		ids = append(ids, k.b)
	}
	slices.SortFunc(ids, slices.Compare)
	for _, b := range ids {
		e.b = append(e.b, b...)
	}
}

// mapping writes a map in the order of its keys' bytes.
func (e *encoder) mapping(v reflect.Value) {
	e.number(uint64(v.Len()))
	var entries [][]byte
	for it := v.MapRange(); it.Next(); {
		k := encoder{r: e.r}
		k.value(addressable(it.Key()))
		k.value(addressable(it.Value()))
		entries = append(entries, k.b)
	}
	slices.SortFunc(entries, slices.Compare)
	for _, b := range entries {
		e.b = append(e.b, b...)
	}
}
