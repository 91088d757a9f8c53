package transport

import (
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// TestUnknownToAPeer: a process that is refused by its id is told each reason that there may be, and what
// shows which it is; a client, which has no id of its own, is told the one.
func TestUnknownToAPeer(t *testing.T) {
	to := Peer{Role: paxos.RoleAcceptor, ID: "a3"}
	got := meaning(wire.RefusedIdentity, to, Config{Role: paxos.RoleAcceptor, ID: "a2"})
	for _, want := range []string{"is not acceptor a3", "acceptor a2 neither in its cluster file nor in the log", "removed or replaced", "`paxlog member list`"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if got := meaning(wire.RefusedIdentity, to, Config{Role: paxos.RoleClient, ID: "@1"}); got != "the process there is not acceptor a3" {
		t.Errorf("a client is told %q", got)
	}
}
