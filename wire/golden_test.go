package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

var update = flag.Bool("update", false, "rewrite testdata/golden.txt; a change of it is a change of the protocol, see Version")

const goldenFile = "testdata/golden.txt"

// instances are the messages of kind k whose bytes the golden file keeps.
func instances(k Kind) map[string]paxos.Message {
	zero, filled := messages[k].row.Zero(), messages[k].row.Zero()
	var n uint64
	fill(reflect.ValueOf(filled).Elem(), &n)
	return map[string]paxos.Message{"zero": zero, "filled": filled}
}

func kinds() (out []Kind) {
	for k, e := range messages {
		if e != nil {
			out = append(out, Kind(k))
		}
	}
	return out
}

// encode returns the frame of m.
func encode(t testing.TB, m paxos.Message) []byte {
	t.Helper()
	b, err := Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readAll reads the one frame that b must be.
func readAll(b []byte) (paxos.Message, error) { return readAllFrom(b, Version) }

func readAllFrom(b []byte, version uint64) (paxos.Message, error) {
	r := bufio.NewReader(bytes.NewReader(b))
	m, err := ReadFrom(r, 1<<26, version)
	if err == nil && r.Buffered() > 0 {
		return nil, fmt.Errorf("%d bytes after the frame", r.Buffered())
	}
	return m, err
}

// golden reads the golden file: frames by kind, name and instance.
func golden(t testing.TB) map[string][]byte {
	t.Helper()
	return goldenFrom(t, goldenFile)
}

func goldenFrom(t testing.TB, file string) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(file)
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
	return fmt.Sprintf("%d %s %s", k, messages[k].row.Name, instance)
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

// TestGoldenVersion2: what the release of version 2 wrote is still read, and written for it.
func TestGoldenVersion2(t *testing.T) {
	want := goldenFrom(t, "testdata/golden2.txt")
	for _, k := range kinds() {
		for name, m := range instances(k) {
			frame, ok := want[goldenKey(k, name)]
			if since := messages[k].row.Since; ok != (since <= 2) {
				t.Errorf("%s is since version %d; in version 2: %v", goldenKey(k, name), since, ok)
			}
			if !ok {
				continue
			}
			delete(want, goldenKey(k, name))
			if got, err := AppendFor(nil, m, 2); err != nil || !bytes.Equal(got, frame) {
				t.Errorf("%s is encoded otherwise for version 2: %v\ngolden %x\nnow    %x", goldenKey(k, name), err, frame, got)
			}
			got, err := ReadFrom(bufio.NewReader(bytes.NewReader(frame)), 1<<26, 2)
			if err != nil {
				t.Errorf("%s: %v", goldenKey(k, name), err)
				continue
			}
			if again, err := AppendFor(nil, got, 2); err != nil || !bytes.Equal(again, frame) {
				t.Errorf("%s was read as %+v, %v", goldenKey(k, name), got, err)
			}
		}
	}
	for key := range want {
		t.Errorf("%s is not known any more", key)
	}
}
