package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/commandtest"
	"github.com/paxlog/paxlog/wire"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
)

// result is what one run of the program did.
type result struct {
	code        int
	out, errors string
}

// paxlog runs one command line in this process.
func paxlog(args ...string) result {
	var out, errs bytes.Buffer
	code := run(append([]string{"paxlog"}, args...), strings.NewReader(""), &out, &errs)
	return result{code, out.String(), errs.String()}
}

// usageErrors are command lines that exit with ExitUsage, and what they say.
// $FILE stands for a valid cluster file.
var usageErrors = []struct {
	args string // split at spaces; ~ stands for an empty argument
	want string
}{
	{"appnd", "unknown command \"appnd\": did you mean append? (see `paxlog --help`)"},
	{"zzzzzz", "unknown command \"zzzzzz\" (see `paxlog --help`)"},
	{"--colour tail", "unknown flag --colour (see `paxlog --help`)"},
	{"--form tail", "unknown flag --form (see `paxlog --help`)"},
	{"--from 3 tail", "--from stands before the command, but belongs after it, as in `paxlog tail --from`"},
	{"--config x", "no command is given: see `paxlog --help`"},
	{"-o json acceptor", "acceptor: unknown flag --output (see `paxlog acceptor --help`)"},
	{"config", "config needs check or print: see `paxlog config --help`"},
	{"config chek", "unknown config command \"chek\": did you mean check? (see `paxlog config --help`)"},
	{"config check x", "config check takes no argument, but was given \"x\": see `paxlog config check --help`"},
	{"tail --form 3", "tail: unknown flag --form: did you mean --from? (see `paxlog tail --help`)"},
	{"tail --from", "--from needs a value, START (see `paxlog tail --help`)"},
	{"tail --from --stale", "--from needs a value, START (see `paxlog tail --help`)"},
	{"tail --from=", "--from needs a value, START (see `paxlog tail --help`)"},
	{"tail --from ~", "--from needs a value, START (see `paxlog tail --help`)"},
	{"tail --follow=maybe", "--follow takes no value, but was given \"maybe\" (see `paxlog tail --help`)"},
	{"tail -x", "tail: unknown flag -x (see `paxlog tail --help`)"},
	{"tail 5", "tail takes no argument, but was given \"5\": see `paxlog tail --help`"},
	{"tail --from x", "tail: --from \"x\": must be an index, start, end, -N, @TIME or @-10m"},
	{"tail --from 0", "tail: --from \"0\": is no index: the first entry has index 1"},
	{"tail --from -0", "tail: --from \"-0\": must be - and how many of the last entries to print, such as -10"},
	{"tail --from @10m", "tail: --from \"@10m\": must be a time of RFC 3339, such as 2026-01-02T15:04:05Z, or seconds since 1970, or - and a duration, such as -10m"},
	{"tail --from @-x", "tail: --from \"@-x\": must be - and a duration, such as -10m, -1d or -1h30m"},
	{"tail --from @--1s", "tail: --from \"@--1s\": must be - and a duration, such as -10m, -1d or -1h30m"},
	{"tail --from @2026-11-28T10:00", "tail: --from \"@2026-11-28T10:00\": has no zone: it is another time on each host; write Z for UTC or an offset, such as 2026-01-02T15:04:05Z or 2026-01-02 15:04:05+01"},
	{"tail --from @2026-11-28", "tail: --from \"@2026-11-28\": has no zone: it is another time on each host; write Z for UTC or an offset, such as 2026-01-02T15:04:05Z or 2026-01-02 15:04:05+01"},
	{"tail --to end", "tail: --to \"end\": must be the index of an entry, a number from 1"},
	{"tail -n 0", "tail: --count \"0\": must be a number from 1"},
	{"tail -o xml", "tail: --output \"xml\": must be raw, bytes, length or json"},
	{"tail -o plain", "tail: --output \"plain\": must be raw, bytes, length or json"},
	{"tail -o json --null", "tail: --null belongs to --output raw: JSON is an object a line, bytes are the entry alone, and length says where it ends"},
	{"tail -o bytes", "tail: --output \"bytes\": is exactly the bytes of one entry: say -n 1, or raw for a newline after each"},
	{"tail -o bytes -n 2", "tail: --output \"bytes\": is exactly the bytes of one entry: say -n 1, or raw for a newline after each"},
	{"tail --timeout 5", "tail: --timeout \"5\": is no duration: write 500ms, 10s or 1m30s, or 0 to wait for ever"},
	{"tail --timeout -5s", "tail: --timeout \"-5s\": is no duration: write 500ms, 10s or 1m30s, or 0 to wait for ever"},
	{"tail --learner l9", "cluster \"dev\" has no learner \"l9\": its learners are l1"},
	{"tail --log-level loud", "tail: --log-level \"loud\": must be debug, info, warn or error"},
	{"append -5", "append: unknown flag -5: a value that begins with '-' comes after -- (see `paxlog append --help`)"},
	{"append a -f x", "append: --file is about input from a file, but \"a\" is given as an entry: leave one of them out"},
	{"append a --whole", "append: --whole is about input from a file, but \"a\" is given as an entry: leave one of them out"},
	{"append --null --whole", "append: --null splits the input, and --whole keeps it in one piece: leave one of them out"},
	{"append --input xml", "append: --input \"xml\": must be lines, length or json"},
	{"append --input json --null", "append: --null is about lines, and --input json says where each entry ends: leave one of them out"},
	{"read", "read takes one argument, N, not 0: see `paxlog read --help`"},
	{"read 1 2", "read takes one argument, N, not 2: see `paxlog read --help`"},
	{"read x", "read: \"x\" must be the index of an entry, a number from 1"},
	{"read 0", "read: \"0\" is no index: the first entry has index 1"},
	{"resolve", "resolve takes arguments, APPEND_ID..., and was given none: see `paxlog resolve --help`"},
	{"resolve 0000000000000000000000000000000000000000/3..2", "resolve: \"0000000000000000000000000000000000000000/3..2\": not an append id (40 or 64 hex digits, a slash, and a number from 1, as `append -o json` prints it): a range ends with a number that is not below the one it begins with, as in SESSION/3..7"},
	{"resolve zz/1", "resolve: \"zz/1\": not an append id (40 or 64 hex digits, a slash, and a number from 1, as `append -o json` prints it)"},
	{"resolve 0000000000000000000000000000000000000000/1 --stale", "resolve: unknown flag --stale (see `paxlog resolve --help`)"},
	{"status x", "status takes no argument, but was given \"x\": see `paxlog status --help`"},
	{"inspect", "inspect takes one argument, DIR, not 0: see `paxlog inspect --help`"},
	{"acceptor --data d", "acceptor needs --id ID: which process of the cluster file this is"},
	{"acceptor --id a1", "acceptor needs --data DIR: the data directory"},
	{"acceptor --id a1 --data d", "no paxlog.yaml here: pass --config FILE, or set PAXLOG_CONFIG"},
	{"acceptor --id a9 --data d --config $FILE", "$FILE: cluster \"dev\" has no acceptor \"a9\": its acceptors are a1, a2, a3"},
	{"learner --id a1 --data d --config $FILE", "$FILE: \"a1\" is an acceptor of cluster \"dev\", not a learner: its learners are l1"},
	{"proposer --id p1 --data d --config $FILE", "proposer: unknown flag --data: a proposer keeps nothing on disk, so leave it out (see `paxlog proposer --help`)"},
	{"proposer --id p1 --listen x --config $FILE", "proposer: --listen \"x\": is not HOST:PORT"},
	{"init --id p1 --data d --config $FILE", "p1 is a proposer: it keeps nothing on disk and needs no init; start it with `paxlog proposer --id p1`"},
	{"init --id x --data d --config $FILE", "$FILE: cluster \"dev\" has no process \"x\": its acceptors are a1, a2, a3; its learners are l1"},
	{"dev x", "dev takes no argument, but was given \"x\": see `paxlog dev --help`"},
	{"dev --base-port 65400", "dev: --base-port \"65400\": must be a number from 1 to 65334"},
	{"dev --config x", "dev writes its own cluster file: leave --config out, and say --data for another directory"},
	{"config check", "no paxlog.yaml here: pass --config FILE, or set PAXLOG_CONFIG"},
	{"config check --config nope", "nope: there is no such cluster file: check the path"},
	{"append a --config nope", "nope: there is no such cluster file: check the path"},
	{"completion", "completion takes one argument, bash|zsh|fish, not 0: see `paxlog completion --help`"},
	{"completion tcsh", "completion: no script for \"tcsh\": say bash, zsh or fish"},
	{"version -o raw", "version: --output \"raw\": must be plain or json"},
	{"help nope", "unknown command \"nope\" (see `paxlog --help`)"},
}

func TestUsageErrors(t *testing.T) {
	commandtest.Alone(t)
	file := commandtest.ClusterFile(t)
	for _, test := range usageErrors {
		args := strings.Split(strings.ReplaceAll(test.args, "$FILE", file), " ")
		for i := range args {
			if args[i] == "~" {
				args[i] = ""
			}
		}
		got := paxlog(args...)
		if want := (result{command.ExitUsage, "", "paxlog: " + strings.ReplaceAll(test.want, "$FILE", file) + "\n"}); got != want {
			t.Errorf("paxlog %s\ngot  %d %q %s\nwant %d %q %s", test.args, got.code, got.out, got.errors, want.code, want.out, want.errors)
		}
	}
}

func TestEnvironmentErrors(t *testing.T) {
	for name, test := range map[string]struct{ value, command, want string }{
		"PAXLOG_TIMEOUT":    {"x", "status", "status: PAXLOG_TIMEOUT \"x\": is no duration: write 500ms, 10s or 1m30s, or 0 to wait for ever"},
		"PAXLOG_STALE":      {"x", "tail", "tail: PAXLOG_STALE \"x\": must be true or false"},
		"PAXLOG_OUTPUT":     {"x", "tail", "tail: PAXLOG_OUTPUT \"x\": must be raw, bytes, length or json"},
		"PAXLOG_LOG_FORMAT": {"x", "dev", "dev: PAXLOG_LOG_FORMAT \"x\": must be json or console"},
		"PAXLOG_CONFIG":     {"x", "tail", "x: there is no such cluster file: check the path"},
	} {
		t.Run(name, func(t *testing.T) {
			commandtest.Alone(t)
			t.Setenv(name, test.value)
			if got := paxlog(test.command); got != (result{command.ExitUsage, "", "paxlog: " + test.want + "\n"}) {
				t.Errorf("got %+v\nwant %s", got, test.want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	commandtest.Alone(t)
	overview := paxlog("--help")
	if overview.code != 0 || overview.errors != "" || !strings.Contains(overview.out, "Usage: paxlog") {
		t.Errorf("--help: %+v", overview)
	}
	for _, args := range [][]string{{"-h"}, {"help"}, {"--config", "nowhere", "--help"}} {
		if got := paxlog(args...); got != overview {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := paxlog(); got != (result{command.ExitUsage, "", overview.out}) {
		t.Errorf("no command: %+v", got)
	}
	leaves := map[string]*command.Command{}
	for _, c := range commandTable() {
		if len(c.Subs) == 0 {
			leaves[c.Name] = c
		}
		for _, sub := range c.Subs {
			leaves[c.Name+" "+sub.Name] = sub
		}
	}
	for name, c := range leaves {
		args := strings.Fields(name)
		page := paxlog(append(args, "--help")...)
		if page.code != 0 || page.errors != "" || !strings.HasPrefix(page.out, "paxlog "+name+" - "+c.Summary+"\n") {
			t.Errorf("%s --help: %+v", c.Name, page)
		}
		if !strings.Contains(page.out, "\nExample:\n  ") {
			t.Errorf("%s: help has no example", name)
		}
		for _, o := range c.Options() {
			if !strings.Contains(page.out, o.Flag()) || !strings.Contains(page.out, o.Env()) {
				t.Errorf("%s: help does not name %s", name, o.Flag())
			}
		}
		for _, other := range [][]string{append(args, "-h"), append([]string{"help"}, args...), append(args, "argument", "--help"), append([]string{"--help"}, args...)} {
			got := paxlog(other...)
			if other[0] == "--help" {
				if got != overview {
					t.Errorf("%v: %+v", other, got)
				}
			} else if got != page {
				t.Errorf("%v: %+v", other, got)
			}
		}
	}
}

func TestConfigCommands(t *testing.T) {
	commandtest.Alone(t)
	file := commandtest.ClusterFile(t)
	want := "ok: cluster dev, 3 acceptors (quorums: phase1 2, phase2 2), 2 proposers, 1 learners\n"
	for _, args := range [][]string{
		{"config", "check", "--config", file}, {"--config", file, "config", "check"},
		{"config", "--config=" + file, "check"}, {"config", "check", "--config", "wrong", "--config", file},
	} {
		if got := paxlog(args...); got != (result{0, file + ": " + want, ""}) {
			t.Errorf("%v: %+v", args, got)
		}
	}
	t.Setenv("PAXLOG_CONFIG", file)
	printed := paxlog("config", "print")
	if printed.code != 0 || !strings.Contains(printed.out, "conn_queue_bytes: 16MiB\n") {
		t.Errorf("print: %+v", printed)
	}
	if err := os.WriteFile("paxlog.yaml", []byte(printed.out), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PAXLOG_CONFIG", "")
	if got := paxlog("config", "check"); got != (result{0, "paxlog.yaml: " + want, ""}) {
		t.Errorf("the file here: %+v", got)
	}
	if err := os.WriteFile("paxlog.yaml", []byte("colour: red\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"config", "check"}, {"tail"}, {"proposer", "--id", "p1"}} {
		got := paxlog(args...)
		if got.code != command.ExitUsage || !strings.HasPrefix(got.errors, `paxlog: paxlog.yaml:1: unknown key "colour"`) {
			t.Errorf("%v with a wrong file: %+v", args, got)
		}
	}
}

func TestVersion(t *testing.T) {
	commandtest.Alone(t)
	plain := paxlog("version")
	if plain.code != 0 || !strings.HasPrefix(plain.out, "paxlog ") || paxlog("--version") != plain {
		t.Errorf("version: %+v", plain)
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(paxlog("-o", "json", "version").out), &v); err != nil {
		t.Fatal(err)
	}
	if v["protocol"] != float64(wire.Version) {
		t.Errorf("protocol %v, and the wire says %d", v["protocol"], wire.Version)
	}
	for _, key := range []string{"version", "revision", "go", "protocol"} {
		if _, ok := v[key]; !ok {
			t.Errorf("no %s in %v", key, v)
		}
	}
	t.Setenv("PAXLOG_OUTPUT", "table") // that of another command
	if got := paxlog("version"); got != plain {
		t.Errorf("with PAXLOG_OUTPUT=table: %+v", got)
	}
}

func TestCompletion(t *testing.T) {
	commandtest.Alone(t)
	for _, shell := range command.Shells {
		got := paxlog("completion", shell)
		if got.code != 0 || got.errors != "" {
			t.Errorf("%s: %+v", shell, got)
		}
		for _, word := range []string{"acceptor", "completion", "print", "base-port", "log-format"} {
			if !strings.Contains(got.out, word) {
				t.Errorf("%s: %s is not completed", shell, word)
			}
		}
	}
}

func TestBashCompletes(t *testing.T) {
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	commandtest.Alone(t)
	script := paxlog("completion", "bash").out
	for line, want := range map[string]string{
		"paxlog ap":                        "append",
		"paxlog -o json ta":                "tail",
		"paxlog --config x config pr":      "print",
		"paxlog tail --fr":                 "--from",
		"paxlog tail -f --fo":              "--follow",
		"paxlog tail -o j":                 "json",
		"paxlog bench --mode ca":           "catchup",
		"paxlog completion z":              "zsh",
		"paxlog --log-level w":             "warn",
		"paxlog config check --log-format": "--log-format",
		"paxlog init --id a":               "",
	} {
		words := strings.Fields(line)
		command := script + "\nCOMP_WORDS=(" + strings.Join(words, " ") + ")\nCOMP_CWORD=$((${#COMP_WORDS[@]}-1))\n_paxlog\necho \"${COMPREPLY[*]}\""
		out, err := exec.Command(shell, "--norc", "-c", command).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s<TAB>: got %q (%v), want %q", line, got, err, want)
		}
	}
}

// failing is a writer that always fails.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestStandardOutputThatFails(t *testing.T) {
	commandtest.Alone(t)
	for _, test := range []struct {
		err  error
		code int
		want string
	}{
		{syscall.EPIPE, command.ExitDone, ""},
		{io.ErrClosedPipe, command.ExitDone, ""},
		{syscall.ENOSPC, command.ExitFailed, "paxlog: writing to standard output: no space left on device\n"},
	} {
		for _, args := range [][]string{{"--help"}, {"version"}, {"version", "-o", "json"}, {"completion", "bash"}} {
			var errs bytes.Buffer
			code := run(append([]string{"paxlog"}, args...), strings.NewReader(""), failing{test.err}, &errs)
			if code != test.code || errs.String() != test.want {
				t.Errorf("%v %v: got %d %q", args, test.err, code, errs.String())
			}
		}
	}
}

// TestAppendOutputThatFails: what could not be printed may be in the log, so it is not
// a failure after which one can append again.
func TestAppendOutputThatFails(t *testing.T) {
	dev(t)
	for name, input := range map[string]string{"one": "x\n", "more than is buffered": strings.Repeat("x\n", 50000)} {
		var errs bytes.Buffer
		code := run([]string{"paxlog", "append"}, strings.NewReader(input), failing{syscall.ENOSPC}, &errs)
		want := regexp.MustCompile(`^unknown: ([0-9a-f]+)/1\.\.(\d+)\npaxlog: writing to standard output: no space left on device; (\d+) entries ` +
			"that were not reported may have been appended; `paxlog resolve ([0-9a-f]+)/1` tells for good\n(not appended: \\d+ entries, from input entry \\d+ on\n)?$")
		m := want.FindStringSubmatch(errs.String())
		if code != command.ExitUnknown || m == nil || m[1] != m[4] || m[2] != m[3] {
			t.Fatalf("%s: %d %q", name, code, errs.String())
		}
		if got := paxlog("resolve", m[1]+"/1"); got.code != command.ExitDone || !strings.HasPrefix(got.out, "chosen ") {
			t.Errorf("%s: %+v", name, got)
		}
		// Nothing that the range leaves out is in the log.
		last, err := strconv.ParseUint(m[2], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := paxlog("resolve", fmt.Sprint(m[1], "/", last+1)); got.code != command.ExitDone || got.out != "never\n" {
			t.Errorf("%s: the entry after %d: %+v", name, last, got)
		}
	}
}
