package daemons

import (
	"testing"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/node"
	"github.com/paxlog/paxlog/paxos"
)

// TestHeap: the bound is what the budgets come to, and more where what is in use is about as much: then
// it goes with that, and is not set anew for a little.
func TestHeap(t *testing.T) {
	const mib = 1 << 20
	set := 0
	h := &heap{least: 100 * mib}
	h.set = func(bound int64) int64 {
		set++
		return 0
	}
	for i, c := range []struct{ live, bound, set int64 }{
		{1, 100, 1}, {60, 100, 1}, {80, 116, 2}, {84, 116, 2}, {800, 1016, 3}, {830, 1016, 3}, {400, 516, 4}, {2, 100, 5},
	} {
		h.boundFor(c.live * mib)
		if h.bound != c.bound*mib || int64(set) != c.set {
			t.Errorf("%d: with %d MiB in use the bound is %d MiB, and was set %d times", i, c.live, h.bound/mib, set)
		}
	}
}

// TestDevIsBounded: dev runs six processes in one, and is bounded by what they need together.
func TestDevIsBounded(t *testing.T) {
	t.Chdir(t.TempDir())
	d, err := openDev(devOptions{Data: "d", BasePort: clusterfile.DevBasePort})
	if err != nil {
		t.Fatal(err)
	}
	of := func(role paxos.Role) int64 { return node.Memory(d.Cluster, role) }
	if got, want := d.memory(), 3*of(paxos.RoleAcceptor)+2*of(paxos.RoleProposer)+of(paxos.RoleLearner); got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
}
