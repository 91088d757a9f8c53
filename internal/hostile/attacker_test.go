package hostile_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/credentials"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/internal/hostile"
	"github.com/paxlog/paxlog/paxos"
)

// attackEnv, if it is set, has the test's program be the one that attacks: its value is an order.
const attackEnv = "PAXLOG_ATTACK"

// order is what an attacking process is to do.
type order struct {
	Kind    string
	File    string // the cluster file
	Session paxos.SessionID
	Seed    uint64
}

func TestMain(m *testing.M) {
	if text := os.Getenv(attackEnv); text != "" {
		if err := obey(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	cluster.RemoveBinary()
	os.Exit(code)
}

// obey attacks until standard input ends.
func obey(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	c, err := config.Load(o.File)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(hostile.Kinds, func(k hostile.Kind) bool { return k.Name == o.Kind })
	if i < 0 {
		return fmt.Errorf("no attack is named %q", o.Kind)
	}
	target := &hostile.Target{Cluster: c, Session: o.Session, Seed: o.Seed}
	creds, err := credentials.Open(credentials.Options{TLS: c.TLS, Me: credentials.Identity{Cluster: c.Name, Role: paxos.RoleClient}})
	if err != nil {
		return err
	}
	if creds.IsOn() {
		target.Secure = func(ctx context.Context, nc net.Conn, role paxos.Role, id paxos.NodeID) (net.Conn, error) {
			var proof *credentials.Proof
			secured := tls.Client(nc, creds.Snapshot().Dialler(role, id, &proof))
			return secured, secured.HandshakeContext(ctx)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	hostile.Kinds[i].Run(ctx, target)
	return nil
}

// attacker is a process that attacks: it shares no runtime with the clients that are watched.
type attacker struct {
	t     *testing.T
	cmd   *exec.Cmd
	began time.Time
	input io.Closer
	said  bytes.Buffer
}

func attack(t *testing.T, o order) *attacker {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	a := &attacker{t: t, cmd: exec.Command(program), began: time.Now()}
	a.cmd.Env = append(os.Environ(), attackEnv+"="+string(text))
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	a.cmd.Stderr = &a.said
	if a.input, err = a.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.stop() })
	return a
}

// stop ends the attack, and returns how many processors it took on average.
func (a *attacker) stop() (processors float64) {
	a.t.Helper()
	if a.cmd.ProcessState != nil {
		return 0
	}
	if err := a.input.Close(); err != nil {
		a.t.Error(err)
	}
	if err := a.cmd.Wait(); err != nil {
		a.t.Errorf("the attacker: %v: %s", err, a.said.String())
	}
	used := a.cmd.ProcessState.UserTime() + a.cmd.ProcessState.SystemTime()
	return used.Seconds() / time.Since(a.began).Seconds()
}
