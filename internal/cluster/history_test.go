package cluster

import (
	"strings"
	"testing"

	"github.com/paxlog/paxlog/client"
)

// TestCompare: the check of a history notices each thing that it is for.
func TestCompare(t *testing.T) {
	for name, test := range map[string]struct {
		log  string // entries apart by spaces
		want string // "" if nothing is wrong
	}{
		"as answered":             {"a/0/0 b/0/0 a/0/1 b/0/1", ""},
		"without the unknown":     {"a/0/0 b/0/0 a/0/1", ""},
		"an answered one lost":    {"a/0/0 b/0/0", `"a/0/1" was answered with index 3, and is at 0`},
		"at another index":        {"b/0/0 a/0/0 a/0/1", `"a/0/0" was answered with index 1, and is at 2`},
		"twice":                   {"a/0/0 b/0/0 a/0/1 a/0/1", `"a/0/1" is at index 3 and at 4`},
		"a session with a hole":   {"a/0/0 b/0/1 a/0/1", `"b/0/1" is where b/0/0 should be`},
		"an order that time bars": {"a/0/1 b/0/0 a/0/0", `"a/0/1" is at index 1, though index 2 was answered before it was appended`},
		"never appended":          {"a/0/0 b/0/0 a/0/1 x/0/0", `"x/0/0" is in the log, though it was said not to be appended`},
		"not one of the load's":   {"a/0/0 b/0/0 a/0/1 x", `"x" is where /0 should be`},
	} {
		l := &Load{
			index:   map[string]uint64{"a/0/0": 1, "b/0/0": 2, "a/0/1": 3},
			above:   map[string]uint64{"a/0/1": 2},
			unknown: map[string]client.UnknownOutcomeError{"b/0/1": {}},
		}
		wrong := strings.Join(l.compare(strings.Fields(test.log)), "\n")
		if (test.want == "") != (wrong == "") || !strings.Contains(wrong, test.want) {
			t.Errorf("%s: got %q, want %q", name, wrong, test.want)
		}
	}
}
