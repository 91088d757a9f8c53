package daemons

import (
	"bytes"
	"errors"
	"testing"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
)

func TestFatalEndsAtOnce(t *testing.T) {
	var errs bytes.Buffer
	var codes []int
	env := &command.Environment{Stderr: &errs, Kill: func(code int) { codes = append(codes, code) }}
	env.Log, env.SetLevel, env.EndLog = command.NewLogger(&errs, "info", "json")
	fatal := fatal(env)
	fatal(errors.New("the disk\nis full"))
	env.Log.Info().Msg("a peer connects meanwhile")
	fatal(errors.New("and again"))
	if errs.String() != "paxlog: the disk is full\n" || len(codes) != 1 || codes[0] != command.ExitFailed {
		t.Errorf("got %q, %v", errs.String(), codes)
	}
}
