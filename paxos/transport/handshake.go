package transport

import (
	"fmt"
	"io"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/wire"
)

// preface is what a dialler writes first, so that a stranger is recognised
// before any of its bytes is taken for a length.
const preface = "paxlog/1"

// helloBytes bounds the frames of a handshake.
const helloBytes = 64 << 10

func (c *conn) writeFrame(m any) error {
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
		Version: wire.Version, Members: cfg.Members, Role: cfg.Role, ID: cfg.ID, Incarnation: cfg.Incarnation,
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
			return nil, &RefusedError{p.Addr, wire.RefusedIdentity, fmt.Sprintf("%s %s answers there, not %s %s", m.Role, m.ID, p.Role, p.ID)}
		}
		return m, c.nc.SetDeadline(time.Time{})
	case *wire.Refusal:
		return nil, &RefusedError{p.Addr, m.Code, m.Text}
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
		if err := c.writeFrame(refusal); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s %q: %s", hello.Role, hello.ID, refusal.Text)
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

// judge returns why a dialler is refused; or nil, and then it has a place among
// the accepted connections.
func (n *Network) judge(h *wire.Hello) *wire.Refusal {
	cfg := n.cfg
	isClient := h.Role == paxos.RoleClient
	switch {
	case h.Version != wire.Version:
		return &wire.Refusal{Code: wire.RefusedVersion, Text: fmt.Sprintf("protocol version %d here, %d there", wire.Version, h.Version)}
	case h.Members.Cluster != cfg.Members.Cluster:
		return &wire.Refusal{Code: wire.RefusedCluster, Text: fmt.Sprintf("this is cluster %q, not %q", cfg.Members.Cluster, h.Members.Cluster)}
	case !isClient && cfg.Members.Difference(h.Members) != "":
		return &wire.Refusal{Code: wire.RefusedCluster, Text: fmt.Sprintf("the cluster files of %s (here) and %s (there) differ: %s", cfg.ID, h.ID, cfg.Members.Difference(h.Members))}
	case h.ToRole != cfg.Role || (h.ToID != "" && h.ToID != cfg.ID):
		return &wire.Refusal{Code: wire.RefusedIdentity, Text: fmt.Sprintf("this is %s %s, not %s %s", cfg.Role, cfg.ID, h.ToRole, h.ToID)}
	case !isClient && (h.ID == "" || h.ID.IsClient() || h.Role < paxos.RoleAcceptor || h.Role > paxos.RoleLearner ||
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
