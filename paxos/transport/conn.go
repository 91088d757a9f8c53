package transport

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/wire"
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

	mu      sync.Mutex
	urgent  []paxos.Message // written before everything in queue
	queue   []paxos.Message
	bytes   int // of both
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
	return &conn{
		n: n, nc: nc, r: bufio.NewReaderSize(nc, ioBuffer), drop: true,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// send queues m.
func (c *conn) send(m paxos.Message) {
	size := wire.Size(m)
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	if c.bytes+size > c.n.cfg.QueueBytes && c.bytes > 0 {
		c.dropped++
		drop := c.drop
		c.mu.Unlock()
		if !drop {
			c.close(ErrSlow)
		}
		return
	}
	if wire.Urgent(m) {
		c.urgent = append(c.urgent, m)
	} else {
		c.queue = append(c.queue, m)
	}
	c.bytes += size
	c.mu.Unlock()
	c.signal()
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
	for {
		// A whole frame must come within the idle time: a slow sender does not hold
		// a connection for ever.
		if err := c.nc.SetReadDeadline(time.Now().Add(c.n.cfg.Idle)); err != nil {
			return err
		}
		m, err := wire.Read(c.r, c.n.cfg.FrameBytes)
		if err != nil {
			return err
		}
		if _, ok := m.(*wire.Ping); ok {
			continue
		}
		pm, ok := m.(paxos.Message)
		if !ok || !wire.MayStep(role, c.n.cfg.Role, m) {
			return fmt.Errorf("%w: a %s may not send %T here", wire.ErrFrame, role, m)
		}
		c.n.h.Receive(id, pm, wire.Size(m))
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

// writeLoop writes what is queued, as much at once as there is.
func (c *conn) writeLoop() error {
	ping := time.NewTicker(c.n.cfg.Idle / 3)
	defer ping.Stop()
	var buf []byte
	var err error
	for {
		batch := c.take()
		if len(batch) == 0 {
			select {
			case <-c.wake:
				continue
			case <-c.done:
				return nil
			case <-ping.C:
				if buf, err = wire.Append(buf[:0], &wire.Ping{}); err != nil {
					return err
				}
			}
		}
		for _, m := range batch {
			if buf, err = wire.Append(buf, m); err != nil {
				return err
			}
		}
		if buf, err = c.write(buf); err != nil {
			return err
		}
	}
}

// write writes buf and returns it empty, unless it grew too large to keep.
func (c *conn) write(buf []byte) ([]byte, error) {
	if len(buf) == 0 {
		return buf, nil
	}
	if err := c.nc.SetWriteDeadline(time.Now().Add(c.n.cfg.Idle)); err != nil {
		return nil, err
	}
	if _, err := c.nc.Write(buf); err != nil {
		return nil, err
	}
	if cap(buf) > 8*writeChunk {
		return nil, nil
	}
	return buf[:0], nil
}
