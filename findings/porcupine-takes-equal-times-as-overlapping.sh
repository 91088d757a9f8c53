#!/usr/bin/env bash
# What:    porcupine v1.3.1, the linearizability checker: one operation returns at the time at
#          which another one is called.
# Guess:   The second began when the first was done, so it must see its effect.
# Happens: They count as concurrent. A read called at the very time at which the write returned may
#          return the old value, and the history is called linearizable. One unit later it is not.
# Why:     With a clock of coarse ticks (a simulated one, milliseconds) most neighbours have equal
#          times, and the check finds almost nothing while it always passes. Give every call and
#          every return a number of its own.
# Paxlog:  Numbers the calls and returns of a history one by one, whatever the simulated clock says
#          (sim/check_history.go).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get github.com/anishathalye/porcupine@v1.3.1; } 2>setup.log || { cat setup.log; exit 1; }
go list -m github.com/anishathalye/porcupine

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/anishathalye/porcupine"
)

type write int // the input of a write; a read has none

func main() {
	register := porcupine.Model{
		Init: func() any { return 0 },
		Step: func(state, input, output any) (bool, any) {
			if w, ok := input.(write); ok {
				return true, int(w)
			}
			return output.(int) == state.(int), state
		},
	}
	stale := func(called int64) bool {
		return porcupine.CheckOperations(register, []porcupine.Operation{
			{ClientId: 0, Input: write(1), Call: 1, Return: 2},
			{ClientId: 1, Input: nil, Output: 0, Call: called, Return: 4},
		})
	}
	equal, later := stale(2), stale(3)
	fmt.Println("write of 1 returns at 2, a read called at 2 returns 0: linearizable:", equal)
	fmt.Println("write of 1 returns at 2, a read called at 3 returns 0: linearizable:", later)
	if !equal || later {
		fmt.Println("CHANGED: equal times were expected to count as overlapping")
		os.Exit(1)
	}
}
GO
go run .
