package hostile

import (
	"bufio"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// preface is what everybody who connects writes first.
const preface = "paxlog/1"

// Target is the cluster that is attacked.
type Target struct {
	Cluster *config.Cluster
	Session paxos.SessionID // one that has many entries
	Seed    uint64
	// Secure, if not nil, puts TLS on a connection of a client.
	Secure func(context.Context, net.Conn, paxos.Role, paxos.NodeID) (net.Conn, error)
}

// place is one process.
type place struct {
	config.Node
	role paxos.Role
}

// places are the processes of some roles.
func (t *Target) places(roles ...paxos.Role) (out []place) {
	for _, role := range roles {
		for _, n := range t.Cluster.Nodes(role) {
			out = append(out, place{n, role})
		}
	}
	return out
}

func (t *Target) everybody() []place {
	return t.places(paxos.RoleAcceptor, paxos.RoleProposer, paxos.RoleLearner)
}

// dial connects, and closes the connection when ctx ends.
func dial(ctx context.Context, p place) (net.Conn, error) {
	d := net.Dialer{Timeout: time.Second}
	nc, err := d.DialContext(ctx, "tcp", p.Addr)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = nc.Close() })
	return nc, nil
}

// hello is a greeting, as whoever.
func (t *Target) hello(p place, role paxos.Role, id paxos.NodeID) ([]byte, error) {
	m := paxos.Membership{Cluster: t.Cluster.Name}
	if role != paxos.RoleClient {
		m = t.Cluster.Membership()
	}
	b, err := wire.Append([]byte(preface), &wire.Hello{Version: wire.Version, Members: m, Role: role, ID: id, ToRole: p.role, ToID: p.ID})
	if err != nil {
		return nil, err
	}
	return wire.Append(b, &wire.Offer{Oldest: wire.Oldest})
}

// connect is a connection that was let in as a client.
func (t *Target) connect(ctx context.Context, p place) (net.Conn, *bufio.Reader, error) {
	raw, err := dial(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	nc := raw
	if t.Secure != nil {
		if nc, err = t.Secure(ctx, raw, p.role, p.ID); err != nil {
			_ = raw.Close()
			return nil, nil, err
		}
	}
	hello, err := t.hello(p, paxos.RoleClient, "")
	if err == nil {
		_, err = nc.Write(hello)
	}
	r := bufio.NewReader(nc)
	for err == nil {
		var m paxos.Message
		if m, err = wire.Read(r, 1<<16); err == nil {
			if _, ok := m.(*wire.Welcome); ok {
				return nc, r, nil
			}
			if _, ok := m.(*wire.Refusal); ok {
				err = io.ErrClosedPipe
			}
		}
	}
	_ = nc.Close()
	return nil, nil, err
}

// frames encodes messages.
func frames(n int, message func(i int) paxos.Message) (b []byte) {
	for i := range n {
		next, err := wire.Append(b, message(i))
		if err != nil {
			return b // what cannot be encoded is not sent
		}
		b = next
	}
	return b
}

// crowd runs f again and again, n times at once for each place, until ctx ends.
func crowd(ctx context.Context, places []place, n int, f func(ctx context.Context, p place, i int) error) {
	var wg sync.WaitGroup
	for _, p := range places {
		for i := range n {
			wg.Go(func() {
				for ctx.Err() == nil {
					if f(ctx, p, i) != nil {
						rest(ctx, time.Duration(rand.IntN(20))*time.Millisecond)
					}
				}
			})
		}
	}
	wg.Wait()
}

// rest waits a little, so that a port that refuses everybody is not all that is tried.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// flood sends one block again and again over a connection of a client, and reads what comes back if
// reads is set.
func (t *Target) flood(ctx context.Context, p place, block []byte, reads bool) error {
	nc, r, err := t.connect(ctx, p)
	if err != nil {
		return err
	}
	defer nc.Close()
	if reads {
		go func() { _, _ = io.Copy(io.Discard, r) }()
	}
	for {
		if _, err := nc.Write(block); err != nil {
			return err
		}
	}
}
