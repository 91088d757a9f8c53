package paxos

import "testing"

func TestTimer(t *testing.T) {
	var timer Timer
	if !timer.Due(0) {
		t.Fatal("the zero Timer is not due at once")
	}
	timer.Set(10)
	for now, want := range map[Ticks]bool{0: false, 9: false, 10: true, 11: true} {
		if timer.Due(now) != want {
			t.Errorf("set to 10, at %d: due %v", now, !want)
		}
	}
	timer.Stop()
	if timer.Due(1<<62) || timer.At() != Never {
		t.Fatal("due although it is stopped")
	}
	timer.Set(3)
	if !timer.Due(3) || timer.At() != 3 {
		t.Fatal("not due once it is set again")
	}
}
