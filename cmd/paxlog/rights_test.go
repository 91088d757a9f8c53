package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
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
