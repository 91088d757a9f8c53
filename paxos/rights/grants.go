package rights

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// MaxGrants bounds how many principals a log grants something.
const MaxGrants = 256

// Grants are what principals may do, sorted by name: of Anonymous what everybody may, if that is
// not everything. Nobody else is named who is granted nothing. They are not changed.
type Grants []paxos.Permission

func byName(a paxos.Permission, name paxos.Principal) int { return cmp.Compare(a.Name, name) }

// Named is what p itself is granted, and of Anonymous what everybody may.
func (g Grants) Named(p paxos.Principal) paxos.Rights {
	if i, found := slices.BinarySearchFunc(g, p, byName); found {
		return g[i].Rights
	}
	if p == paxos.Anonymous {
		return paxos.AllRights
	}
	return 0
}

// Of is what p may do.
func (g Grants) Of(p paxos.Principal) paxos.Rights {
	if len(g) == 0 {
		return paxos.AllRights
	}
	return g.Named(p) | g.Named(paxos.Anonymous)
}

// With returns g where p is granted just r, and whether a log may have that.
func (g Grants) With(p paxos.Principal, r paxos.Rights) (Grants, bool) {
	if !p.IsValid() || r&^paxos.AllRights != 0 {
		return g, false
	}
	i, found := slices.BinarySearchFunc(g, p, byName)
	none := r == 0
	if p == paxos.Anonymous {
		none = r == paxos.AllRights
	}
	after := slices.Clone(g)
	switch {
	case found && none:
		after = slices.Delete(after, i, i+1)
	case found:
		after[i].Rights = r
	case !none:
		after = slices.Insert(after, i, paxos.Permission{Name: p, Rights: r})
	}
	if len(after) == 0 {
		after = nil
	}
	return after, len(after) <= MaxGrants && after.HasAdmin()
}

// Changed returns g where p is granted grant besides, and revoke not any more, and whether a log
// may have that.
func (g Grants) Changed(p paxos.Principal, grant, revoke paxos.Rights) (Grants, bool) {
	return g.With(p, (g.Named(p)|grant)&^revoke)
}

// HasAdmin reports whether somebody may change grants.
func (g Grants) HasAdmin() bool {
	return g.Of(paxos.Anonymous).Has(paxos.RightAdmin) || slices.ContainsFunc(g, func(p paxos.Permission) bool { return p.Rights.Has(paxos.RightAdmin) })
}

// List is g with everybody's rights.
func (g Grants) List() []paxos.Permission {
	list := slices.Clone(g)
	if i, found := slices.BinarySearchFunc(g, paxos.Anonymous, byName); !found {
		list = slices.Insert(list, i, paxos.Permission{Name: paxos.Anonymous, Rights: paxos.AllRights})
	}
	return list
}

// AppendTo appends g in its one form: how many, and of each its name and rights.
func (g Grants) AppendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(g)))
	for _, p := range g {
		b = AppendPermission(b, p)
	}
	return b
}

// AppendPermission appends one in its one form.
func AppendPermission(b []byte, p paxos.Permission) []byte {
	b = append(binary.AppendUvarint(b, uint64(len(p.Name))), p.Name...)
	return append(b, byte(p.Rights))
}

// ReadPermission reads what AppendPermission wrote.
func ReadPermission(d *paxos.Canonical) (p paxos.Permission) {
	p.Name = paxos.Principal(d.Take(d.Number()))
	if r := d.Take(1); len(r) == 1 {
		p.Rights = paxos.Rights(r[0])
	}
	d.Bad = d.Bad || !p.Name.IsValid() || p.Rights&^paxos.AllRights != 0
	return p
}

// Read reads what AppendTo wrote.
func Read(d *paxos.Canonical) (g Grants) {
	n := d.Number()
	if d.Bad = d.Bad || n > MaxGrants; d.Bad {
		return nil
	}
	for range n {
		p := ReadPermission(d)
		if last := len(g) - 1; d.Bad || last >= 0 && g[last].Name >= p.Name || p.Name != paxos.Anonymous && p.Rights == 0 || p.Name == paxos.Anonymous && p.Rights == paxos.AllRights {
			d.Bad = true
			return nil
		}
		g = append(g, p)
	}
	d.Bad = d.Bad || !g.HasAdmin()
	return g
}
