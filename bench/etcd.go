package main

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/paxlog/paxlog/internal/load"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// etcdSystem is a cluster of three, with its defaults: each entry is synced in
// the log of a majority before it is answered.
type etcdSystem struct {
	endpoint string // of the leader
	admin    *clientv3.Client
	keys     atomic.Uint64
}

// etcdPrefix is before every key; each append has a key of its own.
const etcdPrefix = "e/"

func (s *etcdSystem) name() string { return "etcd" }

func (s *etcdSystem) start(ctx context.Context, p *processes) error {
	ports, err := freePorts(6)
	if err != nil {
		return err
	}
	var cluster, endpoints []string
	for i := range 3 {
		cluster = append(cluster, fmt.Sprintf("m%d=http://%s", i, at(ports[3+i])))
		endpoints = append(endpoints, "http://"+at(ports[i]))
	}
	for i := range 3 {
		name := fmt.Sprintf("m%d", i)
		err := p.self(name, "etcd", name, filepath.Join(p.dir, name), endpoints[i], "http://"+at(ports[3+i]), strings.Join(cluster, ","))
		if err != nil {
			return err
		}
	}
	if s.admin, err = etcdClient(endpoints...); err != nil {
		return err
	}
	return p.until(ctx, "etcd does not answer", func(ctx context.Context) error {
		if _, err := s.admin.Put(ctx, "ready", ""); err != nil {
			return err
		}
		for _, e := range endpoints {
			st, err := s.admin.Status(ctx, e)
			if err != nil {
				return err
			}
			if st.Leader == st.Header.MemberId {
				s.endpoint = e
				return nil
			}
		}
		return fmt.Errorf("no leader")
	})
}

func etcdClient(endpoints ...string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
}

func (s *etcdSystem) count(ctx context.Context) (uint64, error) {
	r, err := s.admin.Get(ctx, etcdPrefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return 0, err
	}
	return uint64(r.Count), nil
}

func (s *etcdSystem) close() {
	if s.admin != nil {
		_ = s.admin.Close()
	}
}

type etcdConn struct {
	s *etcdSystem
	c *clientv3.Client
}

func (s *etcdSystem) dial(context.Context) (conn, error) {
	c, err := etcdClient(s.endpoint)
	return etcdConn{s, c}, err
}

func (c etcdConn) session() load.Session { return c }

func (c etcdConn) close() { _ = c.c.Close() }

// End implements load.Session: nothing of this client's is answered any more.
func (c etcdConn) End(error) { c.close() }

// Append puts in a goroutine of its own: the library has no other way to have more
// than one under way. Appends of one session then keep no order among themselves.
func (c etcdConn) Append(ctx context.Context, value []byte) (load.Answer, error) {
	key := fmt.Sprintf("%s%016x", etcdPrefix, c.s.keys.Add(1))
	a := newOutcome()
	go func() {
		_, err := c.c.Put(ctx, key, string(value))
		a.end(err)
	}()
	return a, nil
}

// etcdChild is one member: NAME DIR CLIENT_URL PEER_URL CLUSTER.
func etcdChild(args []string) error {
	c := embed.NewConfig()
	c.Name, c.Dir, c.InitialCluster = args[0], args[1], args[4]
	clients, err := url.Parse(args[2])
	if err != nil {
		return err
	}
	peers, err := url.Parse(args[3])
	if err != nil {
		return err
	}
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{*clients}, []url.URL{*clients}
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{*peers}, []url.URL{*peers}
	c.LogLevel = "error"
	c.QuotaBackendBytes = 16 << 30 // the default would end a long run
	e, err := embed.StartEtcd(c)
	if err != nil {
		return err
	}
	return <-e.Err()
}
