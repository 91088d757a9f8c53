package explore

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// Prologues around a change. p1 leads, and is asked for it.
var (
	// ordered: p1 has proposed the change under a ballot for which it asked a1 and a2, and a1 has
	// voted for it.
	ordered = slices.Concat(ledByP1, []string{
		"p1 orders", "p1>a1 Prepare", "p1>a2 Prepare", "a1>p1 Promise", "a2>p1 Promise", "p1>a1 Accept",
	})
	// orderedByThree is ordered where a Phase 1 quorum of one of the configurations is of three.
	orderedByThree = []string{
		"p1 campaigns", "p1>a1 Prepare", "p1>a2 Prepare", "p1>a3 Prepare", "a1>p1 Promise", "a2>p1 Promise", "a3>p1 Promise",
		"p1 orders", "p1>a1 Prepare", "p1>a2 Prepare", "p1>a3 Prepare", "a1>p1 Promise", "a2>p1 Promise", "a3>p1 Promise", "p1>a1 Accept",
	}
	// lateP2: p2 asks everybody for a promise, at a ballot above that of the change.
	lateP2     = []string{"p2 campaigns", "p2>a1 Prepare"}
	lateP2Kept = []string{"a1>p2 Promise", "p2>a2 Prepare", "p2>a3 Prepare"}
	// soonP2 is the same where a2 is the first that p2 asks.
	soonP2     = []string{"p2 campaigns", "p2>a2 Prepare"}
	soonP2Kept = []string{"a2>p2 Promise", "p2>a1 Prepare", "p2>a3 Prepare"}
	// spread: what a1 has done is known to a2 and a3, so that it shows if a1 forgets it.
	spread     = []string{"a1>p1 Accepted", "p1 ticks", "p1>a2 Heartbeat", "p1>a3 Heartbeat"}
	spreadKept = []string{"p1>a1 Heartbeat", "a1>a3 Vouch"}
)

// aroundChange are clusters of which one acceptor is replaced, added or removed, in a log of some
// alpha. Each begins where something may go wrong.
func aroundChange(alpha paxos.Instance) []Config {
	replace := paxos.Member{Nonce: 1, Order: paxos.MemberReplace, ID: "a3", With: "a4", Force: true}
	add := paxos.Member{Nonce: 1, Order: paxos.MemberAdd, With: "a4", Phase1: 3, Phase2: 2, Force: true}
	remove := paxos.Member{Nonce: 1, Order: paxos.MemberRemove, ID: "a4", Phase1: 2, Phase2: 2, Force: true}
	var list []Config
	with := func(name, summary string, m paxos.Member, prologue, kept []string) *Config {
		x := Config{
			Name: fmt.Sprintf("%s-%d", name, alpha), Summary: fmt.Sprintf("%s; alpha %d", summary, alpha), Order: m, Prologue: prologue, Kept: kept,
			Acceptors: 3, Newcomers: 1, Proposers: 2, Alpha: alpha, Instances: int(3 + alpha), Ballots: 2, Renewals: 2, Held: true,
		}
		if m.Order == paxos.MemberReplace {
			x.RollBacks = 1 // of the one that is replaced, once that is chosen
		}
		if slices.Contains(prologue, "a1 forgets") {
			x.RollBacks, x.Patience = 1, 1 // it asks the others again
		}
		list = append(list, x)
		return &list[len(list)-1]
	}
	with("replace", "a dead acceptor is replaced, which one has voted for, and the other proposer does not know", replace, ordered, nil)
	with("replace-late", "the same while the other proposer collects promises, and learns of it late", replace, slices.Concat(ordered, lateP2), lateP2Kept)
	with("replace-old", "the same under an old leader whose values are in flight where the change is proposed and above", replace, slices.Concat(oldLeader(alpha), ordered), nil)
	with("replace-done", "the same where it is in force, and the newcomer has arrived: what is proposed there has the vote of one acceptor", replace,
		slices.Concat(inForce(alpha, ordered), soonP2), soonP2Kept)
	with("add", "an acceptor is added, with quorums that do not all meet those of before", add, orderedByThree, nil)
	with("add-done", "the same where it is in force, and the newcomer has arrived", add, slices.Concat(inForce(alpha, orderedByThree), soonP2), soonP2Kept)
	x := with("remove", "an acceptor that lives is removed, with quorums that do not all meet those of before", remove, orderedByThree, nil)
	x.Acceptors, x.Newcomers, x.Phase1, x.Phase2 = 4, 0, 3, 2
	with("forgets", "an acceptor is added, and one that has voted for that forgets it", add, slices.Concat(orderedByThree, spread, []string{"a1 forgets"}), spreadKept)
	with("forgets-first", "the same, and what it forgets is its promise to the leader that proposes the change", add,
		slices.Concat(orderedByThree[:len(orderedByThree)-1], spread[1:], []string{"a1 forgets"}), spreadKept)
	with("forgets-done", "the same, and what it forgets is that the change was chosen, and a vote where it is in force", add,
		slices.Concat(inForce(alpha, orderedByThree), []string{"a1 waits", "a1>a4 Vouch"}, spread, []string{"p1>a4 Heartbeat", "a1 forgets"}), spreadKept)
	return append(list, cancelled(alpha, replace, add)...)
}

// cancelled are clusters of which the newcomer of a change has not arrived when the change is in
// force, and is cancelled. It may arrive after all, at any time.
func cancelled(alpha paxos.Instance, replace, add paxos.Member) (list []Config) {
	out := paxos.Member{Nonce: 2, Order: paxos.MemberCancel, ID: "a4", Force: true}
	another := out
	another.With = "a5"
	again := []string{"p1 cancels", "p1>a1 Prepare", "p1>a2 Prepare", "a1>p1 Promise", "a2>p1 Promise", "p1>a1 Accept"}
	againByThree := []string{
		"p1 cancels", "p1>a1 Prepare", "p1>a2 Prepare", "p1>a3 Prepare", "a1>p1 Promise", "a2>p1 Promise", "a3>p1 Promise", "p1>a1 Accept",
	}
	for _, x := range []Config{
		{Name: "cancel", Summary: "a dead acceptor was replaced, the newcomer has not arrived, and is taken out again", Order: replace, Then: out, Prologue: again},
		{Name: "cancel-with", Summary: "the same, and another one takes the newcomer's place", Order: replace, Then: another, Prologue: again},
		{
			Name: "cancel-late", Summary: "the same while the other proposer collects promises, and learns of both changes late", Order: replace, Then: another,
			Prologue: slices.Concat(again, lateP2), Kept: lateP2Kept,
		},
		{Name: "cancel-add", Summary: "an acceptor was added, has not arrived, and is taken out again", Order: add, Then: out, Prologue: againByThree},
	} {
		ordered := ordered
		if x.Order.Order == paxos.MemberAdd {
			ordered = orderedByThree
		} else {
			x.RollBacks = 1
		}
		x.Name, x.Summary = fmt.Sprintf("%s-%d", x.Name, alpha), fmt.Sprintf("%s; alpha %d", x.Summary, alpha)
		x.Acceptors, x.Newcomers, x.Proposers, x.Alpha, x.Instances, x.Ballots, x.Renewals, x.Held = 3, 1, 2, alpha, int(3+2*alpha), 2, 3, true
		if x.Then.With != "" {
			x.Newcomers = 2
		}
		x.Prologue = slices.Concat(inForceAlone(alpha, ordered), x.Prologue)
		list = append(list, x)
	}
	return list
}

// oldLeader is a prologue: p2 leads by a2 and a3, and has proposed as far as alpha allows. a3
// has voted for the last of it.
func oldLeader(alpha paxos.Instance) []string {
	steps := []string{"p2 campaigns", "p2>a2 Prepare", "p2>a3 Prepare", "a2>p2 Promise", "a3>p2 Promise"}
	for range alpha {
		steps = append(steps, "@c>p2 Append")
	}
	return append(steps, "p2>a3 Accept")
}

// inForce is a prologue that goes on: the change is chosen by a1 and a2, and in force at the next
// instance. There p1 has proposed something, which a1 has voted for; and a4 has arrived.
func inForce(alpha paxos.Instance, ordered []string) []string {
	votes := []string{"p1>a2 Accept", "a1>p1 Accepted", "a2>p1 Accepted", "@c>p1 Append", "p1>a1 Accept"}
	steps := slices.Clone(ordered)
	for range alpha {
		steps = append(steps, votes...)
	}
	return append(steps, "a4 waits", "a4>a1 Fetch", "a1>a4 Page", "a4>a1 Vouch", "a1>a4 Vouched")
}

// inForceAlone is a prologue that goes on: the change is chosen by a1 and a2, which hold everything
// below the instance from which it is in force, and nothing is proposed there. a4 has not arrived.
func inForceAlone(alpha paxos.Instance, ordered []string) []string {
	votes := []string{"p1>a2 Accept", "a1>p1 Accepted", "a2>p1 Accepted"}
	steps := slices.Concat(ordered, votes)
	for range alpha - 1 {
		steps = slices.Concat(steps, []string{"@c>p1 Append", "p1>a1 Accept"}, votes)
	}
	return append(steps, "p1 ticks", "p1>a1 Heartbeat", "p1>a2 Heartbeat", "a1>p1 HeartbeatAck", "a2>p1 HeartbeatAck")
}
