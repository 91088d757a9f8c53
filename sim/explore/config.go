package explore

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// Config is a small cluster of which every reachable state is visited, breadth
// first: real machines, whose messages may arrive in any order, any number of times,
// or never. What was sent stays on the way for ever, which covers loss, duplication
// and reordering at once.
//
// A state is a state of each process and the set of messages sent. What a process
// makes of an input is computed once, by the real machine, and remembered, so that
// visiting a state costs little more than looking up numbers.
type Config struct {
	Name, Summary string
	Acceptors     int
	Proposers     int
	Learners      int  // with a client that appends once, and once more when it was answered
	Instances     int  // no leader proposes above it
	Ballots       int  // campaigns of proposers, each with a fresh start
	Renewals      int  // campaigns that leaders begin of their own accord
	Crashes       int  // restarts of acceptors, or of learners where there are any
	RollBacks     int  // restarts of acceptors with the directory that they began with
	Patience      int  // times that an acceptor's retry time may pass in one run
	Unsynced      int  // outputs of an acceptor that may be under way to its disk; 0: all is durable at once
	Genesis       bool // leaders of an empty log begin it; else it is of level 0
	Held          bool // messages that spread what is chosen: heartbeats, fetches, pages
	// Around a change of the acceptors:
	Alpha          paxos.Instance // of the log, which has begun; 0: a log of level 0, whose acceptors never change
	Phase1, Phase2 int            // sizes of quorums; 0: majorities
	Newcomers      int            // acceptors that join
	Order          paxos.Member   // what a leader is asked for
	Then           paxos.Member   // and after that
	// Unheard leaves out the votes that leaders are told: what they know to be chosen
	// makes no difference to learners, and many states.
	Unheard bool
	// Prologue is played first (see prologue). Then all messages are lost but those
	// that bear on what is chosen or carry values to learners, the client's, and Kept.
	Prologue, Kept []string

	plain bool // in tests: states that differ by a renaming of acceptors stay apart
}

// ledByP1 is a prologue: p1 leads.
var ledByP1 = []string{"p1 campaigns", "p1>a1 Prepare", "p1>a2 Prepare", "a1>p1 Promise", "a2>p1 Promise"}

// Configs are all named configurations, in the order of the list.
var Configs = slices.Concat(plain, aroundChange(1), aroundChange(2))

// plain are those whose acceptors stay the same.
var plain = []Config{
	{
		Name: "small", Summary: "3 acceptors, 2 proposers, 2 ballots, 1 instance",
		Acceptors: 3, Proposers: 2, Instances: 1, Ballots: 2,
	}, {
		Name: "ballots", Summary: "the same with 3 ballots",
		Acceptors: 3, Proposers: 2, Instances: 1, Ballots: 3,
	}, {
		Name: "instances", Summary: "2 ballots, 2 instances, and messages that spread what is chosen",
		Acceptors: 3, Proposers: 2, Instances: 2, Ballots: 2, Held: true,
	}, {
		Name: "disks", Summary: "2 ballots, disks that lag, and a crash that loses what was not synced",
		Acceptors: 3, Proposers: 2, Instances: 1, Ballots: 2, Crashes: 1, Unsynced: 1,
	}, {
		Name: "lost-vote", Summary: "an acceptor forgets a vote that helped to choose a value, and rejoins",
		Acceptors: 3, Proposers: 2, Instances: 1, Ballots: 2, Renewals: 1, RollBacks: 1, Patience: 1, Held: true,
		Prologue: []string{
			"p1 campaigns", "p1>a1 Prepare", "p1>a2 Prepare", "a1>p1 Promise", "a2>p1 Promise",
			"@c>p1 Append", "p1>a1 Accept", "p1>a2 Accept", "a1>p1 Accepted", "a2>p1 Accepted",
			"p1 ticks", "p1>a2 Heartbeat", "p1>a3 Heartbeat", "a2>p1 HeartbeatAck", "a3>p1 HeartbeatAck", "a1 forgets",
		},
		Kept: []string{"p1>a1 Heartbeat", "a1>a3 Vouch"},
	}, {
		Name: "lost-promise", Summary: "an acceptor forgets a promise that a candidate has not counted yet, and rejoins",
		Acceptors: 3, Proposers: 2, Instances: 1, Ballots: 2, Renewals: 1, RollBacks: 1, Patience: 1, Held: true,
		Prologue: []string{
			"p1 campaigns", "p1>a1 Prepare", "p1>a2 Prepare", "a1>p1 Promise", "a2>p1 Promise",
			"p1>a2 Heartbeat", "p1>a3 Heartbeat", "a2>p1 HeartbeatAck", "a3>p1 HeartbeatAck", "p2 campaigns", "p2>a1 Prepare", "a1 forgets",
		},
		Kept: []string{"p1>a1 Heartbeat", "a1>a3 Vouch", "a1>p2 Promise", "p2>a3 Prepare"},
	}, {
		Name: "rejoin-vote", Summary: "lost-vote from where the others have voided its promises, with a crash",
		Acceptors: 3, Proposers: 2, Instances: 1, Ballots: 2, Renewals: 1, RollBacks: 1, Patience: 1, Crashes: 1, Held: true,
		Prologue: []string{
			"p1 campaigns", "p1>a1 Prepare", "p1>a2 Prepare", "a1>p1 Promise", "a2>p1 Promise",
			"@c>p1 Append", "p1>a1 Accept", "p1>a2 Accept", "a1>p1 Accepted", "a2>p1 Accepted",
			"p1 ticks", "p1>a2 Heartbeat", "p1>a3 Heartbeat", "a2>p1 HeartbeatAck", "a3>p1 HeartbeatAck", "a1 forgets", "a1>a3 Vouch", "a3>a1 Vouched",
			"p1>a1 Heartbeat", "a1>p1 Rejoin", "p1>a2 Prepare", "p1>a3 Prepare", "a2>p1 Promise", "a3>p1 Promise",
		},
		Kept: []string{"p1>a1 Rejoined"},
	}, {
		Name: "rejoin-promise", Summary: "lost-promise from where the others have voided its promises, with a crash",
		Acceptors: 3, Proposers: 2, Instances: 1, Ballots: 2, Renewals: 1, RollBacks: 1, Patience: 1, Crashes: 1, Held: true,
		Prologue: []string{
			"p1 campaigns", "p1>a1 Prepare", "p1>a2 Prepare", "a1>p1 Promise", "a2>p1 Promise",
			"p1>a2 Heartbeat", "p1>a3 Heartbeat", "a2>p1 HeartbeatAck", "a3>p1 HeartbeatAck", "p2 campaigns", "p2>a1 Prepare", "a1 forgets", "a1>a3 Vouch", "a3>a1 Vouched",
			"p1>a1 Heartbeat", "a1>p1 Rejoin", "p1>a2 Prepare", "p1>a3 Prepare", "a2>p1 Promise", "a3>p1 Promise",
		},
		Kept: []string{"p1>a1 Rejoined", "a1>p2 Promise", "p2>a3 Prepare"},
	}, {
		Name: "rejoin-twice", Summary: "an acceptor that has rejoined forgets a vote of its new life, under the same leader",
		Acceptors: 3, Proposers: 2, Instances: 1, Ballots: 2, Renewals: 2, RollBacks: 2, Patience: 1, Held: true,
		Prologue: []string{
			"p1 campaigns", "p1>a1 Prepare", "p1>a2 Prepare", "a1>p1 Promise", "a2>p1 Promise",
			"p1>a2 Heartbeat", "p1>a3 Heartbeat", "a2>p1 HeartbeatAck", "a3>p1 HeartbeatAck", "a1 forgets", "a1>a3 Vouch", "a3>a1 Vouched",
			"p1>a1 Heartbeat", "a1>p1 Rejoin", "p1>a2 Prepare", "p1>a3 Prepare", "a2>p1 Promise", "a3>p1 Promise", "p1>a1 Rejoined",
			"@c>p1 Append", "p1>a1 Accept", "p1>a2 Accept", "a1>p1 Accepted", "a2>p1 Accepted", "p1 ticks", "p1>a2 Heartbeat", "p1>a3 Heartbeat",
			"a2>p1 HeartbeatAck", "a3>p1 HeartbeatAck", "a1 forgets", "a1>a3 Vouch", "a3>a1 Vouched",
		},
		Kept: []string{"p1>a1 Heartbeat"},
	}, {
		Name: "genesis", Summary: "two leaders of an empty log, each of which begins another one, with a crash",
		Acceptors: 3, Proposers: 2, Instances: 2, Ballots: 2, Crashes: 1, Held: true, Genesis: true,
		Prologue: []string{"p1 campaigns", "p1>a1 Prepare", "p1>a2 Prepare", "a1>p1 Promise", "p2 campaigns"},
		Kept:     []string{"a2>p1 Promise", "p1>a3 Prepare", "p2>a1 Prepare", "p2>a2 Prepare", "p2>a3 Prepare"},
	}, {
		Name: "learner", Summary: "two ballots, of which the second finds a vote of the first or does not; a learner, and a client that appends once more when it was answered",
		Acceptors: 3, Proposers: 2, Learners: 1, Instances: 2, Ballots: 2, Unheard: true,
		Prologue: slices.Concat(ledByP1, []string{"@c>p1 Append", "p1>a1 Accept", "p2 campaigns"}),
		Kept:     []string{"p2>a1 Prepare", "p2>a2 Prepare", "p2>a3 Prepare"},
	}, {
		Name: "learner-ballots", Summary: "the same with 2 acceptors, from where p1 leads",
		Acceptors: 2, Proposers: 2, Learners: 1, Instances: 2, Ballots: 2, Unheard: true,
		Prologue: ledByP1,
	}, {
		Name: "learner-repeat", Summary: "the client's first append is chosen twice, before its second one; the learner restarts",
		Acceptors: 2, Proposers: 1, Learners: 1, Instances: 3, Ballots: 1, Crashes: 1, Unheard: true,
		Prologue: slices.Concat(ledByP1, []string{
			"@c>p1 Append", "p1>a1 Accept", "p1>a2 Accept", "@c>p1 Append", "p1>a1 Accept", "p1>a2 Accept",
		}),
	}, {
		Name: "learner-restart", Summary: "a learner that restarts, with its directory or with an empty one",
		Acceptors: 3, Proposers: 1, Learners: 1, Instances: 2, Ballots: 1, Crashes: 1, Unheard: true,
		Prologue: ledByP1,
	}, {
		Name: "everything", Summary: "3 ballots, 2 instances, a crash, a lost directory, disks that lag",
		Acceptors: 3, Proposers: 2, Instances: 2, Ballots: 3, Renewals: 1, Crashes: 1, RollBacks: 1, Patience: 1, Unsynced: 1, Held: true,
	},
}

// Find returns the configuration of that name.
func Find(name string) (Config, bool) {
	i := slices.IndexFunc(Configs, func(x Config) bool { return x.Name == name })
	if i < 0 {
		return Config{}, false
	}
	return Configs[i], true
}
