package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/paxlog/paxlog/paxos"
)

// shape is what the MessagePack bytes of a Go type must look like.
type shape struct {
	kind   shapeKind
	bits   int      // uints and ints
	size   int      // fixed bytes: exact length
	other  int      // fixed bytes: another length that they may have, 0 if none
	fields []*shape // structs: one for each field
	elem   *shape   // slices
	mem    int      // slices: bytes of one element in memory, without what it refers to
	most   int      // strings and slices: the longest
	free   bool     // uints and ints: any value, not only those within paxos.Bound
}

type shapeKind byte

const (
	shapeUint shapeKind = iota
	shapeInt
	shapeBool
	shapeString
	shapeFixedBytes
	shapeStruct
	shapeSlice
)

var errRoom = errors.New("it takes more memory than a frame may")

// headerShape is the shape, in a version, of a header whose message has type t.
func headerShape(t reflect.Type, version uint64) *shape {
	return &shape{kind: shapeStruct, fields: []*shape{shapeOf(reflect.TypeFor[[]uint32](), version), shapeOf(t, version)}}
}

func shapeOf(t reflect.Type, version uint64) *shape {
	switch t.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &shape{kind: shapeUint, bits: t.Bits()}
	case reflect.Int, reflect.Int64:
		return &shape{kind: shapeInt, bits: 64}
	case reflect.Bool:
		return &shape{kind: shapeBool}
	case reflect.String:
		return &shape{kind: shapeString, most: mostOf(t)}
	case reflect.Array:
		if t == reflect.TypeFor[paxos.SessionID]() {
			return sessionShape(version)
		}
		if t.Elem().Kind() == reflect.Uint8 {
			return &shape{kind: shapeFixedBytes, size: t.Len()}
		}
	case reflect.Slice:
		return &shape{kind: shapeSlice, elem: shapeOf(t.Elem(), version), mem: int(t.Elem().Size()), most: mostOf(t)}
	case reflect.Struct:
		s := &shape{kind: shapeStruct}
		for i := range t.NumField() {
			if f := t.Field(i); f.Tag.Get("codec") != "-" {
				s.fields = append(s.fields, shapeOf(f.Type, version).boundBy(f, version))
			}
		}
		return s
	}
	panic(fmt.Sprintf("wire: a message must not contain %v", t))
}

// sessionShape is that of the id of a session: of 20 bytes, and from version 3 on also of 32.
func sessionShape(version uint64) *shape {
	s := &shape{kind: shapeFixedBytes, size: 20}
	if version > Oldest {
		s.other = len(paxos.SessionID{})
	}
	return s
}

// walk returns what is left of b after one value of this shape, or an error if
// b does not begin with one, or if decoding it takes more than room bytes. It
// takes them off room, and allocates nothing but errors.
func (s *shape) walk(b []byte, room *int) ([]byte, error) {
	switch s.kind {
	case shapeUint, shapeInt:
		return s.walkNumber(b)
	case shapeBool:
		if len(b) > 0 && (b[0] == 0xc2 || b[0] == 0xc3) {
			return b[1:], nil
		}
		return nil, found(b, "a bool")
	case shapeString:
		n, rest, ok := length(b, 0xa0, 32, 0xd9, 0xda, 0xdb)
		if !ok || n > len(rest) {
			return nil, found(b, "a string")
		}
		if n > s.most {
			return nil, fmt.Errorf("a string of %d bytes, the longest is %d", n, s.most)
		}
		if *room -= n; *room < 0 {
			return nil, errRoom
		}
		return rest[n:], nil
	case shapeFixedBytes:
		n, rest, ok := length(b, 0, 0, 0xc4, 0xc5, 0xc6)
		if !ok || n != s.size && (n != s.other || n == 0) || n > len(rest) {
			return nil, found(b, fmt.Sprintf("%d bytes", s.size))
		}
		return rest[n:], nil
	case shapeStruct:
		n, rest, ok := length(b, 0x90, 16, 0, 0xdc, 0xdd)
		if !ok || n != len(s.fields) {
			return nil, found(b, fmt.Sprintf("an array of %d fields", len(s.fields)))
		}
		var err error
		for i, f := range s.fields {
			if rest, err = f.walk(rest, room); err != nil {
				return nil, fmt.Errorf("field %d: %w", i, err)
			}
		}
		return rest, nil
	default:
		return s.walkSlice(b, room)
	}
}

func (s *shape) walkSlice(b []byte, room *int) ([]byte, error) {
	if len(b) > 0 && b[0] == 0xc0 { // an empty list is written as nil
		return b[1:], nil
	}
	n, rest, ok := length(b, 0x90, 16, 0, 0xdc, 0xdd)
	if !ok {
		return nil, found(b, "a list")
	}
	if n > len(rest) || n > s.most {
		return nil, fmt.Errorf("a list of %d elements in %d bytes", n, len(rest))
	}
	if *room -= n * s.mem; *room < 0 {
		return nil, errRoom
	}
	var err error
	for i := range n {
		if rest, err = s.elem.walk(rest, room); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return rest, nil
}

// length reads the length of a string, byte string or array: a fixed form below
// fix values from base on, or one of three markers (0: none) with 1, 2, 4 bytes.
func length(b []byte, base byte, fix int, one, two, four byte) (int, []byte, bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	switch m := b[0]; {
	case fix > 0 && m >= base && int(m) < int(base)+fix:
		return int(m - base), b[1:], true
	case one != 0 && m == one && len(b) >= 2:
		return int(b[1]), b[2:], true
	case m == two && len(b) >= 3:
		return int(binary.BigEndian.Uint16(b[1:])), b[3:], true
	case m == four && len(b) >= 5:
		n := binary.BigEndian.Uint32(b[1:])
		return int(n), b[5:], uint64(n) <= math.MaxInt32
	}
	return 0, nil, false
}

func (s *shape) walkNumber(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, found(b, "a number")
	}
	m := b[0]
	switch {
	case m < 0x80:
		return b[1:], nil
	case m >= 0xcc && m <= 0xcf: // unsigned
		n := 1 << (m - 0xcc)
		if len(b) < 1+n {
			return nil, found(b, "a number")
		}
		v := bigEndian(b[1 : 1+n])
		if s.bits < 64 && v>>s.bits != 0 || s.kind == shapeInt && v > math.MaxInt64 {
			return nil, fmt.Errorf("%d does not fit its field", v)
		}
		if !s.free && v >= paxos.Bound {
			return nil, fmt.Errorf("%d is out of range", v)
		}
		return b[1+n:], nil
	case s.kind == shapeInt && m >= 0xe0:
		return b[1:], nil
	case s.kind == shapeInt && m >= 0xd0 && m <= 0xd3:
		if n := 1 << (m - 0xd0); len(b) >= 1+n {
			if v := int64(bigEndian(b[1 : 1+n])); n == 8 && !s.free && (v <= -paxos.Bound || v >= paxos.Bound) {
				return nil, fmt.Errorf("%d is out of range", v)
			}
			return b[1+n:], nil
		}
	}
	return nil, found(b, "a number")
}

func bigEndian(b []byte) (v uint64) {
	for _, x := range b {
		v = v<<8 | uint64(x)
	}
	return v
}

func found(b []byte, want string) error {
	if len(b) == 0 {
		return fmt.Errorf("it ends where %s should be", want)
	}
	return fmt.Errorf("byte 0x%02x where %s should be", b[0], want)
}
