package control

import (
	"errors"
	"reflect"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

func grant(name paxos.Principal, r paxos.Rights) SetGrant {
	return SetGrant{paxos.Permission{Name: name, Rights: r}}
}

// TestGrants: what a log grants follows from its commands, with the instance of the last one that
// changed something; one that would leave nobody with admin changes nothing.
func TestGrants(t *testing.T) {
	s := script(t, grant("ops", paxos.AllRights)) // at 2
	if s.GrantedAt != 2 || s.Grants.Of(paxos.Anonymous) != paxos.AllRights {
		t.Fatalf("%+v", s)
	}
	s = script(t, grant("ops", paxos.AllRights), grant(paxos.Anonymous, paxos.RightRead))
	if s.GrantedAt != 3 || s.At != 3 || s.Grants.Of("ops") != paxos.AllRights || s.Grants.Of("app") != paxos.RightRead {
		t.Fatalf("%+v", s)
	}
	for name, c := range map[string]SetGrant{
		"the last admin": grant("ops", paxos.RightAppend),
		"the same again": grant(paxos.Anonymous, paxos.RightRead),
	} {
		if got, err := s.Apply(4, Batch(c), Level); err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := s.Apply(4, Batch(grant(paxos.Anonymous, paxos.AllRights)), Level); err != nil || got.GrantedAt != 4 || got.Grants.Of("app") != paxos.AllRights {
		t.Errorf("opened again: %+v, %v", got, err)
	}
	for _, c := range []SetGrant{grant("", paxos.RightRead), grant("a b", paxos.RightRead), grant("a", 8)} {
		if _, err := Parse(Batch(c)); !errors.Is(err, ErrUnknown) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestGrantsNeedTheirLevel: a log of a lower level has no grants, whoever proposes one, and a
// process of a lower level stops before it (R10).
func TestGrantsNeedTheirLevel(t *testing.T) {
	g := genesis()
	g.Level = LevelRights - 1
	low, err := State{}.Apply(1, Batch(g), Level)
	if err != nil {
		t.Fatal(err)
	}
	c := grant("ops", paxos.AllRights)
	if s, err := low.Apply(2, Batch(c), Level); err != nil || !reflect.DeepEqual(s, low) {
		t.Errorf("%+v, %v", s, err)
	}
	if err := Known(Batch(c), LevelRights-1); !errors.Is(err, ErrUnknown) {
		t.Errorf("an older process: %v", err)
	}
	raised, err := low.Apply(2, Batch(Raise{LevelRights}), Level)
	if err != nil || len(raised.Grants) != 0 || raised.Grants.Of("anybody") != paxos.AllRights {
		t.Errorf("a log that is raised: %+v, %v", raised, err)
	}
}
