package client

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/paxlog/paxlog/client/core"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/credentials"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
)

// Peer is a process of the cluster: its id and HOST:PORT.
type Peer struct{ ID, Addr string }

type options struct {
	cluster    string
	acceptors  []Peer
	proposers  []Peer
	learners   []Peer
	learner    string
	timeout    time.Duration
	entryBytes int
	inflight   int
	idle       time.Duration
	dial       time.Duration
	log        LogID
	tls        config.TLS
	creds      *credentials.Store // nil: TLS is off
}

// Option configures a Client.
type Option func(*options)

// WithCluster names the cluster; processes of another one are refused.
func WithCluster(name string) Option { return func(o *options) { o.cluster = name } }

// WithAcceptors names the acceptors. Status asks them; and every client does, once, which
// log this is, so that it is not misled by a process of another one at an old address.
func WithAcceptors(peers ...Peer) Option { return func(o *options) { o.acceptors = peers } }

// WithProposers names the proposers; one that runs is enough.
func WithProposers(peers ...Peer) Option { return func(o *options) { o.proposers = peers } }

// WithLearners names the learners; one that runs is enough.
func WithLearners(peers ...Peer) Option { return func(o *options) { o.learners = peers } }

// WithLearner uses only the learner of this id.
func WithLearner(id string) Option { return func(o *options) { o.learner = id } }

// WithTimeout bounds each append, and each read or start of a tail, in addition
// to its context. 0, the default, waits for ever.
func WithTimeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// WithEntryBytes is the largest entry, 1 MiB by default. It should be the
// cluster's limit; a larger entry is refused by the proposer.
func WithEntryBytes(n int) Option { return func(o *options) { o.entryBytes = n } }

// WithInflight bounds the bytes of a session's entries that are not answered yet, 4 MiB
// by default. One entry is always admitted; beyond it appends wait, in order.
func WithInflight(bytes int) Option { return func(o *options) { o.inflight = bytes } }

// WithDialTimeout bounds each attempt to connect to one process, 1 s by default; looking
// its name up has a time of its own. Distant clusters need more.
func WithDialTimeout(d time.Duration) Option { return func(o *options) { o.dial = d } }

// WithLog names the log that is meant: processes of another one are refused, with
// ErrOtherLog, and so is everybody while the log has no id. Without it a client holds to the
// log that it meets first. Status asks everybody, and shows of which log each is.
func WithLog(id LogID) Option { return func(o *options) { o.log = id } }

// WithTLS says how the client proves who it is, and which processes it believes: Cert and Key
// are files, or directories that hold client.crt and client.key; ClientCA is not needed. The
// files are read again when they change: what cannot be used of a change is passed over, and
// ReloadTLS says what that is. The name in the certificate is who the client is to the log.
func WithTLS(t config.TLS) Option { return func(o *options) { o.tls = t } }

// WithConfig takes the cluster's name, processes, entry limit and tls section from a cluster file
// that package config has loaded.
func WithConfig(c *config.Cluster) Option {
	return func(o *options) {
		o.cluster, o.entryBytes, o.tls = c.Name, c.Limits.EntryBytes, c.TLS
		o.acceptors, o.proposers, o.learners = peersOf(c.Acceptors), peersOf(c.Proposers), peersOf(c.Learners)
	}
}

func peersOf(list []config.Node) []Peer {
	var out []Peer
	for _, p := range list {
		out = append(out, Peer{ID: string(p.ID), Addr: p.Addr})
	}
	return out
}

// gather applies opts to the defaults, and checks them.
func gather(opts []Option) (options, error) {
	o := options{entryBytes: 1 << 20, inflight: 4 << 20, idle: 5 * time.Second, dial: dialWait}
	for _, f := range opts {
		f(&o)
	}
	if o.learner != "" {
		i := slices.IndexFunc(o.learners, func(p Peer) bool { return p.ID == o.learner })
		if i < 0 {
			return o, fmt.Errorf("there is no learner %q among the %d given", o.learner, len(o.learners))
		}
		o.learners = o.learners[i : i+1]
	}
	if o.dial <= 0 {
		return o, fmt.Errorf("a dial timeout of %v lets nothing connect", o.dial)
	}
	if len(o.learners) == 0 || len(o.proposers) == 0 {
		return o, errors.New("a client needs the address of at least one proposer and one learner")
	}
	var err error
	o.creds, err = credentials.Open(credentials.Options{TLS: o.tls, Me: credentials.Identity{Cluster: o.cluster, Role: paxos.RoleClient}})
	return o, err
}

func (o *options) machine() core.Config {
	return core.Config{Proposers: nodeIDs(o.proposers), Learners: nodeIDs(o.learners), Only: o.learner != "", InflightBytes: o.inflight}
}

func nodeIDs(peers []Peer) []paxos.NodeID {
	var out []paxos.NodeID
	for _, p := range peers {
		out = append(out, paxos.NodeID(p.ID))
	}
	return out
}

// Bounds of a client's connections: the largest frame and the queue of one connection,
// in bytes, and how long to dial and to say who one is.
const (
	frameBytes    = 512 << 20
	queueBytes    = 64 << 20
	dialWait      = time.Second
	handshakeWait = 3 * time.Second
)

// credentialsEach is how often the files of certificates are looked at.
const credentialsEach = 5 * time.Second

func (o *options) transport() transport.Config {
	return transport.Config{
		Members: paxos.Membership{Cluster: o.cluster}, Role: paxos.RoleClient, ID: "client",
		FrameBytes: frameBytes, QueueBytes: queueBytes,
		Dial: o.dial, Handshake: handshakeWait, Idle: o.idle, Pinned: o.log, Credentials: o.creds,
	}
}
