package sim

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const hazardsFile = "../docs/hazards.md"

var hazardRow = regexp.MustCompile(`(?m)^\| (\d+) \|(.*)\|$`)

// TestHazards holds docs/hazards.md to the mutants: it names each row, with the
// functions in which its bugs are put back and with what catches them, and nothing
// else. With -rewrite it writes these two columns.
func TestHazards(t *testing.T) {
	text, err := os.ReadFile(hazardsFile)
	if err != nil {
		t.Fatal(err)
	}
	last, rows := 0, map[int]bool{}
	want := hazardRow.ReplaceAllStringFunc(string(text), func(line string) string {
		cells := strings.Split(hazardRow.FindStringSubmatch(line)[2], " | ")
		row, _ := strconv.Atoi(hazardRow.FindStringSubmatch(line)[1]) // digits
		if row <= last || len(cells) != 4 {
			t.Fatalf("row %d has %d columns, and stands behind row %d", row, len(cells), last)
		}
		last, rows[row] = row, true
		where, by := hazard(t, row)
		return fmt.Sprintf("| %d |%s | %s | %s | %s |", row, cells[0], cells[1], where, by)
	})
	for _, m := range mutants {
		if !rows[m.row] {
			t.Errorf("mutant %q is of row %d, which is not there", m.name, m.row)
		}
	}
	if want == string(text) {
		return
	}
	if rewrite := flag.Lookup("rewrite"); rewrite != nil && rewrite.Value.String() == "true" {
		if err := os.WriteFile(hazardsFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("docs/hazards.md does not say what the mutants say; go test ./sim -run Hazards -rewrite mends it:\n%s", want)
}

// hazard returns what the documentation says of a row: where its bugs are put
// back, and what catches them.
func hazard(t *testing.T, row int) (where, by string) {
	t.Helper()
	var places, catchers []string
	for i, m := range mutants {
		if i > 0 && mutants[i-1].row > m.row {
			t.Errorf("mutant %q stands behind row %d", m.name, mutants[i-1].row)
		}
		if m.row != row {
			continue
		}
		places = append(places, fmt.Sprintf("`%s` %s", m.file, m.function(t)))
		if m.by == simulation {
			catchers = append(catchers, simulation)
		} else {
			catchers = append(catchers, fmt.Sprintf("`%s` %s", m.testPackage(), m.by))
		}
	}
	if why := notHere[row]; why != "" {
		if len(places) > 0 {
			t.Errorf("row %d has mutants, and a reason why it cannot have one", row)
		}
		return "nowhere: " + why, "-"
	}
	if len(places) == 0 {
		t.Errorf("row %d has no mutant, and no reason why it cannot have one", row)
	}
	return join(places), join(catchers)
}

// join lists different words, once each.
func join(words []string) string {
	var out []string
	for _, w := range words {
		if !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return strings.Join(out, ", ")
}

// function is the function that encloses the change of m, in the form that
// docs/hazards.md uses.
func (m mutant) function(t *testing.T) string {
	t.Helper()
	path := filepath.Join("..", m.file)
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(src), m.old)
	if at < 0 {
		t.Fatalf("%s: the place of mutant %q is not there: bring it up to date", m.file, m.name)
	}
	// What a change begins with may be the end of what stands before its function.
	at += len(m.old) - len(strings.TrimLeft(m.old, "\t\n "))
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, src, 0)
	if err != nil {
		t.Fatal(err)
	}
	within := func(n ast.Node) bool { return set.Position(n.Pos()).Offset <= at && at < set.Position(n.End()).Offset }
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if within(d) {
				return d.Name.Name
			}
		case *ast.GenDecl: // a variable that a function makes
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && within(v) {
					return v.Names[0].Name
				}
			}
		}
	}
	t.Fatalf("%s: mutant %q is in no function", m.file, m.name)
	return ""
}
