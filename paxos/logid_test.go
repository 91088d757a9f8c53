package paxos

import (
	"errors"
	"strings"
	"testing"
)

// TestParseLogID: a log id is read as it is printed, and nothing else is one.
func TestParseLogID(t *testing.T) {
	id := LogID{1, 0xab}
	if got, err := ParseLogID(id.String()); err != nil || got != id {
		t.Errorf("%v, %v", got, err)
	}
	if (LogID{}).String() != "" {
		t.Error("a log without an id has a name")
	}
	for _, text := range []string{"", "01ab", strings.Repeat("0", 32), strings.Repeat("0", 31) + "g", id.String() + "00"} {
		if _, err := ParseLogID(text); !errors.Is(err, ErrLogID) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
