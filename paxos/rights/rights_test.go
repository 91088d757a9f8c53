package rights

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

const (
	none   = paxos.Rights(0)
	add    = paxos.RightAppend
	read   = paxos.RightRead
	admin  = paxos.RightAdmin
	all    = paxos.AllRights
	nobody = paxos.Anonymous
)

// made is what these changes make of no grants: name, then its rights.
func made(t *testing.T, changes ...any) (g Grants) {
	t.Helper()
	for i := 0; i < len(changes); i += 2 {
		var may bool
		if g, may = g.With(paxos.Principal(changes[i].(string)), changes[i+1].(paxos.Rights)); !may {
			t.Fatalf("%v may not be granted", changes[i:i+2])
		}
	}
	return g
}

// TestOf: what everybody has, and what each is granted besides.
func TestOf(t *testing.T) {
	for i, test := range []struct {
		grants Grants
		want   map[paxos.Principal]paxos.Rights
	}{
		{nil, map[paxos.Principal]paxos.Rights{nobody: all, "bob": all}},
		{made(t, "bob", read), map[paxos.Principal]paxos.Rights{nobody: all, "bob": all, "ann": all}},
		{made(t, "bob", admin, "anonymous", read), map[paxos.Principal]paxos.Rights{nobody: read, "bob": read | admin, "ann": read, "": read}},
		{made(t, "bob", admin, "ann", add, "anonymous", none), map[paxos.Principal]paxos.Rights{nobody: none, "bob": admin, "ann": add, "carl": none}},
		{made(t, "bob", admin, "anonymous", none, "anonymous", all, "bob", none), map[paxos.Principal]paxos.Rights{nobody: all, "bob": all}},
	} {
		for p, want := range test.want {
			if got := test.grants.Of(p); got != want {
				t.Errorf("%d: %q has %v, want %v", i, p, got, want)
			}
		}
	}
}

// TestSomebodyHasAdmin: whatever is granted and revoked, in any order, somebody has admin: a small
// model, all of its states.
func TestSomebodyHasAdmin(t *testing.T) {
	names := []paxos.Principal{nobody, "a", "b"}
	seen := map[string]Grants{"": nil}
	for queue := []Grants{nil}; len(queue) > 0; queue = queue[1:] {
		for _, p := range names {
			for r := range all + 1 {
				g, may := queue[0].With(p, r)
				has := g.Of(nobody).Has(admin) || g.Of("a").Has(admin) || g.Of("b").Has(admin)
				if may != has {
					t.Fatalf("%v, then %s %v: it may be %v, and somebody has admin: %v", queue[0], p, r, may, has)
				}
				if key := string(g.AppendTo(nil)); may && seen[key] == nil && key != "\x00" {
					seen[key] = g
					queue = append(queue, g)
				}
			}
		}
	}
	if len(seen) < 400 {
		t.Errorf("only %d states", len(seen))
	}
}

// TestEncoding: what a log keeps of grants is read as it was written, in one form only.
func TestEncoding(t *testing.T) {
	var most Grants
	for i := range MaxGrants {
		var may bool
		if most, may = most.With(paxos.Principal(fmt.Sprintf("p%03d", i)), admin); !may {
			t.Fatalf("%d principals are too many", i+1)
		}
	}
	if after, may := most.With("one-more", read); may {
		t.Errorf("%d principals", len(after))
	}
	for _, g := range []Grants{nil, made(t, "bob", read), made(t, "bob", all, "anonymous", none), most} {
		d := paxos.Canonical{Rest: g.AppendTo(nil)}
		if got := Read(&d); !d.Whole() || !reflect.DeepEqual(got, g) {
			t.Errorf("%v is read as %v", g, got)
		}
	}
	for name, bytes := range map[string]string{
		"out of order":              "\x02\x01b\x04\x01a\x04",
		"twice":                     "\x02\x01b\x04\x01b\x04",
		"a grant of nothing":        "\x01\x01b\x00",
		"what everybody has":        "\x01\x09anonymous\x07",
		"a right that is not there": "\x01\x01b\x08",
		"no name":                   "\x01\x00\x04",
		"a name with a blank":       "\x01\x03a b\x04",
		"nobody has admin":          "\x01\x09anonymous\x03",
		"too many":                  "\x81\x02",
		"cut off":                   "\x01\x03bo",
	} {
		d := paxos.Canonical{Rest: []byte(bytes)}
		if got := Read(&d); d.Whole() {
			t.Errorf("%s is read as %v", name, got)
		}
	}
}

// TestGate: every message, by everybody who may not send it, is answered by its nonce and with what
// it takes; peers are no business of the gate, and what a client says of itself does not count.
func TestGate(t *testing.T) {
	granted := made(t, "ops", admin, "app", add, "web", read, "anonymous", none)
	var g Gate
	for id, p := range map[paxos.NodeID]paxos.Principal{"@1": "ops", "@2": "app", "@3": "web", "@4": nobody, "@5": "stranger"} {
		g.Up(&paxos.PeerUp{ID: id, Role: paxos.RoleClient, Principal: p})
	}
	g.Up(&paxos.PeerUp{ID: "p1", Role: paxos.RoleProposer})
	has := map[paxos.NodeID]paxos.Rights{"@1": admin, "@2": add, "@3": read, "@4": none, "@5": none, "@6": none} // of @6 nothing was heard
	for _, row := range paxos.Messages.Rows() {
		m := row.Zero()
		v := reflect.ValueOf(m).Elem()
		if f := v.FieldByName("Nonce"); f.IsValid() {
			f.SetUint(77)
		}
		if g.Judge("p1", m, granted) != nil {
			t.Errorf("%s: a peer is judged", row.Name)
		}
		_, isAppend := m.(*paxos.Append)
		for id, r := range has {
			denied := g.Judge(id, m, granted)
			if may := paxos.Messages.Permits(m, r) || isAppend; (denied == nil) != may {
				t.Errorf("%s of %s, which has %v: %+v", row.Name, id, r, denied)
			}
			if denied != nil && v.FieldByName("Nonce").IsValid() && row.From.Has(paxos.RoleClient) && denied.Nonce != 77 {
				t.Errorf("%s: whoever asks does not learn which question is meant: %+v", row.Name, denied)
			}
			if g.Judge(id, m, nil) != nil {
				t.Errorf("%s: without any grant %s may not", row.Name, id)
			}
		}
	}
	g.Down("@1")
	if who, isClient := g.Who("@1"); who != nobody || !isClient {
		t.Errorf("one that has left is %q", who)
	}
	if _, isClient := g.Who("p1"); isClient {
		t.Error("a peer is a client")
	}
}

// TestRefusalHelps: a refusal says who it is, what it has, and what gives it what it needs.
func TestRefusalHelps(t *testing.T) {
	granted := made(t, "ops", admin, "web", read, "anonymous", none)
	for want, why := range map[string]string{
		"paxlog grant web append":      Refuses("web", &paxos.Append{}, granted),
		"paxlog grant web admin":       Refuses("web", &paxos.Order{}, granted),
		"paxlog grant anonymous read":  Refuses(nobody, &paxos.Read{}, granted),
		"paxlog grant ops append":      Refuses("ops", &paxos.Attach{}, granted),
		`"web" has the rights read`:    Refuses("web", &paxos.Drain{}, granted),
		"anonymous":                    Refuses(nobody, &paxos.Drain{}, granted),
		"no client may send Heartbeat": Refuses("ops", &paxos.Heartbeat{}, granted),
	} {
		if !strings.Contains(why, want) {
			t.Errorf("%q does not say %q", why, want)
		}
	}
}

// TestWithCopies: what was granted before is not changed by what comes later.
func TestWithCopies(t *testing.T) {
	g := made(t, "a", read, "b", admin)
	before := slices.Clone(g)
	for _, p := range []paxos.Principal{"a", "b", "c", nobody} {
		for r := range all + 1 {
			g.With(p, r)
			g.Changed(p, r, all&^r)
		}
	}
	if !slices.Equal(g, before) {
		t.Errorf("%v became %v", before, g)
	}
}

// TestSessionsOfOthers: of a session that another principal made nobody is told results, whatever
// rights it has; where its commands are is told to who may read; one of nobody is anybody's.
func TestSessionsOfOthers(t *testing.T) {
	log := paxos.LogID{1}
	session := func(p paxos.Principal) paxos.SessionID {
		return paxos.NewSessionID(1, paxos.NewStamp(log, paxos.OwnerOf(p)), [12]byte{1})
	}
	of := map[string]paxos.SessionID{"app": session("app"), "nobody": session(nobody), "an older one": paxos.NewSessionID(1, paxos.Stamp{}, [12]byte{1})}
	var g Gate
	for id, p := range map[paxos.NodeID]paxos.Principal{"@1": "app", "@2": "ops", "@3": nobody, "@4": "feeder"} {
		g.Up(&paxos.PeerUp{ID: id, Role: paxos.RoleClient, Principal: p})
	}
	narrow := made(t, "ops", all, "app", add, "feeder", add, "anonymous", none)
	for _, granted := range []Grants{nil, narrow} {
		for id, who := range map[paxos.NodeID]paxos.Principal{"@1": "app", "@2": "ops", "@3": nobody, "@4": "feeder", "@9": nobody} {
			for whose, s := range of {
				own := who == "app" || whose != "app"
				if got := g.Owns(id, &s); got != own {
					t.Errorf("%s owns a session of %s: %v", who, whose, got)
				}
				may := own && granted.Of(who).Has(add)
				if denied := g.Judge(id, &paxos.Attach{Nonce: 7, Session: s}, granted); (denied == nil) != may || denied != nil && (denied.Session != s || denied.Nonce != 7) {
					t.Errorf("%s attaches a session of %s: %+v", who, whose, denied)
				}
				may = granted.Of(who)&(read|admin) != 0 || own && granted.Of(who).Has(add)
				if denied := g.Judge(id, &paxos.Lookup{Nonce: 7, Session: s}, granted); (denied == nil) != may {
					t.Errorf("%s asks for a session of %s: %+v", who, whose, denied)
				}
			}
		}
	}
	blind := Gate{Blind: true}
	if s := of["app"]; !blind.Owns("@7", &s) || blind.Judge("@7", &paxos.Attach{Session: s}, nil) != nil {
		t.Error("who cannot tell clients apart refuses one")
	}
	s := of["app"]
	for _, test := range []struct {
		who   paxos.Principal
		first uint64
		may   bool
	}{{"ops", 1, false}, {"ops", 0, true}, {"feeder", 0, false}, {"feeder", 1, false}} {
		why := RefusesSession(test.who, &paxos.Append{Session: s, First: test.first}, narrow)
		if (why == "") != test.may || why != "" && !strings.Contains(why, s.String()) {
			t.Errorf("%+v: %q", test, why)
		}
	}
}
