package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// secured is a cluster whose operator follows docs/security.md.
type secured struct {
	*cluster.Cluster
	t *testing.T
}

// do does what a line of the page says. systemctl is played by signals, all else by a shell.
func (k *secured) do(line string) {
	k.t.Helper()
	words := strings.Fields(line)
	switch {
	case words[0] == "until":
		follow(k.t, k.Cluster, line)
	case words[0] == "systemctl" && words[1] == "restart":
		follow(k.t, k.Cluster, strings.Replace(line, "restart", "stop", 1))
		follow(k.t, k.Cluster, strings.Replace(line, "restart", "start", 1))
	case words[0] == "systemctl" && words[1] == "reload":
		for _, unit := range words[2:] {
			id := paxos.NodeID(strings.TrimPrefix(unit, "paxlog-"))
			read := strings.Count(k.Process(id).Stderr(), `"certificates read"`)
			k.Signal(id, syscall.SIGHUP)
			k.Await(unit+" has read its certificates", func() bool { return strings.Count(k.Process(id).Stderr(), `"certificates read"`) > read })
		}
	default:
		k.shell(line)
	}
}

func (k *secured) shell(line string) {
	k.t.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = k.Dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(cluster.Binary(k.t))+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		k.t.Fatalf("%s: %v: %s", line, err, out)
	}
}

// plain are the processes and how many clients that somebody has a connection to without TLS.
func (k *secured) plain() (peers []string, clients int) {
	k.t.Helper()
	type process struct {
		Peers   []string `json:"plain_peers"`
		Clients int      `json:"plain_clients"`
	}
	var s struct{ Acceptors, Proposers, Learners []process }
	if err := json.Unmarshal([]byte(k.Must("status", "-o", "json")), &s); err != nil {
		k.t.Fatal(err)
	}
	for _, p := range append(append(s.Acceptors, s.Proposers...), s.Learners...) {
		peers, clients = append(peers, p.Peers...), clients+p.Clients
	}
	return peers, clients
}

// TestSecurityPages follows docs/security.md under a load: a cluster goes over from plain
// connections to TLS, renews and revokes, and gets new authorities. No append fails.
func TestSecurityPages(t *testing.T) {
	k := &secured{cluster.New(t, 3, 2, 2), t}
	k.do("until paxlog can-i-stop a1 p1 l1; do sleep 1; done") // all have read the cluster file that there is
	var l *cluster.Load
	for _, page := range []struct {
		title string
		least int
	}{{"Go over to TLS", 15}, {"Renew certificates", 3}, {"Revoke a certificate", 3}, {"Replace the authorities", 11}} {
		lines := pageOf(t, "security.md", page.title)
		if len(lines) < page.least {
			t.Fatalf("the page has only %d commands: %q", len(lines), lines)
		}
		for _, line := range lines {
			switch {
			case l == nil && strings.HasPrefix(line, "systemctl"): // the first process is about to go over
				l = k.load()
			case strings.HasPrefix(line, "sed"):
				k.Await("all connections have TLS", func() bool {
					peers, clients := k.plain()
					return len(peers)+clients == 0
				})
			case strings.HasPrefix(line, "paxlog cert revoke"):
				k.Must("tail", "--tls-cert", "tls/billing.crt", "--tls-key", "tls/billing.key", "-n", "1")
			case strings.HasPrefix(line, "cp tls-new/peer-ca.crt"): // applications have theirs, too
				if err := l.Client().ReloadTLS(); err != nil {
					t.Fatal(err)
				}
			}
			k.do(line)
			if l != nil {
				l.Await(30, line)
			}
		}
		if page.title == "Revoke a certificate" {
			k.isRevoked()
		}
	}
	for _, id := range k.IDs() {
		if log := k.Process(id).Stderr(); strings.Contains(log, "certificates cannot be used") {
			t.Errorf("%s logged:\n%s", id, log)
		}
	}
	if _, unknown := l.Tally(); unknown > 0 {
		t.Errorf("%d appends are unknown", unknown)
	}
	k.reread()
	k.Check(l)
}

// reread has clients use the cluster file as it is now.
func (k *secured) reread() {
	k.t.Helper()
	c, err := config.Load(k.File)
	if err != nil {
		k.t.Fatal(err)
	}
	k.Config = c
}

// load starts a load whose client may use TLS, and goes over with the cluster.
func (k *secured) load() *cluster.Load {
	k.t.Helper()
	k.reread()
	l := cluster.StartLoad(k.t, k.Client(client.WithTimeout(0)), cluster.LoadOptions{Clients: 4})
	l.Await(100, "at the beginning")
	return l
}

// isRevoked tries what billing's certificate is good for.
func (k *secured) isRevoked() {
	k.t.Helper()
	_, text, code := k.Run("append", "--tls-cert", "tls/billing.crt", "--tls-key", "tls/billing.key", "no")
	if code != command.ExitUsage || !strings.Contains(text, "refuses the certificate of this process") || !strings.Contains(text, "paxlog://process-test/client/billing") {
		k.t.Errorf("exit code %d: %s", code, text)
	}
	// The command ends with the first refusal, so not every process has met it.
	k.Await("a process says why", func() bool {
		return slices.ContainsFunc(k.IDs(), func(id paxos.NodeID) bool { return strings.Contains(k.Process(id).Stderr(), "it was revoked at") })
	})
}

// TestProposerJoinsWithTLS: with TLS required, a proposer that no cluster file names joins with a certificate,
// is named, and leads when the others are gone; without one it is told where to get one.
func TestProposerJoinsWithTLS(t *testing.T) {
	var shell *secured
	k := cluster.New(t, 1, 1, 1, cluster.Made(func(k *cluster.Cluster) {
		shell = &secured{k, t}
		for _, line := range pageOf(t, "security.md", "Set up TLS") {
			shell.do(line)
		}
		shell.reread()
		for _, id := range []string{"a1", "l1"} {
			k.Must("init", "--id", id, "--data", k.Data(paxos.NodeID(id)))
		}
	}))
	k.Must("append", "hello")
	bare := k.StartWith("proposer", "--config", k.File, "--id", "p2", "--join", "--addr", k.Address("p2"))
	k.Await("who has no certificate ends", func() bool {
		select {
		case <-bare.Done():
			return true
		default:
			return false
		}
	})
	if text := bare.Stderr(); !strings.Contains(text, "p2.crt: there is no such file") {
		t.Errorf("without a certificate it says: %s", text)
	}
	shell.shell("paxlog cert node p2 --role proposer")
	k.StartJoined("p2")
	k.Await("p2 is named", func() bool {
		_, _, code := k.Run("member", "add", "p2", "--role", "proposer", "--addr", k.Address("p2"), "--yes", "--timeout", "20s")
		return code == command.ExitDone
	})
	k.Kill("p1")
	if got := k.Must("append", "more"); got != "2\n" {
		t.Errorf("p2 appends at %q", got)
	}
	if peers, clients := shell.plain(); len(peers)+clients > 0 {
		t.Errorf("without TLS are %v, and %d clients", peers, clients)
	}
}

// TestPlainIsRefused: with TLS required, who comes without is told so, at both ends, by each
// command; and who has no certificate, where to get one.
func TestPlainIsRefused(t *testing.T) {
	var shell *secured
	k := cluster.New(t, 1, 1, 1, cluster.Made(func(k *cluster.Cluster) {
		shell = &secured{k, t}
		for _, line := range pageOf(t, "security.md", "Set up TLS") {
			shell.do(line)
		}
		shell.reread()
		for _, id := range []string{"a1", "l1"} {
			k.Must("init", "--id", id, "--data", k.Data(paxos.NodeID(id)))
		}
	}))
	k.Must("append", "hello")
	shell.shell("sed '/^tls:/,$d' paxlog.yaml > plain.yaml; rm tls/client.crt")
	for _, args := range [][]string{{"append", "x"}, {"tail"}, {"status"}, {"leader", "transfer", "--yes"}, {"backup", "-"}} {
		_, text, code := k.Run(append(args, "--config", "plain.yaml", "--timeout", "5s")...)
		if code == command.ExitDone || !strings.Contains(text, "connections are taken with TLS only") {
			t.Errorf("%v: exit code %d: %s", args, code, text)
		}
		_, text, code = k.Run(args...)
		if code != command.ExitUsage || !strings.Contains(text, "client.crt: there is no such file") {
			t.Errorf("%v: exit code %d: %s", args, code, text)
		}
	}
	k.Await("l1 says why", func() bool {
		return strings.Contains(k.Process("l1").Stderr(), "connections are taken with TLS only (tls.mode is require), and this one is plain")
	})
}
