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
}
