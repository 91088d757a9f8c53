package proposer

import (
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// TestAbandoned: whoever waits for a command of a leader is answered at once when that leads no
// more, or begins anew: by a refusal if the command was not proposed, and else by that nobody knows.
func TestAbandoned(t *testing.T) {
	orders := map[string]func(*leading, bool){
		"a trim":           func(l *leading, p bool) { l.deciding.order = &order{asker: "@op", nonce: 7, trimmed: p} },
		"how much is kept": func(l *leading, p bool) { l.deciding.settling = &settling{asker: "@op", nonce: 7, proposed: p} },
		"a quota": func(l *leading, p bool) {
			l.deciding.settling = &settling{asker: "@op", nonce: 7, command: control.Adjust{}, proposed: p}
		},
		"a grant": func(l *leading, p bool) {
			l.deciding.permitting = &permitting{asker: "@op", ask: &paxos.Permit{Nonce: 7}, proposed: p}
		},
		"a roster":          func(l *leading, p bool) { l.deciding.roster = &rosterOrder{asker: "@op", nonce: 7, proposed: p} },
		"a level":           func(l *leading, p bool) { l.deciding.raise = &raising{asker: "@op", nonce: 7, proposed: p} },
		"nothing, as it is": nil,
	}
	for name, ask := range orders {
		for end, ends := range map[string]func(*Proposer){
			"it steps down":        func(p *Proposer) { leads(p).resign(p, "for a test", 0) },
			"it renews its ballot": func(p *Proposer) { p.campaign("for a test", rejoiner{}) },
			"it hands over": func(p *Proposer) {
				leads(p).handing = &handover{chosen: "p2"}
				leads(p).yield(p)
			},
		} {
			for _, proposed := range []bool{false, true} {
				p := leader(t, begun())
				if ask != nil {
					ask(leads(p), proposed)
				}
				if ends(p); leads(p) != nil {
					t.Fatalf("%s: it leads", end)
				}
				out := p.Flush()
				if settled := sentTo[*paxos.Settled](out, "@op"); name == "a quota" && len(settled) > 0 {
					t.Errorf("%s is answered as if it was asked how much is kept", name)
				}
				refused, unsettled := toldOp(t, out)
				switch {
				case ask == nil && refused+unsettled != "", ask != nil && proposed && (refused != "" || !strings.Contains(unsettled, "may be done all the same")),
					ask != nil && !proposed && (unsettled != "" || !strings.Contains(refused, "try again")):
					t.Errorf("%s, proposed %v, and %s: refused %q, unsettled %q", name, proposed, end, refused, unsettled)
				}
			}
		}
	}
}

// toldOp is what @op is told of an order: that it is refused, and why, or that nobody knows.
func toldOp(t *testing.T, out paxos.Output) (refused, unsettled string) {
	t.Helper()
	n := 0
	for _, e := range out.SendNow {
		if e.To != "@op" {
			continue
		}
		n++
		switch m := e.Msg.(type) {
		case *paxos.Ordered:
			refused = m.Why
		case *paxos.Settled:
			refused = m.Why
		case *paxos.Adjusted:
			refused = m.Why
		case *paxos.Permitted:
			refused = m.Why
		case *paxos.Membered:
			refused = m.Why
		case *paxos.Raised:
			refused = m.Why
		case *paxos.Unsettled:
			if unsettled = m.Why; m.Nonce != 7 {
				t.Errorf("of another order: %+v", m)
			}
		}
	}
	if n > 1 {
		t.Errorf("it is told %d times", n)
	}
	return refused, unsettled
}

// TestOrderAbandoned: the same of a change of the acceptors, which goes on through the campaigns
// that this leader begins itself. One that it has proposed, and of which its next Phase 1 shows
// nothing, it proposes again.
func TestOrderAbandoned(t *testing.T) {
	ordered := func() *Proposer {
		p := leader(t, begun())
		p.order = &memberOrder{asker: "@op", nonce: 7}
		return p
	}
	for end, ends := range map[string]func(*Proposer){
		"it steps down": func(p *Proposer) { leads(p).resign(p, "for a test", 0) },
		"it hands over": func(p *Proposer) {
			leads(p).handing = &handover{chosen: "p2"}
			leads(p).yield(p)
		},
	} {
		for _, at := range []paxos.Instance{0, 4} {
			p := ordered()
			p.order.at = at
			ends(p)
			if refused, unsettled := toldOp(t, p.Flush()); p.order != nil || (refused == "") != (at != 0) || (unsettled == "") != (at == 0) {
				t.Errorf("%s, proposed at %d: refused %q, unsettled %q", end, at, refused, unsettled)
			}
		}
	}
	p := ordered()
	h, err := configuration.Begin(configuration.Of(members, func(paxos.NodeID) uint64 { return 0 })).Decide(1)
	if err != nil {
		t.Fatal(err)
	}
	state, err := control.Decode(begun(), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	state.Members, p.control.Members = h, h
	p.order.change, p.order.at = h.Now.Replacement("a3", configuration.Acceptor{ID: "a4", Incarnation: 44}), 9
	p.campaignFor("for a test", rejoiner{}, &configuration.Found{At: configuration.Unset, Change: p.order.change})
	out := p.Flush()
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		shown(p, id, sentTo[*paxos.Prepare](out, id)[0], 3, later, state.Encode())
	}
	if leads(p) == nil || p.order == nil || p.order.at != 0 {
		t.Fatalf("the change is not to be proposed: %+v", p.order)
	}
	out = p.Flush()
	if refused, unsettled := toldOp(t, out); refused+unsettled != "" {
		t.Errorf("refused %q, unsettled %q", refused, unsettled)
	}
	proposed := false
	for _, c := range commanded(t, out) {
		_, is := c.(control.Change)
		proposed = proposed || is
	}
	if !proposed {
		t.Errorf("nothing is proposed: %+v", out)
	}
}
