package transport

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// TestQuotaOfConnections: a principal gets as many connections as it may have, also where others are still being
// greeted; servers and other principals have theirs; one that ends makes room, and those that there are
// stay when the number is lowered.
func TestQuotaOfConnections(t *testing.T) {
	f := newFiles(t)
	cfg := f.config(acceptor, "a1", require)
	var most atomic.Uint64
	most.Store(2)
	cfg.Quota = func(who paxos.Principal) uint64 {
		if who == "many" {
			return most.Load()
		}
		return 0
	}
	a := listen(t, cfg)
	ups := 0
	come := func(role paxos.Role, who paxos.NodeID, want bool) *raw {
		t.Helper()
		id := who
		if role == client {
			id = ""
		}
		r := f.dialRaw(a, role, who)
		m := r.greet(hello(role, id, a))
		if _, is := m.(*wire.Welcome); is != want {
			t.Errorf("%s is answered %+v", who, m)
		} else if !is {
			if no, is := m.(*wire.Refusal); !is || no.Code != wire.RefusedFull || !strings.Contains(no.Text, "may have") && no.Text != "" {
				t.Errorf("%s is refused with %+v", who, m)
			}
		} else if role == client {
			ups++
			a.await(t, ups, up, "")
		}
		return r
	}
	first := come(client, "many", true)
	come(client, "many", true)
	come(client, "many", false)
	come(client, "few", true)
	come(client, "few", true)
	come(client, "few", true)
	come(proposer, "p1", true)
	_ = first.nc.Close()
	a.await(t, 1, down, "@1")
	come(client, "many", true)
	most.Store(1)
	come(client, "many", false)
	if n := len(a.of(down, "")); n != 1 {
		t.Errorf("%d connections have ended", n)
	}
}
