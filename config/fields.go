package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// durationField is one key of the timeouts section.
type durationField struct {
	key  string
	at   func(*Timeouts) *time.Duration
	most time.Duration
}

// durationFields are the keys of the timeouts section, in the order of print.
var durationFields = []durationField{
	{"heartbeat", func(t *Timeouts) *time.Duration { return &t.Heartbeat }, 10 * time.Second},
	{"election_min", func(t *Timeouts) *time.Duration { return &t.ElectionMin }, time.Minute},
	{"election_max", func(t *Timeouts) *time.Duration { return &t.ElectionMax }, time.Minute},
	{"retry", func(t *Timeouts) *time.Duration { return &t.Retry }, time.Minute},
	{"stall", func(t *Timeouts) *time.Duration { return &t.Stall }, time.Hour},
	{"read", func(t *Timeouts) *time.Duration { return &t.Read }, time.Hour},
	{"dial", func(t *Timeouts) *time.Duration { return &t.Dial }, time.Hour},
	{"handshake", func(t *Timeouts) *time.Duration { return &t.Handshake }, time.Hour},
	{"idle", func(t *Timeouts) *time.Duration { return &t.Idle }, time.Hour},
}

// limitField is one key of the limits section.
type limitField struct {
	key   string
	at    func(*Limits) *int
	most  int
	bytes bool // it counts bytes and takes KiB, MiB and GiB
}

// limitFields are the keys of the limits section, in the order of print.
var limitFields = []limitField{
	{"entry_bytes", func(l *Limits) *int { return &l.EntryBytes }, 16 * mib, true},
	{"batch_bytes", func(l *Limits) *int { return &l.BatchBytes }, 64 * mib, true},
	{"window", func(l *Limits) *int { return &l.Window }, 65536, false},
	{"queue_bytes", func(l *Limits) *int { return &l.QueueBytes }, gib, true},
	{"conn_queue_bytes", func(l *Limits) *int { return &l.ConnQueueBytes }, gib, true},
	{"client_queue_bytes", func(l *Limits) *int { return &l.ClientQueueBytes }, 16 * gib, true},
	{"connections", func(l *Limits) *int { return &l.Connections }, 1 << 20, false},
	{"sessions", func(l *Limits) *int { return &l.Sessions }, 1 << 24, false},
	{"page_bytes", func(l *Limits) *int { return &l.PageBytes }, 64 * mib, true},
	{"inbox_bytes", func(l *Limits) *int { return &l.InboxBytes }, gib, true},
	{"disk_low_bytes", func(l *Limits) *int { return &l.DiskLowBytes }, math.MaxInt, true},
}

// youngLimits are keys that the first release which can be upgraded refuses as unknown.
var youngLimits = []string{"client_queue_bytes", "disk_low_bytes"}

// units are the suffixes of byte sizes, largest first.
var units = []struct {
	suffix string
	size   int
}{{"GiB", gib}, {"MiB", mib}, {"KiB", kib}}

// parseCount reads a decimal number that fits an int and is not negative.
func parseCount(text string) (int, bool) {
	n, err := strconv.ParseInt(text, 10, strconv.IntSize)
	return int(n), err == nil && n >= 0
}

// ParseSize reads a number of bytes: 1048576, 1024KiB, 1MiB or 1 MiB.
func ParseSize(text string) (int, bool) {
	for _, u := range units {
		if number, ok := strings.CutSuffix(text, u.suffix); ok {
			n, ok := parseCount(strings.TrimRight(number, " "))
			return n * u.size, ok && n <= math.MaxInt/u.size
		}
	}
	return parseCount(text)
}

// formatSize writes n in the largest unit that divides it.
func formatSize(n int) string {
	for _, u := range units {
		if n > 0 && n%u.size == 0 {
			return strconv.Itoa(n/u.size) + u.suffix
		}
	}
	return strconv.Itoa(n)
}

// format writes a limit as the file would.
func (f limitField) format(n int) string {
	if f.bytes {
		return formatSize(n)
	}
	return strconv.Itoa(n)
}
