#!/usr/bin/env bash
# What:    Go's encoding/json and time.RFC3339Nano, lines of JSON that are sorted as text (`sort`, a merge of two logs).
# Guess:   RFC 3339 in UTC sorts as text in the order of time; that is why one takes it.
# Happens: Go drops zeros at the end of the fraction, and a fraction of zeros with its dot. "Z" sorts after "." and
#          after all digits: a whole second comes after all of its fractions, .5 after .51. Of random times in ns one of
#          ten has a shorter fraction, so it shows now and then only.
# Why:     Who merges the logs of several hosts by `sort` reads an answer before its question.
# Paxlog:  Prints nine digits always, in entries and in its own log (internal/shapes, TimeFormat).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off
go mod init finding 2>setup.log || { cat setup.log; exit 1; }
go version | cut -d' ' -f3

cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"
	"time"
)

func main() {
	second := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, after := range []time.Duration{0, 400 * time.Millisecond, 500 * time.Millisecond, 510 * time.Millisecond} {
		line, err := json.Marshal(struct {
			Time  time.Time `json:"time"`
			Order int       `json:"order"`
		}{second.Add(after), i + 1})
		if err != nil {
			panic(err)
		}
		fmt.Println(string(line))
	}
}
GO
echo '-- as they happened'
go run . | tee lines
echo '-- sorted as text'
LC_ALL=C sort lines | tee sorted
order=$(grep -o '"order":[0-9]' sorted | tr -dc '0-9')
if [ "$order" != 2431 ]; then
  echo "CHANGED: the order 2 4 3 1 was expected of sort, it is $order"
  exit 1
fi
