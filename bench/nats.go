package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/paxlog/paxlog/internal/load"
)

// natsSystem is JetStream with a stream of three replicas on files. It is told to
// sync always, which is not its default: otherwise it answers before a sync.
type natsSystem struct {
	url   string // of the stream's leader
	admin *nats.Conn
	js    jetstream.JetStream
}

const (
	natsStream  = "bench"
	natsSubject = "entries"
	natsPending = 1 << 16 // a bound of the client library, above what is ever in flight
)

func (s *natsSystem) name() string { return "jetstream" }

func (s *natsSystem) start(ctx context.Context, p *processes) error {
	ports, err := freePorts(6)
	if err != nil {
		return err
	}
	var urls, routes []string
	for i := range 3 {
		urls = append(urls, "nats://"+at(ports[i]))
		routes = append(routes, "nats://"+at(ports[3+i]))
	}
	for i := range 3 {
		name := fmt.Sprintf("n%d", i)
		err := p.self(name, "nats", name, filepath.Join(p.dir, name), strconv.Itoa(ports[i]), strconv.Itoa(ports[3+i]), strings.Join(routes, ","))
		if err != nil {
			return err
		}
	}
	return p.until(ctx, "JetStream does not answer", func(ctx context.Context) error {
		if err := s.connect(urls); err != nil {
			return err
		}
		st, err := s.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: natsStream, Subjects: []string{natsSubject}, Replicas: 3, Storage: jetstream.FileStorage,
		})
		if err != nil {
			return err
		}
		info, err := st.Info(ctx)
		if err != nil {
			return err
		}
		return s.findLeader(info, urls)
	})
}

// connect connects to any server.
func (s *natsSystem) connect(urls []string) (err error) {
	if s.admin != nil {
		return nil
	}
	if s.admin, err = nats.Connect(strings.Join(urls, ",")); err != nil {
		return err
	}
	s.js, err = jetstream.New(s.admin)
	return err
}

// findLeader notes the server whose clients need no hop to the stream's leader.
func (s *natsSystem) findLeader(info *jetstream.StreamInfo, urls []string) error {
	if info.Cluster == nil || !strings.HasPrefix(info.Cluster.Leader, "n") || len(info.Cluster.Replicas) != 2 {
		return errors.New("the stream has no leader with two replicas")
	}
	i, err := strconv.Atoi(info.Cluster.Leader[1:])
	if err != nil || i < 0 || i >= len(urls) {
		return fmt.Errorf("the stream's leader is %q", info.Cluster.Leader)
	}
	s.url = urls[i]
	return nil
}

func (s *natsSystem) count(ctx context.Context) (uint64, error) {
	st, err := s.js.Stream(ctx, natsStream)
	if err != nil {
		return 0, err
	}
	info, err := st.Info(ctx)
	if err != nil {
		return 0, err
	}
	return info.State.Msgs, nil
}

func (s *natsSystem) close() {
	if s.admin != nil {
		s.admin.Close()
		s.admin = nil // the next run connects anew
	}
}

type natsConn struct {
	c  *nats.Conn
	js jetstream.JetStream
}

func (s *natsSystem) dial(context.Context) (conn, error) {
	c, err := nats.Connect(s.url)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(c, jetstream.WithPublishAsyncMaxPending(natsPending), jetstream.WithPublishAsyncTimeout(patience))
	if err != nil {
		c.Close()
		return nil, err
	}
	return natsConn{c, js}, nil
}

func (c natsConn) session() load.Session { return c }

func (c natsConn) close() { c.c.Close() }

// End implements load.Session: nothing of this client's is answered any more.
func (c natsConn) End(error) { c.close() }

// Append waits in a goroutine of its own: the library tells success and failure on
// channels of two types.
func (c natsConn) Append(_ context.Context, value []byte) (load.Answer, error) {
	f, err := c.js.PublishAsync(natsSubject, value)
	if err != nil {
		return nil, err
	}
	a := newOutcome()
	go func() {
		select {
		case <-f.Ok():
			a.end(nil)
		case err := <-f.Err():
			a.end(err)
		}
	}()
	return a, nil
}

// natsChild is one server: NAME DIR PORT CLUSTER_PORT ROUTES.
func natsChild(args []string) error {
	port, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	clusterPort, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	var routes []*url.URL
	for _, r := range strings.Split(args[4], ",") {
		u, err := url.Parse(r)
		if err != nil {
			return err
		}
		routes = append(routes, u)
	}
	s, err := server.NewServer(&server.Options{
		ServerName: args[0], Host: host, Port: port, NoSigs: true,
		JetStream: true, StoreDir: args[1], SyncAlways: true, JetStreamMaxStore: 64 << 30,
		Cluster: server.ClusterOpts{Name: "bench", Host: host, Port: clusterPort}, Routes: routes,
	})
	if err != nil {
		return err
	}
	s.Start()
	s.WaitForShutdown()
	return errors.New("the server was shut down")
}
