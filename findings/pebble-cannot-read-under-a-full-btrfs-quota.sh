#!/usr/bin/env bash
# What:    cockroachdb/pebble/v2 v2.1.7 on btrfs (btrfs-progs 6.2 or later) in a subvolume whose qgroup limit is used up.
# Guess:   Writing fails; a store that was closed in good order can be opened to be read; df says that nothing is free.
# Happens: Opening fails, read-only as well: "open .../LOCK: disk quota exceeded". Pebble truncates its lock file, which is
#          there and empty, and btrfs wants room for that too. df says that hundreds of megabytes are free: the limit is
#          not in statfs. Deleting another file gives room at once.
# Why:     A process that died of a full disk cannot be started to make room in its store, nor its store be looked at, and
#          whatever watches free space has seen nothing coming.
# Paxlog:  A start gives up space that it has laid by for its lock file, too, and is short of room until the quota has
#          some; `paxlog inspect` makes no lock file.
# Needs:   root, a loop device, Debian with apt-get; unpacks the package, installs nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'cd /; if mountpoint -q "$work/disk"; then umount "$work/disk"; fi; rm -rf "$work"' EXIT
cd "$work"
{ { apt-get download btrfs-progs || { apt-get update && apt-get download btrfs-progs; }; } && dpkg -x btrfs-progs_*.deb root; } >setup.log 2>&1 ||
  { cat setup.log; exit 1; }
export GOWORK=off GOFLAGS=-mod=mod PATH="$work/root/bin:$work/root/sbin:$work/root/usr/bin:$work/root/usr/sbin:$PATH"
cat >main.go <<'GO'
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

func main() {
	quiet := quietLogger{}
	db, err := pebble.Open(os.Args[2], &pebble.Options{Logger: quiet, ReadOnly: os.Args[1] == "read"})
	switch {
	case errors.Is(err, syscall.EDQUOT):
		fmt.Println("no quota left for", filepath.Base(strings.Fields(err.Error())[1]))
		return
	case err != nil:
		panic(err)
	}
	if os.Args[1] == "write" {
		if err := db.Set([]byte("k"), []byte("v"), pebble.Sync); err != nil {
			panic(err)
		}
	}
	v, c, err := db.Get([]byte("k"))
	if err != nil {
		panic(err)
	}
	fmt.Printf("k is %s\n", v)
	if err := errors.Join(c.Close(), db.Close()); err != nil {
		panic(err)
	}
}

type quietLogger struct{}

func (quietLogger) Infof(string, ...any)      {}
func (quietLogger) Errorf(string, ...any)     {}
func (quietLogger) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
GO
{ go mod init finding && go get github.com/cockroachdb/pebble/v2@v2.1.7 && go mod tidy && go build -o store .; } 2>setup.log || { cat setup.log; exit 1; }
go list -m github.com/cockroachdb/pebble/v2

truncate -s 1G image
mkfs.btrfs -q image >/dev/null 2>&1
mkdir disk
mount -o loop image disk
btrfs quota enable disk
btrfs subvolume create disk/data >/dev/null
btrfs qgroup limit 128M disk/data
./store write disk/data/db >/dev/null
closed=$(./store read disk/data/db)
dd if=/dev/zero of=disk/data/other bs=4k conv=fsync 2>/dev/null || true
full=$(./store read disk/data/db)
free=$(($(df --output=avail -B1M disk/data | tail -1)))
rm disk/data/other
after=$(./store read disk/data/db)
printf 'before: %s\nwith the quota used up, read-only: %s; df says %d MB are free\nafter another file was deleted: %s\n' "$closed" "$full" "$free" "$after"
[ "$closed" = 'k is v' ] && [ "$full" = 'no quota left for LOCK:' ] && [ "$free" -gt 300 ] && [ "$after" = 'k is v' ] || { echo 'this has changed'; exit 1; }
