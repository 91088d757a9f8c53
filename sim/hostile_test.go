package sim

import (
	"math/rand/v2"
	"reflect"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// hostileMembers are three acceptors; of each role the last process is the hostile one, and a
// hostile acceptor, a4, would be a member.
var hostileMembers = paxos.Membership{Cluster: "t", Acceptors: []paxos.NodeID{"a1", "a2", "a3"}, Phase1: 2, Phase2: 2, Sessions: 3}

// hostilePeers are who sends what a machine did not ask for, by role.
var hostilePeers = map[paxos.Role]paxos.NodeID{paxos.RoleAcceptor: "a3", paxos.RoleProposer: "p2", paxos.RoleLearner: "l2", paxos.RoleClient: "@1"}

// hostileRoles are all processes.
var hostileRoles = map[paxos.NodeID]paxos.Role{
	"a1": paxos.RoleAcceptor, "a2": paxos.RoleAcceptor, "a3": paxos.RoleAcceptor, "a4": paxos.RoleAcceptor, "p1": paxos.RoleProposer,
	"p2": paxos.RoleProposer, "l1": paxos.RoleLearner, "l2": paxos.RoleLearner, "@1": paxos.RoleClient,
}

// hostileSaid is what a machine has said: whoever hears it can say it again.
type hostileSaid struct {
	numbers  []uint64
	ballots  []paxos.Ballot
	sessions []paxos.SessionID
	marks    []paxos.Mark
	states   []paxos.Encoded
	entry    func() []byte // the next one that is appended
}

// hostileAgain sets v to something of its kind that was said, now and then.
func hostileAgain[T any](v reflect.Value, rng *rand.Rand, said []T) bool {
	if len(said) == 0 || rng.IntN(2) == 0 {
		return false
	}
	v.Set(reflect.ValueOf(said[rng.IntN(len(said))]))
	return true
}

// hostileNumber is small, or extreme, or was said.
func hostileNumber(rng *rand.Rand, said *hostileSaid) uint64 {
	switch n := len(said.numbers); rng.IntN(6) {
	case 0:
		return paxos.Bound - 1 - rng.Uint64N(3)
	case 1:
		return 1 << rng.UintN(62)
	case 2, 3:
		if n > 0 {
			return said.numbers[rng.IntN(n)]
		}
	}
	return rng.Uint64N(6)
}

// hostileFill fills v with what a peer may send.
func hostileFill(v reflect.Value, rng *rand.Rand, said *hostileSaid) {
	switch v.Interface().(type) {
	case paxos.Ballot:
		if hostileAgain(v, rng, said.ballots) {
			return
		}
		if rng.IntN(2) == 0 { // its own
			v.Set(reflect.ValueOf(paxos.Ballot{Round: 1 + rng.Uint64N(5), Proposer: "p2", Process: 1}))
			return
		}
	case paxos.SessionID:
		if !hostileAgain(v, rng, said.sessions) {
			v.Set(reflect.ValueOf(hostileSession(rng)))
		}
		return
	case paxos.Mark:
		if hostileAgain(v, rng, said.marks) {
			return
		}
	case paxos.Encoded:
		v.SetString(string(hostileState(rng, said)))
		return
	case []byte:
		v.SetBytes(hostileBatch(rng, said))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			hostileFill(v.Field(i), rng, said)
		}
	case reflect.Slice:
		n := rng.IntN(5)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			hostileFill(v.Index(i), rng, said)
		}
	case reflect.Array:
		for i := range v.Len() {
			hostileFill(v.Index(i), rng, said)
		}
	case reflect.String:
		v.SetString([]string{"", "p1", "p2", "a1", "a3", "a4", "l1", "@1", "x"}[rng.IntN(9)])
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(hostileNumber(rng, said)) * int64(1-2*rng.IntN(2)))
	case reflect.Uint64:
		v.SetUint(hostileNumber(rng, said))
	case reflect.Uint8:
		v.SetUint(rng.Uint64N(6))
	default:
		v.SetUint(hostileNumber(rng, said) & (1<<v.Type().Bits() - 1))
	}
}

// hostileSession is one of few, among them those of the log.
func hostileSession(rng *rand.Rand) paxos.SessionID {
	return paxos.NewSessionID(paxos.Instance(rng.IntN(3)), paxos.Stamp{}, [12]byte{byte(rng.IntN(12))})
}

// hostileBatch is well formed more often than not.
func hostileBatch(rng *rand.Rand, said *hostileSaid) (batch []byte) {
	session := hostileSession(rng)
	if n := len(said.sessions); n > 0 && rng.IntN(2) == 0 {
		session = said.sessions[rng.IntN(n)]
	}
	switch rng.IntN(6) {
	case 0:
		return []byte{byte(rng.IntN(8)), 1, 2}
	case 1:
		return paxos.Fence(session)
	case 2:
		if said.entry == nil { // else a client may be the sender, whose command is refused
			return control.Batch(hostileCommand(rng, said))
		}
	}
	for range rng.IntN(3) {
		r := paxos.Run{Kind: paxos.RunAppend, Session: session, First: 1 + hostileNumber(rng, said)%(paxos.Bound-9), Count: uint64(1 + rng.IntN(3))}
		for range r.Count {
			entry := make([]byte, rng.IntN(20))
			if said.entry != nil {
				entry = said.entry()
			}
			r.Entries = paxos.AppendEntry(r.Entries, entry)
		}
		batch = r.AppendTo(batch)
	}
	return batch
}

// hostileCommands are the control commands.
var hostileCommands = []control.Command{
	control.Genesis{}, control.Mark{}, control.Chunk{}, control.Close{}, control.Confirm{}, control.Trim{}, control.Raise{},
	control.SetRetention{}, control.Alpha{}, control.Change{}, control.SetHold{},
	control.SetGrant{}, control.SetRoster{}, control.Adjust{},
}

// hostileCommand is any control command. A change of acceptors is often one that may follow.
func hostileCommand(rng *rand.Rand, said *hostileSaid) control.Command {
	c := hostileCommands[rng.IntN(len(hostileCommands))]
	v := reflect.New(reflect.TypeOf(c)).Elem()
	hostileFill(v, rng, said)
	first := configuration.Of(hostileMembers, func(paxos.NodeID) uint64 { return 7 })
	first.Epoch = 1 + rng.Uint64N(3)
	newcomer := configuration.Acceptor{ID: "a4", Incarnation: hostileNumber(rng, said), Addr: "x:1"}
	switch c := v.Addr().Interface().(type) {
	case *control.Genesis:
		c.Level, c.Sessions = 1+rng.Uint64N(control.Level), 3
		c.Config = configuration.Of(hostileMembers, func(paxos.NodeID) uint64 { return 7 })
		c.Descent = control.Descent{}
	case *control.Mark:
		c.Learners = [][]paxos.NodeID{{"l1"}, {"l1", "l2"}, {"l2"}}[rng.IntN(3)]
	case *control.Alpha:
		c.Alpha = configuration.LeastAlpha
	case *control.Trim:
		c.To = paxos.Index(1 + rng.Uint64N(100))
	case *control.SetHold:
		c.Hold = paxos.Hold{Name: []string{"archive", "cursor"}[rng.IntN(2)], At: paxos.Index(rng.Uint64N(100))}
	case *control.Adjust:
		*c = control.Adjust{Setting: paxos.Setting{Key: paxos.SettingKey(1 + rng.IntN(4)), Name: []paxos.Principal{"", "app"}[rng.IntN(2)], Value: 1 + rng.Uint64N(5)}}
		if c.Key == paxos.SettingSessions {
			c.Name = ""
		}
	case *control.SetGrant:
		c.Name, c.Rights = []paxos.Principal{"app", "ops", paxos.Anonymous}[rng.IntN(3)], c.Rights&paxos.AllRights
	case *control.SetRoster:
		if rng.IntN(4) > 0 {
			c.Roster = hostileRoster(rng)
		}
	case *control.Raise:
		c.Level = 1 + rng.Uint64N(control.Level+1)
	case *control.Change:
		switch rng.IntN(4) {
		case 0:
			c.Change = first.Addition(newcomer, 3, 2)
		case 1:
			c.Change = first.Removal("a3", 2, 1)
		case 2:
			c.Change = first.Replacement([]paxos.NodeID{"a1", "a2", "a3"}[rng.IntN(3)], newcomer)
		}
	}
	return v.Interface().(control.Command)
}

// hostileRoster is one that a log may have: another process comes to those that there are, for one of them
// or not.
func hostileRoster(rng *rand.Rand) configuration.Roster {
	var list []configuration.Process
	for id, role := range hostileRoles {
		if role != paxos.RoleClient && id != "a4" {
			list = append(list, configuration.Process{Role: role, ID: id, Addr: "x:1"})
		}
	}
	r := configuration.Enrol(list)
	for n := range 1 + rng.IntN(3) {
		role := []paxos.Role{paxos.RoleProposer, paxos.RoleLearner}[rng.IntN(2)]
		gone := append(r.Of(role), "")[rng.IntN(len(r.Of(role))+1)]
		r = r.With(configuration.Process{Role: role, ID: paxos.NodeID(role.String()[:1]) + paxos.NodeID('3'+byte(n)), Addr: "x:1"}, gone)
	}
	return r
}

// hostileState is what a log may have decided about itself, or what it cannot have.
func hostileState(rng *rand.Rand, said *hostileSaid) paxos.Encoded {
	if n := len(said.states); n > 0 && rng.IntN(3) == 0 {
		return said.states[rng.IntN(n)]
	}
	s, at := control.State{}, paxos.Instance(0)
	for range rng.IntN(12) {
		if at += 1 + paxos.Instance(rng.IntN(3)); rng.IntN(20) == 0 {
			at += paxos.Instance(hostileNumber(rng, said)) % (paxos.Bound / 2)
		}
		if next, err := s.Apply(at, control.Batch(hostileCommand(rng, said)), control.Level); err == nil {
			s = next
		}
	}
	e := []byte(s.Encode())
	if len(e) > 0 && rng.IntN(8) == 0 {
		e[rng.IntN(len(e))] = byte(rng.Uint32())
	}
	return paxos.Encoded(e)
}

// hear keeps the newest of what a machine says.
func (s *hostileSaid) hear(v reflect.Value) {
	switch x := v.Interface().(type) {
	case paxos.Ballot:
		s.ballots = newest(append(s.ballots, x))
	case paxos.SessionID:
		s.sessions = newest(append(s.sessions, x))
	case paxos.Mark:
		s.marks = newest(append(s.marks, x))
	case paxos.Encoded:
		s.states = newest(append(s.states, x))
	}
	switch v.Kind() {
	case reflect.Pointer:
		s.hear(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			s.hear(v.Field(i))
		}
	case reflect.Slice:
		for i := range min(v.Len(), 4) {
			s.hear(v.Index(i))
		}
	case reflect.Uint64:
		s.numbers = newest(append(s.numbers, v.Uint()))
	}
}

func newest[T any](list []T) []T {
	if len(list) > 64 {
		return list[32:]
	}
	return list
}
