package credentials_test

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/credentials"
	"github.com/paxlog/paxlog/credentials/issue"
	"github.com/paxlog/paxlog/paxos"
)

// dir is a directory of certificates, and a clock.
type dir struct {
	t testing.TB
	issue.Dir
	at time.Time
}

func newDir(t testing.TB) *dir {
	t.Helper()
	d := &dir{t: t, at: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	d.Dir = issue.Dir{Path: t.TempDir(), Cluster: "orders", Now: func() time.Time { return d.at }}
	must(t, second(d.Authorities(1000)))
	must(t, second(d.Make(paxos.RoleAcceptor, "a1", 100)))
	must(t, second(d.Make(paxos.RoleClient, "client", 100)))
	return d
}

func second[T any](_ T, err error) error { return err }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (d *dir) file(name string) string { return filepath.Join(d.Path, name) }

func (d *dir) open(t config.TLS, role paxos.Role, id string) (*credentials.Store, error) {
	return credentials.Open(credentials.Options{TLS: t, Me: credentials.Identity{Cluster: "orders", Role: role, ID: id}, Now: d.Now})
}

func (d *dir) section() config.TLS { return issue.Section(config.TLSRequire, d.Path) }

// store is that of acceptor a1.
func (d *dir) store() *credentials.Store {
	d.t.Helper()
	s, err := d.open(d.section(), paxos.RoleAcceptor, "a1")
	must(d.t, err)
	return s
}

func (d *dir) write(name string, text []byte, mode os.FileMode) {
	d.t.Helper()
	must(d.t, os.WriteFile(d.file(name), text, mode))
	must(d.t, os.Chmod(d.file(name), mode))
}

func (d *dir) read(name string) []byte {
	d.t.Helper()
	text, err := os.ReadFile(d.file(name))
	must(d.t, err)
	return text
}

// onlyServes has an acceptor's certificate say that it is for servers only.
func (d *dir) onlyServes(id string) {
	d.t.Helper()
	pair, err := tls.LoadX509KeyPair(d.file("peer-ca.crt"), d.file("peer-ca.key"))
	must(d.t, err)
	mine, err := tls.LoadX509KeyPair(d.file(id+".crt"), d.file(id+".key"))
	must(d.t, err)
	c := *mine.Leaf
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, &c, pair.Leaf, c.PublicKey, pair.PrivateKey)
	must(d.t, err)
	d.write(id+".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
}

// TestFilesThatAreRefused: what a process cannot begin with, in words that name the file.
func TestFilesThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(d *dir, s *config.TLS)
		want   string
	}{
		{"no certificate", func(d *dir, s *config.TLS) { must(t, os.Remove(d.file("a1.crt"))) }, "a1.crt: there is no such file, which is to hold the certificate of this process: `paxlog cert` makes it"},
		{"no key", func(d *dir, s *config.TLS) { must(t, os.Remove(d.file("a1.key"))) }, "a1.key: there is no such file"},
		{"a key that others can read", func(d *dir, s *config.TLS) { must(t, os.Chmod(d.file("a1.key"), 0o640)) }, "a1.key: others on this host can read this key (mode 0640)"},
		{"another's key", func(d *dir, s *config.TLS) { s.Key = d.file("client.key") }, "are no pair: tls: private key does not match public key"},
		{"another's certificate", func(d *dir, s *config.TLS) { s.Cert, s.Key = d.file("client.crt"), d.file("client.key") }, "it is for paxlog://orders/client/client, and this is paxlog://orders/acceptor/a1"},
		{"of another authority", func(d *dir, s *config.TLS) { s.PeerCA = newDir(t).file("peer-ca.crt"); s.CRL = "" }, "a1.crt: this process cannot use the certificate: no authority in peer_ca vouches for it"},
		{"expired", func(d *dir, s *config.TLS) { d.at = d.at.AddDate(0, 0, 101) }, "this process cannot use the certificate: it ended at 2030-04-11T00:00:00Z, and here it is 2030-04-12T00:00:00Z"},
		{"not yet valid", func(d *dir, s *config.TLS) { d.at = d.at.AddDate(0, 0, -1) }, "it is not valid before 2029-12-31T23:00:00Z, and here it is 2029-12-31T00:00:00Z (are the clocks right?)"},
		{"half of its usages", func(d *dir, s *config.TLS) { d.onlyServes("a1") }, "its extended key usage does not allow what it is shown for: a process needs serverAuth and clientAuth"},
		{"one authority for all", func(d *dir, s *config.TLS) { s.ClientCA = s.PeerCA }, "is in peer_ca"},
		{"no authority of clients", func(d *dir, s *config.TLS) { s.ClientCA = "" }, "tls.client_ca: it is missing"},
		{"a certificate that is no authority", func(d *dir, s *config.TLS) { s.PeerCA = d.file("a1.crt") }, "is that of no authority"},
		{"authorities with a key", func(d *dir, s *config.TLS) {
			d.write("both.pem", append(d.read("peer-ca.crt"), d.read("peer-ca.key")...), 0o600)
			s.PeerCA = d.file("both.pem")
		}, "both.pem: it holds a private key"},
		{"nothing in it", func(d *dir, s *config.TLS) { d.write("peer-ca.crt", nil, 0o600) }, "peer-ca.crt: there is no certificate in it"},
		{"revocations of a stranger", func(d *dir, s *config.TLS) { s.CRL = newDir(t).file("revoked.pem") }, "is signed by none of the authorities in peer_ca and client_ca"},
		{"revocations that are none", func(d *dir, s *config.TLS) { s.CRL = d.file("a1.crt") }, "a1.crt: there is no list of revocations"},
		{"an empty list of revocations", func(d *dir, s *config.TLS) { d.write("revoked.pem", nil, 0o600) }, "revoked.pem: there is no list of revocations"},
		{"half a list of revocations", func(d *dir, s *config.TLS) { d.write("revoked.pem", d.read("revoked.pem")[:500], 0o600) }, "revoked.pem: 1 of the 2 PEM blocks in it are cut short"},
		{"half an authority", func(d *dir, s *config.TLS) {
			d.write("peer-ca.crt", append(d.read("peer-ca.crt"), d.read("client-ca.crt")[:300]...), 0o600)
		}, "peer-ca.crt: 1 of the 2 PEM blocks in it are cut short"},
		{"too large", func(d *dir, s *config.TLS) { d.write("a1.crt", make([]byte, 4<<20+1), 0o600) }, "a1.crt: more than 4 MiB: this is not the certificate of this process"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDir(t)
			s := d.section()
			c.change(d, &s)
			_, err := d.open(s, paxos.RoleAcceptor, "a1")
			var file *credentials.FileError
			if !errors.As(err, &file) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestReload: a renewed pair is taken by itself when the files' times change, and what cannot
// be used is not, and told.
func TestReload(t *testing.T) {
	d := newDir(t)
	s := d.store()
	first := s.Snapshot()
	check := func(what string, changed bool, want string) {
		t.Helper()
		got, err := s.Check()
		if got != changed || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: changed: %v, want %v; %v", what, got, changed, err)
		}
	}
	touch := func(name string) {
		t.Helper()
		d.at = d.at.Add(time.Minute)
		must(t, os.Chtimes(d.file(name), d.at, d.at))
	}
	check("nothing has changed", false, "")
	must(t, second(d.Renew(paxos.RoleAcceptor, "a1", 200)))
	touch("a1.crt")
	check("it was renewed", true, "")
	if s.Snapshot() == first || !s.Snapshot().Until().After(first.Until()) {
		t.Errorf("in force is one until %s, as before", s.Snapshot().Until())
	}
	good := d.read("a1.crt")
	renewed := s.Snapshot()
	d.write("a1.crt", d.read("client.crt"), 0o600)
	touch("a1.crt")
	check("somebody may be at work", false, "")
	check("nobody is", true, "private key does not match")
	check("it was told", false, "")
	if s.Snapshot().Until() != renewed.Until() {
		t.Error("the pair before is not in force any more")
	}
	must(t, second(d.Make(paxos.RoleClient, "app", 100)))
	if _, _, err := d.Revoke("app"); err != nil {
		t.Fatal(err)
	}
	touch("revoked.pem")
	check("somebody may be at work", false, "")
	check("a revocation counts although the certificate cannot be used", true, "private key does not match")
	d.write("a1.crt", good, 0o600)
	touch("a1.crt")
	check("it was put right", true, "")
	if err := s.Reload(); err != nil {
		t.Error(err)
	}
	d.at = d.at.AddDate(0, 0, 300)
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "it ended at") || s.Snapshot().Until() != renewed.Until() {
		t.Errorf("expired, and read again: %v", err)
	}
}

// TestAuthoritiesAreTakenWholeOrNot: where those of clients cannot be used, nothing of either kind
// changes, and who was believed still is.
func TestAuthoritiesAreTakenWholeOrNot(t *testing.T) {
	d, other := newDir(t), newDir(t)
	s := d.store()
	app, err := d.open(d.section(), paxos.RoleClient, "client")
	must(t, err)
	meets := func() error { // a client comes
		var proof *credentials.Proof
		chain := make([]*x509.Certificate, 1)
		if chain[0], err = x509.ParseCertificate(app.Snapshot().Dialler(paxos.RoleAcceptor, "a1", &proof).Certificates[0].Certificate[0]); err != nil {
			return err
		}
		return s.Snapshot().Listener(&proof).VerifyConnection(tls.ConnectionState{PeerCertificates: chain})
	}
	must(t, meets())
	for what, text := range map[string][]byte{
		"theirs, and that of peers": append(d.read("client-ca.crt"), d.read("peer-ca.crt")...),
		"that of peers alone":       d.read("peer-ca.crt"),
		"another's, and of peers":   append(other.read("client-ca.crt"), d.read("peer-ca.crt")...),
	} {
		before := d.read("client-ca.crt")
		d.write("client-ca.crt", text, 0o600)
		if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "is in peer_ca") {
			t.Errorf("%s: %v", what, err)
		}
		if err := meets(); err != nil {
			t.Errorf("%s: a client is refused that was believed before: %v", what, err)
		}
		d.write("client-ca.crt", before, 0o600)
	}
}

// TestTriedAgain: what could not be used is taken once it can be, although no file has changed
// its time since.
func TestTriedAgain(t *testing.T) {
	d := newDir(t)
	s := d.store()
	must(t, second(d.Renew(paxos.RoleAcceptor, "a1", 200)))
	must(t, os.Chmod(d.file("a1.key"), 0o644))
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "others on this host can read this key") {
		t.Fatal(err)
	}
	if changed, err := s.Check(); changed || err != nil {
		t.Errorf("it is told again: %v, %v", changed, err)
	}
	must(t, os.Chmod(d.file("a1.key"), 0o600))
	if changed, err := s.Check(); !changed || err != nil || !s.Snapshot().Until().Equal(d.at.AddDate(0, 0, 200)) {
		t.Errorf("changed: %v; %v; in force until %s", changed, err, s.Snapshot().Until())
	}
	if changed, err := s.Check(); changed || err != nil {
		t.Errorf("nothing is left to do: %v, %v", changed, err)
	}
}

// TestWarnings: the end of a certificate is told thirty days before, that of an authority too.
func TestWarnings(t *testing.T) {
	d := newDir(t)
	s := d.store().Snapshot()
	days := func(n int) string {
		d.at = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n)
		return strings.Join(s.Warnings(), "\n")
	}
	if got := days(69); got != "" {
		t.Errorf("31 days before: %s", got)
	}
	if got := days(71); !strings.Contains(got, "ends at 2030-04-11T00:00:00Z") || !strings.Contains(got, "`paxlog cert node a1 --renew` renews it") {
		t.Errorf("29 days before: %s", got)
	}
	if got := days(971); !strings.Contains(got, `the peer authority "CN=orders peers 2030-01-01" ends at`) || !strings.Contains(got, `the client authority`) {
		t.Errorf("29 days before the end of the authorities: %s", got)
	}
	if got := days(1001); !strings.Contains(got, "the list of revocations wanted to be replaced by") {
		t.Errorf("after the end of the list: %s", got)
	}
}

// TestIdentities: only the one form of a URI is an identity.
func TestIdentities(t *testing.T) {
	for text, want := range map[string]credentials.Identity{
		"paxlog://orders/acceptor/a1":                       {Cluster: "orders", Role: paxos.RoleAcceptor, ID: "a1"},
		"paxlog://or.d-ers/client/b.x":                      {Cluster: "or.d-ers", Role: paxos.RoleClient, ID: "b.x"},
		"paxlog://orders/client/paxlog":                     {Cluster: "orders", Role: paxos.RoleClient, ID: "paxlog"},
		"paxlog://orders/acceptor/a1/":                      {},
		"paxlog://orders/acceptor":                          {},
		"paxlog://orders//a1":                               {},
		"paxlog://orders/king/a1":                           {},
		"paxlog://orders/acceptor/a.1":                      {},
		"paxlog://orders/acceptor/%61":                      {},
		"paxlog://orders/acceptor/a1?x":                     {},
		"paxlog://orders/acceptor/a1#x":                     {},
		"paxlog://me@orders/acceptor/a1":                    {},
		"paxlog://orders:1/acceptor/a1":                     {},
		"PAXLOG:/orders/acceptor/a1":                        {},
		"https://orders/acceptor/a1":                        {},
		"paxlog://orders/client/.x":                         {},
		"paxlog://orders/client/anonymous":                  {},
		"paxlog://" + strings.Repeat("x", 65) + "/client/x": {},
		"paxlog://orders/client/" + strings.Repeat("x", 65): {},
	} {
		u, err := url.Parse(text)
		must(t, err)
		got, err := credentials.IdentityOf(&x509.Certificate{URIs: []*url.URL{u}})
		if got != want || (err == nil) != (want.ID != "") {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
		if err == nil && got.String() != text {
			t.Errorf("%s is written %s", text, got)
		}
	}
	one := &url.URL{Scheme: "paxlog", Host: "orders", Path: "/acceptor/a1"}
	for _, uris := range [][]*url.URL{nil, {one, one}} {
		if _, err := credentials.IdentityOf(&x509.Certificate{URIs: uris}); err == nil {
			t.Errorf("%d URIs are an identity", len(uris))
		}
	}
}

// TestIssuedIsNotWrittenOver: keys are for their owner only, and what is there stays.
func TestIssuedIsNotWrittenOver(t *testing.T) {
	d := newDir(t)
	for name, mode := range map[string]os.FileMode{"peer-ca.key": 0o600, "client-ca.key": 0o600, "a1.key": 0o600, "a1.crt": 0o644} {
		if info, err := os.Stat(d.file(name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	before := map[string][]byte{}
	for _, name := range []string{"peer-ca.key", "peer-ca.crt", "a1.key", "a1.crt", "client.key"} {
		before[name] = d.read(name)
	}
	for what, err := range map[string]error{
		"authorities": second(d.Authorities(10)),
		"a1":          second(d.Make(paxos.RoleAcceptor, "a1", 10)),
		"client":      second(d.Make(paxos.RoleClient, "client", 10)),
	} {
		if !errors.Is(err, issue.ErrExists) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for name, text := range before {
		if !bytes.Equal(d.read(name), text) {
			t.Errorf("%s has changed", name)
		}
	}
	if err := second(d.Make(paxos.RoleClient, "../x", 10)); err == nil {
		t.Error("a name leads out of the directory")
	}
}

// TestRevokedWithThoseBefore: who was revoked is not believed with a certificate that was renewed
// meanwhile either, which is of the same key.
func TestRevokedWithThoseBefore(t *testing.T) {
	d := newDir(t)
	must(t, second(d.Make(paxos.RoleClient, "app", 100)))
	var stolen [][]byte
	for range 3 {
		stolen = append(stolen, d.read("app.crt"))
		must(t, second(d.Renew(paxos.RoleClient, "app", 100)))
	}
	stolen = append(stolen, d.read("app.crt"))
	s := d.store()
	judge := func(text []byte) error {
		block, _ := pem.Decode(text)
		c, err := x509.ParseCertificate(block.Bytes)
		must(t, err)
		var proof *credentials.Proof
		return s.Snapshot().Listener(&proof).VerifyConnection(tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}})
	}
	for i, text := range stolen {
		if err := judge(text); err != nil {
			t.Errorf("certificate %d is not believed before it is revoked: %v", i, err)
		}
	}
	if _, _, err := d.Revoke("app"); err != nil {
		t.Fatal(err)
	}
	must(t, s.Reload())
	for i, text := range stolen {
		if err := judge(text); err == nil || !strings.Contains(err.Error(), "it was revoked") {
			t.Errorf("certificate %d: %v", i, err)
		}
	}
	if err := second(d.Renew(paxos.RoleClient, "app", 100)); err == nil || !strings.Contains(err.Error(), "was revoked, and its key is not used again") {
		t.Errorf("it is renewed: %v", err)
	}
	must(t, second(d.Renew(paxos.RoleClient, "client", 100)))
	d.at = d.at.AddDate(0, 0, 101)
	must(t, second(d.Renew(paxos.RoleClient, "client", 100)))
	if n := bytes.Count(d.read("client.former"), []byte("BEGIN")); n != 1 {
		t.Errorf("%d former certificates are kept, of which one is new", n)
	}
}

// TestRenewedForNobodyElse: --renew takes no files of an authority, and of nobody else.
func TestRenewedForNobodyElse(t *testing.T) {
	d := newDir(t)
	before := map[string][]byte{}
	for _, name := range []string{"peer-ca.crt", "client-ca.crt", "client.crt", "a1.crt"} {
		before[name] = d.read(name)
	}
	for what, c := range map[string]struct {
		err  error
		want string
	}{
		"an authority of clients": {second(d.Renew(paxos.RoleClient, "client-ca", 10)), "are the files of an authority"},
		"an authority of peers":   {second(d.Renew(paxos.RoleAcceptor, "peer-ca", 10)), "are the files of an authority"},
		"one that is not there":   {second(d.Make(paxos.RoleClient, "peer-ca", 10)), "are the files of an authority"},
		"a client":                {second(d.Renew(paxos.RoleAcceptor, "client", 10)), "it is not renewed for somebody else"},
		"an acceptor":             {second(d.Renew(paxos.RoleClient, "a1", 10)), "it is not renewed for somebody else"},
		"nobody":                  {second(d.Renew(paxos.RoleClient, "x", 10)), "there is nothing to renew"},
		"nobody, to be revoked":   {func() error { _, _, err := d.Revoke("x"); return err }(), "there is no such certificate here"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: %v", what, c.err)
		}
	}
	for name, text := range before {
		if !bytes.Equal(d.read(name), text) {
			t.Errorf("%s has changed", name)
		}
	}
	d.write("client-ca.key", d.read("peer-ca.key"), 0o600)
	if err := second(d.Make(paxos.RoleClient, "y", 10)); err == nil || !strings.Contains(err.Error(), "client-ca.key is not the key of") {
		t.Error(err)
	}
}

// TestOutlivesNoAuthority: a certificate ends with its authority.
func TestOutlivesNoAuthority(t *testing.T) {
	d := newDir(t)
	must(t, second(d.Renew(paxos.RoleAcceptor, "a1", 5000)))
	if got := d.store().Snapshot().Until(); !got.Equal(d.at.AddDate(0, 0, 1000)) {
		t.Errorf("it ends at %s", got)
	}
	d.at = d.at.AddDate(0, 0, 1001)
	if err := second(d.Renew(paxos.RoleAcceptor, "a1", 1)); err == nil || !strings.Contains(err.Error(), "has ended at") {
		t.Error(err)
	}
}
