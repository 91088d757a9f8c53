package shapes

import (
	"errors"
	"syscall"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
)

// Status is what `status -o json` prints.
type Status struct {
	Cluster string  `json:"cluster"`
	Log     *string `json:"log"` // its id, null if it has none or no process knows it
	Leader  *string `json:"leader"`
	Ballot  *string `json:"ballot"`
	Quorum  bool    `json:"quorum"`
	Epoch   *uint64 `json:"epoch"` // of the log's configuration, null if nobody has said it
	// FirstIndex is the first index that is kept, null if the log is empty, or no learner says it.
	FirstIndex *paxos.Index `json:"first_index"`
	Acceptors  []Acceptor   `json:"acceptors"`
	Proposers  []Proposer   `json:"proposers"`
	Learners   []Learner    `json:"learners"`
}

// firstIndex is the first index that is kept, 0 if no learner says it. It never falls, so the
// learner that names the highest one knows best. One whose log is wrong does not count.
func firstIndex(s client.Status) (first paxos.Index) {
	for _, p := range s.Processes {
		if p.Err == nil && p.Role == paxos.RoleLearner && p.Reason == "" {
			first = max(first, p.First)
		}
	}
	return first
}

// Process is what is known of every process; the rest is null if it is down.
type Process struct {
	ID    string  `json:"id"`
	Addr  string  `json:"addr"`
	Up    bool    `json:"up"`
	Error *string `json:"error,omitempty"` // why it counts as down
	// Drained says that it is about to be stopped, as somebody has told it.
	Drained *bool `json:"drained"`
	// TLS is on which connections it uses TLS: off, accept or require. PlainPeers and PlainClients
	// are those without it, null where TLS is off. CertEnds is when its certificate ends, null if it
	// has none.
	TLS          *string   `json:"tls"`
	PlainPeers   *[]string `json:"plain_peers"`
	PlainClients *int      `json:"plain_clients"`
	CertEnds     *string   `json:"certificate_ends"`
	// ClockAhead is how far its clock is ahead of that in the middle of all, negative if it is behind,
	// null where it is not known.
	ClockAhead *int64 `json:"clock_ahead_ms"`

	Trouble Trouble `json:"-"` // what Error means
	Former  bool    `json:"-"` // it is none of the log any more: whether it is up is of no account
}

// takeTLS takes what is known of a process's connections.
func (p *Process) takeTLS(r client.ProcessState, up bool) {
	p.TLS = Known(Printable(string(r.TLS)), up)
	isOn := up && r.TLS != config.TLSOff
	peers := []string{}
	for _, id := range r.Plain {
		peers = append(peers, Printable(id))
	}
	p.PlainPeers, p.PlainClients = Known(peers, isOn), Known(r.PlainClients, isOn)
	p.CertEnds = Known(r.CertEnds.Format(time.RFC3339), up && !r.CertEnds.IsZero())
}

// What makes every struct that embeds a Process tell it.
func (p Process) What() Process { return p }

// Trouble is why nothing is known of a process, as far as it tells what to do.
type Trouble byte

// The troubles.
const (
	NoTrouble Trouble = iota
	Down              // nobody takes connections at its address
	Hangs             // it takes connections and does not answer
	Unasked           // it could not be asked: it may run, or not
	Refuses           // it answers, as somebody else than was meant
)

// TroubleOf says what a failure to ask means. What does not tell for sure that nobody is
// there is no reason to say so.
func TroubleOf(err error) Trouble {
	var refusal *transport.RefusedError
	switch {
	case err == nil:
		return NoTrouble
	case errors.As(err, &refusal):
		return Refuses
	case errors.Is(err, transport.ErrNoAnswer):
		return Hangs
	case errors.Is(err, syscall.ECONNREFUSED):
		return Down
	}
	return Unasked
}

// Acceptor is what is known of an acceptor.
type Acceptor struct {
	Process
	Promised *string         `json:"promised"`
	Accepted *paxos.Instance `json:"accepted"`      // the highest instance that it voted for, and synced
	Chosen   *paxos.Instance `json:"chosen"`        // the highest instance that it knows to be chosen
	Missing  *uint64         `json:"missing"`       // chosen instances that it does not have
	Voting   *bool           `json:"voting"`        // its peers vouched for it
	Forgot   *bool           `json:"has_forgotten"` // votes: it has to rejoin
	Reason   *string         `json:"reason"`        // why it does not vote
	Member   *bool           `json:"member"`        // of the newest configuration
	Disk
}

// Disk is what is known of the disk of an acceptor or learner.
type Disk struct {
	Hangs *int64  `json:"disk_hangs_ms"` // for how long a sync or write has been under way; 0: no longer than usual
	Bytes *uint64 `json:"disk_bytes"`    // what its data directory takes
	Free  *uint64 `json:"disk_free"`     // what is free on its volume
	Room  *uint64 `json:"disk_room"`     // bytes of entries that it takes before it is short of disk; 0: it is
}

func diskOf(r client.ProcessState, up bool) Disk {
	known := up && r.DiskBytes > 0
	return Disk{Hangs: Known(r.DiskHangs.Milliseconds(), up), Bytes: Known(r.DiskBytes, known), Free: Known(r.DiskFree, known), Room: Known(r.DiskRoom.Bytes(), up && r.DiskRoom.IsKnown())}
}

// Proposer is what is known of a proposer.
type Proposer struct {
	Process
	State  *string         `json:"state"`
	Ballot *string         `json:"ballot"` // its own, or that of the leader it hears of
	Chosen *paxos.Instance `json:"chosen"` // of the leader
	Reason *string         `json:"reason"` // why it does not lead

	Refuses *string `json:"refuses_appends"` // of the leader: why it refuses appends
}

// Learner is what is known of a learner.
type Learner struct {
	Process
	Learned    *paxos.Instance `json:"learned"`
	FirstIndex *paxos.Index    `json:"first_index"`  // 0 if the log is empty
	LastIndex  *paxos.Index    `json:"last_index"`   // 0 if the log is empty
	Lag        *uint64         `json:"lag"`          // chosen instances that it has not learned
	Chain      *string         `json:"chain"`        // of the instance learned; null if the log has none
	Reason     *string         `json:"reason"`       // why it serves nobody: it is wrong
	LogAhead   *int64          `json:"log_ahead_ms"` // how far the time of its last entry is ahead of the clock in the middle; null if it is not, or not known
	Disk
}

// logOf is the log that most processes say they are of.
func logOf(s client.Status) (most client.LogID) {
	says := map[client.LogID]int{}
	for _, p := range s.Processes {
		if p.Err == nil && !p.Log.IsZero() {
			if says[p.Log]++; says[p.Log] > says[most] {
				most = p.Log
			}
		}
	}
	return most
}

// NewStatus translates what the client found out.
func NewStatus(cluster string, s client.Status) Status {
	out := Status{
		Cluster: cluster, Leader: Known(s.Leader, s.Leader != ""), Ballot: Known(s.Ballot.String(), s.Leader != ""), Quorum: s.Quorum,
		Epoch:     Known(s.Epoch, s.Epoch != 0),
		Acceptors: []Acceptor{}, Proposers: []Proposer{}, Learners: []Learner{},
	}
	first := firstIndex(s)
	out.FirstIndex = Known(first, first > 0)
	log := logOf(s)
	out.Log = Known(log.String(), !log.IsZero())
	chosen := HighestChosen(s)
	for _, p := range s.Processes {
		up, r := p.Err == nil, p.ProcessState
		base := Process{ID: p.ID, Addr: p.Addr, Up: up, Former: p.Former, Drained: Known(r.Drained, up)}
		base.takeTLS(r, up)
		if up && r.Ahead != nil {
			base.ClockAhead = Known(r.Ahead.Milliseconds(), true)
		}
		if !up {
			base.Error, base.Trouble = Known(OneLine(p.Err), true), TroubleOf(p.Err)
		}
		switch p.Role {
		case paxos.RoleAcceptor:
			out.Acceptors = append(out.Acceptors, Acceptor{
				Process: base, Promised: Known(r.Promised.String(), up && !r.Promised.IsZero()), Accepted: Known(r.Highest, up),
				Chosen: Known(r.Chosen, up), Missing: Known(r.Missing, up), Voting: Known(r.Voting, up), Forgot: Known(r.Forgot, up),
				Reason: Known(Printable(r.Reason), up && r.Reason != ""),
				Member: Known(!p.Former, s.Epoch != 0),
				Disk:   diskOf(r, up),
			})
		case paxos.RoleProposer:
			out.Proposers = append(out.Proposers, Proposer{
				Process: base, State: Known(Printable(r.State), up), Ballot: Known(r.Ballot.String(), up && !r.Ballot.IsZero()),
				Chosen: Known(r.Chosen, up && r.State == leadingState), Reason: Known(Printable(r.Reason), up && r.Reason != "" && r.State != leadingState),
				Refuses: Known(Printable(r.Reason), up && r.Reason != "" && r.State == leadingState),
			})
		case paxos.RoleLearner:
			var ahead *int64
			if up && r.LogAhead != nil {
				ahead = Known(r.LogAhead.Milliseconds(), true)
			}
			out.Learners = append(out.Learners, Learner{
				LogAhead: ahead,
				Process:  base, Learned: Known(r.Applied, up), FirstIndex: Known(r.First, up), LastIndex: Known(r.Last, up),
				Lag: Known(uint64(chosen-min(chosen, r.Applied)), up), Disk: diskOf(r, up),
				Chain: Known(r.Chain.String(), up && !r.Chain.IsZero()), Reason: Known(Printable(r.Reason), up && r.Reason != ""),
			})
		}
	}
	return out
}

// leadingState is what a proposer that leads calls its state.
const leadingState = "leading"

// HighestChosen is the highest instance that any process knows to be chosen.
func HighestChosen(s client.Status) paxos.Instance {
	var chosen paxos.Instance
	for _, p := range s.Processes {
		if p.Err == nil {
			chosen = max(chosen, p.Chosen, p.Applied)
		}
	}
	return chosen
}
