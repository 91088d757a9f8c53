package transport

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// preface is what a dialler writes first, so that a stranger is recognised
// before any of its bytes is taken for a length.
const preface = "paxlog/1"

// helloBytes bounds the frames of a handshake.
const helloBytes = 64 << 10

// refusalBytes bounds the sentence of a refusal: what a stranger says of itself is
// repeated there, and must not make the frame too long to be read.
const refusalBytes = 8 << 10

// sentence makes a sentence of one that repeats what a stranger said: printable,
// since it reaches logs and terminals, and of bounded length.
func sentence(text string) string {
	cut := len(text) > refusalBytes
	if cut {
		text = text[:refusalBytes]
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, text)
	if cut {
		text += "..."
	}
	return text
}

func (c *conn) writeFrame(m paxos.Message) error {
	b, err := wire.Append(nil, m)
	if err != nil {
		return err
	}
	_, err = c.nc.Write(b)
	return err
}

// sayHello introduces this process to p and checks who answers.
func (c *conn) sayHello(p Peer) (*wire.Welcome, error) {
	cfg := c.n.cfg
	if err := c.nc.SetDeadline(time.Now().Add(cfg.Handshake)); err != nil {
		return nil, err
	}
	hello, err := wire.Append([]byte(preface), &wire.Hello{
		Version: wire.Oldest, Members: cfg.Members, Role: cfg.Role, ID: cfg.ID, Incarnation: cfg.Incarnation,
		ToRole: p.Role, ToID: p.ID,
	})
	if err != nil {
		return nil, err
	}
	if _, err := c.nc.Write(hello); err != nil {
		return nil, err
	}
	m, err := wire.Read(c.r, helloBytes)
	if err != nil {
		return nil, fmt.Errorf("%s at %s did not answer as a paxlog process: %w", p.ID, p.Addr, err)
	}
	switch m := m.(type) {
	case *wire.Welcome:
		if m.Role != p.Role || (p.ID != "" && m.ID != p.ID) {
			return nil, &RefusedError{p.Addr, wire.RefusedIdentity, sentence(fmt.Sprintf("%s %s answers there, not %s %s", m.Role, m.ID, p.Role, p.ID))}
		}
		return m, c.nc.SetDeadline(time.Time{})
	case *wire.Refusal:
		return nil, &RefusedError{p.Addr, m.Code, sentence(m.Text)}
	}
	return nil, fmt.Errorf("%w: %T in answer to a greeting", wire.ErrFrame, m)
}

// answerHello reads who dials, and welcomes or refuses it.
func (c *conn) answerHello() (*wire.Hello, error) {
	if err := c.nc.SetDeadline(time.Now().Add(c.n.cfg.Handshake)); err != nil {
		return nil, err
	}
	var first [len(preface)]byte
	if _, err := io.ReadFull(c.r, first[:]); err != nil {
		return nil, fmt.Errorf("no greeting: %w", err)
	}
	if string(first[:]) != preface {
		return nil, fmt.Errorf("%w: %q is no greeting of paxlog", wire.ErrFrame, first[:])
	}
	m, err := wire.Read(c.r, helloBytes)
	if err != nil {
		return nil, err
	}
	hello, ok := m.(*wire.Hello)
	if !ok {
		return nil, fmt.Errorf("%w: %T where a greeting should be", wire.ErrFrame, m)
	}
	if refusal := c.n.judge(hello); refusal != nil {
		refusal.Text = sentence(refusal.Text)
		if err := c.writeFrame(refusal); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s %.32q: %s", hello.Role, hello.ID, refusal.Text)
	}
	err = c.writeFrame(&wire.Welcome{Role: c.n.cfg.Role, ID: c.n.cfg.ID, Incarnation: c.n.cfg.Incarnation})
	if err == nil {
		err = c.nc.SetDeadline(time.Time{})
	}
	if err != nil {
		c.n.leave()
		return nil, err
	}
	return hello, nil
}

// isName reports whether id is one that a cluster file can give to a process. No
// other ever reaches a ballot, a disk or a log.
func isName(id paxos.NodeID) bool {
	return len(id) > 0 && len(id) <= 32 && !strings.ContainsFunc(string(id), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
}

// judge returns why a dialler is refused; or nil, and then it has a place among
// the accepted connections.
func (n *Network) judge(h *wire.Hello) *wire.Refusal {
	cfg := n.cfg
	isClient := h.Role == paxos.RoleClient
	switch {
	case h.Version != wire.Oldest:
		return &wire.Refusal{Code: wire.RefusedVersion, Text: fmt.Sprintf("protocol version %d here, %d there", wire.Oldest, h.Version)}
	case h.Members.Cluster != cfg.Members.Cluster:
		return &wire.Refusal{Code: wire.RefusedCluster, Text: fmt.Sprintf("this is cluster %q, not %q", cfg.Members.Cluster, h.Members.Cluster)}
	case !isClient && cfg.Members.Difference(h.Members) != "":
		return &wire.Refusal{Code: wire.RefusedCluster, Text: fmt.Sprintf("the cluster files of %s (here) and %s (there) differ: %s", cfg.ID, h.ID, cfg.Members.Difference(h.Members))}
	case h.ToRole != cfg.Role || (h.ToID != "" && h.ToID != cfg.ID):
		return &wire.Refusal{Code: wire.RefusedIdentity, Text: fmt.Sprintf("this is %s %s, not %s %s", cfg.Role, cfg.ID, h.ToRole, h.ToID)}
	case !isClient && (!isName(h.ID) || h.Role < paxos.RoleAcceptor || h.Role > paxos.RoleLearner ||
		(h.Role == paxos.RoleAcceptor) != (cfg.Members.Place(h.ID) >= 0)):
		return &wire.Refusal{Code: wire.RefusedIdentity, Text: fmt.Sprintf("%s %q does not belong to this cluster", h.Role, h.ID)}
	}
	if cfg.Remembered != nil && h.Role == paxos.RoleAcceptor {
		if known := cfg.Remembered(h.ID); known != 0 && h.Incarnation != known {
			return &wire.Refusal{Code: wire.RefusedIncarnation, Text: fmt.Sprintf("%s %s remembers %s by incarnation %016x, but it shows %016x: "+
				"its data directory was initialised anew, and it may have voted before. Restore the old directory; a new one cannot take its place",
				cfg.Role, cfg.ID, h.ID, known, h.Incarnation)}
		}
	}
	limit := cfg.Connections
	if isClient {
		limit -= serverReserve
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.accepted >= limit {
		return &wire.Refusal{Code: wire.RefusedFull, Text: fmt.Sprintf("%d connections are open already", n.accepted)}
	}
	n.accepted++
	return nil
}

// leave gives back the place that judge gave to a connection.
func (n *Network) leave() {
	n.mu.Lock()
	n.accepted--
	n.mu.Unlock()
}
