package transport

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// veil is what TLS puts between a connection's frames and its socket. What is read passes
// through it on the way. What is written is sealed into memory, and the writer then writes
// that to the socket as it does on a plain connection, as far as that needs no waiting: a
// write of package tls itself must not be given up half way.
//
// Package tls may write by itself, too, when it reads: it has to answer a request for new
// keys. What it writes is in the order in which it was sealed, whoever takes it.
type veil struct {
	*tls.Conn
	raw  net.Conn
	in   *input
	wake func() // there is something to write

	heard atomic.Bool // the other end has said something

	mu      sync.Mutex
	open    bool   // the handshake is over
	sealing bool   // somebody will take what is sealed
	sealed  []byte // and not taken yet
	spare   []byte // was taken last
}

// maxSealed bounds what package tls writes by itself while nothing is taken.
const maxSealed = 64 << 10

// under is what lies under a tls.Conn.
type under struct {
	net.Conn
	v *veil
}

func (u under) Read(b []byte) (int, error) {
	n, err := u.v.in.Read(b)
	if n > 0 && !u.v.heard.Load() {
		u.v.heard.Store(true)
	}
	return n, err
}

func (u under) Write(b []byte) (int, error) {
	v := u.v
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case !v.open:
		return v.raw.Write(b)
	case v.sealing:
	case len(v.sealed)+len(b) > maxSealed:
		return 0, errors.New("too many answers to TLS wait to be written")
	default:
		v.wake()
	}
	v.sealed = append(v.sealed, b...)
	return len(b), nil
}

// opened says that the handshake is over: what is written from now on waits to be taken.
func (v *veil) opened() {
	v.mu.Lock()
	v.open = true
	v.mu.Unlock()
}

// seal returns what to write to the socket for a plain text, which may be empty. It is valid
// until the next call; calls do not overlap.
func (v *veil) seal(plain []byte) ([]byte, error) {
	v.mu.Lock()
	v.sealing = true
	if len(plain) > idleBuffer && len(v.sealed) == 0 {
		v.sealed = largeBuffer(len(plain) + len(plain)/64)
	}
	v.mu.Unlock()
	var err error
	if len(plain) > 0 {
		_, err = v.Conn.Write(plain)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	out := v.sealed
	v.sealing, v.sealed, v.spare = false, v.spare[:0], out
	return out, err
}

// release gives back what something large needed; what seal returned is not used any more.
func (v *veil) release() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if cap(v.spare) > idleBuffer {
		recycle(v.spare)
		v.spare = nil
	}
}
