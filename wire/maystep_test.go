package wire

import (
	"os"
	"reflect"
	"strings"
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

// allowed is the table of paxos/doc.go, one row for each message.
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
	"Page":         between(from(acceptor, learner), learner, acceptor, proposer), // to a leader: the value held where it proposed
	"Vouch":        between(from(acceptor), acceptor, learner, proposer),
	"Vouched":      between(from(acceptor, learner, proposer), acceptor),
	"Rejoin":       between(from(acceptor), proposer),
	"Rejoined":     between(from(proposer), acceptor),
	"Repair":       between(from(acceptor), proposer),
	"Append":       between(from(client, proposer), proposer),
	"Refused":      between(from(proposer), client, proposer),
	"Leader":       between(from(proposer), client),
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
		name, m := registry[k].name, registry[k].make()
		_, protocol := m.(paxos.Message)
		if _, listed := allowed[name]; listed != protocol {
			t.Errorf("%s: a protocol message: %v, in the table: %v", name, protocol, listed)
		}
		may := map[pair]bool{}
		for _, p := range allowed[name] {
			may[p] = true
		}
		// Every role there can be: those of no process may send nothing.
		for f := range 256 {
			for to := range 256 {
				p := pair{paxos.Role(f), paxos.Role(to)}
				if got := MayStep(p.from, p.to, m); got != may[p] {
					t.Errorf("%s from role %d to role %d: %v", name, f, to, got)
				}
			}
		}
	}
	for name := range allowed {
		if !strings.Contains(strings.Join(names(), " "), name) {
			t.Errorf("%s is in the table, but not in the registry", name)
		}
	}
}

func names() (out []string) {
	for _, k := range kinds() {
		out = append(out, registry[k].name)
	}
	return out
}

// TestLocalMessagesDoNotTravel: what a driver steps cannot come from outside.
func TestLocalMessagesDoNotTravel(t *testing.T) {
	for _, m := range []any{&paxos.Loaded{}, &paxos.Synced{}, &paxos.PeerUp{}, &paxos.PeerDown{}, &paxos.Stopping{}, paxos.Query{}, nil, 7} {
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

// docRows reads the table of messages in the documentation of package paxos.
func docRows(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../paxos/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "# Messages")
	table, _, _ = strings.Cut(table, "// Local messages")
	rows := map[string]string{}
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) > 2 && f[0] == "//" && strings.HasPrefix(line, "//\t") {
			rows[f[1]] = line
		}
	}
	return rows
}

// TestDocumentedMessages: the documentation has a row for each message, and each
// row names the roles that the table above lets send and receive it.
func TestDocumentedMessages(t *testing.T) {
	rows := docRows(t)
	words := map[paxos.Role][]string{
		acceptor: {"acceptor", "any"}, learner: {"learner", "any"}, client: {"client"},
		proposer: {"proposer", "leader", "standby", "any"},
	}
	for name, pairs := range allowed {
		row, ok := rows[name]
		if !ok {
			t.Errorf("%s has no row in paxos/doc.go", name)
			continue
		}
		for _, p := range pairs {
			for _, r := range []paxos.Role{p.from, p.to} {
				if !containsAny(row, words[r]) {
					t.Errorf("%s goes from %s to %s, which its row does not say: %s", name, p.from, p.to, row)
				}
			}
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("paxos/doc.go has a row for %s, which is no message that travels", name)
	}
}

func containsAny(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
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
	for _, m := range []any{
		&paxos.Accept{Value: value}, &paxos.Relay{Value: value}, &paxos.Append{Batch: batch},
		&paxos.Promise{Votes: []paxos.Vote{{Value: value}}}, &paxos.Page{Values: []paxos.Vote{{Value: value}}},
		&paxos.LogPage{Records: []paxos.LogRecord{{Log: batch}}},
	} {
		if n := Size(m) - Size(reflect.New(reflect.TypeOf(m).Elem()).Interface()); n < len(batch) {
			t.Errorf("%T: a value of %d bytes counts as %d", m, len(batch), n)
		}
	}
}
