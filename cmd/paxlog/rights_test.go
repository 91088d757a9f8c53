package main

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/credentials"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
)

// TestRights: what is taken from everybody nobody may do any more, with exit code 6 and the
// command that gives it; what it takes to undo that cannot be taken by who could not.
func TestRights(t *testing.T) {
	k := cluster.New(t, 3, 2, 1)
	c := k.Client()
	k.Leader(c)
	k.Must("append", "one")
	if got := k.Must("grants"); got != "anonymous  append,read,admin  everybody has that\n" {
		t.Fatal(got)
	}
	for range 2 { // it can be run again
		if got := k.Must("grant", "ops", "append,admin", "-o", "json"); got != `{"everybody":["append","read","admin"],"grants":[{"name":"ops","rights":["append","admin"]}]}`+"\n" {
			t.Fatal(got)
		}
	}
	for args, says := range map[string]string{
		"grant":             "grant takes NAME and rights",
		"grant x":           "grant takes NAME and rights",
		"grant x write":     "they are append, read and admin",
		"grant a/b read":    "is no name of a client",
		"revoke":            "revoke takes NAME",
		"revoke x y z":      "revoke takes NAME",
		"grants everything": "takes no argument",
	} {
		if _, errors, code := k.Run(strings.Fields(args)...); code != command.ExitUsage || !strings.Contains(errors, says) {
			t.Errorf("%s: exit code %d, %q", args, code, errors)
		}
	}
	if _, text, code := k.Run("revoke", "anonymous", "admin"); code != command.ExitFailed || !strings.Contains(text, "anonymous, who asks for it, could not undo it") {
		t.Errorf("exit code %d, %q", code, text)
	}
	denied := func(args ...string) {
		t.Helper()
		began := time.Now()
		_, text, code := k.Run(args...)
		if code != command.ExitNotPermitted || !strings.Contains(text, "not permitted") || !strings.Contains(text, "`paxlog grant anonymous ") || strings.Count(text, "\n") > 2 {
			t.Errorf("%v: exit code %d, %q", args, code, text)
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("%v took %v", args, d)
		}
	}
	reads, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		for e, err := range c.Tail(t.Context(), client.TailOptions{Follow: true}) {
			if err != nil {
				ended <- err
				return
			}
			reads <- string(e.Value)
		}
	}()
	if got := <-reads; got != "one" {
		t.Fatal(got)
	}
	k.Must("revoke", "anonymous", "append", "--yes")
	denied("append", "two")
	if _, err := c.Append(t.Context(), []byte("two")); !errors.Is(err, client.ErrNotPermitted) {
		t.Errorf("%v", err)
	}
	k.Must("revoke", "anonymous", "read")
	denied("tail")
	denied("read", "1")
	denied("backup", "-")
	if err := <-ended; !errors.Is(err, client.ErrNotPermitted) {
		t.Errorf("a tail that was under way ends with %v", err)
	}
	k.Must("status")
	if got := k.Must("grants"); got != "anonymous  admin  everybody has that\nops        append,admin\n" {
		t.Error(got)
	}
	// What the log decides outlives its processes.
	for _, id := range k.IDs() {
		k.Kill(id)
	}
	for _, id := range k.IDs() {
		k.Start(id)
	}
	k.Leader(c)
	denied("append", "two")
	k.Must("grant", "anonymous", "append,read")
	if got := k.Must("append", "two"); got != "2\n" {
		t.Errorf("%q", got)
	}
	k.Must("revoke", "ops")
	if got := k.Must("grants"); got != "anonymous  append,read,admin  everybody has that\n" {
		t.Error(got)
	}
}

// thief is a client that goes on with sessions of others, and hears what it is told.
type thief struct {
	net *transport.Network
	up  chan paxos.NodeID
	got chan paxos.Message
}

func (r *thief) Receive(_ paxos.NodeID, m paxos.Message, _ int) { r.got <- m }
func (r *thief) Rest()                                          {}
func (r *thief) PeerUp(m *paxos.PeerUp)                         { r.up <- m.ID }
func (r *thief) PeerDown(paxos.NodeID, paxos.Role, error)       {}
func (r *thief) Refused(_ paxos.NodeID, _ string, why error)    {}

// newThief connects to all proposers and learners with a certificate.
func newThief(t *testing.T, k *secured, name string) *thief {
	t.Helper()
	tls := k.Config.TLS
	tls.Cert, tls.Key = filepath.Join(k.Dir, "tls", name+".crt"), filepath.Join(k.Dir, "tls", name+".key")
	creds, err := credentials.Open(credentials.Options{TLS: tls, Me: credentials.Identity{Cluster: k.Config.Name, Role: paxos.RoleClient}})
	if err != nil {
		t.Fatal(err)
	}
	r := &thief{up: make(chan paxos.NodeID, 16), got: make(chan paxos.Message, 1024)}
	r.net = transport.New(transport.Config{
		Members: paxos.Membership{Cluster: k.Config.Name}, Role: paxos.RoleClient, Credentials: creds, FrameBytes: 1 << 20, QueueBytes: 1 << 20, Connections: 1,
		Dial: time.Second, Handshake: 5 * time.Second, Idle: 10 * time.Second,
	}, r)
	t.Cleanup(r.net.Close)
	n := 0
	for role, nodes := range map[paxos.Role][]config.Node{paxos.RoleProposer: k.Config.Proposers, paxos.RoleLearner: k.Config.Learners} {
		for _, p := range nodes {
			r.net.Dial(transport.Peer{Role: role, ID: p.ID, Addr: p.Addr})
			n++
		}
	}
	for range n {
		select {
		case <-r.up:
		case <-time.After(20 * time.Second):
			t.Fatal("the thief is not let in")
		}
	}
	return r
}

// TestRightsByCertificate follows docs/security.md: what is taken from everybody those have who are
// granted it, by the name in their certificates. Nobody goes on with, listens to or ends the
// session of another one, whose id stands in the log for all who read it.
func TestRightsByCertificate(t *testing.T) {
	var shell *secured
	k := cluster.New(t, 1, 2, 1, cluster.Made(func(k *cluster.Cluster) {
		shell = &secured{k, t}
		for _, line := range pageOf(t, "security.md", "Set up TLS") {
			shell.do(line)
		}
		shell.do("for name in ops feeder dashboard thief; do paxlog cert client $name; done")
		shell.reread()
		for _, id := range []string{"a1", "l1"} {
			k.Must("init", "--id", id, "--data", k.Data(paxos.NodeID(id)))
		}
	}))
	k.Leader(k.Client())
	as := func(name string, args ...string) (stdout, stderr string, code int) {
		return k.Run(append(args, "--tls-cert", "tls/"+name+".crt", "--tls-key", "tls/"+name+".key")...)
	}
	must := func(name string, args ...string) string {
		t.Helper()
		out, text, code := as(name, args...)
		if code != command.ExitDone {
			t.Fatalf("%v of %s: exit code %d: %s", args, name, code, text)
		}
		return out
	}
	denied := func(name string, args ...string) {
		t.Helper()
		if _, text, code := as(name, args...); code != command.ExitNotPermitted || !strings.Contains(text, name) {
			t.Errorf("%v of %s: exit code %d: %s", args, name, code, text)
		}
	}
	if _, text, code := as("feeder", "revoke", "anonymous", "admin"); code != command.ExitFailed || !strings.Contains(text, "nobody could undo it") {
		t.Errorf("exit code %d: %s", code, text)
	}
	lines := pageOf(t, "security.md", "Rights")
	if len(lines) != 5 {
		t.Fatalf("the page has %d commands: %q", len(lines), lines)
	}
	for _, line := range append(lines, "paxlog grant thief append") {
		must("ops", strings.Fields(line)[1:]...)
	}
	denied("client", "append", "x") // has a certificate, and was granted nothing
	denied("client", "tail")
	denied("dashboard", "append", "x")
	denied("feeder", "tail")
	denied("feeder", "trim", "--to", "1", "--yes")
	var entry struct {
		AppendID string `json:"append_id"`
	}
	if err := json.Unmarshal([]byte(must("feeder", "append", "-o", "json", "honest")), &entry); err != nil {
		t.Fatal(err)
	}
	if got := must("dashboard", "tail"); got != "honest\n" {
		t.Fatalf("%q", got)
	}
	if got := must("dashboard", "resolve", entry.AppendID); got != "chosen 1\n" {
		t.Errorf("%q", got)
	}
	denied("thief", "resolve", entry.AppendID)
	id, err := paxos.ParseAppendID(entry.AppendID)
	if err != nil || id.Session.Owner() != paxos.OwnerOf("feeder") {
		t.Fatalf("%s: %v", entry.AppendID, err)
	}
	next := paxos.AppendID{Session: id.Session, Seq: 2}
	run := paxos.Run{Kind: paxos.RunAppend, Session: id.Session, First: 2, Count: 1, Entries: paxos.AppendEntry(nil, []byte("stolen"))}
	r := newThief(t, shell, "thief")
	for _, p := range k.Config.Proposers {
		r.net.Send(p.ID, &paxos.Append{Session: id.Session, First: 2, Attempt: 1, Batch: run.AppendTo(nil), Principal: "feeder"})
	}
	r.net.Send("l1", &paxos.Attach{Session: id.Session, From: 1})
	for refused := 0; refused < len(k.Config.Proposers)+1; {
		select {
		case m := <-r.got:
			switch m := m.(type) {
			case *paxos.Refused:
				if refused++; m.Reason != paxos.RefuseRights || !strings.Contains(m.Detail, "was made by another client") {
					t.Errorf("%+v", m)
				}
			case *paxos.NotPermitted:
				if refused++; m.Session != id.Session {
					t.Errorf("%+v", m)
				}
			case *paxos.Attached, *paxos.Result, *paxos.Results:
				t.Errorf("the thief is told %+v", m)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the thief is not refused")
		}
	}
	denied("dashboard", "resolve", next.String()) // which would end the session
	if got := must("ops", "resolve", next.String()); got != "never\n" {
		t.Errorf("%q", got)
	}
	if got := must("dashboard", "tail"); got != "honest\n" {
		t.Errorf("%q", got)
	}
}
