package shapes

import (
	"errors"
	"testing"
)

func TestMessageIsOneLine(t *testing.T) {
	err := errors.Join(errors.New("one"), errors.New("two"))
	if got := OneLine(err); got != "one two" {
		t.Errorf("got %q", got)
	}
	if got := OneLine(errors.New("refused: \x1b[31mred\u009b")); got != `refused: \x1b[31mred\x9b` {
		t.Errorf("got %q", got)
	}
}
