package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/golden.txt; a change of it is a change of the protocol, see Version")

const goldenFile = "testdata/golden.txt"

// instances are the messages of kind k whose bytes the golden file keeps.
func instances(k Kind) map[string]any {
	zero, filled := registry[k].make(), registry[k].make()
	var n uint64
	fill(reflect.ValueOf(filled).Elem(), &n)
	return map[string]any{"zero": zero, "filled": filled}
}

func kinds() []Kind { return slices.Sorted(maps.Keys(registry)) }

// encode returns the frame of m.
func encode(t testing.TB, m any) []byte {
	t.Helper()
	b, err := Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readAll reads the one frame that b must be.
func readAll(b []byte) (any, error) {
	r := bufio.NewReader(bytes.NewReader(b))
	m, err := Read(r, 1<<26)
	if err == nil && r.Buffered() > 0 {
		return nil, fmt.Errorf("%d bytes after the frame", r.Buffered())
	}
	return m, err
}

// golden reads the golden file: frames by kind, name and instance.
func golden(t testing.TB) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		frame, err := hex.DecodeString(line[i+1:])
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if out[line[:i]] != nil {
			t.Fatalf("%s is there twice", line[:i])
		}
		out[line[:i]] = frame
	}
	return out
}

func goldenKey(k Kind, instance string) string {
	return fmt.Sprintf("%d %s %s", k, registry[k].name, instance)
}

func writeGolden(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "# The frame of each message, zero and filled: kind, name, instance, bytes.\n"+
		"# Written by go test ./wire -run TestGolden -update. A change is a change of the protocol (Version).\n")
	for _, k := range kinds() {
		for _, name := range []string{"zero", "filled"} {
			fmt.Fprintf(&b, "%s %x\n", goldenKey(k, name), encode(t, instances(k)[name]))
		}
	}
	if err := os.WriteFile(goldenFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestGolden notices a change of the protocol.
func TestGolden(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	want := golden(t)
	for _, k := range kinds() {
		for name, m := range instances(k) {
			key := goldenKey(k, name)
			frame, ok := want[key]
			if !ok {
				t.Errorf("no golden line for %s", key)
				continue
			}
			delete(want, key)
			if got := encode(t, m); !bytes.Equal(got, frame) {
				t.Errorf("%s is encoded otherwise: a change of the protocol\ngolden %x\nnow    %x", key, frame, got)
			}
			if got, err := readAll(frame); err != nil || !reflect.DeepEqual(got, m) {
				t.Errorf("%s: the golden frame is read as %+v, %v", key, got, err)
			}
		}
	}
	for key := range want {
		t.Errorf("%s is not in the registry any more", key)
	}
}
