// Package node is the real driver: it runs one machine on TCP, Pebble and the
// clock. It alone acts, and it alone enforces that nothing is sent before what it
// shows is durable.
//
// Five kinds of goroutines work on a node:
//
//	readers   of package transport, one for each server and few for all clients, put
//	          messages into the inbox (inbox.go), and step the machine if nobody else does
//	loop      takes all that waits, steps the machine, flushes it, sends SendNow
//	disk      applies the writes of all outputs that wait as one commit, if who stepped
//	          the machine could not do it at once (disk.go)
//	Pebble's  which syncs its log, then sends the SendAfter of what is durable
//	load      reads the store for the machine
//
// A reader of a client that asks for much rests now and then (pace.go).
//
// So while one sync is under way the next commit fills, and a disk that hangs
// stops no heartbeat, no read and no answer that does not depend on it.
package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/rs/zerolog"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/credentials"
	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/proposer"
	"github.com/paxlog/paxlog/transport"
	"github.com/paxlog/paxlog/wal"
)

// Options of Start.
type Options struct {
	Cluster *config.Cluster
	Role    paxos.Role
	ID      paxos.NodeID
	Dir     string // of an acceptor or learner
	Listen  string // overrides the address in the cluster file
	// Join, if not empty, says that the cluster file does not name this process, which joins the
	// log, and where others dial it.
	Join string
	// Beside is how many other nodes run in this process: they share the files that it may open.
	Beside int
	Files  int // that this process may open; 0: what the operating system says
	// Met, of one that joins, are the processes of the log as it was told when it started; and
	// MetLog, of a proposer that joins, is which log that is: the processes of its cluster file may
	// all be gone, or let it in only once it is one of them.
	Met    []configuration.Process
	MetLog paxos.LogID
	FS     vfs.FS // nil: the operating system's
	Log    zerolog.Logger
	// Fatal is called once, from any goroutine, when the process must stop at
	// once: a failed disk, or a broken invariant.
	Fatal func(error)
}

// Node is a running process of one role.
type Node struct {
	opts  Options
	log   zerolog.Logger
	turn  turn
	store *wal.Store // nil for a proposer
	net   *transport.Network
	out   func([]paxos.Envelope) // net.SendAll
	inbox *inbox
	disk  *disk // nil for a proposer
	usage usage // of the disk

	accepted  *accepted
	ready     chan struct{}
	readyOnce sync.Once
	stopped   chan struct{}
	stopping  chan struct{} // closed by Stop
	stopOnce  sync.Once
	loopDone  chan struct{}
	dead      atomic.Bool
	died      chan struct{} // closed when dead
	ending    sync.Once
	peerLog   *peerLog
	places    places
	reloadMu  sync.Mutex
	inForce   *config.Cluster // what of the cluster file this process goes by; reloadMu is held
	known     known
	creds     *credentials.Store // nil: TLS is off
	dialMu    sync.Mutex
	dialled   map[paxos.NodeID]transport.Peer
}

// Start opens the data directory, listens, connects to the peers, and runs until
// Stop. It returns wal's errors about the directory, and the listener's.
func Start(opts Options) (*Node, error) {
	n, addr, err := prepare(opts)
	if err != nil {
		return nil, err
	}
	if err := n.open(); err != nil {
		return nil, err
	}
	becomeReady := n.becomeReady
	if opts.Role != paxos.RoleProposer {
		becomeReady = func() {} // not up to its peers
	}
	n.accepted = newAccepted(opts.Cluster.Membership().Acceptors, becomeReady)
	n.net = transport.New(n.transportConfig(), handler{n})
	n.out = n.net.SendAll
	if n.store != nil {
		n.disk = newDisk(n, opts.Cluster.Limits.InboxBytes)
	}
	err = n.turn.begin(func() error {
		if err := n.net.Listen(addr); err != nil {
			return listenError(addr, err)
		}
		return nil
	})
	if err != nil {
		n.net.Close()
		if n.disk != nil {
			n.disk.stop()
		}
		return nil, errors.Join(err, n.closeStore())
	}
	n.tellLoopback(addr)
	go n.loop()
	if n.creds.IsOn() {
		go n.watchCredentials()
	}
	n.dialPeers()
	if opts.Role == paxos.RoleAcceptor {
		n.becomeReady()
	}
	return n, nil
}

// prepare makes a node of what its options and its credentials say, and returns the address that
// it is to listen on. Nothing runs yet, and nothing is open.
func prepare(opts Options) (*Node, string, error) {
	if opts.FS == nil {
		opts.FS = vfs.Default
	}
	me, err := opts.Cluster.Find(opts.Role, opts.ID)
	if opts.Join != "" {
		me, err = config.Node{ID: opts.ID, Addr: opts.Join}, nil
	}
	if err != nil {
		return nil, "", err
	}
	n := &Node{
		opts: opts, inForce: opts.Cluster, peerLog: newPeerLog(), ready: make(chan struct{}), stopped: make(chan struct{}), stopping: make(chan struct{}), loopDone: make(chan struct{}), died: make(chan struct{}),
		log:   opts.Log.With().Str("role", opts.Role.String()).Str("id", string(opts.ID)).Logger(),
		inbox: newInbox(opts.Cluster.Limits.InboxBytes),
	}
	n.usage.n = n
	if err := n.findPlaces(); err != nil {
		return nil, "", err
	}
	n.creds, err = credentials.Open(credentials.Options{
		TLS: opts.Cluster.TLS, Me: credentials.Identity{Cluster: opts.Cluster.Name, Role: opts.Role, ID: string(opts.ID)},
	})
	if err != nil {
		return nil, "", err
	}
	if opts.Role == paxos.RoleProposer && opts.Join != "" {
		n.known.takeLog(opts.MetLog)
	}
	n.turn = turn{inbox: n.inbox, me: opts.ID, act: n.act, start: time.Now(), pause: pause(opts.Cluster)}
	if opts.Listen != "" {
		return n, opts.Listen, nil
	}
	return n, me.Addr, nil
}

// open opens the store and makes the machine.
func (n *Node) open() error {
	c, id := n.opts.Cluster, n.opts.ID
	members := c.Membership()
	seed, err := randomBits()
	if err != nil {
		return err
	}
	if n.opts.Role == paxos.RoleProposer {
		var log paxos.LogID
		if _, err := rand.Read(log[:]); err != nil {
			return err
		}
		n.turn.machine, n.inbox.tellsCrowds = proposer.New(proposerConfig(c, id, seed, log)), true
		return nil
	}
	n.store, err = wal.Open(n.opts.Dir, wal.NewIdentity(members, n.opts.Role, id), wal.Options{
		FS: n.opts.FS, Fatal: n.fatal, Synced: n.onSynced, Tables: n.places.tables, LowBytes: uint64(c.Limits.DiskLowBytes),
	})
	if err != nil {
		return err
	}
	if n.opts.Role == paxos.RoleAcceptor {
		st, err := n.store.Acceptor()
		if err != nil {
			return errors.Join(err, n.closeStore())
		}
		n.known.start(st.Peers, st.Control, st.Held)
		cfg := acceptorConfig(c, id, n.opts.Join, n.store.Identity().Incarnation, seed)
		meets(&cfg, n.opts.Met)
		n.turn.machine = acceptor.New(cfg, st)
		return nil
	}
	st, err := n.store.Learner()
	if err != nil {
		return errors.Join(err, n.closeStore())
	}
	n.known.start(st.Peers, st.Control, st.Applied)
	n.turn.machine = learner.New(learnerConfig(c, id, seed), st)
	return nil
}

func (n *Node) closeStore() error {
	if n.store == nil {
		return nil
	}
	return n.store.Close()
}

func randomBits() (uint64, error) {
	var b [8]byte
	_, err := rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:]), err
}

// loop steps the machine when it is woken, and when the machine wants to be told the time.
func (n *Node) loop() {
	defer close(n.loopDone)
	defer n.turn.timer.Stop()
	for n.inbox.wait(n.turn.timer.C) {
		runtime.Gosched() // readers that have something go first: one turn for all
		n.turn.take()
	}
}

// act does what an output says, in the order that paxos.Output demands.
func (n *Node) act(out paxos.Output) {
	if n.dead.Load() {
		return
	}
	for _, note := range out.Notes {
		n.logNote(note)
	}
	if out.Halt != "" {
		n.fatal(errors.New(out.Halt))
		return
	}
	newLog, newMembers := n.known.learn(out.Writes)
	if p, ok := n.turn.machine.(*proposer.Proposer); ok { // it keeps nothing
		newLog = n.known.takeLog(p.Log())
		n.known.takeQuotas(p.Settings())
		newMembers = n.known.follow(p.Members(), p.Roster())
		newMembers = n.known.pass(p.Passed()) || newMembers
	}
	if newLog {
		n.net.LogKnown()
	}
	if newMembers {
		n.dialPeers()
		n.net.MembersKnown()
	}
	n.chargeRefused(out.SendNow)
	n.send(n.withoutAnswers(n.withLinks(withClock(out.SendNow))))
	if n.disk != nil {
		n.disk.submit(out)
	} else {
		n.send(out.SendAfter) // nothing is written, so nothing has to be waited for
	}
	if out.Ready {
		n.becomeReady()
	}
	if out.Stopped {
		n.stopOnce.Do(func() { close(n.stopped) })
	}
}

// chargeRefused counts what clients are refused.
func (n *Node) chargeRefused(envelopes []paxos.Envelope) {
	for _, e := range envelopes {
		if m, ok := e.Msg.(*paxos.Refused); ok && e.To.IsClient() {
			n.inbox.charge(e.To, costOfRefusal(m.Reason))
		}
	}
}

func (n *Node) send(envelopes []paxos.Envelope) {
	if n.dead.Load() {
		return
	}
	n.out(envelopes)
}

// fatal stops everything at once: no message leaves after it. Who comes second waits
// for the first, which in a process does not return: the storage engine would panic.
func (n *Node) fatal(err error) {
	n.dead.Store(true)
	n.ending.Do(func() {
		close(n.died)
		n.opts.Fatal(err)
	})
}

// onSynced sends what waited for a sync.
func (n *Node) onSynced() { n.disk.tell() }

func (n *Node) becomeReady() {
	n.readyOnce.Do(func() {
		n.log.Info().Str("addr", n.Addr().String()).Msg("ready")
		close(n.ready)
	})
}

// Ready is closed when the node serves: its data is open, its port listens, a learner has
// caught up or knows that it cannot, and a proposer was taken by an acceptor, or reaches
// none.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// Addr is the address bound.
func (n *Node) Addr() net.Addr { return n.net.Addr() }

// drainMost is for how long a process that stops waits for those that have not read yet what was said to
// them: who reads has it in less, and who does not asks another one.
const drainMost = time.Second

func (n *Node) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainMost)
	defer cancel()
	n.net.Drain(ctx)
}

// Stop finishes what was accepted, as long as ctx lasts, and closes cleanly.
func (n *Node) Stop(ctx context.Context) error {
	if n.opts.Role == paxos.RoleProposer {
		n.inbox.put(item{from: n.opts.ID, msg: &paxos.Stopping{}})
		select {
		case <-n.stopped:
		case <-ctx.Done():
		}
	}
	close(n.stopping)
	n.inbox.stop()
	<-n.loopDone
	n.turn.end()
	if n.disk != nil {
		n.disk.stop()
	}
	n.drain(ctx)
	n.peerLog.close()
	n.net.Close()
	return n.closeStore()
}
