package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/commandtest"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
)

// mute is a proposer or a learner that takes appends and never has them chosen.
type mute struct {
	net  *transport.Network
	took chan *paxos.Append
}

// startMute starts one of each on addresses that are put into c.
func startMute(t *testing.T, c *config.Cluster) *mute {
	t.Helper()
	proposer := &mute{took: make(chan *paxos.Append, 100)}
	learner := &mute{}
	for role, m := range map[paxos.Role]*mute{paxos.RoleProposer: proposer, paxos.RoleLearner: learner} {
		n := &c.Nodes(role)[0]
		m.net = transport.New(transport.Config{
			Members: c.Membership(), Role: role, ID: n.ID, FrameBytes: 1 << 24, QueueBytes: 1 << 24,
			Connections: 1000, Dial: time.Second, Handshake: time.Second, Idle: time.Minute,
		}, m)
		if err := m.net.Listen("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.net.Close)
		n.Addr = m.net.Addr().String()
	}
	return proposer
}

// Receive implements transport.Handler.
func (m *mute) Receive(from paxos.NodeID, msg paxos.Message, _ int) {
	switch msg := msg.(type) {
	case *paxos.Attach:
		m.net.Send(from, &paxos.Attached{Nonce: msg.Nonce, Session: msg.Session, Applied: 1})
	case *paxos.Append:
		m.took <- msg
	}
}

// Rest implements transport.Handler.
func (m *mute) Rest() {}

// PeerUp implements transport.Handler.
func (m *mute) PeerUp(*paxos.PeerUp) {}

// PeerDown implements transport.Handler.
func (m *mute) PeerDown(paxos.NodeID, paxos.Role, error) {}

// Refused implements transport.Handler.
func (m *mute) Refused(paxos.NodeID, string, error) {}

var unknownLine = regexp.MustCompile(`^unknown: [0-9a-f]{40}/1\.\.3\npaxlog: 3 of the entries may have been appended, and may still be \(.*\); ` +
	"`paxlog resolve [0-9a-f]{40}/1` tells for good\n$")

func muteFile(t *testing.T) (*mute, string) {
	t.Helper()
	commandtest.Alone(t)
	c := config.Dev(1)
	c.Name, c.Proposers = "orders", c.Proposers[:1]
	m := startMute(t, c)
	return m, downFile(t, c.Name, c)
}

func TestUnknownOutcome(t *testing.T) {
	_, file := muteFile(t)
	got := with(strings.NewReader("a\nb\nc\n"), "append", "--timeout", "300ms", "--config", file)
	if got.code != command.ExitUnknown || got.out != "" || !unknownLine.MatchString(got.errors) {
		t.Errorf("got %+v", got)
	}
}

func TestInterruptedAppendTellsWhatIsUnknown(t *testing.T) {
	m, file := muteFile(t)
	signals := make(chan os.Signal)
	var errs bytes.Buffer
	input, typed := io.Pipe()
	p := &command.Program{Stdin: input, Stdout: io.Discard, Stderr: &errs, Signals: signals, Kill: os.Exit, Commands: commandTable()}
	ended := make(chan int)
	go func() { ended <- p.Run([]string{"paxlog", "append", "--config", file}) }()
	if _, err := io.WriteString(typed, "a\nb\nc\n"); err != nil {
		t.Fatal(err)
	}
	for next := uint64(1); next <= 3; {
		run, _, err := paxos.NextRun((<-m.took).Batch)
		if err != nil {
			t.Fatal(err)
		}
		next = max(next, run.First+run.Count)
	}
	signals <- os.Interrupt
	if code := <-ended; code != command.ExitInterrupted || !unknownLine.MatchString(errs.String()) {
		t.Errorf("exit code %d, %s", code, errs.String())
	}
	if err := typed.CloseWithError(errors.New("nobody reads")); err != nil {
		t.Fatal(err)
	}
}

func TestInterruptedAppendThatSentNothing(t *testing.T) {
	commandtest.Alone(t)
	file := downFile(t, "orders", config.Dev(1))
	signals := make(chan os.Signal)
	var errs bytes.Buffer
	p := &command.Program{Stdin: strings.NewReader("a\n"), Stdout: io.Discard, Stderr: &errs, Signals: signals, Kill: os.Exit, Commands: commandTable()}
	ended := make(chan int)
	go func() { ended <- p.Run([]string{"paxlog", "append", "--timeout", "0", "--config", file}) }()
	signals <- os.Interrupt
	if code := <-ended; code != command.ExitInterrupted || errs.String() != "" && errs.String() != "not appended: 1 entry, from input entry 1 on\n" {
		t.Errorf("exit code %d, %s", code, errs.String())
	}
}
