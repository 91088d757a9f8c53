package config

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestHostileFiles: aliases that stand for millions of values, deep nesting and
// endless lists are refused, and cost no more than a file of their length may.
func TestHostileFiles(t *testing.T) {
	var aliases strings.Builder
	aliases.WriteString("cluster: x\nacceptors: [&a0 {id: [l, l, l, l]}")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&aliases, ", &a%d [%s*a%d]", i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), i-1)
	}
	aliases.WriteString("]\n")
	for name, text := range map[string]string{
		"aliases of aliases": aliases.String(),
		"an alias of itself": "cluster: &a [*a, *a]\n",
		"deep lists":         "cluster: " + strings.Repeat("[", 1_000_000),
		"deep maps":          "cluster: " + strings.Repeat("{a: ", 250_000),
		"deep dashes":        strings.Repeat("- ", 500_000),
		"many keys":          "cluster: x\n" + strings.Repeat("k: v\n", 200_000),
		"many acceptors":     "cluster: x\nacceptors: [" + strings.Repeat("{id: a, addr: 'h:1'},", 45_000) + "]",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Parse("hostile", []byte(text))
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrInvalid) || len(err.Error()) > 1000 {
			t.Errorf("%s: %.1000v", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 200<<20 {
			t.Errorf("%s: %d MiB allocated for %d bytes", name, n>>20, len(text))
		}
	}
}
