package command

import (
	"bytes"
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
)

// result is what one run of the program did.
type result struct {
	code        int
	out, errors string
}

// signalled runs a command that waits for ctx to end, sends it signals, and
// returns what it did. The second signal releases a command that is stuck.
func signalled(daemon, stuck bool, returns error, sent ...os.Signal) (result, []int) {
	signals := make(chan os.Signal)
	released := make(chan struct{})
	var killed []int
	var out, errs bytes.Buffer
	p := &Program{
		Stdout: &out, Stderr: &errs, Signals: signals,
		Kill: func(code int) { killed = append(killed, code); close(released) },
	}
	p.Commands = []*Command{{Name: "wait", Daemon: daemon, Action: func(ctx context.Context, _ *Environment, _ *Input) error {
		<-ctx.Done()
		if stuck {
			<-released
		}
		return returns
	}}}
	go func() {
		for _, s := range sent {
			signals <- s
		}
	}()
	code := p.Run([]string{"paxlog", "wait"})
	return result{code, out.String(), errs.String()}, killed
}

func TestSignals(t *testing.T) {
	failed := errors.New("the disk failed")
	for _, test := range []struct {
		name    string
		daemon  bool
		returns error
		signal  os.Signal
		want    result
	}{
		{"client", false, context.Canceled, os.Interrupt, result{130, "", ""}},
		{"client, terminated", false, context.Canceled, syscall.SIGTERM, result{143, "", ""}},
		{"client that returns nothing", false, nil, os.Interrupt, result{130, "", ""}},
		{"client with something to say", false, Exitf(ExitUnknown, "outcome unknown"), os.Interrupt, result{130, "", "paxlog: outcome unknown\n"}},
		{"daemon", true, nil, syscall.SIGTERM, result{0, "", ""}},
		{"daemon, interrupted", true, context.Canceled, os.Interrupt, result{0, "", ""}},
		{"daemon that fails to close", true, failed, os.Interrupt, result{1, "", "paxlog: the disk failed\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, killed := signalled(test.daemon, false, test.returns, test.signal)
			if got != test.want || killed != nil {
				t.Errorf("got %+v (killed %v), want %+v", got, killed, test.want)
			}
		})
	}
}

// TestHangups: a daemon goes on after any number of SIGHUPs, and is told of them.
func TestHangups(t *testing.T) {
	signals := make(chan os.Signal)
	p := &Program{Stdout: t.Output(), Stderr: t.Output(), Signals: signals}
	p.Commands = []*Command{{Name: "wait", Daemon: true, Action: func(ctx context.Context, env *Environment, _ *Input) error {
		for range 3 {
			signals <- syscall.SIGHUP
			signals <- syscall.SIGHUP // before it has looked after the first
			<-env.Hangups
		}
		if ctx.Err() != nil {
			t.Error(context.Cause(ctx))
		}
		return nil
	}}}
	if code := p.Run([]string{"paxlog", "wait"}); code != ExitDone {
		t.Errorf("exit code %d", code)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	_, killed := signalled(true, true, nil, os.Interrupt, syscall.SIGTERM)
	if len(killed) != 1 || killed[0] != ExitTerminated {
		t.Errorf("killed with %v", killed)
	}
}
