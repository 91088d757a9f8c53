package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/paxlog/paxlog/internal/load"
)

// raftSystem is hashicorp/raft over raft-wal: three members, each behind a small
// TCP server in its own process, as an application would embed it.
type raftSystem struct{ leader string }

func (s *raftSystem) name() string { return "hashicorp-raft" }

func (s *raftSystem) start(ctx context.Context, p *processes) error {
	ports, err := freePorts(6)
	if err != nil {
		return err
	}
	var peers []string
	for i := range 3 {
		peers = append(peers, at(ports[3+i]))
	}
	for i := range 3 {
		name := fmt.Sprintf("r%d", i)
		err := p.self(name, "raft", name, filepath.Join(p.dir, name), strconv.Itoa(ports[i]), strconv.Itoa(ports[3+i]), strings.Join(peers, ","))
		if err != nil {
			return err
		}
	}
	return p.until(ctx, "raft has no leader", func(ctx context.Context) error {
		for i := range 3 {
			n, err := raftAsk(ctx, at(ports[i]), askLeader)
			if err != nil {
				return err
			}
			if n == 1 {
				s.leader = at(ports[i])
				return nil
			}
		}
		return errors.New("nobody leads")
	})
}

// raftAsk asks one member one question.
func raftAsk(ctx context.Context, addr string, what uint64) (uint64, error) {
	c, err := dialRaft(ctx, addr)
	if err != nil {
		return 0, err
	}
	defer c.close()
	a, err := c.request(what, nil)
	if err != nil {
		return 0, err
	}
	if _, err := a.Wait(ctx); err != nil {
		return 0, err
	}
	return a.n, nil
}

func (s *raftSystem) count(ctx context.Context) (uint64, error) {
	return raftAsk(ctx, s.leader, askCount)
}

func (s *raftSystem) close() {}

// raftConn is a connection on which many requests are under way.
type raftConn struct {
	c    net.Conn
	wake chan struct{} // something was written

	mu      sync.Mutex
	out     *bufio.Writer
	waiting chan *raftAnswer // in the order of the requests
	err     error
}

type raftAnswer struct {
	n uint64
	*outcome
}

func (s *raftSystem) dial(ctx context.Context) (conn, error) { return dialRaft(ctx, s.leader) }

func dialRaft(ctx context.Context, addr string) (*raftConn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	r := &raftConn{c: c, wake: make(chan struct{}, 1), out: bufio.NewWriterSize(c, 64<<10), waiting: make(chan *raftAnswer, 1<<16)}
	go r.flush()
	go r.read()
	return r, nil
}

func (c *raftConn) session() load.Session { return c }

// End implements load.Session.
func (c *raftConn) End(cause error) { c.fail(cause) }

func (c *raftConn) close() { c.fail(net.ErrClosed) }

// fail ends the connection; read then answers whoever waits.
func (c *raftConn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		_ = c.c.Close()
		close(c.waiting)
		close(c.wake)
	}
}

// flush writes out what was buffered, all that came meanwhile at once.
func (c *raftConn) flush() {
	for range c.wake {
		c.mu.Lock()
		err := c.out.Flush()
		c.mu.Unlock()
		if err != nil {
			c.fail(err)
			return
		}
	}
}

// read gives the answers.
func (c *raftConn) read() {
	in := bufio.NewReaderSize(c.c, 64<<10)
	var failed error
	for a := range c.waiting {
		if failed == nil {
			if a.n, failed = readNumber(in, 8); failed != nil {
				c.fail(failed)
			}
		}
		err := failed
		if err == nil && a.n == raftFailed {
			err = errors.New("not applied")
		}
		a.end(err)
	}
}

// Append implements load.Session.
func (c *raftConn) Append(_ context.Context, value []byte) (load.Answer, error) {
	a, err := c.request(uint64(len(value)), value)
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (c *raftConn) request(head uint64, value []byte) (*raftAnswer, error) {
	a := &raftAnswer{outcome: newOutcome()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	if err := writeNumber(c.out, 4, head); err != nil {
		return nil, err
	}
	if _, err := c.out.Write(value); err != nil {
		return nil, err
	}
	select {
	case c.waiting <- a:
	default:
		return nil, errors.New("too many requests under way")
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return a, nil
}
