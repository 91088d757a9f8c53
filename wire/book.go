package wire

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/paxlog/paxlog/paxos"
)

// Kind is a frame's kind byte.
type Kind = paxos.Kind

// The versions of the protocol that this code speaks. Both ends of a connection offer
// what they speak, and take the highest in common. A message or a field that is newer
// than that is not sent on it: a message's row says since when it is there, and a field's
// tag does (since:"3").
const (
	Oldest  = paxos.FirstVersion
	Version = paxos.NewestVersion
)

// book is what frames are made and read by: for each kind its row, and how it looks in
// each version.
type book [256]*entry

// entry is one kind of the book; kinds that nobody has are nil.
type entry struct {
	row   *paxos.Row
	into  func() paxos.Message // makes a message to decode into
	forms [Version - Oldest + 1]form
}

// form is how a message looks in one version. One that is newer has no shape.
type form struct {
	shape *shape
	// older, if not nil, is the message without the fields that are newer.
	older reflect.Type
}

func newBook(rows []*paxos.Row) *book {
	b := new(book)
	for _, r := range rows {
		if b[r.Kind] != nil {
			panic(fmt.Sprintf("wire: kind %d of %s is not its own", r.Kind, r.Name))
		}
		e := &entry{row: r, into: r.Zero}
		t := reflect.TypeOf(r.Zero()).Elem()
		for i := range e.forms {
			if version := uint64(Oldest + i); r.Since <= version {
				e.forms[i] = newForm(t, version)
			}
		}
		b[r.Kind] = e
	}
	return b
}

// newForm is how messages of type t look in a version. Only a message's last fields can
// be newer than the message: places in an array say which field is which. A list or
// struct in it never gets more fields, since many messages and the store share those; a
// list beside it does.
func newForm(t reflect.Type, version uint64) form {
	var fields []reflect.StructField
	for i := range t.NumField() {
		f := t.Field(i)
		since := sinceOf(f)
		if since <= version && len(fields) < i {
			panic(fmt.Sprintf("wire: %s.%s stands behind a field that is newer", t, f.Name))
		}
		if since <= version {
			fields = append(fields, f)
		}
	}
	if len(fields) == t.NumField() {
		return form{shape: headerShape(t, version)}
	}
	older := reflect.StructOf(fields)
	return form{shape: headerShape(older, version), older: older}
}

// sinceOf is the version that a field came with.
func sinceOf(f reflect.StructField) uint64 {
	tag, ok := f.Tag.Lookup("since")
	if !ok {
		return 0
	}
	since, err := strconv.ParseUint(tag, 10, 64)
	if err != nil || since <= Oldest || since > Version {
		panic(fmt.Sprintf("wire: field %s is since version %q", f.Name, tag))
	}
	return since
}

// form is how messages of this entry look in a version, nil if they are newer.
func (e *entry) form(version uint64) *form {
	if version < Oldest || version > Version || e.forms[version-Oldest].shape == nil {
		return nil
	}
	return &e.forms[version-Oldest]
}

// view is m as the form has it: the same memory, without its last fields.
func (f *form) view(m paxos.Message) any {
	if f.older == nil {
		return m
	}
	return reflect.NewAt(f.older, reflect.ValueOf(m).UnsafePointer()).Interface()
}

// newAccepted makes an Accepted with room for one run, which most have: the codec
// then makes no list, for which reflection takes two allocations.
func newAccepted() paxos.Message {
	m := &struct {
		paxos.Accepted
		runs [1]paxos.VoteRun
	}{}
	m.Runs = m.runs[:0]
	return &m.Accepted
}

// messages is the book of all that is framed: package paxos's table, and what opens and
// keeps a connection.
var messages = func() *book {
	b := newBook(append(handshakes.Rows(), paxos.Messages.Rows()...))
	b[new(paxos.Accepted).MessageKind()].into = newAccepted
	return b
}()

// MayStep reports whether a node of role from may send m to a node of role to. A
// connection that sends anything else is closed.
func MayStep(from, to paxos.Role, m paxos.Message) bool { return paxos.Messages.MayStep(from, to, m) }

// Urgent reports whether m should overtake what waits on its connection.
func Urgent(m paxos.Message) bool { return paxos.Messages.Row(m).Urgent }

// Size estimates the bytes of m's frame; queues count by it.
func Size(m paxos.Message) int { return paxos.Messages.Row(m).Size(m) }

// controlSince is the first version whose processes know control values. An older one takes
// such a value for a batch of which it can make nothing, and passes over it (R10).
const controlSince = 3

// Since is the first version that has m, and knows what m carries.
func Since(m paxos.Message) uint64 {
	r := paxos.Messages.Row(m)
	if r.Since < controlSince && r.CarriesControl(m) {
		return controlSince
	}
	return r.Since
}
