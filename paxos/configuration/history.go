package configuration

import (
	"errors"
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// LeastAlpha is the least alpha that a leader decides, for the sake of speed: no more than alpha
// instances are in flight. What a log may say is 1 and more. Exploration has logs of 1 and 2.
const LeastAlpha = 128

// MaxAlpha bounds it: so many no-ops bring a change in force.
const MaxAlpha = 1 << 16

// maxGone bounds the members of earlier configurations that are remembered, the latest of them.
const maxGone = 64

// History is what a log has decided about its configuration, as far as it still matters: the
// newest one, and the one before it. The zero History is that of a log that decided nothing.
//
// It is a function of the values chosen up to an instance, so everybody who knows that much
// has the same.
type History struct {
	Alpha  paxos.Instance // 0: not decided yet, and nothing can change before it is
	Since  paxos.Instance // from which on Before is in force
	Before Configuration  // in force below From; zero if there was no change
	At     paxos.Instance // of the change to Now; 0 if there was none
	From   paxos.Instance // from which on Now is in force: At + Alpha
	Now    Configuration
	// Replaced is the member that the change to Now replaced: nobody asks it for anything.
	Replaced paxos.NodeID
	Gone     []Acceptor // members of earlier configurations, oldest first: none of them comes back
}

// Begin is the history of a log whose first configuration is c.
func Begin(c Configuration) History { return History{Now: c} }

// IsZero reports whether h says nothing.
func (h *History) IsZero() bool { return h.Now.IsZero() }

// Changed reports whether the log has had another configuration than its first one.
func (h *History) Changed() bool { return h.At != 0 }

// ConfigAt returns the configuration in force at instance k, for who knows what was chosen up
// to upTo, which is what h comes of. It reports false if that is not known: a change that
// would be in force may be chosen above upTo, or k is so old that it was forgotten.
func (h *History) ConfigAt(k, upTo paxos.Instance) (Configuration, bool) {
	if h.IsZero() || k > upTo+h.reach() || k < h.Since {
		return Configuration{}, false
	}
	return h.at(k), true
}

// reach is how far beyond what is known to be chosen a configuration is known.
func (h *History) reach() paxos.Instance {
	if h.Alpha == 0 {
		return 2 // a command that decides alpha comes before a change, and that before it is in force
	}
	return h.Alpha
}

// at is the configuration in force at k, if no other change comes.
func (h *History) at(k paxos.Instance) Configuration {
	if k < h.From {
		return h.Before
	}
	return h.Now
}

// ErrVoid is returned for a command that changes nothing.
var ErrVoid = errors.New("it changes nothing")

// Decide is h after a command, chosen at some instance, that decides alpha.
func (h History) Decide(alpha paxos.Instance) (History, error) {
	if h.Alpha != 0 || h.IsZero() || alpha < 1 || alpha > MaxAlpha {
		return h, fmt.Errorf("%w: alpha %d", ErrVoid, alpha)
	}
	h.Alpha = alpha
	return h, nil
}

// Apply is h after a change that was chosen at i. R8: a change that is chosen before the one
// before it is in force is void, for everybody.
func (h History) Apply(i paxos.Instance, x Change) (History, error) {
	if err := h.may(i, x); err != nil {
		return h, fmt.Errorf("%w: %w", ErrVoid, err)
	}
	gone := slices.Clone(h.Gone)
	for _, a := range h.Now.Acceptors {
		if _, stays := x.Config.Find(a.ID); !stays {
			gone = append(gone, a)
		}
	}
	gone = gone[max(0, len(gone)-maxGone):]
	if len(gone) == 0 {
		gone = nil
	}
	return History{
		Alpha: h.Alpha, Since: h.From, Before: h.Now, At: i, From: i + h.Alpha, Now: x.Config, Replaced: x.Replaces, Gone: gone,
	}, nil
}

// may returns why a change cannot come at i, or nil.
func (h *History) may(i paxos.Instance, x Change) error {
	switch {
	case h.IsZero():
		return errors.New("the log has no configuration")
	case h.Alpha == 0:
		return errors.New("alpha is not decided")
	case i < h.From:
		return fmt.Errorf("the change at instance %d comes in force at %d", h.At, h.From)
	}
	for _, a := range x.Config.Acceptors {
		if slices.ContainsFunc(h.Gone, func(g Acceptor) bool { return g.ID == a.ID }) {
			return fmt.Errorf("%s was a member, and does not come back: take another id", a.ID)
		}
	}
	return x.follows(h.Now)
}

// WasReplaced reports whether id was a member, and is none of the newest configuration.
func (h *History) WasReplaced(id paxos.NodeID) bool {
	_, is := h.Now.Find(id)
	return !is && slices.ContainsFunc(h.Gone, func(g Acceptor) bool { return g.ID == id })
}
