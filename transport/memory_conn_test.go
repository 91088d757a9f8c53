package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// errHeld is what a read of a memoryConn ends with that nothing would end.
var errHeld = errors.New("no deadline: this connection is held for ever")

// memoryConn is a connection whose other end sends what it holds, one byte in
// each step of a clock of its own, then stays silent, or ends if it closes.
type memoryConn struct {
	sends  []byte
	step   time.Duration
	closes bool

	wrote    bytes.Buffer
	took     int // bytes read
	passed   time.Duration
	deadline time.Time // of reads
	closed   bool
}

func (c *memoryConn) Read(b []byte) (int, error) {
	switch {
	case len(c.sends) == 0 && c.closes:
		return 0, io.EOF
	case len(c.sends) == 0 && c.deadline.IsZero():
		return 0, errHeld
	case len(c.sends) == 0 || !c.deadline.IsZero() && time.Now().Add(c.passed).After(c.deadline):
		return 0, os.ErrDeadlineExceeded
	case c.step == 0:
		n := copy(b, c.sends)
		c.sends, c.took = c.sends[n:], c.took+n
		return n, nil
	}
	b[0], c.sends = c.sends[0], c.sends[1:]
	c.passed += c.step
	c.took++
	return 1, nil
}

func (c *memoryConn) Write(b []byte) (int, error) { return c.wrote.Write(b) }

func (c *memoryConn) Close() error {
	c.closed = true
	return nil
}

func (c *memoryConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline counts from now on the connection's own clock, which runs ahead
// of the real one by what has passed.
func (c *memoryConn) SetReadDeadline(t time.Time) error {
	if c.deadline = t; !t.IsZero() {
		c.deadline = t.Add(c.passed)
	}
	return nil
}

func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "memory" }

func (c *memoryConn) LocalAddr() net.Addr  { return memoryAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr { return memoryAddr{} }
