package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftwal "github.com/hashicorp/raft-wal"
)

// A request to the small server in front of raft is a length (4 bytes) and, if it
// is not one of these, so many bytes of a value. An answer is 8 bytes: a number,
// or raftFailed.
const (
	askLeader  = 1<<32 - 1 // 1 if this member leads, else 0
	askCount   = 1<<32 - 2 // how many values this member has applied
	raftFailed = 1<<64 - 1
)

// raftMostValue bounds a value, and raftPending the requests of one connection
// that are not answered: beyond it the server does not read on.
const (
	raftMostValue = 1 << 20
	raftPending   = 1 << 12
)

// appliedCount is the state machine: it counts.
type appliedCount struct{ applied atomic.Uint64 }

func (c *appliedCount) Apply(l *raft.Log) any { return c.applied.Add(1) }

func (c *appliedCount) ApplyBatch(logs []*raft.Log) []any {
	out := make([]any, len(logs))
	for i, l := range logs {
		if l.Type == raft.LogCommand {
			out[i] = c.applied.Add(1)
		}
	}
	return out
}

func (c *appliedCount) Snapshot() (raft.FSMSnapshot, error) {
	return nil, errors.New("it takes no snapshots")
}

func (c *appliedCount) Restore(io.ReadCloser) error { return errors.New("it takes no snapshots") }

// raftChild is one member: NAME DIR PORT RAFT_PORT RAFT_ADDRS.
func raftChild(args []string) error {
	dir := filepath.Join(args[1], "wal")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	store, err := raftwal.Open(dir) // it syncs each batch before it returns
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	addr, err := net.ResolveTCPAddr("tcp", at(port))
	if err != nil {
		return err
	}
	log := hclog.New(&hclog.LoggerOptions{Name: args[0], Level: hclog.Error, Output: os.Stderr})
	transport, err := raft.NewTCPTransportWithLogger(at(port), addr, 8, patience, log)
	if err != nil {
		return err
	}
	c := raft.DefaultConfig()
	c.LocalID, c.Logger = raft.ServerID(args[0]), log
	c.BatchApplyCh, c.MaxAppendEntries = true, 1024 // its largest batches
	c.SnapshotThreshold, c.SnapshotInterval = 1<<62, 24*time.Hour
	fsm := &appliedCount{}
	r, err := raft.NewRaft(c, fsm, store, store, raft.NewInmemSnapshotStore(), transport)
	if err != nil {
		return err
	}
	if args[0] == "r0" {
		var members raft.Configuration
		for i, a := range strings.Split(args[4], ",") {
			members.Servers = append(members.Servers, raft.Server{ID: raft.ServerID(fmt.Sprintf("r%d", i)), Address: raft.ServerAddress(a)})
		}
		if err := r.BootstrapCluster(members).Error(); err != nil {
			return err
		}
	}
	return serveRaft(r, fsm, args[2])
}

// serveRaft takes connections until it fails.
func serveRaft(r *raft.Raft, fsm *appliedCount, port string) error {
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		s := &raftServed{r: r, fsm: fsm, answers: make(chan func() uint64, raftPending)}
		go s.write(c)
		go s.read(c)
	}
}

// raftServed is a connection of a client.
type raftServed struct {
	r       *raft.Raft
	fsm     *appliedCount
	answers chan func() uint64 // in the order of the requests
}

// read takes requests until the connection ends.
func (s *raftServed) read(c net.Conn) {
	defer close(s.answers)
	in := bufio.NewReaderSize(c, 64<<10)
	for {
		n, err := readNumber(in, 4)
		if err != nil {
			return
		}
		switch {
		case n == askLeader:
			s.answers <- func() uint64 {
				if s.r.State() == raft.Leader && s.r.VerifyLeader().Error() == nil {
					return 1
				}
				return 0
			}
			continue
		case n == askCount:
			s.answers <- s.fsm.applied.Load
			continue
		case n > raftMostValue:
			return
		}
		value := make([]byte, n)
		if _, err := io.ReadFull(in, value); err != nil {
			return
		}
		f := s.r.Apply(value, 0)
		s.answers <- func() uint64 {
			if f.Error() != nil {
				return raftFailed
			}
			return f.Index()
		}
	}
}

// write answers, and flushes when no answer waits.
func (s *raftServed) write(c net.Conn) {
	defer c.Close()
	out := bufio.NewWriterSize(c, 64<<10)
	for answer := range s.answers {
		err := writeNumber(out, 8, answer())
		if err == nil && len(s.answers) == 0 {
			err = out.Flush()
		}
		if err != nil {
			break
		}
	}
	_ = c.Close()
	for range s.answers { // until read has ended
	}
}

// readNumber and writeNumber are big endian, in so many bytes.
func readNumber(r *bufio.Reader, size int) (n uint64, err error) {
	for range size {
		b, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		n = n<<8 | uint64(b)
	}
	return n, nil
}

func writeNumber(w *bufio.Writer, size int, n uint64) error {
	for i := size - 1; i >= 0; i-- {
		if err := w.WriteByte(byte(n >> (8 * i))); err != nil {
			return err
		}
	}
	return nil
}
