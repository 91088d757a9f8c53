package check

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestCalls judges logs and answers by what is called alone, as for another protocol.
func TestCalls(t *testing.T) {
	id := func(seq uint64) paxos.AppendID {
		return paxos.AppendID{Session: paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{1}), Seq: seq}
	}
	for _, test := range []struct {
		name, invariant string
		play            func(c *Checker)
	}{
		{"all is well", "", func(c *Checker) {
			x, y := c.Appends("@c1", "x"), c.Appends("@c1", "y")
			c.Applied("g1", 1, id(1), "x")
			c.Applied("g2", 1, id(1), "x")
			c.Answered(x, id(1), 1)
			r := c.Reads("@c1")
			c.ReadAnswered(r, 1)
			c.Never(y, id(2))
		}},
		{"replicas differ", "L1", func(c *Checker) {
			c.Appends("@c1", "x")
			c.Appends("@c1", "y")
			c.Applied("g1", 1, id(1), "x")
			c.Applied("g2", 1, id(1), "y")
		}},
		{"a gap", "L5", func(c *Checker) {
			c.Appends("@c1", "x")
			c.Applied("g1", 2, id(1), "x")
		}},
		{"an answer that is not in the log", "L2", func(c *Checker) { c.Answered(c.Appends("@c1", "x"), id(1), 1) }},
		{"a stale read", "linearizable read", func(c *Checker) {
			x := c.Appends("@c1", "x")
			c.Applied("g1", 1, id(1), "x")
			c.Answered(x, id(1), 1)
			c.ReadAnswered(c.Reads("@c1"), 0)
		}},
		{"never, and yet there", "L6", func(c *Checker) {
			c.Never(c.Appends("@c1", "x"), id(1))
			c.Applied("g1", 1, id(1), "x")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer func() {
				got := ""
				switch v := recover().(type) {
				case nil:
				case *Violation:
					got = v.Invariant
				default:
					panic(v)
				}
				if got != test.invariant {
					t.Errorf("found %q, want %q", got, test.invariant)
				}
			}()
			c := New(paxos.Membership{}, func() int64 { return 0 })
			test.play(c)
			c.End()
		})
	}
}
