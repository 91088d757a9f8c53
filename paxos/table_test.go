package paxos

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of messages in doc.go")

// methodsOf lists the types of this package's sources that have the method.
func methodsOf(t *testing.T, method string) (names []string) {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil && fn.Name.Name == method {
				names = append(names, fn.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name)
			}
		}
	}
	return names
}

// local are the messages that a driver steps.
var local = []string{"Crowd", "DiskRoom", "Loaded", "Synced", "PeerUp", "PeerDown", "Dropped", "Twin", "Late", "Stopping"}

// TestEveryMessageHasItsRow: whatever is a message is local, or has exactly one row.
func TestEveryMessageHasItsRow(t *testing.T) {
	names := methodsOf(t, "MessageKind")
	var rows []string
	for _, r := range Messages.Rows() {
		rows = append(rows, r.Name)
		m := r.Zero()
		if got := reflect.TypeOf(m).Elem().Name(); got != r.Name || m.MessageKind() != r.Kind || Messages.Row(m) != r {
			t.Errorf("the row of %s, kind %d, makes a %s of kind %d", r.Name, r.Kind, got, m.MessageKind())
		}
		if r.From == 0 || r.To == 0 || r.About == "" || r.Since < FirstVersion {
			t.Errorf("the row of %s is not complete: %+v", r.Name, r)
		}
	}
	want := append(slices.Clone(rows), local...)
	slices.Sort(want)
	slices.Sort(names)
	if !slices.Equal(names, want) {
		t.Errorf("messages: %v\nrows, and local ones: %v", names, want)
	}
	for _, m := range []Message{&Crowd{}, &DiskRoom{}, &Loaded{}, &Synced{}, &PeerUp{}, &PeerDown{}, &Late{}, &Stopping{}} {
		if r := Messages.Row(m); r.Name != "" || r.From != 0 {
			t.Errorf("%T is local, and has the row %+v", m, r)
		}
	}
}

// TestRowsSayWhereValuesAre: a field that the codec passes over is a value, and its row says so.
func TestRowsSayWhereValuesAre(t *testing.T) {
	for _, r := range Messages.Rows() {
		m := r.Zero()
		n := passedOver(reflect.ValueOf(m).Elem())
		if got := len(r.AppendValues(nil, m)); got != n || (n > 0) != r.CarriesValues() {
			t.Errorf("%s has %d values, its row shows %d", r.Name, n, got)
		}
	}
}

// passedOver counts the fields with the tag codec:"-", those of one element of each list included.
func passedOver(v reflect.Value) (n int) {
	switch v.Kind() {
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			n = passedOver(v.Index(0))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("codec") == "-" {
				n++
				continue
			}
			n += passedOver(v.Field(i))
		}
	}
	return n
}

// docTable is the table of messages as doc.go shows it.
func docTable() string {
	var b strings.Builder
	for _, r := range Messages.Rows() {
		var props []string
		if r.Urgent {
			props = append(props, "urgent")
		}
		if r.CarriesValues() {
			props = append(props, "values")
		}
		if r.Since > FirstVersion {
			props = append(props, fmt.Sprintf("since %d", r.Since))
		}
		about := r.About
		if r.Durable != "" {
			about += "; durable: " + r.Durable
		}
		if r.Right != "" {
			about += "; takes " + r.Right
		}
		line := fmt.Sprintf("//\t%2d %-12s  %-17s -> %-27s  %-7s  %s", r.Kind, r.Name, r.From, r.To, strings.Join(props, ", "), about)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// TestDocTable: the documentation shows the table as it is.
func TestDocTable(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), "table.go says what each column means.\n//\n")
	old, tail, ok2 := strings.Cut(rest, "//\n// Local messages")
	if !ok || !ok2 {
		t.Fatal("doc.go has no table of messages")
	}
	if old == docTable() {
		return
	}
	if !*update {
		t.Fatalf("doc.go shows another table than messages.go has: go test ./paxos -run TestDocTable -update writes it\n%s", docTable())
	}
	text = []byte(head + "table.go says what each column means.\n//\n" + docTable() + "//\n// Local messages" + tail)
	if err := os.WriteFile("doc.go", text, 0o644); err != nil {
		t.Fatal(err)
	}
}
