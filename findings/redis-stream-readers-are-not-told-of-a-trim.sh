#!/usr/bin/env bash
# What:    Redis 7.0.15 streams (Debian 12): XTRIM, then a reader that had stopped before what was trimmed.
# Guess:   The reader learns that entries are gone, or a consumer group skips them.
# Happens: XREAD after 1-0 goes on with 4-0 as if 2 and 3 had never been. A group still counts the trimmed entries
#          as pending, and hands them to their consumer again as ids without a body. XTRIM with ~ trims nothing
#          below 100 entries or so.
# Why:     People who come from streams do not look for gaps, since ids have gaps anyway. A log must say so.
# Paxlog:  Indexes have no gaps, so a gap is a proof of loss.
# Needs:   Debian with apt-get; unpacks the packages, installs nothing.
set -euo pipefail
work=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
cd "$work"
packages=(redis-server redis-tools libjemalloc2 liblzf1)
{ { apt-get download "${packages[@]}" || { apt-get update && apt-get download "${packages[@]}"; }; } &&
  for deb in *.deb; do dpkg -x "$deb" root; done; } >setup.log 2>&1 || { cat setup.log; exit 1; }
libs=$(dirname "$(find root -name 'liblzf.so.1' | head -1)")
export LD_LIBRARY_PATH=$work/$libs PATH=$work/root/usr/bin:$PATH
redis-server --version | cut -d' ' -f1-3

redis-server --port 0 --unixsocket "$work/s" --save '' >server.log 2>&1 & # a socket file, no port
pid=$!
c() { redis-cli -s "$work/s" "$@" | tr '\n' ' '; }
for _ in $(seq 50); do
  if [ -S s ] && redis-cli -s s PING >/dev/null 2>&1; then break; fi
  sleep 0.1
done
for i in 1 2 3 4 5; do c XADD log "$i-0" entry "$i" >/dev/null; done
c XGROUP CREATE log group 0 >/dev/null
c XREADGROUP GROUP group consumer STREAMS log '>' >/dev/null # has all five, acknowledges none
c XTRIM log MAXLEN 2 >/dev/null
read=$(c XREAD STREAMS log 1-0)
again=$(c XREADGROUP GROUP group consumer STREAMS log 0)
pending=$(c XPENDING log group)
about=$(c XTRIM log MAXLEN '~' 1)
echo "after XTRIM MAXLEN 2 of five entries:"
echo "  XREAD after 1-0:              $read"
echo "  the group's pending entries:  $pending"
echo "  handed out again:             $again"
echo "  XTRIM MAXLEN ~ 1 removes:     $about"
if [ "$read" != 'log 4-0 entry 4 5-0 entry 5 ' ] || [ "${pending%% *}" != 5 ] || [ "${again:0:8}" != 'log 1-0 ' ] || [ "$about" != '0 ' ]; then
  echo 'CHANGED: a read that passes over the gap, and five pending entries, were expected'
  exit 1
fi
