package transport

import (
	"bytes"
	"net"
	"testing"
)

// TestVeilTakesAnswers: what package tls writes while it reads is written by the writer, in its
// order, and not without bound.
func TestVeilTakesAnswers(t *testing.T) {
	woken := 0
	v := &veil{wake: func() { woken++ }}
	v.opened()
	u := under{v: v}
	write := func(s string) {
		t.Helper()
		if n, err := u.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	take := func(want string) {
		t.Helper()
		if got, err := v.seal(nil); string(got) != want || err != nil {
			t.Errorf("taken is %q, %v, want %q", got, err, want)
		}
	}
	take("")
	write("one")
	write("two")
	if woken != 2 {
		t.Errorf("the write loop was woken %d times", woken)
	}
	first, _ := v.seal(nil)
	write("three") // while the first are written to the socket
	if string(first) != "onetwo" {
		t.Errorf("what was taken has become %q", first)
	}
	take("three")
	take("")
	if n, err := u.Write(make([]byte, maxSealed+1)); n > 0 || err == nil {
		t.Errorf("%d bytes wait, %v", n, err)
	}
}

// TestVeilShakesHandsAtOnce: nothing waits before the handshake is over.
func TestVeilShakesHandsAtOnce(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	u := under{near, &veil{raw: near}}
	go func() {
		_, _ = u.Write([]byte("hello")) // the other end says what came of it
		_ = near.Close()
	}()
	var got bytes.Buffer
	if _, err := got.ReadFrom(far); err != nil || got.String() != "hello" {
		t.Errorf("%q, %v", got.String(), err)
	}
}
