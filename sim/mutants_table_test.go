package sim

// mutant is a bug that other implementations shipped, put back into this code at
// one place.
type mutant struct {
	row      int // of docs/hazards.md
	name     string
	file     string
	old, new string
	by       string // what must notice it: a test of the file's package, or simulation
	in       string // the package of that test, if it is another one
	hang     bool   // the bug is that something hangs: a test that does not end notices it
}

// simulation, for mutant.by, is random seeds, one after the other.
const simulation = "simulation"

// notHere are the rows of docs/hazards.md of which no mutant can exist, and why.
var notHere = map[int]string{
	15: "nothing is trimmed yet",
}

// mutants are in the order of their rows.
var mutants = []mutant{
	{row: 1, name: "accept does not raise promised", file: "acceptor/phase2.go", by: simulation,
		old: "	a.promise(m.Ballot)\n	a.hear(m.Ballot)\n	if a.votes",
		new: "	a.hear(m.Ballot)\n	if a.votes"},
	{row: 2, name: "ballots are the same in each run", file: "proposer/preparing.go", by: "TestBallotsDiffer",
		old: "Proposer: p.cfg.ID, Run: p.cfg.Run}",
		new: "Proposer: p.cfg.ID}"},
	{row: 3, name: "votes of any ballot count for the leader", file: "proposer/leading.go", by: "TestWindow",
		old: "		if r.Ballot != l.ballot {\n			continue\n		}\n",
		new: ""},
	{row: 4, name: "votes leave before their sync", file: "acceptor/phase2.go", by: simulation,
		old: "		a.Out.Sync = true\n		for _, s",
		new: "		for _, s"},
	{row: 4, name: "promises leave before their sync", file: "acceptor/phase1.go", by: simulation,
		old: "		a.Out.Sync = true\n",
		new: ""},
	{row: 5, name: "recovery takes any accepted value", file: "proposer/preparing.go", by: "TestForcedValues",
		old: "old.Ballot.Less(v.Ballot)",
		new: "false"},
	{row: 6, name: "a page is taken whatever its number", file: "proposer/preparing.go", by: "TestPages",
		old: "m.Nonce != c.nonce || m.Page != c.next",
		new: "m.Nonce != c.nonce"},
	{row: 6, name: "one page is taken for the whole promise", file: "proposer/preparing.go", by: simulation,
		old: "	case m.Last:\n",
		new: "	case true:\n"},
	{row: 7, name: "reported instances are filled with no-ops", file: "proposer/leading.go", by: simulation,
		old: "			v, ok := values[l.next]\n",
		new: "			v, ok := paxos.Value{}, values == nil\n"},
	{row: 8, name: "a vote counts each time it is told", file: "paxos/quorum.go", by: simulation,
		old: "return s | 1<<uint(i)",
		new: "return s<<1 | 1"},
	{row: 9, name: "votes at different ballots add up", file: "learner/choose.go", by: simulation,
		old: "		if s.ballots[i].ballot == b {",
		new: "		if true {"},
	{row: 10, name: "chosenUpTo covers votes of any ballot", file: "acceptor/phase2.go", by: simulation,
		old: "a.votes[a.held+1] == a.announced",
		new: "!a.votes[a.held+1].IsZero()"},
	{row: 12, name: "repeats are applied again", file: "learner/apply.go", by: simulation,
		old: "	case end <= last:\n		l.use(r.Session)\n		l.answerStored(r.Session, r.First, end)\n		return none\n	case r.First <= last:",
		new: "	case false:"},
	{row: 13, name: "a later command is applied over a gap", file: "learner/apply.go", by: simulation,
		old: "	case r.First > last+1:",
		new: "	case false:"},
	{row: 14, name: "an instance that was never learned is skipped", file: "learner/choose.go", by: simulation,
		old: "		if v == nil {\n			return\n		}",
		new: "		if v == nil && l.highest > l.state.Applied+1 {\n			l.state.Applied++\n			continue\n		}\n		if v == nil {\n			return\n		}"},
	{row: 18, name: "a leader with hung disks keeps leading", file: "proposer/upkeep.go", by: "TestStall",
		old: "p.now-o.born > p.cfg.StallTicks",
		new: "false"},
	{row: 18, name: "an acceptor with a hung disk answers heartbeats", file: "acceptor/phase1.go", by: "TestHungSync",
		old: "	if !a.hung() {",
		new: "	if true {"},
	{row: 19, name: "a returning proposer deposes a live leader", file: "acceptor/phase1.go", by: "TestPrepareExhaustive",
		old: "	return a.now-a.heardAt < a.cfg.ElectionTicks && !a.heard.SameRun(b)",
		new: "	return false"},
	{row: 20, name: "a proposer campaigns only when all acceptors are silent", file: "proposer/standby.go", by: simulation,
		old: "	if p.cfg.Membership.IsPhase1(silent) {",
		new: "	if silent.Len() == len(s.answers) {"},
	{row: 21, name: "a client's result is told for whatever is applied", file: "learner/apply.go", by: simulation,
		old: "		Index: index, Instance: rec.Instance",
		new: "		Index: index + 1, Instance: rec.Instance"},
	{row: 24, name: "sessions expire in another order after a restart", file: "learner/session.go", by: simulation,
		old: "cmp.Compare(a.Used, b.Used)",
		new: "cmp.Compare(b.Used, a.Used)"},
	{row: 25, name: "quorums need not intersect", file: "paxos/quorum.go", by: "TestQuorumsMustIntersect",
		old: "	case m.Phase1+m.Phase2 <= n:",
		new: "	case false:"},
	{row: 27, name: "an expired session begins anew", file: "learner/apply.go", by: simulation,
		old: "id.Birth() >= l.state.Floor &&",
		new: ""},
	{row: 29, name: "a wiped acceptor votes at once", file: "acceptor/phase1.go", by: "TestPrepareExhaustive",
		old: "	case !a.admitted:\n		a.reject(from, m.Ballot, m.Nonce, paxos.RejectNotAdmitted)\n		return\n",
		new: ""},
	{row: 30, name: "a read takes the lowest answer for its point", file: "paxos/quorum.go", by: simulation,
		old: "return sorted[len(sorted)-k], true",
		new: "return sorted[0], true"},
	{row: 31, name: "a page is called held by a later mark", file: "acceptor/phase1.go", by: "TestPageWhileHeldMoves",
		old: "Nonce: p.nonce, From: p.from, Held: p.held, Runs: p.runs, Values: m.Votes[:n]",
		new: "Nonce: p.nonce, From: p.from, Held: a.held, Runs: p.runs, Values: m.Votes"},
	{row: 32, name: "a late Accept overwrites what is held", file: "acceptor/phase2.go", by: simulation,
		old: "	case m.Instance <= a.held:",
		new: "	case false:"},
	{row: 33, name: "nobody repairs what only a lost acceptor held", file: "proposer/upkeep.go", by: "TestRepair",
		old: "m.Instance == 0 || m.Instance > l.chosenUpTo",
		new: "m.Instance >= 0"},
	{row: 34, name: "a vote counts for every ballot of its instance", file: "learner/choose.go", by: simulation,
		old: "t.votes = t.votes.With(place)",
		new: "t.votes = t.votes.With(place)\n			for k := range l.slot(i).ballots {\n				l.slot(i).ballots[k].votes = l.slot(i).ballots[k].votes.With(place)\n			}"},
	{row: 35, name: "heartbeats of a deposed leader count", file: "acceptor/phase1.go", by: "TestHeartbeatBelowPromised",
		old: "	a.learnChosen(m.Ballot, m.ChosenUpTo)\n	if m.Ballot.Less(a.promised) {",
		new: "	a.learnChosen(m.Ballot, m.ChosenUpTo)\n	a.hear(m.Ballot)\n	if m.Ballot.Less(a.promised) {"},
	{row: 35, name: "answers to old heartbeats keep a leader", file: "proposer/leading.go", by: "TestStepDownWithoutQuorum",
		old: "l.fresh[place] = max(l.fresh[place], sent)",
		new: "l.fresh[place] = p.now"},
}
