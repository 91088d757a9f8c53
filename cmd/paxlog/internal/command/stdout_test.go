package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
)

// broken is a writer that always fails.
type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

// TestClosedOutputHidesNoCode: that nobody reads is no failure by itself, and hides none.
func TestClosedOutputHidesNoCode(t *testing.T) {
	for _, test := range []struct {
		stdout io.Writer
		then   error // what the command returns after its failure to print, if not nil
		code   int
	}{
		{broken{syscall.EPIPE}, nil, ExitDone},
		{broken{syscall.EPIPE}, Exitf(ExitUnavailable, "nobody leads"), ExitUnavailable},
		{broken{syscall.EPIPE}, errors.New("the input breaks"), ExitFailed},
		{broken{syscall.ENOSPC}, nil, ExitFailed},
		{broken{syscall.ENOSPC}, Exitf(ExitUnknown, "unknown"), ExitUnknown},
		{io.Discard, nil, ExitDone},
	} {
		var errs bytes.Buffer
		p := &Program{Stdout: test.stdout, Stderr: &errs, Commands: []*Command{{Name: "x", Action: func(_ context.Context, env *Environment, _ *Input) error {
			_, err := fmt.Fprintln(env.Stdout, "text")
			if test.then != nil {
				return test.then
			}
			return err
		}}}}
		if code := p.Run([]string{"paxlog", "x"}); code != test.code || (code == ExitDone) != (errs.Len() == 0) {
			t.Errorf("%v, then %v: exit code %d, %s", test.stdout, test.then, code, &errs)
		}
	}
}

// TestBlockedWriteEnds: the first signal ends a write that nobody takes.
func TestBlockedWriteEnds(t *testing.T) {
	r, w := io.Pipe() // nobody reads
	defer r.Close()
	signals := make(chan os.Signal)
	wrote := make(chan error, 1)
	p := &Program{Stdout: w, Stderr: io.Discard, Signals: signals, Commands: []*Command{{Name: "x", Action: func(_ context.Context, env *Environment, _ *Input) error {
		_, err := fmt.Fprintln(env.Stdout, "text")
		wrote <- err
		return err
	}}}}
	go func() { signals <- os.Interrupt }()
	if code := p.Run([]string{"paxlog", "x"}); code != ExitInterrupted {
		t.Errorf("exit code %d", code)
	}
	if err := <-wrote; !errors.Is(err, errOutputBlocked) {
		t.Errorf("the write ends with %v", err)
	}
}
