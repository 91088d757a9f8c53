package transport

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// ErrSlow ends the connection of a client that does not read.
var ErrSlow = errors.New("too much is waiting for this client: it does not read")

const (
	ioBuffer   = 64 << 10
	writeChunk = 256 << 10 // frames are coalesced up to about this before a write
	// sendBuffer bounds what the kernel holds, which nothing can overtake. It costs
	// throughput only where bandwidth times round trip exceeds it.
	sendBuffer = 1 << 20
)

// conn is one connection: a queue with a writer, and a reader.
type conn struct {
	n  *Network
	nc net.Conn
	r  *bufio.Reader

	drop bool // a full queue drops; else it closes the connection

	// writer is held by who encodes and writes: the write loop, or a sender that finds
	// the connection idle. out and rest are its.
	writer sync.Mutex
	raw    syscall.RawConn // nil: only the write loop can write
	out    []byte          // spare
	rest   []byte          // encoded, and not written yet

	mu      sync.Mutex
	urgent  []paxos.Message // written before everything in queue
	queue   []paxos.Message
	bytes   int       // of both
	last    time.Time // when the latest was queued
	row     int       // messages queued within a burst of each other, until now
	dropped uint64
	writing bool
	err     error
	wake    chan struct{} // holds one: something to write, or closed
	done    chan struct{}
}

func newConn(n *Network, nc net.Conn) *conn {
	if t, ok := nc.(*net.TCPConn); ok {
		_ = t.SetWriteBuffer(sendBuffer) // a hint; the kernel's own size works too
	}
	c := &conn{
		n: n, nc: nc, r: bufio.NewReaderSize(nc, ioBuffer), drop: true,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if s, ok := nc.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			c.raw = raw
		}
	}
	return c
}

// burst is how close two messages must follow each other to be taken for a burst.
const burst = 100 * time.Microsecond

// queued is what a sender has to see to after it queued a message.
type queued struct {
	mine  bool // nothing waited: push or signal must follow
	alone bool // none came just before, and none is likely to come just after
}

// enqueue queues m.
func (c *conn) enqueue(m paxos.Message) (q queued) {
	size := wire.Size(m)
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return queued{}
	}
	if c.bytes+size > c.n.cfg.QueueBytes && c.bytes > 0 {
		c.dropped++
		drop := c.drop
		c.mu.Unlock()
		if !drop {
			c.close(ErrSlow)
		}
		return queued{}
	}
	q.mine = len(c.urgent)+len(c.queue) == 0
	if wire.Urgent(m) {
		c.urgent = append(c.urgent, m)
	} else {
		c.queue = append(c.queue, m)
	}
	c.bytes += size
	now := time.Now()
	first := now.Sub(c.last) > burst
	c.last = now
	if first {
		q.alone = c.row <= 1
		c.row = 0
	}
	c.row++
	c.mu.Unlock()
	return q
}

// maxPush bounds what a sender encodes and writes itself; a larger queue is left to
// the write loop.
const maxPush = 16 << 10

// push writes what is queued at once, if that needs no waiting: it saves waking the
// write loop, which is most of what a message costs on an idle connection.
func (c *conn) push() {
	if c.raw == nil || !c.writer.TryLock() {
		c.signal()
		return
	}
	defer c.writer.Unlock()
	c.mu.Lock()
	large := c.bytes > maxPush
	c.mu.Unlock()
	if large || len(c.rest) > 0 {
		c.signal()
		return
	}
	buf, err := c.encode(c.take())
	if err != nil {
		c.close(err)
		return
	}
	if len(buf) == 0 {
		return // somebody else has written it
	}
	n := 0
	// Its error, of a deadline or of a broken connection, the write loop will meet.
	_ = c.raw.Write(func(fd uintptr) bool {
		n = writeSome(fd, buf)
		return true // whatever happened: this sender does not wait
	})
	if c.rest = buf[n:]; len(c.rest) > 0 || c.wrote() {
		c.signal()
	}
}

// encode appends the frames of messages to the spare buffer.
func (c *conn) encode(batch []paxos.Message) (buf []byte, err error) {
	buf = c.out[:0]
	for _, m := range batch {
		if buf, err = wire.Append(buf, m); err != nil {
			return nil, err
		}
	}
	if c.out = buf; cap(buf) > 8*writeChunk {
		c.out = nil // too large to keep
	}
	return buf, nil
}

// wrote notes that all that was taken is written, and reports whether more waits.
func (c *conn) wrote() (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
	return len(c.urgent)+len(c.queue) > 0
}

func (c *conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *conn) drained() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil || len(c.queue)+len(c.urgent) == 0 && !c.writing
}

// close ends the connection; the first reason given is kept.
func (c *conn) close(why error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = why
		close(c.done)
	}
	c.mu.Unlock()
	_ = c.nc.Close() // its only effect is to end both loops
}

// run serves the connection until it ends, and returns why.
func (c *conn) run(id paxos.NodeID, role paxos.Role) error {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		c.close(c.writeLoop())
	}()
	c.close(c.readLoop(id, role))
	wg.Wait()
	return c.err
}

func (c *conn) readLoop(id paxos.NodeID, role paxos.Role) error {
	received := false
	defer func() {
		if received { // before a frame that ended the connection
			c.n.h.Rest()
		}
	}()
	for {
		if !wire.Buffered(c.r) {
			if received {
				received = false
				c.n.h.Rest()
			}
			// A whole frame must come within the idle time: a slow sender does not hold a
			// connection for ever.
			if err := c.nc.SetReadDeadline(time.Now().Add(c.n.cfg.Idle)); err != nil {
				return err
			}
		}
		m, err := wire.Read(c.r, c.n.cfg.FrameBytes)
		if err != nil {
			return err
		}
		if _, ok := m.(*wire.Ping); ok {
			continue
		}
		if !wire.MayStep(role, c.n.cfg.Role, m) {
			return fmt.Errorf("%w: a %s may not send %T here", wire.ErrFrame, role, m)
		}
		c.n.h.Receive(id, m, wire.Size(m))
		received = true
	}
}

// take returns what to write next: all that is urgent, then about a chunk of the
// rest, so that a heartbeat never waits behind megabytes of values.
func (c *conn) take() []paxos.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.urgent
	c.urgent = nil
	size, n := 0, 0
	for n < len(c.queue) && size < writeChunk {
		size += wire.Size(c.queue[n])
		n++
	}
	for _, m := range out {
		c.bytes -= wire.Size(m)
	}
	c.bytes -= size
	if out == nil && n == len(c.queue) {
		out, c.queue = c.queue, nil
	} else {
		out = append(out, c.queue[:n]...)
		clear(c.queue[:n])
		c.queue = c.queue[n:]
	}
	c.writing = len(out) > 0
	return out
}

// writeLoop writes what is queued, as much at once as there is, and keeps an idle
// connection alive.
func (c *conn) writeLoop() error {
	ping := time.NewTicker(c.n.cfg.Idle / 3)
	defer ping.Stop()
	for {
		wrote, err := c.writeQueued(nil)
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
			return nil
		case <-ping.C:
			if _, err := c.writeQueued(&wire.Ping{}); err != nil {
				return err
			}
		}
	}
}

// writeQueued writes what a sender left, then m, if it is not nil, or about a chunk of
// the queue. It reports whether there was anything.
func (c *conn) writeQueued(m paxos.Message) (bool, error) {
	c.writer.Lock()
	defer c.writer.Unlock()
	if err := c.write(c.rest); err != nil {
		return false, err
	}
	wrote := len(c.rest) > 0
	c.rest = nil
	if m != nil {
		buf, err := wire.Append(nil, m)
		if err != nil {
			return false, err
		}
		return true, c.write(buf)
	}
	buf, err := c.encode(c.take())
	if err != nil {
		return false, err
	}
	return wrote || len(buf) > 0, c.write(buf)
}

func (c *conn) write(buf []byte) error {
	if len(buf) == 0 {
		return nil
	}
	if err := c.nc.SetWriteDeadline(time.Now().Add(c.n.cfg.Idle)); err != nil {
		return err
	}
	_, err := c.nc.Write(buf)
	return err
}
