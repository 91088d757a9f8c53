package core

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/paxlog/paxlog/paxos"
)

// TestScripts plays testdata/*.txt: what an application asks, what arrives, and what the
// machine sends and tells. They are written to be read; -rewrite writes the answers.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		h := newHarness(t, 0)
		h.flush()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return h.play(t, d)
		})
	})
}

// play does one command, and returns what left and what callers were told.
func (h *harness) play(t *testing.T, d *datadriven.TestData) string {
	var n, first, count uint64
	var index int
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "n":
			d.ScanArgs(t, "n", &n)
		case "first":
			d.ScanArgs(t, "first", &first)
		case "count":
			d.ScanArgs(t, "count", &count)
		case "index":
			d.ScanArgs(t, "index", &index)
		}
	}
	arg := ""
	if len(d.CmdArgs) > 0 {
		arg = d.CmdArgs[0].Key
	}
	switch d.Cmd {
	case "append":
		h.add(0)
	case "stream":
		h.add(paxos.Ticks(n)).Stream = true
	case "deadline":
		h.add(paxos.Ticks(n))
	case "give-up":
		h.GiveUp(h.entries[n-1], errors.New("the caller has left"))
	case "leader":
		h.m.Step(paxos.NodeID(arg), &paxos.Leader{Ballot: paxos.Ballot{Round: uint64(h.m.now) + 1, Proposer: paxos.NodeID(arg)}})
	case "down":
		h.m.Step(paxos.NodeID(arg), &paxos.PeerDown{ID: paxos.NodeID(arg)})
	case "up":
		h.m.Step(paxos.NodeID(arg), &paxos.PeerUp{ID: paxos.NodeID(arg)})
	case "refuse":
		h.m.Step("p1", &paxos.Refused{Session: h.id, First: first, Attempt: n, Reason: paxos.RefuseNoLeader, Detail: "no leader"})
	case "applied":
		h.applied(first, count, paxos.Index(index))
	case "fenced":
		h.result(paxos.ResultFenced, first, 0, 0)
	case "expired":
		h.result(paxos.ResultExpired, first, 0, 0)
	case "born":
		h.bear(paxos.Instance(n))
	case "resolve":
		h.m.Ask(&Call{Kind: CallResolve, ID: paxos.AppendID{Session: h.id, Seq: n}})
	case "tick":
		h.tick(paxos.Ticks(n))
	case "close":
		h.m.Close()
	default:
		t.Fatalf("%s: no such command: %s", d.Pos, d.Cmd)
	}
	return h.said()
}

// said is what left and what callers were told since it was asked last.
func (h *harness) said() string {
	var b strings.Builder
	for _, e := range h.flush() {
		switch m := e.Msg.(type) {
		case *paxos.Append:
			run, _, _ := paxos.NextRun(m.Batch)
			if run.Kind == paxos.RunFence {
				fmt.Fprintf(&b, "-> %s Append(fence)\n", e.To)
				continue
			}
			var values []string
			for rest := run.Entries; len(rest) > 0; {
				var v []byte
				v, rest = paxos.NextEntry(rest)
				values = append(values, fmt.Sprintf("%q", v))
			}
			fmt.Fprintf(&b, "-> %s Append(attempt %d: numbers %d..%d = %s)\n", e.To, m.Attempt, run.First, run.First+run.Count-1, strings.Join(values, " "))
		case *paxos.Attach:
			if m.Nonce == 0 {
				fmt.Fprintf(&b, "-> %s Attach(from %d)\n", e.To, m.From)
			} else {
				fmt.Fprintf(&b, "-> %s Attach(where are sessions born?)\n", e.To)
				h.sent = append(h.sent, e)
				h.born(e, m)
			}
		case *paxos.Detach:
			fmt.Fprintf(&b, "-> %s Detach\n", e.To)
		case *paxos.Lookup:
			fmt.Fprintf(&b, "-> %s Lookup(number %d)\n", e.To, m.Seq)
		}
	}
	appends, calls := h.m.Delivered()
	for _, a := range appends {
		fmt.Fprintf(&b, "entry %q: %s\n", a.Value, outcome(a))
	}
	for _, k := range calls {
		fmt.Fprintf(&b, "resolve %d: chosen %v, index %d, %v\n", k.ID.Seq, k.Chosen, k.Index, k.Err)
	}
	if err := h.Err(); err != nil {
		fmt.Fprintf(&b, "the session has ended: %s\n", h.plain(err.Error()))
	}
	return h.plain(b.String())
}

// born answers at once where a session that begins anew is born.
func (h *harness) born(e paxos.Envelope, m *paxos.Attach) {
	h.m.Step(e.To, &paxos.Attached{Nonce: m.Nonce, Applied: 9})
}

// plain writes ids of sessions short.
func (h *harness) plain(text string) string {
	return strings.ReplaceAll(text, h.id.String(), "SESSION")
}

func outcome(a *Append) string {
	var unknown *UnknownOutcomeError
	switch {
	case a.Err == nil:
		return fmt.Sprintf("index %d, append id %s", a.Index, a.ID)
	case errors.As(a.Err, &unknown):
		return a.Err.Error()
	default:
		return "certainly not appended: " + a.Err.Error()
	}
}
