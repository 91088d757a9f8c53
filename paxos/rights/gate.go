package rights

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// Gate knows who is at the other end of each client's connection. The zero Gate knows nobody.
type Gate struct {
	clients map[paxos.NodeID]paxos.Principal
}

// Up notes who has connected.
func (g *Gate) Up(m *paxos.PeerUp) {
	if m.Role != paxos.RoleClient {
		return
	}
	if g.clients == nil {
		g.clients = map[paxos.NodeID]paxos.Principal{}
	}
	g.clients[m.ID] = m.Principal
}

// Down forgets one that is not connected any more.
func (g *Gate) Down(id paxos.NodeID) { delete(g.clients, id) }

// Who is the principal of a client, and whether id is one: somebody who has proved nothing is
// Anonymous.
func (g *Gate) Who(id paxos.NodeID) (paxos.Principal, bool) {
	p, is := g.clients[id]
	if p == "" {
		p = paxos.Anonymous
	}
	return p, is || id.IsClient()
}

// Judge returns what to answer where from is a client that may not send m, by these grants, else
// nil. Appends are judged by Refuses, since standbys pass them on.
func (g *Gate) Judge(from paxos.NodeID, m paxos.Message, granted Grants) *paxos.NotPermitted {
	if len(granted) == 0 {
		return nil
	}
	p, isClient := g.Who(from)
	if _, isAppend := m.(*paxos.Append); !isClient || isAppend {
		return nil
	}
	why := Refuses(p, m, granted)
	if why == "" {
		return nil
	}
	return Answer(m, why)
}

// Refuses returns why p may not send m, "" if it may: who it is, what it has, and what gives it
// what it needs.
func Refuses(p paxos.Principal, m paxos.Message, granted Grants) string {
	has := granted.Of(p)
	if paxos.Messages.Permits(m, has) {
		return ""
	}
	row := paxos.Messages.Row(m)
	need := row.Needs(m)
	if need == 0 {
		return fmt.Sprintf("no client may send %s", row.Name)
	}
	return fmt.Sprintf("%s has the rights %s, and %s takes %s: `paxlog grant %s %s` gives it that, by somebody who has admin",
		describe(p), has, what(m), need, p, least(need))
}

// describe names a principal.
func describe(p paxos.Principal) string {
	if p == paxos.Anonymous {
		return "a client without a certificate (anonymous)"
	}
	return fmt.Sprintf("%q", string(p))
}

// least is the least that gives one of need.
func least(need paxos.Rights) paxos.Rights {
	for _, r := range []paxos.Rights{paxos.RightAppend, paxos.RightRead} {
		if need.Has(r) {
			return r
		}
	}
	return need
}

// what a message is for, in a sentence about who may.
func what(m paxos.Message) string {
	switch m.(type) {
	case *paxos.Append, *paxos.Attach:
		return "appending"
	case *paxos.Lookup:
		return "asking for the fate of an append"
	case *paxos.Locate, *paxos.Read, *paxos.Copy:
		return "reading the log"
	}
	return "this"
}

// Answer is what a client is told of m.
func Answer(m paxos.Message, why string) *paxos.NotPermitted {
	a := &paxos.NotPermitted{Why: why}
	switch m := m.(type) {
	case *paxos.Attach:
		a.Nonce, a.Session = m.Nonce, m.Session
	case *paxos.Locate:
		a.Nonce = m.Nonce
	case *paxos.Read:
		a.Nonce = m.Nonce
	case *paxos.Copy:
		a.Nonce = m.Nonce
	case *paxos.Lookup:
		a.Nonce = m.Nonce
	case *paxos.Transfer:
		a.Nonce = m.Nonce
	case *paxos.Drain:
		a.Nonce = m.Nonce
	case *paxos.Order:
		a.Nonce = m.Nonce
	case *paxos.Raise:
		a.Nonce = m.Nonce
	case *paxos.Settle:
		a.Nonce = m.Nonce
	case *paxos.Member:
		a.Nonce = m.Nonce
	case *paxos.Permit:
		a.Nonce = m.Nonce
	}
	return a
}
