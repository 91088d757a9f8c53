package rules

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/paxlog/paxlog/"

// layers say how high each package stands: it may import only what is below it.
// config is data: packages of its own height may import it.
var layers = map[string]int{
	"internal/program": 0, "paxos": 0, "paxos/configuration": 1, "paxos/rights": 1, "paxos/paging": 1, "paxos/control": 2, "wire": 2,
	"acceptor": 3, "proposer": 3, "learner": 3,
	"credentials": 3, "credentials/issue": 4,
	"transport": 4, "wal": 4, "config": 4,
	"backup":      5,
	"client/core": 3, "node": 5, "client": 5, "sim/model": 4, "sim/picture": 4, "sim/check": 5, "sim/explore": 5, "sim": 6,
	"internal/load": 6, "internal/shapes": 6,
	"cmd/paxlog/internal/command": 7, "cmd/paxlog/internal/commandtest": 8, "cmd/paxlog/internal/clusterfile": 8, "cmd/paxlog/internal/buckets": 8,
	"cmd/paxlog/internal/clients": 9, "cmd/paxlog/internal/operate": 9, "cmd/paxlog/internal/backups": 9, "cmd/paxlog/internal/certs": 9,
	"cmd/paxlog/internal/daemons": 10, "cmd/paxlog/internal/bench": 10, "cmd/paxlog/internal/tools": 10,
	"cmd/paxlog":       11,
	"internal/cluster": 7, "internal/hostile": 6, "internal/rules": 7,
}

// forbidden is what a machine must not import, so that it stays deterministic.
var forbidden = []string{"time", "net", "os", "math/rand", "math/rand/v2", "crypto/rand", "sync", "io", "log", "log/slog", "context", "runtime"}

// TestImports holds every package to its place: imports point down, and machines
// import nothing that acts.
func TestImports(t *testing.T) {
	root := filepath.Join("..", "..")
	checked := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && path != root {
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
				return fs.SkipDir // a module of its own
			}
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(dir)
		height, known := layers[pkg]
		if !known {
			t.Errorf("package %s has no place: add it to layers in this test", pkg)
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		checked++
		for _, spec := range f.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			checkImport(t, path, pkg, height, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 30 {
		t.Fatalf("only %d files were found: the walk is broken", checked)
	}
}

func checkImport(t *testing.T, path, pkg string, height int, name string) {
	t.Helper()
	machine := pkg == "acceptor" || pkg == "proposer" || pkg == "learner" || pkg == "client/core"
	local, ours := strings.CutPrefix(name, module)
	switch {
	case ours && machine && local != "paxos" && !strings.HasPrefix(local, "paxos/"):
		t.Errorf("%s imports %s: a machine imports paxos and what is in it only", path, local)
	case ours && layers[local] >= height && local != "config":
		t.Errorf("%s imports %s, which does not stand below it", path, local)
	case !ours && (machine || pkg == "paxos" || strings.HasPrefix(pkg, "paxos/")) && (slices.Contains(forbidden, name) || strings.Contains(name, ".")):
		t.Errorf("%s imports %s: a machine must not act", path, name)
	}
}

// TestComparisonsStayApart: what Paxlog is compared with is in modules of their own, and
// nothing of it is needed to build this one.
func TestComparisonsStayApart(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"go.etcd.io/raft", "go.etcd.io/etcd", "hashicorp/raft", "nats-io"} {
		if strings.Contains(string(mod), other) {
			t.Errorf("go.mod names %s: that belongs into sim/raft or bench", other)
		}
	}
}
