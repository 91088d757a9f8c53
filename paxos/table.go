package paxos

import (
	"fmt"
	"reflect"
	"strings"
)

// Kind is a message's number on the wire. Numbers are part of the protocol: that of a
// message that went is never given to another one.
type Kind byte

// Local is the kind of what a driver steps and what never travels.
const Local Kind = 0

// Roles is a set of roles.
type Roles byte

// RolesOf is the set of these roles.
func RolesOf(roles ...Role) (s Roles) {
	for _, r := range roles {
		s |= 1 << r
	}
	return s
}

// Has reports whether r is one of s.
func (s Roles) Has(r Role) bool { return s&(1<<r) != 0 }

// String lists the roles.
func (s Roles) String() string {
	switch s {
	case servers:
		return "any"
	case servers | clients:
		return "everybody"
	}
	var names []string
	for r := RoleAcceptor; r <= RoleClient; r++ {
		if s.Has(r) {
			names = append(names, r.String())
		}
	}
	return strings.Join(names, ", ")
}

// Row says all that is to be known of one message beside its fields.
type Row struct {
	Kind Kind
	Name string
	Zero func() Message
	// From may send it to To. A connection that sends anything else is closed.
	From, To Roles
	// Urgent messages overtake what waits on their connection: they are small, and
	// somebody's patience depends on them. They may arrive before what was sent earlier.
	Urgent bool
	// Upkeep messages only keep things alive: drawings of an exchange leave them out.
	Upkeep bool
	// Durable, if not empty, says what must be on an acceptor's disk before it may leave:
	// such a message travels in Output.SendAfter.
	Durable string
	// Since is the first version of the protocol that has it.
	Since uint64
	// Right says which rights a client must have one of to send it, "" if no client may.
	Right string
	// About says what it is for.
	About string

	needs func(Message) Rights // nil: no client may

	// Where the values of a message are: one, or one in each vote or record of a list.
	value   func(Message) *[]byte
	votes   func(Message) []Vote
	records func(Message) []LogRecord
	// elements says how long its lists without values are.
	elements func(Message) int
	varies   bool // any of these: its size is not always the same
}

// CarriesValues reports whether m has values, which travel as they are, behind the other
// fields.
func (r *Row) CarriesValues() bool { return r.value != nil || r.votes != nil || r.records != nil }

// AppendValues appends where m's values are.
func (r *Row) AppendValues(dst []*[]byte, m Message) []*[]byte {
	switch {
	case r.value != nil:
		dst = append(dst, r.value(m))
	case r.votes != nil:
		votes := r.votes(m)
		dst = withRoom(dst, len(votes))
		for i := range votes {
			dst = append(dst, &votes[i].Value.Batch)
		}
	case r.records != nil:
		records := r.records(m)
		dst = withRoom(dst, len(records))
		for i := range records {
			dst = append(dst, &records[i].Log)
		}
	}
	return dst
}

// CarriesControl reports whether one of m's values is a control value.
func (r *Row) CarriesControl(m Message) bool {
	for _, batch := range r.AppendValues(nil, m) {
		if IsControl(*batch) {
			return true
		}
	}
	return false
}

// withRoom makes room for n more, no more and at once: growing by doubling takes several
// times as much.
func withRoom(dst []*[]byte, n int) []*[]byte {
	if n <= cap(dst)-len(dst) {
		return dst
	}
	return append(make([]*[]byte, 0, len(dst)+n), dst...)
}

// ItemOverhead is at least what the header of a frame needs for one more value; a
// message without lists needs no more in all. elementBytes is about what an element of
// any other list needs.
const (
	ItemOverhead = 256
	elementBytes = 64
)

// Size estimates the bytes of m's frame from above for small messages, and to within its
// values' headers for large ones; queues count by it.
func (r *Row) Size(m Message) int {
	n := ItemOverhead
	if !r.varies {
		return n
	}
	switch {
	case r.value != nil:
		n += len(*r.value(m))
	case r.votes != nil:
		votes := r.votes(m)
		for i := range votes { // not copied: they are large
			n += len(votes[i].Value.Batch) + ItemOverhead
		}
	case r.records != nil:
		records := r.records(m)
		for i := range records {
			n += len(records[i].Log) + ItemOverhead
		}
	}
	if r.elements != nil {
		n += elementBytes * r.elements(m)
	}
	return n
}

// Table finds the row of each kind; kinds that nobody has, and Local, have an empty one.
type Table [256]*Row

// NewTable returns a table of these rows.
func NewTable(rows ...Row) *Table {
	t := new(Table)
	for i := range t {
		t[i] = &Row{}
	}
	for i := range rows {
		r := &rows[i]
		if r.Kind == Local || t[r.Kind].Name != "" {
			panic(fmt.Sprintf("paxos: kind %d of %s is not its own", r.Kind, r.Name))
		}
		t[r.Kind] = r
	}
	return t
}

// Row is m's row.
func (t *Table) Row(m Message) *Row { return t[m.MessageKind()] }

// Rows lists the rows by kind.
func (t *Table) Rows() (rows []*Row) {
	for _, r := range t {
		if r.Name != "" {
			rows = append(rows, r)
		}
	}
	return rows
}

// MayStep reports whether a node of role from may send m to a node of role to.
func (t *Table) MayStep(from, to Role, m Message) bool {
	r := t[m.MessageKind()]
	if from == RoleClient && r.needs == nil {
		return false // no right gives that
	}
	return r.From.Has(from) && r.To.Has(to)
}

// RowOption is a property that not every message has.
type RowOption func(*Row)

// NewRow is the row of message T.
func NewRow[T any, M interface {
	*T
	Message
}](from, to Roles, about string, options ...RowOption) Row {
	r := Row{
		Kind: M(new(T)).MessageKind(), Name: reflect.TypeFor[T]().Name(), Zero: func() Message { return M(new(T)) },
		From: from, To: to, Since: FirstVersion, About: about,
	}
	for _, o := range options {
		o(&r)
	}
	r.varies = r.CarriesValues() || r.elements != nil
	return r
}

// FirstVersion is the version of the protocol whose messages have no other Since, and
// NewestVersion the newest one that this code speaks.
const (
	FirstVersion  = 2
	NewestVersion = 3
)

func urgent(r *Row) { r.Urgent = true }
func upkeep(r *Row) { r.Upkeep = true }

func durable(what string) RowOption { return func(r *Row) { r.Durable = what } }

// Since says which version of the protocol was the first to have a message.
func Since(version uint64) RowOption { return func(r *Row) { r.Since = version } }

// OneValue says where the one value of a message is. Its field has the tag codec:"-".
// These functions take a Message, since Size is called for each message several times,
// and a type parameter would make it half as fast.
func OneValue(at func(Message) *[]byte) RowOption { return func(r *Row) { r.value = at } }

func votesIn(list func(Message) []Vote) RowOption { return func(r *Row) { r.votes = list } }

func recordsIn(list func(Message) []LogRecord) RowOption { return func(r *Row) { r.records = list } }

// Elements says how long a message's lists are that have no values and that Size is to
// count.
func Elements(count func(Message) int) RowOption { return func(r *Row) { r.elements = count } }
