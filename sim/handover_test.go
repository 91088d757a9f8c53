package sim

import (
	"fmt"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// stepsOfHandover are the messages between processes that a handover consists of.
var stepsOfHandover = map[string]bool{
	"Able": true, "AbleReply": true, "Heartbeat": true, "Named": true, "Prepare": true, "Promise": true, "Leads": true, "Accept": true, "Accepted": true,
}

// TestCrashInHandover: at each message of a handover, from the question who could lead to
// the successor's first values, either side or both crash under that message. Clients are
// answered before long whoever it was.
func TestCrashInHandover(t *testing.T) {
	const steps = 40
	elections := 0
	for _, victims := range [][]paxos.NodeID{{"p1"}, {"p2"}, {"p1", "p2"}} {
		for step := range steps {
			s := &stage{seed: uint64(step)}
			s.hosts(3)
			s.lead(1)
			left := step
			s.Net.Observe = func(_, _ paxos.NodeID, m paxos.Message) {
				if !stepsOfHandover[paxos.Messages.Row(m).Name] {
					return
				}
				if left--; left == 0 {
					s.after(0, func() {
						for _, id := range victims {
							s.nodes[id].Crash()
						}
					})
				}
			}
			s.transfer(s.nodes["p1"], "p2")
			s.progress(2*Second, fmt.Sprintf("although %v crashed at step %d of a handover", victims, step))
			s.StartAll()
			s.progress(Second, "when all were back")
			s.closeStores()
			if s.err != nil {
				t.Fatal(s.err)
			}
			if s.Events["leader elected"] > 2 {
				elections++
			}
		}
	}
	if elections == 0 {
		t.Error("no crash made a handover fail: they come too late")
	}
}
