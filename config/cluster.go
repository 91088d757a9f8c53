package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// Cluster is the content of a cluster file, with every default filled in.
type Cluster struct {
	Name      string // the cluster's identity, [A-Za-z0-9._-]{1,64}
	Acceptors []Node
	Proposers []Node
	Learners  []Node
	Quorum    Quorum
	Timeouts  Timeouts
	Limits    Limits
	TLS       TLS
	LogLevel  string // of daemons: one of LogLevels, "" for info; --log-level comes before it
}

// LogLevels are what LogLevel may be.
var LogLevels = []string{"debug", "info", "warn", "error"}

// Node is one process.
type Node struct {
	ID   paxos.NodeID // [A-Za-z0-9_-]{1,32}, unique in the cluster
	Addr string       // host:port that the other processes dial, unique in the cluster
}

// Quorum holds the quorum sizes; 0 stands for a majority of the acceptors.
type Quorum struct {
	Phase1 int
	Phase2 int
}

// Timeouts are the times that processes wait, each from 1ms to 1h.
type Timeouts struct {
	Heartbeat   time.Duration // between two heartbeats of a leader
	ElectionMin time.Duration // shortest silence after which a proposer campaigns; >= 2*Heartbeat
	ElectionMax time.Duration // longest such silence; >= ElectionMin
	Retry       time.Duration // before an unanswered message is sent again
	Stall       time.Duration // that a leader's oldest instance may stay unchosen; >= ElectionMax
	Read        time.Duration // that a learner tries to answer a linearizable read
	Dial        time.Duration // to open a connection
	Handshake   time.Duration // to finish a handshake once connected
	Idle        time.Duration // without a byte after which a connection is closed; >= 2*Heartbeat
}

// Limits bound what processes keep in memory, and on disk. All are at least 1.
type Limits struct {
	EntryBytes     int // one entry; at most 16 MiB
	BatchBytes     int // one value; a batch always admits one entry of any legal size
	Window         int // instances in flight at a leader
	QueueBytes     int // appends waiting at the leader; >= EntryBytes and 4 KiB
	ConnQueueBytes int // messages waiting on one connection; >= 2*(EntryBytes+BatchBytes) and 64 KiB
	// ClientQueueBytes bounds the messages waiting on all connections of clients together:
	// whoever has most waiting is cut off first; >= ConnQueueBytes, to which a file
	// that does not name it raises it.
	ClientQueueBytes int
	Connections      int // connections that a process accepts
	Sessions         int // client sessions remembered; the same at every learner
	PageBytes        int // one page of values; a page always admits one value
	InboxBytes       int // messages received and not yet handled; >= 2*(EntryBytes+BatchBytes) and 64 KiB
	// DiskLowBytes, or an eighth of a small volume, is free on that of a data directory, or no entries are taken.
	DiskLowBytes int
}

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

// Defaults returns a cluster without name and nodes that has every default.
func Defaults() *Cluster {
	return &Cluster{
		Timeouts: Timeouts{
			Heartbeat:   50 * time.Millisecond,
			ElectionMin: 150 * time.Millisecond,
			ElectionMax: 300 * time.Millisecond,
			Retry:       100 * time.Millisecond,
			Stall:       3 * time.Second,
			Read:        3 * time.Second,
			Dial:        time.Second,
			Handshake:   3 * time.Second,
			Idle:        5 * time.Second,
		},
		Limits: Limits{
			EntryBytes:     mib,
			BatchBytes:     mib,
			Window:         64,
			QueueBytes:     64 * mib,
			ConnQueueBytes: 16 * mib,

			ClientQueueBytes: 128 * mib,
			Connections:      4096,
			Sessions:         65536,
			PageBytes:        mib,
			InboxBytes:       64 * mib,
			DiskLowBytes:     256 * mib,
		},
	}
}

// MaxBasePort is the highest port that Dev takes.
const MaxBasePort = 65535 - 201

// Dev returns the cluster of `paxlog dev`, named dev: on loopback, acceptors a1
// to a3 at basePort+1 to +3, proposers p1 and p2 at +101 and +102, and learner l1
// at +201. It is valid for a basePort from 0 to MaxBasePort.
func Dev(basePort int) *Cluster {
	c := Defaults()
	c.Name = "dev"
	nodes := func(prefix string, count, offset int) []Node {
		var all []Node
		for i := 1; i <= count; i++ {
			all = append(all, Node{
				ID:   paxos.NodeID(fmt.Sprintf("%s%d", prefix, i)),
				Addr: fmt.Sprintf("127.0.0.1:%d", basePort+offset+i),
			})
		}
		return all
	}
	c.Acceptors = nodes("a", 3, 0)
	c.Proposers = nodes("p", 2, 100)
	c.Learners = nodes("l", 1, 200)
	c.fillQuorum()
	return c
}

// fillQuorum puts a majority where no size is given.
func (c *Cluster) fillQuorum() {
	majority := len(c.Acceptors)/2 + 1
	if c.Quorum.Phase1 == 0 {
		c.Quorum.Phase1 = majority
	}
	if c.Quorum.Phase2 == 0 {
		c.Quorum.Phase2 = majority
	}
}

// Membership returns what every process of the cluster must agree on.
func (c *Cluster) Membership() paxos.Membership {
	filled := *c
	filled.fillQuorum()
	m := paxos.Membership{
		Cluster:  c.Name,
		Phase1:   filled.Quorum.Phase1,
		Phase2:   filled.Quorum.Phase2,
		Sessions: c.Limits.Sessions,
	}
	for _, n := range c.Acceptors {
		m.Acceptors = append(m.Acceptors, n.ID)
	}
	slices.Sort(m.Acceptors)
	return m
}

// Nodes returns the processes of a role in the order of the file, and nil for
// RoleClient. The caller must not change them.
func (c *Cluster) Nodes(role paxos.Role) []Node {
	switch role {
	case paxos.RoleAcceptor:
		return c.Acceptors
	case paxos.RoleProposer:
		return c.Proposers
	case paxos.RoleLearner:
		return c.Learners
	}
	return nil
}

// Lookup returns the process named id and its role; ok is false if the file has
// none of that name.
func (c *Cluster) Lookup(id paxos.NodeID) (role paxos.Role, node Node, ok bool) {
	for _, role := range roles {
		for _, n := range c.Nodes(role) {
			if n.ID == id {
				return role, n, true
			}
		}
	}
	return 0, Node{}, false
}

// Find returns the process of the given role named id. Its error, which matches
// ErrInvalid, says which ids the file has for that role.
func (c *Cluster) Find(role paxos.Role, id paxos.NodeID) (Node, error) {
	actual, node, ok := c.Lookup(id)
	if ok && actual == role {
		return node, nil
	}
	problem := fmt.Sprintf("cluster %q has no %s %q", c.Name, role, id)
	if ok {
		problem = fmt.Sprintf("%q is a %s of cluster %q, not a %s", id, actual, c.Name, role)
		if actual == paxos.RoleAcceptor {
			problem = strings.Replace(problem, "is a ", "is an ", 1)
		}
		if role == paxos.RoleAcceptor {
			problem = strings.Replace(problem, "not a ", "not an ", 1)
		}
	}
	return Node{}, &Error{Problem: fmt.Sprintf("%s: its %ss are %s", problem, role, list(c.Nodes(role)))}
}

// list names nodes in words.
func list(nodes []Node) string {
	if len(nodes) == 0 {
		return "none"
	}
	ids := make([]string, len(nodes))
	for i, n := range nodes {
		ids[i] = string(n.ID)
	}
	return strings.Join(ids, ", ")
}

// Differences are the keys whose values are others in o, as they are written in the file; of a list of
// processes its name.
func (c *Cluster) Differences(o *Cluster) (keys []string) {
	add := func(key string, same bool) {
		if !same {
			keys = append(keys, key)
		}
	}
	add("cluster", c.Name == o.Name)
	for _, role := range roles {
		add(role.String()+"s", slices.Equal(c.Nodes(role), o.Nodes(role)))
	}
	add("quorum", c.Quorum == o.Quorum)
	for _, f := range durationFields {
		add("timeouts."+f.key, *f.at(&c.Timeouts) == *f.at(&o.Timeouts))
	}
	for _, f := range limitFields {
		add("limits."+f.key, *f.at(&c.Limits) == *f.at(&o.Limits))
	}
	add("tls", c.TLS == o.TLS)
	add("log_level", c.LogLevel == o.LogLevel)
	return keys
}

// roles are the roles that the file lists, in its order.
var roles = []paxos.Role{paxos.RoleAcceptor, paxos.RoleProposer, paxos.RoleLearner}
