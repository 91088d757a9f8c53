package shapes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/transport"
)

func TestMessageIsOneLine(t *testing.T) {
	err := errors.Join(errors.New("one"), errors.New("two"))
	if got := OneLine(err); got != "one two" {
		t.Errorf("got %q", got)
	}
	if got := OneLine(errors.New("refused: \x1b[31mred\u009b")); got != `refused: \x1b[31mred\x9b` {
		t.Errorf("got %q", got)
	}
}

// TestPeersTextsArePrintable: what a process says of itself reaches no terminal as it is.
func TestPeersTextsArePrintable(t *testing.T) {
	const said, want = "disk\x1b[2J\nfull", `disk\x1b[2J full`
	all := []client.ProcessStatus{}
	for _, role := range []client.Role{client.RoleAcceptor, client.RoleProposer, client.RoleLearner} {
		all = append(all, client.ProcessStatus{Role: role, ProcessState: client.ProcessState{Reason: said, State: said}})
	}
	s := NewStatus("orders", client.Status{Processes: all})
	for _, got := range []*string{s.Acceptors[0].Reason, s.Proposers[0].Reason, s.Proposers[0].State, s.Learners[0].Reason} {
		if got == nil || *got != want {
			t.Errorf("%v", got)
		}
	}
}

// TestTroubles: only a refused connection says that nobody is there.
func TestTroubles(t *testing.T) {
	for _, test := range []struct {
		err  error
		want Trouble
	}{
		{nil, NoTrouble},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, Down},
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, Unasked},
		{&net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}, Unasked},
		{fmt.Errorf("a1: %w", transport.ErrUnresolved), Unasked},
		{context.DeadlineExceeded, Unasked},
		{fmt.Errorf("a1: %w", transport.ErrNoAnswer), Hangs},
		{&transport.RefusedError{Addr: "h:1", Text: "no"}, Refuses},
	} {
		if got := TroubleOf(test.err); got != test.want {
			t.Errorf("%v: %d, want %d", test.err, got, test.want)
		}
	}
}
