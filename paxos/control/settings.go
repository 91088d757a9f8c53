package control

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// LevelSettings is the level from which on a log decides how many sessions are remembered, and what
// each principal may have.
const LevelSettings = 9

// MaxSettings bounds the settings of a log.
const MaxSettings = 128

// Settings are what a log has decided, sorted by key and name. They are not changed.
type Settings []paxos.Setting

func byKey(a, b paxos.Setting) int {
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Name, b.Name))
}

func (s Settings) find(key paxos.SettingKey, name paxos.Principal) (int, bool) {
	return slices.BinarySearchFunc(s, paxos.Setting{Key: key, Name: name}, byKey)
}

// Quota is what a principal may have of something, 0 if as much as it gets.
func (s Settings) Quota(key paxos.SettingKey, p paxos.Principal) uint64 {
	i, own := s.find(key, p)
	if !own && p != paxos.Anonymous {
		i, own = s.find(key, "")
	}
	if !own {
		return 0
	}
	return s[i].Value
}

// Adjust decides a setting, or, with Unset, that nothing is decided there any more. One more than MaxSettings
// changes nothing.
type Adjust struct {
	paxos.Setting
	Unset bool // its Value is 0
}

// IsValid reports whether there is such a command.
func (c Adjust) IsValid() bool {
	if c.Unset {
		return c.Value == 0 && (c.Setting.IsValid() || c.Key == paxos.SettingSessions && c.Name == "")
	}
	return c.Setting.IsValid()
}

// With returns s as c makes it, and whether a log may have that.
func (s Settings) With(c Adjust) (Settings, bool) {
	i, found := s.find(c.Key, c.Name)
	after := slices.Clone(s)
	switch {
	case found && c.Unset:
		if after = slices.Delete(after, i, i+1); len(after) == 0 {
			after = nil
		}
	case found:
		after[i] = c.Setting
	case !c.Unset:
		after = slices.Insert(after, i, c.Setting)
	}
	return after, len(after) <= MaxSettings
}

// adjust takes an Adjust that was chosen at i.
func (s State) adjust(i paxos.Instance, c Adjust) State {
	if after, may := s.Settings.With(c); may && !slices.Equal(after, s.Settings) {
		s.Settings, s.GrantedAt = after, i
	}
	return s
}

// SessionLimit is how many sessions learners remember.
func (s *State) SessionLimit() uint64 {
	if i, is := s.Settings.find(paxos.SettingSessions, ""); is {
		return s.Settings[i].Value
	}
	return s.Sessions
}

func (Adjust) kind() byte { return kindAdjust }

func (c Adjust) appendTo(b []byte) []byte {
	if c.Unset {
		return appendSetting(append(b, 1), c.Setting)
	}
	return appendSetting(append(b, 0), c.Setting)
}

func (d *decoder) adjust() Adjust {
	var c Adjust
	if unset := d.Take(1); len(unset) == 1 {
		c.Unset = unset[0] == 1
		d.Bad = d.Bad || unset[0] > 1
	}
	c.Setting = d.setting()
	d.Bad = d.Bad || !c.IsValid()
	return c
}

// appendSetting appends one in its one form: its key, name and value.
func appendSetting(b []byte, s paxos.Setting) []byte {
	b = append(binary.AppendUvarint(append(b, byte(s.Key)), uint64(len(s.Name))), s.Name...)
	return binary.AppendUvarint(b, s.Value)
}

func (d *decoder) setting() (s paxos.Setting) {
	if key := d.Take(1); len(key) == 1 {
		s.Key = paxos.SettingKey(key[0])
	}
	s.Name, s.Value = paxos.Principal(d.Take(d.Number())), d.Number()
	return s
}

// appendSettings is what a state has from LevelSettings on: how many there are, and each of them.
func (s State) appendSettings(b []byte) []byte {
	if s.Level < LevelSettings {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(s.Settings)))
	for _, x := range s.Settings {
		b = appendSetting(b, x)
	}
	return b
}

func (d *decoder) settings(s *State) {
	if s.Level < LevelSettings {
		return
	}
	n := d.Number()
	if d.Bad = d.Bad || n > MaxSettings || n > 0 && s.GrantedAt <= s.Since; d.Bad {
		return
	}
	for range n {
		x := d.setting()
		last := len(s.Settings) - 1
		if d.Bad = d.Bad || !x.IsValid() || last >= 0 && byKey(s.Settings[last], x) >= 0; d.Bad {
			return
		}
		s.Settings = append(s.Settings, x)
	}
}
