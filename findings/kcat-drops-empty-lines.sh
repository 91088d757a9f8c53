#!/usr/bin/env bash
# What:    kcat 1.7.1 (Debian 12) as a producer, against a broker of franz-go (kfake) on loopback.
# Guess:   A line of its input is a message, as -l and -D say.
# Happens: Empty lines are left out without a word: six lines become three messages, and the exit code is 0.
# Why:     Where the number of a line means something (a copy of a log whose indexes must agree, a check that counts
#          lines) everything behind the first empty line is shifted.
# Paxlog:  `append` takes an empty line as an empty entry, and `tail` prints it as one.
# Needs:   Debian with apt-get; unpacks the packages, installs nothing.
set -euo pipefail
work=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
cd "$work"
packages=(kcat librdkafka1 libyajl2)
{ { apt-get download "${packages[@]}" || { apt-get update && apt-get download "${packages[@]}"; }; } &&
  for deb in *.deb; do dpkg -x "$deb" root; done; } >setup.log 2>&1 || { cat setup.log; exit 1; }
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get github.com/twmb/franz-go@v1.22.3 github.com/twmb/franz-go/pkg/kfake@v0.0.0-20260918054303-01f206a7e32c; } 2>setup.log ||
  { cat setup.log; exit 1; }
go list -m github.com/twmb/franz-go/pkg/kfake

cat >main.go <<'GO'
package main

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

func main() {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "log"))
	if err != nil {
		panic(err)
	}
	fmt.Println(c.ListenAddrs()[0])
	time.Sleep(time.Minute)
}
GO
go build -o broker . 2>setup.log || { cat setup.log; exit 1; }
./broker >address &
pid=$!
for _ in $(seq 100); do
  if [ -s address ]; then break; fi
  sleep 0.1
done
libs=$(dirname "$(find root -name 'librdkafka.so.1' | head -1)")
kcat() { LD_LIBRARY_PATH=$work/$libs timeout 20 root/usr/bin/kcat "$@"; }
kcat -V | grep -o 'Version.*' | cut -d' ' -f1-2

printf 'one\n\ntwo\n\n\nthree\n' >lines
kcat -b "$(cat address)" -P -t log <lines
echo "producer's exit code: $?, lines: $(wc -l <lines)"
kcat -b "$(cat address)" -C -t log -e -q -f 'offset %o: "%s"\n' | tee got
if [ "$(wc -l <got)" != 3 ]; then
  echo 'CHANGED: three messages of the six lines were expected'
  exit 1
fi
