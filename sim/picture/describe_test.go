package picture

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// postcard is a message that only this test has.
type postcard struct{ Text string }

func (*postcard) MessageKind() paxos.Kind { return 250 }

// TestDescribe: every message has a description, also one that has nothing but its row.
func TestDescribe(t *testing.T) {
	for _, r := range paxos.Messages.Rows() {
		if text, _ := Describe(r.Zero()); text == "" {
			t.Errorf("%s is not described", r.Name)
		}
	}
	table := paxos.NewTable(paxos.NewRow[postcard](paxos.RolesOf(paxos.RoleClient), paxos.RolesOf(paxos.RoleClient), "greetings"))
	if text, upkeep := describeBy(table, &postcard{}); text != "postcard" || upkeep {
		t.Errorf("%q, upkeep %v", text, upkeep)
	}
}
