package paxos

import (
	"fmt"
	"strings"
)

// Rights are what a client may do, or those of which it needs one.
type Rights byte

// The rights. Their values are part of the stored format.
const (
	RightAppend Rights = 1 << iota // append entries in sessions of one's own
	RightRead                      // read entries, and where the log ends
	RightAdmin                     // change what the log decides about itself, and drain processes

	AllRights = RightAppend | RightRead | RightAdmin

	// public is what everybody has: a message that needs it is taken from every client.
	public Rights = 1 << 7
)

// rightNames are as the command line spells them.
var rightNames = []struct {
	right Rights
	name  string
}{{RightAppend, "append"}, {RightRead, "read"}, {RightAdmin, "admin"}}

// Has reports whether all of o are among r.
func (r Rights) Has(o Rights) bool { return r&o == o }

// String lists the rights, "none" if there are none.
func (r Rights) String() string {
	var names []string
	for _, n := range rightNames {
		if r.Has(n.right) {
			names = append(names, n.name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ",")
}

// ParseRights reads the form that String writes.
func ParseRights(text string) (r Rights, err error) {
	for name := range strings.SplitSeq(text, ",") {
		known := false
		for _, n := range rightNames {
			if n.name == strings.TrimSpace(name) {
				r, known = r|n.right, true
			}
		}
		if !known {
			return 0, fmt.Errorf("%q is no right: they are append, read and admin", name)
		}
	}
	return r, nil
}

// Needs are the rights of which a client needs one to send m. Default deny: nobody has one for
// a message whose row says nothing.
func (r *Row) Needs(m Message) Rights {
	if r.needs == nil || !r.From.Has(RoleClient) {
		return 0
	}
	return r.needs(m)
}

// Permits reports whether a client that has these rights may send m.
func (t *Table) Permits(m Message, has Rights) bool {
	return t.Row(m).Needs(m)&(has|public) != 0
}

// needs says which rights a client must have one of.
func needs(any Rights) RowOption {
	return needsOf(func(Message) Rights { return any }, any.need())
}

// needsOf is needs where it depends on the message; about says how.
func needsOf(of func(Message) Rights, about string) RowOption {
	return func(r *Row) { r.needs, r.Right = of, about }
}

// appends is what an Append takes. A fence appends nothing.
func appends(m Message) Rights {
	if m.(*Append).First == 0 {
		return RightAppend | RightAdmin
	}
	return RightAppend
}

// looks says that any right will do to look, and that to change something takes admin.
func looks(changes func(Message) bool) RowOption {
	return needsOf(func(m Message) Rights {
		if changes(m) {
			return RightAdmin
		}
		return AllRights
	}, "admin, or any to look")
}

// need is how the table of messages shows it.
func (r Rights) need() string {
	if r.Has(public) {
		return "no right"
	}
	return strings.ReplaceAll(r.String(), ",", " or ")
}
