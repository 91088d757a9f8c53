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

// said reads the next frame that an end wrote, nil if there is none.
func said(t testing.TB, nc *memoryConn) any {
	t.Helper()
	if nc.wrote.Len() == 0 {
		return nil
	}
	r := bufio.NewReader(bytes.NewReader(nc.wrote.Bytes()))
	m, err := wire.Read(r, helloBytes)
	if err != nil {
		t.Fatal(err)
	}
	nc.wrote.Next(len(frame(t, m)))
	return m
}

// answered reads the one answer that an end wrote, behind the version that is agreed on;
// nil if it wrote nothing.
func answered(t testing.TB, nc *memoryConn) any {
	t.Helper()
	m := said(t, nc)
	if _, ok := m.(*wire.Agreed); ok {
		m = said(t, nc)
	}
	if nc.wrote.Len() > 0 {
		t.Fatalf("the answer is %+v, with %d bytes after it", m, nc.wrote.Len())
	}
	return m
}

var name = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`) // as package config has it

// fitsTest says, beside judge, who is welcome at acceptor a1 of members(), which knows
// itself by 7 and a2 by 9.
func fitsTest(h *wire.Hello, offer *wire.Offer) bool {
	m := members()
	if offer != nil && offer.Oldest > wire.Version {
		return false
	}
	claims := claims(h.Role, h.ID, h.Incarnation, nil)
	if offer != nil {
		claims = claimsOf(h, offer)
	}
	alike := claims["a1"] == 7 || claims["a2"] == 9
	differ := claims["a1"] != 0 && claims["a1"] != 7 || claims["a2"] != 0 && claims["a2"] != 9
	if differ && !alike && (h.Role != acceptor || len(claims) > 1) {
		return false
	}
	if h.Version < wire.Oldest || h.Members.Cluster != "test" || h.ToRole != acceptor || (h.ToID != "" && h.ToID != "a1") {
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
		return same && isAcceptor
	case proposer, learner:
		return same && !isAcceptor && name.MatchString(string(h.ID))
	}
	return false
}

func claimsOf(h *wire.Hello, o *wire.Offer) incarnations {
	return claims(h.Role, h.ID, h.Incarnation, o.Known)
}

// offered reads the greeting that b begins with.
func offered(b []byte) (*wire.Hello, *wire.Offer) {
	r := bufio.NewReader(bytes.NewReader(b))
	m, err := wire.Read(r, helloBytes)
	if err != nil {
		return nil, nil
	}
	h, _ := m.(*wire.Hello)
	if m, err = wire.Read(r, helloBytes); err != nil {
		return h, nil
	}
	o, _ := m.(*wire.Offer)
	return h, o
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
		h := hello(role, id, a)
		h.Version = wire.Version
		for _, known := range [][]wire.Known{nil, {{ID: "a1", Incarnation: 7}, {ID: "a2", Incarnation: 1}}, {{ID: "a2", Incarnation: 1}, {ID: "a3", Incarnation: 1}}} {
			f.Add(append(append([]byte(preface), frame(f, h)...), frame(f, &wire.Offer{Oldest: wire.Oldest, Known: known})...))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, sends := range [][]byte{b, append([]byte(preface), seal(b)...)} {
			nc := &memoryConn{sends: sends, closes: true}
			h, err := newConn(a.Network, nc).answerHello()
			places := a.accepted
			a.accepted = 0
			switch m := answered(t, nc).(type) {
			case *wire.Welcome:
				_, offer := offered(sends[len(preface):])
				if err == nil && h.Version <= wire.Oldest {
					offer = nil
				}
				if err != nil || !fitsTest(h, offer) || places != 1 || m.ID != "a1" || m.Role != acceptor {
					t.Fatalf("%+v is welcome: %+v, %v, %d places", h, m, err, places)
				}
				continue
			case *wire.Refusal:
				sent, offer := offered(sends[len(preface):])
				if sent != nil && sent.Version <= wire.Oldest {
					offer = nil
				}
				if err == nil || m.Code == 0 || !strings.HasSuffix(err.Error(), m.Text) || offer == nil && m.Text == "" {
					t.Fatalf("refused with %+v, told %v", m, err)
				}
				if sent == nil || fitsTest(sent, offer) {
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
		f.Add(true, b)
		f.Add(false, append(bytes.Clone(frame(f, &wire.Agreed{Version: wire.Version})), b...))
		f.Add(false, b[prefix:])
	}
	for _, m := range []paxos.Message{
		&wire.Welcome{Role: acceptor, ID: "a1", Incarnation: 7}, &wire.Welcome{Role: acceptor, ID: "a2"}, &wire.Welcome{Role: learner, ID: "a1"},
		&wire.Refusal{Code: wire.RefusedFull, Text: "100 connections are open already"},
	} {
		f.Add(true, frame(f, m)[prefix:])
	}
	agreed := frame(f, &wire.Agreed{Version: wire.Version})
	f.Fuzz(func(t *testing.T, plain bool, b []byte) {
		for _, sends := range [][]byte{b, seal(b), append(bytes.Clone(agreed), seal(b)...)} {
			nc := &memoryConn{sends: sends, closes: true}
			w, err := newConn(p.Network, nc).sayHello(peer, plain)
			if !bytes.HasPrefix(nc.wrote.Bytes(), []byte(preface)) {
				t.Fatalf("it began with %q", nc.wrote.Bytes())
			}
			nc.wrote.Next(len(preface))
			h, ok := said(t, nc).(*wire.Hello)
			if !ok || h.ToID != "a1" || h.ID != "p1" || (h.Version == wire.Oldest) != plain {
				t.Fatalf("it said %+v", h)
			}
			if offer, ok := said(t, nc).(*wire.Offer); ok == plain || nc.wrote.Len() > 0 {
				t.Fatalf("it offered %+v, and %d bytes more", offer, nc.wrote.Len())
			}
			var refused *RefusedError
			switch {
			case err == nil:
				if w.role != acceptor || w.id != "a1" {
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
