package transport

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// poller reads the connections of many clients in passes: one call tells which are
// ready, each of them is read once, and all that came is handed over before the machine
// is stepped. A reader of its own costs each message a goroutine that wakes, a read that
// finds nothing, and often a turn of the machine for itself.
//
// It reads only what a connection that appends one entry at a time sends: a few small
// frames. A client that sends more at once than its buffer holds gets a reader of its own
// and keeps it, and so does a connection that ends: that reader meets the error.
type poller struct {
	ep  *os.File // an epoll instance, for whose readiness the runtime waits as for a socket's
	raw syscall.RawConn
	n   *Network

	mu    sync.Mutex
	conns map[uint64]*polled
	last  uint64 // id given
}

// polled is a connection that a poller reads.
type polled struct {
	c    *conn
	id   paxos.NodeID
	role paxos.Role
	raw  syscall.RawConn
	left chan error // holds one: the poller is done with it; nil: it needs a reader

	mu    sync.Mutex // held while the poller reads it
	ended bool

	read func(fd uintptr) bool // fills buf
	buf  []byte
	got  int
	err  error
}

// errAgain says that there is nothing to read.
var errAgain = errors.New("nothing to read")

// newPoller returns nil where the system does not let it.
func newPoller(n *Network) *poller {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	if err := unix.SetNonblock(fd, true); err != nil { // else the runtime does not wait for it
		_ = unix.Close(fd)
		return nil
	}
	p := &poller{n: n, ep: os.NewFile(uintptr(fd), "epoll"), conns: map[uint64]*polled{}}
	if p.raw, err = p.ep.SyscallConn(); err != nil {
		_ = p.ep.Close()
		return nil
	}
	return p
}

// loop makes passes until close.
func (p *poller) loop() {
	events := make([]unix.EpollEvent, passConns)
	_ = p.raw.Read(func(fd uintptr) bool {
		for {
			n, err := unix.EpollWait(int(fd), events, 0)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				return true
			}
			p.pass(events[:n])
			if n < len(events) {
				return false // what comes from now on is an event that wakes this again
			}
		}
	})
	p.mu.Lock()
	left := p.conns
	p.conns = nil
	p.mu.Unlock()
	for _, pc := range left {
		pc.leave(nil)
	}
}

// pass reads each connection that is ready once.
func (p *poller) pass(events []unix.EpollEvent) {
	received, now := false, time.Now()
	for _, e := range events {
		id := uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32
		p.mu.Lock()
		pc := p.conns[id]
		p.mu.Unlock()
		if pc == nil { // it left meanwhile
			continue
		}
		some, on := pc.pass(e.Events&^(unix.EPOLLIN) == 0, now)
		received = received || some
		if !on {
			p.mu.Lock()
			delete(p.conns, id)
			p.mu.Unlock()
		}
	}
	if received {
		p.n.h.Rest()
	}
}

// pass reads what is there. It reports whether messages came, and whether the poller goes
// on with this connection. well is false if the connection is at its end.
func (pc *polled) pass(well bool, now time.Time) (received, on bool) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if pc.ended {
		return false, false
	}
	r := pc.c.r
	had := r.Buffered()
	_, err := r.Peek(had + 1) // one read
	room := r.Size() - had
	got := r.Buffered() - had
	received, bad := pc.c.takeBuffered(pc.id, pc.role)
	if r.Buffered() < had+got { // a whole frame, if only a ping
		pc.c.heard.Store(now.UnixNano())
	}
	switch {
	case bad != nil:
		pc.leaveLocked(bad)
	case !well, err != nil && err != errAgain, got >= room, wire.Needs(r) > r.Size():
		pc.leaveLocked(nil)
	}
	return received, !pc.ended
}

func (pc *polled) leave(why error) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	pc.leaveLocked(why)
}

// leaveLocked ends the polling of a connection; mu is held.
func (pc *polled) leaveLocked(why error) {
	if pc.ended {
		return
	}
	pc.ended = true
	pc.c.in.try = nil
	pc.c.polled.Store(false)
	pc.left <- why
}

// try reads without waiting; mu is held.
func (pc *polled) try(b []byte) (int, error) {
	pc.buf = b
	err := pc.raw.Read(pc.read)
	pc.buf = nil
	if err != nil {
		return 0, err
	}
	return pc.got, pc.err
}

// readSome is one read. What is no data is an error, also an end.
func (pc *polled) readSome(fd uintptr) bool {
	for {
		n, err := unix.Read(int(fd), pc.buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			pc.got, pc.err = 0, errAgain
		case err != nil:
			pc.got, pc.err = 0, err
		case n == 0:
			pc.got, pc.err = 0, os.ErrClosed
		default:
			pc.got, pc.err = n, nil
		}
		return true // whatever happened: the poller does not wait
	}
}

// serve has a connection read until it ends or needs a reader of its own; done says
// that it ended, and why.
func (p *poller) serve(c *conn, id paxos.NodeID, role paxos.Role) (done bool, why error) {
	s, ok := c.w.stream.(*rawStream)
	if !ok {
		return false, nil
	}
	pc := &polled{c: c, id: id, role: role, raw: s.raw, left: make(chan error, 1)}
	pc.read = pc.readSome
	// What came together with the handshake.
	received, err := c.takeBuffered(id, role)
	if received {
		p.n.h.Rest()
	}
	if err != nil || wire.Needs(c.r) > c.r.Size() {
		return err != nil, err
	}
	c.in.try = pc.try
	c.heard.Store(time.Now().UnixNano())
	c.polled.Store(true)
	if !p.add(pc) {
		c.in.try = nil
		c.polled.Store(false)
		return false, nil
	}
	select {
	case why = <-pc.left:
		p.remove(pc)
		return why != nil, why
	case <-c.done: // it may still be written to: a reader waits for its end
		pc.leave(nil)
		p.remove(pc)
		return false, nil
	}
}

// add begins to poll.
func (p *poller) add(pc *polled) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		return false
	}
	p.last++
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(p.last), Pad: int32(p.last >> 32)}
	if !p.control(pc, unix.EPOLL_CTL_ADD, &e) {
		return false
	}
	p.conns[p.last] = pc
	return true
}

// remove ends to poll. A connection that is closed is removed already.
func (p *poller) remove(pc *polled) { p.control(pc, unix.EPOLL_CTL_DEL, nil) }

func (p *poller) control(pc *polled, op int, e *unix.EpollEvent) (ok bool) {
	_ = p.raw.Control(func(ep uintptr) { // their errors mean that one of both is closed
		_ = pc.raw.Control(func(fd uintptr) { ok = unix.EpollCtl(int(ep), op, int(fd), e) == nil })
	})
	return ok
}

func (p *poller) close() { _ = p.ep.Close() }

// pollersHere is how many pollers read for a process: reading and decoding is little
// beside the rest, and a process that has many processors has more to do.
func pollersHere() int { return 1 + runtime.GOMAXPROCS(0)/4 }
