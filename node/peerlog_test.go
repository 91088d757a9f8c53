package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
	"github.com/paxlog/paxlog/wire"
)

// logged is a handler whose log and clock a test has.
type logged struct {
	handler
	out bytes.Buffer
	now time.Time
}

func newLogged() *logged {
	l := &logged{now: time.Unix(1_700_000_000, 0)}
	n := &Node{accepted: newAccepted(nil, func() {}), inbox: newInbox(1 << 20), peerLog: newPeerLog(), opts: Options{ID: "a1"}}
	n.log = zerolog.New(&l.out)
	n.peerLog.now = func() time.Time { return l.now }
	l.handler = handler{n}
	return l
}

// lines returns what was logged since the last call.
func (l *logged) lines() []string {
	text := strings.TrimSpace(l.out.String())
	l.out.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// TestPeerThatIsNotReachable: it is told once, and again after it was connected.
func TestPeerThatIsNotReachable(t *testing.T) {
	l := newLogged()
	down, silent := errors.New("connection refused"), errors.New("it does not answer")
	for range 100 {
		l.Refused("a2", "h:1", down)
		l.Refused("a2", "h:1", silent) // in turn: each is told once all the same
		l.now = l.now.Add(time.Minute)
	}
	if got := l.lines(); len(got) != 2 {
		t.Errorf("%d lines: %v", len(got), got)
	}
	l.PeerUp(&paxos.PeerUp{ID: "a2", Role: paxos.RoleAcceptor})
	l.PeerDown("a2", paxos.RoleAcceptor, io.EOF)
	l.Refused("a2", "h:1", down)
	if got := l.lines(); len(got) != 3 {
		t.Errorf("%d lines: %v", len(got), got)
	}
}

// TestPeerThatComesAndGoes: a peer that accepts and closes, 13 times a second, fills no log.
func TestPeerThatComesAndGoes(t *testing.T) {
	l := newLogged()
	for range 260 {
		l.PeerUp(&paxos.PeerUp{ID: "a2", Role: paxos.RoleAcceptor})
		l.PeerDown("a2", paxos.RoleAcceptor, io.EOF)
		l.Refused("a2", "h:1", io.EOF)
		l.now = l.now.Add(20 * time.Second / 260)
	}
	if got := l.lines(); len(got) > 2*flaps+1 {
		t.Errorf("%d lines: %v", len(got), got)
	}
	l.now = l.now.Add(logInterval)
	l.PeerDown("a2", paxos.RoleAcceptor, io.EOF)
	if got := l.lines(); len(got) != 1 || !strings.Contains(got[0], fmt.Sprintf(`"left_out":%d`, 260-flaps)) {
		t.Errorf("what was left out is not counted: %v", got)
	}
}

// TestTwins: two processes of one id are told of once a minute, with a count, by a peer
// and by each of the two.
func TestTwins(t *testing.T) {
	l := newLogged()
	told := &transport.RefusedError{Addr: "h:1", Code: wire.RefusedReplaced, Text: "another process took its place"}
	for range 600 {
		l.Refused("p1", "h:55555", transport.ErrReplaced)
		l.Refused("a2", "h:1", told)
		l.Refused("a3", "h:2", told)
		l.now = l.now.Add(time.Second / 5)
	}
	got := l.lines()
	if len(got) != 4 { // two minutes
		t.Fatalf("%d lines: %v", len(got), got)
	}
	if !strings.Contains(got[2], `"left_out":299`) || !strings.Contains(got[2], "peer connected twice") {
		t.Errorf("the peer says %s", got[2])
	}
	if !strings.Contains(got[3], `"left_out":599`) || !strings.Contains(got[3], "another process runs under the id of this one") || !strings.Contains(got[3], `"error"`) {
		t.Errorf("the twin says %s", got[3])
	}
}

// TestStrangersByKind: many of one kind hide none of another.
func TestStrangersByKind(t *testing.T) {
	l := newLogged()
	for i := range 100 {
		l.Refused("", "h:1", fmt.Errorf("%w: garbage %d", wire.ErrFrame, i))
		l.Refused("", "h:1", fmt.Errorf("no greeting: %w", io.EOF))
	}
	for range 10 {
		l.Refused("", "h:1", &transport.StrangerError{Code: wire.RefusedIncarnation, Text: "another directory of a1 is connected"})
	}
	l.Refused("", "h:1", &transport.StrangerError{Code: wire.RefusedLog, Text: "it is of another log"})
	l.Refused("", "h:1", errors.New("the cluster files differ"))
	if got := l.lines(); len(got) != 3*fewStrangers+2 {
		t.Errorf("%d lines: %v", len(got), got)
	}
}

// TestNoPeerEndsAProcess: whatever a peer says, the process goes on.
func TestNoPeerEndsAProcess(t *testing.T) {
	l := newLogged()
	l.n.opts.Fatal = func(err error) { t.Errorf("it ends: %v", err) }
	for code := range wire.RefusalCode(20) {
		l.Refused("a2", "h:1", &transport.RefusedError{Addr: "h:1", Code: code, Text: fmt.Sprint("code ", code)})
	}
	if got := l.lines(); len(got) != 20 {
		t.Errorf("%d lines: %v", len(got), got)
	}
}

// TestPeerLogIsBounded: texts of others do not fill the memory.
func TestPeerLogIsBounded(t *testing.T) {
	l := newLogged()
	for i := range 10 * maxLines {
		l.Refused("a2", "h:1", fmt.Errorf("text %d", i))
	}
	if n := len(l.n.peerLog.lines); n > maxLines {
		t.Errorf("%d lines are remembered", n)
	}
	l.n.peerLog.close()
	l.out.Reset()
	l.PeerDown("a2", paxos.RoleAcceptor, io.EOF)
	l.Refused("a2", "h:1", io.EOF)
	if got := l.lines(); len(got) > 0 {
		t.Errorf("a process that ends says %v", got)
	}
}
