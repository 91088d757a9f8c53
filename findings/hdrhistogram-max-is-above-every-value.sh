#!/usr/bin/env bash
# What:    hdrhistogram-go v1.4.0, Max, Min, Mean and the percentiles of one recorded value.
# Guess:   The extremes are exact: a maximum needs no buckets.
# Happens: All are borders of the value's bucket. With 2 digits one value of 1,000,000 has the
#          maximum 1,003,519, the minimum 999,424 and the mean 1,001,472: a maximum that nothing
#          ever took, and a median above the mean.
# Why:     "No append took longer than 500 ms" can be refuted by a histogram of appends that all
#          took 499; limits in tests must leave the width of a bucket.
# Paxlog:  `paxlog bench` prints percentiles of such a histogram, and its max as the 100th: at most
#          the width of a bucket too high. Its tests of latencies allow for that.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get github.com/HdrHistogram/hdrhistogram-go@v1.4.0; } 2>setup.log || { cat setup.log; exit 1; }
go list -m github.com/HdrHistogram/hdrhistogram-go

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

func main() {
	const took = 1_000_000
	changed := false
	for digits := 1; digits <= 3; digits++ {
		h := hdr.New(1, 10_000_000_000, digits)
		if err := h.RecordValue(took); err != nil {
			panic(err)
		}
		fmt.Printf("%d digits, only %d recorded: min %d, max %d, median %d, mean %.0f\n", digits, took, h.Min(), h.Max(), h.ValueAtPercentile(50), h.Mean())
		changed = changed || h.Max() <= took || h.Min() >= took
	}
	if changed {
		fmt.Println("CHANGED: the maximum was expected above the value, the minimum below it")
		os.Exit(1)
	}
}
GO
go run .
