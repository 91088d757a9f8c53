package sim

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim/model"
	"github.com/paxlog/paxlog/sim/picture"
)

// keeper is a guest that keeps what it is sent, and answers when that is on disk.
type keeper struct {
	paxos.Outbox
	kept []any
}

func (k *keeper) Step(from paxos.NodeID, m paxos.Message) {
	if g, ok := m.(*GuestMessage); ok {
		k.Write(model.GuestRecord{Data: string(g.Body)})
		k.Out.Sync = true
		k.After(from, &GuestMessage{Body: g.Body, Text: "kept " + string(g.Body)})
	}
}

func (k *keeper) Tick(paxos.Ticks, paxos.UnixNanos) {}
func (k *keeper) Next() paxos.Ticks                 { return paxos.Never }
func (k *keeper) Flush() paxos.Output               { return k.Take() }

// TestGuest lets another protocol keep something: what it acknowledged is there
// after a crash.
func TestGuest(t *testing.T) {
	w := NewWorld(1, paxos.Membership{})
	var k *keeper
	w.Add(RoleGuest, "g1", func(s *Store) paxos.Machine { k = &keeper{kept: s.Guest()}; return k })
	client := &scriptClient{}
	w.Add(paxos.RoleClient, "@c1", func(*Store) paxos.Machine { return client })
	ladder := &picture.Ladder{}
	w.Net.Observe = ladder.Observe
	w.Node("g1").Start()
	w.Node("@c1").Start()
	client.Send("g1", &GuestMessage{Body: []byte("x"), Text: "keep x"})
	w.Run(20 * Millisecond)
	if got, want := ladder.Take(), "@c1 -> g1           keep x\ng1  -> @c1          kept x\n"; got != want {
		t.Errorf("ladder:\n%s, want\n%s", got, want)
	}
	if w.Node("g1").Syncs() != 1 {
		t.Errorf("%d syncs", w.Node("g1").Syncs())
	}
	w.Harm(Fault{Kind: CrashNode, Node: "g1", For: 10 * Millisecond}, []paxos.NodeID{"g1"})
	w.Run(20 * Millisecond)
	if len(k.kept) != 1 || k.kept[0] != "x" {
		t.Errorf("after a crash it has %v", k.kept)
	}
}
