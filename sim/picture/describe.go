package picture

import (
	"fmt"
	"strings"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// Speaker is a message that has a description of its own: one of another protocol.
type Speaker interface {
	Speak() (text string, upkeep bool)
}

// Describe says a message in the notation of the design, or by its name; upkeep marks
// what only keeps things alive. Learners' answers are shown as results.
func Describe(m paxos.Message) (text string, upkeep bool) {
	return describeBy(paxos.Messages, m)
}

func describeBy(table *paxos.Table, m paxos.Message) (text string, upkeep bool) {
	row := table.Row(m)
	switch m := m.(type) {
	case Speaker:
		return m.Speak()
	case *paxos.Heartbeat:
		if m.Next != "" {
			return fmt.Sprintf("Resign(%s, next %s) chosenUpTo %d", m.Ballot, m.Next, m.ChosenUpTo), false
		}
		if m.Resign {
			return fmt.Sprintf("Resign(%s)", m.Ballot), false
		}
	case *paxos.Fetch:
		return notation(m), !m.Values
	case *paxos.Page:
		return notation(m), len(m.Values) == 0
	}
	if text = notation(m); text == "" {
		text = row.Name
	}
	return text, row.Upkeep
}

// notation says a message in the notation of the design, if it has one.
func notation(m paxos.Message) string {
	switch m := m.(type) {
	case *paxos.Append:
		return "Request(" + batchText(m.Batch) + ")"
	case *paxos.Prepare:
		return fmt.Sprintf("Prepare(%s)", m.Ballot)
	case *paxos.Promise:
		return fmt.Sprintf("Promise(%s, held %d, {%s})", m.Ballot, m.Held, votesText(m.Votes))
	case *paxos.Accept:
		return fmt.Sprintf("Accept!(%s, %d, %s) chosenUpTo %d%s", m.Ballot, m.Instance, batchText(m.Value.Batch), m.ChosenUpTo, also(m.Quiet, ", quiet"))
	case *paxos.Accepted:
		return "Accepted(" + runsText(m.Runs) + ")"
	case *paxos.Reject:
		return fmt.Sprintf("Reject(%s, promised %s, %s)", m.Ballot, m.Promised, reasonText(m.Reason))
	case *paxos.Refused:
		return fmt.Sprintf("Refused(%s)", m.Detail)
	case *paxos.Result:
		return "Response(" + resultText(m) + ")"
	case *paxos.Results:
		var parts []string
		for i := range m.Applied {
			r := m.Result(i)
			parts = append(parts, resultText(&r))
		}
		return "Response(" + strings.Join(parts, "; ") + ")"
	case *paxos.Fetch:
		return fmt.Sprintf("Fetch(from %d)", m.From)
	case *paxos.Page:
		return fmt.Sprintf("Page(held %d, {%s})", m.Held, votesText(m.Values))
	case *paxos.Repair:
		return fmt.Sprintf("Repair(%d)", m.Instance)
	case *paxos.Rejoin:
		return "Rejoin"
	case *paxos.Rejoined:
		return fmt.Sprintf("Rejoined(%s, once it holds %d)", m.Ballot, m.UpTo)
	case *paxos.Named:
		return fmt.Sprintf("Named(by %s)", m.Ballot)
	case *paxos.Transfer:
		return fmt.Sprintf("Transfer(to %s)", m.To)
	case *paxos.Transferred:
		if m.Why != "" {
			return fmt.Sprintf("Transferred(no: %s)", m.Why)
		}
		return fmt.Sprintf("Transferred(%s, waited %d ms)", m.Ballot, m.Waited)
	case *paxos.Drain:
		return map[bool]string{false: "Drain", true: "Undrain"}[m.Undo]
	case *paxos.Drained:
		return fmt.Sprintf("Drained(%v)", m.Drained)
	case *paxos.Leads:
		return fmt.Sprintf("Leads(%s)", m.Ballot)
	case *paxos.Leader:
		return fmt.Sprintf("Leader(%s)", m.Ballot)
	case *paxos.Relay:
		return fmt.Sprintf("Relay(%s, %d, %s)", m.Ballot, m.Instance, batchText(m.Value.Batch))
	case *paxos.Heartbeat:
		return fmt.Sprintf("Heartbeat(%s) chosenUpTo %d%s", m.Ballot, m.ChosenUpTo, also(m.Ask, ", asks"))
	case *paxos.HeartbeatAck:
		return "HeartbeatAck(" + runsText(m.Runs) + ")"
	case *paxos.Located:
		if m.Open != 0 {
			return fmt.Sprintf("Located(instance %d is open)", m.Open)
		}
		return fmt.Sprintf("Located(%d..%d)", m.First, m.Last)
	case *paxos.Locate:
		return "Locate"
	case *paxos.Found:
		return fmt.Sprintf("Found(index %d, closed %v, expired %v)", m.Index, m.Closed, m.Expired)
	}
	return ""
}

func also(so bool, text string) string {
	if so {
		return text
	}
	return ""
}

func reasonText(r paxos.RejectReason) string {
	switch r {
	case paxos.RejectPromised:
		return "promised higher"
	case paxos.RejectLeaderAlive:
		return "leader alive"
	}
	return "not admitted"
}

func resultText(m *paxos.Result) string {
	switch m.Kind {
	case paxos.ResultApplied:
		if m.Count == 1 {
			return fmt.Sprintf("%d at index %d, instance %d, ballot %s", m.First, m.Index, m.Instance, m.Origin)
		}
		return fmt.Sprintf("%d..%d at index %d, instance %d, ballot %s", m.First, m.First+m.Count-1, m.Index, m.Instance, m.Origin)
	case paxos.ResultGap:
		return fmt.Sprintf("gap, %d expected", m.First)
	case paxos.ResultExpired:
		return "expired"
	}
	return fmt.Sprintf("fenced from %d on", m.First)
}

func batchText(batch []byte) string {
	if len(batch) == 0 {
		return "no-op"
	}
	if paxos.IsControl(batch) {
		return controlText(batch)
	}
	var parts []string
	for len(batch) > 0 {
		r, rest, err := paxos.NextRun(batch)
		if err != nil {
			return "malformed"
		}
		batch = rest
		if r.Kind == paxos.RunFence {
			parts = append(parts, "fence")
		}
		for e := r.Entries; len(e) > 0; {
			var entry []byte
			entry, e = paxos.NextEntry(e)
			parts = append(parts, string(entry))
		}
	}
	return strings.Join(parts, "+")
}

func votesText(votes []paxos.Vote) string {
	parts := make([]string, len(votes))
	for i, v := range votes {
		parts[i] = fmt.Sprintf("%d:%s@%s", v.Instance, batchText(v.Value.Batch), v.Ballot)
	}
	return strings.Join(parts, " ")
}

func runsText(runs []paxos.VoteRun) string {
	parts := make([]string, len(runs))
	for i, r := range runs {
		parts[i] = fmt.Sprintf("%s, %d", r.Ballot, r.First)
		if r.Last != r.First {
			parts[i] += fmt.Sprintf("..%d", r.Last)
		}
	}
	return strings.Join(parts, "; ")
}

func controlText(batch []byte) string {
	c, err := control.Parse(batch)
	if err != nil {
		return "unknown control command"
	}
	if g, ok := c.(control.Genesis); ok {
		return fmt.Sprintf("genesis of %.8s, level %d", g.Log, g.Level)
	}
	switch c := c.(type) {
	case control.Mark:
		return fmt.Sprintf("mark for %v", c.Learners)
	case control.Chunk:
		return fmt.Sprintf("chunk of %d, %d bytes from %d", c.T, len(c.Bytes), c.Offset)
	case control.Close:
		return fmt.Sprintf("close of %d by %s", c.T, c.By)
	case control.Trim:
		return fmt.Sprintf("trim to %d", c.To)
	case control.SetHold:
		return fmt.Sprintf("hold %s at %d", c.Name, c.At)
	case control.Adjust:
		return fmt.Sprintf("setting %s %d", c.KeyText(), c.Value)
	case control.Raise:
		return fmt.Sprintf("raise to level %d", c.Level)
	case control.Confirm:
		return fmt.Sprintf("confirm of %d by %s", c.T, c.By)
	}
	return fmt.Sprintf("%T", c)
}
