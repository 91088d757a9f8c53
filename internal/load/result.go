package load

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what a load measured, as `paxlog bench -o json` prints it.
type Result struct {
	Appends   int64    `json:"appends"`
	Seconds   float64  `json:"seconds"`
	PerSecond float64  `json:"appends_per_s"`
	MBPerS    float64  `json:"mb_per_s"`
	P50       *float64 `json:"p50_ms"`
	P90       *float64 `json:"p90_ms"`
	P99       *float64 `json:"p99_ms"`
	P999      *float64 `json:"p999_ms"`
	Max       *float64 `json:"max_ms"`
	Errors    uint64   `json:"errors"`
}

// NewResult sums up latencies measured in elapsed.
func NewResult(h *hdrhistogram.Histogram, elapsed time.Duration, size int, errors uint64) Result {
	r := Result{Appends: h.TotalCount(), Seconds: Rounded(elapsed.Seconds(), 3), Errors: errors}
	if elapsed > 0 {
		r.PerSecond = Rounded(float64(r.Appends)/elapsed.Seconds(), 1)
		r.MBPerS = Rounded(float64(r.Appends)*float64(size)/1e6/elapsed.Seconds(), 3)
	}
	if r.Appends > 0 {
		ms := func(percentile float64) *float64 {
			v := Rounded(float64(h.ValueAtPercentile(percentile))/1e6, 3)
			return &v
		}
		r.P50, r.P90, r.P99, r.P999, r.Max = ms(50), ms(90), ms(99), ms(99.9), ms(100)
	}
	return r
}

// Rounded cuts off the digits that mean nothing.
func Rounded(v float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(v*scale) / scale
}
