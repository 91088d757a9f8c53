package configuration

import (
	"reflect"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

func roster() Roster {
	return Enrol([]Process{
		{paxos.RoleLearner, "l1", "h:31"}, {paxos.RoleProposer, "p2", "h:22"}, {paxos.RoleAcceptor, "a1", "h:11"}, {paxos.RoleProposer, "p1", "h:21"},
	})
}

// TestRoster: processes come, leave and take each other's place, and what is decided is read as it
// was written.
func TestRoster(t *testing.T) {
	r := roster()
	if r.Valid() == nil || !r.Has(paxos.RoleProposer, "p9") {
		t.Error("what a cluster file says was not decided, and says nothing")
	}
	next := r.With(Process{paxos.RoleProposer, "p0", "h:20"}, "p1")
	if got := next.Of(paxos.RoleProposer); !reflect.DeepEqual(got, []paxos.NodeID{"p0", "p2"}) || next.Version != 1 || next.Valid() != nil {
		t.Fatalf("%+v", next)
	}
	if next.Has(paxos.RoleProposer, "p1") || next.Has(paxos.RoleLearner, "p0") || !next.Has(paxos.RoleLearner, "l1") {
		t.Error("who has which role")
	}
	if back := next.With(Process{paxos.RoleProposer, "p1", "h:21"}, ""); !next.IsGone("p1") || back.IsGone("p1") {
		t.Error("one that has gone, and comes back")
	}
	again := ReadRoster(&paxos.Canonical{Rest: next.AppendTo(nil)})
	if !reflect.DeepEqual(again, next) {
		t.Errorf("%+v is read as %+v", next, again)
	}
	only := next.Only(&Configuration{})
	if len(only.Of(paxos.RoleAcceptor)) != 0 || len(only.List) != 3 || len(next.List) != 4 {
		t.Errorf("%+v", only)
	}
}

// TestRosterIsRefused: what no log may decide.
func TestRosterIsRefused(t *testing.T) {
	base := roster()
	for name, test := range map[string]struct {
		r    Roster
		want string
	}{
		"an address twice":    {base.With(Process{paxos.RoleLearner, "l2", "h:21"}, ""), "is the address of p1 and of l2"},
		"an id twice":         {base.With(Process{paxos.RoleLearner, "p1", "h:32"}, ""), "p1 is in it twice"},
		"no learner":          {base.With(Process{}, "l1"), "a log needs a learner"},
		"no address":          {base.With(Process{paxos.RoleLearner, "l2", ""}, ""), "is no process"},
		"a client":            {base.With(Process{paxos.RoleClient, "c", "h:1"}, ""), "is no process"},
		"one that is too big": {base.With(Process{paxos.RoleLearner, "l2", strings.Repeat("x", maxText+1)}, ""), "is no process"},
		"in another order":    {Roster{Version: 1, List: []Process{base.List[1], base.List[0]}}, "stands behind"},
	} {
		if err := test.r.Valid(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
		c := paxos.Canonical{Rest: test.r.AppendTo(nil)}
		if ReadRoster(&c); !c.Bad {
			t.Errorf("%s: it is read", name)
		}
	}
}
