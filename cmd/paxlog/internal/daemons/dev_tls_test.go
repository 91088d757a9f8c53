package daemons

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
)

// TestDevWithTLS: a dev makes its certificates once, clients use its cluster file, and nobody
// is let in without; and a dev that was plain goes over.
func TestDevWithTLS(t *testing.T) {
	t.Chdir(t.TempDir())
	env := &command.Environment{Stdout: t.Output(), Stderr: t.Output(), Now: time.Now}
	port, err := FreeBasePort()
	if err != nil {
		t.Fatal(err)
	}
	var first []byte
	for i, tls := range []bool{false, true, false} { // the third finds it in its file
		d, err := openDev(devOptions{Data: clusterfile.DevData, BasePort: port, PortGiven: true, TLS: tls})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.start(env); err != nil {
			t.Fatal(err)
		}
		found, err := clusterfile.Find(env)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]config.TLSMode{true: config.TLSRequire}[i > 0]; found.TLS.Mode != want {
			t.Errorf("round %d: the file says %q", i, found.TLS.Mode)
		}
		c, err := found.Connect(t.Context(), 20*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := c.Append(t.Context(), []byte("hello")); err != nil || r.Index != client.Index(i+1) {
			t.Errorf("round %d: %+v, %v", i, r, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		d.reload(env)
		if i > 0 {
			isShut(t, found)
			key, err := os.ReadFile("paxlog-dev/tls/peer-ca.key")
			if err != nil {
				t.Error(err)
			}
			if first == nil {
				first = key
			} else if string(first) != string(key) {
				t.Error("the authorities were made anew")
			}
		}
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	}
}

// isShut tries to append without TLS.
func isShut(t *testing.T, found clusterfile.Found) {
	t.Helper()
	plain := *found.Cluster
	plain.TLS = config.TLS{}
	c, err := client.New(t.Context(), client.WithConfig(&plain), client.WithTimeout(20*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Append(context.Background(), []byte("no")); command.CodeOf(err) != command.ExitUsage {
		t.Errorf("without TLS: %v", err)
	}
}
