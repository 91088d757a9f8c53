package daemons

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/wal"
)

// TestDevsAtOnce: of several dev that open a directory at once exactly one has it, and
// what is there when that one ends is whole.
func TestDevsAtOnce(t *testing.T) {
	t.Chdir(t.TempDir())
	for n := range 10 {
		opts := devOptions{Data: fmt.Sprintf("d%d", n), BasePort: clusterfile.DevBasePort}
		devs, errs := make([]*devCluster, 3), make([]error, 3)
		var wg sync.WaitGroup
		for i := range devs {
			wg.Go(func() { devs[i], errs[i] = openDev(opts) })
		}
		wg.Wait()
		opened := 0
		for i, d := range devs {
			if d != nil {
				opened++
				if second, err := openDev(opts); !errors.Is(err, wal.ErrBusy) {
					t.Errorf("round %d: while one has the directory: %v, %v", n, second, err)
				}
				if err := d.stop(); err != nil {
					t.Fatal(err)
				}
			} else if !errors.Is(errs[i], wal.ErrBusy) {
				t.Errorf("round %d: %v", n, errs[i])
			}
		}
		if opened != 1 {
			t.Fatalf("round %d: %d have the directory: %v", n, opened, errs)
		}
		for _, id := range []string{"a1", "a2", "a3", "l1"} {
			s, err := wal.Inspect(vfs.Default, filepath.Join(opts.Data, id))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
