#!/usr/bin/env bash
# What:    pgregory.net/rapid v1.3.0, SliceOfN(Byte(), 0, 1000) and IntRange(0, 1_000_000).
# Guess:   Lengths from 0 to 1000 are tried, most near the middle, some at the ends.
# Happens: Small is preferred by far: of 20,000 slices none has 100 elements, and in the 100 checks of a usual run the
#          longest has about 25. The bound is not tried at all. Of the whole numbers about 9 in 10 are in the lower half.
# Why:     What breaks a log breaks at 64 KiB, at the second page or the 1025th session. The property "holds for all
#          slices" and was never asked about one that fills a page. Draw the length first, from its edges.
# Paxlog:  Its simulator draws sizes and limits from its seed, small limits included, so that pages and queues overflow
#          after a few entries.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get pgregory.net/rapid@v1.3.0; } 2>setup.log || { cat setup.log; exit 1; }
go list -m pgregory.net/rapid

cat >finding_test.go <<'GO'
package finding

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func Test(t *testing.T) {
	checks, longest, overTen, upper := 0, 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		n := len(rapid.SliceOfN(rapid.Byte(), 0, 1000).Draw(rt, "slice"))
		longest = max(longest, n)
		if n > 10 {
			overTen++
		}
		if rapid.IntRange(0, 1_000_000).Draw(rt, "number") > 500_000 {
			upper++
		}
		checks++
	})
	fmt.Printf("%5d checks: longest slice of 0 to 1000: %d; longer than 10: %d; numbers in the upper half: %d\n", checks, longest, overTen, upper)
	if longest >= 500 {
		t.Fatal("CHANGED: slices were expected to stay far below the bound that was asked for")
	}
}
GO
go test -c -o finding . 2>setup.log || { cat setup.log; exit 1; }
./finding -rapid.seed=1
./finding -rapid.seed=1 -rapid.checks=20000
