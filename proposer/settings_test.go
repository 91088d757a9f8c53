package proposer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// quota leads a log in which each principal may have so many bytes under way. The clients of come are there.
func quota(t *testing.T, bytes uint64) *Proposer {
	t.Helper()
	s, err := control.Decode(begun(), control.Level)
	if err == nil {
		s, err = s.Apply(2, control.Batch(control.Adjust{Setting: paxos.Setting{Key: paxos.QuotaBytes, Value: bytes}}), control.Level)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := leadsAbove(t, s, 10)
	come(p)
	return p
}

// refusedOf are the reasons for which p refuses appends of somebody.
func refusedOf(out paxos.Output, id paxos.NodeID) (why []string) {
	for _, r := range sentTo[*paxos.Refused](out, id) {
		why = append(why, fmt.Sprintf("%d %s", r.Reason, r.Detail))
	}
	return why
}

// TestAdjust: a setting is decided by a command, told with the others when it is chosen, and can be asked for
// again; what no log can have is refused.
func TestAdjust(t *testing.T) {
	p := leadsAbove(t, narrow(t), 10)
	come(p)
	answered := func() *paxos.Adjusted {
		t.Helper()
		for range 5 {
			if a := sentTo[*paxos.Adjusted](p.Flush(), "@1"); len(a) == 1 {
				return a[0]
			}
			choose(p)
		}
		t.Fatal("no answer")
		return nil
	}
	bytes, own := paxos.Setting{Key: paxos.QuotaBytes, Value: 100}, paxos.Setting{Key: paxos.QuotaBytes, Name: "app", Value: 7}
	began := p.control.Sessions
	for _, step := range []struct {
		ask      paxos.Adjust
		sessions uint64
		list     []paxos.Setting
		commands int
	}{
		{paxos.Adjust{}, began, nil, 0},
		{paxos.Adjust{Set: true, Setting: own}, began, []paxos.Setting{own}, 1},
		{paxos.Adjust{Set: true, Setting: own}, began, []paxos.Setting{own}, 0},
		{paxos.Adjust{Set: true, Setting: bytes}, began, []paxos.Setting{bytes, own}, 1},
		{paxos.Adjust{Unset: true, Setting: paxos.Setting{Key: paxos.QuotaBytes, Name: "app"}}, began, []paxos.Setting{bytes}, 1},
		{paxos.Adjust{Unset: true, Setting: paxos.Setting{Key: paxos.QuotaBytes, Name: "app"}}, began, []paxos.Setting{bytes}, 0},
		{paxos.Adjust{Set: true, Setting: paxos.Setting{Key: paxos.SettingSessions, Value: 5}}, 5, []paxos.Setting{{Key: paxos.SettingSessions, Value: 5}, bytes}, 1},
	} {
		at := p.control.At
		step.ask.Nonce = 3
		p.Step("@1", &step.ask)
		if a := answered(); a.Why != "" || a.Nonce != 3 || a.Sessions != step.sessions || !slices.Equal(a.List, step.list) || (p.control.At > at) != (step.commands > 0) {
			t.Errorf("%+v is answered %+v", step.ask, a)
		}
	}
	for why, ask := range map[string]paxos.Adjust{
		"no log can have sessions at 0":          {Set: true, Setting: paxos.Setting{Key: paxos.SettingSessions}},
		"no log can have unknown at 1":           {Set: true, Setting: paxos.Setting{Key: 9, Value: 1}},
		"no log can have quota.bytes.a b at 100": {Set: true, Setting: paxos.Setting{Key: paxos.QuotaBytes, Name: "a b", Value: 100}},
	} {
		p.Step("@1", &ask)
		if a := answered(); !strings.Contains(a.Why, why) || len(a.List) > 0 {
			t.Errorf("%+v is answered %+v", ask, a)
		}
	}
	p.Step("@2", &paxos.Adjust{Set: true, Setting: own})
	if out := p.Flush(); len(sentTo[*paxos.NotPermitted](out, "@2")) != 1 {
		t.Error("app, which has no admin, may decide settings")
	}
	low := narrow(t)
	low.Level = control.LevelSettings - 1
	p = leadsAbove(t, low, 10)
	come(p)
	p.Step("@1", &paxos.Adjust{Set: true, Setting: own})
	if a := answered(); !strings.Contains(a.Why, "the log has level 8, and settings need level 9 (`paxlog upgrade status`)") {
		t.Errorf("%+v", a)
	}
}

// TestQuotaOfBytes: of each principal so much is taken as it may have under way, waiting or proposed; it gets
// more when that is chosen, others are not touched, and a single large append is always taken.
func TestQuotaOfBytes(t *testing.T) {
	p := quota(t, 40)
	send := func(from paxos.NodeID, seq uint64, size int) []string {
		p.Step(from, appendOf(seq, strings.Repeat("x", size)))
		return refusedOf(p.Flush(), from)
	}
	if why := send("@1", 1, 45); why != nil {
		t.Errorf("a single large append: %q", why)
	}
	why := send("@1", 2, 10)
	if len(why) != 1 || !strings.HasPrefix(why[0], fmt.Sprintf("%d ops has ", paxos.RefuseBusy)) || !strings.Contains(why[0], "bytes of appends under way, and may have 40 (`paxlog settings show`)") {
		t.Errorf("more than a quota: %q", why)
	}
	if why := send("@2", 1, 45); why != nil {
		t.Errorf("another principal: %q", why)
	}
	if why := send("@3", 1, 45); why != nil {
		t.Errorf("nobody in particular, which has no quota: %q", why)
	}
	p.Step("@1", &paxos.Append{Session: paxos.SessionID{7}, Attempt: 1, Batch: paxos.Fence(paxos.SessionID{7})})
	if why := refusedOf(p.Flush(), "@1"); why != nil {
		t.Errorf("a fence: %q", why)
	}
	for range 3 {
		choose(p)
		p.Flush()
	}
	if l := leads(p); len(l.open) != 0 || len(l.underWay) != 0 {
		t.Fatalf("%d proposals are open, under way are %v", len(l.open), l.underWay)
	}
	if why := send("@1", 2, 10); why != nil {
		t.Errorf("when all is chosen: %q", why)
	}
}

// TestQuotaOfAnswered: what a client has the result of counts no more, although its votes were not asked for.
func TestQuotaOfAnswered(t *testing.T) {
	p, appends := quietly(t)
	p.control.Settings = control.Settings{{Key: paxos.QuotaBytes, Name: paxos.Anonymous, Value: 1}}
	l := leads(p)
	for seq := uint64(2); seq <= 5; seq++ {
		before := l.next
		appends(seq, seq)
		if l.next != before+1 {
			t.Fatalf("append %d, of a client that has all results, is not proposed", seq)
		}
	}
}

// TestStandbyGoesByQuotas: a standby has the settings that two acceptors show alike, and not those of one.
func TestStandbyGoesByQuotas(t *testing.T) {
	p := standingBy(t)
	p.cfg.Knows = control.Level
	s := quota(t, 100).control
	connections := paxos.Setting{Key: paxos.QuotaConnections, Value: 3}
	s, err := s.Apply(s.At+1, control.Batch(control.Adjust{Setting: connections}), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	lie := s
	lie.Settings = control.Settings{{Key: paxos.QuotaConnections, Value: 1}}
	p.Step("a1", &paxos.Configured{State: lie.Encode()})
	p.Step("a2", &paxos.Configured{State: s.Encode()})
	if got, _ := p.Settings(); len(got) != 0 {
		t.Errorf("by the word of one each: %v", got)
	}
	p.Step("a1", &paxos.Configured{State: s.Encode()})
	if got, at := p.Settings(); got.Quota(paxos.QuotaConnections, "app") != 3 || at != s.GrantedAt {
		t.Errorf("%v, at %d", got, at)
	}
}
