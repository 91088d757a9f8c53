package command

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLogger(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	var out bytes.Buffer
	log, _, end := NewLogger(&out, "info", "json")
	log.Debug().Msg("hidden")
	log.Info().Str("role", "acceptor").Str("id", "a1").Msg("ready")
	end()
	log.Info().Msg("too late")
	var line map[string]string
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line["level"] != "info" || line["role"] != "acceptor" || line["id"] != "a1" || line["message"] != "ready" {
		t.Errorf("got %v", line)
	}
	if _, err := time.Parse(time.RFC3339Nano, line["time"]); err != nil {
		t.Error(err)
	}
	out.Reset()
	log, _, end = NewLogger(&out, "info", "console")
	log.Info().Str("id", "a1").Msg("ready")
	end()
	if got := out.String(); strings.ContainsRune(got, '\x1b') || !strings.Contains(got, "INF ready id=a1") {
		t.Errorf("got %q", got)
	}
}

// TestLogNobodyReads: whoever logs never waits, memory is bounded, the oldest lines are
// kept, and how many were dropped is told, in the format of the log and at every level.
func TestLogNobodyReads(t *testing.T) {
	for _, format := range []string{"json", "console"} {
		t.Run(format, func(t *testing.T) {
			out := &blockedWriter{open: make(chan struct{}), first: make(chan struct{})}
			log, _, end := NewLogger(out, "error", format)
			log.Error().Msg("first")
			<-out.first // is being written, and blocks
			const more = 3 * maxLogLines / 1000
			for range more {
				log.Error().Msg(strings.Repeat("x", 1000))
			}
			close(out.open)
			end()
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			kept, last := len(lines)-2, lines[len(lines)-1]
			if !strings.Contains(lines[0], "first") || kept < 900 || kept*1000 > maxLogLines {
				t.Errorf("%d lines were kept, the first is %.100s", kept, lines[0])
			}
			var dropped struct{ Dropped int }
			if format == "console" {
				_, count, _ := strings.Cut(last, "dropped=")
				last = `{"dropped":` + count + "}"
			}
			if err := json.Unmarshal([]byte(last), &dropped); err != nil || dropped.Dropped != more-kept {
				t.Errorf("%v: %d of %d lines were kept, and the last says %s", err, kept, more, last)
			}
		})
	}
}

// TestLastNobodyReads: what nobody takes does not keep a process from ending.
func TestLastNobodyReads(t *testing.T) {
	stuck := func() *blockedWriter {
		out := &blockedWriter{open: make(chan struct{}), first: make(chan struct{})}
		t.Cleanup(func() { close(out.open) })
		return out
	}
	p := &Program{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: stuck()}
	if code := p.Run([]string{"paxlog", "nothing"}); code != ExitUsage {
		t.Errorf("exit code %d", code)
	}
	log, _, end := NewLogger(stuck(), "info", "json")
	log.Info().Msg("stopping")
	end()
}

// blockedWriter takes nothing until it is opened.
type blockedWriter struct {
	open, first chan struct{}
	once        sync.Once
	bytes.Buffer
}

func (w *blockedWriter) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.first) })
	<-w.open
	return w.Buffer.Write(p)
}

// TestLogLevelChanges: a logger, and those made of it, log from the level on that was set last.
func TestLogLevelChanges(t *testing.T) {
	var out bytes.Buffer
	log, set, end := NewLogger(&out, "warn", "json")
	of := log.With().Str("of", "it").Logger()
	say := func(text string) {
		of.Debug().Msg(text + " debug")
		of.Info().Msg(text + " info")
		of.Warn().Msg(text + " warn")
	}
	say("first")
	set("debug")
	say("second")
	set("error")
	say("third")
	set("")
	say("fourth")
	end()
	for text, want := range map[string]bool{
		"first debug": false, "first info": false, "first warn": true, "second debug": true, "second info": true,
		"third warn": false, "fourth info": false, "fourth warn": true,
	} {
		if got := strings.Contains(out.String(), text); got != want {
			t.Errorf("%q is logged: %v", text, got)
		}
	}
}
