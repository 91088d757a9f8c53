package transport

import (
	"crypto"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cluster "github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/credentials"
	"github.com/paxlog/paxlog/credentials/issue"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

const (
	accept  = cluster.TLSAccept
	require = cluster.TLSRequire
)

// files is a directory of certificates, and a clock by which they are judged.
type files struct {
	t testing.TB
	issue.Dir
	ahead atomic.Int64 // of the real time
}

func newFiles(t testing.TB) *files {
	t.Helper()
	f := &files{t: t, Dir: issue.Dir{Path: t.TempDir(), Cluster: "test", Now: time.Now}}
	if _, err := f.Authorities(10); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *files) now() time.Time { return time.Now().Add(time.Duration(f.ahead.Load())) }

// store is what a process knows, which gets a certificate if it has none.
func (f *files) store(role paxos.Role, id paxos.NodeID, mode cluster.TLSMode) *credentials.Store {
	f.t.Helper()
	if !f.Has(string(id)) {
		if _, err := f.Make(role, string(id), 5); err != nil {
			f.t.Fatal(err)
		}
	}
	return f.open(issue.Section(mode, f.Path), role, id)
}

func (f *files) open(section cluster.TLS, role paxos.Role, id paxos.NodeID) *credentials.Store {
	f.t.Helper()
	s, err := credentials.Open(credentials.Options{TLS: section, Me: credentials.Identity{Cluster: "test", Role: role, ID: string(id)}, Now: f.now})
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// config is that of a process with a certificate.
func (f *files) config(role paxos.Role, id paxos.NodeID, mode cluster.TLSMode) Config {
	f.t.Helper()
	cfg := config(role, id)
	cfg.Credentials = f.store(role, id, mode)
	return cfg
}

// dialRaw is a connection with TLS whose frames the test makes.
func (f *files) dialRaw(to *process, role paxos.Role, id paxos.NodeID) *raw {
	f.t.Helper()
	nc, err := net.Dial("tcp", to.Addr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	var proof *credentials.Proof
	c := tls.Client(nc, f.store(role, id, require).Snapshot().Dialler(to.cfg.Role, to.cfg.ID, &proof))
	if err := c.Handshake(); err != nil {
		f.t.Fatal(err)
	}
	return newRaw(f.t, c)
}

// TestTLS: frames go both ways, of any size, and who a client is is known.
func TestTLS(t *testing.T) {
	f := newFiles(t)
	a := listen(t, f.config(acceptor, "a1", require))
	cfg := f.config(proposer, "p1", require)
	cfg.QueueBytes = 16 << 20
	p := start(t, cfg, newRecorder())
	c := start(t, f.config(client, "app", require), newRecorder())
	p.Dial(a.peer())
	c.Dial(a.peer())
	p.await(t, 1, up, "a1")
	c.await(t, 1, up, "a1")
	if e := a.await(t, 1, up, "@1"); e.principal != "app" {
		t.Errorf("the client is %q", e.principal)
	}
	if e := a.await(t, 1, up, "p1"); e.principal != "" {
		t.Errorf("p1 is the principal %q", e.principal)
	}
	const n = 300
	for i := range n {
		p.Send("a1", &paxos.Accept{Instance: paxos.Instance(i + 1), Value: paxos.Value{Batch: make([]byte, i*100)}})
		a.Send("p1", &paxos.QueryReply{Nonce: uint64(i)})
	}
	a.await(t, n, got, "p1")
	p.await(t, n, got, "a1")
	for i, e := range a.of(got, "p1") {
		if m := e.msg.(*paxos.Accept); m.Instance != paxos.Instance(i+1) || len(m.Value.Batch) != i*100 {
			t.Fatalf("message %d is %d with %d bytes", i, m.Instance, len(m.Value.Batch))
		}
	}
	if peers, clients := a.Plain(); len(peers)+clients > 0 {
		t.Errorf("without TLS are %v and %d clients", peers, clients)
	}
}

// TestQuietConnectionsTakeLittle: the memory that a large page took is given back when nothing
// large was written for a while, by whatever else is, and what is written after that arrives.
func TestQuietConnectionsTakeLittle(t *testing.T) {
	f := newFiles(t)
	for _, mode := range []cluster.TLSMode{cluster.TLSOff, require} {
		kept := func(c *conn) (n int) {
			c.w.mu.Lock()
			defer c.w.mu.Unlock()
			n = cap(c.w.spare) + cap(c.w.left)
			if c.veil != nil {
				c.veil.mu.Lock()
				defer c.veil.mu.Unlock()
				n += cap(c.veil.spare) + cap(c.veil.sealed)
			}
			return n
		}
		mine, theirs := config(learner, "l1"), config(client, "app")
		if mode == require {
			mine, theirs = f.config(learner, "l1", mode), f.config(client, "app", mode)
		}
		mine.Idle, theirs.Idle = 500*time.Millisecond, 500*time.Millisecond
		mine.QueueBytes = 16 << 20
		l := listen(t, mine)
		c := start(t, theirs, newRecorder())
		c.Dial(l.peer())
		l.await(t, 1, up, "@1")
		to := l.connTo("@1")
		for i := range 8 {
			l.Send("@1", &paxos.Page{Values: []paxos.Vote{{Value: paxos.Value{Batch: make([]byte, 500<<10)}}}})
			c.await(t, i+1, got, "l1")
		}
		eventually(t, "the memory is given back", func() bool {
			l.Send("@1", &paxos.Page{}) // it is never silent
			if why := to.why(); why != nil {
				t.Fatal(why)
			}
			return kept(to) <= 3*idleBuffer
		})
		before := len(c.of(got, "l1"))
		l.Send("@1", &paxos.Page{Values: []paxos.Vote{{Value: paxos.Value{Batch: make([]byte, 500<<10)}}}})
		c.await(t, before+1, got, "l1")
	}
}

// TestModes: who goes without TLS, who with it, and who refuses whom, in words at both ends.
func TestModes(t *testing.T) {
	f := newFiles(t)
	for _, c := range []struct {
		dials, listens cluster.TLSMode
		want           string // plain, TLS, or what the dialler is told
		there          string // what the listener is told
	}{
		{cluster.TLSOff, cluster.TLSOff, "plain", ""},
		{cluster.TLSOff, accept, "plain", ""},
		{cluster.TLSOff, require, "connections are taken with TLS only", "connections are taken with TLS only"},
		{accept, cluster.TLSOff, "plain", "it begins with TLS, which this process does not speak"},
		{accept, accept, "TLS", ""},
		{accept, require, "TLS", ""},
		{require, cluster.TLSOff, "it speaks no TLS, most likely", "it begins with TLS, which this process does not speak"},
		{require, accept, "TLS", ""},
		{require, require, "TLS", ""},
	} {
		t.Run(string(c.dials+" dials "+c.listens), func(t *testing.T) {
			for _, role := range []paxos.Role{proposer, client} {
				id := map[paxos.Role]paxos.NodeID{proposer: "p1", client: "app"}[role]
				a, d := listen(t, f.config(acceptor, "a1", c.listens)), start(t, f.config(role, id, c.dials), newRecorder())
				d.Dial(a.peer())
				if c.there != "" {
					if e := a.await(t, 1, refused, ""); !strings.Contains(e.err.Error(), c.there) {
						t.Errorf("the listener is told: %v", e.err)
					}
				}
				if c.want != "plain" && c.want != "TLS" {
					if e := d.await(t, 1, refused, "a1"); !strings.Contains(e.err.Error(), c.want) {
						t.Errorf("the dialler is told: %v", e.err)
					}
					continue
				}
				d.await(t, 1, up, "a1")
				came := a.await(t, 1, up, "")
				want := map[bool]paxos.Principal{true: "app", false: paxos.Anonymous}[c.want == "TLS"]
				if role == client && came.principal != want {
					t.Errorf("the client is %q", came.principal)
				}
				if peers, _ := d.Plain(); (len(peers) == 0) != (c.want == "TLS") {
					t.Errorf("plain are the connections to %v", peers)
				}
			}
		})
	}
}

// TestFallbackIsFoundOut: who keeps two processes that both speak TLS from it gets no
// connection between them.
func TestFallbackIsFoundOut(t *testing.T) {
	f := newFiles(t)
	a := listen(t, f.config(acceptor, "a1", accept))
	between, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer between.Close()
	go func() {
		for {
			nc, err := between.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				first := make([]byte, 1)
				if _, err := io.ReadFull(nc, first); err != nil || first[0] == tlsRecord {
					return
				}
				on, err := net.Dial("tcp", a.Addr().String())
				if err != nil {
					return
				}
				defer on.Close()
				go func() { _, _ = io.Copy(nc, on) }()
				_, _ = on.Write(first)
				_, _ = io.Copy(on, nc)
			}()
		}
	}()
	p := start(t, f.config(proposer, "p1", accept), newRecorder())
	p.Dial(Peer{acceptor, "a1", between.Addr().String()})
	if e := p.await(t, 2, refused, "a1"); !strings.Contains(e.err.Error(), "it speaks TLS as this process does") || len(p.of(up, "")) > 0 {
		t.Errorf("%v; %d connections", e.err, len(p.of(up, "")))
	}
}

// show has a process show a certificate that a test made.
func (f *files) show(role paxos.Role, id paxos.NodeID, by *issue.Authority, who credentials.Identity, from, until time.Time) *tls.Config {
	f.t.Helper()
	key := f.key(role, id)
	cert, err := by.Certificate(who, key.Public(), from, until)
	if err != nil {
		f.t.Fatal(err)
	}
	return &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}}}
}

func (f *files) key(role paxos.Role, id paxos.NodeID) crypto.Signer {
	f.t.Helper()
	f.store(role, id, require)
	pair, err := tls.LoadX509KeyPair(filepath.Join(f.Path, string(id)+".crt"), filepath.Join(f.Path, string(id)+".key"))
	if err != nil {
		f.t.Fatal(err)
	}
	return pair.PrivateKey.(crypto.Signer)
}

func (f *files) authority(name string) *issue.Authority {
	f.t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(f.Path, name+".crt"), filepath.Join(f.Path, name+".key"))
	if err != nil {
		f.t.Fatal(err)
	}
	return &issue.Authority{Cert: pair.Leaf, Key: pair.PrivateKey.(crypto.Signer)}
}

// TestCertificatesThatAreRefused: the listener says why, the dialler is told that it is its
// certificate, and nothing of what it greets with is believed.
func TestCertificatesThatAreRefused(t *testing.T) {
	f, other := newFiles(t), newFiles(t)
	a := listen(t, f.config(acceptor, "a1", require))
	peers, clients, strangers := f.authority("peer-ca"), f.authority("client-ca"), other.authority("peer-ca")
	now, hour := time.Now(), time.Hour
	id := func(cluster string, role paxos.Role, id string) credentials.Identity {
		return credentials.Identity{Cluster: cluster, Role: role, ID: id}
	}
	p1 := id("test", proposer, "p1")
	revoked := f.show(proposer, "p9", peers, id("test", proposer, "p9"), now.Add(-hour), now.Add(hour))
	cases := []struct {
		name string
		cfg  *tls.Config
		want string
	}{
		{"another cluster", f.show(proposer, "p1", peers, id("other", proposer, "p1"), now.Add(-hour), now.Add(hour)), `it is of cluster "other", and this is "test"`},
		{"another role", f.show(proposer, "p1", peers, id("test", learner, "p1"), now.Add(-hour), now.Add(hour)), `it says that it is proposer "p1", and its certificate is that of paxlog://test/learner/p1`},
		{"another id", f.show(proposer, "p1", peers, id("test", proposer, "p2"), now.Add(-hour), now.Add(hour)), "its certificate is that of paxlog://test/proposer/p2"},
		{"a client's", f.show(proposer, "p1", clients, id("test", client, "p1"), now.Add(-hour), now.Add(hour)), "its certificate is that of paxlog://test/client/p1"},
		{"another authority", f.show(proposer, "p1", strangers, p1, now.Add(-hour), now.Add(hour)), "no authority in peer_ca vouches for it (x509: certificate signed by unknown authority"},
		{"an authority of clients", f.show(proposer, "p1", clients, p1, now.Add(-hour), now.Add(hour)), "an authority of the other kind issued it: only those of peers can make a proposer"},
		{"a client by an authority of peers", f.show(client, "app", peers, id("test", client, "app"), now.Add(-hour), now.Add(hour)), "an authority of the other kind issued it: only those of clients can make a client"},
		{"expired", f.show(proposer, "p1", peers, p1, now.Add(-2*hour), now.Add(-hour)), "it ended at"},
		{"not yet valid", f.show(proposer, "p1", peers, p1, now.Add(hour), now.Add(2*hour)), "it is not valid before"},
		{"revoked", revoked, "it was revoked at"},
		{"none", &tls.Config{InsecureSkipVerify: true}, "no TLS handshake: tls: client didn't provide a certificate"},
		{"TLS 1.2", &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}, "TLS 1.3 is needed"},
	}
	if err := os.WriteFile(filepath.Join(f.Path, "p9.crt"), issue.CertPEM(revoked.Certificates[0].Leaf), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Revoke("p9"); err != nil {
		t.Fatal(err)
	}
	if err := a.cfg.Credentials.Reload(); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			nc, err := net.Dial("tcp", a.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			r := newRaw(t, tls.Client(nc, c.cfg))
			_, err = r.nc.Write(append([]byte(preface), frame(t, hello(proposer, "p1", a))...))
			var answer paxos.Message
			if err == nil {
				answer, err = wire.ReadFrom(r.r, helloBytes, wire.Oldest)
			}
			if refusal, ok := answer.(*wire.Refusal); ok {
				if !strings.Contains(refusal.Text, c.want) {
					t.Errorf("the dialler is refused: %+v", refusal)
				}
			} else if err == nil || !strings.Contains(err.Error(), "remote error: tls: ") {
				t.Errorf("the dialler is told %v, %v", answer, err)
			}
			if e := a.await(t, i+1, refused, ""); !strings.Contains(e.err.Error(), c.want) {
				t.Errorf("the listener is told: %v", e.err)
			}
		})
	}
	if n := len(a.of(up, "")); n > 0 {
		t.Errorf("%d are welcome", n)
	}
}

// TestDiallersJudgeToo: a process that is not who was meant is refused by who dials, and told.
func TestDiallersJudgeToo(t *testing.T) {
	f, other := newFiles(t), newFiles(t)
	for _, c := range []struct {
		name string
		cfg  Config
		to   paxos.NodeID
		want string
	}{
		{"another id", f.config(acceptor, "a2", require), "a1", "acceptor a2 answers there, not acceptor a1"},
		{"another authority", other.config(acceptor, "a1", require), "a1", "no authority in peer_ca vouches for it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := listen(t, c.cfg)
			p := start(t, f.config(proposer, "p1", require), newRecorder())
			p.Dial(Peer{acceptor, c.to, a.Addr().String()})
			if e := p.await(t, 1, refused, c.to); !strings.Contains(e.err.Error(), "the certificate that is shown there is refused: ") || !strings.Contains(e.err.Error(), c.want) {
				t.Errorf("the dialler is told: %v", e.err)
			}
			if e := a.await(t, 1, refused, ""); !strings.Contains(e.err.Error(), "it refuses the certificate of this process (tls: bad certificate)") {
				t.Errorf("the listener is told: %v", e.err)
			}
		})
	}
}

// TestRefusedDialler: a process whose certificate is refused is told which one that is, and
// gives a client's calls their reason at once.
func TestRefusedDialler(t *testing.T) {
	f, other := newFiles(t), newFiles(t)
	a := listen(t, f.config(acceptor, "a1", require))
	cfg := other.config(client, "app", require)
	section := issue.Section(require, other.Path)
	section.PeerCA, section.ClientCA, section.CRL = filepath.Join(f.Path, "peer-ca.crt"), "", "" // it believes a1
	cfg.Credentials = other.open(section, client, "app")
	c := start(t, cfg, newRecorder())
	c.Dial(a.peer())
	e := c.await(t, 1, refused, "a1")
	if !strings.Contains(e.err.Error(), "acceptor a1 refuses the certificate of this process (tls: bad certificate), as its log says: paxlog://test/client/app") {
		t.Errorf("the dialler is told: %v", e.err)
	}
}

// TestJudgedAgain: a connection ends when what its other end has shown is revoked, or ends,
// and both are told why. Others stay.
func TestJudgedAgain(t *testing.T) {
	f := newFiles(t)
	a := listen(t, f.config(acceptor, "a1", require))
	p1, p2 := start(t, f.config(proposer, "p1", require), newRecorder()), start(t, f.config(proposer, "p2", require), newRecorder())
	for _, p := range []*process{p1, p2} {
		p.Dial(a.peer())
		p.await(t, 1, up, "a1")
	}
	a.await(t, 1, up, "p1")
	a.await(t, 1, up, "p2")
	if _, _, err := f.Revoke("p1"); err != nil {
		t.Fatal(err)
	}
	a.Judge(f.now())
	if n := len(a.of(down, "")); n > 0 {
		t.Fatalf("%d have gone before the list was read", n)
	}
	if err := a.cfg.Credentials.Reload(); err != nil {
		t.Fatal(err)
	}
	a.Judge(f.now())
	if e := a.await(t, 1, down, "p1"); !strings.Contains(e.err.Error(), "its certificate is refused now: it was revoked at") {
		t.Errorf("the one end is told: %v", e.err)
	}
	if e := p1.await(t, 1, down, "a1"); !strings.Contains(e.err.Error(), "the certificate that acceptor a1 took until now is not taken any more; its log says why") {
		t.Errorf("the other is told: %v", e.err)
	}
	if e := p1.await(t, 1, refused, "a1"); !strings.Contains(e.err.Error(), "acceptor a1 refuses the certificate of this process (tls: bad certificate)") {
		t.Errorf("and when it comes again: %v", e.err)
	}
	f.ahead.Store(int64(5*24*time.Hour + time.Minute))
	a.Judge(f.now())
	if e := a.await(t, 1, down, "p2"); !strings.Contains(e.err.Error(), "its certificate is refused now: it ended at") {
		t.Errorf("the end is told: %v", e.err)
	}
}

// TestPrincipalsShareConnections: when all places of clients are taken, one of a principal that has fewer gets
// the latest of whoever has most, until they have as many; nobody gets more by that, nor a stranger among
// strangers.
func TestPrincipalsShareConnections(t *testing.T) {
	f := newFiles(t)
	cfg := f.config(acceptor, "a1", require)
	cfg.Connections = 8 // 4 of them for clients
	a := listen(t, cfg)
	come := func(who paxos.NodeID) any {
		t.Helper()
		return f.dialRaw(a, client, who).greet(hello(client, "", a))
	}
	taken := func(who paxos.NodeID, n int, want bool) {
		t.Helper()
		m := come(who)
		if _, is := m.(*wire.Welcome); is != want {
			t.Errorf("connection %d, of %s, is answered %+v", n, who, m)
		} else if is {
			a.await(t, n, up, "")
		}
	}
	for n := 1; n <= 4; n++ {
		taken("many", n, true)
	}
	taken("many", 5, false)
	for n, gone := range []paxos.NodeID{"@4", "@3"} {
		taken("few", 5+n, true)
		if e := a.await(t, 1, down, gone); !errors.Is(e.err, ErrShare) {
			t.Errorf("%s ends with %v", gone, e.err)
		}
	}
	taken("few", 7, false)
	taken("many", 7, false)
	taken("other", 7, true) // of whichever has most: two each
}

// TestHandshakeAmidReload: a handshake that begins by files that change before it ends is judged by the
// new ones when it ends, on both sides, and not when somebody looks next.
func TestHandshakeAmidReload(t *testing.T) {
	f := newFiles(t)
	reload := func(p *process, id string) {
		t.Helper()
		if _, _, err := f.Revoke(id); err != nil {
			t.Fatal(err)
		}
		if err := p.cfg.Credentials.Reload(); err != nil {
			t.Fatal(err)
		}
		p.Judge(f.now()) // which finds nobody
	}
	a := listen(t, f.config(acceptor, "a1", require))
	r := f.dialRaw(a, proposer, "p1")
	reload(a, "p1")
	if m, ok := r.greet(hello(proposer, "p1", a)).(*wire.Refusal); !ok || !strings.Contains(m.Text, "is refused by now: it was revoked at") {
		t.Errorf("who dials is answered %+v", m)
	}
	if n := len(a.of(up, "")); n > 0 {
		t.Errorf("%d are let in", n)
	}

	addr, conns := listenRaw(t)
	p := start(t, f.config(proposer, "p2", require), newRecorder())
	certificate := f.store(acceptor, "a2", require)
	p.Dial(Peer{acceptor, "a2", addr})
	r = next(t, conns)
	var proof *credentials.Proof
	c := tls.Server(r.nc, certificate.Snapshot().Listener(&proof))
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	r = newRaw(t, c)
	r.heard()
	reload(p, "a2")
	r.welcome(&wire.Welcome{Role: acceptor, ID: "a2", Incarnation: 7})
	if e := p.await(t, 1, down, "a2"); !strings.Contains(e.err.Error(), "its certificate is refused now: it was revoked at") {
		t.Errorf("who listens is let in: %v", e.err)
	}
}

// TestEndAmidTLSIsNotPlain: who has begun to speak TLS speaks it, also if it ends then, and
// nobody falls back to a plain connection for that.
func TestEndAmidTLSIsNotPlain(t *testing.T) {
	f := newFiles(t)
	addr, conns := listenRaw(t)
	p := start(t, f.config(proposer, "p1", accept), newRecorder())
	p.Dial(Peer{acceptor, "a1", addr})
	r := next(t, conns)
	if b, err := r.r.ReadByte(); b != tlsRecord || err != nil {
		t.Fatalf("it begins with %#x, %v", b, err)
	}
	r.bytes([]byte{tlsRecord, 3, 3}) // the beginning of a record
	_ = r.nc.Close()
	if e := p.await(t, 1, refused, "a1"); strings.Contains(e.err.Error(), errPlain.Error()) {
		t.Error(e.err)
	}
	if b, err := next(t, conns).r.ReadByte(); b != tlsRecord || err != nil {
		t.Errorf("then it begins with %#x, %v", b, err)
	}
}
