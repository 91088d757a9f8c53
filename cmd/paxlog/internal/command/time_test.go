package command

import (
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"
)

var timeNow = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func TestParseTime(t *testing.T) {
	ten := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-11-28T10:00:00Z":                ten,
		"2026-11-28t10:00:00z":                ten,
		"2026-11-28T10:00Z":                   ten,
		"2026-11-28 10:00Z":                   ten,
		"2026-11-28 11:00:00+01:00":           ten, // date --rfc-3339=seconds
		"2026-11-28 10:00:00.000000000+00:00": ten, // date --rfc-3339=ns
		"2026-11-28T10:00:00,000000000+00:00": ten, // date -Ins
		"2026-11-28T15:30:00+05:30":           ten,
		"2026-11-28T11:00:00+0100":            ten, // journalctl -o short-iso
		"2026-11-28 10:00:00+00":              ten, // PostgreSQL
		"2026-11-28 07:00:00-03":              ten,
		"2026-11-28 10:00:00.000 UTC":         ten, // PostgreSQL's log_line_prefix %m
		"2026-11-28 10:00:00.123456+00":       ten.Add(123456 * time.Microsecond),
		"2026-11-28 10:00:00 +0000":           ten,                      // date '+%F %T %z'
		"1795860000":                          time.Unix(1795860000, 0), // date +%s
		"1795860000.5":                        time.Unix(1795860000, 5e8),
		"0":                                   time.Unix(0, 0),
		"-10m":                                timeNow.Add(-10 * time.Minute),
		"-10min":                              timeNow.Add(-10 * time.Minute),
		"-1d":                                 timeNow.Add(-24 * time.Hour),
		"-1d12h":                              timeNow.Add(-36 * time.Hour),
		"-1.5h":                               timeNow.Add(-90 * time.Minute),
		"-2w":                                 timeNow.Add(-14 * 24 * time.Hour),
		"-90sec":                              timeNow.Add(-90 * time.Second),
		"-0":                                  timeNow,
	} {
		if got, problem := ParseTime(text, timeNow); problem != "" || !got.Equal(want) {
			t.Errorf("%s: %v, %s, want %v", text, got, problem, want)
		}
	}
	for text, want := range map[string]string{
		"2026-11-28T10:00:00":   "has no zone",
		"2026-11-28 10:00:00.5": "has no zone",
		"2026-11-28 10:00":      "has no zone",
		"2026-11-28":            "has no zone",
		"2026-13-28T10:00:00Z":  "must be a time",
		"":                      "must be a time",
		"now":                   "must be a time",
		"+5":                    "must be a time",
		"5.":                    "must be a time",
		"-5":                    "must be - and a duration",
		"-":                     "must be - and a duration",
		"-1month":               "must be - and a duration",
		"--1d":                  "must be - and a duration",
		"-1d-1h":                "must be - and a duration",
	} {
		if got, problem := ParseTime(text, timeNow); !strings.HasPrefix(problem, want) {
			t.Errorf("%s: %v, %q, want %s", text, got, problem, want)
		}
	}
}

// TestParseTimeFarAway: no time is so far away that it wraps around.
func TestParseTimeFarAway(t *testing.T) {
	for _, text := range []string{"-9223372036854775807s", "-300000000w", "-999999999999999999999999d", "-292y"} {
		got, problem := ParseTime(text, timeNow)
		if problem == "" && got.After(timeNow) {
			t.Errorf("%s lies ahead: %v", text, got)
		}
	}
	for _, text := range []string{"253402300799", "9999999999"} {
		if got, problem := ParseTime(text, timeNow); problem != "" || !got.After(timeNow) {
			t.Errorf("%s: %v, %s", text, got, problem)
		}
	}
	for _, text := range []string{"1795860000123", "1795860000123456789", "9223372036854775807"} { // date +%s%3N, +%s%N
		if _, problem := ParseTime(text, timeNow); !strings.Contains(problem, "write seconds") {
			t.Errorf("%s: %q", text, problem)
		}
	}
	if d, ok := parseAgo("9223372036s9223372036s"); !ok || d != math.MaxInt64 {
		t.Errorf("got %v, %v", d, ok)
	}
}

// TestParseTimeOfDate takes what date prints here.
func TestParseTimeOfDate(t *testing.T) {
	date, err := exec.LookPath("date")
	if err != nil {
		t.Skip("no date here")
	}
	for _, format := range []string{"--rfc-3339=seconds", "--rfc-3339=ns", "-Iseconds", "-Ins", "-Iminutes", "+%s", "+%s.%N", "+%F %T%:z", "+%F %T %z"} {
		out, err := exec.Command(date, format).Output()
		if err != nil {
			continue // another date than that of GNU
		}
		text := strings.TrimSpace(string(out))
		if got, problem := ParseTime(text, timeNow); problem != "" || time.Since(got).Abs() > 2*time.Minute {
			t.Errorf("date %s prints %s: %v, %s", format, text, got, problem)
		}
	}
}
