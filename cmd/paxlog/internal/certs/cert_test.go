package certs

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/commandtest"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/credentials"
	"github.com/paxlog/paxlog/paxos"
)

// cert runs one command line beside a cluster file.
func cert(args ...string) (out, errs string, code int) {
	var stdout, stderr bytes.Buffer
	p := &command.Program{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Commands: []*command.Command{Cert()}}
	code = p.Run(append([]string{"paxlog", "cert"}, args...))
	return stdout.String(), stderr.String(), code
}

// begin makes a directory with a cluster file of `paxlog dev` in it the working directory.
func begin(t *testing.T) {
	t.Helper()
	file := commandtest.ClusterFile(t)
	commandtest.Alone(t)
	if err := os.Rename(file, "paxlog.yaml"); err != nil {
		t.Fatal(err)
	}
}

// TestCertificatesAreOfUse: what `cert ca` prints is the end of a cluster file, and every
// process and client of it can use what is made then.
func TestCertificatesAreOfUse(t *testing.T) {
	begin(t)
	section, errs, code := cert("ca")
	if code != command.ExitDone {
		t.Fatal(errs)
	}
	file, err := os.OpenFile("paxlog.yaml", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(section); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load("paxlog.yaml")
	if err != nil || c.TLS.Mode != config.TLSAccept {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, args := range [][]string{{"node"}, {"node", "a4", "--role", "acceptor"}, {"client"}, {"client", "billing", "--days", "3"}} {
		if _, errs, code := cert(args...); code != command.ExitDone {
			t.Errorf("%v: %s", args, errs)
		}
	}
	id := func(role paxos.Role, id string) credentials.Identity {
		return credentials.Identity{Cluster: "dev", Role: role, ID: id}
	}
	for _, me := range []credentials.Identity{
		id(paxos.RoleAcceptor, "a1"), id(paxos.RoleAcceptor, "a4"), id(paxos.RoleProposer, "p2"), id(paxos.RoleLearner, "l1"), id(paxos.RoleClient, ""), id(paxos.RoleClient, "billing"),
	} {
		if s, err := credentials.Open(credentials.Options{TLS: c.TLS, Me: me}); err != nil || me.ID != "" && s.Snapshot().Me() != me {
			t.Errorf("%s: %v", me, err)
		}
	}
}

// TestCertRefusals: what is wrong, in one line, and nothing is written then.
func TestCertRefusals(t *testing.T) {
	begin(t)
	if _, errs, code := cert("node", "a1"); code != command.ExitFailed || !strings.Contains(errs, "the key of the authority is not here: `paxlog cert ca` makes it, once") {
		t.Errorf("%d: %s", code, errs)
	}
	if _, errs, code := cert("ca"); code != command.ExitDone {
		t.Fatal(errs)
	}
	if _, errs, code := cert("node", "a1"); code != command.ExitDone {
		t.Fatal(errs)
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"ca", 1, "peer-ca.key: it is there already, and authorities are not made anew"},
		{"ca x", 2, "cert ca takes no argument"},
		{"node a1", 1, "a1.crt: it is there already, and is not written over: --renew makes a new certificate"},
		{"node a9", 2, `cluster "dev" has no process "a9": for one that joins say --role`},
		{"node a9 --role king", 2, "must be acceptor, proposer or learner"},
		{"node a9 --renew --role acceptor", 1, "a9.key: there is no such key, so there is nothing to renew"},
		{"node --days 0", 2, "must be a number from 1 to 36500"},
		{"client a2", 2, "a2 names a process of the cluster file (acceptor): give the client another name"},
		{"client anonymous", 1, "that is everybody without a certificate"},
		{"client ../x", 1, "cannot name a client"},
		{"revoke", 2, "cert revoke takes arguments, NAME..., and was given none"},
		{"revoke nobody", 1, "nobody.crt: there is no such certificate here"},
		{"client client-ca --renew", 1, "are the files of an authority"},
		{"node client --renew --role acceptor", 1, "there is no such key"},
	} {
		before, err := os.ReadDir("tls")
		if err != nil {
			t.Fatal(err)
		}
		_, errs, code := cert(strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("cert %s: exit code %d: %s", c.args, code, errs)
		}
		if after, err := os.ReadDir("tls"); err != nil || len(after) != len(before) {
			t.Errorf("cert %s: there are %d files, %v", c.args, len(after), err)
		}
	}
}

// TestCertJSON: one object, with what was written.
func TestCertJSON(t *testing.T) {
	begin(t)
	var done result
	for _, args := range []string{"ca", "node a1 p1", "revoke a1", "node"} {
		out, errs, code := cert(append(strings.Fields(args), "-o", "json")...)
		done = result{}
		if err := json.Unmarshal([]byte(out), &done); err != nil || code != command.ExitDone || len(done.Wrote) == 0 {
			t.Errorf("%s: %s, %s, %v", args, out, errs, err)
		}
		if args == "ca" && !strings.Contains(done.Section, "mode: accept") || args == "revoke a1" && len(done.Revoked) != 1 {
			t.Errorf("%s: %s", args, out)
		}
	}
	if len(done.Kept) != 2 || len(done.Wrote) != 8 {
		t.Errorf("%+v", done)
	}
	if _, err := os.Stat(filepath.Join("tls", "l1.key")); err != nil {
		t.Error(err)
	}
}
