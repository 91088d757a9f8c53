package node

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestAccepted: a proposer serves when an acceptor has taken it, or when none can be
// reached; never while those that it reaches refuse it.
func TestAccepted(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(a *accepted)
		want bool
	}{
		"nobody was tried":         {func(a *accepted) {}, false},
		"a learner took it":        {func(a *accepted) { a.took(paxos.RoleLearner) }, false},
		"an acceptor took it":      {func(a *accepted) { a.took(paxos.RoleAcceptor) }, true},
		"one is down":              {func(a *accepted) { a.failed("a1", false) }, false},
		"all are down":             {func(a *accepted) { a.failed("a1", false); a.failed("a2", false) }, true},
		"all refuse it":            {func(a *accepted) { a.failed("a1", true); a.failed("a2", true) }, false},
		"one refuses, one is down": {func(a *accepted) { a.failed("a1", true); a.failed("a2", false) }, false},
		"refused, then taken":      {func(a *accepted) { a.failed("a1", true); a.took(paxos.RoleAcceptor) }, true},
		"another proposer is down": {func(a *accepted) { a.failed("p2", false); a.failed("a1", false) }, false},
	} {
		got := false
		a := newAccepted([]paxos.NodeID{"a1", "a2"}, func() { got = true })
		if test.do(a); got != test.want {
			t.Errorf("%s: it serves: %v", name, got)
		}
	}
}
