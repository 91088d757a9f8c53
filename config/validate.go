package config

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

var (
	clusterName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	nodeName    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
)

// IsName reports whether id is one that a process may have.
func IsName(id string) bool { return nodeName.MatchString(id) }

// Validate returns an error, which matches ErrInvalid, unless a cluster can run
// with this configuration.
func (c *Cluster) Validate() error {
	return c.validate(func(string) (string, int) { return "", 0 })
}

// locator says in which file and on which line a key stands.
type locator func(path string) (file string, line int)

// fail returns an error about the key at path.
func (at locator) fail(path, format string, args ...any) error {
	file, line := at(path)
	return &Error{File: file, Line: line, Problem: fmt.Sprintf(format, args...)}
}

// place names path, and its line if it has one.
func (at locator) place(path string) string {
	if _, line := at(path); line > 0 {
		return fmt.Sprintf("%s (line %d)", path, line)
	}
	return path
}

func (c *Cluster) validate(at locator) error {
	switch {
	case c.Name == "":
		return at.fail("cluster", "the cluster has no name: add `cluster: NAME`")
	case !clusterName.MatchString(c.Name):
		return at.fail("cluster", "cluster: %q is not a name: use 1 to 64 of the characters A-Z a-z 0-9 . _ -", c.Name)
	}
	if err := c.validateNodes(at); err != nil {
		return err
	}
	if c.LogLevel != "" && !slices.Contains(LogLevels, c.LogLevel) {
		return at.fail("log_level", "log_level: %q is not one of %s", c.LogLevel, strings.Join(LogLevels, ", "))
	}
	if c.Limits.Sessions < 1 {
		return at.fail("limits.sessions", "limits.sessions: %d is below 1", c.Limits.Sessions)
	}
	if err := c.Membership().Validate(); err != nil {
		return at.fail("quorum", "quorum: %v", err)
	}
	if err := c.Timeouts.validate(at); err != nil {
		return err
	}
	if err := c.Limits.validate(at); err != nil {
		return err
	}
	return c.TLS.validate(c.Name, at)
}

// validateNodes checks the lists of processes: at least one of each role, and
// no id and no address twice.
func (c *Cluster) validateNodes(at locator) error {
	ids, addrs := map[paxos.NodeID]string{}, map[string]string{}
	for _, role := range roles {
		section := role.String() + "s"
		nodes := c.Nodes(role)
		if len(nodes) == 0 {
			return at.fail(section, "%s: a cluster needs at least one %s: add `%s: [{id: …, addr: HOST:PORT}]`", section, role, section)
		}
		if role == paxos.RoleAcceptor && len(nodes) > paxos.MaxAcceptors {
			return at.fail(section, "%s: %d of them, over the limit of %d", section, len(nodes), paxos.MaxAcceptors)
		}
		for i, n := range nodes {
			path := fmt.Sprintf("%s[%d]", section, i)
			id, addr := path+".id", path+".addr"
			if !nodeName.MatchString(string(n.ID)) {
				return at.fail(id, "%s: %q is not an id: use 1 to 32 of the characters A-Z a-z 0-9 _ -", id, n.ID)
			}
			if other, ok := ids[n.ID]; ok {
				return at.fail(id, "%s: %q is already the id of %s: every process needs its own", id, n.ID, at.place(other))
			}
			ids[n.ID] = path
			key, problem := checkAddr(n.Addr)
			if problem != "" {
				return at.fail(addr, "%s: %q %s", addr, n.Addr, problem)
			}
			if other, ok := addrs[key]; ok {
				return at.fail(addr, "%s: %q is already the address of %s: every process needs its own", addr, n.Addr, at.place(other))
			}
			addrs[key] = path
		}
	}
	return nil
}

// CheckAddr returns what is wrong with an address that other processes are to dial, or "".
func CheckAddr(addr string) string {
	_, problem := checkAddr(addr)
	return problem
}

// checkAddr returns a form of addr that equal addresses share, or what is wrong
// with it.
func checkAddr(addr string) (key, problem string) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		if strings.Count(addr, ":") > 1 {
			return "", "is not HOST:PORT: an address of IPv6 stands in brackets, all of it in quotes, as in \"[::1]:7101\""
		}
		return "", "is not HOST:PORT"
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", "needs a port from 1 to 65535"
	}
	if host == "" || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", "names no host: the other processes dial this address"
	}
	if ip := net.ParseIP(host); ip != nil {
		if ip.IsUnspecified() {
			return "", "cannot be dialled by other hosts: write the address of this one, and start it with --listen to bind them all"
		}
		host = ip.String()
	}
	return net.JoinHostPort(strings.ToLower(host), strconv.FormatUint(n, 10)), ""
}

// validate checks each timeout for itself, then against the others.
func (t Timeouts) validate(at locator) error {
	for _, f := range durationFields {
		path := "timeouts." + f.key
		if d := *f.at(&t); d < time.Millisecond || d > f.most {
			return at.fail(path, "%s: %v is not between 1ms and %v", path, d, f.most)
		}
	}
	switch {
	case t.ElectionMin < 2*t.Heartbeat:
		return at.fail("timeouts.election_min", "timeouts.election_min: %v is below twice timeouts.heartbeat, %v: one late heartbeat would depose a leader", t.ElectionMin, t.Heartbeat)
	case t.ElectionMax < t.ElectionMin:
		return at.fail("timeouts.election_max", "timeouts.election_max: %v is below timeouts.election_min, %v", t.ElectionMax, t.ElectionMin)
	case t.Stall < t.ElectionMax:
		return at.fail("timeouts.stall", "timeouts.stall: %v is below timeouts.election_max, %v", t.Stall, t.ElectionMax)
	case t.Idle < 2*t.Heartbeat:
		return at.fail("timeouts.idle", "timeouts.idle: %v is below twice timeouts.heartbeat, %v: quiet connections would be closed", t.Idle, t.Heartbeat)
	}
	return nil
}

// minConnections leaves room for some clients beside the servers.
const minConnections = 128

// What queues must hold however small entries are. A queue that is full of a few messages
// drops the next, which is sent again a retry later, or cuts a client off: appends take
// seconds then, or end as unknown.
const (
	messageBytes   = 128                // a message with its session, numbers and address, without values
	leastQueue     = 32 * messageBytes  // appends that wait at a leader
	leastConnQueue = 512 * messageBytes // what a client may have in flight at once, and its answers
)

// validate checks each limit for itself, then against the others.
func (l Limits) validate(at locator) error {
	for _, f := range limitFields {
		path := "limits." + f.key
		if n := *f.at(&l); n < 1 || n > f.most {
			return at.fail(path, "%s: %s is not between 1 and %s", path, f.format(n), f.format(f.most))
		}
	}
	if l.Connections < minConnections {
		return at.fail("limits.connections", "limits.connections: %d is below %d: 64 places are kept for servers", l.Connections, minConnections)
	}
	if l.QueueBytes < l.EntryBytes {
		return at.fail("limits.queue_bytes", "limits.queue_bytes: %s cannot hold one entry of limits.entry_bytes, %s", formatSize(l.QueueBytes), formatSize(l.EntryBytes))
	}
	if l.QueueBytes < leastQueue {
		return at.fail("limits.queue_bytes", "limits.queue_bytes: %s is below %s: however small an entry is, an append weighs about %d bytes, and a leader needs room for some", formatSize(l.QueueBytes), formatSize(leastQueue), messageBytes)
	}
	need := 2 * (l.EntryBytes + l.BatchBytes)
	for _, q := range []struct {
		key   string
		bytes int
	}{{"conn_queue_bytes", l.ConnQueueBytes}, {"inbox_bytes", l.InboxBytes}} {
		path := "limits." + q.key
		if q.bytes < need {
			return at.fail(path, "%s: %s is below twice limits.entry_bytes + limits.batch_bytes, %s", path, formatSize(q.bytes), formatSize(need))
		}
		if q.bytes < leastConnQueue {
			return at.fail(path, "%s: %s is below %s: however small an entry is, a message weighs about %d bytes, and hundreds of them must find room", path, formatSize(q.bytes), formatSize(leastConnQueue), messageBytes)
		}
	}
	if l.ClientQueueBytes < l.ConnQueueBytes {
		return at.fail("limits.client_queue_bytes", "limits.client_queue_bytes: %s of all clients is below what may wait on one connection, limits.conn_queue_bytes, %s", formatSize(l.ClientQueueBytes), formatSize(l.ConnQueueBytes))
	}
	return nil
}
