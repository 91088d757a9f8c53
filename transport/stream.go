package transport

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// stream is the network connection under a conn, and under its TLS, if it has that (veil.go).
// What it needs beside net.Conn is one method, so that a connection which has no file
// descriptor of its own to write to is a stream too: its TryWrite takes nothing.
type stream interface {
	net.Conn
	// TryWrite writes what can be written without waiting, and returns how much. Errors
	// are met by the next Write.
	TryWrite(b []byte) int
}

// asStream is nc as a stream.
func asStream(nc net.Conn) stream {
	if s, ok := nc.(stream); ok {
		return s
	}
	if s, ok := nc.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			return &rawStream{nc, raw}
		}
	}
	return waiting{nc}
}

// rawStream writes to a file descriptor.
type rawStream struct {
	net.Conn
	raw syscall.RawConn
}

func (s *rawStream) TryWrite(b []byte) (n int) {
	// Its error, of a deadline or of a broken connection, the next Write will meet.
	_ = s.raw.Write(func(fd uintptr) bool {
		n = writeSome(fd, b)
		return true // whatever happened: the caller does not wait
	})
	return n
}

// waiting is a connection that can only be written to by who may wait.
type waiting struct{ net.Conn }

func (waiting) TryWrite([]byte) int { return 0 }

// writer writes frames to a stream: a sender that finds the connection idle writes what
// can be written at once, which saves waking the write loop, most of what a message costs
// on an idle connection; the write loop writes the rest. mu is held by who encodes and
// writes, so that frames neither mix nor change their order.
type writer struct {
	mu     sync.Mutex
	stream stream
	seal   func([]byte) ([]byte, error) // not nil: what is encoded passes through it
	idle   time.Duration                // how long a write may wait
	shut   atomic.Bool                  // nothing is written any more
	spare  []byte                       // to encode into
	left   []byte                       // encoded, and not written yet: what try could not write
	last   time.Time                    // when something was last encoded
	// release gives back what seal has made of memory; nil without seal.
	release func()
}

// try writes what encode makes as far as that needs no waiting, and then calls wrote. It
// reports whether the write loop has something to do: what is left, or what wrote says, or
// all of it, if somebody else is writing.
func (w *writer) try(encode func([]byte) ([]byte, error), wrote func() (more bool)) (left bool, err error) {
	if !w.mu.TryLock() {
		return true, nil
	}
	defer w.mu.Unlock()
	if len(w.left) > 0 {
		return true, nil
	}
	buf, err := w.encode(encode)
	if err != nil || len(buf) == 0 {
		return false, err // if there is nothing, somebody else has written it
	}
	if n := w.stream.TryWrite(buf); n < len(buf) {
		w.left = buf[n:]
		return true, nil
	}
	w.giveBack()
	return wrote(), nil
}

// write writes what was left, and then what encode makes. It reports whether there was
// anything.
func (w *writer) write(encode func([]byte) ([]byte, error)) (wrote bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.flush(w.left); err != nil {
		return false, err
	}
	wrote = len(w.left) > 0
	w.left = nil
	buf, err := w.encode(encode)
	if err != nil {
		return false, err
	}
	if err = w.flush(buf); err == nil {
		w.giveBack()
	}
	return wrote || len(buf) > 0, err
}

// hurry bounds how long what is still to be written may wait.
func (w *writer) hurry(idle time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.idle = idle
}

// quiet is for how long nothing was written.
func (w *writer) quiet(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return now.Sub(w.last)
}

// giveBack has others use the memory that something large was written from: all is written. A
// connection that once showed a page would keep more than all that waits for clients may take.
func (w *writer) giveBack() {
	if cap(w.spare) > idleBuffer {
		recycle(w.spare)
		w.spare = nil
	}
	if w.release != nil {
		w.release()
	}
}

func (w *writer) encode(encode func([]byte) ([]byte, error)) ([]byte, error) {
	buf, err := encode(w.spare[:0])
	if err != nil {
		return nil, err
	}
	if len(buf) > 0 {
		w.last = time.Now()
	}
	w.spare = buf
	if w.seal == nil {
		return buf, nil
	}
	sealed, err := w.seal(buf)
	if cap(w.spare) > idleBuffer { // what is sealed may have to wait: what it is of need not
		recycle(w.spare)
		w.spare = nil
	}
	return sealed, err
}

func (w *writer) flush(buf []byte) error {
	if len(buf) == 0 {
		return nil
	}
	if err := w.stream.SetWriteDeadline(time.Now().Add(w.idle)); err != nil {
		return err
	}
	if w.shut.Load() { // who sets it has the write of now end after that
		return net.ErrClosed
	}
	_, err := w.stream.Write(buf)
	return err
}
