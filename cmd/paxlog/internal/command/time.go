package command

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// zoneForms are how a time ends that has a zone, and how it is written without it: as
// RFC 3339 has it, as PostgreSQL shortens it (+00), and as `date -Iseconds` and journald
// print it (+0000).
var zoneForms = []string{"Z07:00", "Z0700", "Z07"}

// clockForms are how the part before the zone may be written. A fraction of a second is
// taken after any second, after a point or a comma.
var clockForms = []string{"2006-01-02T15:04:05", "2006-01-02T15:04"}

// noZone is why a time without a zone is refused.
const noZone = "has no zone: it is another time on each host; write Z for UTC or an offset, such as 2026-01-02T15:04:05Z or 2026-01-02 15:04:05+01"

// ParseTime reads a point in time as an option takes it, or says what is wrong with it:
// a time of RFC 3339, also as tools print it (a blank for the T, no seconds, an offset
// without minutes or without its colon, UTC), or seconds since 1970, or how long ago, as
// in -10m, -1d12h or -10min.
func ParseTime(text string, now time.Time) (t time.Time, problem string) {
	if ago, ok := strings.CutPrefix(text, "-"); ok {
		d, ok := parseAgo(ago)
		if !ok {
			return t, "must be - and a duration, such as -10m, -1d or -1h30m"
		}
		return now.Add(-d), ""
	}
	if t, ok := parseEpoch(text); ok {
		if t.Unix() > lastYear {
			return t, "is after the year 9999 in seconds since 1970: if these are milliseconds, microseconds or nanoseconds, write seconds, with a fraction, such as 1795860000.5"
		}
		return t, ""
	}
	form := strings.ToUpper(strings.TrimSpace(text)) // RFC 3339 takes t and z as well
	for _, utc := range []string{"UTC", "GMT"} {
		if clock, ok := strings.CutSuffix(form, utc); ok {
			form = strings.TrimSpace(clock) + "Z"
		}
	}
	if len(form) > 10 && form[10] == ' ' {
		form = form[:10] + "T" + form[11:]
	}
	for _, clock := range clockForms {
		for _, zone := range zoneForms {
			// journald and some loggers put a blank before the offset.
			for _, blank := range []string{"", " "} {
				if t, err := time.Parse(clock+blank+zone, form); err == nil {
					return t, ""
				}
			}
		}
	}
	for _, bare := range append([]string{"2006-01-02"}, clockForms...) {
		if _, err := time.Parse(bare, form); err == nil {
			return t, noZone
		}
	}
	return t, "must be a time of RFC 3339, such as 2026-01-02T15:04:05Z, or seconds since 1970, or - and a duration, such as -10m"
}

// lastYear is the last second of the year 9999, since 1970. Milliseconds of today are beyond it.
const lastYear = 253402300799

// parseEpoch reads seconds since 1970, with a fraction or without, as `date +%s` and
// `date +%s.%N` print them.
func parseEpoch(text string) (t time.Time, ok bool) {
	whole, fraction, dot := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || whole[0] == '+' {
		return t, false
	}
	if dot && (fraction == "" || len(fraction) > 9) {
		return t, false
	}
	nanos, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
	if err != nil {
		return t, false
	}
	return time.Unix(seconds, int64(nanos)), true
}

// agoUnits are the units of how long ago, as Go, date and systemd write them.
var agoUnits = map[string]time.Duration{}

func init() {
	for names, unit := range map[string]time.Duration{
		"ns": time.Nanosecond, "us µs μs": time.Microsecond, "ms msec": time.Millisecond,
		"s sec secs second seconds": time.Second, "m min mins minute minutes": time.Minute,
		"h hr hrs hour hours": time.Hour, "d day days": 24 * time.Hour, "w week weeks": 7 * 24 * time.Hour,
	} {
		for name := range strings.FieldsSeq(names) {
			agoUnits[name] = unit
		}
	}
}

// ParseAge reads how old something may become, such as 36h or 7d: 0, or a second to a hundred
// years.
func ParseAge(text string) (d time.Duration, ok bool) {
	d, ok = parseAgo(text)
	return d, ok && (d == 0 || d >= time.Second && d <= 100*365*24*time.Hour)
}

// parseAgo reads one or more numbers with units, such as 1h30m, 10min or 1.5d. What is
// longer ago than a Duration can say is as long ago as it can.
func parseAgo(text string) (d time.Duration, ok bool) {
	if text == "0" {
		return 0, true
	}
	total := 0.0
	var exact time.Duration
	for rest := text; rest != ""; {
		i := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if i <= 0 {
			return 0, false
		}
		number := rest[:i]
		rest = rest[i:]
		end := strings.IndexAny(rest, "0123456789.")
		if end < 0 {
			end = len(rest)
		}
		unit, known := agoUnits[rest[:end]]
		rest = rest[end:]
		n, err := strconv.ParseFloat(number, 64)
		if !known || err != nil {
			return 0, false
		}
		total += n * float64(unit)
		if whole, err := strconv.ParseInt(number, 10, 64); err == nil {
			exact += time.Duration(whole) * unit
		} else {
			exact += time.Duration(n * float64(unit))
		}
	}
	if total >= math.MaxInt64/2 {
		return math.MaxInt64, true
	}
	return exact, text != ""
}
