#!/usr/bin/env bash
# What:    franz-go v1.22.3 and kcat 1.7.1 (librdkafka 2.0.2), reading from offset 100 of a partition of three entries;
#          the broker is franz-go's kfake on loopback.
# Guess:   An error, or waiting until there is an entry 100.
# Happens: franz-go starts over at 0 and hands out the whole log again; kcat jumps to the end and ends with exit code 0
#          and one line of warning. Both by default, so one stored place gives all or nothing.
# Why:     A log that was restored from a backup is shorter than its readers' places: one of them applies everything a
#          second time, the other one misses what is written until it looks.
# Paxlog:  `tail --from 100` says "100 is ahead of the log, which ends at 10" and ends with exit code 5.
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
go list -m github.com/twmb/franz-go

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if len(os.Args) == 1 { // the broker
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "log"))
		must(err)
		p, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.DefaultProduceTopic("log"))
		must(err)
		for i := range 3 {
			must(p.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint("entry ", i))).FirstErr())
		}
		fmt.Println(c.ListenAddrs()[0])
		<-ctx.Done()
		return
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(os.Args[1]), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"log": {0: kgo.NewOffset().At(100)}}))
	must(err)
	defer c.Close()
	wait, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	f := c.PollFetches(wait)
	f.EachRecord(func(r *kgo.Record) { fmt.Printf("offset %d: %s\n", r.Offset, r.Value) })
	f.EachError(func(_ string, _ int32, err error) { fmt.Println("error:", err) })
}
GO
go build -o finding . 2>setup.log || { cat setup.log; exit 1; }
./finding >address &
pid=$!
for _ in $(seq 100); do
  if [ -s address ]; then break; fi
  sleep 0.1
done
echo '-- franz-go, from offset 100'
./finding "$(cat address)" | tee franz
libs=$(dirname "$(find root -name 'librdkafka.so.1' | head -1)")
echo '-- kcat, from offset 100'
code=0
LD_LIBRARY_PATH=$work/$libs timeout 20 root/usr/bin/kcat -b "$(cat address)" -C -t log -o 100 -e -f 'offset %o: %s\n' >kcat 2>said || code=$?
cat kcat
grep -o 'offset reset.*' said || true
echo "exit code $code"
if [ "$(head -1 franz)" != 'offset 0: entry 0' ] || [ -s kcat ] || [ "$code" != 0 ]; then
  echo 'CHANGED: the whole log was expected of franz-go, and nothing with exit code 0 of kcat'
  exit 1
fi
