package sim

import (
	"errors"
	"slices"
	"strconv"

	"github.com/paxlog/paxlog/client/core"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim/check"
)

// Client is an application on a simulated network: it drives the client machine of
// package client/core, as package client does, and judges what it is told. It appends
// Total distinct entries with Window under way, in one session after the other; loses
// its patience now and then, alone or with a whole session; resolves what is unknown,
// appends again what certainly was not appended, and reads in between.
type Client struct {
	m      *core.Machine
	id     paxos.NodeID
	rng    paxos.Rand
	check  *check.Checker
	events map[string]int // how often each kind of thing happened

	Total  int
	Window int
	Think  uint64 // one in so many ticks issues the next entry
	// Repeats says that the network repeats messages, which a connection does not. A
	// refusal is then of one copy, and not certain: what was refused is not appended
	// again, and its caller gives up with the whole session only.
	Repeats bool

	now      paxos.Ticks
	named    int // values so far
	issued   int
	done     int
	Resolved int // of done: those whose fate had to be asked
	Located  int

	session   *core.Session
	sessionID paxos.SessionID // of session when it was last looked at
	patience  paxos.Ticks     // for each entry of session, 0: without end
	stream    bool            // its entries must not be appended without each other
	open      []*core.Append  // of session, that wait
	again     []*clientOp     // that certainly were not appended
	resolving int
	fates     []fate
	readAt    paxos.Ticks
	askedAt   paxos.Ticks
}

// clientOp is one entry, whoever carries it.
type clientOp struct {
	call  check.Call
	value string
	asked check.Call // the resolve under way
}

// fate is what was told of an append, for good.
type fate struct {
	id    paxos.AppendID
	index paxos.Index // 0: never
}

// How long a simulated caller waits, in ticks.
const (
	patienceMin  = 200
	patienceMore = 2000
	readEvery    = 70
	readWait     = 3000
	askEvery     = 100
	lookEvery    = 10 // how often a caller does what it does at random
)

// AddClient adds a client that knows these processes, each client in an order of its
// own, so that they do not all use one learner.
func (w *World) AddClient(id paxos.NodeID, proposers, learners []paxos.NodeID, total, window int) *Client {
	c := &Client{
		id: id, rng: paxos.Rand{State: w.rng.Uint64()}, check: w.Check, events: w.Events,
		Total: total, Window: window, Think: 1,
	}
	turned := func(ids []paxos.NodeID) []paxos.NodeID {
		k := int(c.rng.Uint64() % uint64(len(ids)))
		return slices.Concat(ids[k:], ids[:k])
	}
	c.m = core.New(core.Config{Proposers: turned(proposers), Learners: turned(learners), InflightBytes: 1 << 20})
	w.Add(paxos.RoleClient, id, func(*Store) paxos.Machine { return c }).principal = principalOf(id)
	return c
}

// Done reports whether every entry was answered or its fate is known.
func (c *Client) Done() bool { return c.done >= c.Total && c.resolving == 0 }

// answered is how many entries were answered, without those whose fate was asked.
func (c *Client) answered() int { return c.done - c.Resolved }

// one reports true once in n times.
func (c *Client) one(n uint64) bool { return c.rng.Uint64()%n == 0 }

// Step implements paxos.Machine.
func (c *Client) Step(from paxos.NodeID, m paxos.Message) {
	c.m.Step(from, m)
	c.settle()
}

// Tick implements paxos.Machine.
func (c *Client) Tick(mono paxos.Ticks, wall paxos.UnixNanos) {
	c.now = mono
	idle := mono < c.m.Next()
	before := len(c.m.Out.SendNow)
	c.m.Tick(mono, wall)
	if idle {
		appends, calls := c.m.Delivered()
		if len(appends)+len(calls) > 0 || len(c.m.Out.SendNow) > before {
			c.check.Fail("ticks", "the machine of %s had something to do at %d, and did not want to be told the time", c.id, mono)
		}
	}
	c.settle()
	if c.session == nil || c.session.Err() != nil {
		c.begin()
	}
	c.issue()
	c.loseTrack()
	c.ask()
	c.settle()
}

// Next implements paxos.Machine.
func (c *Client) Next() paxos.Ticks { return min(c.m.Next(), c.now+lookEvery) }

// Flush implements paxos.Machine.
func (c *Client) Flush() paxos.Output {
	out := c.m.Flush()
	c.settle()
	return out
}

// begin opens the next session.
func (c *Client) begin() {
	var random [12]byte
	for i := range random {
		random[i] = byte(c.rng.Uint64())
	}
	c.session, c.sessionID, c.open = c.m.Open(random), paxos.SessionID{}, nil
	c.patience, c.stream = 0, c.one(2)
	if !c.Repeats && c.one(2) {
		c.patience = patienceMin + paxos.Ticks(c.rng.Uint64()%patienceMore)
	}
}

// issue appends what is due, what certainly was not appended first.
func (c *Client) issue() {
	for len(c.again) > 0 && len(c.open) < c.Window {
		c.append(c.again[0])
		c.again = c.again[1:]
	}
	for c.issued < c.Total && len(c.open) < c.Window && c.one(c.Think) {
		value := string(c.id) + "-" + strconv.Itoa(c.named)
		c.append(&clientOp{call: c.check.Appends(c.id, value), value: value})
		c.named++
		c.issued++
	}
}

func (c *Client) append(op *clientOp) {
	a := &core.Append{Value: []byte(op.value), Stream: c.stream, Owner: op}
	if c.patience > 0 {
		a.Deadline = c.now + c.patience
	}
	c.open = append(c.open, a)
	c.session.Append(a)
}

var errLeft = errors.New("the caller has left")

// loseTrack gives up on an entry, or on the whole session, now and then.
func (c *Client) loseTrack() {
	if id := c.session.ID(); id != c.sessionID {
		if c.sessionID != (paxos.SessionID{}) {
			c.events["session expired"]++
		}
		c.sessionID = id
	}
	switch {
	case len(c.open) == 0:
	case !c.Repeats && c.one(100):
		c.session.GiveUp(c.open[c.rng.Uint64()%uint64(len(c.open))], errLeft)
	case c.one(300):
		c.session.End(core.ErrSessionEnded, errLeft)
	}
}

// ask asks for the end of the log, and again for a fate that was told before: it must
// not change.
func (c *Client) ask() {
	if c.now-c.readAt > readEvery {
		c.readAt = c.now
		c.m.Ask(&core.Call{Kind: core.CallEnd, Deadline: c.now + readWait, Owner: c.check.Reads(c.id)})
	}
	if len(c.fates) > 0 && c.now-c.askedAt >= askEvery {
		c.askedAt = c.now
		f := c.fates[c.rng.Uint64()%uint64(len(c.fates))]
		c.m.Ask(&core.Call{Kind: core.CallResolve, ID: f.id, Deadline: c.now + readWait, Owner: f})
	}
}

// settle takes what the machine has answered.
func (c *Client) settle() {
	for {
		appends, calls := c.m.Delivered()
		if len(appends) == 0 && len(calls) == 0 {
			return
		}
		appends, calls = slices.Clone(appends), slices.Clone(calls) // an answer can make the next call
		for _, a := range appends {
			c.onAppend(a)
		}
		for _, k := range calls {
			c.onCall(k)
		}
	}
}

// onAppend judges what became of an entry.
func (c *Client) onAppend(a *core.Append) {
	op := a.Owner.(*clientOp)
	if i := slices.Index(c.open, a); i >= 0 {
		c.open = slices.Delete(c.open, i, i+1)
	}
	switch {
	case a.Err == nil && a.Below != 0:
		c.check.Answered(op.call, a.ID, c.check.IsBelow(a.ID, op.value, a.Below))
		c.done++
	case a.Err == nil:
		c.check.Answered(op.call, a.ID, a.Index)
		c.done++
	case errors.Is(a.Err, core.ErrUnknownOutcome):
		op.asked = c.check.Resolves(c.id, a.ID)
		c.resolving++
		c.m.Ask(&core.Call{Kind: core.CallResolve, ID: a.ID, Owner: op})
	case errors.Is(a.Err, core.ErrFenced):
		c.check.Fail("session", "%v was fenced by nobody", c.session.ID())
	case c.Repeats:
		c.issued-- // another entry takes its place
	default:
		c.events["append told to be none, and appended again"]++
		c.again = append(c.again, op) // if it was appended after all, it is in the log twice
	}
}

// onCall judges the answer to a read or a resolve.
func (c *Client) onCall(k *core.Call) {
	switch owner := k.Owner.(type) {
	case check.Call:
		if k.Err == nil {
			c.check.ReadAnswered(owner, k.Last)
			c.Located++
		}
	case fate:
		below := owner.index != 0 && owner.index < k.Below
		if k.Err == nil && k.Index != owner.index && !below {
			c.check.Fail("L6", "%v was resolved to %d, and then to %d", owner.id, owner.index, k.Index)
		}
	case *clientOp:
		if errors.Is(k.Err, core.ErrForgotten) {
			c.events["append forgotten with what was trimmed"]++
			c.done++
			c.Resolved++
			c.resolving--
			return
		}
		if k.Err != nil {
			c.check.Fail("L6", "%v cannot be resolved: %v", k.ID, k.Err)
		}
		c.onResolved(owner, k)
	}
}

// onResolved: the fate of an entry is known, for good.
func (c *Client) onResolved(op *clientOp, k *core.Call) {
	if k.Below != 0 {
		k.Index = c.check.IsBelow(k.ID, op.value, k.Below)
	}
	if k.Chosen != (k.Index != 0) {
		c.check.Fail("L6", "%v was resolved: chosen %v, at %d", k.ID, k.Chosen, k.Index)
	}
	c.check.Resolved(op.call, op.asked, k.ID, k.Index)
	c.fates = append(c.fates, fate{k.ID, k.Index})
	if k.Chosen {
		c.events["append resolved to an index"]++
	} else {
		c.events["append resolved to never"]++
	}
	c.done++
	c.Resolved++
	c.resolving--
}
