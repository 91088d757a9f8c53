package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// orders is the file of the documentation, line by line.
const orders = `cluster: orders
acceptors:
  - {id: a1, addr: 10.0.0.1:7101}
  - {id: a2, addr: 10.0.0.2:7101}
  - {id: a3, addr: 10.0.0.3:7101}
proposers:
  - {id: p1, addr: 10.0.0.1:7201}
  - {id: p2, addr: 10.0.0.2:7201}
learners:
  - {id: l1, addr: 10.0.0.1:7301}
  - {id: l2, addr: 10.0.0.2:7301}
`

func mustParse(t *testing.T, text string) *Cluster {
	t.Helper()
	c, err := Parse("paxlog.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	c := mustParse(t, orders)
	want := Defaults()
	want.Name = "orders"
	want.Acceptors = []Node{{"a1", "10.0.0.1:7101"}, {"a2", "10.0.0.2:7101"}, {"a3", "10.0.0.3:7101"}}
	want.Proposers = []Node{{"p1", "10.0.0.1:7201"}, {"p2", "10.0.0.2:7201"}}
	want.Learners = []Node{{"l1", "10.0.0.1:7301"}, {"l2", "10.0.0.2:7301"}}
	want.Quorum = Quorum{2, 2}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v\nwant %+v", c, want)
	}
	m := c.Membership()
	if !reflect.DeepEqual(m, paxos.Membership{
		Cluster: "orders", Acceptors: []paxos.NodeID{"a1", "a2", "a3"}, Phase1: 2, Phase2: 2, Sessions: 65536,
	}) {
		t.Errorf("membership %+v", m)
	}
}

func TestValues(t *testing.T) {
	c := mustParse(t, orders+`
quorum: {phase1: 3, phase2: 1}
timeouts: {heartbeat: 20ms, election_min: 40ms, election_max: 1s}
limits: {entry_bytes: 64KiB, batch_bytes: 2 MiB, queue_bytes: 1GiB, page_bytes: 5000, window: 7}
`)
	if c.Quorum != (Quorum{3, 1}) {
		t.Errorf("quorum %+v", c.Quorum)
	}
	if c.Timeouts.Heartbeat != 20*time.Millisecond || c.Timeouts.ElectionMax != time.Second || c.Timeouts.Retry != 100*time.Millisecond {
		t.Errorf("timeouts %+v", c.Timeouts)
	}
	l := c.Limits
	if l.EntryBytes != 65536 || l.BatchBytes != 2<<20 || l.QueueBytes != 1<<30 || l.PageBytes != 5000 || l.Window != 7 {
		t.Errorf("limits %+v", l)
	}
}

// TestTLS: paths are relative to the file, what is printed reads as the same, and a file
// without the section prints none, for releases that do not know it.
func TestTLS(t *testing.T) {
	path := filepath.Join(t.TempDir(), "paxlog.yaml")
	if err := os.WriteFile(path, []byte(orders+"tls: {mode: require, cert: tls, key: /k/a1.key, peer_ca: tls/p.crt, client_ca: c.crt}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	s := c.TLS
	if !s.On() || s.Path(s.Cert) != filepath.Join(filepath.Dir(path), "tls") || s.Path(s.Key) != "/k/a1.key" || s.Path(s.CRL) != "" {
		t.Errorf("%+v", s)
	}
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again := mustParse(t, string(text))
	if again.TLS.Base = s.Base; !reflect.DeepEqual(c, again) {
		t.Errorf("printed:\n%s", text)
	}
	if section, err := s.Text(); err != nil || !strings.HasSuffix(string(text), section) || !strings.HasPrefix(section, "tls:\n  mode: require\n") {
		t.Errorf("the section: %s, %v", section, err)
	}
	if plain, err := mustParse(t, orders).YAML(); err != nil || strings.Contains(string(plain), "tls") {
		t.Errorf("%s, %v", plain, err)
	}
	if off := mustParse(t, orders+"tls: {mode: off}\n"); off.TLS.On() {
		t.Errorf("%+v", off.TLS)
	}
	if w := s.With("x.crt", "", ""); !filepath.IsAbs(w.Cert) || w.Key != s.Key || w.PeerCA != s.PeerCA {
		t.Errorf("with another certificate: %+v", w)
	}
}

func TestHalfAQuorumIsCompletedByAMajority(t *testing.T) {
	for text, want := range map[string]Quorum{
		"quorum: {phase1: 3}\n":            {3, 2},
		"quorum: {phase2: 0}\n":            {2, 2},
		"quorum: {phase2: 3}\n":            {2, 3},
		"quorum: {}\n":                     {2, 2},
		"quorum: {phase1: 2, phase2: 2}\n": {2, 2},
	} {
		if c := mustParse(t, orders+text); c.Quorum != want {
			t.Errorf("%s: got %+v, want %+v", text, c.Quorum, want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	strange := mustParse(t, `cluster: "123"
acceptors: [{id: "1", addr: "[::1]:1"}, {id: "true", addr: "HOST:2"}, {id: "-x", addr: "b:3"}]
proposers: [{id: "no", addr: "c:4"}]
learners: [{id: 0x10, addr: "d:5"}]
quorum: {phase1: 1, phase2: 3}
timeouts: {stall: 61s, read: 1h}
limits: {entry_bytes: 1, batch_bytes: 1025, sessions: 3}
`)
	for _, c := range []*Cluster{mustParse(t, orders), Dev(7100), strange} {
		text, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse("printed", text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if !reflect.DeepEqual(back, c) {
			t.Errorf("got %+v\nwant %+v\nfrom\n%s", back, c, text)
		}
	}
}

// TestFileIsReadByEarlierReleases: of limits that they do not know a file has only those that
// somebody has chosen.
func TestFileIsReadByEarlierReleases(t *testing.T) {
	for text, want := range map[string]int{"": 0, "limits: {client_queue_bytes: 1GiB}\n": 1} {
		c := mustParse(t, orders+text)
		file, err := c.FileYAML()
		if err != nil {
			t.Fatal(err)
		}
		shown := 0
		for _, key := range youngLimits {
			shown += strings.Count(string(file), key)
		}
		if back := mustParse(t, string(file)); shown != want || !reflect.DeepEqual(back, c) {
			t.Errorf("%q: %d limits that they do not know, want %d, in\n%s", text, shown, want, file)
		}
	}
}

func TestYAMLShowsEveryValue(t *testing.T) {
	text, err := mustParse(t, orders).YAML()
	if err != nil {
		t.Fatal(err)
	}
	want := orders + `quorum: {phase1: 2, phase2: 2}
timeouts:
  heartbeat: 50ms
  election_min: 150ms
  election_max: 300ms
  retry: 100ms
  stall: 3s
  read: 3s
  dial: 1s
  handshake: 3s
  idle: 5s
limits:
  entry_bytes: 1MiB
  batch_bytes: 1MiB
  window: 64
  queue_bytes: 64MiB
  conn_queue_bytes: 16MiB
  client_queue_bytes: 128MiB
  connections: 4096
  sessions: 65536
  page_bytes: 1MiB
  inbox_bytes: 64MiB
  disk_low_bytes: 256MiB
`
	if got := strings.ReplaceAll(string(text), "'", ""); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDev(t *testing.T) {
	c := Dev(7100)
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	want := map[paxos.NodeID]string{
		"a1": "127.0.0.1:7101", "a2": "127.0.0.1:7102", "a3": "127.0.0.1:7103",
		"p1": "127.0.0.1:7201", "p2": "127.0.0.1:7202", "l1": "127.0.0.1:7301",
	}
	got := map[paxos.NodeID]string{}
	for _, role := range roles {
		for _, n := range c.Nodes(role) {
			got[n.ID] = n.Addr
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, port := range []int{0, MaxBasePort} {
		if err := Dev(port).Validate(); err != nil {
			t.Errorf("base port %d: %v", port, err)
		}
	}
}

func TestFind(t *testing.T) {
	c := mustParse(t, orders)
	n, err := c.Find(paxos.RoleLearner, "l2")
	if err != nil || n.Addr != "10.0.0.2:7301" {
		t.Errorf("got %+v, %v", n, err)
	}
	for _, test := range []struct {
		role paxos.Role
		id   paxos.NodeID
		want string
	}{
		{paxos.RoleAcceptor, "a9", `cluster "orders" has no acceptor "a9": its acceptors are a1, a2, a3`},
		{paxos.RoleProposer, "a1", `"a1" is an acceptor of cluster "orders", not a proposer: its proposers are p1, p2`},
		{paxos.RoleAcceptor, "l1", `"l1" is a learner of cluster "orders", not an acceptor: its acceptors are a1, a2, a3`},
	} {
		_, err := c.Find(test.role, test.id)
		if err == nil || err.Error() != test.want || !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v\nwant %s", err, test.want)
		}
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "paxlog.yaml")
	_, err := Load(path)
	if !errors.Is(err, ErrInvalid) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if want := path + ": there is no such cluster file: check the path"; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if _, err := Load(filepath.Dir(path)); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("directory: %v", err)
	}
	if err := os.WriteFile(path, []byte(orders), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(path); err != nil || c.Name != "orders" {
		t.Errorf("got %+v, %v", c, err)
	}
	if _, err := Parse("big", make([]byte, maxFileBytes+1)); err == nil || err.Error() != "big: more than 1MiB: this is no cluster file" {
		t.Errorf("big file: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(orders))
	f.Add([]byte(""))
	f.Add([]byte("---\n---\n"))
	f.Add([]byte("cluster: &a [*a]\n"))
	f.Add([]byte("? {a: b}\n: c\n"))
	f.Add([]byte("cluster: x\nacceptors: [{id: a, addr: 'h:1'}]\nlimits: {entry_bytes: 9223372036854775807GiB}\n"))
	for _, test := range refusals {
		f.Add([]byte(test.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("fuzz", data)
		if err != nil {
			if !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("error of the wrong kind: %q", err)
			}
			return
		}
		text, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse("printed", text)
		if err != nil || !reflect.DeepEqual(back, c) {
			t.Fatalf("printed cluster differs: %v\n%s", err, text)
		}
	})
}

// TestDifferences: every key that a file may have is told where it differs, and nothing else.
func TestDifferences(t *testing.T) {
	if d := Dev(7100).Differences(Dev(7100)); len(d) != 0 {
		t.Errorf("of the same: %v", d)
	}
	var want []string
	c := Dev(7100)
	change := func(key string, do func()) {
		do()
		want = append(want, key)
		if got := Dev(7100).Differences(c); !slices.Contains(got, key) || len(got) != len(want) {
			t.Errorf("with %s changed: %v, not %v", key, got, want)
		}
	}
	change("cluster", func() { c.Name = "other" })
	change("acceptors", func() { c.Acceptors[0].Addr = "h:1" })
	change("proposers", func() { c.Proposers = c.Proposers[:1] })
	change("learners", func() { c.Learners[0].ID = "l9" })
	change("quorum", func() { c.Quorum.Phase1++ })
	for _, f := range durationFields {
		change("timeouts."+f.key, func() { *f.at(&c.Timeouts)++ })
	}
	for _, f := range limitFields {
		change("limits."+f.key, func() { *f.at(&c.Limits)++ })
	}
	change("tls", func() { c.TLS.Mode = TLSRequire })
	change("log_level", func() { c.LogLevel = "warn" })
}

// TestLogLevel: it is one of those that --log-level takes, and what is written is read.
func TestLogLevel(t *testing.T) {
	c := Dev(7100)
	for _, level := range append(LogLevels, "") {
		c.LogLevel = level
		yaml, err := c.FileYAML()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Parse("f", yaml); err != nil || got.LogLevel != level || strings.Contains(string(yaml), "log_level") != (level != "") {
			t.Errorf("%q is read as %+v, %v", level, got, err)
		}
	}
	if c.LogLevel = "loud"; c.Validate() == nil {
		t.Error("any level will do")
	}
}
