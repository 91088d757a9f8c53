package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
)

func TestAppendArguments(t *testing.T) {
	dev(t)
	first, last := appendLines(t, "not read", "hello", "", "--", "-5")
	if last != first+2 {
		t.Fatalf("indexes %d to %d", first, last)
	}
	if got := must(t, "", "tail", "--from", strconv.Itoa(first)); got != "hello\n\n-5\n" {
		t.Errorf("got %q", got)
	}
	if got := must(t, "", "append", "-q", "x"); got != "" {
		t.Errorf("-q printed %q", got)
	}
	var receipt struct {
		Index, Instance         uint64
		Ballot, Append_ID, Time string
	}
	if err := json.Unmarshal([]byte(must(t, "", "append", "-o", "json", "x")), &receipt); err != nil {
		t.Fatal(err)
	}
	if receipt.Index == 0 || receipt.Instance == 0 || !strings.Contains(receipt.Ballot, ".p") || !strings.HasSuffix(receipt.Append_ID, "/1") {
		t.Errorf("receipt %+v", receipt)
	}
	if at, err := time.Parse(time.RFC3339Nano, receipt.Time); err != nil || at.Location() != time.UTC {
		t.Errorf("time %q: %v", receipt.Time, err)
	}
}

func TestAppendKeepsBytes(t *testing.T) {
	dev(t)
	binary := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{1})
	if _, err := random.Read(binary); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, in string
		flags    []string
		want     string // what tail prints
	}{
		{"lines", "a\nb\n", nil, "a\nb\n"},
		{"empty lines, CR, no newline at the end", "\n\na\r\n\x00\xff\nlast", nil, "\n\na\r\n\x00\xff\nlast\n"},
		{"no entry", "", nil, ""},
		{"NUL", "a\nb\x00\x00c", []string{"--null"}, "a\nb\n\nc\n"},
		{"nothing, whole", "", []string{"--whole"}, "\n"},
		{"whole", "a\nb\n", []string{"--whole"}, "a\nb\n\n"},
		{"1 MiB, binary", string(binary), []string{"--whole"}, string(binary) + "\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, fromFile := range []bool{false, true} {
				end := must(t, "", "append", "mark")
				args, input := append([]string{"append", "-q"}, test.flags...), test.in
				if fromFile {
					file := filepath.Join(t.TempDir(), "input")
					if err := os.WriteFile(file, []byte(input), 0o600); err != nil {
						t.Fatal(err)
					}
					args, input = append(args, "-f", file), "not read"
				}
				must(t, input, args...)
				from, err := strconv.Atoi(strings.TrimSpace(end))
				if err != nil {
					t.Fatal(err)
				}
				if got := must(t, "", "tail", "--from", strconv.Itoa(from+1)); got != test.want {
					t.Errorf("got %d bytes, want %d: %.100q", len(got), len(test.want), got)
				}
			}
		})
	}
}

// numbers are the lines of `seq n`.
func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, i+1)
	}
	return b.String()
}

func TestAppendStream(t *testing.T) {
	dev(t)
	in := numbers(20_000)
	first, last := appendLines(t, in)
	if last-first+1 != 20_000 {
		t.Fatalf("indexes %d to %d", first, last)
	}
	if got := must(t, "", "tail", "--from", strconv.Itoa(first), "--to", strconv.Itoa(last)); got != in {
		t.Errorf("the log differs from the input: %d bytes, not %d", len(got), len(in))
	}
}

// TestAppendPrintsAtOnce types line after line and waits for each index.
func TestAppendPrintsAtOnce(t *testing.T) {
	dev(t)
	keys, typed := io.Pipe()
	printed := lineWriter{make(chan string, 1)}
	ended := make(chan int)
	go func() { ended <- run([]string{"paxlog", "append"}, keys, printed, io.Discard) }()
	for range 3 {
		if _, err := io.WriteString(typed, "line\n"); err != nil {
			t.Fatal(err)
		}
		if line := <-printed.lines; !strings.HasSuffix(line, "\n") {
			t.Errorf("got %q", line)
		}
	}
	if err := typed.Close(); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != command.ExitDone {
		t.Errorf("exit code %d", code)
	}
}

func TestAppendOversizeEntry(t *testing.T) {
	dev(t)
	got := with(strings.NewReader("a\nb\n"+strings.Repeat("x", 1<<20+1)+"\nc\n"), "append")
	if got.code != command.ExitFailed || strings.Count(got.out, "\n") != 2 || !strings.Contains(got.errors, "entry 3 of the input is longer than") {
		t.Errorf("got %+v", got)
	}
	if got := must(t, "", "tail", "--from", "-2"); got != "a\nb\n" {
		t.Errorf("the log ends with %.100q", got)
	}
	for _, args := range []string{"tail", "tail --stale"} {
		got := paxlog(append(strings.Fields(args), "--timeout", "200ms", "--config", deadFile(t))...)
		if hint := strings.Contains(got.errors, "`paxlog tail --stale` prints what a learner has"); got.code != command.ExitUnavailable || hint != (args == "tail") {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if got := paxlog("append", "-f", "no such file"); got.code != command.ExitFailed || got.errors != "paxlog: there is no file no such file: check the path\n" {
		t.Errorf("got %+v", got)
	}
}

func TestTailRanges(t *testing.T) {
	dev(t)
	first, _ := appendLines(t, numbers(5))
	at := func(n int) string { return strconv.Itoa(first + n - 1) }
	var third struct{ Time string }
	appendLines(t, "6\n7\n")
	if err := json.Unmarshal([]byte(must(t, "", "read", at(6), "-o", "json")), &third); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"--from " + at(3):                       "3\n4\n5\n6\n7\n",
		"--from " + at(3) + " --to " + at(4):    "3\n4\n",
		"--from " + at(3) + " -n 1":             "3\n",
		"--from " + at(3) + " -n 1 --stale":     "3\n",
		"--from " + at(3) + " --to " + at(2):    "",
		"--from -2":                             "6\n7\n",
		"--from -2 --null":                      "6\x007\x00",
		"--from -2 --learner l1":                "6\n7\n",
		"--from end":                            "",
		"--from " + at(8):                       "",
		"--from @" + third.Time:                 "6\n7\n",
		"--from @2200-01-01T00:00:00Z":          "",
		"-f --from " + at(3) + " -n 2":          "3\n4\n",
		"-f --from " + at(3) + " --to " + at(5): "3\n4\n5\n",
	} {
		if got := must(t, "", append([]string{"tail"}, strings.Fields(args)...)...); got != want {
			t.Errorf("tail %s: got %q, want %q", args, got, want)
		}
	}
	for _, args := range [][]string{{"--from", at(9)}, {"-f", "--from", at(10000)}, {"--stale", "--from", at(9)}} {
		got := paxlog(append([]string{"tail"}, args...)...)
		if got.code != command.ExitNoIndex || got.out != "" || !strings.Contains(got.errors, args[len(args)-1]+" is ahead") || !strings.Contains(got.errors, at(7)) {
			t.Errorf("tail %v: %+v", args, got)
		}
	}
	for _, args := range [][]string{{"tail"}, {"tail", "--from", "start"}, {"tail", "--from", "@-1000h"}, {"tail", "--from", "-1000000000"}} {
		if got := must(t, "", args...); !strings.HasSuffix(got, "1\n2\n3\n4\n5\n6\n7\n") || strings.Count(got, "\n") < first+6 {
			t.Errorf("%v: %d lines", args, strings.Count(got, "\n"))
		}
	}
}

func TestTailFollows(t *testing.T) {
	dev(t)
	printed := lineWriter{make(chan string, 10)}
	signals, ended := make(chan os.Signal), make(chan int)
	p := &command.Program{Stdin: strings.NewReader(""), Stdout: printed, Stderr: io.Discard, Signals: signals, Kill: os.Exit, Commands: commandTable()}
	must(t, "", "append", "before")
	go func() { ended <- p.Run([]string{"paxlog", "tail", "-f", "--from", "-1"}) }()
	for _, want := range []string{"before\n", "one\n", "two\n"} {
		if want != "before\n" {
			must(t, "", "append", strings.TrimSpace(want))
		}
		if got := <-printed.lines; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	signals <- os.Interrupt
	if code := <-ended; code != command.ExitInterrupted {
		t.Errorf("exit code %d", code)
	}
}

func TestReadAndJSON(t *testing.T) {
	dev(t)
	first, _ := appendLines(t, "text\n\xff\xfe\n")
	if got := must(t, "", "read", strconv.Itoa(first)); got != "text\n" {
		t.Errorf("got %q", got)
	}
	text := must(t, "", "read", "-o", "json", strconv.Itoa(first))
	for _, want := range []string{fmt.Sprintf(`{"index":%d,"instance":`, first), `"value":"text"}` + "\n", `/1","log":"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	both := must(t, "", "tail", "-o", "json", "--from", "-2")
	if !strings.HasPrefix(both, text) || !strings.HasSuffix(both, `"value_base64":"//4="}`+"\n") {
		t.Errorf("got %s", both)
	}
	for _, stale := range []string{"--stale=false", "--stale"} {
		got := paxlog("read", strconv.Itoa(first+2), stale)
		if got.code != command.ExitNoIndex || got.out != "" || !strings.HasPrefix(got.errors, "paxlog: no such index") {
			t.Errorf("past the end, %s: %+v", stale, got)
		}
	}
}

// TestLosslessCopy: what tail prints in a form that carries any bytes is appended as it is.
func TestLosslessCopy(t *testing.T) {
	dev(t)
	values := []string{"", "two\nlines\n", "\x00\xff", "\r"}
	from := 0
	for i, v := range values {
		index := strings.TrimSpace(must(t, v, "append", "--whole"))
		if n, err := strconv.Atoi(index); err != nil {
			t.Fatal(err)
		} else if i == 0 {
			from = n
		}
	}
	last := []string{"--from", strconv.Itoa(from), "--to", strconv.Itoa(from + len(values) - 1)}
	want := must(t, "", append([]string{"tail", "-o", "length"}, last...)...)
	for _, form := range []string{"length", "json"} {
		must(t, must(t, "", append([]string{"tail", "-o", form}, last...)...), "append", "--input", form)
		if got := must(t, "", "tail", "--from", fmt.Sprintf("-%d", len(values)), "-o", "length"); got != want {
			t.Errorf("%s: got %q, want %q", form, got, want)
		}
	}
	got := paxlog("read", strconv.Itoa(from+1), "-o", "length")
	if got.out != "\x0atwo\nlines\n" {
		t.Errorf("read: %+v", got)
	}
}

func TestResolve(t *testing.T) {
	dev(t)
	var receipt struct {
		Index     uint64
		Append_ID string
	}
	if err := json.Unmarshal([]byte(must(t, "", "append", "-o", "json", "x")), &receipt); err != nil {
		t.Fatal(err)
	}
	if got, want := must(t, "", "resolve", receipt.Append_ID), fmt.Sprintf("chosen %d\n", receipt.Index); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	want := fmt.Sprintf(`{"append_id":"%s","result":"chosen","index":%d}`+"\n", receipt.Append_ID, receipt.Index)
	if got := must(t, "", "resolve", "-o", "json", receipt.Append_ID); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	session, _, _ := strings.Cut(receipt.Append_ID, "/")
	if got := must(t, "", "resolve", session+"/2"); got != "never\n" {
		t.Errorf("got %q", got)
	}
	want = `{"append_id":"` + session + `/2","result":"never","index":null}` + "\n"
	if got := must(t, "", "resolve", "-o", "json", session+"/2"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := must(t, "", "resolve", receipt.Append_ID+"..3", session+"/2"), fmt.Sprintf("chosen %d\n", receipt.Index)+"never\nnever\nnever\n"; got != want {
		t.Errorf("a range, and one more: got %q, want %q", got, want)
	}
	if got := paxlog("resolve", "ff"+session[2:]+"/1"); got.code != command.ExitFailed || !strings.Contains(got.errors, "mistyped") {
		t.Errorf("an id of the future: %+v", got)
	}
}

// TestResolveStopsTheAppender ends the session of an append that waits for input.
func TestResolveStopsTheAppender(t *testing.T) {
	dev(t)
	keys, typed := io.Pipe()
	printed := lineWriter{make(chan string, 1)}
	errs := lineWriter{make(chan string, 10)}
	ended := make(chan int)
	go func() { ended <- run([]string{"paxlog", "append", "-o", "json"}, keys, printed, errs) }()
	if _, err := io.WriteString(typed, "one\n"); err != nil {
		t.Fatal(err)
	}
	var receipt struct{ Append_ID string }
	if err := json.Unmarshal([]byte(<-printed.lines), &receipt); err != nil {
		t.Fatal(err)
	}
	must(t, "", "resolve", receipt.Append_ID)
	if _, err := io.WriteString(typed, "two\n"); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != command.ExitFailed {
		t.Errorf("exit code %d", code)
	}
	if line := <-errs.lines; !strings.Contains(line, "ended by resolve") {
		t.Errorf("got %q", line)
	}
	if err := typed.CloseWithError(context.Canceled); err != nil {
		t.Fatal(err)
	}
}
