package rights

import (
	"fmt"
	"strings"

	"github.com/paxlog/paxlog/paxos"
)

// Gate knows who is at the other end of each client's connection. The zero Gate knows nobody.
type Gate struct {
	// Blind says that this process asks no client for a certificate. So it cannot tell them apart, and
	// takes each for the owner of what it says is its session: else nobody could go on while a
	// cluster is given certificates, one process after the other.
	Blind   bool
	clients map[paxos.NodeID]client
}

type client struct {
	who   paxos.Principal
	owner paxos.Owner
}

// Up notes who has connected.
func (g *Gate) Up(m *paxos.PeerUp) {
	if m.Role != paxos.RoleClient {
		return
	}
	if g.clients == nil {
		g.clients = map[paxos.NodeID]client{}
	}
	g.clients[m.ID] = client{m.Principal, paxos.OwnerOf(m.Principal)}
}

// Down forgets one that is not connected any more.
func (g *Gate) Down(id paxos.NodeID) { delete(g.clients, id) }

// Who is the principal of a client, and whether id is one: somebody who has proved nothing is
// Anonymous.
func (g *Gate) Who(id paxos.NodeID) (paxos.Principal, bool) {
	c, is := g.clients[id]
	if c.who == "" {
		c.who = paxos.Anonymous
	}
	return c.who, is || id.IsClient()
}

// Owner is the owner that a client is, of sessions that it makes.
func (g *Gate) Owner(id paxos.NodeID) paxos.Owner { return g.clients[id].owner }

// Owns reports whether a session is a client's own, or anybody's.
func (g *Gate) Owns(id paxos.NodeID, session *paxos.SessionID) bool {
	owner := session.Owner()
	return owner == paxos.Owner{} || owner == g.clients[id].owner || g.Blind
}

// Judge returns what to answer where from is a client that may not send m, by these grants, else
// nil. Appends are judged by Refuses and RefusesSession, since standbys pass them on.
func (g *Gate) Judge(from paxos.NodeID, m paxos.Message, granted Grants) *paxos.NotPermitted {
	if why := g.judgeSession(from, m, granted); why != "" {
		return Answer(m, why)
	}
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

// judgeSession returns why a client may not be told of a session, or "": the results of another's
// nobody gets; where its entries are the log shows whoever may read it.
func (g *Gate) judgeSession(from paxos.NodeID, m paxos.Message, granted Grants) string {
	switch m := m.(type) {
	case *paxos.Attach:
		if !g.Owns(from, &m.Session) {
			who, _ := g.Who(from)
			return notOwn(who, &m.Session)
		}
	case *paxos.Lookup:
		if who, _ := g.Who(from); !g.Owns(from, &m.Session) && granted.Of(who)&(paxos.RightRead|paxos.RightAdmin) == 0 {
			return notOwn(who, &m.Session) + "; whoever may read the log may ask for it"
		}
	}
	return ""
}

func notOwn(who paxos.Principal, session *paxos.SessionID) string {
	return fmt.Sprintf("session %s was made by another client than %s", session, describe(who))
}

// RefusesSession returns why p may not send m, an append, although it may append, or "": the session
// is another's, which p does not own. To end one of those takes admin.
func RefusesSession(p paxos.Principal, m *paxos.Append, granted Grants) string {
	switch isFence := m.First == 0; {
	case !isFence:
		return notOwn(p, &m.Session)
	case !granted.Of(p).Has(paxos.RightAdmin):
		return fmt.Sprintf("%s: to end it takes admin: `paxlog grant %s admin` gives that, by somebody who has it", notOwn(p, &m.Session), p)
	}
	return ""
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
		describe(p), has, what(m), strings.ReplaceAll(need.String(), ",", " or "), p, least(need))
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
	switch m := m.(type) {
	case *paxos.Append:
		if m.First == 0 {
			return "to end a session"
		}
		return "appending"
	case *paxos.Attach:
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
	case *paxos.Retain:
		a.Nonce = m.Nonce
	case *paxos.Adjust:
		a.Nonce = m.Nonce
	case *paxos.Member:
		a.Nonce = m.Nonce
	case *paxos.Permit:
		a.Nonce = m.Nonce
	}
	return a
}
