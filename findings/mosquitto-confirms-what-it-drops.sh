#!/usr/bin/env bash
# What:    mosquitto 2.0.11 (Debian 12), QoS 1, a subscriber with a persistent session that is offline.
# Guess:   QoS 1 is "at least once": what was confirmed to the publisher waits for the subscriber, and a broker
#          that has no room left does not confirm.
# Happens: It confirms all 1500 messages and keeps the first 1000 (max_queued_messages). The rest is dropped;
#          one line of its log says so, to neither side of the exchange.
# Why:     MQTT in front of a log, with the bridge down for a night: the devices hold confirmations of entries
#          that never reach the log. Set max_queued_messages 0 and a bound in bytes that is watched.
# Paxlog:  Confirms an append when a quorum has it on disk; a full queue is an error of the append.
# Needs:   Debian with apt-get; unpacks the packages, installs nothing.
set -euo pipefail
work=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
cd "$work"
packages=(mosquitto mosquitto-clients libmosquitto1 libcjson1 libdlt2 libwrap0)
{ { apt-get download "${packages[@]}" || { apt-get update && apt-get download "${packages[@]}"; }; } &&
  for deb in *.deb; do dpkg -x "$deb" root; done; } >setup.log 2>&1 || { cat setup.log; exit 1; }
libs=$(dirname "$(find root -name 'libmosquitto.so.1' | head -1)")
export LD_LIBRARY_PATH=$work/$libs PATH=$work/root/usr/bin:$work/root/usr/sbin:$PATH
mosquitto -h | head -1 || true

port=$((20000 + RANDOM % 10000))
printf 'listener %d 127.0.0.1\nallow_anonymous true\n' "$port" >broker.conf
mosquitto -c broker.conf 2>broker.log &
pid=$!
sub() { mosquitto_sub -h 127.0.0.1 -p "$port" -q 1 -c -i bridge -t device "$@"; }
for _ in $(seq 50); do # subscribes, and goes offline
  if sub -E 2>/dev/null; then break; fi
  sleep 0.1
done
seq 1500 | mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 -t device -l -d >published
confirmed=$(grep -c PUBACK published)
sub -W 3 >got || true # ends after 3 s
echo "published and confirmed with PUBACK: $confirmed"
echo "delivered when the subscriber is back: $(wc -l <got), $(head -1 got) to $(tail -1 got)"
grep -o 'Outgoing messages are being dropped.*' broker.log
if [ "$confirmed" != 1500 ] || [ "$(wc -l <got)" != 1000 ]; then
  echo 'CHANGED: 1500 confirmations and 1000 messages were expected'
  exit 1
fi
