package wire

import (
	"reflect"

	"github.com/paxlog/paxlog/paxos"
)

// Kind is a frame's kind byte. Numbers are part of the protocol: never reused.
type Kind byte

type entry struct {
	name  string
	make  func() any
	into  func() any // makes a message to decode into
	shape *shape
}

var (
	registry = map[Kind]entry{}
	kindOf   = map[reflect.Type]Kind{}
)

func register[T any](k Kind) {
	t := reflect.TypeFor[T]()
	zero := func() any { return new(T) }
	registry[k] = entry{name: t.Name(), make: zero, into: zero, shape: headerShape(t)}
	kindOf[reflect.PointerTo(t)] = k
}

// decodeInto has messages of kind k decoded into what f makes.
func decodeInto(k Kind, f func() any) {
	e := registry[k]
	e.into = f
	registry[k] = e
}

// newAccepted makes an Accepted with room for one run, which most have: the codec
// then makes no list, for which reflection takes two allocations.
func newAccepted() any {
	m := &struct {
		paxos.Accepted
		runs [1]paxos.VoteRun
	}{}
	m.Runs = m.runs[:0]
	return &m.Accepted
}

func init() {
	register[Hello](1)
	register[Welcome](2)
	register[Refusal](3)
	register[Ping](4)

	register[paxos.Prepare](16)
	register[paxos.Promise](17)
	register[paxos.Accept](18)
	register[paxos.Accepted](19)
	decodeInto(19, newAccepted)
	register[paxos.Relay](20)
	register[paxos.Reject](21)
	register[paxos.Heartbeat](22)
	register[paxos.HeartbeatAck](23)
	register[paxos.Query](24)
	register[paxos.QueryReply](25)
	register[paxos.Poll](26)
	register[paxos.PollReply](27)
	register[paxos.Fetch](28)
	register[paxos.Page](29)
	register[paxos.Vouch](30)
	register[paxos.Vouched](31)
	register[paxos.Repair](32)
	register[paxos.Rejoin](33)
	register[paxos.Rejoined](34)

	register[paxos.Append](64)
	register[paxos.Refused](65)
	register[paxos.Leader](66)
	register[paxos.Attach](67)
	register[paxos.Attached](68)
	register[paxos.Result](69)
	register[paxos.Locate](70)
	register[paxos.Located](71)
	register[paxos.Read](72)
	register[paxos.LogPage](73)
	register[paxos.Lookup](74)
	register[paxos.Found](75)
	register[paxos.StatusQuery](76)
	register[paxos.StatusReply](77)
	register[paxos.Results](78)
	register[paxos.Detach](79)
	register[paxos.Detached](80)
	register[paxos.Withdraw](81)
}

// appendValues appends where m's values are: the fields that travel in the payload.
func appendValues(dst []*[]byte, m any) []*[]byte {
	switch m := m.(type) {
	case *paxos.Accept:
		return append(dst, &m.Value.Batch)
	case *paxos.Relay:
		return append(dst, &m.Value.Batch)
	case *paxos.Append:
		return append(dst, &m.Batch)
	case *paxos.Promise:
		return appendVotes(dst, m.Votes)
	case *paxos.Page:
		return appendVotes(dst, m.Values)
	case *paxos.LogPage:
		dst = withRoom(dst, len(m.Records))
		for i := range m.Records {
			dst = append(dst, &m.Records[i].Log)
		}
	}
	return dst
}

// withRoom makes room for n more, no more and at once: growing by doubling takes several
// times as much.
func withRoom(dst []*[]byte, n int) []*[]byte {
	if n <= cap(dst)-len(dst) {
		return dst
	}
	return append(make([]*[]byte, 0, len(dst)+n), dst...)
}

func appendVotes(dst []*[]byte, votes []paxos.Vote) []*[]byte {
	dst = withRoom(dst, len(votes))
	for i := range votes {
		dst = append(dst, &votes[i].Value.Batch)
	}
	return dst
}

// MayStep reports whether a node of role from may send m to a node of role to. A
// connection that sends anything else is closed.
func MayStep(from, to paxos.Role, m any) bool {
	const (
		a = 1 << paxos.RoleAcceptor
		p = 1 << paxos.RoleProposer
		l = 1 << paxos.RoleLearner
		c = 1 << paxos.RoleClient
	)
	var senders, receivers int
	switch m.(type) {
	case *paxos.Prepare, *paxos.Accept, *paxos.Heartbeat, *paxos.Query:
		senders, receivers = p, a
	case *paxos.Promise, *paxos.Reject, *paxos.HeartbeatAck, *paxos.QueryReply:
		senders, receivers = a, p
	case *paxos.Accepted:
		senders, receivers = a, p|l
	case *paxos.Relay, *paxos.PollReply:
		senders, receivers = a, l
	case *paxos.Poll:
		senders, receivers = l, a
	case *paxos.Fetch:
		senders, receivers = a|l, a|l
	case *paxos.Page:
		senders, receivers = a|l, a|l|p
	case *paxos.Vouch:
		senders, receivers = a, a|l|p
	case *paxos.Vouched:
		senders, receivers = a|l|p, a
	case *paxos.Repair, *paxos.Rejoin:
		senders, receivers = a, p
	case *paxos.Rejoined:
		senders, receivers = p, a
	case *paxos.Append:
		senders, receivers = c|p, p
	case *paxos.Refused:
		senders, receivers = p, c|p
	case *paxos.Leader:
		senders, receivers = p, c
	case *paxos.Attach, *paxos.Detach, *paxos.Locate, *paxos.Read, *paxos.Lookup, *paxos.Withdraw:
		senders, receivers = c, l
	case *paxos.Attached, *paxos.Detached, *paxos.Result, *paxos.Results, *paxos.Located, *paxos.LogPage, *paxos.Found:
		senders, receivers = l, c
	case *paxos.StatusQuery:
		senders, receivers = c, a|p|l
	case *paxos.StatusReply:
		senders, receivers = a|p|l, c
	}
	return senders&(1<<from) != 0 && receivers&(1<<to) != 0
}

// Urgent reports whether m should overtake what waits on its connection: it is
// small, and somebody's patience depends on it. All of these may arrive before
// messages that were sent earlier.
func Urgent(m any) bool {
	switch m.(type) {
	case *paxos.Prepare, *paxos.Reject, *paxos.Heartbeat, *paxos.HeartbeatAck, *paxos.Query, *paxos.QueryReply,
		*paxos.Poll, *paxos.PollReply, *paxos.Vouch, *paxos.Vouched, *paxos.Repair, *paxos.Rejoin, *paxos.Rejoined, *paxos.StatusQuery, *paxos.StatusReply:
		return true
	}
	return false
}

// markBytes is about what one mark needs, runBytes what one applied run does.
const (
	markBytes = 64
	runBytes  = 64
)

// Size estimates the bytes of m's frame from above for small messages, and to
// within its values' headers for large ones; queues count by it.
func Size(m any) int {
	n := ItemOverhead
	switch m := m.(type) {
	case *paxos.Accept:
		n += len(m.Value.Batch)
	case *paxos.Relay:
		n += len(m.Value.Batch)
	case *paxos.Append:
		n += len(m.Batch)
	case *paxos.Heartbeat:
		n += len(m.Marks) * markBytes
	case *paxos.Rejoined:
		n += len(m.Marks) * markBytes
	case *paxos.Results:
		n += len(m.Applied) * runBytes
	case *paxos.Promise:
		n += len(m.Marks)*markBytes + votesSize(m.Votes)
	case *paxos.Page:
		n += votesSize(m.Values)
	case *paxos.LogPage:
		for i := range m.Records {
			n += len(m.Records[i].Log) + ItemOverhead
		}
	}
	return n
}

func votesSize(votes []paxos.Vote) (n int) {
	for i := range votes {
		n += len(votes[i].Value.Batch) + ItemOverhead
	}
	return n
}
