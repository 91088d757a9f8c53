package transport

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// goldenFrames are the frames that package wire keeps, of every message.
func goldenFrames(f *testing.F) (frames [][]byte) {
	f.Helper()
	text, err := os.ReadFile("../wire/testdata/golden.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if i := strings.LastIndexByte(strings.TrimSpace(line), ' '); i > 0 && line[0] != '#' {
			b, err := hex.DecodeString(strings.TrimSpace(line[i:]))
			if err != nil {
				f.Fatal(err)
			}
			frames = append(frames, b)
		}
	}
	return frames
}

// prefix is what stands before the body of a frame: length and checksum.
const prefix = 8

// seal puts the length and the checksum before a body.
func seal(body []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	return append(out, body...)
}

// answered reads the one frame that an end wrote, nil if it wrote nothing.
func answered(t testing.TB, nc *memoryConn) any {
	t.Helper()
	if nc.wrote.Len() == 0 {
		return nil
	}
	r := bufio.NewReader(&nc.wrote)
	m, err := wire.Read(r, helloBytes)
	if err != nil || r.Buffered() > 0 {
		t.Fatalf("the answer is %+v, %v, with %d bytes after it", m, err, r.Buffered())
	}
	return m
}

var name = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`) // as package config has it

// fitsTest says, beside judge, who is welcome at acceptor a1 of members().
func fitsTest(h *wire.Hello) bool {
	m := members()
	if h.Version != wire.Oldest || h.Members.Cluster != "test" || h.ToRole != acceptor || (h.ToID != "" && h.ToID != "a1") {
		return false
	}
	isAcceptor := h.ID == "a1" || h.ID == "a2" || h.ID == "a3"
	same := len(h.Members.Acceptors) == 3 && h.Members.Phase1 == m.Phase1 && h.Members.Phase2 == m.Phase2 && h.Members.Sessions == m.Sessions
	for i := range h.Members.Acceptors {
		same = same && h.Members.Acceptors[i] == m.Acceptors[i]
	}
	switch h.Role {
	case client:
		return true
	case acceptor:
		return same && isAcceptor && (h.ID != "a2" || h.Incarnation == 9)
	case proposer, learner:
		return same && !isAcceptor && name.MatchString(string(h.ID))
	}
	return false
}

// FuzzAnswerHello sends a listener whatever it may be sent: as it is, and as the
// body of a frame behind a right beginning. Whoever is welcome must fit; all
// others are refused in words, or not answered; and places are counted.
func FuzzAnswerHello(f *testing.F) {
	rec := newRecorder()
	cfg := config(acceptor, "a1")
	cfg.Remembered = func(id paxos.NodeID) uint64 { return map[paxos.NodeID]uint64{"a2": 9}[id] }
	a := start(f, cfg, rec)
	for _, b := range goldenFrames(f) {
		f.Add(append([]byte(preface), b...))
		f.Add(b[prefix:])
	}
	for role, id := range map[paxos.Role]paxos.NodeID{acceptor: "a2", proposer: "p1", learner: "l1", client: ""} {
		f.Add(frame(f, hello(role, id, a))[prefix:])
		f.Add(append([]byte(preface), frame(f, hello(role, id, a))...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, sends := range [][]byte{b, append([]byte(preface), seal(b)...)} {
			nc := &memoryConn{sends: sends, closes: true}
			h, err := newConn(a.Network, nc).answerHello()
			places := a.accepted
			a.accepted = 0
			switch m := answered(t, nc).(type) {
			case *wire.Welcome:
				if err != nil || !fitsTest(h) || places != 1 || m.ID != "a1" || m.Role != acceptor {
					t.Fatalf("%+v is welcome: %+v, %v, %d places", h, m, err, places)
				}
				continue
			case *wire.Refusal:
				if err == nil || m.Code == 0 || m.Text == "" || !strings.HasSuffix(err.Error(), m.Text) {
					t.Fatalf("refused with %+v, told %v", m, err)
				}
				sent, readErr := wire.Read(bufio.NewReader(bytes.NewReader(sends[len(preface):])), helloBytes)
				if readErr != nil || fitsTest(sent.(*wire.Hello)) {
					t.Fatalf("%+v is refused: %+v", sent, m)
				}
			case nil:
				if !errors.Is(err, wire.ErrFrame) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("not answered: %v", err)
				}
			}
			if places != 0 || h != nil {
				t.Fatalf("%d places are taken by %+v", places, h)
			}
		}
	})
}

// FuzzSayHello answers a dialler with whatever a listener may be.
func FuzzSayHello(f *testing.F) {
	p := start(f, config(proposer, "p1"), newRecorder())
	peer := Peer{Role: acceptor, ID: "a1", Addr: "memory"}
	for _, b := range goldenFrames(f) {
		f.Add(b)
		f.Add(b[prefix:])
	}
	for _, m := range []paxos.Message{
		&wire.Welcome{Role: acceptor, ID: "a1", Incarnation: 7}, &wire.Welcome{Role: acceptor, ID: "a2"}, &wire.Welcome{Role: learner, ID: "a1"},
		&wire.Refusal{Code: wire.RefusedFull, Text: "100 connections are open already"},
	} {
		f.Add(frame(f, m)[prefix:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, sends := range [][]byte{b, seal(b)} {
			nc := &memoryConn{sends: sends, closes: true}
			w, err := newConn(p.Network, nc).sayHello(peer)
			if !bytes.HasPrefix(nc.wrote.Bytes(), []byte(preface)) {
				t.Fatalf("it began with %q", nc.wrote.Bytes())
			}
			nc.wrote.Next(len(preface))
			if h, ok := answered(t, nc).(*wire.Hello); !ok || h.ToID != "a1" || h.ID != "p1" {
				t.Fatalf("it said %+v", h)
			}
			var refused *RefusedError
			switch {
			case err == nil:
				if w.Role != acceptor || w.ID != "a1" {
					t.Fatalf("%+v was taken for acceptor a1", w)
				}
			case w != nil:
				t.Fatalf("%+v and %v", w, err)
			case !errors.As(err, &refused) && !errors.Is(err, wire.ErrFrame) && !errors.Is(err, io.EOF):
				t.Fatal(err)
			}
		}
	})
}

// FuzzReadLoop sends a listener whatever may follow a greeting, from each role. The
// handler is told only what that role may send, and the connection ends with the
// first frame that is none.
func FuzzReadLoop(f *testing.F) {
	roles := []paxos.Role{acceptor, proposer, learner, client}
	ping := frame(f, &wire.Ping{})
	for _, b := range goldenFrames(f) {
		for i := range roles {
			f.Add(uint8(i), append(bytes.Clone(ping), b...))
			f.Add(uint8(i), b[prefix:])
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		role := roles[int(which)%len(roles)]
		for _, sends := range [][]byte{b, append(seal(b), ping...)} {
			rec := newRecorder()
			cfg := config(acceptor, "a1")
			cfg.FrameBytes = 1 << 20
			n := New(cfg, rec)
			err := newConn(n, &memoryConn{sends: sends, closes: true}).readLoop("x", role)
			if !errors.Is(err, wire.ErrFrame) && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			for _, e := range rec.events {
				if e.what != got || e.id != "x" || !wire.MayStep(role, acceptor, e.msg) {
					t.Fatalf("of a %s the handler is told %+v", role, e)
				}
			}
		}
	})
}
