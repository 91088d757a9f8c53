package client

import (
	"context"
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// Setting is a number that the log decides, in place of a file: what Key is about is Value from now on. The keys are
// "sessions", how many the log remembers, and quotas, which say what one principal may have, and where 0 bounds
// nothing: "quota.sessions"; "quota.bytes", of appends that the leader has and are not chosen yet; "quota.connections", to
// each process. A quota is of each principal that a certificate names, or, as "quota.bytes.NAME", of one. Anonymous, who
// is everybody without a certificate, has one by that name only.
type Setting struct {
	Key   string
	Value uint64
}

// Settings are what a log has decided.
type Settings struct {
	Leader   string
	Sessions uint64    // remembered by learners, by a setting or since the log began
	List     []Setting // what was set
}

// Settings asks the leader what the log has decided.
func (c *Client) Settings(ctx context.Context) (Settings, error) {
	return c.adjust(ctx, &paxos.Adjust{Nonce: operateNonce})
}

// SetSetting has the log decide so from now on, everywhere. Fewer sessions expire some, a few with each append:
// the least recently used of who has most, or of the one whose quota that is. The error is a *DeclinedError
// if nothing was done, and says why. It takes the right admin.
func (c *Client) SetSetting(ctx context.Context, s Setting) (Settings, error) {
	x, ok := paxos.ParseSettingKey(s.Key)
	if x.Value = s.Value; !ok || !x.IsValid() {
		return Settings{}, fmt.Errorf("no log can have %.100q at %d", s.Key, s.Value)
	}
	return c.adjust(ctx, &paxos.Adjust{Nonce: operateNonce, Set: true, Setting: x})
}

// UnsetSetting has the log decide nothing about key any more: sessions are as when it began, and a
// quota is that of each principal, or none. The error is a *DeclinedError if nothing was done, and says why.
func (c *Client) UnsetSetting(ctx context.Context, key string) (Settings, error) {
	x, ok := paxos.ParseSettingKey(key)
	if !ok {
		return Settings{}, fmt.Errorf("no log can have %.100q", key)
	}
	return c.adjust(ctx, &paxos.Adjust{Nonce: operateNonce, Unset: true, Setting: x})
}

func (c *Client) adjust(ctx context.Context, ask *paxos.Adjust) (Settings, error) {
	leader, reply, err := c.askLeader(ctx, "say what is set", ask)
	if err != nil {
		return Settings{}, err
	}
	m, ok := reply.(*paxos.Adjusted)
	switch {
	case !ok:
		return Settings{}, fmt.Errorf("%s answers something else: %T", leader, reply)
	case m.Why != "":
		return Settings{}, &DeclinedError{ID: leader, Why: m.Why}
	}
	out := Settings{Leader: leader, Sessions: m.Sessions}
	for _, x := range m.List {
		out.List = append(out.List, Setting{Key: x.KeyText(), Value: x.Value})
	}
	return out, nil
}
