package transport

import (
	"bytes"
	"io"
	"net"
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
//
// With TLS a read takes what the socket has into a buffer of the poller, and package tls takes
// that from there, record by record: left to itself it would read twice or more in each pass.
type poller struct {
	ep  *os.File // an epoll instance, for whose readiness the runtime waits as for a socket's
	raw syscall.RawConn
	n   *Network
	buf []byte // what was read of a connection with TLS in this pass

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
	into []byte     // with TLS: the poller's buf

	mu    sync.Mutex // held while the poller reads it
	ended bool
	empty bool // with TLS: there is nothing more to read in this pass
	many  bool // with TLS: there is more than into holds

	read func(fd uintptr) bool // fills buf
	buf  []byte
	got  int
	err  error
}

// errAgain says that there is nothing to read now. Package tls takes every other error for
// the end.
var errAgain net.Error = again{}

type again struct{}

func (again) Error() string   { return "nothing to read" }
func (again) Timeout() bool   { return false }
func (again) Temporary() bool { return true }

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
	p := &poller{n: n, buf: make([]byte, ioBuffer), ep: os.NewFile(uintptr(fd), "epoll"), conns: map[uint64]*polled{}}
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
	pc.empty, pc.many = false, false
	received, well, bad := pc.take(well, now)
	switch {
	case bad != nil:
		pc.leaveLocked(bad)
	case !well, received && pc.c.n.crowded(pc.id):
		pc.leaveLocked(nil)
	}
	return received, !pc.ended
}

// take hands over what is there. It reports whether a poller can go on, and what is wrong with
// what came; mu is held.
func (pc *polled) take(well bool, now time.Time) (received, on bool, bad error) {
	r, isVeiled := pc.c.r, pc.c.veil != nil
	for {
		had := r.Buffered()
		_, err := r.Peek(had + 1) // one read; with TLS one record
		room := r.Size() - had
		got := r.Buffered() - had
		some, bad := pc.c.takeBuffered(pc.id, pc.role)
		received = received || some
		if r.Buffered() < had+got { // a whole frame, if only a ping
			pc.c.heard.Store(now.UnixNano())
		}
		switch {
		case bad != nil:
			return received, false, bad
		case wire.Buffered(r): // it is crowded
			return received, false, nil
		case err != nil && err != errAgain, wire.Needs(r) > r.Size(), pc.many, !isVeiled && got >= room:
			return received, false, nil
		case !isVeiled, err != nil:
			return received, well, nil
		}
	}
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
	pc.c.in.left = bytes.Clone(pc.c.in.left) // others are read into the buffer from now on
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

// tryVeiled is try where package tls reads; mu is held.
func (pc *polled) tryVeiled(b []byte) (int, error) {
	if pc.empty {
		return 0, errAgain
	}
	n, err := pc.try(pc.into)
	switch {
	case err == os.ErrClosed:
		return 0, io.EOF // package tls keeps it for the reader
	case err != nil:
		return 0, err
	}
	pc.empty, pc.many = n < len(pc.into), n == len(pc.into)
	copied := copy(b, pc.into[:n])
	pc.c.in.left = pc.into[copied:n]
	return copied, nil
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
	pc := &polled{c: c, id: id, role: role, raw: s.raw, left: make(chan error, 1), into: p.buf}
	pc.read = pc.readSome
	if done, why := pc.begin(); done || why != nil {
		return why != nil, why
	}
	if !p.add(pc) {
		pc.unhook()
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

// begin takes what came together with the handshake, which no event tells of, and has the
// connection read without waiting from then on. needs says that it needs a reader.
func (pc *polled) begin() (needs bool, why error) {
	c := pc.c
	received, err := c.takeBuffered(pc.id, pc.role)
	needs = wire.Buffered(c.r) || wire.Needs(c.r) > c.r.Size()
	if c.in.try = pc.try; c.veil != nil {
		c.in.try = pc.tryVeiled
	}
	if c.veil != nil && err == nil && !needs {
		pc.mu.Lock()
		pc.empty = true // what package tls has read is all
		some, on, bad := pc.take(true, time.Now())
		pc.mu.Unlock()
		received, needs, err = received || some, !on, bad
	}
	if received {
		pc.c.n.h.Rest()
	}
	if err != nil || needs {
		pc.unhook()
		return needs, err
	}
	c.heard.Store(time.Now().UnixNano())
	c.polled.Store(true)
	return false, nil
}

// unhook has a connection read by who waits.
func (pc *polled) unhook() {
	pc.c.in.try = nil
	pc.c.polled.Store(false)
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

// isLeft reports whether the other end has ended a connection, whatever of it is still to be read.
func isLeft(s stream) (left bool) {
	r, ok := s.(*rawStream)
	if !ok {
		return false
	}
	_ = r.raw.Control(func(fd uintptr) { // its error means that it is closed here
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(fds, 0)
		left = err == nil && n > 0
	})
	return left
}

func (p *poller) close() { _ = p.ep.Close() }

// pollersHere is how many pollers read for a process: reading and decoding is little
// beside the rest, and a process that has many processors has more to do.
func pollersHere() int { return 1 + runtime.GOMAXPROCS(0)/4 }
