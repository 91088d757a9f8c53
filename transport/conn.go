package transport

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paxlog/paxlog/credentials"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// ErrShare ends the connection of a client whose principal has most, when all are taken and another one's comes.
var ErrShare = errors.New("all connections are taken, and its principal has more than another one, who needs one")

// ErrSlow ends the connection of a client that does not read.
var ErrSlow = errors.New("too much is waiting for this client: it does not read")

// conn is one connection: a queue, a writer with a loop, and a reader with one.
type conn struct {
	n  *Network
	nc net.Conn
	in input
	r  *bufio.Reader // of in
	queue
	w writer

	// Set by the handshake, before anybody else knows of the connection.
	until   time.Time   // by when the other end must have said who it is
	stop    func() bool // of a dialler: lets the connection live on when the network ends
	veil    *veil       // nil: plain
	version uint64
	candidate
	kin    kinship
	showed paxos.LogID // what the other end was shown
	drop   bool        // a full queue drops; else it closes the connection
	// principal is that of a client that dialled, else "".
	principal  paxos.Principal
	number     uint64        // of a client that dialled: the how many-eth
	gives      bool          // it gives way to another principal's; the network's mu is held
	isFallback bool          // the dialler tried TLS before
	lingers    bool          // its TLS was refused, which the other end has to read yet
	idle       time.Duration // the shorter of what both ends wait for something to come
	differs    []string      // terms that the other end has otherwise
	process    uint64        // Config.Process of the other end, 0 if it has not said

	proof    atomic.Pointer[credentials.Proof]    // nil: plain
	judgedBy atomic.Pointer[credentials.Snapshot] // of proof

	told      atomic.Pointer[paxos.LogID] // what the other end said of its log since the handshake
	announced atomic.Bool                 // the other end knows this one's log
	polled    atomic.Bool                 // a poller reads it
	heard     atomic.Int64                // when a poller last read a message, in nanoseconds since 1970

	late    time.Duration // of the reader, after its last rest
	wake    chan struct{} // holds one: something to write
	done    chan struct{} // closed when the connection ends
	parting *wire.Refusal // set before done is closed: the last to be written
	held    atomic.Bool   // it stays open for a while when it has ended
}

func newConn(n *Network, nc net.Conn) *conn {
	if t, ok := nc.(*net.TCPConn); ok {
		_ = t.SetWriteBuffer(sendBuffer) // a hint; the kernel's own size works too
	}
	c := &conn{
		n: n, nc: nc, in: input{from: nc}, drop: true, version: wire.Oldest, idle: n.cfg.Idle, until: time.Now().Add(n.cfg.Handshake),
		w:    writer{stream: asStream(nc), idle: n.cfg.Idle},
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	c.r = bufio.NewReaderSize(&c.in, helloBuffer)
	return c
}

// welcome gives a connection whose other end is known the memory that it reads with from then on.
func (c *conn) welcome() error {
	var under io.Reader = &c.in
	if c.veil != nil {
		under = c.veil.Conn
	}
	came, _ := c.r.Peek(c.r.Buffered()) // which needs no reading
	c.r = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(came), under), ioBuffer)
	_, err := c.r.Peek(len(came)) // it is at hand, as what comes later will be
	return err
}

// input is what a connection is read from: by who may wait, or by a poller, which may not.
type input struct {
	from io.Reader
	try  func([]byte) (int, error) // not nil: a poller's
	left []byte                    // was read, and comes first
}

func (i *input) Read(b []byte) (int, error) {
	if len(i.left) > 0 {
		n := copy(b, i.left)
		i.left = i.left[n:]
		return n, nil
	}
	if i.try != nil {
		return i.try(b)
	}
	return i.from.Read(b)
}

// enqueue queues m.
func (c *conn) enqueue(m paxos.Message) queued {
	q := c.add(m, c.n.cfg.QueueBytes, c.version)
	if q.full && !c.drop {
		c.close(ErrSlow)
	}
	return q
}

// push writes what is queued at once, if that needs no waiting.
func (c *conn) push() {
	if c.waiting() > maxPush {
		c.signal()
		return
	}
	left, err := c.w.try(c.encodeQueued, c.wrote)
	switch {
	case err != nil:
		c.close(err)
	case left:
		c.signal()
	}
}

// encodeQueued appends the frames of what is to be written next.
func (c *conn) encodeQueued(buf []byte) (_ []byte, err error) {
	taken, size := c.take(), 0
	for _, m := range taken {
		size += m.size
	}
	if size > max(cap(buf), idleBuffer) {
		buf = largeBuffer(size + size/64)
	}
	for _, m := range taken {
		if buf, err = wire.AppendFor(buf, m.msg, c.version); err != nil {
			return nil, err
		}
	}
	return buf, nil
}

func (c *conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// close ends the connection; the first reason given is kept.
func (c *conn) close(why error) {
	if c.end(why) {
		c.held.Store(!c.drop && isHarm(why) && c.n.mayHold())
		close(c.done)
	}
	if c.held.Load() && c.shut() {
		return
	}
	_ = c.nc.Close() // its only effect is to end both loops
}

// isHarm reports whether a connection is ended because of what its client does: it would be as bad
// when it comes again.
func isHarm(why error) bool { return errors.Is(why, wire.ErrFrame) || errors.Is(why, ErrSlow) }

// shut ends both loops, too, and lets the other end find out later.
func (c *conn) shut() bool {
	c.w.shut.Store(true)
	half, ok := c.nc.(interface{ CloseRead() error })
	return ok && half.CloseRead() == nil && c.nc.SetWriteDeadline(time.Unix(1, 0)) == nil
}

// part ends the connection, too, but tells the other end why, if its version has that.
func (c *conn) part(code wire.RefusalCode, why error) {
	if c.version <= wire.Oldest {
		c.close(why)
		return
	}
	if !c.end(why) {
		return
	}
	c.parting = &wire.Refusal{Code: code}
	_ = c.nc.SetDeadline(time.Now().Add(partingTime)) // if it fails the connection is broken anyway
	close(c.done)
}

// run serves the connection until it ends, and returns why.
func (c *conn) run(id paxos.NodeID, role paxos.Role) error {
	var wg sync.WaitGroup
	wg.Go(func() {
		c.close(c.writeLoop())
		if role == paxos.RoleClient && c.n.cfg.Gone != nil {
			c.n.cfg.Gone(id)
		}
	})
	err := c.welcome()
	if err == nil {
		err = c.read(id, role)
	}
	c.close(err)
	wg.Wait()
	return noPorts(c.why())
}

// read reads until the connection ends. Clients, which may be many, share a reader.
func (c *conn) read(id paxos.NodeID, role paxos.Role) error {
	if role == paxos.RoleClient {
		if p := c.n.poller(); p != nil {
			if done, why := p.serve(c, id, role); done {
				return why
			}
		}
	}
	return c.readLoop(id, role)
}

// takeBuffered hands over the frames that are at hand as a whole, unless the client asks for so much
// that it needs a reader which may rest.
func (c *conn) takeBuffered(id paxos.NodeID, role paxos.Role) (received bool, err error) {
	for wire.Buffered(c.r) && !(received && c.n.crowded(id)) {
		some, err := c.readOne(id, role)
		received = received || some
		if err != nil {
			return received, err
		}
	}
	return received, nil
}

func (c *conn) readLoop(id paxos.NodeID, role paxos.Role) error {
	received, read := false, 0
	defer func() {
		if received { // before a frame that ended the connection
			c.n.h.Rest()
		}
	}()
	for {
		if !wire.Buffered(c.r) {
			if received {
				received = false
				if role == paxos.RoleClient {
					c.n.crowded(id) // from now on Receive may wait for its own sake
				}
				c.n.h.Rest()
			}
			// A whole frame must come within the idle time: a slow sender does not hold a
			// connection for ever.
			if err := c.nc.SetReadDeadline(time.Now().Add(c.n.cfg.Idle)); err != nil {
				return err
			}
		}
		some, err := c.readOne(id, role)
		received = received || some
		if err != nil {
			return err
		}
		if role != paxos.RoleClient {
			continue
		}
		if read++; read%yieldEach == 0 {
			runtime.Gosched() // who needs a processor for less goes first
		}
		if c.rest(id) {
			received = false
		}
	}
}

// rest has the reader of a client rest that asks for much, and reports whether it did. One that
// has ended the connection meanwhile is read no further.
func (c *conn) rest(id paxos.NodeID) bool {
	if c.n.cfg.Rest == nil {
		return false
	}
	d := c.n.cfg.Rest(id, c.late)
	if d == 0 {
		return false
	}
	c.n.h.Rest()
	began := time.Now()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.done:
	}
	c.late = time.Since(began) - d
	if isLeft(c.w.stream) {
		c.close(io.EOF)
	}
	return true
}

// readOne reads a frame, and hands the message over if it is one for the machine.
func (c *conn) readOne(id paxos.NodeID, role paxos.Role) (received bool, err error) {
	m, err := wire.ReadFrom(c.r, c.n.cfg.FrameBytes, c.version)
	if err != nil {
		return false, err
	}
	switch m := m.(type) {
	case *wire.Ping:
		return false, nil
	case *wire.Log:
		c.told.CompareAndSwap(nil, &m.ID)
		c.n.identity.take(c.shown())
		c.n.review(c)
		return false, nil
	case *wire.Refusal:
		if m.Code == wire.RefusedCertificate { // there may be another one by now: whoever dials tries it
			return false, fmt.Errorf("%w %s %s took until now is not taken any more; its log says why", errOldCertificate, role, id)
		}
		if c.version > wire.Oldest { // it parts, and says why
			return false, c.refusedBy(Peer{Role: role, ID: id}, m, &wire.Agreed{Log: c.shown().log})
		}
	}
	if !wire.MayStep(role, c.n.cfg.Role, m) {
		return false, fmt.Errorf("%w: a %s may not send %T here", wire.ErrFrame, role, m)
	}
	if _, ok := m.(*paxos.Vouched); !ok && c.kin == doubtful {
		return false, nil
	}
	c.n.h.Receive(id, m, wire.Size(m))
	return true, nil
}

// writeLoop writes what is queued, as much at once as there is, and keeps alive a
// connection on which nothing else is written for half of what the other end waits, or this one: that
// leaves as much again for the way.
func (c *conn) writeLoop() error {
	most := c.idle / 2
	ping := time.NewTimer(most)
	defer ping.Stop()
	for {
		wrote, err := c.w.write(c.encodeQueued)
		if err != nil {
			return err
		}
		if wrote {
			continue
		}
		select {
		case <-c.wake:
			runtime.Gosched() // who is about to send goes first: one write for all
		case <-c.done:
			return c.writeParting()
		case <-ping.C:
			if c.polled.Load() && time.Since(time.Unix(0, c.heard.Load())) > c.n.cfg.Idle {
				return os.ErrDeadlineExceeded // a reader of its own would have met this
			}
			if quiet := c.w.quiet(time.Now()); quiet < most {
				ping.Reset(most - quiet) // what was written says as much
				continue
			}
			if _, err := c.w.write(c.frame(&wire.Ping{})); err != nil {
				return err
			}
			ping.Reset(most)
		}
	}
}

func (c *conn) frame(m paxos.Message) func([]byte) ([]byte, error) {
	return func(buf []byte) ([]byte, error) { return wire.AppendFor(buf, m, c.version) }
}

func (c *conn) writeParting() error {
	if c.parting == nil {
		return nil
	}
	c.w.hurry(partingTime)
	_, err := c.w.write(c.frame(c.parting))
	return err
}
