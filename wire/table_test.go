package wire

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

const (
	acceptor = paxos.RoleAcceptor
	proposer = paxos.RoleProposer
	learner  = paxos.RoleLearner
	client   = paxos.RoleClient
)

type pair struct{ from, to paxos.Role }

// between lists the pairs of each sender with each receiver.
func between(from []paxos.Role, to ...paxos.Role) (out []pair) {
	for _, f := range from {
		for _, r := range to {
			out = append(out, pair{f, r})
		}
	}
	return out
}

func from(r ...paxos.Role) []paxos.Role { return r }

// allowed says once more, apart from the table, who may send what: a row that lets
// somebody send what it should not is a decision that two places have to agree on.
var allowed = map[string][]pair{
	"Prepare":      between(from(proposer), acceptor),
	"Promise":      between(from(acceptor), proposer),
	"Accept":       between(from(proposer), acceptor),
	"Accepted":     between(from(acceptor), proposer, learner),
	"Relay":        between(from(acceptor), learner),
	"Reject":       between(from(acceptor), proposer),
	"Heartbeat":    between(from(proposer), acceptor),
	"HeartbeatAck": between(from(acceptor), proposer),
	"Query":        between(from(proposer), acceptor),
	"QueryReply":   between(from(acceptor), proposer),
	"Poll":         between(from(learner), acceptor),
	"PollReply":    between(from(acceptor), learner),
	"Fetch":        between(from(learner, acceptor), acceptor, learner),
	"Page":         between(from(acceptor, learner), learner, acceptor, proposer, client), // to a leader: the value held where it proposed
	"Vouch":        between(from(acceptor), acceptor, learner, proposer),
	"Vouched":      between(from(acceptor, learner, proposer), acceptor),
	"Rejoin":       between(from(acceptor), proposer),
	"Rejoined":     between(from(proposer), acceptor),
	"Repair":       between(from(acceptor), proposer),
	"Named":        between(from(acceptor), proposer),
	"Decide":       between(from(learner, acceptor), acceptor, proposer), // of a learner, passed on by an acceptor
	"Chained":      between(from(learner), learner),
	"Able":         between(from(proposer), proposer),
	"AbleReply":    between(from(proposer), proposer),
	"Transfer":     between(from(client), proposer),
	"Transferred":  between(from(proposer), client),
	"Drain":        between(from(client), acceptor, proposer, learner),
	"Drained":      between(from(acceptor, proposer, learner), client),
	"Order":        between(from(client), proposer),
	"Ordered":      between(from(proposer), client),
	"Settle":       between(from(client), proposer),
	"Settled":      between(from(proposer), client),
	"Retain":       between(from(client), proposer),
	"Adjust":       between(from(client), proposer),
	"Adjusted":     between(from(proposer), client),
	"Raise":        between(from(client), proposer),
	"Raised":       between(from(proposer), client),
	"Copy":         between(from(client), learner),
	"Directory":    between(from(acceptor, proposer, learner), client),
	"Elsewhere":    between(from(learner), client),
	"Join":         between(from(acceptor), proposer),
	"Configured":   between(from(acceptor), acceptor, proposer, learner),
	"Member":       between(from(client), proposer),
	"Membered":     between(from(proposer), client),
	"Permit":       between(from(client), proposer),
	"Permitted":    between(from(proposer), client),
	"NotPermitted": between(from(acceptor, proposer, learner), client),
	"Unsettled":    between(from(proposer), client),
	"Append":       between(from(client, proposer), proposer),
	"Refused":      between(from(proposer), client, proposer),
	"Leader":       between(from(proposer), client),
	"Leads":        between(from(proposer), proposer),
	"Attach":       between(from(client), learner),
	"Attached":     between(from(learner), client),
	"Result":       between(from(learner), client),
	"Results":      between(from(learner), client),
	"Detach":       between(from(client), learner),
	"Detached":     between(from(learner), client),
	"Withdraw":     between(from(client), learner),
	"Locate":       between(from(client), learner),
	"Located":      between(from(learner), client),
	"Read":         between(from(client), learner),
	"LogPage":      between(from(learner), client),
	"Lookup":       between(from(client), learner),
	"Found":        between(from(learner), client),
	"StatusQuery":  between(from(client), acceptor, proposer, learner),
	"StatusReply":  between(from(acceptor, proposer, learner), client),
}

func TestMayStep(t *testing.T) {
	for _, k := range kinds() {
		r := messages[k].row
		_, listed := allowed[r.Name]
		if protocol := paxos.Messages[k].Name != ""; listed != protocol {
			t.Errorf("%s: a message of a machine: %v, in the table: %v", r.Name, protocol, listed)
		}
		may := map[pair]bool{}
		for _, p := range allowed[r.Name] {
			may[p] = true
		}
		// Every role there can be: those of no process may send nothing.
		for f := range 256 {
			for to := range 256 {
				p := pair{paxos.Role(f), paxos.Role(to)}
				if got := MayStep(p.from, p.to, r.Zero()); got != may[p] {
					t.Errorf("%s from role %d to role %d: %v", r.Name, f, to, got)
				}
			}
		}
	}
}

// TestLocalMessagesDoNotTravel: what a driver steps cannot come from outside.
func TestLocalMessagesDoNotTravel(t *testing.T) {
	for _, m := range []paxos.Message{&paxos.Loaded{}, &paxos.Synced{}, &paxos.PeerUp{}, &paxos.PeerDown{}, &paxos.Stopping{}} {
		if b, err := Append([]byte("kept"), m); err == nil || string(b) != "kept" {
			t.Errorf("%T was encoded: %q", m, b)
		}
		for f := range paxos.Role(5) {
			for to := range paxos.Role(5) {
				if MayStep(f, to, m) {
					t.Errorf("%T may go from %s to %s", m, f, to)
				}
			}
		}
	}
}

// TestSize: queues are bounded by Size, so it must cover what a frame takes.
func TestSize(t *testing.T) {
	for _, k := range kinds() {
		for name, m := range instances(k) {
			if frame := len(encode(t, m)); Size(m) < frame {
				t.Errorf("%s: a frame of %d bytes counts as %d", goldenKey(k, name), frame, Size(m))
			}
		}
	}
	batch := make([]byte, 1000)
	value := paxos.Value{Batch: batch}
	for _, m := range []paxos.Message{
		&paxos.Accept{Value: value}, &paxos.Relay{Value: value}, &paxos.Append{Batch: batch},
		&paxos.Promise{Votes: []paxos.Vote{{Value: value}}}, &paxos.Page{Values: []paxos.Vote{{Value: value}}},
		&paxos.LogPage{Records: []paxos.LogRecord{{Log: batch}}},
	} {
		if n := Size(m) - Size(paxos.Messages.Row(m).Zero()); n < len(batch) {
			t.Errorf("%T: a value of %d bytes counts as %d", m, len(batch), n)
		}
	}
}
