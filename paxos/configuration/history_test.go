package configuration

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

func three() Configuration {
	m := paxos.Membership{Cluster: "t", Acceptors: []paxos.NodeID{"a1", "a2", "a3"}, Phase1: 2, Phase2: 2, Sessions: 1}
	return Of(m, func(id paxos.NodeID) uint64 { return uint64(id[1]) })
}

func newcomer(n int) Acceptor {
	return Acceptor{ID: paxos.NodeID(fmt.Sprintf("b%d", n)), Incarnation: uint64(100 + n), Addr: "host:1"}
}

// dumb is what was chosen, instance after instance, and nothing else.
type dumb struct {
	alpha   int
	first   Configuration
	changes []Change // by instance-1; zero if something else was chosen there
}

// at walks from the first instance to k, and looks at each whether a configuration comes in force.
func (d *dumb) at(k int) Configuration {
	inForce, newest := d.first, d.first
	coming := map[int]Configuration{}
	free := 0 // no change may come below it
	for i := 1; i <= k; i++ {
		if c, ok := coming[i]; ok {
			inForce = c
		}
		if i > len(d.changes) || d.changes[i-1].Config.IsZero() || i < free {
			continue
		}
		if x := d.changes[i-1]; x.Config.Epoch == newest.Epoch+1 {
			newest, free = x.Config, i+d.alpha
			coming[free] = newest
		}
	}
	return inForce
}

// TestConfigAt compares ConfigAt with a dumb version: for every log of up to six instances, each
// of which chooses the next configuration, one that comes too late to be the next, or something
// else; every alpha up to 3; every instance; and everybody, however far it knows the log.
func TestConfigAt(t *testing.T) {
	const instances = 6
	checked := 0
	var walk func(d *dumb, h []History, i int)
	walk = func(d *dumb, h []History, i int) {
		if i > instances {
			checked += compare(t, d, h)
			return
		}
		now := h[i-1]
		step := func(x Change) {
			next := now
			if !x.Config.IsZero() {
				var err error
				if next, err = now.Apply(paxos.Instance(i), x); err != nil && !errors.Is(err, ErrVoid) {
					t.Fatal(err)
				}
			}
			d.changes = append(d.changes, x)
			walk(d, append(h[:len(h):len(h)], next), i+1)
			d.changes = d.changes[:len(d.changes)-1]
		}
		step(Change{})
		step(now.Now.Addition(newcomer(i), uint64(len(now.Now.Acceptors))/2+1, uint64(len(now.Now.Acceptors)+1)/2+1))
		step(now.Now.Replacement(now.Now.Acceptors[0].ID, newcomer(i)))
		if i > 1 {
			step(h[i-2].Now.Addition(newcomer(i), uint64(len(h[i-2].Now.Acceptors))/2+1, uint64(len(h[i-2].Now.Acceptors)+1)/2+1))
		}
	}
	for alpha := 1; alpha <= 3; alpha++ {
		h := Begin(three())
		h.Alpha = paxos.Instance(alpha)
		walk(&dumb{alpha: alpha, first: three()}, []History{h}, 1)
	}
	t.Logf("%d answers compared", checked)
}

// compare compares what everybody says who knows d up to an instance.
func compare(t *testing.T, d *dumb, known []History) (n int) {
	for upTo := range known {
		for k := 1; k <= len(known)+d.alpha; k++ {
			n++
			c, ok := known[upTo].ConfigAt(paxos.Instance(k), paxos.Instance(upTo))
			switch {
			case k > upTo+d.alpha:
				if ok {
					t.Fatalf("alpha %d: the configuration of %d is said to be known by who knows %d", d.alpha, k, upTo)
				}
			case ok && !c.Equal(d.at(k)):
				t.Fatalf("alpha %d, %+v: at %d, by who knows %d: %+v, want %+v", d.alpha, d.changes, k, upTo, c, d.at(k))
			case !ok && k > upTo:
				t.Fatalf("alpha %d, %+v: at %d, by who knows %d: not known", d.alpha, d.changes, k, upTo)
			}
		}
	}
	return n
}

// TestHistoryEncoding: a history is read as it was written, and has one form.
func TestHistoryEncoding(t *testing.T) {
	h := Begin(three())
	for i, step := range []func() error{
		func() error { return nil },
		func() (err error) { h, err = h.Decide(200); return err },
		func() (err error) { h, err = h.Apply(7, h.Now.Replacement("a2", newcomer(4))); return err },
		func() (err error) { h, err = h.Apply(207, h.Now.Addition(newcomer(5), 3, 3)); return err },
		func() (err error) { h, err = h.Apply(500, h.Now.Removal("a1", 2, 2)); return err },
	} {
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		b := h.AppendTo(nil)
		d := paxos.Canonical{Rest: b}
		if got := ReadHistory(&d, three()); !d.Whole() || !reflect.DeepEqual(got, h) {
			t.Fatalf("step %d: %+v, want %+v (whole: %v)", i, got, h, d.Whole())
		}
		for cut := range b {
			d := paxos.Canonical{Rest: b[:cut]}
			if ReadHistory(&d, three()); d.Whole() {
				t.Fatalf("step %d: %d of %d bytes are taken for a history", i, cut, len(b))
			}
		}
	}
	if h.Now.Epoch != 4 || len(h.Now.Acceptors) != 3 || !h.WasReplaced("a2") || !h.WasReplaced("a1") || h.WasReplaced("a3") {
		t.Fatalf("%+v", h)
	}
}

// TestVoid: what changes nothing, for everybody.
func TestVoid(t *testing.T) {
	h := Begin(three())
	if _, err := h.Apply(5, h.Now.Removal("a1", 2, 2)); !errors.Is(err, ErrVoid) {
		t.Errorf("before alpha is decided: %v", err)
	}
	h, _ = h.Decide(128)
	if _, err := h.Decide(130); !errors.Is(err, ErrVoid) {
		t.Errorf("alpha is decided twice: %v", err)
	}
	after, err := h.Apply(5, h.Now.Replacement("a2", newcomer(4)))
	if err != nil || after.From != 133 {
		t.Fatalf("%+v, %v", after, err)
	}
	big := after.Now
	big.Epoch++
	big.Acceptors = nil
	for name, x := range map[string]Change{
		"the same one twice":       h.Now.Replacement("a2", newcomer(4)),
		"two come at once":         after.Now.with(newcomer(5)).Addition(newcomer(6), 3, 3),
		"nobody is left":           {Config: big},
		"quorums that do not meet": after.Now.Addition(newcomer(5), 2, 2),
		"one that was a member":    after.Now.Addition(Acceptor{ID: "a2", Incarnation: 9}, 3, 3),
		"another quorum size":      {Config: Configuration{Epoch: 3, Phase1: 3, Phase2: 3, Acceptors: after.Now.Replacement("a1", newcomer(5)).Config.Acceptors}, Replaces: "a1"},
		"replaces nobody":          {Config: after.Now.Replacement("a1", newcomer(5)).Config},
	} {
		if _, err := after.Apply(200, x); !errors.Is(err, ErrVoid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ok := after.Now.Replacement("a1", newcomer(5))
	if _, err := after.Apply(132, ok); !errors.Is(err, ErrVoid) {
		t.Errorf("a second change while the first is under way: %v", err)
	}
	if _, err := after.Apply(133, ok); err != nil {
		t.Errorf("a second change after the first: %v", err)
	}
}

// TestElectorate: quorums around a replacement, and around a growth.
func TestElectorate(t *testing.T) {
	h := Begin(three())
	h.Alpha = 10
	set := func(e *Electorate, ids ...paxos.NodeID) (s paxos.Set) {
		for _, id := range ids {
			if p := e.Place(id); p >= 0 {
				s = s.With(p)
			}
		}
		return s
	}
	replaced, _ := h.Apply(5, h.Now.Replacement("a2", newcomer(4)))
	e, err := replaced.Electorate(1, nil)
	if err != nil || e.Place("a2") >= 0 || e.Void != "a2" || len(e.Acceptors) != 3 {
		t.Fatalf("%+v, %v", e, err)
	}
	for _, test := range []struct {
		ids    []paxos.NodeID
		start  paxos.Instance
		quorum bool
	}{
		{[]paxos.NodeID{"a1", "a3"}, 1, true}, {[]paxos.NodeID{"a1", "a2"}, 1, false}, {[]paxos.NodeID{"a1", "b4"}, 14, false},
		{[]paxos.NodeID{"a1", "b4"}, 15, true}, {[]paxos.NodeID{"b4"}, 15, false},
	} {
		if got := e.IsPhase1(set(&e, test.ids...), test.start); got != test.quorum {
			t.Errorf("%v from %d: %v", test.ids, test.start, got)
		}
	}
	if !e.At(14).IsPhase2(set(&e, "a1", "a3")) || e.At(14).IsPhase2(set(&e, "a1", "b4")) || !e.At(15).IsPhase2(set(&e, "a1", "b4")) {
		t.Error("votes count by the configuration of their instance")
	}
	grow := h.Now.Addition(newcomer(4), 3, 3)
	g, err := h.Electorate(1, &Found{Unset, grow})
	if err != nil || g.IsPhase1(set(&g, "a1", "a2"), 1) || !g.IsPhase1(set(&g, "a1", "a2", "a3"), 1) || g.IsPhase1(set(&g, "a1", "a2", "b4"), 1) == false {
		t.Fatalf("%+v, %v", g, err)
	}
	sole, _ := h.Electorate(1, nil)
	if !e.Covers(&e) || sole.Covers(&e) || !e.Covers(&sole) || e.Covers(&g) {
		t.Error("who campaigned with less than it finds begins anew")
	}
	for start, want := range map[paxos.Instance]error{14: ErrEarly, 15: nil} { // from 15 on the configuration before is over
		_, err := replaced.Electorate(start, &Found{Unset, replaced.Now.Addition(newcomer(5), 3, 3)})
		if !errors.Is(err, want) {
			t.Errorf("a second change, from %d on: %v", start, err)
		}
	}
}

// TestRejoinAroundChange: who has forgotten a promise that counted in the configuration before
// needs enough of its members, as long as that is in force. Example: quorums are of 2 in Phase 1 and
// 3 in Phase 2 among a1 to a4, and b5 is added. a1 has forgotten its promise to ballot 9, for which
// a2 is the other one. By a3, a4 and b5, which know nothing of ballot 9, it must not vote at 8.
func TestRejoinAroundChange(t *testing.T) {
	four := Configuration{Epoch: 1, Phase1: 2, Phase2: 3}
	for _, id := range []paxos.NodeID{"a1", "a2", "a3", "a4"} {
		four.Acceptors = append(four.Acceptors, Acceptor{ID: id})
	}
	h := Begin(four)
	h.Alpha = 10
	h, err := h.Apply(5, h.Now.Addition(newcomer(5), 3, 3))
	if err != nil {
		t.Fatal(err)
	}
	e, err := h.Electorate(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	var s paxos.Set
	for _, id := range []paxos.NodeID{"a3", "a4", "b5"} {
		s = s.With(e.Place(id))
	}
	if !e.IsPhase1(s, 14) || e.IsRejoin(s, 14) || !e.IsRejoin(s, 15) || !e.IsRejoin(s.With(e.Place("a2")), 14) {
		t.Errorf("at 14: Phase 1 %v, rejoin %v, with a2 %v; at 15: %v", e.IsPhase1(s, 14), e.IsRejoin(s, 14), e.IsRejoin(s.With(e.Place("a2")), 14), e.IsRejoin(s, 15))
	}
}
