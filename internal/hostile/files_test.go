package hostile_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/internal/hostile"
	"github.com/paxlog/paxlog/paxos"
)

// TestFewFiles: processes that may open 128 files each say how many connections they take. Strangers
// that open hundreds, and clients that open as many, take none from the stores, the peers, or a client
// that is connected.
func TestFewFiles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what a process may open is limited by a shell")
	}
	k := cluster.New(t, 3, 2, 1, cluster.Under(func(paxos.NodeID) []string {
		return []string{"/bin/sh", "-c", `ulimit -n 128 && exec "$@"`, "sh"}
	}))
	c := k.Client(client.WithTimeout(time.Minute))
	k.Leader(c)
	for _, id := range k.IDs() {
		if log := k.Process(id).Stderr(); strings.Count(log, "ulimit -n") != 1 || !strings.Contains(log, `"files":128`) {
			t.Errorf("%s does not say how few files it may open: %s", id, log)
		}
	}
	load := cluster.StartLoad(t, c, cluster.LoadOptions{Clients: 2, Bytes: 100})
	load.Await(100, "before any attack")
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, kind := range hostile.Kinds {
		if kind.Name == "silent" || kind.Name == "slow" {
			wg.Go(func() { kind.Run(ctx, &hostile.Target{Cluster: k.Config}) })
		}
	}
	for range 3 {
		<-time.After(500 * time.Millisecond)
		load.Await(20, "while all that may be opened is")
		sample(t, k, "VmRSS")
	}
	cancel()
	wg.Wait()
	load.Await(100, "after the attack")
	k.Check(load)
}
