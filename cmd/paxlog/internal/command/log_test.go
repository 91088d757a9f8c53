package command

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestLogger(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	var out bytes.Buffer
	log, _ := NewLogger(&out, "info", "json")
	log.Debug().Msg("hidden")
	log.Info().Str("role", "acceptor").Str("id", "a1").Msg("ready")
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
	log, _ = NewLogger(&out, "info", "console")
	log.Info().Str("id", "a1").Msg("ready")
	if got := out.String(); strings.ContainsRune(got, '\x1b') || !strings.Contains(got, "INF ready id=a1") {
		t.Errorf("got %q", got)
	}
}
