package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// identity is how a process knows which log it is of: by the incarnations under which it
// knows that log's acceptors. Two clusters can have one name and the same ids, and an
// address is soon used again: a2's file may name the address where now a learner of
// another log listens. So both sides of a handshake show what they know. If they know
// some acceptor alike, they are of one log. If they know some otherwise and none alike,
// they are of two, refuse each other, and believe nothing that the other said.
//
// A proposer whose log fewer than most acceptors have shown goes over to one that most show.
// Example: after all machines were off, a1, whose directory was initialised anew, is up
// first. Did p1 hold to what a1 alone shows, it would refuse a2 and a3 for as long as it
// lives. Until then no quorum had let it lead. Learners and clients do not go over: they may
// have taken entries of the log that they met.
//
// Acceptors and learners remember on disk. Proposers and clients keep nothing, and a new
// learner has nothing yet: they hold to the set that they meet first, for as long as they
// live. The first to answer may be the stranger, so they ask all, and decide when most of
// the acceptors agree, when everybody whom they dial has answered or failed, or when
// settleTime is over: for what most acceptors know. Until then no server is let in: what it
// says may be of another log, and one that has nothing to show may turn out to be. Example:
// a new learner starts while its own acceptors are down, and one of another log dials it. It
// would copy what that one says is chosen. Who dials in is let in once the decision is made,
// and decides nothing: a process is dialled by anybody, and dials whom its file names.
//
// Once a log has an id, that says the same without doubt (logid.go).
type identity struct {
	cfg Config

	mu         sync.Mutex
	met        map[paxos.NodeID]uint64 // what it holds to beside what it remembers
	metLog     paxos.LogID             // and the log's id, if this process has none of its own
	candidates []candidate             // in the order in which they were met
	unheard    map[paxos.NodeID]bool   // dialled, and neither met nor failed yet
	acceptors  int                     // how many are dialled
	window     *time.Timer             // runs from the first candidate on
	settled    chan struct{}           // closed when it is decided
	final      bool                    // and nothing will change that
	decided    chan struct{}           // holds one: something was decided since it was last looked at
}

// candidate is a peer and what it showed.
type candidate struct {
	role  paxos.Role
	id    paxos.NodeID
	known incarnations
	log   paxos.LogID // zero if it knows none
}

// incarnations are what somebody knows acceptors by.
type incarnations map[paxos.NodeID]uint64

func newIdentity(cfg Config) *identity {
	i := &identity{cfg: cfg, met: incarnations{}, unheard: map[paxos.NodeID]bool{}, settled: make(chan struct{}), decided: make(chan struct{}, 1)}
	known := len(i.knownLocked())
	if cfg.Joins {
		known-- // itself, of whom nobody knows
	}
	if cfg.Role == paxos.RoleAcceptor && !cfg.Joins || known > 0 || !i.ownLog().IsZero() {
		i.final = true
		close(i.settled)
	}
	return i
}

// knownLocked is all that this process knows; mu is held, or nobody else knows of i.
func (i *identity) knownLocked() incarnations {
	known := incarnations{}
	for id, v := range i.met {
		known[id] = v
	}
	if i.cfg.Remembered != nil {
		for _, id := range i.cfg.Members.Acceptors {
			if v := i.cfg.Remembered(id); v != 0 {
				known[id] = v
			}
		}
	}
	if i.cfg.Role == paxos.RoleAcceptor {
		known[i.cfg.ID] = i.cfg.Incarnation
	}
	return known
}

func (i *identity) known() incarnations {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.knownLocked()
}

// shown is what this process shows others of what it knows.
func (i *identity) shown() []wire.Known { return i.known().list() }

func (k incarnations) list() (out []wire.Known) {
	for id, v := range k {
		out = append(out, wire.Known{ID: id, Incarnation: v})
	}
	slices.SortFunc(out, func(a, b wire.Known) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return out[:min(len(out), paxos.MaxAcceptors)]
}

// String lists them, for people.
func (k incarnations) String() string {
	if len(k) == 0 {
		return "no acceptor"
	}
	var out []string
	for _, v := range k.list() {
		out = append(out, fmt.Sprintf("%s by %016x", v.ID, v.Incarnation))
	}
	return strings.Join(out, ", ")
}

// claims is what a peer shows. An acceptor shows at least itself, also one of version 2.
func claims(role paxos.Role, id paxos.NodeID, incarnation uint64, shown []wire.Known) incarnations {
	k := incarnations{}
	for _, v := range shown {
		if v.Incarnation != 0 && isName(v.ID) {
			k[v.ID] = v.Incarnation
		}
	}
	if role == paxos.RoleAcceptor && incarnation != 0 {
		k[id] = incarnation
	}
	return k
}

// kinship is what two sets of incarnations say of each other.
type kinship byte

const (
	unproven kinship = iota // no acceptor is in both
	sameLog                 // some acceptor is known alike
	otherLog                // some are known otherwise, and none alike
	doubtful                // otherLog, but all that this acceptor knows is itself
)

func (k incarnations) compare(o incarnations) kinship {
	differ := false
	for id, v := range o {
		if mine := k[id]; mine == v {
			return sameLog
		} else if mine != 0 {
			differ = true
		}
	}
	if differ {
		return otherLog
	}
	return unproven
}

// isAnew reports whether all that an acceptor shows is itself. Then it cannot be told
// whether it is of another log or whether its directory was initialised anew. Whoever
// remembers it otherwise lets it in as one whose word does not count
// (paxos.Peers.IsStranger), so that it learns by Vouch that it must not vote. Who does not
// would vouch for it: a new learner that knows a1 only from what others showed.
func (c *candidate) isAnew() bool {
	return c.role == paxos.RoleAcceptor && len(c.known) == 1 && c.known[c.id] != 0 && c.log.IsZero()
}

// judge says how c is related to this process. Nothing is decided by it.
//
// An acceptor that knows nothing but itself, and is known otherwise by a peer, cannot tell
// whether that peer is of another log or its own directory was initialised anew and may
// have voted before. So it takes of that peer one thing only: the word that it must not
// vote (paxos.Vouched). Took it more, it could copy another log's values into its own.
func (i *identity) judge(c candidate) (k kinship, mine incarnations) {
	i.mu.Lock()
	defer i.mu.Unlock()
	mine = i.knownLocked()
	if k = i.compareLog(c.log); k != unproven {
		return k, mine
	}
	if k = mine.compare(c.known); k == otherLog && c.isAnew() && i.cfg.Remembered != nil && i.cfg.Remembered(c.id) != 0 {
		k = unproven
	}
	if k == otherLog && i.cfg.Role == paxos.RoleAcceptor && len(mine) == 1 {
		k = doubtful
	}
	return k, mine
}

// take holds to what a server shows that was let in, beside what is known already.
func (i *identity) take(c candidate) {
	if i.cfg.Role == paxos.RoleAcceptor && !i.cfg.Joins || c.role == paxos.RoleClient {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	select {
	case <-i.settled:
	default:
		return
	}
	mine := i.knownLocked()
	kin := i.compareLog(c.log)
	if kin == unproven {
		kin = mine.compare(c.known)
	}
	if kin == otherLog {
		return
	}
	if kin == sameLog && i.logLocked().IsZero() && !c.log.IsZero() {
		i.metLog = c.log
		i.tell()
	}
	// Acceptors come and go for years. Once the log has an id, that tells it from others, and a
	// greeting has room for so many only.
	for id, v := range c.known {
		if mine[id] == 0 && len(i.met) < paxos.MaxAcceptors/2 {
			i.met[id] = v
		}
	}
}

// dials notes that p is dialled, so that its answer may be waited for.
func (i *identity) dials(p Peer) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.unheard[p.ID] = true
	if p.Role == paxos.RoleAcceptor {
		i.acceptors++
	}
}

// failed notes that id could not be reached.
func (i *identity) failed(id paxos.NodeID) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.unheard, id)
	i.trySettle(false)
}

// errUnsettled ends a connection that ended before it was decided which log is the right one.
var errUnsettled = errors.New("it is not known yet which log this process is of")

// heard notes what a dialled peer shows.
func (i *identity) heard(c candidate) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.unheard, c.id)
	if c.isKnowing() {
		i.candidates = slices.DeleteFunc(i.candidates, func(o candidate) bool { return o.id == c.id })
		i.candidates = append(i.candidates, c)
	}
	i.trySettle(false)
}

// await waits for a while until it is known which log this process is of: for as long as a
// process that dials in still waits for its answer.
func (i *identity) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.Handshake/2)
	defer cancel()
	select {
	case <-i.settled:
		return nil
	case <-ctx.Done():
		return errUnsettled
	}
}

// admit waits until it is known which log this process is of, and returns an error if
// what a dialled peer shows is of another one.
func (i *identity) admit(ctx context.Context, c candidate, at string) (kinship, error) {
	i.heard(c)
	if c.isKnowing() {
		select {
		case <-i.settled:
		case <-ctx.Done():
			return unproven, errUnsettled
		}
	}
	k, mine := i.judge(c)
	if k == otherLog {
		return k, i.otherLogError(c, at, mine)
	}
	i.take(c)
	return k, nil
}

// trySettle decides which log this process is of, if it can, or must; mu is held.
func (i *identity) trySettle(must bool) {
	if i.final || !i.ownLog().IsZero() {
		i.candidates = nil
	}
	if len(i.candidates) == 0 {
		return
	}
	best := i.largest()
	most := 2*best.acceptors > max(len(i.cfg.Members.Acceptors), i.acceptors)
	select {
	case <-i.settled:
		if most {
			i.decide(best, most)
		}
		return
	default:
	}
	if early := most && !best.id.IsZero(); !must && !early && len(i.unheard) > 0 {
		if i.window == nil {
			i.window = time.AfterFunc(settleTime, func() {
				i.mu.Lock()
				defer i.mu.Unlock()
				i.trySettle(true)
			})
		}
		return
	}
	if i.window != nil {
		i.window.Stop()
	}
	i.decide(best, most)
	close(i.settled)
}

// decide holds to l, of which most acceptors are or not; mu is held.
func (i *identity) decide(l log, most bool) {
	i.met, i.metLog = l.known, l.id
	if i.final = most || i.cfg.Role != paxos.RoleProposer; i.final {
		i.candidates = nil
	}
	i.tell()
}

// tell has the connections looked at, since more is known now of this process's log.
func (i *identity) tell() {
	select {
	case i.decided <- struct{}{}:
	default:
	}
}

// largest is the log that most speaks for.
func (i *identity) largest() log {
	var logs []*log
	for _, c := range i.candidates {
		n := slices.IndexFunc(logs, func(l *log) bool { return l.mayHave(&c) })
		if n < 0 {
			logs, n = append(logs, &log{known: incarnations{}}), len(logs)
		}
		logs[n].add(&c)
	}
	best := logs[0]
	for _, l := range logs[1:] {
		if l.beats(best) {
			best = l
		}
	}
	return *best
}

// close ends what runs by itself.
func (i *identity) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.window != nil {
		i.window.Stop()
	}
}

func (i *identity) otherLogError(c candidate, at string, mine incarnations) error {
	if why := i.otherThan(c.log); why != "" {
		return &RefusedError{Addr: at, Code: wire.RefusedLog, Log: c.log, Text: sentence(fmt.Sprintf("%s %.32q: %s", c.role, c.id, why))}
	}
	why := "Either"
	if c.role == paxos.RoleAcceptor && len(c.known) == 1 && c.known[c.id] != 0 && mine[c.id] != 0 { // it knows only itself
		why = fmt.Sprintf("Either the data directory of %.32q was initialised anew, and the one before has to be restored, or", c.id)
	}
	return &RefusedError{Addr: at, Code: wire.RefusedLog, Text: sentence(fmt.Sprintf(
		"%s %.32q there is of another log, and nothing that it says is believed: it knows %s; here %s. "+
			"%s the address is one that another cluster uses now, or the cluster file is that of another one", c.role, c.id, c.known, mine, why))}
}
