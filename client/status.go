package client

import (
	"context"
	"slices"
	"time"

	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// LogID names one log for ever.
type LogID = paxos.LogID

// Room is what a process has room for on its disk, if that is known.
type Room = paxos.Room

// Chain is a running hash over a log: learners that have applied the same have the same.
type Chain = paxos.Chain

// Role is what a process is.
type Role = paxos.Role

// The roles of the processes that Status asks.
const (
	RoleAcceptor = paxos.RoleAcceptor
	RoleProposer = paxos.RoleProposer
	RoleLearner  = paxos.RoleLearner
)

// ProcessStatus is one process and its state. If Err is not nil, the state is not known.
type ProcessStatus struct {
	Peer
	Role Role
	Err  error
	// Former says that it is none of this log any more: nobody counts it.
	Former bool
	ProcessState
}

// ProcessState is what a process says of itself; fields of other roles are zero.
type ProcessState struct {
	Chosen Instance // highest known to be chosen; of a proposer, chosenUpTo
	Reason string   // of an acceptor, why it does not vote; of a proposer, why it is not leading; of a learner, why it serves nobody
	Log    LogID    // that it knows to be of; zero if it knows none, or the log has no id
	Level  uint64   // of that log: what may be proposed in it

	// Program is the version of its program, "" if it does not say it. Oldest and Speaks are the
	// versions of the protocol that it speaks, and Knows the highest level that it knows. An older
	// release, which says none of this, has zeros.
	Program               string
	Oldest, Speaks, Knows uint64
	// Format is that of its data directory, and Converts what that becomes when the log has a
	// level; zero if they are not known.
	Format, Converts uint64

	// Drained says that it is about to be stopped, as somebody has told it: see Drain.
	Drained bool

	// TLS is on which connections it uses TLS: off, accept or require. Plain are the processes
	// that it has a connection to without, and PlainClients how many clients have one, unless it
	// is off. CertEnds is when its certificate ends, zero if it has none.
	TLS          config.TLSMode
	Plain        []string
	PlainClients int
	CertEnds     time.Time

	// Ahead is how far its clock is ahead of that in the middle of all that were asked, as far as can be
	// told: less what an answer takes; negative if it is behind. It is nil where a clock is not known.
	Ahead *time.Duration

	// Of an acceptor.
	Promised Ballot
	Highest  Instance // highest instance accepted, and synced
	Held     Instance // every instance up to it is in its store
	Missing  uint64   // chosen instances that it does not have
	Voting   bool     // its peers vouched for it
	Forgot   bool     // it has forgotten votes, and has to rejoin

	// Of an acceptor or learner: for how long its oldest sync or write has been under way, 0
	// if that is no longer than usual; what its data directory takes of its volume; and what
	// is free there. The last two are 0 if they are not known.
	DiskHangs time.Duration
	DiskBytes uint64
	DiskFree  uint64
	// DiskRoom is how many bytes of entries it takes before it is short of disk.
	DiskRoom Room

	// Of a proposer.
	State  string // standby, preparing, leading
	Ballot Ballot // its own, or the leader's it hears of
	Quorum bool   // leading, with fresh answers of a Phase 2 quorum

	// Of a learner.
	Applied  Instance
	First    Index    // first index kept, 0 if the log is empty
	Last     Index    // last index, 0 if the log is empty
	Open     Instance // the instance that it waits for, 0 if none
	Sessions int
	Chain    Chain // of what it has applied up to Applied, zero if the log has none
	// LogAhead is how far the time of the entry that it applied last is ahead of that clock in the middle,
	// nil as Ahead, and if it is not ahead.
	LogAhead *time.Duration

	clock, logTime time.Duration // ahead of the clock of this process
}

// stateOf is a process's answer as applications see it.
func stateOf(r *paxos.StatusReply) ProcessState {
	s := ProcessState{
		Chosen: r.Chosen, Reason: r.Reason, Drained: r.Drained, Log: r.Log, Level: r.Level,
		Program: r.Program, Oldest: r.Oldest, Speaks: r.Speaks, Knows: r.Knows, Format: r.Format, Converts: r.Converts,
		Promised: r.Promised, Highest: r.Highest, Held: r.Held, Missing: r.Missing, Voting: r.Voting, Forgot: r.Forgot,
		State: r.State, Ballot: r.Ballot, Quorum: r.Quorum,
		DiskHangs: time.Duration(r.DiskHangs) * time.Millisecond, DiskBytes: r.DiskBytes, DiskFree: r.DiskFree, DiskRoom: r.DiskRoom,
		Applied: r.Applied, First: r.First, Last: r.Last, Open: r.Open, Sessions: r.Sessions, Chain: r.Chain,
		TLS: config.TLSMode(r.TLS), PlainClients: r.PlainClients,
	}
	for _, id := range r.Plain {
		s.Plain = append(s.Plain, string(id))
	}
	if r.TLS == "" {
		s.TLS = config.TLSOff
	}
	if now := paxos.UnixNanos(time.Now().UnixNano()); r.Clock > 0 {
		s.Ahead, s.clock, s.logTime = new(time.Duration), time.Duration(r.Clock-now), time.Duration(r.LogTime-now)
	}
	if r.Ends > 0 {
		s.CertEnds = time.Unix(int64(r.Ends), 0).UTC()
	}
	return s
}

// Status is the state of every process of the cluster, in the order of the
// options: acceptors, and those that came later, proposers, learners.
type Status struct {
	Processes []ProcessStatus
	Leader    string // "" if none leads
	Ballot    Ballot // the leader's, zero if none leads
	Quorum    bool   // the leader has fresh answers of a quorum
	Serving   bool   // a learner serves, and is not wrong
	Epoch     uint64 // of the configuration, 0 if nobody has said it
	// Members are the processes as the leader knows them; nil if that is not known. Those of the
	// cluster file are the first ones, and others may have taken their places.
	Members *Members
}

// MayDiffer reports whether the acceptors may be others than those of the cluster file, and
// which they are is not known.
func (s *Status) MayDiffer() bool {
	return s.Members == nil && slices.ContainsFunc(s.Processes, func(p ProcessStatus) bool { return p.Level >= control.LevelMembers })
}

// statusWait bounds the wait for processes that do not answer.
const statusWait = 2 * time.Second

// hangWait is how long a process may take to greet or to answer before it counts as one
// that hangs. Who has less time learns only that nothing came back in it.
const hangWait = 1500 * time.Millisecond

// Status asks every process. It returns when all have answered or are known to
// be down; those that stay silent for 2 seconds, or until ctx ends, have an error that
// says whether they took a connection. Processes that came after the cluster file was written are
// asked, too, as soon as anybody tells of them.
func (c *Client) Status(ctx context.Context) (Status, error) {
	all := c.askAll(ctx)
	s := summarise(all)
	if s.Members = c.membersOf(ctx, &s); s.Members != nil {
		s.Epoch = s.Members.Epoch
	} else if d := c.directory().listed; d != nil {
		s.Epoch = d.Epoch
	}
	return s, nil
}

// membersOf are the acceptors as the leader of s knows them, nil if nobody leads, or the log is
// of a level at which they cannot change, or the leader does not answer.
func (c *Client) membersOf(ctx context.Context, s *Status) *Members {
	leader := slices.IndexFunc(s.Processes, func(p ProcessStatus) bool { return p.Role == RoleProposer && p.ID == s.Leader })
	if leader < 0 || s.Processes[leader].Level < control.LevelMembers {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	m, err := c.membersAt(ctx, s.Leader, &paxos.Member{Nonce: operateNonce})
	if err != nil {
		return nil
	}
	return &m
}

// summarise says what these answers come to together.
func summarise(answers []ProcessStatus) Status {
	all := slices.Clone(answers)
	s := Status{Processes: all}
	var best paxos.Ballot
	compareClocks(all)
	chosen := paxos.Instance(0) // as far as any process knows
	for _, p := range all {
		if p.Err == nil {
			chosen = max(chosen, p.Chosen, p.Held)
		}
	}
	for i, p := range all {
		if p.Err != nil {
			continue
		}
		if known := p.Chosen; p.Role == paxos.RoleAcceptor && chosen > known {
			// It has not heard of the rest.
			all[i].Missing += uint64(chosen - known)
		}
		if p.Role == paxos.RoleLearner && p.Reason == "" {
			s.Serving = true
		}
		if p.State == "leading" && best.Less(p.Ballot) {
			best = p.Ballot
			s.Leader, s.Ballot, s.Quorum = p.ID, best, p.Quorum
		}
	}
	return s
}

// compareClocks says how far each clock, and the time of the log, is ahead of the clock in the middle.
func compareClocks(all []ProcessStatus) {
	var clocks []time.Duration
	for _, p := range all {
		if p.Err == nil && p.Ahead != nil {
			clocks = append(clocks, p.clock)
		}
	}
	if len(clocks) == 0 {
		return
	}
	slices.Sort(clocks)
	middle := clocks[(len(clocks)-1)/2]
	for i := range all {
		p := &all[i]
		if p.Err != nil || p.Ahead == nil {
			continue
		}
		ahead := p.clock - middle
		p.Ahead = &ahead
		if log := p.logTime - middle; p.Role == paxos.RoleLearner && p.Last > 0 && log > 0 {
			p.LogAhead = &log
		}
	}
}
