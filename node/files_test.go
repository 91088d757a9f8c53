package node

import (
	"strings"
	"testing"
)

// TestPlaces: what a process may open is divided so that the store and the peers have what they
// need whatever clients do, and a process that cannot have that does not start.
func TestPlaces(t *testing.T) {
	for _, files := range []int{0, 128, 256, 1024, 20_000, 1 << 20} {
		for _, nodes := range []int{1, 6} {
			for _, stores := range []bool{false, true} {
				p, err := placesIn(files, nodes, 4096, 6, stores)
				if err != nil {
					if files >= 128*nodes || files == 0 || !strings.Contains(err.Error(), "ulimit -n") {
						t.Errorf("%d files, %d nodes, a store %v: %v", files, nodes, stores, err)
					}
					continue
				}
				need := nodes * (fixedFiles + 7 + p.connections + p.greetings + p.tables)
				if stores {
					need += nodes * storeFiles
				}
				switch {
				case files > 0 && need > files:
					t.Errorf("%d files, %d nodes, a store %v: %d may be opened, %+v", files, nodes, stores, need, p)
				case p.connections < 16 || p.greetings < 4 || stores && p.tables < leastTables:
					t.Errorf("%d files, %d nodes, a store %v: %+v", files, nodes, stores, p)
				case (files == 0 || files > 1<<19) && p.connections != 4096:
					t.Errorf("%d files: %+v", files, p)
				case p.connections < 4096:
					if q, err := placesIn(p.wanted, nodes, 4096, 6, stores); err != nil || q.connections != 4096 {
						t.Errorf("%d files, %d nodes: %d are said to do, and %+v comes of it", files, nodes, p.wanted, q)
					}
				}
			}
		}
	}
}
