package control

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

func sets(key paxos.SettingKey, name paxos.Principal, value uint64) Adjust {
	return Adjust{Setting: paxos.Setting{Key: key, Name: name, Value: value}}
}

func unsets(key paxos.SettingKey, name paxos.Principal) Adjust {
	return Adjust{Setting: paxos.Setting{Key: key, Name: name}, Unset: true}
}

// TestSettings: what was decided last holds, a quota of one's own goes before that of each, nobody in particular has
// one by name only, and what is unset is as it was. Standbys are told since when it is so.
func TestSettings(t *testing.T) {
	s := script(t, sets(paxos.QuotaBytes, "", 100), sets(paxos.QuotaBytes, "app", 5), sets(paxos.QuotaSessions, "app", 7), sets(paxos.SettingSessions, "", 9))
	has := func(bytes, sessions map[paxos.Principal]uint64, limit uint64) {
		t.Helper()
		for who, want := range bytes {
			if got := s.Settings.Quota(paxos.QuotaBytes, who); got != want {
				t.Errorf("%s may have %d bytes, want %d", who, got, want)
			}
		}
		for who, want := range sessions {
			if got := s.Settings.Quota(paxos.QuotaSessions, who); got != want {
				t.Errorf("%s may have %d sessions, want %d", who, got, want)
			}
		}
		if got := s.SessionLimit(); got != limit {
			t.Errorf("%d sessions are remembered, want %d", got, limit)
		}
	}
	next := func(c Command) {
		t.Helper()
		at := s.At + 1
		var err error
		if s, err = s.Apply(at, Batch(c), Level); err != nil || s.GrantedAt != at {
			t.Fatalf("decided at %d, changed last at %d, %v", at, s.GrantedAt, err)
		}
	}
	has(map[paxos.Principal]uint64{"app": 5, "web": 100, paxos.Anonymous: 0}, map[paxos.Principal]uint64{"app": 7, "web": 0}, 9)
	next(sets(paxos.QuotaBytes, paxos.Anonymous, 3))
	next(sets(paxos.QuotaBytes, "app", 0)) // no bound, and not that of each
	has(map[paxos.Principal]uint64{"app": 0, "web": 100, paxos.Anonymous: 3}, nil, 9)
	next(unsets(paxos.QuotaBytes, "app"))
	next(unsets(paxos.SettingSessions, ""))
	has(map[paxos.Principal]uint64{"app": 100, "web": 100}, nil, genesis().Sessions)
	next(unsets(paxos.QuotaBytes, ""))
	has(map[paxos.Principal]uint64{"app": 0, "web": 0, paxos.Anonymous: 3}, nil, genesis().Sessions)
	was := s
	if s, _ = s.Apply(s.At+1, Batch(unsets(paxos.QuotaBytes, "web")), Level); !reflect.DeepEqual(s, was) {
		t.Error("what was not set is unset, and something has changed")
	}
}

// TestSettingsAreBounded: a log has as many as it has room for, and these can be changed and unset.
func TestSettingsAreBounded(t *testing.T) {
	var commands []Command
	for i := range MaxSettings {
		commands = append(commands, sets(paxos.QuotaBytes, paxos.Principal(fmt.Sprintf("p%03d", i)), 1))
	}
	s := script(t, commands...)
	for _, step := range []struct {
		name string
		c    Adjust
		many int
		has  uint64 // afterwards
	}{
		{"one too many", sets(paxos.QuotaBytes, "more", 7), MaxSettings, 0},
		{"one is changed", sets(paxos.QuotaBytes, "p007", 9), MaxSettings, 9},
		{"one is unset", unsets(paxos.QuotaBytes, "p003"), MaxSettings - 1, 0},
		{"there is room again", sets(paxos.QuotaBytes, "more", 7), MaxSettings, 7},
	} {
		var err error
		s, err = s.Apply(s.At+1, Batch(step.c), Level)
		if got := s.Settings.Quota(paxos.QuotaBytes, step.c.Name); err != nil || len(s.Settings) != step.many || got != step.has {
			t.Errorf("%s: %d settings, %d, %v", step.name, len(s.Settings), got, err)
		}
	}
}

// TestSettingForms: what is no setting is not known to anybody, and each key has one text.
func TestSettingForms(t *testing.T) {
	for name, c := range map[string]Adjust{
		"no key":                     sets(0, "", 1),
		"a key that is not known":    sets(5, "", 1),
		"sessions of somebody":       sets(paxos.SettingSessions, "app", 1),
		"no sessions":                sets(paxos.SettingSessions, "", 0),
		"too many":                   sets(paxos.SettingSessions, "", paxos.MaxSessions+1),
		"a blank":                    sets(paxos.QuotaBytes, "a b", 1),
		"a long name":                sets(paxos.QuotaBytes, paxos.Principal(strings.Repeat("x", 65)), 1),
		"more than there can be":     sets(paxos.QuotaBytes, "", paxos.Bound),
		"what is unset has a value":  {Setting: paxos.Setting{Key: paxos.QuotaBytes, Value: 1}, Unset: true},
		"sessions of one are unset":  unsets(paxos.SettingSessions, "app"),
		"an unknown key is unset":    unsets(9, ""),
		"a name with blank is unset": unsets(paxos.QuotaBytes, "a b"),
	} {
		if _, err := Parse(Batch(c)); c.IsValid() || !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := script(t, sets(paxos.SettingSessions, "", 9), sets(paxos.QuotaBytes, "a", 5))
	for name, change := range map[string]func(*State){
		"in another order": func(s *State) { s.Settings = Settings{s.Settings[1], s.Settings[0]} },
		"one twice":        func(s *State) { s.Settings = Settings{s.Settings[0], s.Settings[0]} },
		"none that is one": func(s *State) { s.Settings = Settings{{Key: 7}} },
		"of no instance":   func(s *State) { s.GrantedAt = 0 },
	} {
		bad := s
		change(&bad)
		if _, err := Decode(bad.Encode(), Level); err == nil {
			t.Errorf("%s: it is read", name)
		}
	}
	for _, text := range []string{"sessions", "quota.sessions", "quota.bytes.a.b-c", "quota.connections.anonymous"} {
		if x, ok := paxos.ParseSettingKey(text); !ok || x.KeyText() != text {
			t.Errorf("%s is read as %+v", text, x)
		}
	}
	for _, text := range []string{"", "sessions.app", "quota", "quota.", "quota.bytes.", "quota.bytes.a b", "quota.bytesapp", "unknown", "retention.age"} {
		if x, ok := paxos.ParseSettingKey(text); ok {
			t.Errorf("%q is read as %+v", text, x)
		}
	}
}

// TestSettingsNeedTheirLevel: a log of a lower level has none, whoever proposes one, and its state has the bytes that it
// had; a process of a lower level stops before it (R10).
func TestSettingsNeedTheirLevel(t *testing.T) {
	g := genesis()
	g.Level = LevelSettings - 1
	low, err := State{}.Apply(1, Batch(g), Level)
	if err != nil {
		t.Fatal(err)
	}
	c := sets(paxos.SettingSessions, "", 5)
	if s, err := low.Apply(2, Batch(c), Level); err != nil || !reflect.DeepEqual(s, low) || s.Encode() != low.Encode() {
		t.Errorf("%+v, %v", s, err)
	}
	if err := Known(Batch(c), LevelSettings-1); !errors.Is(err, ErrUnknown) {
		t.Errorf("an older process: %v", err)
	}
	raised, err := low.Apply(2, Batch(Raise{LevelSettings}), Level)
	if err != nil || len(raised.Settings) != 0 || len(raised.Encode()) != len(low.Encode())+1 {
		t.Errorf("a log that is raised: %+v, %v", raised, err)
	}
	if s, err := raised.Apply(3, Batch(c), Level); err != nil || s.SessionLimit() != 5 {
		t.Errorf("%+v, %v", s, err)
	}
}
