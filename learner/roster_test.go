package learner

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// TestRoster: when the log names other learners, their chains count from then on, and those of
// others no more; and clients are told who the processes are, whether they wait for something or not.
func TestRoster(t *testing.T) {
	l := knowing()
	l.Step("l1", &paxos.PeerUp{ID: "@c", Role: paxos.RoleClient})
	l.Step("l1", &paxos.PeerUp{ID: "l3", Role: paxos.RoleLearner})
	l.Step("l1", &paxos.PeerUp{ID: "l2", Role: paxos.RoleLearner})
	l.choose(1, genesis(control.Level))
	roster := configuration.Roster{Version: 1, List: []configuration.Process{
		{Role: paxos.RoleProposer, ID: "p1", Addr: "h:1"}, {Role: paxos.RoleLearner, ID: "l1", Addr: "h:3"}, {Role: paxos.RoleLearner, ID: "l3", Addr: "h:4"},
	}}
	out := l.choose(2, control.Batch(control.SetRoster{Roster: roster}))
	if l.sources.learner("l2") != nil || l.sources.learner("l3") == nil || !l.sources.learner("l3").up {
		t.Errorf("%+v", l.sources)
	}
	told := 0
	for _, e := range out.SendNow {
		if d, is := e.Msg.(*paxos.Directory); is && e.To == "@c" && d.Has(paxos.RoleLearner, "l3") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the client is told %d times: %+v", told, out.SendNow)
	}
	l.Step("l1", &paxos.PeerDown{ID: "l2"}) // it is a source no more
	roster.Version, roster.List[2].ID = 2, "l2"
	l.choose(3, control.Batch(control.SetRoster{Roster: roster}))
	if s := l.sources.learner("l2"); s == nil || s.up || l.sources.learner("l3") != nil {
		t.Errorf("%+v", l.sources)
	}
}
