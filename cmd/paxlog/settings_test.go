package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
)

// TestSettings: what is set is shown, also after all processes were started anew, and holds: learners remember so
// many sessions, and clients without a certificate get so many connections. The commands are those of
// docs/operations.md. What nothing can be set to is refused.
func TestSettings(t *testing.T) {
	k := cluster.New(t, 3, 2, 2)
	c := k.Client()
	k.Leader(c)
	const none = "KEY                VALUE\nsessions           65536\nquota.sessions     none\nquota.bytes        none\nquota.connections  none\nretention.age      none\nretention.bytes    none\nretention.entries  none\n"
	if got := k.Must("settings", "show"); got != none {
		t.Fatalf("%s", got)
	}
	for _, line := range page(t, "What each client may take") {
		k.Must(strings.Fields(line)[1:]...)
	}
	const some = "KEY                          VALUE\nsessions                     100000\nquota.sessions               1000\nquota.bytes                  64MiB\n" +
		"quota.connections            100\nquota.connections.anonymous  20\nretention.age                none\nretention.bytes              none\nretention.entries            none\n"
	if got := k.Must("settings", "show"); got != some {
		t.Errorf("%s", got)
	}
	if got := k.Must("settings", "set", "quota.bytes.app=1KiB", "retention.age=7d", "retention.bytes=1GiB", "-o", "json"); !strings.Contains(got, `{"key":"quota.bytes.app","value":1024,"set":true}`+"\n") ||
		!strings.Contains(got, `{"key":"retention.age","value":604800000,"set":true}`+"\n") || !strings.Contains(got, `{"key":"retention.entries","value":null,"set":false}`+"\n") {
		t.Errorf("%s", got)
	}
	if got := k.Must("retention", "show"); !strings.Contains(got, "entries not older than 7d, and no more than 1 GiB of values") {
		t.Errorf("%s", got)
	}
	for args, says := range map[string]string{
		"":                        "takes arguments, KEY=VALUE...",
		"sessions":                "is not of the form KEY=VALUE",
		"session=5":               "there is no such setting",
		"quota.bytes.a/b=5":       "there is no such setting",
		"sessions.app=5":          "there is no such setting",
		"sessions=0":              "must be a number from 1 to 16777216, or default",
		"sessions=none":           "must be a number from 1 to 16777216, or default",
		"sessions=16777217":       "must be a number from 1 to 16777216, or default",
		"quota.connections=0":     "0 would be no bound, which is written none; `paxlog revoke` keeps somebody out",
		"quota.connections=many":  "must be a number, none or default",
		"quota.bytes=64 apples":   "must be a number of bytes, such as 64MiB, none or default",
		"retention.age=yesterday": "must be a duration of a second or more",
		"sessions=5 sessions=6":   "sessions is given twice",
	} {
		fields := strings.Fields(args)
		if strings.Contains(args, "apples") {
			fields = []string{args}
		}
		if _, text, code := k.Run(append([]string{"settings", "set"}, fields...)...); code != command.ExitUsage || !strings.Contains(text, says) {
			t.Errorf("settings set %s: exit code %d, %q", args, code, text)
		}
	}
	k.Must("settings", "set", "retention.age=none", "retention.bytes=default", "quota.bytes.app=default", "quota.connections.anonymous=none")
	for _, id := range k.IDs() {
		k.Kill(id)
	}
	for _, id := range k.IDs() {
		k.Start(id)
	}
	k.Leader(c)
	if got := k.Must("settings", "show"); got != strings.Replace(some, "anonymous  20", "anonymous  none", 1) {
		t.Errorf("after a restart:\n%s", got)
	}

	if _, text, code := k.Run("settings", "set", "quota.bytes=64MiB", "quota.bytes.anonymous=none"); code != 0 || strings.Count(text, "\n") != 1 ||
		!strings.Contains(text, "quota.bytes is of each client that shows a certificate; tls.mode is off in this cluster file, and that of all others together is quota.bytes.anonymous") {
		t.Errorf("a quota that counts nobody: exit code %d, %q", code, text)
	}
	k.Must("settings", "set", "sessions=5")
	for i := range 8 { // each with a session of its own
		k.Must("append", fmt.Sprint(i))
	}
	for _, p := range k.Status(c).Processes {
		if p.Role == client.RoleLearner {
			k.Await(p.ID+" remembers 5 sessions", func() bool {
				all := k.Status(c).Processes
				return all[slices.IndexFunc(all, func(o client.ProcessStatus) bool { return o.ID == p.ID })].Sessions == 5
			})
		}
	}
	held := k.Client()
	if _, err := held.Append(context.Background(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	k.Must("settings", "set", "quota.connections.anonymous=1")
	_, text, code := k.Run("append", "y", "--timeout", "500ms")
	if code != command.ExitUnavailable || !strings.Contains(text, "and may have 1 (`paxlog settings show`)") {
		t.Errorf("with all connections taken: exit code %d, %q", code, text)
	}
	held.Close()
	c.Close()
	k.Await("another client gets in when that one has left", func() bool { _, _, code := k.Run("append", "y", "--timeout", "2s"); return code == 0 })
}
