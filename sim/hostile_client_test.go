package sim

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// hostileClient sends every message that clients may send, filled with whatever may do harm,
// to every process. It does not drain processes or have leaders hand over: whoever may
// connect may do that.
type hostileClient struct {
	paxos.Outbox
	rng  *rand.Rand
	said hostileSaid
	rows []*paxos.Row
	to   []*Node
	now  paxos.Ticks
	sent int
}

func (h *hostileClient) Step(_ paxos.NodeID, m paxos.Message)     { h.said.hear(reflect.ValueOf(m)) }
func (h *hostileClient) Tick(mono paxos.Ticks, _ paxos.UnixNanos) { h.now = mono }
func (h *hostileClient) Next() paxos.Ticks                        { return h.now + 5 }

func (h *hostileClient) Flush() paxos.Output {
	for range 4 {
		to, row := h.to[h.rng.IntN(len(h.to))], h.rows[h.rng.IntN(len(h.rows))]
		if row.To.Has(to.Role) {
			m := row.Zero()
			hostileFill(reflect.ValueOf(m).Elem(), h.rng, &h.said)
			h.Send(to.ID, m)
			h.sent++
		}
	}
	return h.Take()
}

// TestHostileClient: one client that sends whatever may do harm keeps no other client from
// its answers, and ends no process.
func TestHostileClient(t *testing.T) {
	for seed := range uint64(5) {
		c := NewCluster(seed, Topology{Acceptors: 3, Proposers: 2, Learners: 2, Clients: 2, Sessions: 50, Entries: 100, PageBytes: 1000})
		h := &hostileClient{rng: rand.New(rand.NewPCG(seed, 0))}
		n := 0
		h.said.entry = func() []byte {
			n++
			value := fmt.Sprintf("hostile %d", n)
			c.Check.Appends("@hostile", value)
			return []byte(value)
		}
		for _, r := range paxos.Messages.Rows() {
			if r.From.Has(paxos.RoleClient) && r.Name != "Drain" && r.Name != "Transfer" && r.Name != "Member" { // what operators ask for
				h.rows = append(h.rows, r)
			}
		}
		for _, id := range c.order {
			h.to = append(h.to, c.nodes[id])
		}
		c.Add(paxos.RoleClient, "@hostile", func(*Store) paxos.Machine { return h })
		c.StartAll()
		if !c.RunUntil(30*Second, c.Done) {
			t.Errorf("seed %d: clients are not answered beside a hostile one", seed)
		}
		if h.sent < 100 || c.Events["leader elected"] > 1 {
			t.Errorf("seed %d: it sent %d messages, and there were %d elections", seed, h.sent, c.Events["leader elected"])
		}
		c.closeStores()
	}
}
