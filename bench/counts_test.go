package main

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestFields: the kernel's text is read as what it means, and what lacks is told.
func TestFields(t *testing.T) {
	const status = "Name:\tpaxlog\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t4711\nVmHWM:\t   28504 kB\nVmRSS:\t   28100 kB\n" +
		"Threads:\t9\nSigQ:\t0/95863\nCpus_allowed_list:\t0-1\nvoluntary_ctxt_switches:\t1234\nnonvoluntary_ctxt_switches:\t5\n"
	f, err := fieldsOf(status, "VmRSS", "VmHWM", "Threads", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")
	if err != nil || f["VmRSS"] != 28100<<10 || f["VmHWM"] != 28504<<10 || f["Threads"] != 9 || f["voluntary_ctxt_switches"] != 1234 || f["nonvoluntary_ctxt_switches"] != 5 {
		t.Errorf("got %v, %v", f, err)
	}
	const io = "rchar: 3980\nwchar: 77\nsyscr: 9\nsyscw: 1\nread_bytes: 0\nwrite_bytes: 4096\ncancelled_write_bytes: 0\n"
	if f, err := fieldsOf(io, "wchar"); err != nil || f["wchar"] != 77 {
		t.Errorf("got %v, %v", f, err)
	}
	if _, err := fieldsOf("rchar: 3980\n", "wchar"); err == nil || !strings.Contains(err.Error(), "wchar") {
		t.Errorf("wchar lacks: %v", err)
	}
}

// TestSince: new sockets count, closed ones do not, and bytes to files are what did
// not go to sockets.
func TestSince(t *testing.T) {
	before := reading{figures{fileBytes: 1000, cpu: 5}, map[string]sent{"socket:[1]": {10, 100}, "socket:[2]": {5, 5}}}
	after := reading{figures{fileBytes: 1500, cpu: 8}, map[string]sent{"socket:[1]": {13, 400}, "socket:[3]": {1, 20}}}
	if got, want := after.since(before), (figures{fileBytes: 180, cpu: 3, messages: 4, socketBytes: 320}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	after.sockets = nil // the system did not let them be read
	if got, want := after.since(before), (figures{cpu: 3}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestCountSelf: system calls that were made are counted, or it is said why not.
func TestCountSelf(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	why := map[metric]string{}
	var counters []*counter
	const times = 50
	for _, traces := range []bool{false, true} {
		c := newCounter([]member{{"self", os.Getpid()}}, traces, why)
		if err := c.start(); err != nil {
			t.Fatal(err)
		}
		for range times {
			if _, err := f.Write(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Fdatasync(int(f.Fd())); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.stop(); err != nil {
			t.Fatal(err)
		}
		counters = append(counters, c)
	}
	rows := rowsOf(counters, []float64{times, times})
	for m, least := range map[metric]float64{cpu: 1e-3, fileBytes: 100, syscalls: 2, writes: 1, syncs: 1} {
		if got, ok := rows[0].Figures[m]; why[m] == "" && got < least || ok != (why[m] == "") {
			t.Errorf("%s: got %v (%v), want at least %v; why not: %q", metricNames[m], got, ok, least, why[m])
		}
	}
	if len(rows) != 2 || !reflect.DeepEqual(rows[0].Figures, rows[1].Figures) {
		t.Errorf("the sum of one process is not that process: %v", rows)
	}
}

// TestPrintCounts: a figure that was not counted is an empty column, with the reason
// below.
func TestPrintCounts(t *testing.T) {
	r := &report{Why: map[metric]string{timers: "no right", syncs: "no right"}}
	r.Counts = []counted{{"paxlog", idle, 0, []row{{serversRow, figures{messages: 354.4, cpu: 65075, futexes: 0}}}}}
	r.Held = []holding{{"paxlog", "empty", map[string]held{"a1": {RSS: 28e6, Anon: 9e6, Threads: 8, Disk: 3e5}, "l1": {RSS: 2e6, Threads: 1}}, []string{"a1", "l1"}}}
	var out strings.Builder
	if err := r.printCounts(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"idle, each second 0 paxlog servers 354 0 65075", "empty paxlog a1 28 9 8 0.3", "empty paxlog servers 30 9 9 0.3",
		`not counted: ["syncs" "timers"]: no right`,
	} {
		if !slices.ContainsFunc(strings.Split(out.String(), "\n"), func(line string) bool { return strings.Join(strings.Fields(line), " ") == want }) {
			t.Errorf("there is no line %q in\n%s", want, out.String())
		}
	}
}

// TestRatio: the interval is that of the ranks, and only one that lies above 1.03 is
// worse.
func TestRatio(t *testing.T) {
	for n, want := range map[int]int{1: 0, 5: 0, 6: 1, 8: 1, 9: 2, 10: 2, 12: 3, 20: 6} { // from a table of the sign test
		if got := outside(n); got != want {
			t.Errorf("of %d: the %d-th value, want the %d-th", n, got, want)
		}
	}
	before, after := slices.Repeat([]float64{2}, 10), []float64{2.2, 2.2, 2.3, 2.1, 2.4, 2.2, 2.2, 2.5, 2.1, 200}
	if r := ratioOf(before, after); math.Abs(r.middle-1.1) > 1e-9 || math.Abs(r.low-1.05) > 1e-9 || math.Abs(r.high-1.25) > 1e-9 || r.verdict(false) != "worse" || r.verdict(true) != "better" {
		t.Errorf("got %v", r)
	}
	if r := ratioOf([]float64{1}, []float64{2}); r.verdict(false) != "" || r.middle != 2 {
		t.Errorf("one pair proves nothing: %v", r)
	}
	if (interval{1.05, 1.02, 1.08}).verdict(false) != "" || (interval{0.9, 0.85, 0.96}).verdict(false) != "better" || (interval{0.9, 0.85, 0.96}).verdict(true) != "worse" {
		t.Error("verdicts")
	}
}

// TestPaxlogCounted: a cluster of Paxlog is started, counted idle and loaded, and
// compared with itself.
func TestPaxlogCounted(t *testing.T) {
	opts, err := parse([]string{"-counts", "-systems", "paxlog", "-loads", "idle,1 client,20 MiB", "-duration", "200ms", "-warmup", "0s", "-json", "-"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := opts.build(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	r := newReport(opts)
	var out strings.Builder
	if err := count(t.Context(), opts, dir, r, &out); err != nil {
		t.Fatal(err)
	}
	if len(r.Counts) != 2 || len(r.Counts[1].Rows) != 8 || len(r.Held) != 2 {
		t.Fatalf("got\n%s", out.String())
	}
	for _, row := range r.Counts[1].Rows {
		for m := range metricCount {
			if _, ok := row.Figures[m]; ok == (r.Why[m] != "") {
				t.Errorf("%s of %s: counted is %v, and why not: %q", metricNames[m], row.Process, ok, r.Why[m])
			}
		}
	}
	if f := r.Counts[1].Rows[0].Figures; f[cpu] < 10 || r.Why[messages] == "" && f[messages] < 5 || r.Why[syncs] == "" && f[syncs] < 1 {
		t.Errorf("an append costs next to nothing:\n%s", out.String())
	}
	opts.beside, opts.pairs, opts.scenarios = opts.binary, 1, scenarios[:1]
	out.Reset()
	if err := compare(t.Context(), opts, dir, r, &out); err != nil || !strings.Contains(out.String(), "CPU us") {
		t.Errorf("%v:\n%s", err, out.String())
	}
}
