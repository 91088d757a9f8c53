package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// guided are the packages whose doc has to say, under "Where to look", what each of its files is for.
var guided = []string{"acceptor", "proposer", "learner", "client/core"}

// namedFile is a source file that a doc names: of its own directory, or from the root of the repository.
var namedFile = regexp.MustCompile(`\b[a-z0-9_/]+\.go\b`)

// TestDocsNameFiles: each file that a package doc names is there, and a list of where to look names
// each file of its directory.
func TestDocsNameFiles(t *testing.T) {
	root := filepath.Join("..", "..")
	lists := 0
	for pkg := range layers {
		doc, files := packageDoc(t, filepath.Join(root, pkg))
		for _, name := range namedFile.FindAllString(doc, -1) {
			place := filepath.Join(root, pkg, name)
			if strings.Contains(name, "/") {
				place = filepath.Join(root, name)
			}
			if _, err := os.Stat(place); err != nil {
				t.Errorf("the doc of package %s names %s, which is not there", pkg, name)
			}
		}
		list := whereToLook(doc)
		if list == "" {
			if slices.Contains(guided, pkg) {
				t.Errorf("the doc of package %s does not say where to look", pkg)
			}
			continue
		}
		lists++
		named := namedFile.FindAllString(list, -1)
		for _, file := range files {
			if file != "doc.go" && !slices.Contains(named, file) {
				t.Errorf("the doc of package %s does not say what %s is for, under \"Where to look\"", pkg, file)
			}
		}
	}
	if lists < len(guided) {
		t.Errorf("only %d lists were found", lists)
	}
}

// whereToLook is that section of a package doc, "" if it has none.
func whereToLook(doc string) string {
	_, list, found := strings.Cut(doc, "# Where to look\n")
	if !found {
		return ""
	}
	list, _, _ = strings.Cut(list, "\n# ")
	return list
}

// packageDoc is the doc of the package in a directory, and its files without tests.
func packageDoc(t *testing.T, dir string) (doc string, files []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !isSource(e) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		doc += textOf(f)
		files = append(files, e.Name())
	}
	return doc, files
}

func isSource(e fs.DirEntry) bool {
	return !e.IsDir() && strings.HasSuffix(e.Name(), ".go") && !strings.HasSuffix(e.Name(), "_test.go")
}

func textOf(f *ast.File) string {
	if f.Doc == nil {
		return ""
	}
	return f.Doc.Text()
}
